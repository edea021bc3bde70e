//! Counts of tokens in Anthropic's words. Its input excludes what the cache holds; ours
//! includes it.

use crate::json::Fields;
use domain::tokens::Tokens;
use serde::Serialize;
use serde_json::value::RawValue;

/// What an answer has told of its usage so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    fresh: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    thinking: u64,
    /// Whether anything was told.
    any: bool,
    /// The tier that served it.
    pub(super) tier: Option<String>,
}

impl Usage {
    /// Takes over what `raw`, a `usage` object, tells. Some providers repeat what they
    /// told before as zeros: what is known is not lowered to 0. What is no count, and what
    /// is no object, tells nothing.
    pub(super) fn update(&mut self, raw: &RawValue) {
        let Ok(fields) = Fields::parse(raw.get()) else { return };
        let mut told = |known: &mut u64, count: Option<u64>| {
            self.any |= count.is_some();
            *known = count.filter(|it| *it > 0).unwrap_or(*known);
        };
        told(&mut self.fresh, count(&fields, "input_tokens"));
        told(&mut self.cache_read, count(&fields, "cache_read_input_tokens"));
        told(&mut self.cache_write, count(&fields, "cache_creation_input_tokens"));
        told(&mut self.output, count(&fields, "output_tokens"));
        let details = fields.get("output_tokens_details");
        if let Some(details) = details.and_then(|it| Fields::parse(it.get()).ok()) {
            told(&mut self.thinking, count(&details, "thinking_tokens"));
        }
        if let Some(tier) = fields.text("service_tier") {
            self.tier = Some(tier.into_owned());
        }
    }

    /// In the common form, if anything was told.
    pub(super) fn tokens(&self) -> Option<Tokens> {
        let input = self.fresh.saturating_add(self.cache_read).saturating_add(self.cache_write);
        self.any.then_some(Tokens {
            input,
            cached_input: self.cache_read.min(input),
            cache_write: self.cache_write.min(input.saturating_sub(self.cache_read)),
            output: self.output,
            reasoning: self.thinking.min(self.output),
        })
    }
}

fn count(fields: &Fields<'_>, name: &str) -> Option<u64> {
    let text = fields.get(name)?.get();
    // Some providers write `12.0`. A cast from f64 stays within the bounds of u64.
    let part = || text.parse::<f64>().ok().filter(|it| *it >= 0.0).map(|it| it as u64);
    text.parse().ok().or_else(part)
}

/// The `usage` of an answer.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Details {
    thinking_tokens: u64,
}

impl Told {
    /// What was used, and the tier in the provider's words, as far as Anthropic knows it.
    pub(super) fn new(tokens: Tokens, tier: Option<&str>) -> Self {
        let Tokens { input, cached_input, cache_write, output, reasoning } = tokens;
        let service_tier = match tier {
            Some("standard" | "default" | "STANDARD") => Some("standard"),
            Some("priority" | "PRIORITY") => Some("priority"),
            _ => None,
        };
        Self {
            input_tokens: input.saturating_sub(cached_input).saturating_sub(cache_write),
            cache_creation_input_tokens: cache_write,
            cache_read_input_tokens: cached_input,
            output_tokens: output,
            output_tokens_details: (reasoning > 0)
                .then_some(Details { thinking_tokens: reasoning }),
            service_tier,
        }
    }
}
