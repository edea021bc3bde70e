//! Answers that come whole: a provider's are read, a caller's are written. So are counts
//! of tokens.

use super::{
    usage::{Told, Usage},
    wire::{self, Block, WebCitation},
};
use crate::{
    chat::{Answer, Call, CallInput, Choice, Content, Opaque, Part, Source, Stop, Text, Thinking},
    json::{self, Fields, Json},
    translate::{Thread, Unreadable, answer_id, seal},
};
use domain::catalog::Dialect;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a provider's answer.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable("it is not UTF-8"))?;
    let mut fields = Fields::parse(text).map_err(|_| unreadable("it is not one JSON object"))?;
    let content = fields.take("content").and_then(json::elements);
    let mut parts = Vec::new();
    for raw in content.ok_or_else(|| unreadable("it has no `content`"))? {
        parts.extend(part(raw)?);
    }
    let stop = stop(&fields).unwrap_or_else(|| Stop::Failed("no stop_reason".to_owned()));
    if let Some(explanation) = explanation(&fields).filter(|_| parts.is_empty()) {
        parts.push(Part::new(Content::Refusal(explanation)));
    }
    let mut usage = Usage::default();
    if let Some(raw) = fields.take("usage") {
        usage.update(raw);
    }
    let word = |name| fields.text(name).map(Cow::into_owned).unwrap_or_default();
    Ok(Answer {
        id: word("id"),
        model: word("model"),
        created: None,
        choices: vec![Choice { parts, stop, logprobs: None }],
        usage: usage.tokens(),
        tier: usage.tier,
    })
}

/// Reads how many tokens a provider counted.
pub(crate) fn read_count(body: &[u8]) -> Result<u64, Unreadable> {
    #[derive(serde::Deserialize)]
    struct Counted {
        input_tokens: u64,
    }
    let counted = serde_json::from_slice::<Counted>(body);
    counted.map(|it| it.input_tokens).map_err(|_| unreadable("it has no `input_tokens`"))
}

pub(super) fn unreadable(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}

/// A block as a part; nothing for what the provider ran by itself, of which its words tell.
fn part(raw: &RawValue) -> Result<Option<Part>, Unreadable> {
    let mut fields = Fields::parse(raw.get())
        .map_err(|_| unreadable("`content` holds something else than objects"))?;
    let word = |name| fields.text(name).map(Cow::into_owned).unwrap_or_default();
    let kind = word("type");
    let content = match kind.as_str() {
        "text" => {
            let text = word("text");
            let cited = fields.take("citations").and_then(json::elements).unwrap_or_default();
            let citations = cited.into_iter().filter_map(wire::web_citation).collect();
            Content::Text(Text { text, citations })
        }
        "thinking" => {
            let opaque = Some(word("signature")).filter(|it| !it.is_empty()).map(own);
            Content::Thinking(Thinking { text: word("thinking"), opaque, redacted: false })
        }
        "redacted_thinking" => {
            let opaque = Some(own(word("data")));
            Content::Thinking(Thinking { text: String::new(), opaque, redacted: true })
        }
        "tool_use" => Content::Call(Call {
            id: word("id"),
            name: word("name"),
            namespace: None,
            input: given(fields.take("input")),
            opaque: None,
        }),
        _ => return Ok(None),
    };
    Ok(Some(Part::new(content)))
}

/// A state of Anthropic's own.
pub(super) const fn own(data: String) -> Opaque {
    Opaque { origin: Dialect::Anthropic, data }
}

/// What a call is given.
fn given(raw: Option<&RawValue>) -> CallInput {
    let json = raw.map_or_else(Json::empty_object, Json::from);
    if json.is_object() {
        return CallInput::Json(json);
    }
    // Some servers give the object as a text.
    let text = raw.and_then(json::text).map(Cow::into_owned);
    CallInput::Text(text.unwrap_or_else(|| json.as_str().to_owned()))
}

/// Why an answer ended, as far as it says so.
pub(super) fn stop(fields: &Fields<'_>) -> Option<Stop> {
    let reason = fields.text("stop_reason")?;
    Some(match &*reason {
        "end_turn" => Stop::End,
        "stop_sequence" => Stop::Sequence(fields.text("stop_sequence").map(Cow::into_owned)),
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Calls,
        "pause_turn" | "compaction" => Stop::Paused,
        "refusal" => Stop::Refused,
        other => Stop::Failed(other.to_owned()),
    })
}

/// What is told about a refusal.
pub(super) fn explanation(fields: &Fields<'_>) -> Option<String> {
    let details = Fields::parse(fields.get("stop_details")?.get()).ok()?;
    let explanation = details.text("explanation")?.into_owned();
    Some(explanation).filter(|it| !it.is_empty())
}

/// Writes an answer for a caller.
pub(crate) fn write(answer: &Answer, thread: &Thread) -> Vec<u8> {
    // Anthropic tells no time.
    let Answer { id, model, created: _, choices, usage, tier } = answer;
    let first = choices.first();
    let parts = first.map(|it| it.parts.as_slice()).unwrap_or_default();
    let (reason, sequence) = first.map_or(("end_turn", None), |it| reason(&it.stop));
    let message = Message {
        content: parts
            .iter()
            .flat_map(|it| [state_of_call(it), block(it, thread)])
            .flatten()
            .collect(),
        stop_reason: Some(reason),
        stop_sequence: sequence,
        usage: Told::new(usage.unwrap_or_default(), tier.as_deref()),
        ..Message::begun(id, model, thread)
    };
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Writes how many tokens were counted.
pub(crate) fn write_count(tokens: u64) -> Vec<u8> {
    serde_json::json!({ "input_tokens": tokens }).to_string().into_bytes()
}

/// An answer, whole or as it begins.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
    pub(super) usage: Told,
}

impl<'a> Message<'a> {
    /// An answer that has said nothing yet.
    pub(super) fn begun(id: &str, model: &'a str, thread: &'a Thread) -> Self {
        Self {
            id: answer_id("msg_", id, thread),
            kind: "message",
            role: "assistant",
            model: if model.is_empty() { &thread.alias } else { model },
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage: Told::new(domain::tokens::Tokens::default(), None),
        }
    }
}

/// The word for why an answer ended, and the text upon which it did.
pub(super) fn reason(stop: &Stop) -> (&'static str, Option<&str>) {
    match stop {
        // There is no word for what went wrong and yet was answered.
        Stop::End | Stop::Failed(_) => ("end_turn", None),
        Stop::Sequence(sequence) => ("stop_sequence", sequence.as_deref()),
        Stop::Length => ("max_tokens", None),
        Stop::Calls => ("tool_use", None),
        Stop::Refused => ("refusal", None),
        Stop::Paused => ("pause_turn", None),
    }
}

/// A part as a block; nothing for what says nothing.
fn block<'a>(part: &'a Part, thread: &Thread) -> Option<Block<'a>> {
    match &part.content {
        Content::Text(Text { text, citations }) => {
            let citations = citations.iter().map(WebCitation::new).collect();
            let text = Cow::Borrowed(text.as_str());
            let block = Block::Text { text, citations, cache_control: None };
            part.as_text().filter(|it| !it.is_empty()).map(|_| block)
        }
        Content::Refusal(text) => (!text.is_empty()).then(|| Block::text(text)),
        // Anthropic's models neither draw nor speak.
        Content::Image(image) => Some(Block::text(match &image.source {
            Source::Url { url, .. } => Cow::Owned(format!("![image]({url})")),
            Source::Base64 { .. } | Source::Text(_) => Cow::Borrowed("[image]"),
        })),
        Content::Audio { .. } => Some(Block::text("[audio]")),
        Content::Document(_) => Some(Block::text("[document]")),
        Content::Thinking(it) => thinking(it, thread),
        // Its state stands before it.
        Content::Call(Call { id, name, input, namespace: _, opaque: _ }) => {
            let (input, _) = wire::input(input);
            Some(Block::ToolUse { id, name, input, cache_control: None })
        }
        Content::Result(_) => None,
    }
}

/// The state that stands at a call, which Anthropic's form has no room for: as a thought
/// of which nothing may be read, it comes back before the call.
fn state_of_call(part: &Part) -> Option<Block<'_>> {
    let Content::Call(Call { opaque: Some(opaque), .. }) = &part.content else { return None };
    Some(Block::RedactedThinking { data: Cow::Owned(seal(opaque, Dialect::Anthropic)) })
}

/// Thoughts as far as the caller wants to read them, with their state in any case: without
/// it the model could not go on from there.
fn thinking<'a>(thinking: &'a Thinking, thread: &Thread) -> Option<Block<'a>> {
    let Thinking { text, opaque, redacted } = thinking;
    let state = opaque.as_ref().map(|it| Cow::Owned(seal(it, Dialect::Anthropic)));
    if *redacted && let Some(data) = state {
        return Some(Block::RedactedThinking { data });
    }
    let text = if thread.thoughts { text.as_str() } else { "" };
    if text.is_empty() && state.is_none() {
        return None;
    }
    Some(Block::Thinking { thinking: text, signature: state.unwrap_or_default() })
}

#[cfg(test)]
mod tests;
