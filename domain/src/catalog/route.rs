//! Alias → tiers of weighted targets.

use super::ModelName;
use crate::{id::AccountId, pattern::Pattern};

/// An account and a model, with its share of the tier's traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where to send.
    pub account: AccountId,
    /// The model to ask there; `None`: the name that the caller wrote.
    pub model: Option<ModelName>,
    /// Share among the targets of the tier: 1 to 1,000,000; 0 takes it out.
    pub weight: u32,
}

/// Targets of equal standing. The next tier is asked when all of this one failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// At least one.
    pub targets: Vec<Target>,
}

/// What happens with requests for an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What callers write in `model`: an exact alias, or a wildcard such as `gpt-*`.
    pub alias: Pattern,
    /// In the order in which they are asked; at least one.
    pub tiers: Vec<Tier>,
    /// Whether it serves; a disabled route refuses its alias.
    pub enabled: bool,
    /// How much of a request may be adapted for a provider of another dialect.
    pub translation: Translation,
}

/// What a route does with a request that a target's dialect cannot say to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Translation {
    /// It says what comes nearest, and tells the caller what that changed.
    #[default]
    Lenient,
    /// It passes the target over.
    Strict,
}

impl Translation {
    /// Both, the usual one first.
    pub const ALL: [Self; 2] = [Self::Lenient, Self::Strict];

    /// The name in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lenient => "lenient",
            Self::Strict => "strict",
        }
    }

    /// The translation of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}
