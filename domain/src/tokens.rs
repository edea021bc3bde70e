//! Counts of tokens by kind, and a guess from bytes where nobody counted.

/// Tokens of one request, by kind. All counts are of tokens.
///
/// `input` and `output` are totals (as in OpenTelemetry's
/// `gen_ai.usage.input_tokens` / `output_tokens`); the other three say how much
/// of a total was of that kind and never exceed it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input tokens, cached ones and cache writes included.
    pub input: u64,
    /// Part of `input` that the provider read from its prompt cache.
    pub cached_input: u64,
    /// Part of `input` that the provider wrote to its prompt cache.
    pub cache_write: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Part of `output` that the model spent on reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Input and output together.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Guesses how many tokens a text is, when no provider told us.
///
/// Four ASCII bytes, or one other character, make about a token; the guess is
/// rounded up so that it is never zero for a text that is not empty.
pub fn estimate_from_text(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let others = text.chars().filter(|it| !it.is_ascii()).count() as u64;
    estimate(ascii, others)
}

/// The same guess for a text of which only the counts were kept: of its ASCII
/// bytes and of its other characters.
pub const fn estimate(ascii_bytes: u64, other_chars: u64) -> u64 {
    ascii_bytes.div_ceil(4).saturating_add(other_chars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_never_zero_for_some_text() {
        assert_eq!(estimate_from_text(""), 0);
        assert_eq!(estimate_from_text("a"), 1);
        assert_eq!(estimate_from_text("hello world"), 3);
        assert_eq!(estimate_from_text("你好"), 2);
    }
}
