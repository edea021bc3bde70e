//! Reads what a provider answered, as leniently as compatible servers are various.

use crate::{
    chat::{Answer, Call, Choice, Content, Part, Stop, Text, Thinking},
    json::{self, Fields, Json},
    openai_chat::{call, request, thoughts},
    relay,
    translate::Unreadable,
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads a whole answer.
///
/// # Errors
/// When it is no JSON object, or holds no answer.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable("it is no UTF-8 text"))?;
    let mut fields = Fields::parse(text).map_err(|_| unreadable("it is no JSON object"))?;
    let Some(choices) = fields.take("choices").and_then(json::elements) else {
        let has_error = fields.get("error").is_some();
        return Err(unreadable(if has_error { "it is an error" } else { "it has no choices" }));
    };
    let mut found = Vec::with_capacity(choices.len());
    for (at, raw) in choices.into_iter().enumerate() {
        let Ok(mut fields) = Fields::parse(raw.get()) else {
            return Err(unreadable("a choice is no object"));
        };
        let index = fields.take_as::<u64>("index").ok().flatten();
        found.push((index.unwrap_or(at as u64), choice(fields)));
    }
    if found.is_empty() {
        return Err(unreadable("it has no choices"));
    }
    found.sort_by_key(|(index, _)| *index);
    let text = |it: &Fields<'_>, name| it.text(name).map(Cow::into_owned);
    let usage = fields.take("usage");
    Ok(Answer {
        id: text(&fields, "id").unwrap_or_default(),
        model: text(&fields, "model").unwrap_or_default(),
        created: fields.take_as("created").ok().flatten(),
        choices: found.into_iter().map(|(_, choice)| choice).collect(),
        usage: usage.and_then(|it| relay::openai_usage(it.get().as_bytes())),
        tier: text(&fields, "service_tier"),
    })
}

fn unreadable(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}

fn choice(mut fields: Fields<'_>) -> Choice {
    let message = fields.take("message").and_then(|it| Fields::parse(it.get()).ok());
    let parts = message.map(parts).unwrap_or_default();
    let has_calls = parts.iter().any(|it| matches!(it.content, Content::Call(_)));
    let logprobs =
        fields.take("logprobs").and_then(|it| Fields::parse(it.get()).ok()?.take("content"));
    // Several servers say the one where they mean the other.
    let mut stop = stop(&mut fields).unwrap_or(Stop::End);
    if stop == Stop::End && has_calls {
        stop = Stop::Calls;
    } else if stop == Stop::Calls && !has_calls {
        stop = Stop::End;
    }
    Choice { parts, stop, logprobs: logprobs.map(Json::from) }
}

fn parts(mut message: Fields<'_>) -> Vec<Part> {
    let mut parts = thoughts::parts(&mut message);
    let mut citations = request::citations(&mut message);
    for piece in message.take("content").map(pieces).unwrap_or_default() {
        match piece {
            Piece::Text(text) => {
                let citations = std::mem::take(&mut citations);
                let text = text.into_owned();
                parts.push(Part::new(Content::Text(Text { text, citations })));
            }
            Piece::Thought(text) => {
                let thought = Thinking { text: text.into_owned(), ..Thinking::default() };
                parts.push(Part::new(Content::Thinking(thought)));
            }
        }
    }
    let refusal = message.text("refusal").filter(|it| !it.is_empty());
    parts.extend(refusal.map(|it| Part::new(Content::Refusal(it.into_owned()))));
    let calls = message.take("tool_calls").and_then(json::elements).unwrap_or_default();
    let calls = calls.into_iter().filter_map(|raw| {
        let mut fields = Fields::parse(raw.get()).ok()?;
        Some(call::Said::take(&mut fields))
    });
    let old = message.take("function_call").and_then(call::legacy);
    let calls = calls.chain(old).map(call::Said::whole).filter(|it: &Call| !it.name.is_empty());
    parts.extend(calls.map(|it| Part::new(Content::Call(it))));
    parts
}

/// A piece of what is said.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::openai_chat) enum Piece<'a> {
    /// Said.
    Text(Cow<'a, str>),
    /// Thought, by models of Mistral.
    Thought(Cow<'a, str>),
}

/// What `content` says: a text, or parts, of which those without text are passed over.
/// Empty texts are none.
pub(in crate::openai_chat) fn pieces(raw: &RawValue) -> Vec<Piece<'_>> {
    if let Some(text) = json::text(raw) {
        return if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] };
    }
    let mut found = Vec::new();
    for raw in json::elements(raw).unwrap_or_default() {
        let Ok(mut fields) = Fields::parse(raw.get()) else { continue };
        if let Some(thinking) = fields.take("thinking") {
            let inner = json::elements(thinking).unwrap_or_default();
            let inner = inner.into_iter().filter_map(|it| text_of(it.get()));
            found.extend(json::text(thinking).into_iter().chain(inner).map(Piece::Thought));
        } else {
            found.extend(fields.take("text").and_then(json::text).map(Piece::Text));
        }
    }
    found.retain(|it| !matches!(it, Piece::Text(text) | Piece::Thought(text) if text.is_empty()));
    found
}

fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    json::text(Fields::parse(raw).ok()?.take("text")?)
}

/// Takes why an answer ended out of a choice; `None`: it does not say.
pub(in crate::openai_chat) fn stop(fields: &mut Fields<'_>) -> Option<Stop> {
    // vLLM tells the text that ended it, or the token's number.
    let sequence = fields.take("stop_reason").and_then(json::text);
    let word = fields.take("finish_reason").and_then(json::text)?;
    Some(match &*word {
        "" => return None,
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" => match sequence {
            Some(sequence) => Stop::Sequence(Some(sequence.into_owned())),
            None => Stop::End,
        },
        "length" | "max_tokens" | "model_length" => Stop::Length,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => Stop::Calls,
        "content_filter" | "safety" | "sensitive" | "refusal" => Stop::Refused,
        _ => Stop::Failed(word.into_owned()),
    })
}

#[cfg(test)]
mod tests;
