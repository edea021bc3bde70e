//! What an answer says of its usage and of its end, in each dialect.

use super::{anthropic, bedrock, gemini, openai, responses};
use crate::skim::Found;
use domain::{catalog::Dialect, tokens::Tokens};

/// A dialect's way to say it.
#[derive(Debug)]
pub(super) enum Reader {
    OpenAi(openai::Reader),
    Responses(responses::Reader),
    Anthropic(anthropic::Reader),
    Gemini(gemini::Reader),
    Bedrock(bedrock::Reader),
}

/// What was made of an event, or of a whole body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// It is a chunk that is only about usage.
    pub(super) is_only_usage: bool,
    /// It tells an error in its dialect's own way.
    pub(super) is_error: bool,
}

impl Reader {
    pub(super) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAi => Self::OpenAi(openai::Reader::default()),
            Dialect::OpenAiResponses => Self::Responses(responses::Reader::default()),
            Dialect::Anthropic => Self::Anthropic(anthropic::Reader::default()),
            Dialect::Gemini => Self::Gemini(gemini::Reader::default()),
            Dialect::Bedrock => Self::Bedrock(bedrock::Reader::default()),
        }
    }

    pub(super) fn read(&mut self, found: &Found) -> Read {
        match self {
            Self::OpenAi(it) => Read { is_only_usage: it.read(found), ..Read::default() },
            Self::Responses(it) => Read { is_error: it.read(found), ..Read::default() },
            Self::Anthropic(it) => {
                it.read(found);
                Read::default()
            }
            Self::Gemini(it) => {
                it.read(found);
                Read::default()
            }
            Self::Bedrock(it) => {
                it.read(found);
                Read::default()
            }
        }
    }

    /// `[DONE]` has come, which only OpenAI's chats wait for.
    pub(super) const fn done(&mut self) {
        match self {
            Self::OpenAi(it) => it.done(),
            Self::Responses(_) | Self::Anthropic(_) | Self::Gemini(_) | Self::Bedrock(_) => {}
        }
    }

    /// What the provider calls the answer, where others may refer to it.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Responses(it) => Some(it.id()).filter(|it| !it.is_empty()),
            Self::OpenAi(_) | Self::Anthropic(_) | Self::Gemini(_) | Self::Bedrock(_) => None,
        }
    }

    pub(super) fn tokens(&self) -> Option<Tokens> {
        match self {
            Self::OpenAi(it) => it.tokens(),
            Self::Responses(it) => it.tokens(),
            Self::Anthropic(it) => it.tokens(),
            Self::Gemini(it) => it.tokens(),
            Self::Bedrock(it) => it.tokens(),
        }
    }

    /// Whether the answer is whole; `at_end`: its bytes ended in good order.
    pub(super) const fn is_done(&self, at_end: bool) -> bool {
        match self {
            Self::OpenAi(it) => it.is_done() || at_end && it.is_ended(),
            Self::Responses(it) => it.is_done(),
            Self::Anthropic(it) => it.is_done() || at_end && it.is_ended(),
            // Their streams have no mark of the end.
            Self::Gemini(it) => at_end && it.is_ended(),
            Self::Bedrock(it) => at_end && it.is_ended(),
        }
    }

    /// Whether a count that was told is not going to grow.
    pub(super) const fn is_told_whole(&self) -> bool {
        match self {
            Self::OpenAi(it) => it.is_told_whole(),
            Self::Responses(it) => it.is_done(),
            Self::Anthropic(it) => it.is_told_whole(),
            Self::Gemini(it) => it.is_ended(),
            Self::Bedrock(it) => it.is_ended(),
        }
    }
}
