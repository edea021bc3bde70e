//! A request to a provider.

use super::Item;
use crate::json::Json;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// A request.
#[derive(Debug, Serialize)]
pub(in crate::openai_responses) struct Request<'a> {
    pub(in crate::openai_responses) model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) instructions: Option<&'a str>,
    pub(in crate::openai_responses) input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::openai_responses) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) text: Option<TextConfig<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::openai_responses) include: Vec<&'static str>,
    pub(in crate::openai_responses) store: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::openai_responses) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) metadata: Option<Pairs<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) service_tier: Option<&'a str>,
}

/// How much to think, and what to show of it.
#[derive(Debug, Serialize)]
pub(in crate::openai_responses) struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) summary: Option<&'static str>,
}

/// What form the answer shall have.
#[derive(Debug, Serialize)]
pub(in crate::openai_responses) struct TextConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) verbosity: Option<&'a str>,
}

/// A form of answers.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::openai_responses) enum TextFormat<'a> {
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a Json,
        strict: bool,
    },
}

/// What the model may call.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::openai_responses) enum Tool<'a> {
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Json,
        /// Always said: the default is another than everywhere else.
        strict: bool,
    },
    Custom {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<&'a Json>,
    },
    WebSearch {
        #[serde(skip_serializing_if = "Option::is_none")]
        filters: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        search_context_size: Option<Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Json>,
    },
}

/// What it has to call.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::openai_responses) enum Choice<'a> {
    Word(&'static str),
    One(AllowedTool<'a>),
    Allowed {
        #[serde(rename = "type")]
        kind: &'static str,
        mode: &'static str,
        tools: Vec<AllowedTool<'a>>,
    },
}

/// A tool that is referred to.
#[derive(Debug, Serialize)]
pub(in crate::openai_responses) struct AllowedTool<'a> {
    #[serde(rename = "type")]
    pub(in crate::openai_responses) kind: &'static str,
    pub(in crate::openai_responses) name: &'a str,
}

/// Names and values, in their order.
#[derive(Debug)]
pub(in crate::openai_responses) struct Pairs<'a>(pub(in super::super) &'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
