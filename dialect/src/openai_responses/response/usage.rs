//! Reads what an answer used.

use crate::json::Fields;
use domain::tokens::Tokens;
use serde_json::{Number, value::RawValue};

/// What was used, if it says any of it. Parts are never more than what they are part of.
pub(in crate::openai_responses) fn usage(raw: &RawValue) -> Option<Tokens> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    let (input, output) = (count(&mut fields, "input_tokens"), count(&mut fields, "output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let part = |object: &str, name: &str, whole: u64| {
        let inner = fields.get(object).and_then(|it| Fields::parse(it.get()).ok());
        inner.and_then(|mut it| count(&mut it, name)).unwrap_or(0).min(whole)
    };
    let cached_input = part("input_tokens_details", "cached_tokens", input);
    let fresh = input.saturating_sub(cached_input);
    Some(Tokens {
        input,
        cached_input,
        cache_write: part("input_tokens_details", "cache_write_tokens", fresh),
        output,
        reasoning: part("output_tokens_details", "reasoning_tokens", output),
    })
}

/// A count, which some write with a fraction of nothing.
fn count(fields: &mut Fields<'_>, name: &str) -> Option<u64> {
    let number: Number = fields.take_as(name).ok()??;
    number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|it| it.is_finite() && *it >= 0.0)?;
        // Casts of floats saturate.
        Some(float as u64)
    })
}
