//! Teams over gRPC.

use super::{
    Answer, Desk, answer, asked,
    draft::{Draft, References},
    page,
    refusal::Kind,
    required, status,
    write::{Done, Expected, Terms, etag, id_or_name},
};
use crate::store::Stored;
use domain::{catalog::Team, id::TeamId};
use proto::{
    admin::v1::{self, team_service_server::TeamService},
    convert::catalog::team_to,
};
use tonic::Request;

fn shown(stored: &Stored<Team>) -> v1::Team {
    let (revision, etag) = (stored.revision, etag(stored.revision));
    v1::Team { revision, etag, ..team_to(&stored.item) }
}

impl Desk {
    async fn team_done(&self, done: Done<TeamId>) -> Result<Option<v1::Team>, tonic::Status> {
        let id = done.item.to_string();
        let written = || {
            let item = done.snapshot.catalog().teams.get(&done.item)?;
            Some(done.stored_now((**item).clone()))
        };
        let stored = self.stored(self.store.get_team(&id), written).await?;
        Ok(Some(shown(&stored)))
    }
}

#[tonic::async_trait]
impl TeamService for Desk {
    async fn create_team(
        &self,
        request: Request<v1::CreateTeamRequest>,
    ) -> Answer<v1::CreateTeamResponse> {
        let wire = required("team", asked(request).team)?;
        let plan = |draft: &mut Draft| draft.create_team(wire).map_err(|it| it.within("team"));
        let done = self.write(Terms::default(), plan).await?;
        answer(v1::CreateTeamResponse { team: self.team_done(done).await? })
    }

    async fn get_team(&self, request: Request<v1::GetTeamRequest>) -> Answer<v1::GetTeamResponse> {
        let name = asked(request).team;
        let found = self.read(self.store.get_team(&name)).await?;
        let found = found.ok_or_else(|| status::not_found(Kind::Team, &name))?;
        answer(v1::GetTeamResponse { team: Some(shown(&found)) })
    }

    async fn list_teams(
        &self,
        request: Request<v1::ListTeamsRequest>,
    ) -> Answer<v1::ListTeamsResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let list = self.read(self.store.list_teams(&page)).await?;
        answer(v1::ListTeamsResponse {
            teams: list.items.iter().map(shown).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn update_team(
        &self,
        request: Request<v1::UpdateTeamRequest>,
    ) -> Answer<v1::UpdateTeamResponse> {
        let asked = asked(request);
        let wire = required("team", asked.team)?;
        let expected = Expected::new(Kind::Team, id_or_name(&wire.id, &wire.name), &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_team(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("team"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::UpdateTeamResponse { team: self.team_done(done).await? })
    }

    async fn delete_team(
        &self,
        request: Request<v1::DeleteTeamRequest>,
    ) -> Answer<v1::DeleteTeamResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Team, &asked.team, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_team(&asked.team, References::Refuse);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteTeamResponse { revision: done.revision })
    }
}
