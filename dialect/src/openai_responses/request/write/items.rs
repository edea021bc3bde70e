//! Writes the conversation: turns into items.

use crate::{
    chat::{Call, CallInput, CallResult, Content, Part, Role, Source, Tool, ToolKind, Turn},
    openai_responses::wire::{self, Item, Output, Summary},
    translate::{How, Notes, Refused},
};
use domain::catalog::Dialect;
use std::{borrow::Cow, collections::BTreeSet};

mod content;

/// Claude Code's first system block. It changes with every request, means nothing to
/// others, and would keep them from finding the rest in their caches.
const BILLING: &str = "x-anthropic-billing-header:";

/// What stands in `instructions`, and all items of `input`.
pub(super) fn write<'a>(
    instructions: &'a [Part],
    turns: &'a [Turn],
    tools: &'a [Tool],
    notes: &mut Notes,
) -> Result<(Option<&'a str>, Vec<Item<'a>>), Refused> {
    let is_said =
        |it: &&Part| it.as_text().is_none_or(|it| !it.is_empty() && !it.starts_with(BILLING));
    let said: Vec<_> = instructions.iter().filter(is_said).collect();
    let mut writing = Writing { items: Vec::new(), customs: customs(tools, turns), notes };
    let first = match said.as_slice() {
        [one] if one.cache.is_none() => one.as_text(),
        // Each stays a message of its own, so that a beginning that is the same stays it.
        _ => {
            for part in &said {
                writing.developer(std::slice::from_ref(*part))?;
            }
            None
        }
    };
    turns.iter().try_for_each(|it| writing.turn(it))?;
    Ok((first, writing.items))
}

/// Names of custom tools, and ids of calls that were answered as theirs.
struct Customs<'a> {
    names: BTreeSet<&'a str>,
    functions: BTreeSet<&'a str>,
    answered: BTreeSet<&'a str>,
    /// Ids of calls that were written as calls of custom tools, and of all others.
    written: BTreeSet<&'a str>,
    others: BTreeSet<&'a str>,
}

fn customs<'a>(tools: &'a [Tool], turns: &'a [Turn]) -> Customs<'a> {
    let is_custom = |it: &&Tool| matches!(it.kind, ToolKind::Custom { .. });
    let names = |wanted: bool| {
        let chosen = tools.iter().filter(move |it| is_custom(it) == wanted);
        chosen.map(|it| it.name.as_str()).collect()
    };
    let answered = turns.iter().flat_map(|it| &it.parts).filter_map(|it| match &it.content {
        Content::Result(result) if result.custom => Some(result.call.as_str()),
        Content::Result(_)
        | Content::Text(_)
        | Content::Refusal(_)
        | Content::Image(_)
        | Content::Audio { .. }
        | Content::Document(_)
        | Content::Thinking(_)
        | Content::Call(_) => None,
    });
    Customs {
        names: names(true),
        functions: names(false),
        answered: answered.collect(),
        written: BTreeSet::new(),
        others: BTreeSet::new(),
    }
}

struct Writing<'a, 'n> {
    items: Vec<Item<'a>>,
    customs: Customs<'a>,
    notes: &'n mut Notes,
}

impl<'a> Writing<'a, '_> {
    fn turn(&mut self, turn: &'a Turn) -> Result<(), Refused> {
        let Turn { role, name, parts } = turn;
        self.notes.dropped_if("name", name);
        match role {
            Role::System => self.developer(parts),
            Role::User | Role::Assistant => self.parts(*role, parts),
        }
    }

    fn developer(&mut self, parts: &'a [Part]) -> Result<(), Refused> {
        let mut content = Vec::new();
        for part in parts {
            content::input(part, &mut content, self.notes)?;
        }
        self.message("developer", &mut content);
        Ok(())
    }

    /// Takes the contents that were gathered and makes a message of them, if there are any.
    fn message(&mut self, role: &'static str, content: &mut Vec<wire::Content<'a>>) {
        if !content.is_empty() {
            let content = std::mem::take(content);
            self.items.push(Item::Message { id: None, status: None, role, content });
        }
    }

    fn parts(&mut self, role: Role, parts: &'a [Part]) -> Result<(), Refused> {
        let is_model = role == Role::Assistant;
        let who = if is_model { "assistant" } else { "user" };
        let mut content = Vec::new();
        for part in parts {
            match &part.content {
                Content::Text(text) if is_model => {
                    if !text.text.is_empty() {
                        content.push(wire::Content::OutputText {
                            annotations: None,
                            logprobs: None,
                            text: text.text.as_str().into(),
                        });
                    }
                }
                Content::Refusal(text) if is_model => {
                    content.push(wire::Content::Refusal { refusal: text.as_str().into() });
                }
                Content::Image(_) | Content::Document(_) | Content::Audio { .. } if is_model => {
                    // Only users show pictures here.
                    self.message(who, &mut content);
                    self.notes.add("messages.content", How::Moved);
                    content::input(part, &mut content, self.notes)?;
                    self.message("user", &mut content);
                }
                Content::Text(_)
                | Content::Refusal(_)
                | Content::Image(_)
                | Content::Document(_)
                | Content::Audio { .. } => content::input(part, &mut content, self.notes)?,
                Content::Thinking(thinking) => {
                    self.message(who, &mut content);
                    match &thinking.opaque {
                        Some(own) if own.origin == Dialect::OpenAiResponses => {
                            let text = Cow::from(thinking.text.as_str());
                            let summary = Some(text).filter(|it| !it.is_empty());
                            let summary = summary.map(|text| Summary::SummaryText { text });
                            self.items.push(Item::Reasoning {
                                id: None,
                                summary: summary.into_iter().collect(),
                                encrypted_content: Some(own.data.as_str().into()),
                            });
                        }
                        Some(_) | None => self.notes.dropped("thinking"),
                    }
                }
                Content::Call(call) => {
                    self.message(who, &mut content);
                    self.call(call);
                }
                Content::Result(result) => {
                    self.message(who, &mut content);
                    self.result(result)?;
                }
            }
        }
        self.message(who, &mut content);
        Ok(())
    }

    fn call(&mut self, call: &'a Call) {
        let Call { id, name, namespace, input, opaque } = call;
        if opaque.is_some() {
            self.notes.dropped("thinking");
        }
        let said = match input {
            CallInput::Json(json) => json.as_str(),
            CallInput::Text(text) => text,
        };
        let (call_id, name) = (Cow::from(id.as_str()), Cow::from(name.as_str()));
        let namespace = namespace.as_deref().map(Cow::from);
        let customs = &mut self.customs;
        let is_text = matches!(input, CallInput::Text(_));
        let is_custom = customs.names.contains(name.as_ref())
            || (is_text
                && !customs.functions.contains(name.as_ref())
                && customs.answered.contains(id.as_str()));
        let known = if is_custom { &mut customs.written } else { &mut customs.others };
        known.insert(id);
        self.items.push(if is_custom {
            let (input, id, status) = (said.into(), None, None);
            Item::CustomToolCall { id, status, call_id, name, namespace, input }
        } else {
            let (arguments, id, status) = (said.into(), None, None);
            Item::FunctionCall { id, status, call_id, name, namespace, arguments }
        });
    }

    fn result(&mut self, result: &'a CallResult) -> Result<(), Refused> {
        let CallResult { call, name: _, parts, failed, custom } = result;
        let mut content = Vec::new();
        for part in parts {
            content::input(part, &mut content, self.notes)?;
        }
        if *failed {
            self.notes.add("tool_result.is_error", How::Changed);
            say_failed(&mut content);
        }
        let output = match content.as_slice() {
            [] => Output::Text(Cow::from("")),
            [wire::Content::InputText { text }] => Output::Text(text.clone()),
            _ => Output::Parts(content),
        };
        let id = call.as_str();
        let is_known = self.customs.others.contains(id);
        self.items.push(if self.customs.written.contains(id) || (*custom && !is_known) {
            Item::CustomToolCallOutput { call_id: call, output }
        } else {
            Item::FunctionCallOutput { call_id: call, output }
        });
        Ok(())
    }
}

/// Says in words that a call failed, unless its words say it already.
fn say_failed(content: &mut Vec<wire::Content<'_>>) {
    match content.first_mut() {
        Some(wire::Content::InputText { text }) => {
            let says_it = text.get(..5).is_some_and(|it| it.eq_ignore_ascii_case("error"));
            if !says_it {
                *text = format!("Error: {text}").into();
            }
        }
        Some(_) | None => {
            content.insert(0, wire::Content::InputText { text: "Error: the call failed.".into() });
        }
    }
}

/// The media type and the bytes as one address.
fn data_url(mime: &str, data: &str) -> String {
    format!("data:{mime};base64,{data}")
}

/// Whether it is an address that everybody can look up.
fn is_public(source: &Source) -> bool {
    match source {
        Source::Url { url, .. } => url.starts_with("http://") || url.starts_with("https://"),
        Source::Base64 { .. } | Source::Text(_) => true,
    }
}
