//! The checks that a catalog must pass; each failure is a [`Defect`].

use super::Defect;
use crate::catalog::{Account, AuthStyle, Catalog, Provider, Route, VirtualKey};
use std::collections::BTreeSet;

const LONGEST_TIMEOUT_MS: u64 = 3_600_000;
const MAX_WEIGHT: u32 = 1_000_000;

/// Headers that belong to authentication or to the connection: never configurable.
const RESERVED_HEADERS: [&str; 14] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "cookie",
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "upgrade",
    "x-request-id",
];

/// Every defect outside of the virtual keys.
pub(super) fn all_but_keys(catalog: &Catalog) -> Vec<Defect> {
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
        if !catalog.providers.contains_key(&it.id.provider) {
            defects.push(Defect::ModelOfUnknownProvider {
                model: it.id.to_string(),
                provider: it.id.provider.clone(),
            });
        }
        if it.operations.is_empty() {
            defects.push(Defect::ModelWithoutOperation { model: it.id.to_string() });
        }
    }
    for it in catalog.routes.values() {
        route(catalog, it, &mut defects);
    }
    let settings = &catalog.settings;
    in_range("settings.max_attempts", settings.max_attempts, 1, 20, &mut defects);
    let deadline = settings.attempt_deadline_ms;
    in_range("settings.attempt_deadline_ms", deadline, 1, LONGEST_TIMEOUT_MS, &mut defects);
    defects
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
        if let AuthStyle::Header(header) = &endpoint.auth
            && let Some(why) = bad_header_name(header)
        {
            defects.push(Defect::BadHeader { owner, field, header: header.clone(), why });
        }
    }
}

fn account(catalog: &Catalog, account: &Account, defects: &mut Vec<Defect>) {
    let owner = format!("account `{}`", account.name);
    let path = format!("accounts[\"{}\"]", account.name);
    for it in &account.base_urls {
        base_url(&owner, &format!("{path}.base_urls"), &it.url, defects);
    }
    client(account, &owner, &path, defects);
    let name = || account.name.clone();
    let Some(provider) = catalog.providers.get(&account.provider) else {
        let provider = account.provider.clone();
        defects.push(Defect::UnknownProvider { account: name(), provider });
        return;
    };
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
    for endpoint in provider.endpoints.iter().filter(|it| it.base_url.is_none()) {
        if !account.base_urls.iter().any(|it| it.dialect == endpoint.dialect) {
            let provider = provider.name.clone();
            let dialect = endpoint.dialect;
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
        in_range(&format!("{path}.client.{name}"), value, 1, LONGEST_TIMEOUT_MS, defects);
    }
    for (header, value) in &client.extra_headers {
        let bad_value =
            value.bytes().any(|it| it < 0x20 && it != b'\t' || it == 0x7f || !it.is_ascii());
        let why = bad_header_name(header)
            .or_else(|| {
                let lower = header.to_ascii_lowercase();
                RESERVED_HEADERS
                    .contains(&lower.as_str())
                    .then_some("it belongs to authentication or to the connection")
            })
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

fn in_range(field: &str, value: u32, least: u64, most: u64, defects: &mut Vec<Defect>) {
    let value = u64::from(value);
    if !(least..=most).contains(&value) {
        defects.push(Defect::OutOfRange { field: field.to_owned(), value, least, most });
    }
}

fn bad_header_name(name: &str) -> Option<&'static str> {
    let token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    let fits = (1..=100).contains(&name.len()) && name.bytes().all(token);
    (!fits).then_some("its name has characters that header names cannot have")
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
