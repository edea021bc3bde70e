//! How a dialect is called by those who do not know which one it is.
//!
//! Knows of each dialect only where its rooms are. [`voice`] is the one place that lists
//! them.

use super::{
    NoAnswer, Notes, Refused, Target, Thread, Unreadable,
    frames::{Frames, ServerSent},
};
use crate::chat;
use domain::catalog::Dialect;
use std::fmt::Debug;

/// A dialect that can be translated.
#[derive(Debug)]
pub(crate) struct Voice {
    /// As callers speak it; `None`: only providers do.
    pub(crate) caller: Option<Caller>,
    /// As providers speak it.
    pub(crate) provider: Provider,
}

/// What it takes to serve callers of a dialect.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Reads a request.
    pub(crate) read: fn(&[u8], &mut Notes) -> Result<chat::Request, Refused>,
    /// Writes an answer that is told whole.
    pub(crate) write_answer: fn(&chat::Answer, &Thread) -> Vec<u8>,
    /// Begins an answer that is told as a stream.
    pub(crate) writer: fn(&Thread) -> Box<dyn Writes>,
    /// Writes an error answer's body, with the request's id.
    pub(crate) write_error: fn(&chat::Failure, &str) -> Vec<u8>,
}

/// What it takes to ask providers of a dialect.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Writes a request.
    pub(crate) write: Write,
    /// Reads a successful answer that came whole.
    pub(crate) read_answer: fn(&[u8]) -> Result<chat::Answer, NoAnswer>,
    /// Begins to take a stream's bytes apart.
    pub(crate) frames: fn() -> Box<dyn Frames>,
    /// Begins to read what a stream's events say.
    pub(crate) reader: fn() -> Box<dyn Reads>,
    /// Reads an error answer, by its status and its body.
    pub(crate) read_error: fn(u16, &[u8]) -> chat::Failure,
}

/// Writes a request for a target. Remembers in the thread what its answer's writer needs.
type Write = fn(&chat::Request, &Target<'_>, &mut Thread, &mut Notes) -> Result<Vec<u8>, Refused>;

/// Reads the events of a provider's stream.
pub(crate) trait Reads: Send + Debug {
    /// What one event of this name, which may be empty, says.
    ///
    /// # Errors
    /// When it is nothing that the dialect knows how to say.
    fn push(
        &mut self,
        name: &str,
        data: &str,
        out: &mut Vec<chat::Event>,
    ) -> Result<(), Unreadable>;
}

/// Writes the events of a caller's stream.
pub(crate) trait Writes: Send + Debug {
    /// Tells one more step, in whole events or not at all.
    fn push(&mut self, step: &chat::Step, thread: &Thread, out: &mut Vec<u8>);
}

/// The frames of a provider who tells by server-sent events.
pub(crate) fn server_sent() -> Box<dyn Frames> {
    Box::<ServerSent>::default()
}

/// How to speak a dialect; `None`: it cannot be translated.
pub(crate) const fn voice(dialect: Dialect) -> Option<&'static Voice> {
    match dialect {
        Dialect::OpenAi => Some(&OPENAI),
        Dialect::OpenAiResponses => Some(&RESPONSES),
        Dialect::Anthropic => Some(&ANTHROPIC),
        Dialect::Gemini => Some(&GEMINI),
        Dialect::Bedrock => Some(&BEDROCK),
    }
}

/// The voice of a dialect whose folder has the usual furniture, told as server-sent
/// events on both sides.
macro_rules! furnished {
    ($name:ident, $($folder:ident)::+) => {
        static $name: $crate::translate::voice::Voice = $crate::translate::voice::Voice {
            caller: Some($crate::translate::voice::Caller {
                read: $($folder)::+::request::read,
                write_answer: $($folder)::+::response::write,
                writer: |thread| Box::new($($folder)::+::stream::Writer::new(thread)),
                write_error: $($folder)::+::error::write,
            }),
            provider: $crate::translate::voice::Provider {
                write: $($folder)::+::request::write,
                read_answer: |body| $($folder)::+::response::read(body).map_err(Into::into),
                frames: $crate::translate::voice::server_sent,
                reader: || Box::<$($folder)::+::stream::Reader>::default(),
                read_error: $($folder)::+::error::read,
            },
        };

        impl $crate::translate::voice::Reads for $($folder)::+::stream::Reader {
            fn push(
                &mut self,
                name: &str,
                data: &str,
                out: &mut Vec<$crate::chat::Event>,
            ) -> Result<(), $crate::translate::Unreadable> {
                Self::push(self, name, data, out)
            }
        }

        impl $crate::translate::voice::Writes for $($folder)::+::stream::Writer {
            fn push(
                &mut self,
                step: &$crate::chat::Step,
                thread: &$crate::translate::Thread,
                out: &mut Vec<u8>,
            ) {
                Self::push(self, step, thread, out);
            }
        }
    };
}
#[cfg(test)]
pub(crate) use furnished;

furnished!(OPENAI, crate::openai_chat);
furnished!(RESPONSES, crate::openai_responses);
furnished!(ANTHROPIC, crate::anthropic);
furnished!(GEMINI, crate::gemini);

/// Only providers speak it. Their streams come here as server-sent events, which
/// [`crate::aws_stream`] makes of Amazon's own.
static BEDROCK: Voice = Voice {
    caller: None,
    provider: Provider {
        write: crate::bedrock::request::write,
        read_answer: |body| crate::bedrock::response::read(body).map_err(Into::into),
        frames: server_sent,
        reader: || Box::<crate::bedrock::stream::Reader>::default(),
        read_error: crate::bedrock::error::read,
    },
};

impl Reads for crate::bedrock::stream::Reader {
    fn push(
        &mut self,
        name: &str,
        data: &str,
        out: &mut Vec<chat::Event>,
    ) -> Result<(), Unreadable> {
        Self::push(self, name, data, out)
    }
}

/// Callers of OpenAI's legacy completions: chats to everybody else.
pub(crate) static COMPLETIONS: Caller = Caller {
    read: crate::openai_completions::request::read,
    write_answer: crate::openai_completions::response::write,
    writer: |thread| Box::new(crate::openai_completions::stream::Writer::new(thread)),
    write_error: crate::openai_chat::error::write,
};

impl Writes for crate::openai_completions::stream::Writer {
    fn push(&mut self, step: &chat::Step, thread: &Thread, out: &mut Vec<u8>) {
        Self::push(self, step, thread, out);
    }
}
