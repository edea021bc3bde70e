//! The conversation: contents and their parts.

mod calls;

use super::media;
use crate::{
    chat::{Call, CallInput, CallResult, Content, Part, Role, Thinking, Turn},
    gemini::wire::{
        object::Object,
        state::{self, State},
    },
    json::{Json, text},
    translate::{How, Notes, Refused},
};
use calls::Calls;
use serde_json::value::RawValue;

const PARTS: &str = "contents.parts";

/// Reads `contents`.
pub(super) fn read(contents: &[&RawValue], notes: &mut Notes) -> Result<Vec<Turn>, Refused> {
    let mut calls = Calls::default();
    let mut turns = Vec::with_capacity(contents.len());
    for (number, raw) in contents.iter().enumerate() {
        calls.begin(number);
        turn(raw, &mut calls, notes, &mut turns)?;
    }
    Ok(turns)
}

fn turn(
    raw: &RawValue,
    calls: &mut Calls,
    notes: &mut Notes,
    turns: &mut Vec<Turn>,
) -> Result<(), Refused> {
    // The API has no plain texts here, but SDKs' users write them by hand.
    if let Some(plain) = text(raw) {
        turns.push(Turn { role: Role::User, name: None, parts: vec![Part::text(plain)] });
        return Ok(());
    }
    let mut content = Object::of(raw, "contents")?;
    let role = match content.text("role")?.as_deref() {
        None | Some("" | "user" | "function" | "tool") => Role::User,
        Some("model" | "assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        Some(_) => return Err(Refused::new("contents.role", "is neither `user` nor `model`")),
    };
    // SDKs keep each chunk of a stream as a content of its own: together they are one turn.
    let is_more = |it: &&mut Turn| role == Role::Assistant && it.role == role;
    let parts = turns.last_mut().filter(is_more).map(|it| std::mem::take(&mut it.parts));
    let more = parts.is_some();
    let mut reading = Reading { role, calls, notes, parts: parts.unwrap_or_default() };
    for raw in content.list("parts") {
        reading.part(raw)?;
    }
    let parts = reading.parts;
    content.drop_rest(notes);
    match turns.last_mut().filter(|_| more) {
        Some(last) => last.parts = parts,
        None => turns.push(Turn { role, name: None, parts }),
    }
    Ok(())
}

/// A part that is neither a call nor a thought: text, picture, sound or file.
pub(super) fn plain(raw: &RawValue, notes: &mut Notes) -> Result<Part, Refused> {
    if let Some(plain) = text(raw) {
        return Ok(Part::text(plain));
    }
    let mut part = Object::of(raw, PARTS)?;
    let content = said(&mut part, notes)?;
    part.drop_rest(notes);
    content
        .map(Part::new)
        .ok_or_else(|| Refused::new(PARTS, "may hold texts, pictures and files only"))
}

/// What a part says, if it is no call.
fn said(part: &mut Object<'_>, notes: &mut Notes) -> Result<Option<Content>, Refused> {
    if let Some(words) = part.text("text")? {
        return Ok(Some(Content::Text(crate::chat::Text { text: words, citations: Vec::new() })));
    }
    if part.take("videoMetadata").is_some() {
        return Err(Refused::new(
            "contents.parts.videoMetadata",
            "only Google's own models take videos",
        ));
    }
    let detail = part.object("mediaResolution", "contents.parts.mediaResolution")?;
    if let Some(blob) = part.object("inlineData", "contents.parts.inlineData")? {
        let mut content = media::inline(blob, notes)?;
        if let (Content::Image(image), Some(detail)) = (&mut content, detail) {
            image.detail = media::detail(detail)?;
        }
        return Ok(Some(content));
    }
    if let Some(file) = part.object("fileData", "contents.parts.fileData")? {
        return Ok(Some(media::file(file, notes)?));
    }
    Ok(run_by_google(part, notes)?
        .map(|words| Content::Text(crate::chat::Text { text: words, citations: Vec::new() })))
}

/// What Google ran by itself earlier, as a text.
fn run_by_google(part: &mut Object<'_>, notes: &mut Notes) -> Result<Option<String>, Refused> {
    if let Some(mut code) = part.object("executableCode", "contents.parts.executableCode")? {
        notes.add("contents.parts.executableCode", How::Changed);
        let language = code.text("language")?.unwrap_or_default().to_ascii_lowercase();
        let code = code.text("code")?.unwrap_or_default();
        return Ok(Some(format!("\n```{language}\n{code}\n```\n")));
    }
    let gave = part.object("codeExecutionResult", "contents.parts.codeExecutionResult")?;
    let Some(mut gave) = gave else { return Ok(None) };
    notes.add("contents.parts.codeExecutionResult", How::Changed);
    Ok(Some(format!("\n```\n{}\n```\n", gave.text("output")?.unwrap_or_default())))
}

struct Reading<'a> {
    role: Role,
    calls: &'a mut Calls,
    notes: &'a mut Notes,
    parts: Vec<Part>,
}

impl Reading<'_> {
    fn part(&mut self, raw: &RawValue) -> Result<(), Refused> {
        if let Some(plain) = text(raw) {
            self.parts.push(Part::text(plain));
            return Ok(());
        }
        let mut part = Object::of(raw, PARTS)?;
        let is_thought = part.flag("thought")?.unwrap_or(false);
        let state = part.text("thoughtSignature")?.as_deref().and_then(state::read);
        if let Some(call) = part.object("functionCall", "contents.parts.functionCall")? {
            self.call(call, state)?;
        } else if let Some(gave) =
            part.object("functionResponse", "contents.parts.functionResponse")?
        {
            self.result(gave)?;
        } else {
            let content = said(&mut part, self.notes)?;
            self.said(content, is_thought, state);
        }
        part.drop_rest(self.notes);
        Ok(())
    }

    fn said(&mut self, content: Option<Content>, is_thought: bool, state: Option<State>) {
        if is_thought && self.role == Role::Assistant {
            let words = if let Some(Content::Text(it)) = content { it.text } else { String::new() };
            self.thought(words, state);
            return;
        }
        // Only the model thinks.
        let state = state.filter(|_| self.role == Role::Assistant);
        let (own, others) = match state {
            Some(it) if it.is_own() => (Some(it), None),
            other => (None, other),
        };
        if others.is_some() {
            self.thought(String::new(), others);
        }
        match content {
            Some(Content::Text(words)) if words.text.is_empty() => {}
            Some(Content::Text(words)) if self.role == Role::Assistant => self.words(words.text),
            Some(content) => self.parts.push(Part::new(content)),
            None => {}
        }
        // Google's own stands behind the words that it belongs to.
        if let Some(State { opaque, .. }) = own {
            let thinking = Thinking { opaque: Some(opaque), ..Thinking::default() };
            self.parts.push(Part::new(Content::Thinking(thinking)));
        }
    }

    /// Words of the model: a stream that was kept comes back in pieces.
    fn words(&mut self, words: String) {
        if let Some(Part { content: Content::Text(last), .. }) = self.parts.last_mut() {
            last.text.push_str(&words);
        } else {
            self.parts.push(Part::text(words));
        }
    }

    /// More of a thought, or its state.
    fn thought(&mut self, words: String, state: Option<State>) {
        let (opaque, redacted) = state.map_or((None, false), |it| (Some(it.opaque), it.redacted));
        match self.parts.last_mut() {
            Some(Part { content: Content::Thinking(last), .. })
                if last.opaque.is_none() && !redacted =>
            {
                last.text.push_str(&words);
                last.opaque = opaque;
            }
            _ if words.is_empty() && opaque.is_none() => {}
            _ => {
                let thinking = Thinking { text: words, opaque, redacted };
                self.parts.push(Part::new(Content::Thinking(thinking)));
            }
        }
    }

    fn call(&mut self, mut call: Object<'_>, state: Option<State>) -> Result<(), Refused> {
        if self.role != Role::Assistant {
            let reason = "stands in a turn of the user; only the model calls";
            return Err(Refused::new("contents.parts.functionCall", reason));
        }
        let name = call.text("name")?.filter(|it| !it.is_empty());
        let Some(name) = name else {
            return Err(Refused::new("contents.parts.functionCall.name", "is missing"));
        };
        let id = self.calls.given(call.text("id")?, &name);
        let args = call.json("args").unwrap_or_else(Json::empty_object);
        if !args.is_object() {
            return Err(Refused::new("contents.parts.functionCall.args", "is no JSON object"));
        }
        call.drop_rest(self.notes);
        let opaque = match state {
            Some(it) if it.is_own() => Some(it.opaque),
            Some(_) => {
                self.thought(String::new(), state);
                None
            }
            None => None,
        };
        let input = CallInput::Json(args);
        let call = Call { id, name, namespace: None, input, opaque };
        self.parts.push(Part::new(Content::Call(call)));
        Ok(())
    }

    fn result(&mut self, mut gave: Object<'_>) -> Result<(), Refused> {
        if self.role == Role::Assistant {
            let reason = "stands in a turn of the model; results are the user's";
            return Err(Refused::new("contents.parts.functionResponse", reason));
        }
        let name = gave.text("name")?.filter(|it| !it.is_empty());
        let call = self.calls.answered(gave.text("id")?, name.as_deref());
        let (words, failed) = response(gave.json("response"));
        let mut parts = Vec::new();
        if let Some(words) = words.filter(|it| !it.is_empty()) {
            parts.push(Part::text(words));
        }
        for raw in gave.list("parts") {
            parts.push(plain(raw, self.notes)?);
        }
        gave.drop_rest(self.notes);
        let result = CallResult { call, name, parts, failed, custom: false };
        self.parts.push(Part::new(Content::Result(result)));
        Ok(())
    }
}

/// What a response says, as a text, and whether it tells an error. Only what stands alone
/// under the names that Google reserves for it is taken out.
fn response(response: Option<Json>) -> (Option<String>, bool) {
    let Some(response) = response else { return (None, false) };
    let Some(fields) = response.fields() else {
        return (Some(response.as_str().to_owned()), false);
    };
    let failed = fields.get("error").is_some() && fields.get("output").is_none();
    let alone = |name: &str| {
        let is_alone = fields.clone().rest().all(|(key, _)| key == name);
        fields.get(name).filter(|_| is_alone)
    };
    let words = match alone("output").or_else(|| alone("error")) {
        Some(raw) => text(raw).map_or_else(|| raw.get().to_owned(), Into::into),
        None if fields.clone().rest().next().is_none() => String::new(),
        None => response.as_str().to_owned(),
    };
    (Some(words), failed)
}
