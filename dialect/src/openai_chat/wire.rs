//! OpenAI's JSON as it is written: calls, which requests and answers have in common.

pub(crate) mod answer;
pub(crate) mod request;

use super::SLOT;
use crate::{
    chat::{Call, CallInput, Opaque},
    translate::seal,
};
use serde::Serialize;

/// A call, or a piece of one.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ToolCall<'a> {
    /// Only in streams: its number, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<Custom<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extra_content: Option<Extra>,
}

/// What a function is called, and given.
#[derive(Debug, Serialize)]
pub(crate) struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) arguments: &'a str,
}

/// What a tool that takes free text is called, and given.
#[derive(Debug, Serialize)]
pub(crate) struct Custom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) input: &'a str,
}

/// What is not OpenAI's.
#[derive(Debug, Serialize)]
pub(crate) struct Extra {
    google: Google,
}

#[derive(Debug, Serialize)]
struct Google {
    thought_signature: String,
}

impl Extra {
    /// The state of a call, in the slot of Gemini's compatible path.
    pub(crate) fn of(opaque: Option<&Opaque>) -> Option<Self> {
        Some(Self { google: Google { thought_signature: seal(opaque?, SLOT) } })
    }
}

impl<'a> ToolCall<'a> {
    /// A whole call, of a tool that takes free text or of a function.
    pub(crate) fn whole(call: &'a Call, is_custom: bool) -> Self {
        let (name, input) = (Some(call.name.as_str()), input(call));
        let function = Function { name, arguments: input };
        let custom = is_custom.then_some(Custom { name, input });
        Self {
            index: None,
            id: Some(&call.id),
            kind: Some(if is_custom { "custom" } else { "function" }),
            function: (!is_custom).then_some(function),
            custom,
            extra_content: Extra::of(call.opaque.as_ref()),
        }
    }
}

/// What a call gives to its tool, as a text.
pub(crate) fn input(call: &Call) -> &str {
    match &call.input {
        CallInput::Json(json) => json.as_str(),
        CallInput::Text(text) => text,
    }
}
