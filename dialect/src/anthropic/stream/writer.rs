//! Writes the events of a caller's stream: one block open at a time, numbered without
//! gaps, and the usage told in full at the end, from where Anthropic's SDKs take it.

use crate::{
    anthropic::{
        error,
        response::{Message, reason},
        usage::Told,
        wire::WebCitation,
    },
    chat::{Block, Delta, Step, Stop},
    translate::{Thread, seal},
};
use domain::{catalog::Dialect, tokens::Tokens};
use serde::Serialize;

/// Writes a caller's stream.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Whether thoughts are told, and not only their state.
    thoughts: bool,
    /// The number of the open block, or of the next one.
    index: u32,
    /// What waits to be opened by its first piece: a block without pieces is not told of,
    /// because callers would send it back, and empty texts are refused.
    waiting: Option<Waiting>,
    /// Whether a block is open.
    open: bool,
    stop: Option<Stop>,
    /// What the beginning told of the usage.
    usage: Tokens,
}

#[derive(Debug, Clone, Copy)]
enum Waiting {
    Text,
    Thinking,
}

impl Writer {
    /// For the answer to this request.
    pub(crate) const fn new(thread: &Thread) -> Self {
        Self {
            thoughts: thread.thoughts,
            index: 0,
            waiting: None,
            open: false,
            stop: None,
            usage: Tokens { input: 0, cached_input: 0, cache_write: 0, output: 0, reasoning: 0 },
        }
    }

    /// Writes what a step says. There is one answer; of others nothing is told.
    pub(crate) fn push(&mut self, step: &Step, thread: &Thread, out: &mut Vec<u8>) {
        match step {
            Step::Start(start) => {
                self.usage = start.usage.unwrap_or_default();
                let mut message = Message::begun(&start.id, &start.model, thread);
                message.usage = Told::new(self.usage, None);
                event(out, &Event::MessageStart { message });
            }
            Step::Open { choice: 0, index: _, block } => self.begin(block, out),
            Step::Delta { choice: 0, index: _, delta } => self.piece(delta, out),
            Step::Close { choice: 0, index: _, whole: _ } => {
                self.waiting = None;
                self.close(out);
            }
            Step::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Step::Open { .. } | Step::Delta { .. } | Step::Close { .. } | Step::Stop { .. } => {}
            Step::Ping => event(out, &Event::Ping),
            Step::End { usage, tier } => {
                let usage = Told::new(usage.unwrap_or(self.usage), tier.as_deref());
                let told = self.stop.as_ref().map(reason);
                let stop_sequence = told.and_then(|(_, sequence)| sequence);
                let delta = Ended { stop_reason: told.map(|(reason, _)| reason), stop_sequence };
                event(out, &Event::MessageDelta { delta, usage });
                event(out, &Event::MessageStop);
            }
            Step::Failed(failure) => {
                // The body already says that it is an error.
                named(out, "error", &error::write(failure, &thread.request));
            }
        }
    }

    fn begin(&mut self, block: &Block, out: &mut Vec<u8>) {
        match block {
            Block::Text | Block::Refusal => self.waiting = Some(Waiting::Text),
            Block::Thinking => self.waiting = Some(Waiting::Thinking),
            Block::Redacted(opaque) => {
                let data = seal(opaque, Dialect::Anthropic);
                self.open(Begun::RedactedThinking { data }, out);
            }
            Block::Call { number: _, id, name, namespace: _, custom: _, opaque } => {
                // Anthropic's form has no room for a state at a call: it comes before it, as
                // a thought of which nothing may be read.
                if let Some(opaque) = opaque {
                    self.begin(&Block::Redacted(opaque.clone()), out);
                    self.close(out);
                }
                self.open(Begun::ToolUse { id, name, input: Nothing {} }, out);
            }
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) {
            event(out, &Event::ContentBlockStop { index: self.index });
            self.index = self.index.saturating_add(1);
        }
    }

    fn open(&mut self, content_block: Begun<'_>, out: &mut Vec<u8>) {
        self.open = true;
        event(out, &Event::ContentBlockStart { index: self.index, content_block });
    }

    fn piece(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let sealed;
        let delta = match delta {
            Delta::Text { text, logprobs: _ } | Delta::Refusal(text) if text.is_empty() => return,
            Delta::Text { text, logprobs: _ } | Delta::Refusal(text) => Piece::Text { text },
            Delta::Cite(citation) => Piece::Citations { citation: WebCitation::new(citation) },
            Delta::Thinking(text) if text.is_empty() || !self.thoughts => return,
            Delta::Thinking(thinking) => Piece::Thinking { thinking },
            Delta::State(opaque) => {
                sealed = seal(opaque, Dialect::Anthropic);
                Piece::Signature { signature: &sealed }
            }
            Delta::Input(partial_json) => Piece::InputJson { partial_json },
        };
        match self.waiting.take() {
            Some(Waiting::Text) => self.open(Begun::Text { text: "" }, out),
            Some(Waiting::Thinking) => {
                self.open(Begun::Thinking { thinking: "", signature: "" }, out);
            }
            None => {}
        }
        if self.open {
            event(out, &Event::ContentBlockDelta { index: self.index, delta });
        }
    }
}

/// Writes one event.
fn event(out: &mut Vec<u8>, event: &Event<'_>) {
    let name = match event {
        Event::MessageStart { .. } => "message_start",
        Event::ContentBlockStart { .. } => "content_block_start",
        Event::ContentBlockDelta { .. } => "content_block_delta",
        Event::ContentBlockStop { .. } => "content_block_stop",
        Event::MessageDelta { .. } => "message_delta",
        Event::MessageStop => "message_stop",
        Event::Ping => "ping",
    };
    named(out, name, &serde_json::to_vec(event).unwrap_or_default());
}

/// Anthropic's SDKs pass over events without a name.
fn named(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    for piece in [b"event: ", name.as_bytes(), b"\ndata: ", data, b"\n\n"] {
        out.extend_from_slice(piece);
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    MessageStart { message: Message<'a> },
    ContentBlockStart { index: u32, content_block: Begun<'a> },
    ContentBlockDelta { index: u32, delta: Piece<'a> },
    ContentBlockStop { index: u32 },
    MessageDelta { delta: Ended<'a>, usage: Told },
    MessageStop,
    Ping,
}

/// A block as it begins: empty.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Begun<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str, signature: &'a str },
    RedactedThinking { data: String },
    ToolUse { id: &'a str, name: &'a str, input: Nothing },
}

/// An object without fields.
#[derive(Debug, Serialize)]
struct Nothing {}

/// More of a block.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
enum Piece<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "citations_delta")]
    Citations { citation: WebCitation<'a> },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

/// Why an answer ended.
#[derive(Debug, Serialize)]
struct Ended<'a> {
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
}
