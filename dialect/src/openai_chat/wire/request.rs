//! A request as it is written for a provider.

use super::ToolCall;
use crate::{chat::CacheMark, json::Json};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// The body.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: Vec<Message<'a>>,
    #[serde(flatten)]
    pub(crate) tooling: Tooling<'a>,
    #[serde(flatten)]
    pub(crate) sampling: Sampling<'a>,
    /// The bound of the answer, under the name that the endpoint has for it.
    #[serde(flatten)]
    pub(crate) cap: BTreeMap<&'a str, u64>,
    #[serde(flatten)]
    pub(crate) wishes: Wishes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<CacheControl<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_options: Option<StreamOptions>,
}

/// Whether it is not worth saying.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What a stream shall tell besides.
#[derive(Debug, Serialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
}

/// What the model may call.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tooling<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parallel_tool_calls: Option<bool>,
}

/// How words are chosen.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Sampling<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<i64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logit_bias: Option<&'a Json>,
}

/// What else is asked for.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Wishes<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verbosity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<bool>,
}

/// A message.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_call_id: Option<&'a str>,
    pub(crate) content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasoning_details: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<ToolCall<'a>>,
}

/// What a message says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Content<'a> {
    /// One text.
    Text(Cow<'a, str>),
    /// Pieces of all kinds.
    Pieces(Vec<Piece<'a>>),
}

/// A part of a message; one of its fields says what it is.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Piece<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image_url: Option<ImageUrl<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_audio: Option<InputAudio<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<CacheControl<'a>>,
}

impl<'a> Piece<'a> {
    /// A text.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind: "text", text: Some(text.into()), ..Self::default() }
    }
}

/// A picture, at its address or in it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ImageUrl<'a> {
    pub(crate) url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<&'static str>,
}

/// Sound, in base64.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputAudio<'a> {
    pub(crate) data: &'a str,
    pub(crate) format: &'static str,
}

/// A file, in an address that holds it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct File<'a> {
    pub(crate) filename: Cow<'a, str>,
    pub(crate) file_data: String,
}

/// Anthropic's mark, where it is understood.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CacheControl<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> CacheControl<'a> {
    /// The mark as it is written.
    pub(crate) fn of(mark: &'a CacheMark) -> Self {
        // Anthropic knows no other lives than these.
        let ttl = mark.ttl.as_deref().filter(|it| matches!(*it, "5m" | "1h"));
        Self { kind: "ephemeral", ttl }
    }
}

/// A tool.
#[derive(Debug, Serialize)]
pub(crate) struct Tool<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<Custom<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<CacheControl<'a>>,
}

/// A function.
#[derive(Debug, Serialize)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'a str>,
    pub(crate) parameters: Cow<'a, Json>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) strict: bool,
}

/// A tool that takes free text.
#[derive(Debug, Serialize)]
pub(crate) struct Custom<'a> {
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<Json>,
}

/// A choice among tools.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Choice<'a> {
    /// `auto`, `none` or `required`.
    Word(&'static str),
    /// One tool.
    One(Chosen<'a>),
    /// Some of the tools.
    Allowed {
        /// `allowed_tools`.
        #[serde(rename = "type")]
        kind: &'static str,
        /// Which.
        allowed_tools: Allowed<'a>,
    },
}

/// Some of the tools, and whether one has to be called.
#[derive(Debug, Serialize)]
pub(crate) struct Allowed<'a> {
    pub(crate) mode: &'static str,
    pub(crate) tools: Vec<Chosen<'a>>,
}

/// A tool by its name.
#[derive(Debug, Serialize)]
pub(crate) struct Chosen<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function: Option<Name<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<Name<'a>>,
}

/// What a tool is called.
#[derive(Debug, Serialize)]
pub(crate) struct Name<'a> {
    pub(crate) name: &'a str,
}

/// The form of the answer.
#[derive(Debug, Serialize)]
pub(crate) struct Format<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json_schema: Option<Schema<'a>>,
}

/// A schema for the answer.
#[derive(Debug, Serialize)]
pub(crate) struct Schema<'a> {
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'a str>,
    pub(crate) schema: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strict: Option<bool>,
}
