//! An answer as it is written for a caller, whole and in chunks.

use super::{Function, ToolCall};
use crate::{
    chat::{Citation, Stop},
    json::Json,
};
use domain::tokens::Tokens;
use serde::Serialize;

/// A whole answer.
#[derive(Debug, Serialize)]
pub(crate) struct Completion<'a> {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) created: u64,
    pub(crate) model: &'a str,
    pub(crate) choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_tier: Option<&'a str>,
}

/// One of the answers.
#[derive(Debug, Serialize)]
pub(crate) struct Choice<'a> {
    pub(crate) index: u32,
    pub(crate) message: Message<'a>,
    pub(crate) logprobs: Option<Logprobs<'a>>,
    pub(crate) finish_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) native_finish_reason: Option<&'a str>,
}

/// What was said. `content` and `refusal` are there even if they are `null`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) role: &'static str,
    pub(crate) content: Option<String>,
    pub(crate) refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasoning_details: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) annotations: Vec<Annotation<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<ToolCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_call: Option<Function<'a>>,
}

/// One chunk of a stream.
#[derive(Debug, Serialize)]
pub(crate) struct Chunk<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) created: u64,
    pub(crate) model: &'a str,
    pub(crate) choices: &'a [ChunkChoice<'a>],
    /// `null` in all chunks but the last, for callers that asked for it; nothing for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Option<Usage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_tier: Option<&'a str>,
}

/// What a chunk says of one of the answers.
#[derive(Debug, Serialize)]
pub(crate) struct ChunkChoice<'a> {
    pub(crate) index: u32,
    pub(crate) delta: Delta<'a>,
    pub(crate) logprobs: Option<Logprobs<'a>>,
    pub(crate) finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) native_finish_reason: Option<&'a str>,
}

/// What is new. Nothing of it stands in a chunk if it is not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_details: Option<[Json; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<[Annotation<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<[ToolCall<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_call: Option<Function<'a>>,
}

/// The logarithms of probabilities of what was said.
#[derive(Debug, Serialize)]
pub(crate) struct Logprobs<'a> {
    content: &'a Json,
    /// There always, and never known here.
    refusal: (),
}

impl<'a> Logprobs<'a> {
    /// Those of a text.
    pub(crate) const fn of(content: &'a Json) -> Self {
        Self { content, refusal: () }
    }
}

/// A source of what was said.
#[derive(Debug, Serialize)]
pub(crate) struct Annotation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url_citation: UrlCitation<'a>,
}

#[derive(Debug, Serialize)]
struct UrlCitation<'a> {
    start_index: u64,
    end_index: u64,
    title: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl<'a> Annotation<'a> {
    /// A source of the text that fills this range of what was said, in characters.
    pub(crate) fn of(citation: &'a Citation, text: (u64, u64)) -> Self {
        let Citation { url, title, quote, range } = citation;
        let within = |at: u64| text.0.saturating_add(at);
        // Clients want numbers: of what is not known it is the whole text.
        let (start_index, end_index) = range.map_or(text, |(from, to)| (within(from), within(to)));
        // A title is wanted as well.
        let title = title.as_deref().unwrap_or(url);
        let content = quote.as_deref();
        let url_citation = UrlCitation { start_index, end_index, title, url, content };
        Self { kind: "url_citation", url_citation }
    }
}

/// What was used.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: Prompt,
    completion_tokens_details: Output,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Prompt {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Output {
    reasoning_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// The counts in OpenAI's words: both totals include their parts.
    pub(crate) const fn of(tokens: Tokens) -> Self {
        let Tokens { input, cached_input, cache_write, output, reasoning } = tokens;
        Self {
            prompt_tokens: input,
            completion_tokens: output,
            total_tokens: tokens.total(),
            prompt_tokens_details: Prompt {
                cached_tokens: cached_input,
                cache_write_tokens: cache_write,
            },
            completion_tokens_details: Output { reasoning_tokens: reasoning },
        }
    }
}

/// OpenAI's word for why an answer ended, and the provider's own where it says more.
/// `calls` is the word for calls: that of tools, or of the functions of old.
pub(crate) fn finish_reason<'a>(
    stop: &'a Stop,
    calls: &'static str,
) -> (&'static str, Option<&'a str>) {
    match stop {
        Stop::End | Stop::Sequence(_) => ("stop", None),
        Stop::Length => ("length", None),
        Stop::Calls => (calls, None),
        Stop::Refused => ("content_filter", None),
        Stop::Paused => ("stop", Some("pause_turn")),
        Stop::Failed(word) => ("stop", Some(word)),
    }
}
