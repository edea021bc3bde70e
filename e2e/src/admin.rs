//! An operator of a control plane, over gRPC.

pub mod limits;

use crate::patience::until;
use anyhow::{Context, Result};
use proto::admin::v1::{
    self as v1, account_service_client::AccountServiceClient,
    catalog_service_client::CatalogServiceClient, key_service_client::KeyServiceClient,
    provider_service_client::ProviderServiceClient, route_service_client::RouteServiceClient,
    system_service_client::SystemServiceClient, usage_service_client::UsageServiceClient,
};
use std::time::Duration;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

/// An operator with a token.
#[derive(Debug, Clone)]
pub struct Admin {
    channel: Channel,
    bearer: MetadataValue<Ascii>,
}

impl Admin {
    /// An operator of the control plane at `url`. Connects when first needed, and again
    /// after every loss.
    ///
    /// # Errors
    /// When the URL or the token is none.
    pub fn new(url: &str, token: &str) -> Result<Self> {
        let endpoint =
            Endpoint::from_shared(url.to_owned())?.connect_timeout(Duration::from_secs(5));
        let bearer =
            format!("Bearer {}", token.trim()).parse().context("the token is no header value")?;
        Ok(Self { channel: endpoint.timeout(Duration::from_secs(60)).connect_lazy(), bearer })
    }

    /// The connection, for clients made elsewhere.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request that carries the token.
    pub fn with_token<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    /// Adds an account at the demo provider for both dialects.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn add_demo_account(
        &self,
        name: &str,
        base_url: &str,
        credential: &str,
    ) -> Result<v1::Account, Status> {
        let account = demo_account(name, base_url, credential);
        self.add_account(account).await
    }

    /// Adds a provider.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn add_provider(&self, provider: v1::Provider) -> Result<v1::Provider, Status> {
        let request = self.with_token(v1::CreateProviderRequest { provider: Some(provider) });
        let answer = ProviderServiceClient::new(self.channel()).create_provider(request).await?;
        Ok(answer.into_inner().provider.unwrap_or_default())
    }

    /// Adds an account.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn add_account(&self, account: v1::Account) -> Result<v1::Account, Status> {
        let request = self.with_token(v1::CreateAccountRequest { account: Some(account) });
        let answer = AccountServiceClient::new(self.channel()).create_account(request).await?;
        Ok(answer.into_inner().account.unwrap_or_default())
    }

    /// Disables or enables an account.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn set_account_disabled(
        &self,
        name: &str,
        disabled: bool,
    ) -> Result<v1::Account, Status> {
        let account = v1::Account { name: name.to_owned(), disabled, ..v1::Account::default() };
        let request = self.with_token(v1::UpdateAccountRequest {
            account: Some(account),
            update_mask: mask("disabled"),
        });
        let answer = AccountServiceClient::new(self.channel()).update_account(request).await?;
        Ok(answer.into_inner().account.unwrap_or_default())
    }

    /// Makes a key and gives its text.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn add_key(&self, name: &str) -> Result<String, Status> {
        let key = v1::VirtualKey { name: name.to_owned(), ..v1::VirtualKey::default() };
        Ok(self.make_key(key).await?.secret)
    }

    /// Makes a key as it is described.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn make_key(&self, key: v1::VirtualKey) -> Result<v1::CreateKeyResponse, Status> {
        let request = self.with_token(v1::CreateKeyRequest { key: Some(key) });
        Ok(KeyServiceClient::new(self.channel()).create_key(request).await?.into_inner())
    }

    /// Disables or enables a key; gives the revision that does.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn set_key_disabled(&self, name: &str, disabled: bool) -> Result<u64, Status> {
        let key = v1::VirtualKey { name: name.to_owned(), disabled, ..v1::VirtualKey::default() };
        let request =
            self.with_token(v1::UpdateKeyRequest { key: Some(key), update_mask: mask("disabled") });
        let answer = KeyServiceClient::new(self.channel()).update_key(request).await?;
        Ok(answer.into_inner().key.map(|it| it.revision).unwrap_or_default())
    }

    /// Adds a route of tiers, each of `(account, model, weight)` targets.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn add_route(
        &self,
        alias: &str,
        tiers: &[&[(&str, &str, u32)]],
    ) -> Result<v1::Route, Status> {
        let request = self.with_token(v1::CreateRouteRequest { route: Some(route(alias, tiers)) });
        let answer = RouteServiceClient::new(self.channel()).create_route(request).await?;
        Ok(answer.into_inner().route.unwrap_or_default())
    }

    /// Applies edits as one revision.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn apply(
        &self,
        edits: Vec<v1::edit::Edit>,
    ) -> Result<v1::ApplyChangeResponse, Status> {
        let edits = edits.into_iter().map(|it| v1::Edit { edit: Some(it) }).collect();
        let change = v1::ApplyChangeRequest { edits, expected_revision: None, dry_run: false };
        let client = CatalogServiceClient::new(self.channel());
        // Ten thousand created keys come back with their texts.
        let mut client = client.max_decoding_message_size(64 << 20);
        Ok(client.apply_change(self.with_token(change)).await?.into_inner())
    }

    /// The state of the control plane and its proxies.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn status(&self) -> Result<v1::GetStatusResponse, Status> {
        let request = self.with_token(v1::GetStatusRequest {});
        Ok(SystemServiceClient::new(self.channel()).get_status(request).await?.into_inner())
    }

    /// The newest revision.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn revision(&self) -> Result<u64, Status> {
        Ok(self.status().await?.control_plane.map(|it| it.revision).unwrap_or_default())
    }

    /// Waits until this many proxies are connected and all of them run `revision`.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn applied_by(&self, proxies: u32, revision: u64) -> Result<()> {
        let look = async || {
            let request = v1::AwaitRevisionRequest { revision, timeout_ms: 1_000 };
            let mut client = SystemServiceClient::new(self.channel());
            let answer = client.await_revision(self.with_token(request)).await.ok()?.into_inner();
            (answer.applied >= proxies && answer.connected == answer.applied).then_some(())
        };
        until(&format!("{proxies} proxies run revision {revision}"), look).await
    }

    /// Waits until this many proxies run the newest revision; gives it.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn settled(&self, proxies: u32) -> Result<u64> {
        let look = async || self.revision().await.ok().filter(|it| *it > 0);
        let revision = until("the control plane knows its revision", look).await?;
        self.applied_by(proxies, revision).await?;
        Ok(revision)
    }

    /// Every usage record in the database, the newest first.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn usage(&self) -> Result<Vec<v1::UsageEntry>, Status> {
        let mut client = UsageServiceClient::new(self.channel());
        let (mut records, mut page_token) = (Vec::new(), String::new());
        loop {
            let request =
                v1::ListUsageRecordsRequest { filter: None, page_size: 1_000, page_token };
            let page = client.list_usage_records(self.with_token(request)).await?.into_inner();
            records.extend(page.records);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(records);
            }
        }
    }

    /// The usage record of a request, once it is in the database.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn usage_of(&self, request_id: &str) -> Result<v1::UsageEntry> {
        let look =
            async || self.usage().await.ok()?.into_iter().find(|it| it.request_id == request_id);
        until(&format!("the usage of {request_id} is in the database"), look).await
    }

    /// Sums of usage by one dimension.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn usage_by(
        &self,
        by: v1::UsageDimension,
    ) -> Result<v1::SummarizeUsageResponse, Status> {
        let request = v1::SummarizeUsageRequest { filter: None, group_by: vec![by.into()] };
        let mut client = UsageServiceClient::new(self.channel());
        Ok(client.summarize_usage(self.with_token(request)).await?.into_inner())
    }
}

/// An account at the demo provider for both dialects.
pub fn demo_account(name: &str, base_url: &str, credential: &str) -> v1::Account {
    let dialects = [v1::Dialect::Openai, v1::Dialect::Anthropic];
    let base_url = |it: v1::Dialect| v1::BaseUrl { dialect: it.into(), url: base_url.to_owned() };
    v1::Account {
        name: name.to_owned(),
        provider: "demo".to_owned(),
        credential: credential.to_owned(),
        base_urls: dialects.map(base_url).into(),
        ..v1::Account::default()
    }
}

/// A route of tiers, each of `(account, model, weight)` targets.
pub fn route(alias: &str, tiers: &[&[(&str, &str, u32)]]) -> v1::Route {
    let target = |(account, model, weight): &(&str, &str, u32)| v1::Target {
        account: (*account).to_owned(),
        model: (*model).to_owned(),
        weight: Some(*weight),
    };
    let tier = |it: &&[(&str, &str, u32)]| v1::Tier { targets: it.iter().map(target).collect() };
    v1::Route {
        alias: alias.to_owned(),
        tiers: tiers.iter().map(tier).collect(),
        ..v1::Route::default()
    }
}

/// A field mask of one field.
pub fn mask(path: &str) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: vec![path.to_owned()] })
}
