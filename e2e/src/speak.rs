//! A caller that speaks any dialect: asks in its words, and hears its answers, whole or
//! streamed, as strictly as the official SDKs do.
//!
//! The model's turn is kept as it came, because callers send it back as it came.

mod anthropic;
mod gemini;
mod openai;
mod responses;

use crate::caller::{Answered, Caller, Event};
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

/// What is spoken, by callers and by providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// OpenAI's chat completions.
    OpenAi,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's generated content.
    Gemini,
}

impl Speech {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Responses, Self::Anthropic, Self::Gemini];

    /// As ledgers and settings write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// A tool that the model may call.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

/// What was said so far, one turn after the other.
#[derive(Debug, Clone)]
pub enum Turn {
    /// The user's words.
    User(String),
    /// The user's words with a picture: its kind and its base64.
    Picture(String, &'static str, String),
    /// The model's turn, as it came.
    Model(Value),
    /// What the tools answered.
    Results(Vec<(Call, String)>),
}

/// What is asked, in no dialect yet.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The model.
    pub model: String,
    /// What the system says.
    pub system: Option<String>,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// The tools.
    pub tools: Vec<Tool>,
    /// The JSON schema that the answer is to fit.
    pub shape: Option<Value>,
    /// Whether the model is to think where it can be seen.
    pub thinks: bool,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Fields of the dialect itself.
    pub more: Map<String, Value>,
}

impl Ask {
    /// The user's words to a model.
    pub fn new(model: &str, text: &str) -> Self {
        let turns = vec![Turn::User(text.to_owned())];
        Self { model: model.to_owned(), turns, ..Self::default() }
    }

    /// The same, as a stream or not.
    #[must_use]
    pub fn streamed(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// By which its result is matched; empty where the dialect needs none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
}

/// What an answer says that it used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// Part of them that came out of the prompt cache.
    pub cached: u64,
    /// All output tokens, thoughts included.
    pub output: u64,
}

/// What the model said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Its words.
    pub text: String,
    /// Its thoughts.
    pub thought: String,
    /// Its calls.
    pub calls: Vec<Call>,
    /// Why it ended, in the dialect's word.
    pub end: String,
    /// What was used.
    pub used: Used,
    /// The turn as it came, to be sent back.
    pub turn: Value,
}

/// What came of asking.
#[derive(Debug)]
pub struct Heard {
    /// The HTTP status.
    pub status: u16,
    /// The answer as it came.
    pub answered: Answered,
    /// What was said, up to the end.
    pub said: Result<Said>,
    /// The dialect's error in the body, or in the stream.
    pub error: Option<Value>,
}

impl Speech {
    /// Asks, and listens to the end.
    ///
    /// # Errors
    /// When the connection fails or breaks.
    pub async fn ask(self, caller: &Caller, ask: &Ask) -> Result<Heard> {
        let mut body = match self {
            Self::OpenAi => openai::body(ask),
            Self::Responses => responses::body(ask),
            Self::Anthropic => anthropic::body(ask),
            Self::Gemini => gemini::body(ask),
        };
        for (name, value) in &ask.more {
            body[name] = value.clone();
        }
        let path = match (self, ask.stream) {
            (Self::OpenAi, _) => "/v1/chat/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Anthropic, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{}:generateContent", ask.model),
            (Self::Gemini, true) => {
                format!("/v1beta/models/{}:streamGenerateContent?alt=sse", ask.model)
            }
        };
        let answered = caller.post(&path, &body).await?;
        let is_stream = answered.header("content-type").starts_with("text/event-stream");
        if answered.status == 200 && is_stream != ask.stream {
            let kind = answered.header("content-type").to_owned();
            anyhow::bail!("stream: {}, but the answer is {kind}", ask.stream);
        }
        let (said, error) = if is_stream {
            let events = events(&answered.text());
            let error = events.iter().find_map(|it| self.error_in(&it.json()));
            (self.whole(&events).and_then(|it| self.read(&it)), error)
        } else {
            let body = answered.json();
            (self.read(&body), self.error_in(&body))
        };
        let status = answered.status;
        Ok(Heard { status, said, error, answered })
    }

    fn whole(self, events: &[Event]) -> Result<Value> {
        match self {
            Self::OpenAi => openai::whole(events),
            Self::Responses => responses::whole(events),
            Self::Anthropic => anthropic::whole(events),
            Self::Gemini => gemini::whole(events),
        }
    }

    fn read(self, body: &Value) -> Result<Said> {
        match self {
            Self::OpenAi => openai::read(body),
            Self::Responses => responses::read(body),
            Self::Anthropic => anthropic::read(body),
            Self::Gemini => gemini::read(body),
        }
        .with_context(|| format!("in {body}"))
    }

    /// The error of the dialect's own shape; a null that stands for none is none.
    fn error_in(self, body: &Value) -> Option<Value> {
        let of = |it: &Value| (!it.is_null()).then(|| it.clone());
        match self {
            Self::OpenAi => of(&body["error"]).filter(|it| it.get("param").is_some()),
            Self::Responses if body["type"] == "error" => of(body),
            Self::Responses => of(&body["response"]["error"]).or_else(|| of(&body["error"])),
            Self::Anthropic => of(&body["error"]).filter(|_| body["type"] == "error"),
            Self::Gemini => of(&body["error"]).filter(|it| it["code"].is_u64()),
        }
    }

    /// How the dialect names that everything was said, and that tools are to be called.
    pub const fn ends(self) -> [&'static str; 2] {
        match self {
            Self::OpenAi => ["stop", "tool_calls"],
            Self::Responses => ["completed", "completed"],
            Self::Anthropic => ["end_turn", "tool_use"],
            Self::Gemini => ["STOP", "STOP"],
        }
    }
}

/// The events of a stream, however its lines end.
fn events(text: &str) -> Vec<Event> {
    let text = text.replace("\r\n", "\n");
    let blocks = text.split("\n\n").map(Event::parse);
    blocks.filter(|it| !it.data.is_empty()).collect()
}

/// The text at a field, which has to be one.
fn text_at<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("`{field}` is no text in {value}"))
}

/// The number at a field, which has to be one.
fn number_at(value: &Value, field: &str) -> Result<u64> {
    value[field].as_u64().with_context(|| format!("`{field}` is no number in {value}"))
}

/// The array at a field, which has to be one.
fn array_at<'a>(value: &'a Value, field: &str) -> Result<&'a [Value]> {
    let array = value[field].as_array();
    Ok(array.with_context(|| format!("`{field}` is no array in {value}"))?.as_slice())
}

/// Arguments written as a text.
fn arguments(text: &str) -> Result<Value> {
    let arguments: Value =
        serde_json::from_str(text).with_context(|| format!("arguments `{text}`"))?;
    ensure!(arguments.is_object(), "arguments `{text}` are no object");
    Ok(arguments)
}

/// An object without what is null in it.
fn said_only(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, it| !it.is_null());
    }
    value
}

/// A picture as a `data:` URL.
fn data_url(kind: &str, data: &str) -> Value {
    json!(format!("data:{kind};base64,{data}"))
}
