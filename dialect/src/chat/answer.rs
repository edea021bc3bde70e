//! The common form of an answer that came whole, and of one that went wrong.

use super::Part;
use crate::{error::ErrorKind, json::Json};
use domain::tokens::Tokens;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// What the provider calls it; empty if it says nothing.
    pub id: String,
    /// The model that answered, in the provider's words.
    pub model: String,
    /// When, in seconds since the Unix epoch.
    pub created: Option<u64>,
    /// What was said: one for each answer that was asked for.
    pub choices: Vec<Choice>,
    /// What was used; `None`: not told.
    pub usage: Option<Tokens>,
    /// The tier that served it, in the provider's words.
    pub tier: Option<String>,
}

/// One of the answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What was said: texts, refusals, thoughts, calls.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: Stop,
    /// OpenAI's `logprobs.content`: an array of tokens.
    pub logprobs: Option<Json>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// All was said.
    End,
    /// A text came upon which it had to end: this one, if it is known.
    Sequence(Option<String>),
    /// It reached its maximum of output, or the end of the context.
    Length,
    /// The model waits for what its calls give.
    Calls,
    /// The model, or a filter, refused.
    Refused,
    /// A long turn was paused; the caller is to send it back (Anthropic's `pause_turn`).
    Paused,
    /// It went wrong; the provider's own word for it.
    Failed(String),
}

/// An upstream's error, in no dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of error.
    pub kind: ErrorKind,
    /// In the upstream's words, verbatim.
    pub message: String,
    /// OpenAI's `code`, or what comes nearest to it.
    pub code: Option<String>,
    /// The field to blame.
    pub param: Option<String>,
}
