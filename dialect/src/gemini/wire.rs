//! The JSON that is written, in the order in which Google documents it, and the ways in
//! which what is read may be spelt.

pub(crate) mod object;
pub(crate) mod state;

use crate::json::Json;
use domain::tokens::Tokens;
use serde::Serialize;
use std::borrow::Cow;

/// One turn, or the system's instruction, or an answer.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Content<'a> {
    /// What is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part<'a>>,
    /// `user` or `model`; instructions have none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) role: &'static str,
}

/// A piece of it: one of the first, and what stands at it.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part<'a> {
    /// Words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, str>>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inline_data: Option<Blob<'a>>,
    /// A file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_data: Option<File<'a>>,
    /// A call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_call: Option<FunctionCall<'a>>,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_response: Option<FunctionResponse<'a>>,
    /// Whether the words are thoughts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) thought: bool,
    /// The state of thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thought_signature: Option<Cow<'a, str>>,
}

impl<'a> Part<'a> {
    /// Plain words.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Thoughts.
    pub(crate) fn thought(text: impl Into<Cow<'a, str>>) -> Self {
        Self { thought: true, ..Self::text(text) }
    }

    /// A state that stands on no part of its own: on an empty text, as Gemini sends it.
    pub(crate) fn state(signature: impl Into<Cow<'a, str>>) -> Self {
        Self { thought_signature: Some(signature.into()), ..Self::text("") }
    }

    /// Bytes.
    pub(crate) fn bytes(mime: &'a str, data: &'a str) -> Self {
        let blob = Blob { mime_type: mime, data };
        Self { inline_data: Some(blob), ..Self::default() }
    }
}

/// Bytes of a media type, in base64.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blob<'a> {
    /// Its media type.
    pub(crate) mime_type: &'a str,
    /// In base64.
    pub(crate) data: &'a str,
}

/// A file that Google can get by itself.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct File<'a> {
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mime_type: Option<&'a str>,
    /// Its address.
    pub(crate) file_uri: &'a str,
}

/// A call.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FunctionCall<'a> {
    /// What its response refers to.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) id: &'a str,
    /// The function.
    pub(crate) name: &'a str,
    /// Always an object.
    pub(crate) args: Cow<'a, Json>,
}

/// What a call gave.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FunctionResponse<'a> {
    /// The call's id.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) id: &'a str,
    /// The function. Without it Google refuses the request.
    pub(crate) name: &'a str,
    /// Always an object.
    pub(crate) response: Cow<'a, Json>,
    /// Pictures and files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part<'a>>,
}

/// An answer, or a chunk of one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer<'a> {
    /// One for each answer that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) candidates: Vec<Candidate<'a>>,
    /// What was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage_metadata: Option<Usage>,
    /// The model that answered.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) model_version: &'a str,
    /// The same in all chunks: clients refuse a stream in which it changes.
    pub(crate) response_id: &'a str,
}

/// One of the answers.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Candidate<'a> {
    /// What is said.
    pub(crate) content: Content<'a>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<&'a str>,
    /// The provider's own word for it, where Google has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finish_message: Option<&'a str>,
    /// Its number.
    pub(crate) index: u32,
    /// Where it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grounding_metadata: Option<Grounding>,
    /// How likely it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logprobs_result: Option<Logprobs>,
}

/// Pages, and which words are from which.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Grounding {
    /// The pages.
    pub(crate) grounding_chunks: Vec<GroundingChunk>,
    /// The words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) grounding_supports: Vec<GroundingSupport>,
}

/// A page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GroundingChunk {
    /// In the web.
    pub(crate) web: Web,
}

/// A page in the web.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Web {
    /// Its address.
    pub(crate) uri: String,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
}

/// Some words and their pages.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroundingSupport {
    /// The words.
    pub(crate) segment: Segment,
    /// The pages, by number.
    pub(crate) grounding_chunk_indices: Vec<usize>,
}

/// Some words: from and to, in bytes of the part's UTF-8.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Segment {
    /// The part.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) part_index: u64,
    /// From.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) start_index: u64,
    /// To, not included.
    pub(crate) end_index: u64,
    /// The words themselves.
    pub(crate) text: String,
}

/// How likely tokens were.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Logprobs {
    /// Those that might have come, token by token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) top_candidates: Vec<TopCandidates>,
    /// Those that came.
    pub(crate) chosen_candidates: Vec<Logprob>,
}

/// The tokens that might have come in one place.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct TopCandidates {
    /// The tokens.
    pub(crate) candidates: Vec<Logprob>,
}

/// How likely a token was.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Logprob {
    /// The token.
    pub(crate) token: String,
    /// The logarithm.
    pub(crate) log_probability: f64,
}

/// What was used. Thoughts stand beside the candidates' tokens, not among them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached_content_token_count: u64,
    candidates_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    thoughts_token_count: u64,
    total_token_count: u64,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Self {
            prompt_token_count: tokens.input,
            cached_content_token_count: tokens.cached_input,
            candidates_token_count: tokens.output.saturating_sub(tokens.reasoning),
            thoughts_token_count: tokens.reasoning,
            total_token_count: tokens.total(),
        }
    }
}

const fn is_zero(count: &u64) -> bool {
    *count == 0
}
