//! Requests for legacy completions.

use crate::{
    chat::{Part, Request, Role, Turn},
    json::{self, Fields},
    openai_chat::request::{max_output, sampling, stream_usage},
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;

/// Reads a request.
///
/// # Errors
/// When it is no proper request, or wants what only models of old could do.
pub(crate) fn read(body: &[u8], notes: &mut Notes) -> Result<Request, Refused> {
    let text = std::str::from_utf8(body).map_err(|_| Refused::new("body", "is no UTF-8 text"))?;
    let mut fields = Fields::parse(text).map_err(|_| Refused::new("body", "is no JSON object"))?;
    refuse(&mut fields)?;
    let prompt = prompt(fields.take("prompt"))?;
    let turn = Turn { role: Role::User, name: None, parts: vec![Part::text(prompt)] };
    notes.add("prompt", How::Changed);
    let request = Request {
        model: fields.take_as("model")?.unwrap_or_default(),
        turns: vec![turn],
        sampling: sampling(&mut fields)?,
        // The 16 tokens of old, where nothing is said, are not what anybody means today.
        max_output: max_output(&mut fields)?,
        answers: fields.take_as("n")?,
        stream: fields.take_as("stream")?.unwrap_or_default(),
        stream_usage: stream_usage(&mut fields, notes)?,
        user: fields.take_as("user")?,
        ..Request::default()
    };
    for (name, _) in fields.rest() {
        notes.dropped(name.into_owned());
    }
    Ok(request)
}

/// What conversations have no words for.
fn refuse(fields: &mut Fields<'_>) -> Result<(), Refused> {
    let mut says = |name: &str, harmless: &[&str]| {
        let found = fields.take(name).map(RawValue::get);
        found.is_some_and(|it| !harmless.contains(&it))
    };
    for (name, harmless) in [
        ("echo", &["false"][..]),
        ("suffix", &["\"\""]),
        ("best_of", &["1"]),
        ("logprobs", &["false"]),
    ] {
        if says(name, harmless) {
            return Err(Refused::new(name, "is not possible with this model"));
        }
    }
    Ok(())
}

fn prompt(raw: Option<&RawValue>) -> Result<String, Refused> {
    let Some(raw) = raw else { return Err(Refused::new("prompt", "is missing")) };
    let reason = "must be one text for this model";
    let text = json::text(raw).or_else(|| match json::elements(raw)?.as_slice() {
        [one] => json::text(one),
        _ => None,
    });
    match text {
        Some(text) if text.is_empty() => Err(Refused::new("prompt", "must not be empty")),
        Some(text) => Ok(text.into_owned()),
        None => Err(Refused::new("prompt", reason)),
    }
}

#[cfg(test)]
mod tests;
