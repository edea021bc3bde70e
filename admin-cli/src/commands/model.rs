//! `sluice model …`

use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part};
use crate::{
    args::catalog::{ModelCommand, ModelName},
    client::Client,
    failure::{CliError, Outcome},
    view::ModelView,
};

pub(super) async fn run(it: &Session, command: ModelCommand) -> Outcome {
    match command {
        ModelCommand::List { provider } => {
            let mut models = list(&it.client().await?).await?;
            models.retain(|it| provider.as_ref().is_none_or(|provider| it.provider == *provider));
            let models: Vec<_> = models.into_iter().map(ModelView::from).collect();
            it.output.list(&models, "There is no such model.")
        }
        ModelCommand::Show(args) => {
            let client = it.client().await?;
            let request = v1::GetModelRequest { model: args.model };
            let model = part(client.models().get_model(request).await?.into_inner().model)?;
            it.output.one(&ModelView::from(model))
        }
        ModelCommand::Add(args) => {
            let model = args.name.model(&args.operations)?;
            let client = it.client().await?;
            let request = v1::CreateModelRequest { model: Some(model) };
            let model = part(client.models().create_model(request).await?.into_inner().model)?;
            it.output.one(&ModelView::from(model))
        }
        ModelCommand::Update(args) => {
            let model = args.name.model(&args.operations)?;
            let client = it.client().await?;
            let update_mask = mask(&["operations"]);
            let request = v1::UpdateModelRequest { model: Some(model), update_mask };
            let model = part(client.models().update_model(request).await?.into_inner().model)?;
            it.output.one(&ModelView::from(model))
        }
        ModelCommand::Remove(args) => {
            let client = it.client().await?;
            let request = v1::DeleteModelRequest { model: args.model.clone(), etag: String::new() };
            let revision = client.models().delete_model(request).await?.into_inner().revision;
            it.removed(&client, &format!("model {}", args.model), revision, None).await
        }
    }
}

/// Every model.
pub(super) async fn list(client: &Client) -> Outcome<Vec<v1::Model>> {
    pages(async |page_token| {
        let request = v1::ListModelsRequest { page_size: PAGE, page_token };
        let page = client.models().list_models(request).await?.into_inner();
        Ok((page.models, page.next_page_token))
    })
    .await
}

impl ModelName {
    fn model(&self, operations: &[v1::Operation]) -> Outcome<v1::Model> {
        let text = &self.model;
        let (provider, name) = text
            .split_once('/')
            .ok_or_else(|| CliError::usage(format!("`{text}` is not written PROVIDER/MODEL")))?;
        Ok(v1::Model {
            provider: provider.to_owned(),
            name: name.to_owned(),
            operations: operations.iter().map(|it| (*it).into()).collect(),
            ..v1::Model::default()
        })
    }
}
