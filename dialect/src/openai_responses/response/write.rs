//! Writes a whole answer for a caller.

use crate::{
    chat::{Answer, Call, CallInput, Choice, Content, Part, Stop, Thinking},
    json::{Fields, elements},
    openai_responses::{
        state::{self, Kind},
        wire::{
            self, Annotation, Echo, ErrorObject, Incomplete, Item, Response, Summary, letters, none,
        },
    },
    translate::{Thread, answer_id},
};
use std::borrow::Cow;

/// The answer's body. Callers here ask for one answer only.
pub(crate) fn write(answer: &Answer, thread: &Thread) -> Vec<u8> {
    let Answer { id, model, created, choices, usage, tier: served_by } = answer;
    let id = answer_id("resp_", id, thread);
    let choice = choices.first();
    let outcome = Outcome::of(choice.map_or(&Stop::End, |it| &it.stop));
    let output = choice.map(|it| items(it, &Ids::of(&id), thread)).unwrap_or_default();
    let outcome = outcome.beside(&output);
    let body = Response {
        id: &id,
        created_at: created.unwrap_or(thread.received_at),
        status: outcome.status,
        error: outcome.error,
        incomplete_details: outcome.incomplete,
        model: if model.is_empty() { &thread.alias } else { model },
        output: &output,
        usage: usage.map(wire::Usage::from),
        service_tier: tier(served_by.as_deref()),
        echo: &Echo::of(thread),
    };
    // Structs of texts and of JSON cannot fail to be written.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Gives items their ids: the same ones whenever the same answer is told.
#[derive(Debug)]
pub(in crate::openai_responses) struct Ids(String);

impl Ids {
    /// The most of an answer's id that goes into those of its items, which must stay
    /// within 64 letters.
    const MAX: usize = 40;

    /// Of the items of the answer of this id.
    pub(in crate::openai_responses) fn of(answer: &str) -> Self {
        let bare = answer.strip_prefix("resp_").unwrap_or(answer);
        let is_plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let plain: String = bare.chars().filter(is_plain).collect();
        // Ids differ at their ends rather than at their beginnings.
        let start = plain.len().saturating_sub(Self::MAX);
        Self(plain.get(start..).unwrap_or_default().to_owned())
    }

    /// The id of the item at this place.
    pub(in crate::openai_responses) fn item(&self, kind: &str, index: usize) -> String {
        format!("{kind}_{}_{index}", self.0)
    }
}

/// How an answer ended, in this dialect.
#[derive(Debug)]
pub(in crate::openai_responses) struct Outcome<'a> {
    pub(in crate::openai_responses) status: &'static str,
    pub(in crate::openai_responses) error: Option<ErrorObject<'a>>,
    pub(in crate::openai_responses) incomplete: Option<Incomplete>,
}

impl<'a> Outcome<'a> {
    /// What this end is called.
    pub(in crate::openai_responses) const fn of(stop: &'a Stop) -> Self {
        const fn incomplete<'a>(reason: &'static str) -> Outcome<'a> {
            let incomplete = Some(Incomplete { reason });
            Outcome { status: "incomplete", error: None, incomplete }
        }
        match stop {
            Stop::End | Stop::Sequence(_) | Stop::Calls | Stop::Paused => {
                Self { status: "completed", error: None, incomplete: None }
            }
            Stop::Length => incomplete("max_output_tokens"),
            Stop::Refused => incomplete("content_filter"),
            Stop::Failed(word) => {
                let error = Some(ErrorObject { code: "server_error", message: word.as_str() });
                Self { status: "failed", error, incomplete: None }
            }
        }
    }

    /// The same, if this was said: a refusal in words is an answer of its own.
    pub(in crate::openai_responses) fn beside(self, output: &[Item<'_>]) -> Self {
        let refuses = |it: &wire::Content<'_>| matches!(it, wire::Content::Refusal { .. });
        let is_refusal = output.iter().any(|it| match it {
            Item::Message { content, .. } => content.iter().any(refuses),
            Item::Reasoning { .. }
            | Item::FunctionCall { .. }
            | Item::CustomToolCall { .. }
            | Item::FunctionCallOutput { .. }
            | Item::CustomToolCallOutput { .. } => false,
        });
        let is_filtered = self.incomplete.is_some_and(|it| it.reason == "content_filter");
        if is_refusal && is_filtered { Outcome::of(&Stop::End) } else { self }
    }
}

/// The tier, as clients know it.
pub(in crate::openai_responses) fn tier(served_by: Option<&str>) -> &'static str {
    const KNOWN: [&str; 4] = ["flex", "scale", "priority", "auto"];
    let served_by = served_by.unwrap_or_default();
    KNOWN.into_iter().find(|it| it.eq_ignore_ascii_case(served_by)).unwrap_or("default")
}

/// A thought as this caller wants it: what may be read of it and what is to be kept, or
/// nothing at all.
pub(in crate::openai_responses) fn reasoning(
    thinking: &Thinking,
    id: String,
    thread: &Thread,
) -> Option<Item<'static>> {
    let Thinking { text, opaque, redacted } = thinking;
    let kind = if *redacted { Kind::Redacted } else { Kind::Thought };
    let state = opaque.as_ref().filter(|_| thread.wants_opaque);
    let state = state.map(|it| state::to_caller(it, kind).into());
    let text = (thread.thoughts && !text.is_empty()).then(|| text.clone().into());
    let summary: Vec<_> = text.map(|text| Summary::SummaryText { text }).into_iter().collect();
    if summary.is_empty() && state.is_none() {
        return None;
    }
    Some(Item::Reasoning { id: Some(id.into()), summary, encrypted_content: state })
}

fn items<'a>(choice: &'a Choice, ids: &Ids, thread: &Thread) -> Vec<Item<'a>> {
    let Choice { parts, stop, logprobs } = choice;
    let mut items: Vec<Item<'a>> = Vec::new();
    let mut logprobs = logprobs.clone();
    for Part { content, cache: _ } in parts {
        match content {
            Content::Text(it) => {
                let letters = letters(&it.text);
                let annotations = it.citations.iter().map(|it| Annotation::of(it, letters));
                let spoken = wire::Content::OutputText {
                    annotations: Some(annotations.collect()),
                    logprobs: Some(logprobs.take().unwrap_or_else(none)),
                    text: it.text.as_str().into(),
                };
                say(spoken, &mut items, ids);
            }
            Content::Refusal(it) => {
                say(wire::Content::Refusal { refusal: it.as_str().into() }, &mut items, ids);
            }
            Content::Thinking(it) => {
                let id = ids.item("rs", items.len());
                items.extend(reasoning(it, id, thread));
            }
            Content::Call(it) => call(it, &mut items, ids, thread),
            // Models do not say such things here.
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => {}
        }
    }
    if let (Some(last), Some(_)) = (items.last_mut(), Outcome::of(stop).incomplete) {
        last.set_status("incomplete");
    }
    items
}

/// Adds to the message that was said last, or begins one.
fn say<'a>(spoken: wire::Content<'a>, items: &mut Vec<Item<'a>>, ids: &Ids) {
    if let Some(Item::Message { content, .. }) = items.last_mut() {
        content.push(spoken);
    } else {
        items.push(Item::Message {
            id: Some(ids.item("msg", items.len()).into()),
            status: Some("completed"),
            role: "assistant",
            content: vec![spoken],
        });
    }
}

fn call<'a>(call: &'a Call, items: &mut Vec<Item<'a>>, ids: &Ids, thread: &Thread) {
    let Call { id: call_id, name, namespace, input, opaque } = call;
    if let Some(opaque) = opaque.as_ref().filter(|_| thread.wants_opaque) {
        items.push(Item::Reasoning {
            id: Some(ids.item("rs", items.len()).into()),
            summary: Vec::new(),
            encrypted_content: Some(state::to_caller(opaque, Kind::Call).into()),
        });
    }
    let status = Some("completed");
    let (call_id, name) = (call_id.as_str().into(), name.as_str().into());
    let namespace = namespace.as_deref().map(Into::into);
    let (said, is_custom) = match input {
        CallInput::Json(json) => (json.as_str(), false),
        CallInput::Text(text) => (text.as_str(), !is_broken(call, text, thread)),
    };
    items.push(if is_custom {
        let id = Some(ids.item("ctc", items.len()).into());
        Item::CustomToolCall { id, status, call_id, name, namespace, input: said.into() }
    } else {
        let id = Some(ids.item("fc", items.len()).into());
        Item::FunctionCall { id, status, call_id, name, namespace, arguments: said.into() }
    });
}

/// Whether a text is what a model meant for a function's JSON, and no free text. Tools that
/// the answer does not repeat are known by the text only.
fn is_broken(call: &Call, text: &str, thread: &Thread) -> bool {
    let tools = thread.echo.iter().find(|(name, _)| name == "tools").map(|(_, tools)| tools);
    let tools: Vec<Fields<'_>> =
        tools.and_then(|it| serde_json::from_str(it.as_str()).ok()).unwrap_or_default();
    let kind = tools.iter().find_map(|tool| {
        if call.namespace.is_some() && tool.text("name").as_deref() == call.namespace.as_deref() {
            let inner = tool.get("tools").and_then(elements).unwrap_or_default();
            let inner = inner.into_iter().filter_map(|it| Fields::parse(it.get()).ok());
            return inner.filter_map(|it| kind_of(&it, &call.name)).next();
        }
        kind_of(tool, &call.name).filter(|_| call.namespace.is_none())
    });
    match kind.as_deref() {
        Some(kind) => kind == "function",
        None => text.trim_start().starts_with('{'),
    }
}

/// The kind of a tool, if it has this name.
fn kind_of(tool: &Fields<'_>, name: &str) -> Option<String> {
    tool.text("type").filter(|_| tool.text("name").as_deref() == Some(name)).map(Cow::into_owned)
}
