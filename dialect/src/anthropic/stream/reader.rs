//! Reads the events of a provider's stream.
//!
//! Anthropic opens one block at a time and closes each; servers that speak alike may leave
//! blocks open or mix them up. Blocks of tools that the provider runs by itself are passed
//! over.

use crate::{
    anthropic::{
        error,
        response::{explanation, own, stop, unreadable},
        usage::Usage,
        wire,
    },
    chat::{Event, Start},
    json::Fields,
    translate::Unreadable,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// There is one answer.
const CHOICE: u32 = 0;

/// Reads a provider's stream.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What is open, by the provider's numbers.
    open: BTreeMap<u64, Open>,
    usage: Usage,
    /// Whether anything was said.
    said: bool,
}

/// A block that is open.
#[derive(Debug)]
enum Open {
    Text,
    /// With as much of its signature as was told.
    Thinking(String),
    /// With an input that was told at once.
    Call(Option<String>),
    /// What nobody is told of.
    Other,
}

impl Reader {
    /// Reads one event. One without a name may tell its type by itself.
    pub(crate) fn push(
        &mut self,
        name: &str,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Unreadable> {
        let data = data.trim();
        // Some servers end as OpenAI does.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let fields = Fields::parse(data);
        let fields = fields.map_err(|_| unreadable("an event is not one JSON object"))?;
        let kind = fields.text("type").unwrap_or(Cow::Borrowed(name));
        match &*kind {
            "message_start" => self.message_start(&fields, out),
            "content_block_start" => self.block_start(&fields, out),
            "content_block_delta" => self.block_delta(&fields, out),
            "content_block_stop" => {
                if let Some(block) = self.open.remove(&index(&fields)) {
                    close(index(&fields), block, out);
                }
            }
            "message_delta" => self.message_delta(&fields, out),
            "message_stop" => {
                self.close_all(out);
                out.push(Event::End);
            }
            "ping" => out.push(Event::Ping),
            "error" => out.push(Event::Failed(error::read_event(data))),
            // New kinds of events come now and then.
            _ if name == "error" => out.push(Event::Failed(error::read_event(data))),
            _ => {}
        }
        Ok(())
    }

    fn message_start(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        let message = object(fields, "message");
        let tier = self.told(&message);
        out.push(Event::Start(Start {
            id: word(&message, "id"),
            model: word(&message, "model"),
            created: None,
            usage: self.usage.tokens(),
        }));
        out.extend(tier.map(Event::Tier));
    }

    /// Takes over what is told of the usage; gives the tier when it is told first.
    fn told(&mut self, fields: &Fields<'_>) -> Option<String> {
        let before = self.usage.tier.clone();
        self.usage.update(fields.get("usage")?);
        self.usage.tier.clone().filter(|it| before.as_ref() != Some(it))
    }

    fn block_start(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        let index = index(fields);
        if let Some(block) = self.open.remove(&index) {
            close(index, block, out);
        }
        let block = object(fields, "content_block");
        let open = match &*word(&block, "type") {
            "text" => {
                self.text(word(&block, "text"), out);
                Open::Text
            }
            "thinking" => {
                thought(word(&block, "thinking"), out);
                Open::Thinking(word(&block, "signature"))
            }
            "redacted_thinking" => {
                let opaque = own(word(&block, "data"));
                out.push(Event::ThinkingState { choice: CHOICE, opaque, redacted: true });
                Open::Other
            }
            "tool_use" => {
                self.said = true;
                out.push(Event::CallStart {
                    choice: CHOICE,
                    slot: index,
                    id: word(&block, "id"),
                    name: word(&block, "name"),
                    namespace: None,
                    custom: false,
                    opaque: None,
                });
                Open::Call(block.get("input").and_then(given))
            }
            _ => Open::Other,
        };
        self.open.insert(index, open);
    }

    fn text(&mut self, text: String, out: &mut Vec<Event>) {
        if !text.is_empty() {
            self.said = true;
            out.push(Event::Text { choice: CHOICE, text, logprobs: None });
        }
    }

    fn block_delta(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        let index = index(fields);
        let delta = object(fields, "delta");
        match (&*word(&delta, "type"), self.open.get_mut(&index)) {
            ("text_delta", Some(Open::Text) | None) => self.text(word(&delta, "text"), out),
            ("citations_delta", Some(Open::Text) | None) => {
                if let Some(citation) = delta.get("citation").and_then(wire::web_citation) {
                    out.push(Event::Cite { choice: CHOICE, citation });
                }
            }
            ("thinking_delta", Some(Open::Thinking(_)) | None) => {
                thought(word(&delta, "thinking"), out);
            }
            ("signature_delta", Some(Open::Thinking(signature))) => {
                signature.push_str(&word(&delta, "signature"));
            }
            ("input_json_delta", Some(Open::Call(given))) => {
                let text = word(&delta, "partial_json");
                if !text.is_empty() {
                    // What comes in pieces is all of it.
                    *given = None;
                    out.push(Event::CallInput { choice: CHOICE, slot: index, text });
                }
            }
            // Of blocks that nobody is told of, and kinds that are new.
            _ => {}
        }
    }

    fn message_delta(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        self.close_all(out);
        out.extend(self.told(fields).map(Event::Tier));
        if let Some(tokens) = self.usage.tokens() {
            out.push(Event::Usage(tokens));
        }
        let delta = object(fields, "delta");
        if let Some(text) = explanation(&delta).filter(|_| !self.said) {
            self.said = true;
            out.push(Event::Refusal { choice: CHOICE, text });
        }
        if let Some(stop) = stop(&delta) {
            out.push(Event::Stop { choice: CHOICE, stop });
        }
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        for (index, block) in std::mem::take(&mut self.open) {
            close(index, block, out);
        }
    }
}

fn close(index: u64, block: Open, out: &mut Vec<Event>) {
    match block {
        Open::Text => out.push(Event::BlockEnd { choice: CHOICE }),
        Open::Thinking(signature) if signature.is_empty() => {
            out.push(Event::BlockEnd { choice: CHOICE });
        }
        Open::Thinking(signature) => {
            let opaque = own(signature);
            out.push(Event::ThinkingState { choice: CHOICE, opaque, redacted: false });
        }
        Open::Call(given) => {
            if let Some(text) = given {
                out.push(Event::CallInput { choice: CHOICE, slot: index, text });
            }
            out.push(Event::CallEnd { choice: CHOICE, slot: index });
        }
        Open::Other => {}
    }
}

fn thought(text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Thinking { choice: CHOICE, text });
    }
}

fn index(fields: &Fields<'_>) -> u64 {
    fields.get("index").and_then(|it| it.get().parse().ok()).unwrap_or_default()
}

/// A field that is an object; without fields if it is none.
fn object<'a>(fields: &Fields<'a>, name: &str) -> Fields<'a> {
    fields.get(name).and_then(|it| Fields::parse(it.get()).ok()).unwrap_or_default()
}

/// A field that is a text; empty if it is none.
fn word(fields: &Fields<'_>, name: &str) -> String {
    fields.text(name).map(Cow::into_owned).unwrap_or_default()
}

/// The input of a call that was told at its beginning. Usually it is an empty object that
/// stands for what is to come.
fn given(raw: &RawValue) -> Option<String> {
    let is_empty = Fields::parse(raw.get()).is_ok_and(|it| it.rest().next().is_none());
    (!is_empty && raw.get().starts_with('{')).then(|| raw.get().to_owned())
}
