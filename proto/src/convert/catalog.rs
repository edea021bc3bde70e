//! Providers, accounts, models, routes, teams and settings.
//!
//! What goes out leaves `revision`, `etag` and times unset: the caller, who knows
//! the stored row, fills them in. What comes in ignores output-only fields.

mod speech;
mod translation;

pub use speech::{dialect_from, dialect_to, operation_from, operation_to, quirk_from};

use super::{
    Invalid, Wrong,
    price::{price_from, price_to},
};
use crate::admin::v1;
use domain::{
    catalog::{
        Account, BaseUrl, ClientSettings, Endpoint, Model, ModelId, Operation, Provider, Route,
        Settings, Target, Team, Tier,
    },
    id::{AccountId, TeamId},
    name::Name,
    secret::Secret,
};
use speech::{auth_from, auth_to, quirks_from};
use translation::{translation_from, translation_to};

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|it| !it.is_empty())
}

fn or_default(value: u32, default: u32) -> u32 {
    if value == 0 { default } else { value }
}

/// A provider of the wire. `built_in` is taken over: a service that takes edits of
/// operators has to clear it first.
///
/// # Errors
/// Everything that is wrong with it.
pub fn provider_from(wire: v1::Provider) -> Result<Provider, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let name = wrong.note("name", wire.name.parse());
    let mut endpoints = Vec::new();
    for (at, it) in wire.endpoints.into_iter().enumerate() {
        let field = format!("endpoints[{at}].dialect");
        let quirks = quirks_from(&format!("endpoints[{at}].quirks"), &it.quirks, &mut wrong);
        if let Some(dialect) = wrong.note_invalid(dialect_from(&field, it.dialect)) {
            endpoints.push(Endpoint {
                dialect,
                base_url: non_empty(it.base_url),
                auth: auth_from(it.auth),
                output_cap_field: non_empty(it.output_cap_field),
                quirks,
            });
        }
    }
    let model_patterns = wrong.parse_all("model_patterns", &wire.model_patterns);
    for (field, text) in
        [("title", &wire.title), ("env_var", &wire.env_var), ("docs_url", &wire.docs_url)]
    {
        wrong.check_text(field, text);
    }
    let provider = name.map(|name: Name| Provider {
        title: if wire.title.is_empty() { name.to_string() } else { wire.title },
        name,
        endpoints,
        env_var: non_empty(wire.env_var),
        model_patterns,
        aggregator: wire.aggregator,
        docs_url: wire.docs_url,
        built_in: wire.built_in,
    });
    wrong.finish(provider)
}

/// A provider for the wire.
pub fn provider_to(provider: &Provider) -> v1::Provider {
    v1::Provider {
        name: provider.name.to_string(),
        title: provider.title.clone(),
        endpoints: provider
            .endpoints
            .iter()
            .map(|it| v1::Endpoint {
                dialect: dialect_to(it.dialect).into(),
                base_url: it.base_url.clone().unwrap_or_default(),
                auth: Some(auth_to(&it.auth)),
                output_cap_field: it.output_cap_field.clone().unwrap_or_default(),
                quirks: it.quirks.iter().map(|it| it.to_string()).collect(),
            })
            .collect(),
        env_var: provider.env_var.clone().unwrap_or_default(),
        model_patterns: provider.model_patterns.iter().map(ToString::to_string).collect(),
        aggregator: provider.aggregator,
        docs_url: provider.docs_url.clone(),
        built_in: provider.built_in,
        revision: 0,
        etag: String::new(),
    }
}

/// An account of the wire under an id that the caller chose; a credential or proxy
/// that is empty on the wire is absent.
///
/// # Errors
/// Everything that is wrong with it.
pub fn account_from(wire: v1::Account, id: AccountId) -> Result<Account, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let name = wrong.note("name", wire.name.parse());
    let provider = wrong.note("provider", wire.provider.parse());
    let mut base_urls = Vec::new();
    for (at, it) in wire.base_urls.into_iter().enumerate() {
        let field = format!("base_urls[{at}].dialect");
        if let Some(dialect) = wrong.note_invalid(dialect_from(&field, it.dialect)) {
            base_urls.push(BaseUrl { dialect, url: it.url });
        }
    }
    let client = wire.client.unwrap_or_default();
    let usual = ClientSettings::default();
    let client = ClientSettings {
        connect_timeout_ms: or_default(client.connect_timeout_ms, usual.connect_timeout_ms),
        first_byte_timeout_ms: or_default(
            client.first_byte_timeout_ms,
            usual.first_byte_timeout_ms,
        ),
        idle_timeout_ms: or_default(client.idle_timeout_ms, usual.idle_timeout_ms),
        proxy: non_empty(wire.proxy).map(Secret::new),
        extra_headers: client.extra_headers.into_iter().map(|it| (it.name, it.value)).collect(),
        ask_stream_usage: !client.keep_stream_options,
        keep_output_open: client.keep_output_open,
    };
    let account = name.zip(provider).map(|(name, provider)| Account {
        id,
        name,
        provider,
        credential: non_empty(wire.credential).map(Secret::new),
        base_urls,
        enabled: !wire.disabled,
        client,
    });
    wrong.finish(account)
}

/// An account for the wire, without its secrets.
pub fn account_to(account: &Account) -> v1::Account {
    let client = &account.client;
    v1::Account {
        id: account.id.to_string(),
        name: account.name.to_string(),
        provider: account.provider.to_string(),
        credential: String::new(),
        has_credential: account.credential.is_some(),
        base_urls: account
            .base_urls
            .iter()
            .map(|it| v1::BaseUrl { dialect: dialect_to(it.dialect).into(), url: it.url.clone() })
            .collect(),
        disabled: !account.enabled,
        client: Some(v1::ClientSettings {
            connect_timeout_ms: client.connect_timeout_ms,
            first_byte_timeout_ms: client.first_byte_timeout_ms,
            idle_timeout_ms: client.idle_timeout_ms,
            extra_headers: client
                .extra_headers
                .iter()
                .map(|(name, value)| v1::Header { name: name.clone(), value: value.clone() })
                .collect(),
            keep_stream_options: !client.ask_stream_usage,
            keep_output_open: client.keep_output_open,
        }),
        proxy: String::new(),
        has_proxy: client.proxy.is_some(),
        revision: 0,
        etag: String::new(),
    }
}

/// A model of the wire; without operations it can chat. `built_in` is taken over.
///
/// # Errors
/// Everything that is wrong with it.
pub fn model_from(wire: &v1::Model) -> Result<Model, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let provider = wrong.note("provider", wire.provider.parse());
    let name = wrong.note("name", wire.name.parse());
    let mut operations = Vec::new();
    for (at, it) in wire.operations.iter().enumerate() {
        let field = format!("operations[{at}]");
        operations.extend(wrong.note_invalid(operation_from(&field, *it)));
    }
    if wire.operations.is_empty() {
        operations.push(Operation::Chat);
    }
    operations.sort_unstable();
    operations.dedup();
    let price = wire.price.as_ref().map(|it| price_from(it, &mut wrong));
    let model = provider.zip(name).map(|(provider, name)| Model {
        id: ModelId { provider, name },
        operations,
        built_in: wire.built_in,
        price,
        max_output_tokens: Some(wire.max_output_tokens).filter(|it| *it != 0),
        context_tokens: Some(wire.context_tokens).filter(|it| *it != 0),
    });
    wrong.finish(model)
}

/// A model for the wire.
pub fn model_to(model: &Model) -> v1::Model {
    v1::Model {
        provider: model.id.provider.to_string(),
        name: model.id.name.to_string(),
        operations: model.operations.iter().map(|it| operation_to(*it).into()).collect(),
        built_in: model.built_in,
        revision: 0,
        etag: String::new(),
        price: model.price.map(price_to),
        max_output_tokens: model.max_output_tokens.unwrap_or(0),
        context_tokens: model.context_tokens.unwrap_or(0),
    }
}

/// What `provider/model` means.
///
/// # Errors
/// When it is not written so.
pub fn model_id_from(field: &str, text: &str) -> Result<ModelId, Invalid> {
    let (provider, name) = text
        .split_once('/')
        .ok_or_else(|| Invalid::new(field, format!("`{text}` is not written `provider/model`")))?;
    Ok(ModelId {
        provider: provider.parse().map_err(|error| Invalid::new(field, error))?,
        name: name.parse().map_err(|error| Invalid::new(field, error))?,
    })
}

/// A route of the wire; `find` turns an account's id or name into its id.
///
/// # Errors
/// Everything that is wrong with it.
pub fn route_from(
    wire: v1::Route,
    find: &dyn Fn(&str) -> Option<AccountId>,
) -> Result<Route, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let alias = wrong.note("alias", wire.alias.parse());
    let mut tiers = Vec::new();
    for (tier, it) in wire.tiers.into_iter().enumerate() {
        let mut targets = Vec::new();
        for (at, it) in it.targets.into_iter().enumerate() {
            let field = format!("tiers[{tier}].targets[{at}]");
            let account = find(&it.account).ok_or_else(|| {
                format!("there is no account `{}`: see `sluice account list`", it.account)
            });
            let account = wrong.note(&format!("{field}.account"), account);
            let model = non_empty(it.model);
            let model = model.map(|it| wrong.note(&format!("{field}.model"), it.parse()));
            if let (Some(account), None | Some(Some(_))) = (account, &model) {
                let weight = it.weight.unwrap_or(1);
                targets.push(Target { account, model: model.flatten(), weight });
            }
        }
        tiers.push(Tier { targets });
    }
    let translation = wrong.note_invalid(translation_from(wire.translation));
    let route = alias.zip(translation).map(|(alias, translation)| Route {
        alias,
        tiers,
        enabled: !wire.disabled,
        translation,
    });
    wrong.finish(route)
}

/// A route for the wire; `name` says how an account is written.
pub fn route_to(route: &Route, name: &dyn Fn(AccountId) -> String) -> v1::Route {
    let target = |it: &Target| v1::Target {
        account: name(it.account),
        model: it.model.as_ref().map(ToString::to_string).unwrap_or_default(),
        weight: Some(it.weight),
    };
    v1::Route {
        alias: route.alias.to_string(),
        tiers: route
            .tiers
            .iter()
            .map(|it| v1::Tier { targets: it.targets.iter().map(target).collect() })
            .collect(),
        disabled: !route.enabled,
        revision: 0,
        etag: String::new(),
        translation: translation_to(route.translation).into(),
    }
}

/// A team of the wire under an id that the caller chose.
///
/// # Errors
/// Everything that is wrong with it.
pub fn team_from(wire: v1::Team, id: TeamId) -> Result<Team, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let name = wrong.note("name", wire.name.parse());
    wrong.check_text("description", &wire.description);
    wrong.finish(name.map(|name| Team { id, name, description: wire.description }))
}

/// A team for the wire.
pub fn team_to(team: &Team) -> v1::Team {
    v1::Team {
        id: team.id.to_string(),
        name: team.name.to_string(),
        description: team.description.clone(),
        revision: 0,
        etag: String::new(),
    }
}

/// Settings of the wire; 0 means the default.
pub fn settings_from(wire: &v1::Settings) -> Settings {
    let usual = Settings::default();
    Settings {
        max_attempts: or_default(wire.max_attempts, usual.max_attempts),
        attempt_deadline_ms: or_default(wire.attempt_deadline_ms, usual.attempt_deadline_ms),
        reveal_route: !wire.hide_route,
        default_output_tokens: match wire.default_output_tokens {
            0 => usual.default_output_tokens,
            tokens => tokens,
        },
        fallback_proxies: or_default(wire.fallback_proxies, usual.fallback_proxies),
        fetch_addresses: wire.fetch_addresses,
    }
}

/// Settings for the wire.
pub fn settings_to(settings: &Settings) -> v1::Settings {
    v1::Settings {
        max_attempts: settings.max_attempts,
        attempt_deadline_ms: settings.attempt_deadline_ms,
        hide_route: !settings.reveal_route,
        revision: 0,
        etag: String::new(),
        default_output_tokens: settings.default_output_tokens,
        fallback_proxies: settings.fallback_proxies,
        fetch_addresses: settings.fetch_addresses,
    }
}
