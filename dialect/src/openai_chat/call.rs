//! Calls of tools as they stand in messages, and what tools are given.

use super::SLOT;
use crate::{
    chat::{Call, CallInput, Opaque},
    json::{self, Fields, Json},
    translate,
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An element of `tool_calls`, or a piece of one in a stream.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// Its id; empty if it has none, or not in this piece.
    pub(super) id: Cow<'a, str>,
    /// The tool's name; empty if it is not in this piece.
    pub(super) name: Cow<'a, str>,
    /// What the tool is given, as it was written.
    pub(super) input: Option<&'a RawValue>,
    /// Whether that is free text.
    pub(super) custom: bool,
    /// State that stands at the call.
    pub(super) opaque: Option<Opaque>,
}

impl<'a> Said<'a> {
    /// Takes out of `fields` what is known of a call.
    pub(super) fn take(fields: &mut Fields<'a>) -> Self {
        let text = |it: Option<&'a RawValue>| it.and_then(json::text).unwrap_or_default();
        let kind = text(fields.take("type"));
        let custom = fields.take("custom").and_then(|it| Fields::parse(it.get()).ok());
        let is_custom = custom.is_some() || kind == "custom";
        let function = fields.take("function").and_then(|it| Fields::parse(it.get()).ok());
        // Some servers write what belongs into `function` beside it.
        let mut inner = custom.or(function).unwrap_or_else(|| fields.clone());
        for name in ["name", "arguments", "input"] {
            fields.take(name);
        }
        Self {
            id: text(fields.take("id")),
            name: text(inner.take("name")),
            input: if is_custom { inner.take("input") } else { inner.take("arguments") },
            custom: is_custom,
            opaque: signature(fields.take("extra_content")),
        }
    }

    /// The call, if this is all of it.
    pub(super) fn whole(self) -> Call {
        let text = self.input.and_then(json::text);
        Call {
            id: self.id.into_owned(),
            name: self.name.into_owned(),
            namespace: None,
            input: match (self.custom, text) {
                (true, text) => CallInput::Text(text.unwrap_or_default().into_owned()),
                (false, Some(text)) => arguments(&text),
                // Some servers write the object itself.
                (false, None) => arguments(self.input.map_or("", RawValue::get)),
            },
            opaque: self.opaque,
        }
    }
}

/// A `function_call` of old, or what stands there in a piece of a stream.
pub(super) fn legacy(raw: &RawValue) -> Option<Said<'_>> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    Some(Said::take(&mut fields))
}

/// What a function is given: an object wherever it can be one. Models write nothing,
/// `null`, or several empty objects where a function takes no arguments.
pub(super) fn arguments(text: &str) -> CallInput {
    if is_nothing(text) {
        return CallInput::Json(Json::empty_object());
    }
    match Json::parse(text).filter(Json::is_object) {
        Some(object) => CallInput::Json(object),
        None => CallInput::Text(text.to_owned()),
    }
}

/// Whether arguments are none at all.
fn is_nothing(text: &str) -> bool {
    let mut rest = text.trim();
    if rest == "null" {
        return true;
    }
    while let Some(after) = rest.strip_prefix("{}") {
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// Gemini's signature, where its path for OpenAI's clients puts it.
fn signature(extra: Option<&RawValue>) -> Option<Opaque> {
    let google = Fields::parse(extra?.get()).ok()?.take("google")?;
    let text = Fields::parse(google.get()).ok()?.text("thought_signature")?;
    (!text.is_empty()).then(|| translate::open(&text, SLOT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::Dialect;

    #[track_caller]
    fn check(text: &str) -> Call {
        let mut fields = Fields::parse(text).unwrap();
        let call = Said::take(&mut fields).whole();
        assert_eq!(fields.rest().count(), 0, "{text}");
        call
    }

    #[test]
    fn calls_are_read_in_every_spelling() {
        for text in [
            r#"{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
            r#"{"id":"c1","function":{"name":"f","arguments":{"a":1}}}"#,
            r#"{"id":"c1","type":"function","name":"f","arguments":"{\"a\":1}"}"#,
        ] {
            let call = check(text);
            assert_eq!((call.id.as_str(), call.name.as_str()), ("c1", "f"), "{text}");
            assert_eq!(call.input, CallInput::Json(Json::parse(r#"{"a":1}"#).unwrap()), "{text}");
        }
        let call = check(r#"{"id":"c2","type":"custom","custom":{"name":"g","input":"{}"}}"#);
        assert_eq!(call.input, CallInput::Text("{}".to_owned()));
    }

    /// Bug 6 of the list: no arguments were sent on as a text, as `null` or twice.
    #[test]
    fn no_arguments_are_an_empty_object_however_a_model_says_it() {
        for text in ["", " ", "null", "{}", "{}{}", " {} {}\n", "{ }"] {
            let expected = CallInput::Json(Json::empty_object());
            assert_eq!(arguments(text), expected, "{text:?}");
        }
        for text in ["{\"a\":", "[]", "1", "{}{\"a\":1}", "\"x\"", "nul"] {
            assert_eq!(arguments(text), CallInput::Text(text.to_owned()), "{text:?}");
        }
    }

    /// Bug 34 of the list: arguments came back in another order, and the prompt was not cached.
    #[test]
    fn arguments_keep_their_bytes() {
        let text = "{ \"b\": 1.0,\"a\" :12345678901234567890 }";
        let CallInput::Json(json) = arguments(text) else { panic!() };
        assert_eq!(json.as_str(), text);
    }

    #[test]
    fn a_signature_is_whose_it_says_and_else_of_this_dialect() {
        let of = |signature: &str| {
            let extra =
                format!(r#""extra_content":{{"google":{{"thought_signature":"{signature}"}}}}"#);
            check(&format!(r#"{{"id":"c","function":{{"name":"f","arguments":""}},{extra}}}"#))
                .opaque
        };
        let opaque = |origin, data: &str| Some(Opaque { origin, data: data.to_owned() });
        assert_eq!(of("CiQB"), opaque(Dialect::OpenAi, "CiQB"));
        assert_eq!(of("slc1.gemini.CiQB"), opaque(Dialect::Gemini, "CiQB"));
        assert_eq!(of(""), None);
    }
}
