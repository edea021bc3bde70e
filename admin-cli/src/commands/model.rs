//! `sluice model …`

use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part, something};
use crate::{
    args::catalog::{ModelChange, ModelCommand, ModelFlags, ModelName, PriceFlags},
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
            let model = get(&it.client().await?, args.model).await?;
            it.output.one(&ModelView::from(model))
        }
        ModelCommand::Add(args) => add(it, args).await,
        ModelCommand::Update(args) => update(it, args).await,
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

async fn get(client: &Client, model: String) -> Outcome<v1::Model> {
    let request = v1::GetModelRequest { model };
    part(client.models().get_model(request).await?.into_inner().model)
}

async fn add(it: &Session, args: ModelFlags) -> Outcome {
    let mut model = args.name.model()?;
    model.operations = args.operations.iter().map(|it| (*it).into()).collect();
    args.price.apply(&mut model)?;
    let client = it.client().await?;
    let request = v1::CreateModelRequest { model: Some(model) };
    let model = part(client.models().create_model(request).await?.into_inner().model)?;
    it.output.one(&ModelView::from(model))
}

async fn update(it: &Session, args: ModelChange) -> Outcome {
    let name = args.name.model()?;
    if args.operations.is_empty() && !args.no_price && args.price.is_silent() {
        return something(&[]);
    }
    let client = it.client().await?;
    // A price is written whole, so what is not named of it has to be known.
    let mut model = get(&client, format!("{}/{}", name.provider, name.name)).await?;
    let mut paths = Vec::new();
    if !args.operations.is_empty() {
        paths.push("operations");
        model.operations = args.operations.iter().map(|it| (*it).into()).collect();
    }
    if args.no_price {
        paths.push("price");
        model.price = None;
    }
    paths.extend(args.price.apply(&mut model)?);
    let request = v1::UpdateModelRequest { model: Some(model), update_mask: mask(&paths) };
    let model = part(client.models().update_model(request).await?.into_inner().model)?;
    it.output.one(&ModelView::from(model))
}

impl ModelName {
    fn model(&self) -> Outcome<v1::Model> {
        let text = &self.model;
        let (provider, name) = text
            .split_once('/')
            .ok_or_else(|| CliError::usage(format!("`{text}` is not written PROVIDER/MODEL")))?;
        let (provider, name) = (provider.to_owned(), name.to_owned());
        Ok(v1::Model { provider, name, ..v1::Model::default() })
    }
}

impl PriceFlags {
    fn is_silent(&self) -> bool {
        !self.has_price() && self.max_output_tokens.or(self.context_tokens).is_none()
    }

    fn has_price(&self) -> bool {
        let prices =
            [self.input_price, self.cached_input_price, self.cache_write_price, self.output_price];
        prices.iter().any(Option::is_some)
    }

    /// Writes what was said into a model; gives the fields that were said.
    fn apply(&self, model: &mut v1::Model) -> Outcome<Vec<&'static str>> {
        let mut paths = Vec::new();
        if self.has_price() {
            paths.push("price");
            let old = model.price;
            let (Some(input), Some(output)) = (
                self.input_price.or(old.map(|it| it.input_nanousd)),
                self.output_price.or(old.map(|it| it.output_nanousd)),
            ) else {
                return Err(CliError::usage("half a price: the model has none yet")
                    .hint("give both --input-price and --output-price; 0 is for nothing"));
            };
            // What cost as much as other input goes on doing so.
            let apart = |of: fn(&v1::Price) -> Option<u64>| {
                old.and_then(|old| of(&old).filter(|it| *it != old.input_nanousd))
            };
            model.price = Some(v1::Price {
                input_nanousd: input,
                cached_input_nanousd: self
                    .cached_input_price
                    .or_else(|| apart(|it| it.cached_input_nanousd)),
                cache_write_nanousd: self
                    .cache_write_price
                    .or_else(|| apart(|it| it.cache_write_nanousd)),
                output_nanousd: output,
            });
        }
        if let Some(tokens) = self.max_output_tokens {
            paths.push("max_output_tokens");
            model.max_output_tokens = tokens;
        }
        if let Some(tokens) = self.context_tokens {
            paths.push("context_tokens");
            model.context_tokens = tokens;
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(input: Option<u64>, output: Option<u64>) -> PriceFlags {
        PriceFlags {
            input_price: input,
            cached_input_price: None,
            cache_write_price: None,
            output_price: output,
            max_output_tokens: None,
            context_tokens: None,
        }
    }

    #[test]
    fn a_new_price_is_whole_and_a_changed_one_keeps_the_rest() {
        let mut model = v1::Model::default();
        let error = flags(Some(1), None).apply(&mut model).unwrap_err();
        assert!(error.hint.unwrap().contains("--output-price"));
        assert_eq!(flags(Some(1), Some(2)).apply(&mut model).unwrap(), ["price"]);
        let mut cached = flags(None, Some(3));
        cached.cached_input_price = Some(0);
        cached.max_output_tokens = Some(9);
        assert_eq!(cached.apply(&mut model).unwrap(), ["price", "max_output_tokens"]);
        let price = model.price.unwrap();
        assert_eq!((price.input_nanousd, price.output_nanousd), (1, 3));
        assert_eq!((price.cached_input_nanousd, price.cache_write_nanousd), (Some(0), None));
        assert_eq!(model.max_output_tokens, 9);
        // As a server says it: all four, the same or not.
        model.price = Some(v1::Price { cache_write_nanousd: Some(1), ..price });
        flags(Some(5), None).apply(&mut model).unwrap();
        let price = model.price.unwrap();
        assert_eq!((price.cached_input_nanousd, price.cache_write_nanousd), (Some(0), None));
        assert!(flags(None, None).is_silent() && !cached.is_silent());
        let long = PriceFlags { context_tokens: Some(8), ..flags(None, None) };
        assert_eq!(
            (long.is_silent(), long.apply(&mut model).unwrap()),
            (false, vec!["context_tokens"])
        );
        assert_eq!((model.context_tokens, model.max_output_tokens), (8, 9));
    }
}
