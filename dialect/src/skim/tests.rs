use super::*;
use proptest::prelude::*;

fn found(text: &str) -> Found {
    let mut skim = Skim::default();
    skim.push(text.as_bytes());
    skim.take()
}

#[track_caller]
fn check_usage(text: &str, expected: Option<&str>) {
    let usage = found(text).usage.map(|it| String::from_utf8(it.raw).unwrap());
    assert_eq!(usage.as_deref(), expected, "{text}");
}

#[test]
fn usage_is_kept_where_providers_put_it() {
    check_usage(r#"{"usage" : {"a":{"b":1}, "c":"}"} ,"x":1}"#, Some(r#"{"a":{"b":1}, "c":"}"}"#));
    check_usage(r#"{"type":"message_start","message":{"usage":{"a":1}}}"#, Some(r#"{"a":1}"#));
    check_usage(r#"{"choices":[{"index":0,"usage":{"a":1}}]}"#, Some(r#"{"a":1}"#));
    check_usage(r#"{"x_groq":{"id":"r","usage":{"a":1}}}"#, Some(r#"{"a":1}"#));
    check_usage(r#"{"usage":null}"#, None);
    check_usage(r#"{"usage":[{"a":1}]}"#, None);
}

#[test]
fn the_outermost_usage_wins_and_then_the_last() {
    check_usage(r#"{"usage":{"a":1},"choices":[{"usage":{"a":2}}]}"#, Some(r#"{"a":1}"#));
    check_usage(r#"{"choices":[{"usage":{"a":2}}],"usage":{"a":1}}"#, Some(r#"{"a":1}"#));
    check_usage(r#"{"usage":{"a":1},"usage":{"a":3}}"#, Some(r#"{"a":3}"#));
}

#[test]
fn what_a_model_wrote_is_not_taken_for_usage_or_an_error() {
    for text in [
        r#"{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}"#,
        r#"{"content":[{"type":"tool_use","input":{"usage":{"input_tokens":1},"error":{"a":1}}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"usage":{"a":1}}}}]}}]}"#,
        r#"{"delta":{"usage":{"a":1},"error":"x"}}"#,
        r#"["usage",{"usage":{"a":1}}]"#,
    ] {
        let found = found(text);
        assert!(found.usage.is_none() && !found.error, "{text}");
    }
}

#[test]
fn a_usage_too_long_to_be_one_is_not_kept() {
    let long = "x".repeat(MAX_USAGE);
    check_usage(&format!(r#"{{"usage":{{"a":"{long}"}}}}"#), None);
    let nested = "[".repeat(MAX_USAGE);
    check_usage(&format!(r#"{{"usage":{{"a":{nested}"#), None);
}

#[test]
fn empty_choices_are_told_from_full_and_absent_ones() {
    for (text, expected) in [
        ("{}", Choices::None),
        (r#"{"choices":null}"#, Choices::None),
        (r#"{"choices":{}}"#, Choices::None),
        (r#"{"choices":[]}"#, Choices::Empty),
        ("{\"choices\" : [ \n ],\"x\":[1,2]}", Choices::Empty),
        (r#"{"choices":[{}]}"#, Choices::Some),
        (r#"{"choices":[[]]}"#, Choices::Some),
        (r#"{"choices":[0]}"#, Choices::Some),
        (r#"{"choices":["a"]}"#, Choices::Some),
        (r#"{"x":{"choices":[]}}"#, Choices::None),
    ] {
        assert_eq!(found(text).choices, expected, "{text}");
    }
}

#[test]
fn an_error_counts_only_at_the_outermost_level_and_if_there_is_one() {
    for text in [r#"{"error":{}}"#, r#"{"x":1,"error":{"a":1}}"#, r#"{"error":"x"}"#] {
        assert!(found(text).error, "{text}");
    }
    for text in
        [r#"{"error":null}"#, r#"{"error":""}"#, r#"{"x":{"error":"y"}}"#, r#"{"x":"error"}"#]
    {
        assert!(!found(text).error, "{text}");
    }
}

#[test]
fn a_reason_to_stop_is_one_only_if_it_says_something() {
    for text in [
        r#"{"choices":[{"finish_reason":"stop"}]}"#,
        r#"{"delta":{"stop_reason":"end_turn"}}"#,
        r#"{"stop_reason":"end_turn"}"#,
    ] {
        assert!(found(text).ended, "{text}");
    }
    for text in [
        r#"{"choices":[{"finish_reason":null}]}"#,
        r#"{"choices":[{"finish_reason":""}]}"#,
        r#"{"message":{"stop_reason":"x"}}"#,
        r#"{"finish_reason":"stop"}"#,
    ] {
        assert!(!found(text).ended, "{text}");
    }
}

#[test]
fn text_is_counted_by_characters_whatever_its_spelling() {
    #[track_caller]
    fn check(delta: &str, tokens: u64) {
        let text = format!(r#"{{"model":"name","choices":[{{"index":0,"delta":{delta}}}]}}"#);
        assert_eq!(found(&text).written().tokens(), tokens, "{text}");
    }
    check("{}", 0);
    check(r#"{"role":"assistant","content":""}"#, 0);
    check(r#"{"content":null}"#, 0);
    check(r#"{"content":"abcdefgh"}"#, 2);
    check(r#"{"content":"ab\n\"\u0041\u005a\\\/"}"#, 2);
    check(r#"{"content":"你好"}"#, 2);
    check(r#"{"content":"\u4f60\u597d\ud83d\ude00"}"#, 3);
    check(r#"{"tool_calls":[{"function":{"name":"look","arguments":"{\"a\":1}"}}]}"#, 3);
    check(r#"{"reasoning_content":"abcdefgh","content":null}"#, 2);
    // The same thoughts under three names.
    check(
        r#"{"reasoning":"abcd","reasoning_content":"abcd","reasoning_details":[{"text":"abcd"}]}"#,
        1,
    );
}

#[test]
fn broken_json_is_gone_through_without_a_panic() {
    for text in [
        "",
        "}}}]]]",
        "{{{",
        "\"",
        "\"\\",
        "\"\\u",
        "\"\\u12",
        ":::",
        r#"{"usage":{"#,
        r#"{"a":"b":"c"}"#,
    ] {
        let mut skim = Skim::default();
        skim.push(text.as_bytes());
        let _ = skim.take();
    }
}

#[test]
fn only_a_text_with_all_ends_is_whole() {
    for (text, whole) in [
        ("{}", true),
        (" [1] ", true),
        ("", false),
        ("1", false),
        ("{", false),
        ("{\"}", false),
        ("{}\"", false),
    ] {
        let mut skim = Skim::default();
        skim.push(text.as_bytes());
        assert_eq!(skim.take_if_whole().is_some(), whole, "{text}");
    }
}

proptest! {
    #[test]
    fn any_split_finds_the_same(
        text in r#"([{}\[\]:, ]|"(usage|choices|delta|content|error|type|finish_reason|a)"|"\\u0041é\\""|1|null){0,40}"#,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.iter().map(|it| it.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut skim = Skim::default();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            skim.push(&bytes[from..cut]);
            from = cut;
        }
        let split = skim.take();
        prop_assert_eq!(format!("{split:?}"), format!("{:?}", found(&text)));
    }
}
