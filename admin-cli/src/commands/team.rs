//! `sluice team …`

use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part, something};
use crate::{
    args::catalog::{TeamCommand, TeamFlags},
    client::Client,
    failure::Outcome,
    view::TeamView,
};

pub(super) async fn run(it: &Session, command: TeamCommand) -> Outcome {
    match command {
        TeamCommand::Add(args) => {
            let client = it.client().await?;
            let request = v1::CreateTeamRequest { team: Some(args.team()) };
            let team = part(client.teams().create_team(request).await?.into_inner().team)?;
            it.output.one(&TeamView::from(team))
        }
        TeamCommand::List => {
            let teams = list(&it.client().await?).await?;
            it.output.list(&teams, "There is no team: add one with `sluice team add`.")
        }
        TeamCommand::Show(args) => {
            let client = it.client().await?;
            let request = v1::GetTeamRequest { team: args.team };
            let team = part(client.teams().get_team(request).await?.into_inner().team)?;
            it.output.one(&TeamView::from(team))
        }
        TeamCommand::Update(args) => {
            let paths: Vec<_> = args.description.iter().map(|_| "description").collect();
            something(&paths)?;
            let client = it.client().await?;
            let update_mask = mask(&paths);
            let request = v1::UpdateTeamRequest { team: Some(args.team()), update_mask };
            let team = part(client.teams().update_team(request).await?.into_inner().team)?;
            it.output.one(&TeamView::from(team))
        }
        TeamCommand::Remove(args) => {
            let client = it.client().await?;
            let request = v1::DeleteTeamRequest { team: args.team.clone(), etag: String::new() };
            let revision = client.teams().delete_team(request).await?.into_inner().revision;
            it.removed(&client, &format!("team {}", args.team), revision, None).await
        }
    }
}

async fn list(client: &Client) -> Outcome<Vec<TeamView>> {
    let teams = pages(async |page_token| {
        let request = v1::ListTeamsRequest { page_size: PAGE, page_token };
        let page = client.teams().list_teams(request).await?.into_inner();
        Ok((page.teams, page.next_page_token))
    });
    Ok(teams.await?.into_iter().map(TeamView::from).collect())
}

impl TeamFlags {
    /// A team that is named by its id or by its name.
    fn team(self) -> v1::Team {
        let (text, description) = (self.name.team, self.description.unwrap_or_default());
        match text.parse::<domain::id::TeamId>() {
            Ok(_) => v1::Team { id: text, description, ..v1::Team::default() },
            Err(_) => v1::Team { name: text, description, ..v1::Team::default() },
        }
    }
}
