//! Usage and the end of Gemini's answers.

use super::count::{Count, clamped};
use crate::skim::Found;
use domain::tokens::Tokens;
use serde::Deserialize;

/// What an answer of Gemini's has said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Each chunk counts all so far: the last one holds.
    last: Option<Tokens>,
    ended: bool,
}

impl Reader {
    /// Reads a chunk, or a whole body.
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
    let prompt = usage.prompt_token_count.0;
    if prompt.is_none() && usage.candidates_token_count.0.is_none() {
        return None;
    }
    let thoughts = usage.thoughts_token_count.or_zero();
    let tools = usage.tool_use_prompt_token_count.or_zero();
    Some(clamped(Tokens {
        input: prompt.unwrap_or(0).saturating_add(tools),
        cached_input: usage.cached_content_token_count.or_zero(),
        cache_write: 0,
        output: usage.candidates_token_count.or_zero().saturating_add(thoughts),
        reasoning: thoughts,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Usage {
    /// Cached input included; what tools put into the prompt is not.
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    cached_content_token_count: Count,
    /// Thoughts are not included.
    candidates_token_count: Count,
    thoughts_token_count: Count,
}
