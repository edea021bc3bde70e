//! Small catalogs for the tests of this crate.

use crate::{
    catalog::{
        Account, Action, AuthStyle, Catalog, ClientSettings, Dialect, Edit, Endpoint, Limit, Mode,
        Model, ModelId, Operation, Provider, Quirks, Route, Rule, Subject, Target, Team, Tier,
        Translation, VirtualKey,
    },
    id::{AccountId, KeyId, LimitId, TeamId},
    key::{Fingerprint, Pepper},
    name::Name,
    secret::Secret,
    snapshot::Snapshot,
};
use std::sync::Arc;
use uuid::Uuid;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn account_id(number: u8) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number.into()))
}

pub(crate) fn team_id(number: u8) -> TeamId {
    TeamId::from_uuid(Uuid::from_u128(number.into()))
}

pub(crate) fn key_id(number: u8) -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(number.into()))
}

/// A provider that speaks OpenAI's dialect.
pub(crate) fn provider(text: &str, patterns: &[&str]) -> Provider {
    Provider {
        name: name(text),
        title: text.to_owned(),
        endpoints: vec![endpoint(Dialect::OpenAi, Some("https://api.example/v1/"))],
        env_var: None,
        model_patterns: patterns.iter().map(|it| it.parse().unwrap()).collect(),
        aggregator: false,
        docs_url: String::new(),
        built_in: false,
    }
}

pub(crate) fn aggregator(text: &str, patterns: &[&str]) -> Provider {
    Provider { aggregator: true, ..provider(text, patterns) }
}

pub(crate) fn endpoint(dialect: Dialect, base_url: Option<&str>) -> Endpoint {
    Endpoint {
        dialect,
        base_url: base_url.map(str::to_owned),
        auth: AuthStyle::Bearer,
        output_cap_field: None,
        quirks: Quirks::NONE,
    }
}

pub(crate) fn account(number: u8, text: &str, provider: &str) -> Account {
    Account {
        id: account_id(number),
        name: name(text),
        provider: name(provider),
        credential: Some(Secret::new("sk-1".to_owned())),
        base_urls: Vec::new(),
        enabled: true,
        client: ClientSettings::default(),
    }
}

pub(crate) fn model(provider: &str, text: &str) -> Model {
    Model {
        id: ModelId { provider: name(provider), name: text.parse().unwrap() },
        operations: vec![Operation::Chat],
        built_in: false,
        price: None,
        max_output_tokens: None,
        context_tokens: None,
    }
}

/// An account's number, the model to ask there (empty: what the caller wrote), a weight.
pub(crate) type ShortTarget<'a> = (u8, &'a str, u32);

pub(crate) fn route(alias: &str, tiers: &[&[ShortTarget<'_>]]) -> Route {
    let target = |it: &ShortTarget<'_>| Target {
        account: account_id(it.0),
        model: (!it.1.is_empty()).then(|| it.1.parse().unwrap()),
        weight: it.2,
    };
    let tier = |it: &&[ShortTarget<'_>]| Tier { targets: it.iter().map(target).collect() };
    Route {
        alias: alias.parse().unwrap(),
        tiers: tiers.iter().map(tier).collect(),
        enabled: true,
        translation: Translation::Lenient,
    }
}

pub(crate) fn team(number: u8, text: &str) -> Team {
    Team { id: team_id(number), name: name(text), description: String::new() }
}

/// A key under pepper 1, with a fingerprint of its own.
pub(crate) fn key(number: u8) -> VirtualKey {
    VirtualKey {
        id: key_id(number),
        name: name(&format!("key-{number}")),
        team: None,
        fingerprint: Fingerprint::from_bytes([number; 32]),
        pepper_version: 1,
        hint: "abcd".to_owned(),
        enabled: true,
        expires_at: None,
        allowed_models: Vec::new(),
    }
}

pub(crate) fn limit_id(number: u8) -> LimitId {
    LimitId::from_uuid(Uuid::from_u128(number.into()))
}

/// An enforced, strict limit.
pub(crate) fn limit(number: u8, subject: Subject, rule: Rule) -> Limit {
    Limit {
        id: limit_id(number),
        generation: 0,
        subject,
        rule: Arc::new(rule),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    }
}

pub(crate) fn pepper(version: u32) -> Edit {
    Edit::PutPepper(Pepper::new(version, [7; 32]))
}

impl From<Provider> for Edit {
    fn from(it: Provider) -> Self {
        Self::PutProvider(Arc::new(it))
    }
}

impl From<Account> for Edit {
    fn from(it: Account) -> Self {
        Self::PutAccount(Arc::new(it))
    }
}

impl From<Model> for Edit {
    fn from(it: Model) -> Self {
        Self::PutModel(Arc::new(it))
    }
}

impl From<Route> for Edit {
    fn from(it: Route) -> Self {
        Self::PutRoute(Arc::new(it))
    }
}

impl From<Team> for Edit {
    fn from(it: Team) -> Self {
        Self::PutTeam(Arc::new(it))
    }
}

impl From<Limit> for Edit {
    fn from(it: Limit) -> Self {
        Self::PutLimit(Arc::new(it))
    }
}

impl From<VirtualKey> for Edit {
    fn from(it: VirtualKey) -> Self {
        Self::PutKey(Arc::new(it))
    }
}

pub(crate) fn catalog(edits: impl IntoIterator<Item = Edit>) -> Catalog {
    let mut catalog = Catalog::default();
    edits.into_iter().for_each(|it| catalog.apply(it));
    catalog
}

#[track_caller]
pub(crate) fn snapshot(edits: impl IntoIterator<Item = Edit>) -> Snapshot {
    Snapshot::build(catalog(edits), 1).unwrap()
}
