//! The JSON that is written: the blocks of messages, and what requests hold besides. The
//! fields stand in the order in which Anthropic documents them.

use crate::{
    chat::{CacheMark, CallInput, Citation},
    json::{Fields, Json},
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A block of a message.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    /// Words.
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<WebCitation<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    /// A picture.
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    /// A file.
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Enabled>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    /// Thoughts, signed.
    Thinking { thinking: &'a str, signature: Cow<'a, str> },
    /// Thoughts that nobody may read.
    RedactedThinking { data: Cow<'a, str> },
    /// A call.
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Cow<'a, Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    /// What a call gave.
    ToolResult {
        tool_use_id: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "is_false")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
}

impl<'a> Block<'a> {
    /// A text without anything else.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text { text: text.into(), citations: Vec::new(), cache_control: None }
    }

    /// Where a mark of the cache stands, if it can bear one.
    pub(super) const fn cache(&mut self) -> Option<&mut Option<CacheControl<'a>>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => None,
        }
    }

    /// Whether it is thoughts.
    pub(super) const fn is_thinking(&self) -> bool {
        match self {
            Self::Thinking { .. } | Self::RedactedThinking { .. } => true,
            Self::Text { .. }
            | Self::Image { .. }
            | Self::Document { .. }
            | Self::ToolUse { .. }
            | Self::ToolResult { .. } => false,
        }
    }
}

/// For `skip_serializing_if`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
pub(super) const fn is_false(it: &bool) -> bool {
    !*it
}

/// Where the bytes of a picture or a file are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    /// Here, in base64.
    Base64 { media_type: &'static str, data: &'a str },
    /// At an address.
    Url { url: &'a str },
    /// Here, as text.
    Text { media_type: &'static str, data: Cow<'a, str> },
}

/// Whether something is on.
#[derive(Debug, Serialize)]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

/// A mark of the cache.
#[derive(Debug, Serialize)]
pub(super) struct CacheControl<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> CacheControl<'a> {
    /// The caller's mark; its time if Anthropic knows it.
    pub(super) fn new(mark: &'a CacheMark) -> Self {
        let ttl = mark.ttl.as_deref().filter(|it| ["5m", "1h"].contains(it));
        Self { kind: "ephemeral", ttl }
    }
}

/// A page in the web that a text quotes.
#[derive(Debug, Serialize)]
pub(super) struct WebCitation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    cited_text: &'a str,
    /// What Anthropic would find the page by again; others have nothing like it.
    encrypted_index: &'static str,
    title: Option<&'a str>,
    url: &'a str,
}

impl<'a> WebCitation<'a> {
    /// A citation of another provider.
    pub(super) fn new(citation: &'a Citation) -> Self {
        let Citation { url, title, quote, range: _ } = citation;
        Self {
            kind: "web_search_result_location",
            cited_text: quote.as_deref().unwrap_or_default(),
            encrypted_index: "",
            title: title.as_deref(),
            url,
        }
    }
}

/// A citation, if it is of a page in the web; others point into documents by number.
pub(super) fn web_citation(raw: &RawValue) -> Option<Citation> {
    let fields = Fields::parse(raw.get()).ok()?;
    let place = match fields.text("type").as_deref() {
        Some("web_search_result_location") => "url",
        Some("search_result_location") => "source",
        _ => return None,
    };
    let text = |name| fields.text(name).map(Cow::into_owned);
    let url = text(place).filter(|it| it.starts_with("http"))?;
    Some(Citation { url, title: text("title"), quote: text("cited_text"), range: None })
}

/// What a call is given, as the object that Anthropic wants; and whether it was one.
pub(super) fn input(input: &CallInput) -> (Cow<'_, Json>, bool) {
    match input {
        CallInput::Json(json) if json.is_object() => (Cow::Borrowed(json), true),
        CallInput::Json(json) => (Cow::Owned(raw_input(json.as_str())), false),
        CallInput::Text(text) if text.trim().is_empty() => (Cow::Owned(Json::empty_object()), true),
        CallInput::Text(text) => match Json::parse(text.trim()).filter(Json::is_object) {
            Some(json) => (Cow::Owned(json), true),
            None => (Cow::Owned(raw_input(text)), false),
        },
    }
}

fn raw_input(text: &str) -> Json {
    Json::of(&serde_json::json!({ "_raw": text }))
}

/// A message of a request.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: Side,
    pub(super) content: Vec<Block<'a>>,
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    /// The caller's.
    User,
    /// The model's.
    Assistant,
}

/// A request.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    pub(super) model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<CacheControl<'a>>,
}

/// What the model may call.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Tool<'a> {
    /// The caller's own.
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Cow<'a, Json>,
        #[serde(skip_serializing_if = "is_false")]
        strict: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    /// The provider's search of the web.
    WebSearch {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_uses: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        allowed_domains: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        blocked_domains: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Place>,
    },
}

/// About where a user is.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timezone: Option<String>,
}

/// Whether and what the model has to call.
#[derive(Debug, Serialize)]
pub(super) struct ToolChoice<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) disable_parallel_tool_use: bool,
}

/// How much to think.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    /// So many tokens.
    Enabled { budget_tokens: u64 },
    /// As the model likes.
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    /// Not at all.
    Disabled,
}

/// How the answer shall be.
#[derive(Debug, Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<OutputFormat<'a>>,
}

/// What form the answer shall have.
#[derive(Debug, Serialize)]
pub(super) struct OutputFormat<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) schema: &'a Json,
}

/// For whom the request is.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) user_id: &'a str,
}
