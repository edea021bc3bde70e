//! Streams as servers tell them, with all that is odd about them.

use super::super::Reader;
use crate::{
    chat::{Citation, Event, Opaque, Start, Stop},
    error::ErrorKind,
    json::Json,
};
use domain::{catalog::Dialect, tokens::Tokens};

/// What a stream of these events says, without its start.
#[track_caller]
fn events(data: &[&str]) -> Vec<Event> {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    for data in data {
        reader.push("", data, &mut out).unwrap();
    }
    out.retain(|it| !matches!(it, Event::Start(_)));
    out
}

/// The events of deltas of one answer.
#[track_caller]
fn deltas(deltas: &[&str]) -> Vec<Event> {
    let data: Vec<_> = deltas
        .iter()
        .map(|it| format!(r#"{{"id":"x","model":"m","choices":[{{"index":0,"delta":{it}}}]}}"#))
        .collect();
    events(&data.iter().map(String::as_str).collect::<Vec<_>>())
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

fn thinking(text: &str) -> Event {
    Event::Thinking { choice: 0, text: text.to_owned() }
}

fn start(slot: u64, id: &str, name: &str) -> Event {
    Event::CallStart {
        choice: 0,
        slot,
        id: id.to_owned(),
        name: name.to_owned(),
        namespace: None,
        custom: false,
        opaque: None,
    }
}

fn input(slot: u64, text: &str) -> Event {
    Event::CallInput { choice: 0, slot, text: text.to_owned() }
}

fn stop(stop: Stop) -> Event {
    Event::Stop { choice: 0, stop }
}

#[test]
fn a_plain_stream_is_read() {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    for data in [
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"gpt","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","created":17,"model":"gpt","service_tier":"default","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi"}],"refusal":null},"finish_reason":null}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","created":17,"model":"gpt","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
        r#"{"id":"chatcmpl-1","created":17,"model":"gpt","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#,
        "[DONE]",
    ] {
        reader.push("", data, &mut out).unwrap();
    }
    let begun = Start {
        id: "chatcmpl-1".to_owned(),
        model: "gpt".to_owned(),
        created: Some(17),
        usage: None,
    };
    let hi = Event::Text {
        choice: 0,
        text: "Hi".to_owned(),
        logprobs: Json::parse(r#"[{"token":"Hi"}]"#),
    };
    let tokens = Tokens { input: 5, output: 1, ..Tokens::default() };
    let expected = [
        Event::Start(begun),
        Event::Tier("default".to_owned()),
        hi,
        stop(Stop::End),
        Event::Usage(tokens),
        Event::End,
    ];
    assert_eq!(out, expected);
}

/// Bug 39 of the list: Azure's first chunk, which has no choices, broke clients.
#[test]
fn a_first_chunk_without_choices_says_nothing_yet() {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    let first =
        r#"{"id":"","created":0,"model":"","object":"","choices":[],"prompt_filter_results":[]}"#;
    reader.push("", first, &mut out).unwrap();
    let second = r#"{"id":"a","created":3,"model":"m","choices":[{"index":0,"delta":{"content":"x"},"content_filter_results":{}}]}"#;
    reader.push("", second, &mut out).unwrap();
    reader.push("", second, &mut out).unwrap();
    let known = Start { id: "a".to_owned(), model: "m".to_owned(), created: Some(3), usage: None };
    let begun = [Event::Start(Start::default()), Event::Start(known), text("x"), text("x")];
    assert_eq!(out, begun);
}

/// What a server does, and the deltas in which it tells of two calls then.
const NUMBERINGS: [(&str, &[&str]); 8] = [
    (
        "numbered, in pieces",
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
    (
        "several in one chunk",
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
    (
        "all of one number",
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":0,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
    (
        "without numbers",
        &[
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"1}"}}]}"#,
            r#"{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
    (
        "arguments as objects",
        &[
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","function":{"name":"g","arguments":{"y":2}}}]}"#,
        ],
    ),
    (
        "a new id with each piece",
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b2","function":{"name":null,"arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
    (
        "an empty object before the arguments",
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
    (
        "the name behind the id",
        &[
            r#"{"tool_calls":[{"index":0,"id":"a"}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]}"#,
        ],
    ),
];

/// Bug 2, bug 6 and bug 8 of the list: all the ways in which servers tell calls.
#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let two =
        [start(0, "a", "f"), input(0, r#"{"x":1}"#), start(1, "b", "g"), input(1, r#"{"y":2}"#)];
    for (what, given) in NUMBERINGS {
        let mut found = deltas(given);
        // Pieces of one input may be cut anywhere.
        if let (Some(Event::CallInput { text, .. }), true) =
            (found.get(1).cloned(), found.len() == 5)
        {
            let Event::CallInput { text: rest, .. } = found.remove(2) else { panic!("{what}") };
            found[1] = input(0, &(text + &rest));
        }
        assert_eq!(found, two, "{what}");
    }
}

#[test]
fn calls_without_ids_are_told_apart_by_names_or_by_being_whole() {
    let found = deltas(&[
        r#"{"tool_calls":[{"function":{"name":"f","arguments":"{\"x\":1}"}},{"function":{"name":"f","arguments":"{\"x\":2}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"g","arguments":"{\"y\""}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"g","arguments":":3}"}}]}"#,
    ]);
    let expected = [
        start(0, "", "f"),
        input(0, r#"{"x":1}"#),
        start(1, "", "f"),
        input(1, r#"{"x":2}"#),
        start(2, "", "g"),
        input(2, r#"{"y""#),
        input(2, ":3}"),
    ];
    assert_eq!(found, expected);
}

/// Bug 6 of the list: no arguments became `{}{}`.
#[test]
fn no_arguments_are_told_once_or_not_at_all() {
    let begin = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#;
    let more = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#;
    let told = [start(0, "a", "f"), input(0, "{}")];
    let data = |it: &str| format!(r#"{{"choices":[{{"index":0,"delta":{it}}}]}}"#);
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
    assert_eq!(events(&[&data(begin), end])[..2], told);
    assert_eq!(events(&[&data(begin), &data(more), end])[..2], told);
    assert_eq!(events(&[&data(begin), "[DONE]"])[..2], told);
    let another =
        r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":null}}]}"#;
    let [first, second] = told.clone();
    assert_eq!(deltas(&[begin, another]), [first.clone(), second.clone(), start(1, "b", "g")]);
    assert_eq!(deltas(&[begin, r#"{"content":"x"}"#]), [first, second, text("x")]);
}

/// Bug 8 of the list: beside a text, the name of a call was lost.
#[test]
fn a_chunk_may_say_everything_at_once() {
    let data = r#"{"choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Hm.","content":"Yes.","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let tokens = Tokens { input: 1, output: 2, ..Tokens::default() };
    let expected = [
        thinking("Hm."),
        text("Yes."),
        start(0, "a", "f"),
        input(0, r#"{"x":1}"#),
        stop(Stop::Calls),
        Event::Usage(tokens),
    ];
    assert_eq!(events(&[data]), expected);
}

/// Bug 11 of the list: thoughts were dropped, or mixed into the text.
#[test]
fn thoughts_are_read_once_under_every_name() {
    for delta in [
        r#"{"reasoning_content":"Hm.","content":null}"#,
        r#"{"reasoning":"Hm.","content":""}"#,
        r#"{"reasoning":"Hm.","reasoning_content":"Hm."}"#,
        r#"{"reasoning":"Hm.","reasoning_details":[{"type":"reasoning.text","text":"Hm.","index":0}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]}]}"#,
    ] {
        assert_eq!(deltas(&[delta]), [thinking("Hm.")], "{delta}");
    }
    let detail = r#"{"reasoning_details":[{"type":"reasoning.text","signature":"s","index":0}]}"#;
    let data = r#"{"type":"reasoning.text","signature":"s","index":0}"#.to_owned();
    let opaque = Opaque { origin: Dialect::OpenAi, data };
    let state = Event::ThinkingState { choice: 0, opaque, redacted: false };
    assert_eq!(deltas(&[detail]), [state]);
}

#[test]
fn a_call_carries_its_signature() {
    let found = deltas(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""},"extra_content":{"google":{"thought_signature":"s"}}}]}"#,
    ]);
    let [Event::CallStart { opaque: Some(opaque), .. }] = found.as_slice() else { panic!() };
    assert_eq!((opaque.origin, opaque.data.as_str()), (Dialect::OpenAi, "s"));
}

/// Bug 40 of the list: a second finish was an end again, and usage behind the first was lost.
#[test]
fn an_answer_ends_once_and_usage_is_told_whenever_it_comes() {
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let more = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let usage = |output| Event::Usage(Tokens { input: 1, output, ..Tokens::default() });
    let expected = [stop(Stop::Length), usage(1), usage(1), usage(2)];
    assert_eq!(events(&[end, end, more]), expected);
}

#[test]
fn answers_are_told_apart_and_old_calls_sources_and_refusals_are_read() {
    let found = events(&[
        r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"refusal":"No."}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":"{\"x\""}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"function_call":{"arguments":":1}"}}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://x.example","title":"X"}}]}}]}"#,
        r#"{"choices":[{"index":1,"delta":{},"finish_reason":"content_filter"}]}"#,
    ]);
    let citation = Citation {
        url: "https://x.example".to_owned(),
        title: Some("X".to_owned()),
        quote: None,
        range: None,
    };
    let expected = [
        Event::Text { choice: 1, text: "b".to_owned(), logprobs: None },
        Event::Refusal { choice: 0, text: "No.".to_owned() },
        start(0, "", "f"),
        input(0, r#"{"x""#),
        input(0, ":1}"),
        Event::Cite { choice: 0, citation },
        Event::Stop { choice: 1, stop: Stop::Refused },
    ];
    assert_eq!(found, expected);
}

/// Bug 28 of the list: an error in the middle was swallowed.
#[test]
fn an_error_in_the_stream_is_no_end() {
    let found = events(&[r#"{"error":{"message":"Overloaded","code":503},"choices":[]}"#]);
    let [Event::Failed(failure)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Overloaded, "Overloaded"));
}

#[test]
fn what_is_no_chunk_cannot_be_read_and_odd_fields_hide_nothing() {
    for data in ["x", "[]", "1", "{", r#"{"choices":{}}"#, r#"{"choices":[1]}"#] {
        assert!(Reader::default().push("", data, &mut Vec::new()).is_err(), "{data}");
    }
    for data in ["", " ", "{}", r#"{"choices":null}"#, r#"{"choices":[{}]}"#] {
        assert_eq!(events(&[data]), [], "{data}");
    }
    let odd = r#"{"choices":[{"index":"x","delta":{"content":"a","tool_calls":[7,{}],"reasoning":5},"finish_reason":5}],"usage":[]}"#;
    assert_eq!(events(&[odd]), [text("a")]);
    let deep = format!(
        r#"{{"choices":[{{"delta":{{"content":{}1{}}}}}]}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    assert_eq!(events(&[&deep]), []);
}
