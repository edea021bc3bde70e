//! Splicing changes the values it should, and no other byte.

use bytes::Bytes;
use dialect::{
    peek::{StreamUsage, peek},
    splice::{Change, OutputCap, splice},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

/// A scalar as text, in odd spellings.
fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        text(),
    ]
}

/// A string as JSON text, with escapes, look-alikes and characters of all lengths.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,6}",
        "[éß\u{4f60}\u{1f600}]{0,3}",
        Just(r"\n\t\\\/\b".to_owned()),
        Just(r#"\"model\":\"x\","#.to_owned()),
        Just(r"\u0041\ud83d\ude00".to_owned()),
        Just("{[,:]}".to_owned()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|it| format!("\"{}\"", it.concat()))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"model\"".to_owned()),
        Just("\"stream_options\"".to_owned()),
        Just("\"include_usage\"".to_owned()),
        text(),
    ]
}

/// Any JSON text with odd whitespace.
fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, it, b)| format!("{a}{it}{b}"));
        let entry = (space(), key(), space(), space(), inner, space())
            .prop_map(|(a, key, b, c, it, d)| format!("{a}{key}{b}:{c}{it}{d}"));
        prop_oneof![
            prop::collection::vec(item, 0..4).prop_map(|it| format!("[{}]", it.join(","))),
            prop::collection::vec(entry, 0..4).prop_map(|it| format!("{{{}}}", it.join(","))),
        ]
    })
}

fn model() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/:.-]{1,20}", "[a\"\\\\\n\u{e9}\u{1f600}]{1,5}"]
}

fn options() -> impl Strategy<Value = Option<String>> {
    let usage = prop_oneof![Just("true"), Just("false"), Just("null")];
    let others = prop::collection::vec(("[a-z]{1,5}", value()), 0..3);
    let object = (prop::option::of(usage), others, any::<prop::sample::Index>(), space(), space())
        .prop_map(|(usage, others, at, a, b)| {
            let mut entries: Vec<_> =
                others.iter().map(|(key, it)| format!("{a}\"{key}\"{b}:{it}{a}")).collect();
            if let Some(usage) = usage {
                let at = at.index(entries.len() + 1);
                entries.insert(at, format!("{b}\"include_usage\"{a}:{a}{usage}{b}"));
            }
            format!("{{{a}{}}}", entries.join(","))
        });
    prop_oneof![Just(None), Just(Some("null".to_owned())), object.prop_map(Some)]
}

/// The fields of a body that bound its answer, and what they may hold.
fn bounds() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let value = prop::sample::select(vec!["null", "-1", "7", "9000", "1.5", "\"many\"", "1e99"]);
    let field = prop::sample::subsequence(CAPS.to_vec(), 0..=CAPS.len());
    (field, prop::collection::vec(value, CAPS.len()))
        .prop_map(|(fields, values)| fields.into_iter().zip(values).collect())
}

const CAPS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

prop_compose! {
    /// A request's body, and the model it names.
    fn body()(
        name in model(),
        escaped in any::<bool>(),
        options in options(),
        bounds in bounds(),
        others in prop::collection::vec(("[xyz]_[a-z]{0,4}", value()), 0..5),
        places in any::<[prop::sample::Index; 2]>(),
        spaces in prop::array::uniform4(space()),
    ) -> (String, String) {
        let [a, b, c, d] = spaces;
        let mut entries: Vec<_> =
            others.iter().map(|(key, it)| format!("{a}\"{key}\"{b}:{c}{it}{d}")).collect();
        let spelled = if escaped {
            let units: String = name.encode_utf16().map(|it| format!("\\u{it:04x}")).collect();
            format!("\"{units}\"")
        } else {
            Value::from(name.as_str()).to_string()
        };
        entries.insert(places[0].index(entries.len() + 1), format!("{b}\"model\"{c}:{d}{spelled}{a}"));
        if let Some(options) = options {
            let entry = format!("{c}\"stream_options\"{a}:{b}{options}{c}");
            entries.insert(places[1].index(entries.len() + 1), entry);
        }
        for (at, (field, value)) in bounds.iter().enumerate() {
            let entry = format!("{b}\"{field}\"{d}:{c}{value}{a}");
            entries.insert(places[at % 2].index(entries.len() + 1), entry);
        }
        (format!("{d}{{{}}}{c}{a}", entries.join(",")), name)
    }
}

const fn plain(model: &str, ask_usage: bool) -> Change<'_> {
    Change { model, ask_usage, output_cap: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_result_says_the_same_but_for_the_spliced_values(
        (text, name) in body(),
        new in model(),
        ask_usage in any::<bool>(),
        cap in prop::option::of((prop::sample::select(CAPS.to_vec()), 0..u64::MAX)),
    ) {
        let body = Bytes::from(text.clone());
        let peek = peek(&body).unwrap();
        prop_assert_eq!(&peek.model, &name);
        let output_cap = cap.map(|(field, tokens)| OutputCap { field, tokens });
        let spliced = splice(&body, &peek, Change { model: &new, ask_usage, output_cap });

        let mut expected: Value = serde_json::from_str(&text).unwrap();
        expected["model"] = json!(new);
        if ask_usage {
            if expected["stream_options"].is_null() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = json!(true);
        }
        if let Some((field, tokens)) = cap {
            let is_given = |name: &str| {
                expected.get(name).is_some_and(|it| !it.is_null() && it.as_i64() != Some(-1))
            };
            if !is_given(field) && !is_given("max_tokens") && !is_given("max_completion_tokens") {
                expected[field] = json!(tokens);
            }
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&spliced).unwrap(), expected);

        // And what we would send is what we would take.
        let again = dialect::peek::peek(&spliced).unwrap();
        prop_assert_eq!(&again.model, &new);
        if ask_usage {
            prop_assert_eq!(again.stream_usage, StreamUsage::Asked);
        }
    }

    #[test]
    fn every_byte_outside_of_the_models_value_stays((text, name) in body(), new in model()) {
        prop_assume!(name != new);
        let body = Bytes::from(text.clone());
        let peek = peek(&body).unwrap();
        let spliced = splice(&body, &peek, plain(&new, false));
        let span = peek.model_span().unwrap();
        let (head, tail) = (&text[..span.start], &text[span.end..]);
        let value = Value::from(new.as_str()).to_string();
        prop_assert_eq!(spliced, format!("{head}{value}{tail}"));
    }

    #[test]
    fn asking_for_usage_adds_one_run_of_bytes_or_replaces_one_word((text, name) in body()) {
        let body = Bytes::from(text.clone());
        let spliced = splice(&body, &peek(&body).unwrap(), plain(&name, true));
        let spliced = std::str::from_utf8(&spliced).unwrap();
        let head = text.bytes().zip(spliced.bytes()).take_while(|(a, b)| a == b).count();
        let left = (text.len() - head).min(spliced.len() - head);
        let tails = text.bytes().rev().zip(spliced.bytes().rev()).take(left);
        let tail = tails.take_while(|(a, b)| a == b).count();
        let gone = &text[head..text.len() - tail];
        prop_assert!(["", "null", "false", "fals", "nul"].contains(&gone), "{gone:?}");
    }

    #[test]
    fn a_bound_adds_one_run_of_bytes_or_replaces_one_value(
        (text, name) in body(),
        field in prop::sample::select(CAPS.to_vec()),
    ) {
        let body = Bytes::from(text.clone());
        let output_cap = Some(OutputCap { field, tokens: 64 });
        let change = Change { output_cap, ..plain(&name, false) };
        let spliced = splice(&body, &peek(&body).unwrap(), change);
        let spliced = std::str::from_utf8(&spliced).unwrap();
        let head = text.bytes().zip(spliced.bytes()).take_while(|(a, b)| a == b).count();
        let left = (text.len() - head).min(spliced.len() - head);
        let tails = text.bytes().rev().zip(spliced.bytes().rev()).take(left);
        let tail = tails.take_while(|(a, b)| a == b).count();
        let gone = &text[head..text.len() - tail];
        prop_assert!(["", "null", "-1"].contains(&gone), "{gone:?}");
    }

    #[test]
    fn a_body_cut_anywhere_is_refused((text, _) in body()) {
        let whole = text.trim_end_matches([' ', '\t', '\r', '\n']).len();
        for end in 0..whole {
            prop_assert!(peek(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn any_bytes_are_looked_at_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = peek(&bytes);
    }

    #[test]
    fn json_like_noise_is_looked_at_without_a_panic(noise in r#"[{}\[\]",:\\ a0ntmodel-]{0,60}"#) {
        if let Ok(it) = peek(noise.as_bytes()) {
            prop_assert!(serde_json::from_str::<Value>(&noise).is_ok());
            let _ = it.input_text_estimate();
        }
    }
}
