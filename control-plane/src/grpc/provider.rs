//! Providers over gRPC.

use super::{
    Answer, Desk, answer, asked,
    draft::{Draft, References},
    page,
    refusal::Kind,
    required, status,
    write::{Done, Expected, Terms, etag},
};
use crate::store::Stored;
use domain::{catalog::Provider, name::Name};
use proto::{
    admin::v1::{self, provider_service_server::ProviderService},
    convert::catalog::provider_to,
};
use tonic::Request;

fn shown(stored: &Stored<Provider>) -> v1::Provider {
    let (revision, etag) = (stored.revision, etag(stored.revision));
    v1::Provider { revision, etag, ..provider_to(&stored.item) }
}

impl Desk {
    async fn provider_done(&self, done: Done<Name>) -> Result<Option<v1::Provider>, tonic::Status> {
        let written = || {
            let item = done.snapshot.catalog().providers.get(&done.item)?;
            Some(done.stored_now((**item).clone()))
        };
        let stored = self.stored(self.store.get_provider(done.item.as_str()), written).await?;
        Ok(Some(shown(&stored)))
    }
}

#[tonic::async_trait]
impl ProviderService for Desk {
    async fn create_provider(
        &self,
        request: Request<v1::CreateProviderRequest>,
    ) -> Answer<v1::CreateProviderResponse> {
        let wire = required("provider", asked(request).provider)?;
        let plan =
            |draft: &mut Draft| draft.create_provider(wire).map_err(|it| it.within("provider"));
        let done = self.write(Terms::default(), plan).await?;
        answer(v1::CreateProviderResponse { provider: self.provider_done(done).await? })
    }

    async fn get_provider(
        &self,
        request: Request<v1::GetProviderRequest>,
    ) -> Answer<v1::GetProviderResponse> {
        let name = asked(request).name;
        let found = self.read(self.store.get_provider(&name)).await?;
        let found = found.ok_or_else(|| status::not_found(Kind::Provider, &name))?;
        answer(v1::GetProviderResponse { provider: Some(shown(&found)) })
    }

    async fn list_providers(
        &self,
        request: Request<v1::ListProvidersRequest>,
    ) -> Answer<v1::ListProvidersResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let list = self.read(self.store.list_providers(&page)).await?;
        answer(v1::ListProvidersResponse {
            providers: list.items.iter().map(shown).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn update_provider(
        &self,
        request: Request<v1::UpdateProviderRequest>,
    ) -> Answer<v1::UpdateProviderResponse> {
        let asked = asked(request);
        let wire = required("provider", asked.provider)?;
        let expected = Expected::new(Kind::Provider, &wire.name, &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_provider(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("provider"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::UpdateProviderResponse { provider: self.provider_done(done).await? })
    }

    async fn delete_provider(
        &self,
        request: Request<v1::DeleteProviderRequest>,
    ) -> Answer<v1::DeleteProviderResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Provider, &asked.name, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_provider(&asked.name, References::Refuse);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteProviderResponse { revision: done.revision })
    }
}
