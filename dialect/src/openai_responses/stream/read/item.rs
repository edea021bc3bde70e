//! What was told of one item so far, so that nothing is read twice.

use crate::{
    chat::{CallInput, Content, Event, Opaque, Part, Thinking},
    json::{Fields, Json},
    openai_responses::response::said,
};
use domain::catalog::Dialect;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// What is said in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Text,
    Refusal,
}

/// In which of two forms a thought is told; only one of them is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thought {
    Summary,
    Content,
}

/// One item.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// Whether it is told whole.
    is_whole: bool,
    /// Whether a call of it has begun.
    is_call: bool,
    /// Whether any input of that call was told.
    has_input: bool,
    /// Parts of which something was said.
    spoken: BTreeSet<u64>,
    /// Parts of which sources were told.
    cited: BTreeSet<u64>,
    /// The form that is read, and its parts of which something was told.
    thought: Option<Thought>,
    thoughts: BTreeSet<u64>,
}

impl Item {
    /// An item begins; gives whether it is a call.
    pub(super) fn begin(&mut self, slot: u64, item: &Fields<'_>, out: &mut Vec<Event>) -> bool {
        match item.text("type").as_deref() {
            Some("function_call") => self.call(slot, item, false, out),
            Some("custom_tool_call") => self.call(slot, item, true, out),
            Some("message") => {
                out.push(Event::BlockEnd { choice: 0 });
                false
            }
            Some(_) | None => false,
        }
    }

    fn call(&mut self, slot: u64, item: &Fields<'_>, custom: bool, out: &mut Vec<Event>) -> bool {
        if !self.is_call {
            self.is_call = true;
            let words = |name: &str| item.text(name).map(|it| it.into_owned());
            out.push(Event::CallStart {
                choice: 0,
                slot,
                id: words("call_id").or_else(|| words("id")).unwrap_or_default(),
                name: words("name").unwrap_or_default(),
                namespace: words("namespace"),
                custom,
                opaque: None,
            });
        }
        true
    }

    /// A piece of a call's input, or all of it, which counts only if no piece came.
    pub(super) fn input(&mut self, slot: u64, text: String, is_piece: bool, out: &mut Vec<Event>) {
        let is_new = is_piece || !self.has_input;
        if self.is_call && !self.is_whole && is_new && !text.is_empty() {
            self.has_input = true;
            out.push(Event::CallInput { choice: 0, slot, text });
        }
    }

    pub(super) fn was_spoken(&self, part: u64) -> bool {
        self.is_whole || self.spoken.contains(&part)
    }

    pub(super) fn speak(
        &mut self,
        part: u64,
        what: Spoken,
        text: String,
        logprobs: Option<Json>,
        out: &mut Vec<Event>,
    ) {
        self.spoken.insert(part);
        out.push(match what {
            Spoken::Text => Event::Text { choice: 0, text, logprobs },
            Spoken::Refusal => Event::Refusal { choice: 0, text },
        });
    }

    pub(super) fn cited(&mut self, part: u64) {
        self.cited.insert(part);
    }

    pub(super) fn was_thought(&self, what: Thought, part: u64) -> bool {
        let is_other = self.thought.is_some_and(|it| it != what);
        self.is_whole || is_other || self.thoughts.contains(&part)
    }

    pub(super) fn think(&mut self, what: Thought, part: u64, text: String, out: &mut Vec<Event>) {
        if *self.thought.get_or_insert(what) != what || text.is_empty() {
            return;
        }
        // Parts of a thought are told as one, with blank lines between them.
        if self.thoughts.insert(part) && self.thoughts.len() > 1 {
            out.push(Event::Thinking { choice: 0, text: "\n\n".to_owned() });
        }
        out.push(Event::Thinking { choice: 0, text });
    }

    /// An item is told whole: what its pieces did not tell is read now. Gives whether it is
    /// a call.
    pub(super) fn whole(&mut self, slot: u64, raw: &RawValue, out: &mut Vec<Event>) -> bool {
        let Ok(item) = Fields::parse(raw.get()) else { return false };
        if self.is_whole {
            return self.is_call;
        }
        if !self.is_call {
            self.begin(slot, &item, out);
        }
        for (place, it) in (0..).zip(said(raw)) {
            self.part(slot, place, it.part, it.logprobs, out);
        }
        self.is_whole = true;
        out.push(if self.is_call {
            Event::CallEnd { choice: 0, slot }
        } else {
            Event::BlockEnd { choice: 0 }
        });
        self.is_call
    }

    fn part(
        &mut self,
        slot: u64,
        place: u64,
        part: Part,
        logprobs: Option<Json>,
        out: &mut Vec<Event>,
    ) {
        match part.content {
            Content::Text(text) => {
                if !self.spoken.contains(&place) {
                    self.next_part(place, out);
                    self.speak(place, Spoken::Text, text.text, logprobs, out);
                }
                // Sources come late; those of a part before belong to a block that is over.
                if !self.cited.contains(&place) {
                    let cite = |citation| Event::Cite { choice: 0, citation };
                    out.extend(text.citations.into_iter().map(cite));
                }
            }
            Content::Refusal(text) => {
                if !self.spoken.contains(&place) {
                    self.next_part(place, out);
                    self.speak(place, Spoken::Refusal, text, None, out);
                }
            }
            Content::Thinking(Thinking { text, opaque, redacted: _ }) => {
                if self.thoughts.is_empty() && !text.is_empty() {
                    out.push(Event::Thinking { choice: 0, text });
                }
                if let Some(Opaque { data, origin: _ }) = opaque {
                    let opaque = Opaque { origin: Dialect::OpenAiResponses, data };
                    out.push(Event::ThinkingState { choice: 0, opaque, redacted: false });
                }
            }
            Content::Call(call) => {
                let text = match call.input {
                    CallInput::Json(json) => json.as_str().to_owned(),
                    CallInput::Text(text) => text,
                };
                self.input(slot, text, false, out);
            }
            // Nothing of the kind is said in an answer.
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => {}
        }
    }

    /// Parts of a message are blocks of their own.
    fn next_part(&self, place: u64, out: &mut Vec<Event>) {
        if place > 0 {
            out.push(Event::BlockEnd { choice: 0 });
        }
    }
}
