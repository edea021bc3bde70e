//! The conversation: turns that take turns, and in each what Google wants there.

use super::{LEVELS_SINCE, generation_of, media};
use crate::{
    chat::{
        Call, CallInput, CallResult, Content as Said, Opaque, Part as Piece, Role, Thinking, Turn,
    },
    gemini::wire::{self, Content, FunctionCall, FunctionResponse, Part, state},
    json::Json,
    translate::{How, Notes, Refused, Target},
};
use domain::catalog::Dialect;
use serde_json::json;
use std::{borrow::Cow, collections::BTreeMap};

/// Writes the turns.
pub(super) fn write<'a>(
    turns: &'a [Turn],
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<Content<'a>>, Refused> {
    let is_levelled = generation_of(target.model).is_some_and(|it| LEVELS_SINCE <= it);
    let mut writing = Writing { is_levelled, names: BTreeMap::new(), notes };
    let mut contents: Vec<Content<'a>> = Vec::with_capacity(turns.len());
    for turn in turns {
        let Turn { role, name, parts } = turn;
        writing.notes.dropped_if("name", name);
        let said = match role {
            Role::User => writing.user(parts)?,
            Role::Assistant => writing.model(parts)?,
            Role::System => writing.system(parts),
        };
        let role = if *role == Role::Assistant { "model" } else { "user" };
        match contents.last_mut() {
            _ if said.is_empty() => {}
            Some(last) if last.role == role => last.parts.extend(said),
            _ => contents.push(Content { parts: said, role }),
        }
    }
    settle(&mut contents, is_levelled, writing.notes);
    Ok(contents)
}

/// Puts in place what depends on the turn before: results stand first, in the order of
/// their calls; and the first call of a turn has a signature, where one is wanted.
fn settle(contents: &mut [Content<'_>], is_levelled: bool, notes: &mut Notes) {
    let mut order = BTreeMap::new();
    for content in &mut *contents {
        if content.role == "user" {
            let place = |part: &Part<'_>| match &part.function_response {
                Some(it) => order.get(it.id).copied().unwrap_or(usize::MAX - 1),
                None => usize::MAX,
            };
            content.parts.sort_by_key(place);
            continue;
        }
        let calls = content.parts.iter().filter_map(|it| it.function_call.as_ref());
        order = calls.enumerate().map(|(place, it)| (it.id, place)).collect();
        let first = content.parts.iter_mut().find(|it| it.function_call.is_some());
        if let Some(call) = first.filter(|it| is_levelled && it.thought_signature.is_none()) {
            call.thought_signature = Some(Cow::Borrowed(state::LOST));
            notes.add("thinking", How::Changed);
        }
    }
    if contents.last().is_some_and(|it| it.role == "model") {
        // It is a turn of its own to Gemini, not the beginning of the answer.
        notes.add("messages", How::Changed);
    }
}

struct Writing<'a, 'n> {
    is_levelled: bool,
    /// Of the calls so far, by their ids.
    names: BTreeMap<&'a str, &'a str>,
    notes: &'n mut Notes,
}

impl<'a> Writing<'a, '_> {
    /// Instructions that stay where they are, as what the user says.
    fn system(&mut self, parts: &'a [Piece]) -> Vec<Part<'a>> {
        let texts: Vec<_> =
            parts.iter().filter_map(Piece::as_text).filter(|it| !it.is_empty()).collect();
        if texts.is_empty() {
            return Vec::new();
        }
        self.notes.add("messages.role", How::Changed);
        vec![Part::text(format!("<system>\n{}\n</system>", texts.join("\n\n")))]
    }

    fn user(&mut self, parts: &'a [Piece]) -> Result<Vec<Part<'a>>, Refused> {
        let mut said = Vec::with_capacity(parts.len());
        for piece in parts {
            match &piece.content {
                Said::Result(result) => self.result(result, &mut said)?,
                // Only the model thinks and calls.
                Said::Thinking(_) => self.notes.dropped("thinking"),
                Said::Call(_) => {
                    let reason = "stand in a turn of the user";
                    return Err(Refused::new("tool_calls", reason));
                }
                Said::Text(_)
                | Said::Refusal(_)
                | Said::Image(_)
                | Said::Audio { .. }
                | Said::Document(_) => self.plain(&piece.content, &mut said)?,
            }
        }
        Ok(said)
    }

    fn model(&mut self, parts: &'a [Piece]) -> Result<Vec<Part<'a>>, Refused> {
        let mut said = Vec::with_capacity(parts.len());
        // A state that waits for the call behind it.
        let mut waiting = None;
        let has_state = parts.iter().any(|it| state_of(&it.content).is_some());
        for (at, piece) in parts.iter().enumerate() {
            match &piece.content {
                Said::Thinking(thinking) => {
                    let next = parts.get(at.saturating_add(1)).map(|it| &it.content);
                    match own(thinking.opaque.as_ref()) {
                        Some(state) if is_bare_call(next) => waiting = Some(state),
                        Some(state) => said.push(thought(thinking, state)),
                        // Where a call has the state, its thought needs none.
                        None if has_state && thinking.opaque.is_none() => {}
                        None => self.notes.dropped("thinking"),
                    }
                }
                Said::Call(call) => said.push(self.call(call, waiting.take())),
                Said::Result(_) => {
                    return Err(Refused::new("tool_result", "stands in a turn of the model"));
                }
                Said::Text(_)
                | Said::Refusal(_)
                | Said::Image(_)
                | Said::Audio { .. }
                | Said::Document(_) => self.plain(&piece.content, &mut said)?,
            }
        }
        Ok(said)
    }

    /// What either side may say.
    fn plain(&mut self, content: &'a Said, said: &mut Vec<Part<'a>>) -> Result<(), Refused> {
        match content {
            Said::Text(words) => {
                if !words.citations.is_empty() {
                    self.notes.dropped("citations");
                }
                if !words.text.is_empty() {
                    said.push(Part::text(&words.text));
                }
            }
            Said::Refusal(words) => {
                self.notes.add("refusal", How::Changed);
                if !words.is_empty() {
                    said.push(Part::text(words));
                }
            }
            Said::Image(image) => said.push(media::image(image, self.notes)?),
            Said::Audio { mime, data } => said.push(Part::bytes(mime, data)),
            Said::Document(document) => said.extend(media::document(document, self.notes)?),
            // Whoever calls has told these apart.
            Said::Thinking(_) | Said::Call(_) | Said::Result(_) => {}
        }
        Ok(())
    }

    fn call(&mut self, call: &'a Call, waiting: Option<&'a Opaque>) -> Part<'a> {
        // A namespace stands in the name already.
        let Call { id, name, namespace: _, input, opaque } = call;
        self.names.insert(id, name);
        let (args, is_exact) = args(input);
        if !is_exact {
            self.notes.add("tool_calls.arguments", How::Changed);
        }
        let state = own(opaque.as_ref()).or(waiting);
        Part {
            function_call: Some(FunctionCall { id, name, args }),
            thought_signature: state.map(|it| Cow::Borrowed(it.data.as_str())),
            ..Part::default()
        }
    }

    fn result(&mut self, result: &'a CallResult, said: &mut Vec<Part<'a>>) -> Result<(), Refused> {
        let CallResult { call, name, parts, failed, custom: _ } = result;
        let known = self.names.get(call.as_str()).copied().or(name.as_deref());
        let Some(name) = known else {
            let reason = "belongs to no call of the conversation, so that Gemini cannot be told \
                          which tool it is of";
            return Err(Refused::new("tool_call_id", reason));
        };
        let mut texts = Vec::new();
        let mut attached = Vec::new();
        for piece in parts {
            match &piece.content {
                Said::Text(words) => texts.push(words.text.as_str()),
                Said::Refusal(words) => texts.push(words),
                Said::Image(_) | Said::Audio { .. } | Said::Document(_) => {
                    self.plain(&piece.content, &mut attached)?;
                }
                // None of these is ever in a result.
                Said::Thinking(_) | Said::Call(_) | Said::Result(_) => {}
            }
        }
        let (words, attached): (Vec<_>, Vec<_>) =
            attached.into_iter().partition(|it| it.text.is_some());
        texts.extend(words.iter().filter_map(|it| it.text.as_deref()));
        let mut told = texts.join("\n");
        let is_within = self.is_levelled;
        if !attached.is_empty() && told.is_empty() {
            told.push_str(if is_within { "[attached]" } else { "[attached below]" });
        }
        let (within, below) =
            if is_within { (attached, Vec::new()) } else { (Vec::new(), attached) };
        if !below.is_empty() {
            // Only the newer ones look at pictures in results.
            self.notes.add("tool_result.content", How::Moved);
        }
        let response = response(&told, *failed);
        let response = FunctionResponse { id: call, name, response, parts: within };
        said.push(Part { function_response: Some(response), ..Part::default() });
        said.extend(below);
        Ok(())
    }
}

/// What a call gave, as the object that Google wants: itself if it is one.
fn response(told: &str, failed: bool) -> Cow<'static, Json> {
    let whole = if failed { None } else { Json::parse(told).filter(Json::is_object) };
    let key = if failed { "error" } else { "output" };
    Cow::Owned(whole.unwrap_or_else(|| Json::of(&json!({ key: told }))))
}

/// What a call is given, as an object, and whether it was one.
pub(in crate::gemini) fn args(input: &CallInput) -> (Cow<'_, Json>, bool) {
    let text = match input {
        CallInput::Json(json) if json.is_object() => return (Cow::Borrowed(json), true),
        CallInput::Json(json) => json.as_str(),
        CallInput::Text(text) => text.as_str(),
    };
    let text = text.trim();
    if text.is_empty() || text == "null" {
        return (Cow::Owned(Json::empty_object()), true);
    }
    match Json::parse(text).filter(Json::is_object) {
        Some(json) => (Cow::Owned(json), true),
        None => (Cow::Owned(Json::of(&json!({"_raw": text}))), false),
    }
}

fn thought<'a>(thinking: &'a Thinking, state: &'a Opaque) -> Part<'a> {
    let Thinking { text, opaque: _, redacted: _ } = thinking;
    let thought = !text.is_empty();
    wire::Part { thought, text: Some(Cow::Borrowed(text)), ..Part::state(&state.data) }
}

fn own(opaque: Option<&Opaque>) -> Option<&Opaque> {
    opaque.filter(|it| it.origin == Dialect::Gemini)
}

fn state_of(content: &Said) -> Option<&Opaque> {
    match content {
        Said::Call(call) => own(call.opaque.as_ref()),
        Said::Thinking(thinking) => own(thinking.opaque.as_ref()),
        Said::Text(_)
        | Said::Refusal(_)
        | Said::Image(_)
        | Said::Audio { .. }
        | Said::Document(_)
        | Said::Result(_) => None,
    }
}

/// Whether it is a call whose signature has to come from the thought before it.
fn is_bare_call(content: Option<&Said>) -> bool {
    matches!(content, Some(Said::Call(call)) if own(call.opaque.as_ref()).is_none())
}
