//! Whom a request is written for.

use super::{How, Notes};
use domain::catalog::{Dialect, Quirks};

/// A provider's endpoint, as far as writing for it has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// What is spoken there.
    pub dialect: Dialect,
    /// The model, in the provider's words.
    pub model: &'a str,
    /// How it differs from what the dialect usually does.
    pub quirks: Quirks,
    /// The field in which OpenAI chat requests take their maximum of output tokens.
    pub output_cap_field: &'a str,
    /// The most output tokens that the model gives, if that is known.
    pub max_output: Option<u64>,
    /// A bound for the answer that a limit has to reserve, if the request sets none.
    pub output_cap: Option<u64>,
}

impl Target<'_> {
    /// The maximum of output where a dialect wants one and nobody says any.
    pub const DEFAULT_OUTPUT: u64 = 4_096;

    /// The maximum of output to be told: what the caller says, or what a limit reserves,
    /// but no more than the model gives.
    pub(crate) fn output_of(&self, asked: Option<u64>, notes: &mut Notes) -> Option<u64> {
        let said = asked.or(self.output_cap)?;
        let bounded = said.min(self.max_output.unwrap_or(u64::MAX));
        if bounded != said && asked.is_some() {
            notes.add("max_tokens", How::Clamped);
        }
        Some(bounded)
    }
}
