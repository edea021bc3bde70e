//! What operators edit, as it is shown.

use proto::admin::v1;
use serde::Serialize;

use crate::{
    manifest,
    output::{Cell, Show},
    spell,
};

/// A provider.
#[derive(Debug, Serialize)]
pub(crate) struct ProviderView {
    name: String,
    title: String,
    endpoints: Vec<EndpointView>,
    env_var: String,
    model_patterns: Vec<String>,
    aggregator: bool,
    docs_url: String,
    built_in: bool,
    revision: u64,
    etag: String,
}

#[derive(Debug, Serialize)]
struct EndpointView {
    dialect: String,
    base_url: String,
    auth: String,
    output_cap_field: String,
    quirks: Vec<String>,
}

impl From<v1::Provider> for ProviderView {
    fn from(wire: v1::Provider) -> Self {
        let endpoint = |it: &v1::Endpoint| EndpointView {
            dialect: spell::dialect_text(it.dialect),
            base_url: it.base_url.clone(),
            auth: spell::auth_text(it.auth.as_ref()),
            output_cap_field: it.output_cap_field.clone(),
            quirks: it.quirks.clone(),
        };
        Self {
            endpoints: wire.endpoints.iter().map(endpoint).collect(),
            name: wire.name,
            title: wire.title,
            env_var: wire.env_var,
            model_patterns: wire.model_patterns,
            aggregator: wire.aggregator,
            docs_url: wire.docs_url,
            built_in: wire.built_in,
            revision: wire.revision,
            etag: wire.etag,
        }
    }
}

impl Show for ProviderView {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "TITLE", "DIALECTS", "VARIABLE", "MODELS", "ORIGIN"];

    fn row(&self) -> Vec<Cell> {
        let dialects: Vec<_> = self.endpoints.iter().map(|it| it.dialect.clone()).collect();
        vec![
            Cell::text(&self.name),
            Cell::text(&self.title),
            Cell::list(&dialects),
            Cell::text(&self.env_var),
            Cell::text(shortened(&self.model_patterns)),
            if self.built_in { Cell::faint("built in") } else { Cell::text("added") },
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut lines = vec![("name", Cell::text(&self.name)), ("title", Cell::text(&self.title))];
        for it in &self.endpoints {
            let url = if it.base_url.is_empty() { "(each account's own)" } else { &it.base_url };
            lines.push(("endpoint", Cell::text(format!("{} {url} ({})", it.dialect, it.auth))));
            if !it.output_cap_field.is_empty() {
                lines.push(("output cap", Cell::text(&it.output_cap_field)));
            }
            if !it.quirks.is_empty() {
                lines.push(("quirks", Cell::list(&it.quirks)));
            }
        }
        let kind = if self.aggregator { "passes on to others' models" } else { "native" };
        lines.extend([
            ("variable", Cell::text(&self.env_var)),
            ("models", Cell::list(&self.model_patterns)),
            ("kind", Cell::text(kind)),
            ("docs", Cell::text(&self.docs_url)),
            ("built in", Cell::text(yes(self.built_in))),
            ("revision", Cell::ordinal(self.revision)),
        ]);
        lines
    }
}

/// The first few of a long list: the whole is in `show`.
fn shortened(texts: &[String]) -> String {
    const SHOWN: usize = 4;
    match texts.len() {
        0..=SHOWN => texts.join(", "),
        many => format!("{}, … {} more", texts[..SHOWN].join(", "), many - SHOWN),
    }
}

const fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

/// An account, without its secrets.
#[derive(Debug, Serialize)]
pub(crate) struct AccountView {
    id: String,
    name: String,
    provider: String,
    has_credential: bool,
    base_urls: Vec<manifest::BaseUrl>,
    disabled: bool,
    client: ClientView,
    has_proxy: bool,
    revision: u64,
    etag: String,
}

#[derive(Debug, Serialize)]
struct ClientView {
    connect_timeout_ms: u32,
    first_byte_timeout_ms: u32,
    idle_timeout_ms: u32,
    extra_headers: Vec<manifest::Header>,
    keep_stream_options: bool,
    keep_output_open: bool,
}

impl From<v1::Account> for AccountView {
    fn from(wire: v1::Account) -> Self {
        let shape = manifest::Account::from(&wire);
        let client = wire.client.unwrap_or_default();
        Self {
            id: wire.id,
            name: wire.name,
            provider: wire.provider,
            has_credential: wire.has_credential,
            base_urls: shape.base_urls,
            disabled: wire.disabled,
            client: ClientView {
                connect_timeout_ms: client.connect_timeout_ms,
                first_byte_timeout_ms: client.first_byte_timeout_ms,
                idle_timeout_ms: client.idle_timeout_ms,
                extra_headers: shape.client.extra_headers,
                keep_stream_options: client.keep_stream_options,
                keep_output_open: client.keep_output_open,
            },
            has_proxy: wire.has_proxy,
            revision: wire.revision,
            etag: wire.etag,
        }
    }
}

impl Show for AccountView {
    const COLUMNS: &'static [&'static str] =
        &["NAME", "PROVIDER", "STATE", "CREDENTIAL", "BASE URLS", "REVISION"];

    fn row(&self) -> Vec<Cell> {
        let urls: Vec<_> =
            self.base_urls.iter().map(|it| format!("{}={}", it.dialect, it.url)).collect();
        vec![
            Cell::text(&self.name),
            Cell::text(&self.provider),
            Cell::enabled(self.disabled),
            if self.has_credential { Cell::text("stored") } else { Cell::faint("none") },
            if urls.is_empty() { Cell::faint("provider's") } else { Cell::list(&urls) },
            Cell::ordinal(self.revision),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let client = &self.client;
        let mut lines = vec![
            ("name", Cell::text(&self.name)),
            ("id", Cell::text(&self.id)),
            ("provider", Cell::text(&self.provider)),
            ("state", Cell::enabled(self.disabled)),
            ("credential", Cell::text(if self.has_credential { "stored" } else { "none" })),
        ];
        for it in &self.base_urls {
            lines.push(("base url", Cell::text(format!("{}={}", it.dialect, it.url))));
        }
        lines.extend([
            ("proxy", Cell::text(if self.has_proxy { "stored" } else { "none" })),
            ("connect timeout", Cell::text(format!("{} ms", client.connect_timeout_ms))),
            ("first byte timeout", Cell::text(format!("{} ms", client.first_byte_timeout_ms))),
            ("idle timeout", Cell::text(format!("{} ms", client.idle_timeout_ms))),
        ]);
        for it in &client.extra_headers {
            lines.push(("header", Cell::text(format!("{}: {}", it.name, it.value))));
        }
        if client.keep_stream_options {
            lines.push(("stream options", Cell::text("left as callers write them")));
        }
        if client.keep_output_open {
            lines.push(("maximum output", Cell::text("left as callers write it")));
        }
        lines.push(("revision", Cell::ordinal(self.revision)));
        lines
    }
}

/// A route.
#[derive(Debug, Serialize)]
pub(crate) struct RouteView {
    alias: String,
    tiers: Vec<TierView>,
    disabled: bool,
    translation: &'static str,
    revision: u64,
    etag: String,
}

#[derive(Debug, Serialize)]
struct TierView {
    targets: Vec<TargetView>,
}

#[derive(Debug, Serialize)]
struct TargetView {
    account: String,
    model: String,
    weight: u32,
    #[serde(skip)]
    text: String,
}

impl From<v1::Route> for RouteView {
    fn from(wire: v1::Route) -> Self {
        let target = |it: v1::Target| TargetView {
            text: spell::target_text(&it),
            weight: it.weight.unwrap_or(1),
            account: it.account,
            model: it.model,
        };
        let tier =
            |it: v1::Tier| TierView { targets: it.targets.into_iter().map(target).collect() };
        Self {
            translation: spell::TRANSLATION.of(match wire.translation() {
                v1::Translation::Unspecified | v1::Translation::Lenient => v1::Translation::Lenient,
                v1::Translation::Strict => v1::Translation::Strict,
            }),
            tiers: wire.tiers.into_iter().map(tier).collect(),
            alias: wire.alias,
            disabled: wire.disabled,
            revision: wire.revision,
            etag: wire.etag,
        }
    }
}

impl RouteView {
    fn tiers(&self) -> impl Iterator<Item = String> {
        self.tiers
            .iter()
            .map(|it| it.targets.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(", "))
    }
}

impl Show for RouteView {
    const COLUMNS: &'static [&'static str] = &["ALIAS", "STATE", "TIERS", "REVISION"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.alias),
            Cell::enabled(self.disabled),
            Cell::text(self.tiers().collect::<Vec<_>>().join(" → ")),
            Cell::ordinal(self.revision),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut lines =
            vec![("alias", Cell::text(&self.alias)), ("state", Cell::enabled(self.disabled))];
        for (at, it) in self.tiers().enumerate() {
            lines.push((if at == 0 { "first" } else { "then" }, Cell::text(it)));
        }
        lines.push(("translation", Cell::text(self.translation)));
        lines.push(("revision", Cell::ordinal(self.revision)));
        lines
    }
}

/// A team.
#[derive(Debug, Serialize)]
pub(crate) struct TeamView {
    id: String,
    name: String,
    description: String,
    revision: u64,
    etag: String,
}

impl From<v1::Team> for TeamView {
    fn from(wire: v1::Team) -> Self {
        let v1::Team { id, name, description, revision, etag } = wire;
        Self { id, name, description, revision, etag }
    }
}

impl Show for TeamView {
    const COLUMNS: &'static [&'static str] = &["NAME", "ID", "DESCRIPTION", "REVISION"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.name),
            Cell::faint(&self.id),
            Cell::text(&self.description),
            Cell::ordinal(self.revision),
        ]
    }
}

/// The settings.
#[derive(Debug, Serialize)]
pub(crate) struct SettingsView {
    max_attempts: u32,
    attempt_deadline_ms: u32,
    hide_route: bool,
    default_output_tokens: u64,
    fallback_proxies: u32,
    fetch_addresses: bool,
    revision: u64,
    etag: String,
}

impl From<v1::Settings> for SettingsView {
    fn from(wire: v1::Settings) -> Self {
        Self {
            max_attempts: wire.max_attempts,
            attempt_deadline_ms: wire.attempt_deadline_ms,
            hide_route: wire.hide_route,
            default_output_tokens: wire.default_output_tokens,
            fallback_proxies: wire.fallback_proxies,
            fetch_addresses: wire.fetch_addresses,
            revision: wire.revision,
            etag: wire.etag,
        }
    }
}

impl Show for SettingsView {
    const COLUMNS: &'static [&'static str] = &[
        "max attempts",
        "attempt deadline",
        "x-sluice-* headers",
        "default output",
        "fallback proxies",
        "fetch addresses",
        "revision",
    ];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::number(u64::from(self.max_attempts)),
            Cell::text(format!("{} ms", self.attempt_deadline_ms)),
            Cell::text(if self.hide_route { "hidden" } else { "shown" }),
            Cell::text(format!("{} tokens", self.default_output_tokens)),
            Cell::number(u64::from(self.fallback_proxies)),
            Cell::text(if self.fetch_addresses { "on" } else { "off" }),
            Cell::ordinal(self.revision),
        ]
    }
}
