//! Vectors: arrays of numbers, or OpenAI's base64 of their 32-bit floats.

use crate::{
    inline,
    json::{Json, elements, text},
    translate::Unreadable,
};
use serde::Serialize;
use serde_json::value::RawValue;

/// A vector for an OpenAI caller.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Vector {
    /// As an array.
    Numbers(Json),
    /// In base64.
    Bytes(String),
}

/// The bytes of an array's numbers as OpenAI's SDKs want them: little-endian, 32 bits each.
pub(super) fn encode(values: &RawValue) -> Result<String, Unreadable> {
    let numbers: Vec<f32> = serde_json::from_str(values.get()).map_err(|_| unreadable())?;
    let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
    Ok(inline::encoded(&bytes))
}

/// The numbers of an OpenAI vector, whichever form it has.
pub(super) fn numbers(vector: &RawValue) -> Result<Json, Unreadable> {
    let Some(encoded) = text(vector) else {
        elements(vector).ok_or_else(unreadable)?;
        return Ok(Json::from(vector));
    };
    let bytes = inline::decoded(&encoded).ok_or_else(unreadable)?;
    let (groups, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(unreadable());
    }
    let numbers: Vec<_> = groups.iter().map(|it| f32::from_le_bytes(*it)).collect();
    let text = serde_json::to_string(&numbers).map_err(|_| unreadable())?;
    Json::parse(&text).ok_or_else(unreadable)
}

pub(super) fn unreadable() -> Unreadable {
    Unreadable("an embedding is no list of numbers".to_owned())
}
