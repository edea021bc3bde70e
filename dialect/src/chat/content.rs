//! What turns are made of.

use crate::json::Json;
use domain::catalog::Dialect;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Whose it is.
    pub role: Role,
    /// A name that tells participants of one role apart.
    pub name: Option<String>,
    /// What is said, in order. Results of calls stand in turns of the user.
    pub parts: Vec<Part>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The caller's.
    User,
    /// The model's.
    Assistant,
    /// Instructions in the middle of a conversation. They stay where they are.
    System,
}

/// A piece of what is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Whether the prompt is worth keeping in a cache up to here.
    pub cache: Option<CacheMark>,
}

impl Part {
    /// A piece that is no end of a cached beginning.
    pub const fn new(content: Content) -> Self {
        Self { content, cache: None }
    }

    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text(Text { text: text.into(), citations: Vec::new() }))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Content::Text(it) = &self.content { Some(&it.text) } else { None }
    }
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Words.
    Text(Text),
    /// The model's words that it will not do it.
    Refusal(String),
    /// A picture.
    Image(Image),
    /// Sound: its media type, such as `audio/wav`, and its bytes in base64.
    Audio {
        /// Its media type.
        mime: String,
        /// In base64.
        data: String,
    },
    /// A file that is read, such as a PDF.
    Document(Document),
    /// What the model thought.
    Thinking(Thinking),
    /// The model calls a tool.
    Call(Call),
    /// What a call gave.
    Result(CallResult),
}

/// Words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    /// The words.
    pub text: String,
    /// Where they are from.
    pub citations: Vec<Citation>,
}

/// Where some words are from: a page in the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// The page.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// What is quoted of it.
    pub quote: Option<String>,
    /// Which characters of the text it is about, from and to, where that is known.
    pub range: Option<(u64, u64)>,
}

/// Where the bytes of a picture or a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Here, in base64 (the standard alphabet, padded).
    Base64 {
        /// Media type, such as `image/png`.
        mime: String,
        /// The bytes.
        data: String,
    },
    /// At an address, `http(s)` or a provider's own.
    Url {
        /// The address.
        url: String,
        /// Media type, where the caller said it.
        mime: Option<String>,
    },
    /// Here, as plain text (documents only).
    Text(String),
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it is.
    pub source: Source,
    /// How closely it is looked at.
    pub detail: Option<Detail>,
}

/// How closely a picture is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detail {
    /// The provider decides.
    Auto,
    /// Little.
    Low,
    /// Well.
    High,
    /// As it is.
    Original,
}

/// A file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Where it is.
    pub source: Source,
    /// Its title or file name.
    pub title: Option<String>,
    /// What the model shall know of it besides.
    pub context: Option<String>,
    /// Whether the answer shall cite it.
    pub citations: bool,
}

/// What a model thought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thinking {
    /// As far as it may be read. Empty: it may not, or there is only the opaque state.
    pub text: String,
    /// What the provider wants back to go on from there.
    pub opaque: Option<Opaque>,
    /// Whether all of it is hidden in `opaque` (Anthropic's `redacted_thinking`).
    pub redacted: bool,
}

/// A provider's state, which only models of its family can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// In whose dialect it was given.
    pub origin: Dialect,
    /// As it was given there.
    pub data: String,
}

/// A model calls a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What its result refers to. Empty where the dialect has none: then results refer by
    /// order and name.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The tool's namespace (OpenAI responses).
    pub namespace: Option<String>,
    /// What the tool is given.
    pub input: CallInput,
    /// State that stands at the call (Gemini's `thoughtSignature`).
    pub opaque: Option<Opaque>,
}

/// What a tool is given.
#[derive(Debug, Clone, PartialEq)]
pub enum CallInput {
    /// A JSON object.
    Json(Json),
    /// Free text, for custom tools; also what a model meant for JSON and is none.
    Text(String),
}

/// What a call gave.
#[derive(Debug, Clone, PartialEq)]
pub struct CallResult {
    /// The call's id.
    pub call: String,
    /// The tool's name, where the dialect repeats it.
    pub name: Option<String>,
    /// Texts, pictures and files.
    pub parts: Vec<Part>,
    /// Whether the call failed.
    pub failed: bool,
    /// Whether it answers a call of a custom tool (OpenAI responses).
    pub custom: bool,
}

/// A mark in the prompt up to which it is worth keeping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheMark {
    /// How long, as the caller wrote it: `5m`, `1h`, `24h`.
    pub ttl: Option<String>,
}
