//! What was noticed of an answer.

use domain::tokens::Tokens;

/// What was noticed of an answer so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What the upstream said the request used, once it has said it for good.
    pub tokens: Option<Tokens>,
    /// What it has said so far: in the middle of a stream, Anthropic's input tokens,
    /// or a running count.
    pub partial: Option<Tokens>,
    /// A guess at the output tokens from the text that has gone by; not zero if any
    /// has.
    pub output_estimate: u64,
    /// Whether content has gone by: text, thoughts or a tool call of a stream, or any
    /// byte of a body.
    pub first_content: bool,
    /// Whether the answer is whole: a stream's own mark of its end has come, or it
    /// ended after a reason to stop; or the body was one whole JSON text.
    pub finished: bool,
    /// Whether the answer carried an error, though its status was good.
    pub errored: bool,
    /// Whether an event grew beyond [`super::MAX_EVENT`].
    pub overflowed: bool,
}

impl Seen {
    /// The tokens to account for, and whether they are partly a guess: what the
    /// upstream said, else what is known and `input_estimate` for the rest.
    pub fn tokens_or_estimate(&self, input_estimate: u64) -> (Tokens, bool) {
        if let Some(tokens) = self.tokens {
            return (tokens, false);
        }
        let mut tokens = self.partial.unwrap_or_default();
        if tokens.input == 0 {
            tokens.input = input_estimate;
        }
        tokens.output = tokens.output.max(self.output_estimate);
        (tokens, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_comes_before_what_is_guessed() {
        let told = Tokens { input: 10, output: 3, ..Tokens::default() };
        let seen = Seen { output_estimate: 7, ..Seen::default() };
        assert_eq!(Seen { tokens: Some(told), ..seen }.tokens_or_estimate(99), (told, false));
        let guess = Tokens { input: 99, output: 7, ..Tokens::default() };
        assert_eq!(seen.tokens_or_estimate(99), (guess, true));
        let (tokens, estimated) = Seen { partial: Some(told), ..seen }.tokens_or_estimate(99);
        assert_eq!((tokens.input, tokens.output, estimated), (10, 7, true));
    }
}
