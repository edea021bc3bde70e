//! The JSON of legacy completions, whole and in chunks.

use crate::{
    chat::Stop,
    openai_chat::wire::answer::{Usage, finish_reason},
};
use serde::Serialize;

/// A whole answer, or a chunk of one.
#[derive(Debug, Serialize)]
pub(super) struct Completion<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [Choice<'a>],
    /// In streams `null` in all chunks but the last, for callers that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<Usage>>,
}

/// One of the answers, or a piece of it.
#[derive(Debug, Serialize)]
pub(super) struct Choice<'a> {
    /// Never `null`: clients put it together.
    pub(super) text: &'a str,
    pub(super) index: u32,
    /// Never known here.
    logprobs: (),
    pub(super) finish_reason: Option<&'static str>,
}

impl<'a> Choice<'a> {
    /// A text of this answer.
    pub(super) const fn new(index: u32, text: &'a str, stop: Option<&'static str>) -> Self {
        Self { text, index, logprobs: (), finish_reason: stop }
    }
}

/// The word for why it ended; calls, for which there is no word, nobody can have asked for.
pub(super) fn stop(stop: &Stop) -> &'static str {
    finish_reason(stop, "stop").0
}
