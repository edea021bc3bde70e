//! Usage and the end of Anthropic's answers.
//!
//! Anthropic tells the input tokens in `message_start` and the output tokens, which
//! are running totals, in `message_delta`: both must be seen.

use super::count::{Count, clamped, lenient};
use crate::skim::Found;
use domain::tokens::Tokens;
use serde::Deserialize;

/// What an Anthropic answer has said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    usage: Usage,
    /// Whether any usage was told.
    any: bool,
    /// Whether the output tokens were told behind the output.
    told: bool,
    ended: bool,
    done: bool,
}

impl Reader {
    /// Reads an event, or a whole body.
    pub(super) fn read(&mut self, found: &Found) {
        let kind = found.kind.as_slice();
        self.ended |= found.ended;
        self.done |= kind == b"message_stop";
        let Some(raw) = &found.usage else { return };
        let Ok(usage) = serde_json::from_slice::<Usage>(&raw.raw) else { return };
        self.any = true;
        self.told |= kind != b"message_start" && usage.output_tokens.0.is_some();
        self.usage.update(&usage);
    }

    pub(super) fn tokens(&self) -> Option<Tokens> {
        self.any.then(|| self.usage.tokens())
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a count that was told is not going to grow.
    pub(super) const fn is_told_whole(&self) -> bool {
        self.told && (self.ended || self.done)
    }
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Usage {
    /// Input that was neither read from the cache nor written to it.
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    /// All output, thoughts included.
    output_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    output_tokens_details: OutputDetails,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

impl Usage {
    /// Takes over what a later event tells. Some providers repeat what they told
    /// before as zeros, and some tell zeros first: what is known is not lowered to 0.
    fn update(&mut self, later: &Self) {
        let update = |known: &mut Count, later: Count| {
            if later.0.is_some_and(|it| it > 0) || known.0.is_none() {
                *known = later;
            }
        };
        update(&mut self.input_tokens, later.input_tokens);
        update(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        update(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        update(&mut self.output_tokens, later.output_tokens);
        let details = &mut self.output_tokens_details;
        update(&mut details.thinking_tokens, later.output_tokens_details.thinking_tokens);
    }

    fn tokens(&self) -> Tokens {
        let cached_input = self.cache_read_input_tokens.or_zero();
        let cache_write = self.cache_creation_input_tokens.or_zero();
        let fresh = self.input_tokens.or_zero();
        clamped(Tokens {
            input: fresh.saturating_add(cached_input).saturating_add(cache_write),
            cached_input,
            cache_write,
            output: self.output_tokens.or_zero(),
            reasoning: self.output_tokens_details.thinking_tokens.or_zero(),
        })
    }
}
