//! Reads a caller's request. What it knows it takes out field by field; what is left is
//! new or somebody else's, and is noted, not refused.

mod blocks;
mod options;
mod server;
mod tools;

use crate::{
    chat::{CacheMark, Content, Part, Request, Role, Turn},
    json::{self, Fields, Json, WrongType},
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;

/// Reads a request for an answer.
pub(crate) fn read(body: &[u8], notes: &mut Notes) -> Result<Request, Refused> {
    let request = read_any(body, notes)?;
    match request.max_output {
        Some(0) => Err(Refused::new(
            "max_tokens",
            "has to be at least 1: to fill a cache without an answer is Anthropic's own",
        )),
        Some(_) => Ok(request),
        None => Err(required("max_tokens")),
    }
}

/// Reads a request that only wants its tokens counted.
pub(crate) fn read_count(body: &[u8], notes: &mut Notes) -> Result<Request, Refused> {
    read_any(body, notes)
}

fn read_any(body: &[u8], notes: &mut Notes) -> Result<Request, Refused> {
    let text = std::str::from_utf8(body).map_err(|_| Refused::new("body", "is not UTF-8"))?;
    let fields = Fields::parse(text);
    let mut fields = fields.map_err(|_| Refused::new("body", "has to be one JSON object"))?;
    let mut request = Request {
        model: fields.take_as("model")?.ok_or_else(|| required("model"))?,
        stream: fields.take_as("stream")?.unwrap_or_default(),
        cache: cache_mark(&mut fields, notes),
        ..Request::default()
    };
    if let Some(raw) = fields.take("system") {
        request.instructions = instructions(raw, notes)?;
    }
    let messages = fields.take("messages").ok_or_else(|| required("messages"))?;
    request.turns = turns(messages, notes)?;
    tools::read(&mut fields, &mut request, notes)?;
    options::read(&mut fields, &mut request, notes)?;
    for (name, _) in fields.rest() {
        notes.dropped(name.into_owned());
    }
    Ok(request)
}

fn required(field: &'static str) -> Refused {
    Refused::new(field, "is required")
}

/// Tells where in the request a field of the wrong type stands.
fn within(place: &'static str) -> impl Fn(WrongType) -> Refused {
    move |wrong| Refused::new(format!("{place}.{}", wrong.field), wrong.why)
}

/// Takes `cache_control` out.
fn cache_mark(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<CacheMark> {
    let raw = fields.take("cache_control")?;
    let mark = Fields::parse(raw.get()).ok().filter(|it| it.text("type").is_some());
    if let Some(mark) = mark {
        let ttl = mark.text("ttl").map(std::borrow::Cow::into_owned);
        return Some(CacheMark { ttl });
    }
    notes.dropped("cache_control");
    None
}

/// What Claude Code writes before its instructions for Anthropic alone. It differs with
/// each request, so that no other provider's cache would ever find the prompt again.
const BILLING: &str = "x-anthropic-billing-header:";

fn instructions(raw: &RawValue, notes: &mut Notes) -> Result<Vec<Part>, Refused> {
    let mut parts = texts(raw, "system", notes)?;
    if let Some(Content::Text(first)) = parts.first_mut().map(|it| &mut it.content)
        && first.text.starts_with(BILLING)
    {
        let rest = first.text.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
        first.text = rest.to_owned();
        if first.text.is_empty() {
            parts.remove(0);
        }
    }
    Ok(parts)
}

/// A text, or an array of blocks that are texts.
fn texts(raw: &RawValue, place: &'static str, notes: &mut Notes) -> Result<Vec<Part>, Refused> {
    let parts = blocks::content(raw, place, notes)?;
    let only = parts.iter().all(|it| it.as_text().is_some());
    if only { Ok(parts) } else { Err(Refused::new(place, "may hold texts only")) }
}

fn turns(raw: &RawValue, notes: &mut Notes) -> Result<Vec<Turn>, Refused> {
    let messages = json::elements(raw);
    let messages = messages.ok_or_else(|| Refused::new("messages", "has to be an array"))?;
    if messages.is_empty() {
        return Err(Refused::new("messages", "has to hold at least one message"));
    }
    messages.into_iter().map(|it| turn(it, notes)).collect()
}

fn turn(raw: &RawValue, notes: &mut Notes) -> Result<Turn, Refused> {
    let mut fields = Fields::parse(raw.get())
        .map_err(|_| Refused::new("messages", "has to be an array of objects"))?;
    let role: Option<String> = fields.take_as("role").map_err(within("messages"))?;
    let role = match role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some(_) => {
            return Err(Refused::new("messages.role", "has to be user, assistant or system"));
        }
        None => return Err(required("messages.role")),
    };
    let content = fields.take("content").ok_or_else(|| required("messages.content"))?;
    let parts = match role {
        Role::User | Role::Assistant => blocks::content(content, "messages.content", notes)?,
        Role::System => texts(content, "messages.content", notes)?,
    };
    for (name, _) in fields.rest() {
        notes.dropped(format!("messages.{name}"));
    }
    Ok(Turn { role, name: None, parts })
}

/// Notes that `field` is told in words of ours.
fn reworded(field: impl Into<std::borrow::Cow<'static, str>>, notes: &mut Notes) {
    notes.add(field, How::Changed);
}

/// The value of a field as it was written, or an empty object.
fn object(raw: Option<&RawValue>) -> Json {
    raw.map_or_else(Json::empty_object, Json::from)
}

#[cfg(test)]
mod tests;
