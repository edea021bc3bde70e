//! Usage of Bedrock's `Converse` answers.

use super::count::{Count, clamped};
use crate::skim::Found;
use domain::tokens::Tokens;
use serde::Deserialize;

/// What an answer of Bedrock's has said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    last: Option<Tokens>,
    ended: bool,
}

impl Reader {
    /// Reads an event, or a whole body.
    pub(super) fn read(&mut self, found: &Found) {
        self.ended |= found.ended;
        if let Some(usage) = &found.usage {
            self.last = parse(&usage.raw).or(self.last);
        }
    }

    pub(super) const fn tokens(&self) -> Option<Tokens> {
        self.last
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }
}

fn parse(raw: &[u8]) -> Option<Tokens> {
    let usage: Usage = serde_json::from_slice(raw).ok()?;
    if usage.input_tokens.0.is_none() && usage.output_tokens.0.is_none() {
        return None;
    }
    let cached_input = usage.cache_read_input_tokens.or_zero();
    let cache_write = usage.cache_write_input_tokens.or_zero();
    let fresh = usage.input_tokens.or_zero();
    Some(clamped(Tokens {
        input: fresh.saturating_add(cached_input).saturating_add(cache_write),
        cached_input,
        cache_write,
        output: usage.output_tokens.or_zero(),
        reasoning: 0,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Usage {
    /// Input that was neither read from the cache nor written to it.
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_write_input_tokens: Count,
}
