//! Requests as Bedrock has them, in the order of its reference. A union is an object with
//! one field, which serde's externally tagged enums are.

use crate::json::Json;
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// A request to `Converse` or `ConverseStream`; the path says which, and names the model.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    pub(super) messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    pub(super) inference_config: InferenceConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Additional::is_empty")]
    pub(super) additional_model_request_fields: Additional,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) additional_model_response_field_paths: Vec<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) request_metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<Typed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<OutputConfig<'a>>,
}

/// An object that only says of which type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Typed {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// A turn of one side.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: Side,
    pub(super) content: Vec<Block<'a>>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    User,
    Assistant,
}

/// A piece of a turn, of the system's words, or of a result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'a> {
    Text(Cow<'a, str>),
    Image(Media<'a>),
    Document(Document<'a>),
    Audio(Media<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint),
    /// Only in results.
    Json(Json),
}

impl Block<'_> {
    pub(super) const fn is_result(&self) -> bool {
        matches!(self, Self::ToolResult(_))
    }

    pub(super) const fn is_call(&self) -> bool {
        matches!(self, Self::ToolUse(_))
    }

    pub(super) const fn is_thinking(&self) -> bool {
        matches!(self, Self::ReasoningContent(_))
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(super) const fn is_document(&self) -> bool {
        matches!(self, Self::Document(_))
    }
}

/// Where a prompt is worth keeping up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CachePoint {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<&'static str>,
}

/// A picture or a sound.
#[derive(Debug, Serialize)]
pub(super) struct Media<'a> {
    pub(super) format: &'static str,
    pub(super) source: Source<'a>,
}

/// Where its bytes are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source<'a> {
    /// In base64.
    Bytes(Cow<'a, str>),
    S3Location {
        uri: &'a str,
    },
}

/// A file that is read.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    pub(super) format: &'static str,
    pub(super) name: String,
    pub(super) source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) citations: Option<Enabled>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

/// The model calls a tool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'a> {
    pub(super) tool_use_id: &'a str,
    pub(super) name: &'a str,
    pub(super) input: Cow<'a, Json>,
}

/// What a call gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult<'a> {
    pub(super) tool_use_id: &'a str,
    pub(super) content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
}

/// What the model thought.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InferenceConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'a str>,
}

impl InferenceConfig<'_> {
    fn is_empty(&self) -> bool {
        let Self { max_tokens, temperature, top_p, stop_sequences } = self;
        max_tokens.is_none()
            && temperature.is_none()
            && top_p.is_none()
            && stop_sequences.is_empty()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    pub(super) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<ToolChoice<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Tool<'a> {
    ToolSpec(ToolSpec<'a>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolSpec<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    pub(super) input_schema: InputSchema<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) strict: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct InputSchema<'a> {
    pub(super) json: Cow<'a, Json>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ToolChoice<'a> {
    Auto {},
    Any {},
    Tool { name: &'a str },
}

/// What only some families know, in their own words.
#[derive(Debug, Default, Serialize)]
pub(super) struct Additional {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<Effort>,
    /// OpenAI's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_effort: Option<&'static str>,
    /// Nova's.
    #[serde(rename = "inferenceConfig", skip_serializing_if = "Option::is_none")]
    pub(super) inference_config: Option<TopK>,
}

impl Additional {
    const fn is_empty(&self) -> bool {
        let Self { top_k, thinking, output_config, reasoning_effort, inference_config } = self;
        top_k.is_none()
            && thinking.is_none()
            && output_config.is_none()
            && reasoning_effort.is_none()
            && inference_config.is_none()
    }
}

/// Anthropic's `thinking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Thinking {
    Enabled { budget_tokens: u64 },
    Adaptive,
    Disabled,
}

/// Anthropic's `output_config`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Effort {
    pub(super) effort: &'static str,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TopK {
    pub(super) top_k: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfig<'a> {
    pub(super) text_format: TextFormat<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct TextFormat<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) structure: Structure<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Structure<'a> {
    JsonSchema {
        /// The schema as a text.
        schema: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
    },
}
