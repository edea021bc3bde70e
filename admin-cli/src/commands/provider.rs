//! `sluice provider …`

use proto::admin::v1;

use super::{PAGE, Session, mask, pages, part, something};
use crate::{
    args::catalog::{ProviderCommand, ProviderFlags},
    client::Client,
    failure::{CliError, Outcome},
    view::ProviderView,
};

pub(super) async fn run(it: &Session, command: ProviderCommand) -> Outcome {
    match command {
        ProviderCommand::List => {
            let providers = list(&it.client().await?).await?;
            let providers: Vec<_> = providers.into_iter().map(ProviderView::from).collect();
            it.output.list(&providers, "There is no provider.")
        }
        ProviderCommand::Show(args) => {
            let provider = get(&it.client().await?, args.name).await?;
            it.output.one(&ProviderView::from(provider))
        }
        ProviderCommand::Add(args) => add(it, args).await,
        ProviderCommand::Update(args) => update(it, args).await,
        ProviderCommand::Remove(args) => {
            let client = it.client().await?;
            let request =
                v1::DeleteProviderRequest { name: args.name.clone(), etag: String::new() };
            let revision = client.providers().delete_provider(request).await?.into_inner().revision;
            it.removed(&client, &format!("provider {}", args.name), revision, None).await
        }
    }
}

/// Every provider.
pub(super) async fn list(client: &Client) -> Outcome<Vec<v1::Provider>> {
    pages(async |page_token| {
        let request = v1::ListProvidersRequest { page_size: PAGE, page_token };
        let page = client.providers().list_providers(request).await?.into_inner();
        Ok((page.providers, page.next_page_token))
    })
    .await
}

async fn get(client: &Client, name: String) -> Outcome<v1::Provider> {
    let request = v1::GetProviderRequest { name };
    part(client.providers().get_provider(request).await?.into_inner().provider)
}

async fn add(it: &Session, args: ProviderFlags) -> Outcome {
    if args.endpoints.is_empty() {
        return Err(CliError::usage("what does it speak, and where?")
            .hint("give --endpoint openai=https://… or --endpoint anthropic=https://…"));
    }
    let mut provider = v1::Provider { name: args.name.clone(), ..v1::Provider::default() };
    args.apply(&mut provider);
    let client = it.client().await?;
    let request = v1::CreateProviderRequest { provider: Some(provider) };
    let provider = part(client.providers().create_provider(request).await?.into_inner().provider)?;
    it.output.one(&ProviderView::from(provider))
}

async fn update(it: &Session, args: ProviderFlags) -> Outcome {
    let client = it.client().await?;
    let mut provider = get(&client, args.name.clone()).await?;
    let paths = args.apply(&mut provider);
    something(&paths)?;
    let update_mask = mask(&paths);
    let request = v1::UpdateProviderRequest { provider: Some(provider), update_mask };
    let provider = part(client.providers().update_provider(request).await?.into_inner().provider)?;
    it.output.one(&ProviderView::from(provider))
}

impl ProviderFlags {
    /// Writes what was said into a provider; gives the fields that were said.
    fn apply(self, provider: &mut v1::Provider) -> Vec<&'static str> {
        let mut paths = Vec::new();
        if !self.endpoints.is_empty() {
            let endpoint = |(dialect, base_url): (v1::Dialect, String)| v1::Endpoint {
                dialect: dialect.into(),
                base_url,
                auth: None,
                output_cap_field: String::new(),
                quirks: Vec::new(),
            };
            let before = std::mem::take(&mut provider.endpoints);
            provider.endpoints = self.endpoints.into_iter().map(endpoint).collect();
            for it in &mut provider.endpoints {
                let same = before.iter().find(|old| old.dialect == it.dialect);
                it.auth = same.and_then(|old| old.auth.clone());
                it.output_cap_field =
                    same.map_or_else(String::new, |old| old.output_cap_field.clone());
                it.quirks = same.map_or_else(Vec::new, |old| old.quirks.clone());
            }
            paths.push("endpoints");
        }
        if let Some(auth) = self.auth {
            for it in &mut provider.endpoints {
                it.auth = Some(auth.clone());
            }
            if !paths.contains(&"endpoints") {
                paths.push("endpoints");
            }
        }
        if let Some(field) = self.output_cap_field {
            for it in &mut provider.endpoints {
                it.output_cap_field.clone_from(&field);
            }
            if !paths.contains(&"endpoints") {
                paths.push("endpoints");
            }
        }
        if !self.quirks.is_empty() {
            for it in &mut provider.endpoints {
                it.quirks = self.quirks.iter().filter(|it| !it.is_empty()).cloned().collect();
            }
            if !paths.contains(&"endpoints") {
                paths.push("endpoints");
            }
        }
        let mut text = |flag: Option<String>, field: &mut String, path| {
            if let Some(flag) = flag {
                *field = flag;
                paths.push(path);
            }
        };
        text(self.title, &mut provider.title, "title");
        text(self.env_var, &mut provider.env_var, "env_var");
        text(self.docs_url, &mut provider.docs_url, "docs_url");
        if !self.patterns.is_empty() {
            provider.model_patterns = self.patterns;
            paths.push("model_patterns");
        }
        if let Some(aggregator) = self.aggregator {
            provider.aggregator = aggregator;
            paths.push("aggregator");
        }
        paths
    }
}
