//! Virtual keys over gRPC. A key's text is in the answer that makes it, and in no other.

use super::{
    Answer, Desk, answer, asked,
    draft::Draft,
    page,
    refusal::Kind,
    required, status,
    write::{Done, Expected, Terms, etag, id_or_name},
};
use crate::store::Stored;
use domain::{
    catalog::{Catalog, VirtualKey},
    id::{KeyId, TeamId},
};
use proto::{
    admin::v1::{self, key_service_server::KeyService},
    convert::key::{key_to, timestamp_to},
};
use tonic::Request;

/// With the team's name; its id where the team is newer than `catalog`.
pub(super) fn shown(stored: &Stored<VirtualKey>, catalog: &Catalog) -> v1::VirtualKey {
    let name = |id| catalog.teams.get(&id).map_or_else(|| id.to_string(), |it| it.name.to_string());
    v1::VirtualKey {
        created_at: Some(timestamp_to(stored.created_at)),
        revision: stored.revision,
        etag: etag(stored.revision),
        ..key_to(&stored.item, &name)
    }
}

impl Desk {
    async fn key_done(&self, done: &Done<KeyId>) -> Result<Option<v1::VirtualKey>, tonic::Status> {
        let id = done.item.to_string();
        let written = || {
            let item = done.snapshot.catalog().keys.get(done.item)?;
            Some(done.stored_now((**item).clone()))
        };
        let stored = self.stored(self.store.get_key(&id), written).await?;
        Ok(Some(shown(&stored, done.snapshot.catalog())))
    }

    /// The team of this id or name.
    pub(super) async fn team_id(&self, id_or_name: &str) -> Result<TeamId, tonic::Status> {
        let found = self.read(self.store.get_team(id_or_name)).await?;
        let found = found.ok_or_else(|| status::not_found(Kind::Team, id_or_name))?;
        Ok(found.item.id)
    }
}

#[tonic::async_trait]
impl KeyService for Desk {
    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Answer<v1::CreateKeyResponse> {
        let wire = required("key", asked(request).key)?;
        let plan = |draft: &mut Draft| draft.create_key(&wire).map_err(|it| it.within("key"));
        let done = self.write(Terms::default(), plan).await?;
        let key = self.key_done(&done).await?;
        let secret = done.made.into_iter().next().map(|it| it.secret.expose().to_owned());
        answer(v1::CreateKeyResponse { key, secret: secret.unwrap_or_default() })
    }

    async fn get_key(&self, request: Request<v1::GetKeyRequest>) -> Answer<v1::GetKeyResponse> {
        let name = asked(request).key;
        let found = self.read(self.store.get_key(&name)).await?;
        let newest = self.newest()?;
        let found = found.ok_or_else(|| status::not_found(Kind::Key, &name))?;
        answer(v1::GetKeyResponse { key: Some(shown(&found, newest.snapshot.catalog())) })
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Answer<v1::ListKeysResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let team =
            if asked.team.is_empty() { None } else { Some(self.team_id(&asked.team).await?) };
        let list = self.read(self.store.list_keys(&page, team)).await?;
        let newest = self.newest()?;
        let catalog = newest.snapshot.catalog();
        answer(v1::ListKeysResponse {
            keys: list.items.iter().map(|it| shown(it, catalog)).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn update_key(
        &self,
        request: Request<v1::UpdateKeyRequest>,
    ) -> Answer<v1::UpdateKeyResponse> {
        let asked = asked(request);
        let wire = required("key", asked.key)?;
        let expected = Expected::new(Kind::Key, id_or_name(&wire.id, &wire.name), &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_key(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("key"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::UpdateKeyResponse { key: self.key_done(&done).await? })
    }

    async fn delete_key(
        &self,
        request: Request<v1::DeleteKeyRequest>,
    ) -> Answer<v1::DeleteKeyResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Key, &asked.key, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_key(&asked.key);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteKeyResponse { revision: done.revision })
    }
}
