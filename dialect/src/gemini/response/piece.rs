//! One part of a provider's answer.

use crate::{chat::Opaque, gemini::wire::object::Object, inline, json::Json};
use domain::catalog::Dialect;
use serde_json::value::RawValue;

/// A part, and the state that stands on it.
#[derive(Debug, PartialEq)]
pub(in crate::gemini) struct Piece {
    pub(in crate::gemini) said: Said,
    pub(in crate::gemini) state: Option<Opaque>,
}

/// What it says.
#[derive(Debug, PartialEq)]
pub(in crate::gemini) enum Said {
    /// Words; none where only the state is told.
    Text(String),
    /// Thoughts.
    Thought(String),
    /// A call, which is always told whole.
    Call {
        /// Empty where older models give none.
        id: String,
        name: String,
        args: Json,
    },
    /// Bytes of a media type, in base64.
    Bytes { mime: String, data: String },
}

/// Reads a part. What Google ran by itself is told as a text.
pub(in crate::gemini) fn read(raw: &RawValue) -> Option<Piece> {
    let mut part = Object::of(raw, "").ok()?;
    let signature = part.text("thoughtSignature").ok().flatten().filter(|it| !it.is_empty());
    let state = signature.map(|data| Opaque { origin: Dialect::Gemini, data });
    let said = call(&mut part).or_else(|| bytes(&mut part)).or_else(|| run(&mut part));
    let said = said.unwrap_or_else(|| {
        let words = part.text("text").ok().flatten().unwrap_or_default();
        let is_thought = part.flag("thought").ok().flatten().unwrap_or(false);
        if is_thought { Said::Thought(words) } else { Said::Text(words) }
    });
    Some(Piece { said, state })
}

fn call(part: &mut Object<'_>) -> Option<Said> {
    let mut call = part.object("functionCall", "").ok()??;
    let name = call.text("name").ok().flatten().unwrap_or_default();
    let id = call.text("id").ok().flatten().unwrap_or_default();
    let args = call.json("args").unwrap_or_else(Json::empty_object);
    Some(Said::Call { id, name, args })
}

fn bytes(part: &mut Object<'_>) -> Option<Said> {
    let mut blob = part.object("inlineData", "").ok()??;
    let mime = blob.text("mimeType").ok()??;
    let data = inline::standard(blob.text("data").ok()??)?;
    Some(Said::Bytes { mime, data })
}

fn run(part: &mut Object<'_>) -> Option<Said> {
    if let Some(mut code) = part.object("executableCode", "").ok()? {
        let language = code.text("language").ok()?.unwrap_or_default().to_ascii_lowercase();
        let code = code.text("code").ok()?.unwrap_or_default();
        return Some(Said::Text(format!("\n```{language}\n{code}\n```\n")));
    }
    let mut gave = part.object("codeExecutionResult", "").ok()??;
    let output = gave.text("output").ok()?.unwrap_or_default();
    Some(Said::Text(format!("\n```\n{output}\n```\n")))
}
