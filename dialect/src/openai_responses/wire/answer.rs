//! An answer to a caller, and the events that tell it.

use super::{Annotation, Content, Item, Summary};
use crate::{json::Json, translate::Thread};
use domain::tokens::Tokens;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// What an answer repeats of its request, and what stands there if the caller said nothing.
const ECHOED: [(&str, &str); 21] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    // Nothing is kept of what was translated.
    ("store", "false"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("presence_penalty", "0.0"),
    ("frequency_penalty", "0.0"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
    ("metadata", "{}"),
];

/// What an answer repeats of its request.
#[derive(Debug)]
pub(in crate::openai_responses) struct Echo(Vec<(&'static str, Json)>);

impl Echo {
    /// What the answer to this request repeats.
    pub(in crate::openai_responses) fn of(thread: &Thread) -> Self {
        let value = |name: &str, default: &str| {
            let said = thread.echo.iter().find(|(it, _)| it == name).map(|(_, value)| value);
            said.cloned().or_else(|| Json::parse(default))
        };
        let fields = ECHOED.into_iter();
        Self(fields.filter_map(|(name, default)| Some((name, value(name, default)?))).collect())
    }

    /// The names of the fields that may be repeated.
    pub(in crate::openai_responses) fn names() -> impl Iterator<Item = &'static str> {
        ECHOED.into_iter().map(|(name, _)| name)
    }
}

/// An answer, whole or on its way.
#[derive(Debug)]
pub(in crate::openai_responses) struct Response<'a> {
    pub(in crate::openai_responses) id: &'a str,
    /// In seconds since the Unix epoch.
    pub(in crate::openai_responses) created_at: u64,
    pub(in crate::openai_responses) status: &'static str,
    pub(in crate::openai_responses) error: Option<ErrorObject<'a>>,
    pub(in crate::openai_responses) incomplete_details: Option<Incomplete>,
    pub(in crate::openai_responses) model: &'a str,
    pub(in crate::openai_responses) output: &'a [Item<'a>],
    pub(in crate::openai_responses) usage: Option<Usage>,
    pub(in crate::openai_responses) service_tier: &'static str,
    pub(in crate::openai_responses) echo: &'a Echo,
}

impl Serialize for Response<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            id,
            created_at,
            status,
            error,
            incomplete_details,
            model,
            output,
            usage,
            service_tier,
            echo,
        } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("object", "response")?;
        map.serialize_entry("created_at", created_at)?;
        map.serialize_entry("status", status)?;
        // Nobody here knows the time.
        map.serialize_entry("completed_at", &None::<u64>)?;
        map.serialize_entry("error", error)?;
        map.serialize_entry("incomplete_details", incomplete_details)?;
        map.serialize_entry("model", model)?;
        map.serialize_entry("output", output)?;
        map.serialize_entry("service_tier", service_tier)?;
        map.serialize_entry("usage", usage)?;
        for (name, value) in &echo.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Why an answer failed.
#[derive(Debug, Clone, Serialize)]
pub(in crate::openai_responses) struct ErrorObject<'a> {
    pub(in crate::openai_responses) code: &'a str,
    pub(in crate::openai_responses) message: &'a str,
}

/// Why an answer ended early.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::openai_responses) struct Incomplete {
    pub(in crate::openai_responses) reason: &'static str,
}

/// What was used.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::openai_responses) struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct InputDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Self {
            input_tokens: tokens.input,
            input_tokens_details: InputDetails {
                cached_tokens: tokens.cached_input,
                cache_write_tokens: tokens.cache_write,
            },
            output_tokens: tokens.output,
            output_tokens_details: OutputDetails { reasoning_tokens: tokens.reasoning },
            total_tokens: tokens.total(),
        }
    }
}

/// What an event says besides its name and number; each event only some of it.
#[derive(Debug, Default, Serialize)]
pub(in crate::openai_responses) struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) item: Option<&'a Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) part: Option<Piece<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) annotation: Option<&'a Annotation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::openai_responses) logprobs: Option<&'a Json>,
}

/// A piece of an item.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::openai_responses) enum Piece<'a> {
    Content(&'a Content<'a>),
    Summary(&'a Summary<'a>),
}
