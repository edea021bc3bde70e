//! One struct a noun: as it stands in a manifest, ↔ the wire.
//!
//! Fields have the names of the admin API; what has its default is left out.

mod account;
mod limit;
mod model;

pub(crate) use account::{Account, BaseUrl, Header};
pub(crate) use limit::Limit;
pub(crate) use model::Model;

use proto::admin::v1;
use serde::{Deserialize, Serialize};

use super::Wrong;
use crate::spell;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn bearer() -> String {
    "bearer".to_owned()
}

fn is_bearer(text: &str) -> bool {
    text == "bearer"
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) title: String,
    pub(crate) endpoints: Vec<Endpoint>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) env_var: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) model_patterns: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) aggregator: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) docs_url: String,
}

/// Where a provider speaks one dialect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) dialect: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) base_url: String,
    #[serde(default = "bearer", skip_serializing_if = "is_bearer")]
    pub(crate) auth: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) output_cap_field: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) quirks: Vec<String>,
}

impl From<&v1::Provider> for Provider {
    fn from(wire: &v1::Provider) -> Self {
        let endpoint = |it: &v1::Endpoint| Endpoint {
            dialect: spell::dialect_text(it.dialect),
            base_url: it.base_url.clone(),
            auth: spell::auth_text(it.auth.as_ref()),
            output_cap_field: it.output_cap_field.clone(),
            quirks: it.quirks.clone(),
        };
        Self {
            name: wire.name.clone(),
            title: wire.title.clone(),
            endpoints: wire.endpoints.iter().map(endpoint).collect(),
            env_var: wire.env_var.clone(),
            model_patterns: wire.model_patterns.clone(),
            aggregator: wire.aggregator,
            docs_url: wire.docs_url.clone(),
        }
    }
}

impl Provider {
    pub(super) fn wire(&self, wrong: &mut Wrong) -> v1::Provider {
        let endpoints = self.endpoints.iter().enumerate().map(|(at, it)| v1::Endpoint {
            dialect: dialect(wrong, &format!("endpoints[{at}].dialect"), &it.dialect),
            base_url: it.base_url.clone(),
            auth: Some(wrong.note(&format!("endpoints[{at}].auth"), spell::auth(&it.auth))),
            output_cap_field: it.output_cap_field.clone(),
            quirks: it.quirks.clone(),
        });
        v1::Provider {
            endpoints: endpoints.collect(),
            name: self.name.clone(),
            title: self.title.clone(),
            env_var: self.env_var.clone(),
            model_patterns: self.model_patterns.clone(),
            aggregator: self.aggregator,
            docs_url: self.docs_url.clone(),
            ..v1::Provider::default()
        }
    }
}

fn dialect(wrong: &mut Wrong, field: &str, text: &str) -> i32 {
    wrong.note(field, spell::dialect(text).map(i32::from))
}

/// A route; each tier is a list of `ACCOUNT[/MODEL][@WEIGHT]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) alias: String,
    pub(crate) tiers: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) disabled: bool,
    /// `lenient` if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) translation: Option<String>,
}

impl From<&v1::Route> for Route {
    fn from(wire: &v1::Route) -> Self {
        let tier = |it: &v1::Tier| it.targets.iter().map(spell::target_text).collect();
        Self {
            alias: wire.alias.clone(),
            tiers: wire.tiers.iter().map(tier).collect(),
            disabled: wire.disabled,
            translation: match wire.translation() {
                v1::Translation::Unspecified | v1::Translation::Lenient => None,
                it @ v1::Translation::Strict => Some(spell::TRANSLATION.of(it).to_owned()),
            },
        }
    }
}

impl Route {
    pub(super) fn wire(&self, wrong: &mut Wrong) -> v1::Route {
        let mut tiers = Vec::new();
        for (tier, texts) in self.tiers.iter().enumerate() {
            let targets = texts
                .iter()
                .enumerate()
                .map(|(at, it)| wrong.note(&format!("tiers[{tier}][{at}]"), spell::target(it)));
            tiers.push(v1::Tier { targets: targets.collect() });
        }
        let (alias, disabled) = (self.alias.clone(), self.disabled);
        let translation = self.translation.as_deref().unwrap_or("lenient");
        let translation = spell::TRANSLATION.read(translation).map(i32::from);
        let translation = wrong.note("translation", translation);
        v1::Route { alias, tiers, disabled, translation, ..v1::Route::default() }
    }
}

/// A team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Team {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) description: String,
}

impl From<&v1::Team> for Team {
    fn from(wire: &v1::Team) -> Self {
        Self { name: wire.name.clone(), description: wire.description.clone() }
    }
}

impl Team {
    pub(super) fn wire(&self) -> v1::Team {
        let (name, description) = (self.name.clone(), self.description.clone());
        v1::Team { name, description, ..v1::Team::default() }
    }
}

/// A virtual key. Its text is made by the server when it is new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) team: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) disabled: bool,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) allowed_models: Vec<String>,
}

impl From<&v1::VirtualKey> for Key {
    fn from(wire: &v1::VirtualKey) -> Self {
        Self {
            name: wire.name.clone(),
            team: wire.team.clone(),
            disabled: wire.disabled,
            expires_at: spell::rfc3339(wire.expires_at.as_ref()),
            allowed_models: wire.allowed_models.clone(),
        }
    }
}

impl Key {
    pub(super) fn wire(&self, wrong: &mut Wrong) -> v1::VirtualKey {
        let expires_at = self.expires_at.as_ref().and_then(|it| {
            // A time that moves with the clock would make every application a change.
            let absolute = match spell::duration(it) {
                Ok(_) => Err(format!("`{it}` is a duration: write a time such as 2026-01-31")),
                Err(_) => spell::instant(it, 0, 1).map(|it| Some(spell::timestamp(it))),
            };
            wrong.note("expires_at", absolute)
        });
        v1::VirtualKey {
            name: self.name.clone(),
            team: self.team.clone(),
            disabled: self.disabled,
            expires_at,
            allowed_models: self.allowed_models.clone(),
            ..v1::VirtualKey::default()
        }
    }
}

/// The settings; 0 means the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) max_attempts: u32,
    #[serde(default)]
    pub(crate) attempt_deadline_ms: u32,
    #[serde(default)]
    pub(crate) hide_route: bool,
    #[serde(default)]
    pub(crate) default_output_tokens: u64,
    #[serde(default)]
    pub(crate) fallback_proxies: u32,
    #[serde(default)]
    pub(crate) fetch_addresses: bool,
}

impl From<&v1::Settings> for Settings {
    fn from(wire: &v1::Settings) -> Self {
        Self {
            max_attempts: wire.max_attempts,
            attempt_deadline_ms: wire.attempt_deadline_ms,
            hide_route: wire.hide_route,
            default_output_tokens: wire.default_output_tokens,
            fallback_proxies: wire.fallback_proxies,
            fetch_addresses: wire.fetch_addresses,
        }
    }
}

impl Settings {
    pub(super) fn wire(&self) -> v1::Settings {
        v1::Settings {
            max_attempts: self.max_attempts,
            attempt_deadline_ms: self.attempt_deadline_ms,
            hide_route: self.hide_route,
            default_output_tokens: self.default_output_tokens,
            fallback_proxies: self.fallback_proxies,
            fetch_addresses: self.fetch_addresses,
            ..v1::Settings::default()
        }
    }
}
