//! A caller's request, as Google's SDKs and its command line send it.

mod config;
mod contents;
mod media;
mod schema;
mod tools;

use crate::{
    chat::{Content, Part, Request, Tier},
    gemini::wire::object::Object,
    json::text,
    translate::{Notes, Refused},
};
use serde_json::value::RawValue;

/// Reads a `generateContent` body. Model and streaming are left to whoever knows the path.
///
/// # Errors
/// When it is no proper request, or asks for what only Google can do.
pub(crate) fn read(bytes: &[u8], notes: &mut Notes) -> Result<Request, Refused> {
    conversation(body(bytes)?, notes)
}

/// The fields of a body.
pub(super) fn body(bytes: &[u8]) -> Result<Object<'_>, Refused> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refused::new("body", "is no UTF-8"))?;
    Ok(Object::parse(text, "")?)
}

/// Reads a request's fields.
pub(super) fn conversation(mut fields: Object<'_>, notes: &mut Notes) -> Result<Request, Refused> {
    let mut request = Request::default();
    // The path tells it too, and holds.
    fields.take("model");
    if fields.take("cachedContent").is_some() {
        let reason = "is kept by Google alone, and the model would not see what it holds: \
                      send the content itself";
        return Err(Refused::new("cachedContent", reason));
    }
    if let Some(raw) = fields.take("systemInstruction") {
        request.instructions = instructions(raw, notes)?;
    }
    let contents = fields.list("contents");
    if contents.is_empty() {
        return Err(Refused::new("contents", "is missing or empty"));
    }
    request.turns = contents::read(&contents, notes)?;
    tools::read(&fields.list("tools"), &mut request, notes)?;
    if let Some(config) = fields.object("toolConfig", "toolConfig")? {
        request.tool_choice = tools::choice(config, notes)?;
    }
    if let Some(config) = fields.object("generationConfig", "generationConfig")? {
        config::read(config, &mut request, notes)?;
    }
    if let Some(labels) = fields.object("labels", "labels")? {
        request.metadata = labels.rest().map(label).collect::<Result<_, _>>()?;
    }
    request.tier = fields.text("serviceTier")?.as_deref().and_then(tier);
    request.store = fields.flag("store")?;
    if !fields.list("safetySettings").is_empty() {
        notes.dropped("safetySettings");
    }
    fields.drop_rest(notes);
    Ok(request)
}

/// One part a text, so that none loses its place.
fn instructions(raw: &RawValue, notes: &mut Notes) -> Result<Vec<Part>, Refused> {
    const FIELD: &str = "systemInstruction";
    if let Some(plain) = text(raw) {
        return Ok(vec![Part::text(plain)]);
    }
    let mut content = Object::of(raw, FIELD)?;
    content.take("role");
    let mut parts = Vec::new();
    for raw in content.list("parts") {
        let part = contents::plain(raw, notes)?;
        let is_text = matches!(part.content, Content::Text(_));
        if !is_text {
            return Err(Refused::new(FIELD, "may hold texts only"));
        }
        if part.as_text() != Some("") {
            parts.push(part);
        }
    }
    content.drop_rest(notes);
    Ok(parts)
}

fn label((name, raw): (String, &RawValue)) -> Result<(String, String), Refused> {
    let Some(value) = text(raw) else { return Err(Refused::new(name, "is no text")) };
    let name = name.strip_prefix("labels.").map_or_else(|| name.clone(), str::to_owned);
    Ok((name, value.into_owned()))
}

fn tier(word: &str) -> Option<Tier> {
    let word = word.to_ascii_lowercase();
    Some(match word.strip_prefix("service_tier_").unwrap_or(&word) {
        "unspecified" | "" => return None,
        "standard" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" => Tier::Priority,
        other => Tier::Other(other.to_owned()),
    })
}

#[cfg(test)]
mod tests;
