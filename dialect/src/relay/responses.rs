//! Usage and the end of OpenAI's responses.

use super::count::{Count, clamped, lenient};
use crate::skim::Found;
use domain::tokens::Tokens;
use serde::Deserialize;

/// What an answer in OpenAI's responses has said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    last: Option<Tokens>,
    done: bool,
    /// What the provider calls the response; empty until it says so.
    id: String,
}

impl Reader {
    /// Reads an event, or a whole body; gives whether it tells an error.
    pub(super) fn read(&mut self, found: &Found) -> bool {
        let kind = found.kind.as_slice();
        // Events about items have ids of their own.
        let is_whole = !found.id.is_empty() && self.id.is_empty();
        if let (true, Ok(id)) = (is_whole, std::str::from_utf8(&found.id)) {
            id.clone_into(&mut self.id);
        }
        self.done |= kind == b"response.completed" || kind == b"response.incomplete";
        if let Some(usage) = &found.usage {
            self.last = parse(&usage.raw).or(self.last);
        }
        kind == b"response.failed"
    }

    pub(super) const fn tokens(&self) -> Option<Tokens> {
        self.last
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }
}

fn parse(raw: &[u8]) -> Option<Tokens> {
    let usage: Usage = serde_json::from_slice(raw).ok()?;
    if usage.input_tokens.0.is_none() && usage.output_tokens.0.is_none() {
        return None;
    }
    Some(clamped(Tokens {
        input: usage.input_tokens.or_zero(),
        cached_input: usage.input_tokens_details.cached_tokens.or_zero(),
        cache_write: usage.input_tokens_details.cache_write_tokens.or_zero(),
        output: usage.output_tokens.or_zero(),
        reasoning: usage.output_tokens_details.reasoning_tokens.or_zero(),
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    /// All input, cached included.
    input_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    input_tokens_details: InputDetails,
    /// All output, reasoning included.
    output_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    output_tokens_details: OutputDetails,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
}
