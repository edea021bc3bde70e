//! A provider's whole answer.

use super::{
    logprobs,
    piece::{self, Piece, Said},
    sources::{self, Letters, Source},
};
use crate::{
    chat::{
        Answer, Call, CallInput, Choice, Content, Document, Image, Part, Source as From, Stop,
        Text, Thinking,
    },
    gemini::wire::object::Object,
    translate::Unreadable,
};
use domain::tokens::Tokens;
use serde_json::value::RawValue;

/// Reads an answer.
///
/// # Errors
/// When it is none, or tells neither candidates nor why there are none.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Unreadable> {
    let unreadable = |what: &str| Unreadable(what.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| unreadable("it is no UTF-8"))?;
    let mut told = Object::parse(text, "").map_err(|_| unreadable("it is no JSON object"))?;
    let candidates = told.list("candidates");
    let mut choices = Vec::with_capacity(candidates.len());
    for raw in candidates {
        let it = Object::of(raw, "").map_err(|_| unreadable("a candidate is no object"))?;
        choices.push(choice(it));
    }
    if choices.is_empty() {
        choices.push(blocked(&mut told).ok_or_else(|| unreadable("it has no candidates"))?);
    }
    let mut text = |name: &str| told.text(name).ok().flatten().unwrap_or_default();
    let (id, model) = (text("responseId"), text("modelVersion"));
    let usage = told.object("usageMetadata", "").ok().flatten();
    Ok(Answer { id, model, created: None, choices, usage: usage.and_then(self::usage), tier: None })
}

fn choice(mut candidate: Object<'_>) -> Choice {
    let raws = self::parts(&mut candidate);
    let mut parts = Vec::with_capacity(raws.len());
    // Which of ours each of theirs became.
    let mut places = Vec::with_capacity(raws.len());
    for raw in raws {
        places.push(parts.len());
        if let Some(piece) = piece::read(raw) {
            push(piece, &mut parts);
        }
    }
    cite(sources::read(&mut candidate), &places, &mut parts);
    let logprobs = candidate.take("logprobsResult").and_then(logprobs::read);
    let called = parts.iter().any(|it| matches!(it.content, Content::Call(_)));
    let reason = candidate.text("finishReason").ok().flatten().unwrap_or_default();
    Choice { parts: joined(parts), stop: stop(&reason, called), logprobs }
}

fn push(Piece { said, state }: Piece, parts: &mut Vec<Part>) {
    match said {
        Said::Call { id, name, args } => {
            let input = CallInput::Json(args);
            let call = Call { id, name, namespace: None, input, opaque: state };
            parts.push(Part::new(Content::Call(call)));
        }
        Said::Thought(text) => {
            let thinking = Thinking { text, opaque: state, redacted: false };
            parts.push(Part::new(Content::Thinking(thinking)));
        }
        Said::Text(text) => {
            // Also an empty one, as long as its sources may point at it.
            parts.push(Part::text(text));
            own(state, parts);
        }
        Said::Bytes { mime, data } => {
            parts.push(Part::new(bytes(mime, data)));
            own(state, parts);
        }
    }
}

/// A state that stands on what is no thought: a thought behind it, of which nothing may be
/// read.
fn own(state: Option<crate::chat::Opaque>, parts: &mut Vec<Part>) {
    if state.is_some() {
        let thinking = Thinking { opaque: state, ..Thinking::default() };
        parts.push(Part::new(Content::Thinking(thinking)));
    }
}

fn bytes(mime: String, data: String) -> Content {
    if mime.starts_with("audio/") {
        return Content::Audio { mime, data };
    }
    let is_image = mime.starts_with("image/");
    let source = From::Base64 { mime, data };
    if is_image {
        return Content::Image(Image { source, detail: None });
    }
    Content::Document(Document { source, title: None, context: None, citations: false })
}

/// Puts sources at the words that are from there.
fn cite(sources: Vec<Source>, places: &[usize], parts: &mut [Part]) {
    let mut letters: Vec<Option<Letters>> = parts.iter().map(|_| None).collect();
    let said = |it: &Part| it.as_text().is_some_and(|it| !it.is_empty());
    let first = parts.iter().position(said);
    for Source { part, bytes, mut citation } in sources {
        let place = places.get(part).copied();
        let is_text = |it: &usize| parts.get(*it).is_some_and(|it| it.as_text().is_some());
        let place = place.filter(is_text).or(first);
        let Some(place) = place else { continue };
        let (Some(Part { content: Content::Text(text), .. }), Some(letters)) =
            (parts.get_mut(place), letters.get_mut(place))
        else {
            continue;
        };
        let letters = letters.get_or_insert_with(|| Letters::of(&text.text));
        citation.range = bytes.and_then(|it| letters.chars(it));
        text.citations.push(citation);
    }
}

/// Words that follow each other become one text, thoughts one thought; empty ones go.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (&part.content, joined.last_mut().map(|it| &mut it.content)) {
            (Content::Text(text), _) if text.text.is_empty() && text.citations.is_empty() => {}
            (Content::Text(Text { text, citations }), Some(Content::Text(last)))
                if citations.is_empty() && last.citations.is_empty() =>
            {
                last.text.push_str(text);
            }
            (Content::Thinking(more), Some(Content::Thinking(last))) if last.opaque.is_none() => {
                last.text.push_str(&more.text);
                last.opaque = more.opaque.clone();
            }
            (Content::Thinking(it), _) if it.text.is_empty() && it.opaque.is_none() => {}
            _ => joined.push(part),
        }
    }
    joined
}

/// The refusal of a prompt, which has no candidates.
pub(in crate::gemini) fn blocked(told: &mut Object<'_>) -> Option<Choice> {
    let mut feedback = told.object("promptFeedback", "").ok()??;
    feedback.text("blockReason").ok()??;
    let message = feedback.text("blockReasonMessage").ok().flatten();
    let message = message.filter(|it| !it.is_empty());
    let parts = message.map(|it| Part::new(Content::Refusal(it))).into_iter().collect();
    Some(Choice { parts, stop: Stop::Refused, logprobs: None })
}

/// Why an answer ended. Google has no word for an answer that waits for its calls.
pub(in crate::gemini) fn stop(reason: &str, called: bool) -> Stop {
    match reason {
        "STOP" | "" | "FINISH_REASON_UNSPECIFIED" if called => Stop::Calls,
        "STOP" | "" | "FINISH_REASON_UNSPECIFIED" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => Stop::Refused,
        other => Stop::Failed(other.to_owned()),
    }
}

/// What was used. Thoughts, and what Google's own tools put before the model, are told
/// beside the rest.
pub(in crate::gemini) fn usage(mut told: Object<'_>) -> Option<Tokens> {
    let mut count = |name: &str| told.count(name).ok().flatten();
    let (prompt, tools) = (count("promptTokenCount"), count("toolUsePromptTokenCount"));
    let (said, thoughts) = (count("candidatesTokenCount"), count("thoughtsTokenCount"));
    let (cached, total) = (count("cachedContentTokenCount"), count("totalTokenCount"));
    // Nothing that we know: no usage of this dialect.
    prompt.or(said).or(thoughts).or(total)?;
    let input = prompt.unwrap_or(0).saturating_add(tools.unwrap_or(0));
    let reasoning = thoughts.unwrap_or(0);
    let told = said.unwrap_or(0).saturating_add(reasoning);
    // Some answers tell only the prompt and the total.
    let output = match total {
        Some(total) if said.is_none() && thoughts.is_none() => total.saturating_sub(input),
        Some(_) | None => told,
    };
    let cached_input = cached.unwrap_or(0).min(input);
    Some(Tokens { input, cached_input, cache_write: 0, output, reasoning })
}

/// The parts of a candidate.
pub(in crate::gemini) fn parts<'a>(candidate: &mut Object<'a>) -> Vec<&'a RawValue> {
    let content = candidate.object("content", "").ok().flatten();
    content.map(|mut it| it.list("parts")).unwrap_or_default()
}
