//! Thoughts in OpenRouter's `reasoning_details` and in the plain texts of others.
//!
//! A detail of this dialect is kept whole as the state, but for its text, so that whoever
//! gave it gets it back as it was. States of other dialects stand sealed in its slot.

use super::SLOT;
use crate::{
    chat::{Content, Opaque, Part, Thinking},
    json::{self, Fields, Json},
    translate::{open, seal},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The kinds of details, and where their texts and states stand.
const TEXT: &str = "reasoning.text";
const SUMMARY: &str = "reasoning.summary";
const ENCRYPTED: &str = "reasoning.encrypted";

/// Takes the thoughts out of a message, whole or a piece of one.
pub(super) fn take(fields: &mut Fields<'_>) -> Vec<Thinking> {
    let details = fields.take("reasoning_details").and_then(json::elements).unwrap_or_default();
    let mut thoughts: Vec<_> = details.into_iter().filter_map(read).collect();
    // The same text under two or three names; details are the most exact.
    let content = fields.take("reasoning_content").and_then(json::text);
    let reasoning = fields.take("reasoning").and_then(json::text);
    let text = content.filter(|it| !it.is_empty()).or(reasoning).unwrap_or_default();
    if !text.is_empty() && thoughts.iter().all(|it| it.text.is_empty()) {
        let plain = Thinking { text: text.into_owned(), ..Thinking::default() };
        thoughts.insert(0, plain);
    }
    thoughts
}

/// Those of a whole message.
pub(super) fn parts(fields: &mut Fields<'_>) -> Vec<Part> {
    take(fields).into_iter().map(|it| Part::new(Content::Thinking(it))).collect()
}

/// One detail; `None`: it says nothing.
fn read(raw: &RawValue) -> Option<Thinking> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    let kind = fields.text("type").unwrap_or(Cow::Borrowed(TEXT));
    let text = fields.take(if kind == SUMMARY { "summary" } else { "text" });
    let text = text.and_then(json::text).unwrap_or_default().into_owned();
    let redacted = kind == ENCRYPTED;
    let slot = fields.text(if redacted { "data" } else { "signature" });
    let opaque = slot.filter(|it| !it.is_empty()).map(|slot| {
        let opaque = open(&slot, SLOT);
        if opaque.origin == SLOT { Opaque { data: object(fields, None), ..opaque } } else { opaque }
    });
    let says_something = !text.is_empty() || opaque.is_some();
    says_something.then_some(Thinking { text, opaque, redacted })
}

/// The detail that carries a thought's state; `None`: it has none. `number` tells the
/// details of one message apart.
pub(super) fn detail(thought: &Thinking, number: u32) -> Option<Json> {
    let opaque = thought.opaque.as_ref()?;
    if opaque.origin == SLOT
        && let Ok(fields) = Fields::parse(&opaque.data)
    {
        let field =
            if fields.text("type").as_deref() == Some(SUMMARY) { "summary" } else { "text" };
        let text = (!thought.redacted).then_some((field, thought.text.as_str()));
        return Json::parse(&object(fields, text));
    }
    let state = seal(opaque, SLOT);
    let detail = if thought.redacted {
        Detail { kind: ENCRYPTED, text: None, signature: None, data: Some(&state), index: number }
    } else {
        let text = Some(thought.text.as_str());
        Detail { kind: TEXT, text, signature: Some(&state), data: None, index: number }
    };
    Json::parse(&serde_json::to_string(&detail).ok()?)
}

/// A detail of ours.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    index: u32,
}

/// An object of these fields and a text.
fn object(fields: Fields<'_>, text: Option<(&str, &str)>) -> String {
    struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>, Option<(&'a str, &'a str)>);
    impl Serialize for Object<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for (key, value) in &self.0 {
                map.serialize_entry(key, value)?;
            }
            if let Some((key, value)) = self.1 {
                map.serialize_entry(key, value)?;
            }
            map.end()
        }
    }
    serde_json::to_string(&Object(fields.rest().collect(), text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::Dialect;

    fn thoughts(message: &str) -> Vec<Thinking> {
        take(&mut Fields::parse(message).unwrap())
    }

    fn opaque(origin: Dialect, data: &str) -> Option<Opaque> {
        Some(Opaque { origin, data: data.to_owned() })
    }

    #[test]
    fn a_sealed_state_comes_back_as_what_it_was() {
        for (text, redacted) in [("I see.", false), ("", false), ("", true)] {
            let opaque = opaque(Dialect::Anthropic, "EqQB/+==");
            let thought = Thinking { text: text.to_owned(), opaque, redacted };
            let json = detail(&thought, 3).unwrap();
            assert!(json.as_str().contains(r#""slc1.anthropic.EqQB/+==""#), "{json:?}");
            let message = format!(r#"{{"reasoning_details":[{}]}}"#, json.as_str());
            assert_eq!(thoughts(&message), [thought]);
        }
    }

    #[test]
    fn a_detail_of_this_dialect_comes_back_with_all_its_fields() {
        for raw in [
            r#"{"type":"reasoning.text","text":"Hm.","signature":"s","id":"r1","format":"f-v1","index":0}"#,
            r#"{"type":"reasoning.encrypted","data":"e","id":"rs_1","format":"openai-v1","index":1}"#,
        ] {
            let read = thoughts(&format!(r#"{{"reasoning_details":[{raw}],"reasoning":"Hm."}}"#));
            let json = detail(read.last().unwrap(), 9).unwrap();
            assert_eq!(json, Json::parse(raw).unwrap());
        }
    }

    #[test]
    fn one_thought_under_several_names_is_read_once() {
        for message in [
            r#"{"reasoning_content":"Hm.","reasoning":"Hm."}"#,
            r#"{"reasoning":"Hm."}"#,
            r#"{"reasoning_content":"","reasoning":"Hm."}"#,
            r#"{"reasoning":"Hm.","reasoning_details":[{"type":"reasoning.text","text":"Hm."}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"Hm."}]}"#,
        ] {
            let plain = Thinking { text: "Hm.".to_owned(), ..Thinking::default() };
            assert_eq!(thoughts(message), [plain], "{message}");
        }
    }

    #[test]
    fn what_is_no_thought_is_none() {
        for message in [
            "{}",
            r#"{"reasoning_details":{},"reasoning":[]}"#,
            r#"{"reasoning_details":[1,null,"x",{},{"type":"reasoning.text","signature":""}]}"#,
        ] {
            assert_eq!(thoughts(message), [], "{message}");
        }
    }
}
