//! Watches an answer go by, streamed or not, and notices tokens, content and the end.
//!
//! Never changes an answer, but for taking out the usage chunk that the caller did
//! not ask for. Any split of the same bytes gives the same output and the same
//! [`Seen`]. Keeps at most [`MAX_HELD`] bytes of an answer, and a fixed rest.

mod anthropic;
mod bedrock;
mod count;
mod gemini;
mod hold;
mod openai;
mod reader;
mod responses;
mod seen;

pub use hold::MAX_HELD;
pub(crate) use openai::parse as openai_usage;
pub use seen::Seen;

use crate::{
    skim::{Found, Short, Skim, TextCount},
    sse::{Sse, Token},
};
use bytes::Bytes;
use domain::{
    catalog::{Dialect, Operation},
    tokens::Tokens,
};
use hold::Hold;
use reader::Reader;

/// The longest event of a stream, in bytes. Longer ones still go by, but
/// [`Seen::overflowed`] says that it is time to give up on the upstream.
pub const MAX_EVENT: u64 = 16 * 1024 * 1024;

/// A watched answer.
#[derive(Debug)]
pub struct Relay {
    operation: Operation,
    form: Form,
    reader: Reader,
    skim: Skim,
    /// Words that came alone, each of which was a token.
    words: u64,
    /// All other text of the events that are over.
    written: TextCount,
    errored: bool,
    any: bool,
    begun: bool,
    overflowed: bool,
    at_end: bool,
}

#[derive(Debug)]
enum Form {
    /// One JSON text.
    Body,
    Stream(Box<Stream>),
}

#[derive(Debug, Default)]
struct Stream {
    sse: Sse,
    /// The current event's lines of data.
    lines: u64,
    /// The first bytes of its data.
    head: Short,
    /// The first bytes of its name.
    name: Short,
    /// What is not forwarded yet; `None`: everything is forwarded at once.
    hold: Option<Hold>,
}

impl Relay {
    /// Gets ready for the successful answer to one request. `streamed` says what came
    /// (`text/event-stream` or one JSON body), not what was asked for.
    ///
    /// `hide_usage_chunk` takes out OpenAI's usage-only chunk: set it when we asked
    /// for it and the caller did not.
    pub fn new(
        dialect: Dialect,
        operation: Operation,
        streamed: bool,
        hide_usage_chunk: bool,
    ) -> Self {
        let hold = (hide_usage_chunk && dialect == Dialect::OpenAi).then(Hold::default);
        let stream = || Form::Stream(Box::new(Stream { hold, ..Stream::default() }));
        Self {
            operation,
            form: if streamed { stream() } else { Form::Body },
            reader: Reader::of(dialect),
            skim: Skim::default(),
            words: 0,
            written: TextCount::default(),
            errored: false,
            any: false,
            begun: false,
            overflowed: false,
            at_end: false,
        }
    }

    /// Takes the next piece of the answer, and gives what to forward now: the same
    /// piece, uncopied, unless a usage chunk is to be hidden. Then it may be less, or
    /// empty, because an unfinished event waits for its end.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        self.any |= !chunk.is_empty();
        let Form::Stream(stream) = &mut self.form else {
            self.skim.push(&chunk);
            return chunk;
        };
        let Some(mut hold) = stream.hold.take() else {
            self.watch(&chunk, |_, _| {});
            return chunk;
        };
        let mut cut = hold.cut(&chunk, stream.sse.is_after_cr());
        self.watch(&chunk, |end, hide| cut.event_ends(end, hide));
        let unfinished = self.event_bytes();
        let out = cut.rest(unfinished);
        if let Form::Stream(stream) = &mut self.form {
            stream.hold = Some(hold);
        }
        out
    }

    /// What the provider calls the answer, in dialects where later requests refer to it.
    pub fn answer_id(&self) -> Option<&str> {
        self.reader.id()
    }

    /// Whether an event has come whole, of whatever kind.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// The answer ended, in good order: gives what was held back. Do not call it when
    /// the upstream broke off, or a stream that is cut short may look finished.
    pub fn finish(&mut self) -> Bytes {
        let Form::Stream(stream) = &mut self.form else {
            if let Some(found) = self.skim.take_if_whole() {
                self.at_end = true;
                self.read(&found);
            }
            return Bytes::new();
        };
        self.at_end = true;
        let hold = stream.hold.take();
        // The last event may lack its blank line.
        let hide = self.event_ends(self.event_bytes());
        hold.filter(|_| !hide).map_or_else(Bytes::new, Hold::into_bytes)
    }

    /// What an event of our own needs before it, to stand on a line of its own.
    /// Nothing if all that was forwarded were whole events.
    pub fn gap(&self) -> &'static [u8] {
        let whole = match &self.form {
            Form::Body => true,
            Form::Stream(it) if it.sse.event_bytes() == 0 => true,
            Form::Stream(it) => it.hold.as_ref().is_some_and(Hold::is_holding),
        };
        // The first ends the line, or completes its CRLF; the second ends the event.
        if whole { b"" } else { b"\n\n" }
    }

    /// What has been seen so far.
    pub fn seen(&self) -> Seen {
        let (tokens, done) = (self.reader.tokens(), self.reader.is_done(self.at_end));
        let (streamed, exact) = match &self.form {
            Form::Stream(_) => (true, self.reader.is_told_whole()),
            Form::Body => (false, true),
        };
        let tokens = match self.operation {
            // They tell how many tokens there would be, and use none.
            Operation::CountTokens => Some(Tokens::default()),
            Operation::Chat | Operation::Completions | Operation::Embeddings => tokens,
        };
        let counted = self.operation == Operation::CountTokens;
        let written = match &self.form {
            Form::Stream(_) => self.written,
            Form::Body => self.written.plus(self.skim.found().written()),
        };
        Seen {
            tokens: tokens.filter(|_| exact || counted),
            partial: tokens,
            output_estimate: self.words.saturating_add(written.tokens()),
            first_content: if streamed {
                self.words > 0 || !self.written.is_empty()
            } else {
                self.any
            },
            finished: if streamed { done } else { self.at_end },
            errored: self.errored,
            overflowed: self.overflowed,
        }
    }

    fn event_bytes(&self) -> u64 {
        match &self.form {
            Form::Stream(it) => it.sse.event_bytes(),
            Form::Body => 0,
        }
    }

    /// Reads a piece of a stream; calls `ended` where an event ends in it, with whether
    /// to hide that event.
    fn watch(&mut self, chunk: &[u8], mut ended: impl FnMut(usize, bool)) {
        let mut at = 0;
        while let Form::Stream(stream) = &mut self.form
            && let Some(token) = stream.sse.next(chunk, &mut at)
        {
            match token {
                Token::Line => {
                    if stream.lines > 0 {
                        self.skim.push(b"\n");
                        stream.head.push(b"\n");
                    }
                    stream.lines = stream.lines.saturating_add(1);
                }
                Token::Data(piece) => {
                    stream.head.push(piece);
                    self.skim.push(piece);
                }
                Token::Name(piece) => stream.name.push(piece),
                Token::End { bytes } => ended(at, self.event_ends(bytes)),
            }
        }
        self.overflowed |= self.event_bytes() > MAX_EVENT;
    }

    /// An event of so many bytes is over; gives whether to hide it.
    fn event_ends(&mut self, bytes: u64) -> bool {
        self.overflowed |= bytes > MAX_EVENT;
        let Form::Stream(stream) = &mut self.form else { return false };
        let lines = std::mem::take(&mut stream.lines);
        let head = std::mem::take(&mut stream.head);
        let name = std::mem::take(&mut stream.name);
        if lines == 0 {
            return false;
        }
        self.begun = true;
        if head.as_slice().trim_ascii() == b"[DONE]" {
            self.skim = Skim::default();
            self.reader.done();
            return false;
        }
        self.errored |= name.as_slice().trim_ascii() == b"error";
        let found = self.skim.take();
        self.read(&found) && bytes <= MAX_HELD as u64
    }

    /// Reads what one event, or the whole body, said; gives whether it is a chunk that
    /// is only about usage.
    fn read(&mut self, found: &Found) -> bool {
        self.errored |= found.error || found.kind.as_slice() == b"error";
        let written = found.written();
        if written.is_one_word() && matches!(self.form, Form::Stream(_)) {
            self.words = self.words.saturating_add(1);
        } else {
            self.written = self.written.plus(written);
        }
        let read = self.reader.read(found);
        self.errored |= read.is_error;
        read.is_only_usage
    }
}

#[cfg(test)]
mod tests;
