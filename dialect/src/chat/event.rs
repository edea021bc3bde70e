//! The common form of a streamed answer, twice: loose, as providers tell it, and in
//! strict order, as callers are told it. [`crate::translate`] makes one of the other.

use super::{Citation, Failure, Opaque, Part, Stop};
use crate::json::Json;
use domain::tokens::Tokens;

/// What a provider's stream says. Blocks are not opened or closed; calls may interleave.
/// `choice` counts answers, from 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something is coming. What is not known yet may come again in a later `Start`.
    Start(Start),
    /// A piece of text.
    Text {
        /// Of which answer.
        choice: u32,
        /// The piece; may be empty.
        text: String,
        /// OpenAI's `logprobs.content` for it.
        logprobs: Option<Json>,
    },
    /// A source of the current text.
    Cite {
        /// Of which answer.
        choice: u32,
        /// The source.
        citation: Citation,
    },
    /// A piece of a refusal.
    Refusal {
        /// Of which answer.
        choice: u32,
        /// The piece.
        text: String,
    },
    /// A piece of thought.
    Thinking {
        /// Of which answer.
        choice: u32,
        /// The piece.
        text: String,
    },
    /// The state of the thought that is being told; ends it. Without a thought before it:
    /// a thought of which nothing may be read.
    ThinkingState {
        /// Of which answer.
        choice: u32,
        /// The state.
        opaque: Opaque,
        /// Whether all of the thought is hidden in it (Anthropic's `redacted_thinking`).
        redacted: bool,
    },
    /// A call begins.
    CallStart {
        /// Of which answer.
        choice: u32,
        /// Tells the calls of one answer apart; any number.
        slot: u64,
        /// Its id; empty if the provider gives none.
        id: String,
        /// The tool.
        name: String,
        /// The tool's namespace.
        namespace: Option<String>,
        /// Whether its input is free text.
        custom: bool,
        /// State that stands at the call.
        opaque: Option<Opaque>,
    },
    /// A piece of a call's input.
    CallInput {
        /// Of which answer.
        choice: u32,
        /// Which call.
        slot: u64,
        /// A piece of JSON, or of free text.
        text: String,
    },
    /// A call is told whole.
    CallEnd {
        /// Of which answer.
        choice: u32,
        /// Which call.
        slot: u64,
    },
    /// What is being told is over, though the same may follow: a new block begins then.
    BlockEnd {
        /// Of which answer.
        choice: u32,
    },
    /// What was used so far, all of it; a later one replaces it.
    Usage(Tokens),
    /// The tier that serves it, in the provider's words.
    Tier(String),
    /// An answer ended, for this reason.
    Stop {
        /// Which answer.
        choice: u32,
        /// Why.
        stop: Stop,
    },
    /// The provider is still there.
    Ping,
    /// The provider told an error in the middle of its stream.
    Failed(Failure),
    /// The stream's own mark of its end.
    End,
}

/// What is known at the start of an answer; empty texts are not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// What the provider calls the answer.
    pub id: String,
    /// The model, in the provider's words.
    pub model: String,
    /// When, in seconds since the Unix epoch.
    pub created: Option<u64>,
    /// What is known of the usage already (Anthropic tells the input first).
    pub usage: Option<Tokens>,
}

/// What a caller's stream is told: in each answer one block after the other, each opened,
/// filled and closed. `Start` comes first and once; then `End` or `Failed` last and once.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The answer begins.
    Start(Start),
    /// A block begins.
    Open {
        /// Of which answer.
        choice: u32,
        /// Its number in that answer, from 0, without gaps.
        index: u32,
        /// What it is.
        block: Block,
    },
    /// More of the open block.
    Delta {
        /// Of which answer.
        choice: u32,
        /// The open block's number.
        index: u32,
        /// The piece.
        delta: Delta,
    },
    /// The open block is whole.
    Close {
        /// Of which answer.
        choice: u32,
        /// Its number.
        index: u32,
        /// All of it.
        whole: Part,
    },
    /// No more blocks come in this answer.
    Stop {
        /// Which answer.
        choice: u32,
        /// Why.
        stop: Stop,
    },
    /// The provider is still there.
    Ping,
    /// All is told, and this was used in all, if anybody said so.
    End {
        /// What was used.
        usage: Option<Tokens>,
        /// The tier that served it, in the provider's words.
        tier: Option<String>,
    },
    /// It went wrong; nothing more comes. Must not look like an end.
    Failed(Failure),
}

/// What a block is.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Words.
    Text,
    /// Words that it will not do it.
    Refusal,
    /// Thoughts.
    Thinking,
    /// Thoughts of which nothing may be read: the state is all there is.
    Redacted(Opaque),
    /// A call.
    Call {
        /// Its number among the answer's calls, from 0.
        number: u32,
        /// Its id; never empty.
        id: String,
        /// The tool, in the caller's words.
        name: String,
        /// The tool's namespace.
        namespace: Option<String>,
        /// Whether its input is free text.
        custom: bool,
        /// State that stands at the call.
        opaque: Option<Opaque>,
    },
}

/// A piece of a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Of a text.
    Text {
        /// The piece.
        text: String,
        /// OpenAI's `logprobs.content` for it.
        logprobs: Option<Json>,
    },
    /// A source of a text.
    Cite(Citation),
    /// Of a refusal.
    Refusal(String),
    /// Of thoughts.
    Thinking(String),
    /// The state of thoughts; the last piece of them.
    State(Opaque),
    /// Of a call's input.
    Input(String),
}
