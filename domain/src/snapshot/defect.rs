//! Every reason why a catalog does not compile.

mod limit;

pub use limit::LimitFault;

use crate::{catalog::Dialect, id::LimitId, name::Name, pattern::Pattern};

/// One reason why a catalog does not compile. [`Defect::field`] says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum Defect {
    #[error("provider `{provider}` has no endpoint: name at least one dialect it speaks")]
    ProviderWithoutEndpoint { provider: Name },
    #[error("provider `{provider}` has two endpoints for the {dialect} dialect: keep one")]
    EndpointTwice { provider: Name, dialect: Dialect },
    #[error("`{url}` of {owner} is not usable as a base URL: {why}")]
    BadBaseUrl { owner: String, field: String, url: String, why: &'static str },
    #[error("`{header}` of {owner} is not usable as a header: {why}")]
    BadHeader { owner: String, field: String, header: String, why: &'static str },
    #[error(
        "account `{account}` names provider `{provider}`, which does not exist: see `sluice provider list`"
    )]
    UnknownProvider { account: Name, provider: Name },
    #[error("the credential of account `{account}` cannot be used: {why}")]
    BadCredential { account: Name, why: &'static str },
    #[error("provider `{provider}` cannot be shown credentials in this way: {why}")]
    BadAuth { provider: Name, why: &'static str },
    #[error("account `{account}` has no credential, but provider `{provider}` wants one")]
    MissingCredential { account: Name, provider: Name },
    #[error(
        "provider `{provider}` has no address of its own for the {dialect} dialect: give account `{account}` a base URL"
    )]
    MissingBaseUrl { account: Name, provider: Name, dialect: Dialect },
    #[error(
        "account `{account}` has a base URL for the {dialect} dialect, which provider `{provider}` does not speak"
    )]
    UnspokenDialect { account: Name, provider: Name, dialect: Dialect },
    #[error("account `{account}` has two base URLs for the {dialect} dialect: keep one")]
    BaseUrlTwice { account: Name, dialect: Dialect },
    #[error("two accounts are named `{name}`")]
    AccountNameTwice { name: Name },
    #[error("two teams are named `{name}`")]
    TeamNameTwice { name: Name },
    #[error("model `{model}` names provider `{provider}`, which does not exist")]
    ModelOfUnknownProvider { model: String, provider: Name },
    #[error("model `{model}` can do nothing: name at least one operation")]
    ModelWithoutOperation { model: String },
    #[error("route `{route}` has no tier: give it at least one target")]
    RouteWithoutTier { route: Pattern },
    #[error("tier {tier} of route `{route}` has no target of a weight above 0")]
    TierWithoutTarget { route: Pattern, tier: usize },
    #[error("tier {tier} of route `{route}` names account `{account}`, which does not exist")]
    RouteToUnknownAccount { route: Pattern, tier: usize, account: String },
    #[error("tier {tier} of route `{route}` has a target of weight {weight}: at most 1000000")]
    WeightTooLarge { route: Pattern, tier: usize, weight: u32 },
    #[error("key `{key}` belongs to team `{team}`, which does not exist")]
    KeyOfUnknownTeam { key: Name, team: String },
    #[error("key `{key}` was made under pepper {version}, which does not exist")]
    KeyOfUnknownPepper { key: Name, version: u32 },
    #[error("`{text}` of provider `{provider}` is not the name of a field in a request")]
    BadOutputCapField { provider: Name, text: String },
    #[error("the limit of {label}: {fault}")]
    Limit { limit: LimitId, label: String, fault: LimitFault },
    #[error("`{field}` is {value}: it must lie between {least} and {most}")]
    OutOfRange { field: String, value: u64, least: u64, most: u64 },
}

impl Defect {
    /// The path of the field that has to change, as in `accounts["main"].provider`.
    pub fn field(&self) -> String {
        match self {
            Self::ProviderWithoutEndpoint { provider } | Self::EndpointTwice { provider, .. } => {
                format!("providers[\"{provider}\"].endpoints")
            }
            Self::BadBaseUrl { field, .. }
            | Self::BadHeader { field, .. }
            | Self::OutOfRange { field, .. } => field.clone(),
            Self::UnknownProvider { account, .. } => format!("accounts[\"{account}\"].provider"),
            Self::MissingCredential { account, .. } | Self::BadCredential { account, .. } => {
                format!("accounts[\"{account}\"].credential")
            }
            Self::MissingBaseUrl { account, .. }
            | Self::UnspokenDialect { account, .. }
            | Self::BaseUrlTwice { account, .. } => {
                format!("accounts[\"{account}\"].base_urls")
            }
            Self::AccountNameTwice { name } => format!("accounts[\"{name}\"].name"),
            Self::TeamNameTwice { name } => format!("teams[\"{name}\"].name"),
            Self::ModelOfUnknownProvider { model, .. } => format!("models[\"{model}\"].provider"),
            Self::ModelWithoutOperation { model } => format!("models[\"{model}\"].operations"),
            Self::RouteWithoutTier { route } => format!("routes[\"{route}\"].tiers"),
            Self::TierWithoutTarget { route, tier }
            | Self::RouteToUnknownAccount { route, tier, .. }
            | Self::WeightTooLarge { route, tier, .. } => {
                format!("routes[\"{route}\"].tiers[{tier}].targets")
            }
            Self::KeyOfUnknownTeam { key, .. } => format!("keys[\"{key}\"].team"),
            Self::BadOutputCapField { provider, .. } | Self::BadAuth { provider, .. } => {
                format!("providers[\"{provider}\"].endpoints")
            }
            Self::Limit { label, fault, .. } => format!("limits[\"{label}\"].{}", fault.field()),
            Self::KeyOfUnknownPepper { key, .. } => format!("keys[\"{key}\"].pepper_version"),
        }
    }
}
