//! Usage and the end of OpenAI's answers: chat completions and embeddings.

use super::count::{Count, clamped, lenient};
use crate::skim::{Choices, Found};
use domain::tokens::Tokens;
use serde::Deserialize;

/// What an OpenAI answer has said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Providers that count along say it in every chunk: the last one holds.
    last: Option<Tokens>,
    /// A chunk that is only about usage has come.
    usage_only: bool,
    /// A reason to stop has come.
    ended: bool,
    /// `[DONE]` has come.
    done: bool,
}

impl Reader {
    /// Reads a chunk, or a whole body; gives whether it is only about usage.
    pub(super) fn read(&mut self, found: &Found) -> bool {
        self.ended |= found.ended;
        let Some(usage) = &found.usage else { return false };
        let Some(tokens) = parse(&usage.raw) else { return false };
        self.last = Some(tokens);
        let usage_only = usage.depth == 1 && found.choices == Choices::Empty;
        self.usage_only |= usage_only;
        usage_only
    }

    /// The mark of the end has come.
    pub(super) const fn done(&mut self) {
        self.done = true;
    }

    pub(super) const fn tokens(&self) -> Option<Tokens> {
        self.last
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a count that was told is not going to grow.
    pub(super) const fn is_told_whole(&self) -> bool {
        self.usage_only || self.ended || self.done
    }
}

/// What a `usage` object says, in the words of whoever speaks like OpenAI's chat.
pub(crate) fn parse(raw: &[u8]) -> Option<Tokens> {
    let usage: Usage = serde_json::from_slice(raw).ok()?;
    let (prompt, total) = (usage.prompt_tokens.0, usage.total_tokens.0);
    let completion = usage.completion_tokens.0;
    // Nothing that we know: not a usage object of this dialect.
    let input = prompt.or_else(|| total.filter(|_| completion.is_none()));
    if input.is_none() && completion.is_none() {
        return None;
    }
    let (input, completion) = (input.unwrap_or(0), completion.unwrap_or(0));
    let reasoning = usage.completion_tokens_details.reasoning_tokens.or_zero();
    // xAI counts reasoning beside the completion, everybody else within: the total tells.
    let beside = input.saturating_add(completion).saturating_add(reasoning);
    let is_beside = reasoning > 0 && total == Some(beside);
    let details = usage.prompt_tokens_details;
    let cached =
        details.cached_tokens.0.or(usage.prompt_cache_hit_tokens.0).or(usage.cached_tokens.0);
    Some(clamped(Tokens {
        input,
        cached_input: cached.unwrap_or(0),
        cache_write: details.cache_write_tokens.or_zero(),
        output: if is_beside { completion.saturating_add(reasoning) } else { completion },
        reasoning,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    /// All input, cached included.
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    prompt_tokens_details: PromptDetails,
    #[serde(deserialize_with = "lenient")]
    completion_tokens_details: CompletionDetails,
    /// DeepSeek's word for cached input.
    prompt_cache_hit_tokens: Count,
    /// Moonshot's.
    cached_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: Option<[u64; 5]>) {
        let tokens = parse(raw.as_bytes());
        let parts =
            tokens.map(|it| [it.input, it.cached_input, it.cache_write, it.output, it.reasoning]);
        assert_eq!(parts, expected, "{raw}");
    }

    #[test]
    fn the_total_includes_what_was_cached_and_reasoned() {
        check(
            r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
                "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":15}}"#,
            Some([100, 60, 10, 20, 15]),
        );
    }

    #[test]
    fn other_providers_words_are_understood() {
        check(
            r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}"#,
            Some([9, 4, 0, 1, 0]),
        );
        check(
            r#"{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":4}"#,
            Some([9, 4, 0, 1, 0]),
        );
        // xAI
        check(
            r#"{"prompt_tokens":9,"completion_tokens":1,"total_tokens":30,
                "completion_tokens_details":{"reasoning_tokens":20}}"#,
            Some([9, 0, 0, 21, 20]),
        );
    }

    #[test]
    fn embeddings_have_only_input() {
        check(r#"{"prompt_tokens":8,"total_tokens":8}"#, Some([8, 0, 0, 0, 0]));
        check(r#"{"total_tokens":8}"#, Some([8, 0, 0, 0, 0]));
    }

    #[test]
    fn odd_fields_do_not_hide_the_others_and_parts_do_not_exceed_totals() {
        check(
            r#"{"prompt_tokens":5,"completion_tokens":null,"prompt_tokens_details":"none",
                "completion_tokens_details":{"reasoning_tokens":7}}"#,
            Some([5, 0, 0, 0, 0]),
        );
        check(
            r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":9}}"#,
            Some([5, 4, 1, 1, 0]),
        );
    }

    #[test]
    fn what_is_no_usage_is_none() {
        for raw in
            ["{}", "null", "[]", r#"{"prompt_tokens":"x"}"#, r#"{"input_tokens":1}"#, "{", ""]
        {
            check(raw, None);
        }
    }
}
