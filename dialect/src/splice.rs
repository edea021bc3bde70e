//! Same dialect on both sides: the model's name is replaced, and nothing else touched.

use crate::peek::{Missing, Peek, StreamUsage};
use bytes::Bytes;
use std::ops::Range;

/// The body to send upstream: `body` with `model` as the value of `model`, and with
/// `stream_options.include_usage` made true if `ask_usage` says so.
///
/// All other bytes stay as they are: whitespace, order, unknown fields, the spelling
/// of numbers. With nothing to replace it is `body` itself, not a copy. `peek` must
/// be what [`crate::peek::peek`] said of this `body`.
pub fn splice(body: &Bytes, peek: &Peek<'_>, model: &str, ask_usage: bool) -> Bytes {
    let name = (peek.model != model).then(|| Edit {
        at: peek.model_span.clone(),
        text: serde_json::Value::from(model).to_string().into(),
    });
    let usage = match &peek.stream_usage {
        StreamUsage::NotAsked(Missing { at, text }) if ask_usage => {
            Some(Edit { at: at.clone(), text: (*text).into() })
        }
        StreamUsage::NotAsked(_) | StreamUsage::Asked => None,
    };
    let mut edits = [name, usage];
    // The two never overlap: they are values of different keys.
    edits.sort_by_key(|it| it.as_ref().map(|it| it.at.start));
    if edits.iter().all(Option::is_none) {
        return body.clone();
    }
    let added = edits.iter().flatten().map(|it| it.text.len()).sum::<usize>();
    let mut spliced = Vec::with_capacity(body.len().saturating_add(added));
    let mut at = 0;
    for edit in edits.iter().flatten() {
        spliced.extend_from_slice(body.get(at..edit.at.start).unwrap_or_default());
        spliced.extend_from_slice(edit.text.as_bytes());
        at = edit.at.end;
    }
    spliced.extend_from_slice(body.get(at..).unwrap_or_default());
    spliced.into()
}

struct Edit {
    at: Range<usize>,
    text: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peek::peek;

    #[track_caller]
    fn check(body: &'static str, model: &str, ask_usage: bool, expected: &str) {
        let bytes = Bytes::from_static(body.as_bytes());
        let spliced = splice(&bytes, &peek(&bytes).unwrap(), model, ask_usage);
        assert_eq!(std::str::from_utf8(&spliced).unwrap(), expected);
    }

    #[test]
    fn only_the_models_value_changes() {
        check(
            "\n { \"n\" : 1.0, \"x\":{\"model\":\"a\"},\t\"model\"\n:\t\"a\" , \"z\":1e2 } \r\n",
            "b/c",
            false,
            "\n { \"n\" : 1.0, \"x\":{\"model\":\"a\"},\t\"model\"\n:\t\"b/c\" , \"z\":1e2 } \r\n",
        );
    }

    #[test]
    fn the_new_name_is_escaped() {
        check(r#"{"model":"a"}"#, "q\"\\\n", false, r#"{"model":"q\"\\\n"}"#);
    }

    #[test]
    fn usage_is_asked_for_wherever_the_caller_left_room() {
        for (options, expected) in [
            ("null", r#"{"include_usage":true}"#),
            ("{}", r#"{"include_usage":true}"#),
            ("{ \n}", "{\"include_usage\":true \n}"),
            (r#"{"x":1}"#, r#"{"include_usage":true,"x":1}"#),
            (r#"{"include_usage":false}"#, r#"{"include_usage":true}"#),
            (r#"{ "x":1, "include_usage" : null }"#, r#"{ "x":1, "include_usage" : true }"#),
            (r#"{"include_usage":true}"#, r#"{"include_usage":true}"#),
        ] {
            for (head, tail) in [
                (r#"{"model":"a","stream_options":"#, "}"),
                (r#"{"stream_options":"#, r#" ,"model":"a"}"#),
            ] {
                let body = Bytes::from(format!("{head}{options}{tail}"));
                let spliced = splice(&body, &peek(&body).unwrap(), "bb", true);
                let head = head.replace(r#""a""#, r#""bb""#);
                let tail = tail.replace(r#""a""#, r#""bb""#);
                assert_eq!(spliced, format!("{head}{expected}{tail}"));
            }
        }
        check(
            r#" {"model":"a"}"#,
            "b",
            true,
            r#" {"stream_options":{"include_usage":true},"model":"b"}"#,
        );
    }

    #[test]
    fn with_nothing_to_replace_the_body_is_not_copied() {
        let body =
            Bytes::from_static(br#"{"model":"\u0061","stream_options":{"include_usage":true}}"#);
        let spliced = splice(&body, &peek(&body).unwrap(), "a", true);
        assert_eq!(spliced.as_ptr(), body.as_ptr());
        let body = Bytes::from_static(br#"{"model":"a"}"#);
        assert_eq!(splice(&body, &peek(&body).unwrap(), "a", false).as_ptr(), body.as_ptr());
    }
}
