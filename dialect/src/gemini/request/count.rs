//! Requests that only want to know how many tokens they are.

use super::read::{body, conversation};
use crate::{
    chat,
    gemini::{full_name, wire::object::Object},
    translate::{Notes, Refused, Unreadable},
};
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads a `countTokens` body: a whole request inside, or a request's fields themselves.
///
/// # Errors
/// As [`super::read()`].
pub(crate) fn read_count(bytes: &[u8], notes: &mut Notes) -> Result<chat::Request, Refused> {
    let mut fields = body(bytes)?;
    match fields.object("generateContentRequest", "")? {
        Some(whole) => conversation(whole, notes),
        None => conversation(fields, notes),
    }
}

/// The answer to it.
pub(crate) fn write_count(tokens: u64) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Count {
        total_tokens: u64,
    }
    crate::error::json(&Count { total_tokens: tokens }).into()
}

/// The `countTokens` body for AI Studio; `body` is what [`super::write()`] wrote for `model`.
/// Vertex takes `body` itself.
pub(crate) fn ask_count(body: &[u8], model: &str) -> Vec<u8> {
    let model = serde_json::Value::from(full_name(model)).to_string();
    let fields = body.strip_prefix(b"{").unwrap_or(body);
    let head = format!("{{\"generateContentRequest\":{{\"model\":{model},");
    [head.as_bytes(), fields, b"}"].concat()
}

/// How many tokens a provider counted.
///
/// # Errors
/// When it does not say.
pub(crate) fn told_count(body: &[u8]) -> Result<u64, Unreadable> {
    let unreadable = || Unreadable("it tells no count".to_owned());
    let raw: &RawValue = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let count = Object::of(raw, "").and_then(|mut it| it.count("totalTokens"));
    // A count of nothing is left out.
    count.map(Option::unwrap_or_default).map_err(|_| unreadable())
}
