//! The common form of a conversation. Every dialect is read into it and written from it.
//!
//! Holds the meaning of all dialects together, in none of their words; knows no JSON but
//! what it carries unread. Who writes it takes it apart by name, so that a new field
//! cannot be overlooked.

pub mod answer;
pub mod content;
pub mod event;
mod sources;
pub mod tool;

pub use answer::{Answer, Choice, Failure, Stop};
pub use content::{
    CacheMark, Call, CallInput, CallResult, Citation, Content, Detail, Document, Image, Opaque,
    Part, Role, Source, Text, Thinking, Turn,
};
pub use event::{Block, Delta, Event, Start, Step};
pub use sources::Medium;
pub use tool::{Tool, ToolChoice, ToolKind};

use crate::json::Json;
use std::collections::HashSet;

/// A conversation to be continued.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// What the caller wrote in `model` (or in the path).
    pub model: String,
    /// What the system says before the first turn: one part a message or block, only texts.
    pub instructions: Vec<Part>,
    /// The conversation. Turns of one role may follow each other.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether and what it has to call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once; `None`: the provider's default, which is yes.
    pub parallel_calls: Option<bool>,
    /// How words are chosen.
    pub sampling: Sampling,
    /// Most output tokens, thoughts included.
    pub max_output: Option<u64>,
    /// How many answers; `None`: one.
    pub answers: Option<u32>,
    /// Whether the logarithms of probabilities are wanted, and of how many other tokens.
    pub logprobs: Option<u32>,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// What form the answer shall have; `None`: text.
    pub format: Option<Format>,
    /// How wordy the answer shall be: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Whether the stream shall tell its usage (only OpenAI chat asks for it).
    pub stream_usage: bool,
    /// Who the caller's user is, as an opaque text.
    pub user: Option<String>,
    /// The caller's own notes on the request.
    pub metadata: Vec<(String, String)>,
    /// How urgent it is.
    pub tier: Option<Tier>,
    /// A mark of the cache at the end of everything (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheMark>,
    /// What requests with the same beginning have in common (OpenAI's `prompt_cache_key`).
    pub cache_key: Option<String>,
    /// Whether the provider shall keep the answer; `None`: its default.
    pub store: Option<bool>,
    /// What is searched in the web by the provider itself, if it may; the options as the
    /// caller wrote them.
    pub web_search: Option<Json>,
    /// The request's own fields as they came, for a dialect whose answer repeats them
    /// (OpenAI responses); in their order.
    pub echo: Vec<(String, Json)>,
}

impl Request {
    /// The names of the tools that a caller allows; `None`: it names none, and all are allowed.
    pub(crate) fn allowed_tools(&self) -> Option<HashSet<&str>> {
        match self.tool_choice.as_ref()? {
            ToolChoice::Allowed { names, .. } => Some(names.iter().map(String::as_str).collect()),
            ToolChoice::Auto | ToolChoice::None | ToolChoice::Required | ToolChoice::One { .. } => {
                None
            }
        }
    }

    /// Whether there is nothing in it but empty texts and thoughts.
    pub(crate) fn says_nothing(&self) -> bool {
        let parts = self.turns.iter().flat_map(|it| &it.parts);
        self.instructions
            .iter()
            .chain(parts)
            .all(|it| matches!(it.content, Content::Thinking(_)) || it.as_text() == Some(""))
    }
}

/// How words are chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// 0 to 2, at Anthropic to 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// Only so many most likely tokens.
    pub top_k: Option<u64>,
    /// −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// −2 to 2.
    pub presence_penalty: Option<f64>,
    /// For answers that can be had again.
    pub seed: Option<i64>,
    /// Texts upon which the answer ends.
    pub stop: Vec<String>,
    /// Token → bias.
    pub logit_bias: Option<Json>,
}

/// How much to think before answering.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasoning {
    /// In words.
    pub effort: Option<Effort>,
    /// In tokens. Stands beside `effort` only where a caller gave both.
    pub budget: Option<Budget>,
    /// What the caller wants to read of it; `None`: the dialect's default.
    pub show: Option<Show>,
    /// Whether the caller wants to have the opaque state back, to send it along next time
    /// (OpenAI responses: `include: ["reasoning.encrypted_content"]`; others always give it).
    pub wants_opaque: bool,
}

/// How much effort, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// No thoughts.
    None,
    /// As few as can be.
    Minimal,
    /// Few.
    Low,
    /// Some.
    Medium,
    /// Many.
    High,
    /// More than many.
    XHigh,
    /// As many as can be.
    Max,
}

impl Effort {
    /// Every effort, the least first.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// OpenAI's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of this name, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text))
    }

    /// About how many tokens of thought it stands for, where only tokens can be said.
    pub const fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 2_048,
            Self::High => 4_096,
            Self::XHigh => 8_192,
            Self::Max => 16_384,
        }
    }

    /// The effort that comes nearest to a budget, where only words can be said.
    pub const fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=1_535 => Self::Low,
            1_536..=3_071 => Self::Medium,
            3_072..=6_143 => Self::High,
            6_144..=12_287 => Self::XHigh,
            _ => Self::Max,
        }
    }
}

/// A budget of thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// The model decides by itself (Anthropic's `adaptive`, Gemini's −1).
    Auto,
    /// So many tokens; 0: no thoughts.
    Tokens(u64),
}

/// What a caller wants to read of the thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Nothing.
    Nothing,
    /// A summary, or what the provider gives.
    Summary,
}

/// What form an answer shall have.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Some JSON object.
    Json,
    /// JSON of this schema.
    Schema {
        /// Its name, where the caller gave one.
        name: Option<String>,
        /// For the model.
        description: Option<String>,
        /// The JSON schema.
        schema: Json,
        /// Whether it has to be kept to the letter; `None`: the dialect's default.
        strict: Option<bool>,
    },
}

/// How urgent a request is, and how dear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tier {
    /// The provider, or the account's settings, decide.
    Auto,
    /// The usual.
    Standard,
    /// Cheaper and later.
    Flex,
    /// Dearer and sooner.
    Priority,
    /// Another word of some provider.
    Other(String),
}
