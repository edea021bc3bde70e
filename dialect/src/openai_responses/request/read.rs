//! Reads a caller's request.

mod content;
mod echo;
mod input;
mod options;
mod tools;

#[cfg(test)]
mod tests;

pub(in crate::openai_responses) use content::{citation, citations};
pub(in crate::openai_responses) use tools::is_strict;

use crate::{
    chat::{self, Part},
    json::{Fields, text},
    translate::{Notes, Refused},
};
use serde_json::value::RawValue;

/// What a caller asks.
///
/// # Errors
/// When it is no proper request, or refers to what only OpenAI has.
pub(crate) fn read(body: &[u8], notes: &mut Notes) -> Result<chat::Request, Refused> {
    let mut fields: Fields<'_> = serde_json::from_slice(body)
        .map_err(|_| Refused::new("body", "is not one whole JSON object"))?;
    let mut request = chat::Request { echo: echo::of(&fields), ..chat::Request::default() };
    request.model =
        words(&mut fields, "model", "model")?.ok_or_else(|| Refused::new("model", "is missing"))?;
    refuse_kept(&mut fields)?;
    if let Some(instructions) = words(&mut fields, "instructions", "instructions")? {
        request.instructions.push(Part::text(instructions));
    }
    let mut tools = tools::Tools::default();
    if let Some(raw) = fields.take("tools") {
        tools.read(raw, notes)?;
    }
    request.tool_choice = fields.take("tool_choice").map(tools::choice).transpose()?;
    request.parallel_calls = fields.take_as("parallel_tool_calls")?;
    options::read(&mut fields, &mut request, notes)?;
    let input = fields.take("input").ok_or_else(|| Refused::new("input", "is missing"))?;
    input::read(input, &mut request, &mut tools, notes)?;
    (request.tools, request.web_search) = tools.finish();
    for (name, _) in fields.rest() {
        notes.dropped(name.into_owned());
    }
    Ok(request)
}

/// Refuses what stands for something that its provider keeps.
fn refuse_kept(fields: &mut Fields<'_>) -> Result<(), Refused> {
    for name in ["previous_response_id", "conversation", "prompt"] {
        if fields.take(name).is_some() {
            let reason = "is kept by OpenAI only, and another provider is asked here: send the \
                          whole conversation in `input`";
            return Err(Refused::new(name, reason));
        }
    }
    if fields.take_as("background")? == Some(true) {
        return Err(Refused::new("background", "is not possible with the provider asked here"));
    }
    Ok(())
}

/// Takes a text out; `path` names it in errors.
fn words(fields: &mut Fields<'_>, name: &str, path: &str) -> Result<Option<String>, Refused> {
    let Some(raw) = fields.take(name) else { return Ok(None) };
    let found = text(raw).ok_or_else(|| Refused::new(path, "has to be a text"))?;
    Ok(Some(found.into_owned()))
}

/// The fields of an object; `path` names it in errors.
fn object<'a>(raw: &'a RawValue, path: &str) -> Result<Fields<'a>, Refused> {
    Fields::parse(raw.get()).map_err(|_| Refused::new(path, "has to be an object"))
}

/// The elements of an array; `path` names it in errors.
fn list<'a>(raw: &'a RawValue, path: &str) -> Result<Vec<&'a RawValue>, Refused> {
    crate::json::elements(raw).ok_or_else(|| Refused::new(path, "has to be a list"))
}

/// Notes what nobody has taken of an object.
fn leave(fields: Fields<'_>, path: &str, notes: &mut Notes) {
    for (name, _) in fields.rest() {
        notes.dropped(format!("{path}.{name}"));
    }
}
