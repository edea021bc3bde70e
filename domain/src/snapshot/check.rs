//! The checks that a catalog must pass; each failure is a [`Defect`].

mod auth;
mod limit;

pub(super) use limit::limits_of;

use super::Defect;
use crate::catalog::{
    Account, AuthStyle, Catalog, Endpoint, Model, Provider, Route, Settings, VirtualKey,
};
use std::collections::BTreeSet;

const LONGEST_TIMEOUT_MS: u64 = 3_600_000;
const MAX_WEIGHT: u32 = 1_000_000;
const MOST_OUTPUT_TOKENS: u64 = 10_000_000;
const MOST_CONTEXT_TOKENS: u64 = 1_000_000_000;
const MOST_PROXIES: u64 = 1_000;

/// A dollar for each token, in nano-dollars per million tokens.
const DEAREST_NANOUSD: u64 = 1_000_000_000_000_000;

/// Headers that carry credentials, or the request's own identity.
const OWN_HEADERS: [&str; 7] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "cookie",
    "x-request-id",
];

/// Headers that belong to the connection or to the body's form, which we decide.
const CONNECTION_HEADERS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Every defect outside of virtual keys and limits.
pub(super) fn all_but_keys_and_limits(catalog: &Catalog) -> Vec<Defect> {
    let mut defects = Vec::new();
    for it in catalog.providers.values() {
        provider(it, &mut defects);
    }
    let mut names = BTreeSet::new();
    for it in catalog.accounts.values() {
        if !names.insert(&it.name) {
            defects.push(Defect::AccountNameTwice { name: it.name.clone() });
        }
        account(catalog, it, &mut defects);
    }
    let mut names = BTreeSet::new();
    for it in catalog.teams.values() {
        if !names.insert(&it.name) {
            defects.push(Defect::TeamNameTwice { name: it.name.clone() });
        }
    }
    for it in catalog.models.values() {
        model(catalog, it, &mut defects);
    }
    for it in catalog.routes.values() {
        route(catalog, it, &mut defects);
    }
    settings(&catalog.settings, &mut defects);
    defects
}

fn settings(settings: &Settings, defects: &mut Vec<Defect>) {
    for (name, value, most) in [
        ("max_attempts", settings.max_attempts.into(), 20),
        ("attempt_deadline_ms", settings.attempt_deadline_ms.into(), LONGEST_TIMEOUT_MS),
        ("default_output_tokens", settings.default_output_tokens, MOST_OUTPUT_TOKENS),
        ("fallback_proxies", settings.fallback_proxies.into(), MOST_PROXIES),
    ] {
        in_range(&format!("settings.{name}"), value, 1, most, defects);
    }
}

fn model(catalog: &Catalog, model: &Model, defects: &mut Vec<Defect>) {
    let (id, provider) = (model.id.to_string(), &model.id.provider);
    if !catalog.providers.contains_key(provider) {
        let (model, provider) = (id.clone(), provider.clone());
        defects.push(Defect::ModelOfUnknownProvider { model, provider });
    }
    if model.operations.is_empty() {
        defects.push(Defect::ModelWithoutOperation { model: id.clone() });
    }
    for (name, value, most) in [
        ("max_output_tokens", model.max_output_tokens, MOST_OUTPUT_TOKENS),
        ("context_tokens", model.context_tokens, MOST_CONTEXT_TOKENS),
    ] {
        if let Some(value) = value {
            in_range(&format!("models[\"{id}\"].{name}"), value, 1, most, defects);
        }
    }
    let prices =
        model.price.map_or([0; 4], |it| [it.input, it.cached_input, it.cache_write, it.output]);
    for price in prices {
        in_range(&format!("models[\"{id}\"].price"), price, 0, DEAREST_NANOUSD, defects);
    }
}

/// The defects of one virtual key.
pub(super) fn key(catalog: &Catalog, key: &VirtualKey, defects: &mut Vec<Defect>) {
    if let Some(team) = key.team.filter(|it| !catalog.teams.contains_key(it)) {
        defects.push(Defect::KeyOfUnknownTeam { key: key.name.clone(), team: team.to_string() });
    }
    if !catalog.peppers.contains_key(&key.pepper_version) {
        defects.push(Defect::KeyOfUnknownPepper {
            key: key.name.clone(),
            version: key.pepper_version,
        });
    }
}

fn provider(provider: &Provider, defects: &mut Vec<Defect>) {
    if provider.endpoints.is_empty() {
        defects.push(Defect::ProviderWithoutEndpoint { provider: provider.name.clone() });
    }
    let mut dialects = BTreeSet::new();
    for endpoint in &provider.endpoints {
        let owner = format!("provider `{}`", provider.name);
        let field = format!("providers[\"{}\"].endpoints", provider.name);
        if !dialects.insert(endpoint.dialect) {
            defects.push(Defect::EndpointTwice {
                provider: provider.name.clone(),
                dialect: endpoint.dialect,
            });
        }
        if let Some(url) = &endpoint.base_url {
            base_url(&owner, &field, url, defects);
        }
        if let Some(text) = endpoint.output_cap_field.as_deref().filter(|it| !is_field(it)) {
            let (provider, text) = (provider.name.clone(), text.chars().take(80).collect());
            defects.push(Defect::BadOutputCapField { provider, text });
        }
        auth::of_endpoint(provider, &endpoint.auth, (owner, field), defects);
    }
}

fn account(catalog: &Catalog, account: &Account, defects: &mut Vec<Defect>) {
    let owner = format!("account `{}`", account.name);
    let path = format!("accounts[\"{}\"]", account.name);
    for it in &account.base_urls {
        base_url(&owner, &format!("{path}.base_urls"), &it.url, defects);
    }
    let mut dialects = BTreeSet::new();
    for it in account.base_urls.iter().filter(|it| !dialects.insert(it.dialect)) {
        let name = account.name.clone();
        defects.push(Defect::BaseUrlTwice { account: name, dialect: it.dialect });
    }
    client(account, &owner, &path, defects);
    let name = || account.name.clone();
    let Some(provider) = catalog.providers.get(&account.provider) else {
        let provider = account.provider.clone();
        defects.push(Defect::UnknownProvider { account: name(), provider });
        return;
    };
    auth::of_account(account, provider, defects);
    let wants = provider.endpoints.iter().any(|it| it.auth != AuthStyle::None);
    if wants && account.credential.as_ref().is_none_or(|it| it.expose().is_empty()) {
        let provider = provider.name.clone();
        defects.push(Defect::MissingCredential { account: name(), provider });
    }
    for it in account.base_urls.iter().filter(|it| provider.endpoint(it.dialect).is_none()) {
        let provider = provider.name.clone();
        let dialect = it.dialect;
        defects.push(Defect::UnspokenDialect { account: name(), provider, dialect });
    }
    // Who speaks several dialects may be spoken to in one of them only.
    let is_own = |dialect| account.base_urls.iter().any(|it| it.dialect == dialect);
    let is_reached = |it: &Endpoint| it.base_url.is_some() || is_own(it.dialect);
    if !provider.endpoints.iter().any(is_reached) {
        for endpoint in &provider.endpoints {
            let (provider, dialect) = (provider.name.clone(), endpoint.dialect);
            defects.push(Defect::MissingBaseUrl { account: name(), provider, dialect });
        }
    }
}

fn client(account: &Account, owner: &str, path: &str, defects: &mut Vec<Defect>) {
    let client = &account.client;
    for (name, value) in [
        ("connect_timeout_ms", client.connect_timeout_ms),
        ("first_byte_timeout_ms", client.first_byte_timeout_ms),
        ("idle_timeout_ms", client.idle_timeout_ms),
    ] {
        in_range(&format!("{path}.client.{name}"), value.into(), 1, LONGEST_TIMEOUT_MS, defects);
    }
    for (header, value) in &client.extra_headers {
        let is_ours = is_one_of(header, &OWN_HEADERS) || is_one_of(header, &CONNECTION_HEADERS);
        let bad_value = value.bytes().any(|it| !is_header_byte(it));
        let why = bad_header_name(header)
            .or_else(|| is_ours.then_some("it belongs to authentication or to the connection"))
            .or_else(|| bad_value.then_some("its value has characters that headers cannot carry"));
        if let Some(why) = why {
            defects.push(Defect::BadHeader {
                owner: owner.to_owned(),
                field: format!("{path}.client.extra_headers"),
                header: header.clone(),
                why,
            });
        }
    }
    if let Some(proxy) = &client.proxy {
        let known = ["http://", "https://", "socks5://", "socks5h://"];
        if !known.iter().any(|it| proxy.expose().starts_with(it)) {
            defects.push(Defect::BadBaseUrl {
                owner: owner.to_owned(),
                field: format!("{path}.client.proxy"),
                // The text may hold a password.
                url: "proxy".to_owned(),
                why: "it must start with http://, https://, socks5:// or socks5h://",
            });
        }
    }
}

fn route(catalog: &Catalog, route: &Route, defects: &mut Vec<Defect>) {
    if route.tiers.is_empty() {
        defects.push(Defect::RouteWithoutTier { route: route.alias.clone() });
    }
    for (tier, it) in route.tiers.iter().enumerate() {
        if it.targets.iter().all(|target| target.weight == 0) {
            defects.push(Defect::TierWithoutTarget { route: route.alias.clone(), tier });
        }
        for target in &it.targets {
            if target.weight > MAX_WEIGHT {
                let weight = target.weight;
                defects.push(Defect::WeightTooLarge { route: route.alias.clone(), tier, weight });
            }
            if !catalog.accounts.contains_key(&target.account) {
                defects.push(Defect::RouteToUnknownAccount {
                    route: route.alias.clone(),
                    tier,
                    account: target.account.to_string(),
                });
            }
        }
    }
}

/// Whether a request may have a field of this name, and needs it for nothing else.
fn is_field(name: &str) -> bool {
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"_-".contains(&it);
    let ours = ["model", "messages", "stream", "stream_options"];
    (1..=64).contains(&name.len()) && name.bytes().all(fits) && !ours.contains(&name)
}

fn in_range(field: &str, value: u64, least: u64, most: u64, defects: &mut Vec<Defect>) {
    if !(least..=most).contains(&value) {
        defects.push(Defect::OutOfRange { field: field.to_owned(), value, least, most });
    }
}

fn bad_header_name(name: &str) -> Option<&'static str> {
    let token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    let fits = (1..=100).contains(&name.len()) && name.bytes().all(token);
    (!fits).then_some("its name has characters that header names cannot have")
}

fn is_one_of(header: &str, names: &[&str]) -> bool {
    names.iter().any(|it| it.eq_ignore_ascii_case(header))
}

const fn is_header_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~')
}

fn base_url(owner: &str, field: &str, url: &str, defects: &mut Vec<Defect>) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|it| it.split('/').next().unwrap_or(""));
    let why = match host {
        None => Some("it must start with https:// or http://"),
        Some(_) if url.chars().any(|it| it.is_whitespace() || it.is_control()) => {
            Some("it has spaces or control characters")
        }
        Some(host) if host.is_empty() || host.starts_with(':') => Some("it has no host"),
        Some(host) if host.contains('@') => Some("it has credentials: put them into the account"),
        Some(_) if url.contains(['?', '#', '\\', '{', '}']) => {
            Some("it has a query, a fragment, a backslash or a placeholder")
        }
        Some(host) if !has_good_port(host) => Some("its port is not a number from 1 to 65535"),
        Some(_) => None,
    };
    if let Some(why) = why {
        // Credentials must not come back in an error.
        let url = url.rsplit_once('@').map_or(url, |(_, after)| after);
        defects.push(Defect::BadBaseUrl {
            owner: owner.to_owned(),
            field: field.to_owned(),
            url: url.chars().take(200).collect(),
            why,
        });
    }
}

/// `host` may be a name, an IPv4 address or an IPv6 address in brackets.
fn has_good_port(host: &str) -> bool {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    let port = after.split_once(':').map(|(_, port)| port);
    port.is_none_or(|it| it.parse::<u16>().is_ok_and(|it| it > 0))
}
