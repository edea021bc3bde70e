//! Models over gRPC.

use super::{
    Answer, Desk, answer, asked,
    draft::Draft,
    page,
    refusal::Kind,
    required, status,
    write::{Done, Expected, Terms, etag},
};
use crate::store::Stored;
use domain::catalog::{Model, ModelId};
use proto::{
    admin::v1::{self, model_service_server::ModelService},
    convert::catalog::model_to,
};
use tonic::Request;

fn shown(stored: &Stored<Model>) -> v1::Model {
    let (revision, etag) = (stored.revision, etag(stored.revision));
    v1::Model { revision, etag, ..model_to(&stored.item) }
}

impl Desk {
    async fn model_done(&self, done: Done<ModelId>) -> Result<Option<v1::Model>, tonic::Status> {
        let id = done.item.to_string();
        let written = || {
            let item = done.snapshot.catalog().models.get(&done.item)?;
            Some(done.stored_now((**item).clone()))
        };
        let stored = self.stored(self.store.get_model(&id), written).await?;
        Ok(Some(shown(&stored)))
    }
}

#[tonic::async_trait]
impl ModelService for Desk {
    async fn create_model(
        &self,
        request: Request<v1::CreateModelRequest>,
    ) -> Answer<v1::CreateModelResponse> {
        let wire = required("model", asked(request).model)?;
        let plan = |draft: &mut Draft| draft.create_model(wire).map_err(|it| it.within("model"));
        let done = self.write(Terms::default(), plan).await?;
        answer(v1::CreateModelResponse { model: self.model_done(done).await? })
    }

    async fn get_model(
        &self,
        request: Request<v1::GetModelRequest>,
    ) -> Answer<v1::GetModelResponse> {
        let name = asked(request).model;
        let found = self.read(self.store.get_model(&name)).await?;
        let found = found.ok_or_else(|| status::not_found(Kind::Model, &name))?;
        answer(v1::GetModelResponse { model: Some(shown(&found)) })
    }

    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Answer<v1::ListModelsResponse> {
        let asked = asked(request);
        let page = page::page(asked.page_size, &asked.page_token).map_err(status::of_refusal)?;
        let list = self.read(self.store.list_models(&page)).await?;
        answer(v1::ListModelsResponse {
            models: list.items.iter().map(shown).collect(),
            next_page_token: page::token(list.next),
        })
    }

    async fn update_model(
        &self,
        request: Request<v1::UpdateModelRequest>,
    ) -> Answer<v1::UpdateModelResponse> {
        let asked = asked(request);
        let wire = required("model", asked.model)?;
        let id = format!("{}/{}", wire.provider, wire.name);
        let expected = Expected::new(Kind::Model, &id, &wire.etag);
        let plan = |draft: &mut Draft| {
            let updated = draft.update_model(&wire, asked.update_mask.as_ref());
            updated.map_err(|it| it.within("model"))
        };
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::UpdateModelResponse { model: self.model_done(done).await? })
    }

    async fn delete_model(
        &self,
        request: Request<v1::DeleteModelRequest>,
    ) -> Answer<v1::DeleteModelResponse> {
        let asked = asked(request);
        let expected = Expected::new(Kind::Model, &asked.model, &asked.etag);
        let plan = |draft: &mut Draft| draft.delete_model(&asked.model);
        let done = self.write(Terms::of(expected), plan).await?;
        answer(v1::DeleteModelResponse { revision: done.revision })
    }
}
