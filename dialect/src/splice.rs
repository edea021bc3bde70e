//! Same dialect on both sides: the model's name is replaced, a wish for the usage and a
//! bound for the answer are added where they have to be, and nothing else is touched.

use crate::{
    gemini::full_name,
    peek::{Missing, ModelPlace, Peek, Room, Spot, StreamUsage},
};
use bytes::Bytes;
use std::ops::Range;

/// What is to be different in the body that goes upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The value of `model`.
    pub model: &'a str,
    /// Whether `stream_options.include_usage` is made true.
    pub ask_usage: bool,
    /// A bound for the answer, if the request sets none.
    pub output_cap: Option<OutputCap<'a>>,
}

/// A bound for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputCap<'a> {
    /// What the provider calls it: `max_tokens`, `max_completion_tokens` or such.
    pub field: &'a str,
    /// Of each answer, in tokens.
    pub tokens: u64,
}

/// The body to send upstream: `body` with the values of `change`.
///
/// All other bytes stay as they are: whitespace, order, unknown fields, the spelling
/// of numbers. With nothing to replace it is `body` itself, not a copy. `peek` must
/// be what [`crate::peek::peek`] said of this `body`.
pub fn splice(body: &Bytes, peek: &Peek<'_>, change: Change<'_>) -> Bytes {
    let mut edits = models(body, peek, change.model);
    if let (StreamUsage::NotAsked(Missing { at, text }), true) =
        (&peek.stream_usage, change.ask_usage)
    {
        edits.push(Edit { at: at.clone(), text: (*text).into() });
    }
    edits.extend(change.output_cap.and_then(|it| bound(body, peek, it)));
    if edits.is_empty() {
        return body.clone();
    }
    // They never overlap: they are values of different keys, or stand before all keys.
    edits.sort_by_key(|it| it.at.start);
    let added = edits.iter().map(|it| it.text.len()).sum::<usize>();
    let mut spliced = Vec::with_capacity(body.len().saturating_add(added));
    let mut at = 0;
    for edit in &edits {
        spliced.extend_from_slice(body.get(at..edit.at.start).unwrap_or_default());
        spliced.extend_from_slice(edit.text.as_bytes());
        at = edit.at.end;
    }
    spliced.extend_from_slice(body.get(at..).unwrap_or_default());
    spliced.into()
}

/// Writes the model's name wherever it has to stand, unless it does already.
fn models(body: &[u8], peek: &Peek<'_>, name: &str) -> Vec<Edit> {
    let quoted = || serde_json::Value::from(name);
    match &peek.model_place {
        ModelPlace::Value { at, differs } if *differs || peek.model != name => {
            vec![Edit { at: at.clone(), text: quoted().to_string().into() }]
        }
        ModelPlace::Value { .. } => Vec::new(),
        ModelPlace::Entry(at) => {
            vec![Edit { at: *at..*at, text: format!("\"model\":{},", quoted()).into() }]
        }
        ModelPlace::Path(spots) if spots.is_empty() => Vec::new(),
        ModelPlace::Path(spots) => {
            let full = serde_json::Value::from(full_name(name)).to_string();
            let differs = |it: &Edit| body.get(it.at.clone()) != Some(it.text.as_bytes());
            spots.iter().map(|it| in_full(it, &full)).filter(differs).collect()
        }
    }
}

fn in_full(spot: &Spot, full: &str) -> Edit {
    match spot {
        Spot::Value(at) => Edit { at: at.clone(), text: full.into() },
        Spot::Entry { at, alone } => {
            let comma = if *alone { "" } else { "," };
            Edit { at: *at..*at, text: format!("\"model\":{full}{comma}").into() }
        }
    }
}

/// Writes the bound, unless the request has one.
fn bound(body: &[u8], peek: &Peek<'_>, cap: OutputCap<'_>) -> Option<Edit> {
    let OutputCap { field, tokens } = cap;
    Some(match peek.output_room(body, field)? {
        Room::Value(at) => Edit { at, text: tokens.to_string().into() },
        Room::Entry(at) => {
            let key = serde_json::Value::from(field);
            Edit { at, text: format!("{key}:{tokens},").into() }
        }
        Room::Within { at, alone } => {
            let comma = if alone { "" } else { "," };
            Edit { at, text: format!("\"maxOutputTokens\":{tokens}{comma}").into() }
        }
        Room::Around(at) => Edit {
            at,
            text: format!("\"generationConfig\":{{\"maxOutputTokens\":{tokens}}},").into(),
        },
        Room::Instead(at) => Edit { at, text: format!("{{\"maxOutputTokens\":{tokens}}}").into() },
    })
}

struct Edit {
    at: Range<usize>,
    text: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peek::{peek, peek_in};
    use domain::catalog::Dialect;

    const fn plain(model: &str, ask_usage: bool) -> Change<'_> {
        Change { model, ask_usage, output_cap: None }
    }

    #[track_caller]
    fn check(body: &'static str, model: &str, ask_usage: bool, expected: &str) {
        let bytes = Bytes::from_static(body.as_bytes());
        let spliced = splice(&bytes, &peek(&bytes).unwrap(), plain(model, ask_usage));
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
                let spliced = splice(&body, &peek(&body).unwrap(), plain("bb", true));
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
        let spliced = splice(&body, &peek(&body).unwrap(), plain("a", true));
        assert_eq!(spliced.as_ptr(), body.as_ptr());
        let body = Bytes::from_static(br#"{"model":"a"}"#);
        let spliced = splice(&body, &peek(&body).unwrap(), plain("a", false));
        assert_eq!(spliced.as_ptr(), body.as_ptr());
    }

    #[track_caller]
    fn check_cap(body: &str, field: &str, expected: &str) {
        let body = Bytes::from(body.to_owned());
        let output_cap = Some(OutputCap { field, tokens: 64 });
        let change = Change { output_cap, ..plain("a", false) };
        assert_eq!(splice(&body, &peek(&body).unwrap(), change), expected);
    }

    #[test]
    fn a_bound_is_written_where_the_caller_set_none() {
        const NEW: &str = "max_completion_tokens";
        for (body, field, expected) in [
            (r#" {"model":"a"} "#, "max_tokens", r#" {"max_tokens":64,"model":"a"} "#),
            (r#"{"model":"a"}"#, NEW, r#"{"max_completion_tokens":64,"model":"a"}"#),
            (
                r#"{"model":"a", "max_tokens" : null }"#,
                "max_tokens",
                r#"{"model":"a", "max_tokens" : 64 }"#,
            ),
            (r#"{"max_tokens":-1,"model":"a"}"#, "max_tokens", r#"{"max_tokens":64,"model":"a"}"#),
            (
                r#"{"max_tokens":null,"model":"a"}"#,
                NEW,
                r#"{"max_completion_tokens":64,"max_tokens":null,"model":"a"}"#,
            ),
            // Of another operation: chats are not bounded by it.
            (
                r#"{"max_output_tokens":1,"model":"a"}"#,
                "max_tokens",
                r#"{"max_tokens":64,"max_output_tokens":1,"model":"a"}"#,
            ),
            (r#"{"model":"a"}"#, "num\"predict", r#"{"num\"predict":64,"model":"a"}"#),
        ] {
            check_cap(body, field, expected);
        }
    }

    #[test]
    fn a_bound_that_the_caller_set_stays_whatever_it_is_called() {
        for (given, field) in [
            (r#""max_tokens":1"#, "max_tokens"),
            (r#""max_tokens":1"#, "max_completion_tokens"),
            (r#""max_completion_tokens":1"#, "max_tokens"),
            (r#""max_completion_tokens":"x""#, "max_tokens"),
            (r#""max_output_tokens":1"#, "max_output_tokens"),
            (r#""num_pr\u0065dict":1"#, "num_predict"),
        ] {
            let body = format!(r#"{{"model":"a",{given}}}"#);
            check_cap(&body, field, &body);
        }
    }

    #[test]
    fn all_changes_together_leave_one_json_object() {
        let body = Bytes::from_static(br#"{ "model":"a","n":1}"#);
        let output_cap = Some(OutputCap { field: "max_tokens", tokens: 9 });
        let spliced =
            splice(&body, &peek(&body).unwrap(), Change { output_cap, ..plain("b", true) });
        let expected =
            r#"{"stream_options":{"include_usage":true},"max_tokens":9, "model":"b","n":1}"#;
        assert_eq!(spliced, expected);
    }

    #[track_caller]
    fn gemini(body: &'static str, expected: &str) {
        let bytes = Bytes::from_static(body.as_bytes());
        let peek = peek_in(Dialect::Gemini, &bytes, Some("alias")).unwrap();
        let field = "generationConfig.maxOutputTokens";
        let output_cap = Some(OutputCap { field, tokens: 7 });
        let spliced = splice(&bytes, &peek, Change { output_cap, ..plain("gemini-9", false) });
        assert_eq!(std::str::from_utf8(&spliced).unwrap(), expected);
    }

    #[test]
    fn geminis_bound_stands_in_its_settings_and_its_model_in_no_body() {
        let all = r#"{"contents":[],"generationConfig":{"maxOutputTokens":7}}"#;
        gemini(r#"{"contents":[]}"#, r#"{"generationConfig":{"maxOutputTokens":7},"contents":[]}"#);
        gemini(r#"{"contents":[],"generationConfig":{}}"#, all);
        gemini(r#"{"contents":[],"generationConfig":null}"#, all);
        gemini(
            r#"{"generationConfig": { "topK" : 1.0 } }"#,
            r#"{"generationConfig": {"maxOutputTokens":7, "topK" : 1.0 } }"#,
        );
        gemini(
            r#"{"generation_config":{"x":1,"maxOutputTokens": -1 }}"#,
            r#"{"generation_config":{"x":1,"maxOutputTokens": 7 }}"#,
        );
        for given in [r#"{"generationConfig":{"maxOutputTokens":9}}"#, r#"{"generationConfig":[]}"#]
        {
            gemini(given, given);
        }
    }

    #[test]
    fn google_s_bodies_repeat_the_model_and_are_told_the_provider_s() {
        for (body, expected) in [
            (
                r#"{"requests":[ {"model":"models/alias","content":{}}, { "content":{}} ,{}]}"#,
                r#"{"requests":[ {"model":"models/m","content":{}}, {"model":"models/m", "content":{}} ,{"model":"models/m"}]}"#,
            ),
            (
                r#"{"generateContentRequest": {"model" : "alias","contents":[{"model":"x"}]}}"#,
                r#"{"generateContentRequest": {"model" : "models/m","contents":[{"model":"x"}]}}"#,
            ),
            (
                r#"{"model":"models/alias","content":{"parts":[]}}"#,
                r#"{"model":"models/m","content":{"parts":[]}}"#,
            ),
            (r#"{"content":{"parts":[]}}"#, r#"{"content":{"parts":[]}}"#),
            (
                r#"{"requests":[7,{"model":"models/m"}]}"#,
                r#"{"requests":[7,{"model":"models/m"}]}"#,
            ),
            (r#"{"requests":"model"}"#, r#"{"requests":"model"}"#),
        ] {
            let bytes = Bytes::from_static(body.as_bytes());
            let peek = peek_in(Dialect::Gemini, &bytes, Some("alias")).unwrap();
            assert_eq!(splice(&bytes, &peek, plain("m", false)), expected);
        }
        let bytes = Bytes::from_static(br#"{"requests":[{}]}"#);
        let peek = peek_in(Dialect::Gemini, &bytes, Some("alias")).unwrap();
        let told = splice(&bytes, &peek, plain("tunedModels/t", false));
        assert_eq!(told, r#"{"requests":[{"model":"tunedModels/t"}]}"#);
    }

    #[test]
    fn a_model_that_the_path_names_is_written_where_the_body_wants_it() {
        for (body, expected) in [
            (r#"{"messages":[]}"#, r#"{"model":"b","messages":[]}"#),
            (r#"{"model":"x","messages":[]}"#, r#"{"model":"b","messages":[]}"#),
            (r#"{"model":"a","messages":[]}"#, r#"{"model":"b","messages":[]}"#),
        ] {
            let bytes = Bytes::from_static(body.as_bytes());
            let peek = peek_in(Dialect::OpenAi, &bytes, Some("a")).unwrap();
            assert_eq!(splice(&bytes, &peek, plain("b", false)), expected);
        }
    }
}
