//! Streams, event by event.

use super::*;
use crate::{chat::Event as E, error::ErrorKind};

fn read(events: &[(&str, &str)]) -> Result<Vec<Event>, Unreadable> {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    events.iter().try_for_each(|(name, data)| reader.push(name, data, &mut out))?;
    Ok(out)
}

fn text(text: &str) -> Event {
    E::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

fn state(data: &str, redacted: bool) -> Event {
    let opaque = Opaque { origin: Dialect::Bedrock, data: data.to_owned() };
    E::ThinkingState { choice: 0, opaque, redacted }
}

fn begun(slot: u64, id: &str) -> Event {
    E::CallStart {
        choice: 0,
        slot,
        id: id.to_owned(),
        name: "get".to_owned(),
        namespace: None,
        custom: false,
        opaque: None,
    }
}

#[test]
fn thoughts_text_and_parallel_calls_are_told_as_they_come() {
    let out = read(&[
        ("messageStart", r#"{"role":"assistant","p":"abcdef"}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"aGlk"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":"Hi"}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
        ("contentBlockStart", r#"{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t1","name":"get"}}}"#),
        ("contentBlockStart", r#"{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t2","name":"get"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\":"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":""}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"1}"}}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":4}"#),
        ("messageStop", r#"{"stopReason":"tool_use"}"#),
        ("metadata", r#"{"metrics":{"latencyMs":1},"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3,"cacheReadInputTokens":4},"serviceTier":{"type":"priority"}}"#),
    ])
    .unwrap();
    let input = |slot, text: &str| E::CallInput { choice: 0, slot, text: text.to_owned() };
    let tokens = Tokens { input: 5, cached_input: 4, cache_write: 0, output: 2, reasoning: 0 };
    assert_eq!(
        out,
        [
            E::Start(Start::default()),
            E::Thinking { choice: 0, text: "hm".to_owned() },
            state("c2ln", false),
            E::BlockEnd { choice: 0 },
            state("aGlk", true),
            text("Hi"),
            E::BlockEnd { choice: 0 },
            begun(3, "t1"),
            begun(4, "t2"),
            input(3, "{\"a\":"),
            input(4, ""),
            input(3, "1}"),
            E::CallEnd { choice: 0, slot: 3 },
            E::CallEnd { choice: 0, slot: 4 },
            E::Stop { choice: 0, stop: Stop::Calls },
            E::Usage(tokens),
            E::Tier("priority".to_owned()),
            E::End,
        ]
    );
}

#[test]
fn exceptions_fail_the_stream_by_either_name() {
    for (name, data, kind, message) in [
        ("throttlingException", r#"{"message":"Slow"}"#, ErrorKind::RequestsLimited, "Slow"),
        (
            "error",
            r#"{"__type":"validationException","message":"Input is too long"}"#,
            ErrorKind::PromptTooLong,
            "Input is too long",
        ),
        (
            "serviceUnavailableException",
            "{}",
            ErrorKind::Overloaded,
            "the provider broke off: serviceUnavailableException",
        ),
        (
            "modelStreamErrorException",
            "?",
            ErrorKind::UpstreamFailed,
            "the provider broke off: modelStreamErrorException",
        ),
        ("internalServerException", r#"{"message":"x"}"#, ErrorKind::UpstreamFailed, "x"),
        ("error", "", ErrorKind::UpstreamFailed, "the provider broke off: error"),
    ] {
        let out = read(&[(name, data)]).unwrap();
        let [E::Failed(failure)] = &out[..] else { panic!("{out:?}") };
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message));
    }
}

#[test]
fn what_is_not_known_is_passed_over_and_nonsense_is_told() {
    let known_of_nothing = [
        ("", "{}"),
        ("newEvent", "?"),
        ("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"image":{"format":"png"}}}"#),
        ("contentBlockStart", "{}"),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolResult":[]}}"#),
        ("contentBlockDelta", r#"{"delta":1}"#),
        (
            "contentBlockDelta",
            r#"{"delta":{"text":1,"toolUse":2,"reasoningContent":3,"citation":4}}"#,
        ),
    ];
    assert_eq!(read(&known_of_nothing).unwrap(), []);
    for (name, data) in [
        ("contentBlockDelta", ""),
        ("contentBlockDelta", "[]"),
        ("contentBlockStop", "{"),
        ("messageStop", "{}"),
        ("metadata", "null"),
    ] {
        assert!(read(&[(name, data)]).is_err(), "{name} {data}");
    }
    let cite =
        r#"{"delta":{"citation":{"title":"T","location":{"web":{"url":"https://a.example"}}}}}"#;
    assert!(matches!(&read(&[("contentBlockDelta", cite)]).unwrap()[..], [E::Cite { .. }]));
}
