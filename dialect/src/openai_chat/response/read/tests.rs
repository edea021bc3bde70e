use super::*;
use crate::chat::{CallInput, Citation, Opaque};
use domain::{catalog::Dialect, tokens::Tokens};

#[track_caller]
fn answer(choice: &str) -> Choice {
    let mut answer = read(format!(r#"{{"choices":[{choice}]}}"#).as_bytes()).unwrap();
    assert_eq!(answer.choices.len(), 1);
    answer.choices.remove(0)
}

#[test]
fn a_whole_answer_is_read() {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":17,"model":"gpt",
        "system_fingerprint":"fp","service_tier":"default","choices":[
        {"index":1,"message":{"role":"assistant","content":"B"},"finish_reason":"length"},
        {"index":0,"message":{"role":"assistant","content":"A","refusal":null,"annotations":[]},
        "logprobs":{"content":[{"token":"A"}],"refusal":null},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,
        "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
    let first = Choice {
        parts: vec![Part::text("A")],
        stop: Stop::End,
        logprobs: Json::parse(r#"[{"token":"A"}]"#),
    };
    let second = Choice { parts: vec![Part::text("B")], stop: Stop::Length, logprobs: None };
    let expected = Answer {
        id: "chatcmpl-1".to_owned(),
        model: "gpt".to_owned(),
        created: Some(17),
        choices: vec![first, second],
        usage: Some(Tokens { input: 9, cached_input: 4, cache_write: 0, output: 3, reasoning: 2 }),
        tier: Some("default".to_owned()),
    };
    assert_eq!(read(body.as_bytes()), Ok(expected));
}

/// Bug 5 of the list, in both directions, with every word that servers have for it.
#[test]
fn why_it_ended_is_read_and_calls_decide() {
    let call = r#""tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}]"#;
    for (reason, with_call, expected) in [
        (r#""stop""#, false, Stop::End),
        (r#""stop""#, true, Stop::Calls),
        (r#""tool_calls""#, true, Stop::Calls),
        (r#""tool_calls""#, false, Stop::End),
        (r#""function_call""#, true, Stop::Calls),
        (r#""length""#, true, Stop::Length),
        (r#""model_length""#, false, Stop::Length),
        (r#""content_filter""#, false, Stop::Refused),
        (r#""error""#, false, Stop::Failed("error".to_owned())),
        ("null", false, Stop::End),
        ("null", true, Stop::Calls),
        (r#""""#, false, Stop::End),
        (r#""stop","stop_reason":"END""#, false, Stop::Sequence(Some("END".to_owned()))),
        (r#""stop","stop_reason":128009"#, false, Stop::End),
    ] {
        let call = if with_call { call } else { "" };
        let choice = answer(&format!(r#"{{"message":{{{call}}},"finish_reason":{reason}}}"#));
        assert_eq!(choice.stop, expected, "{reason} {call}");
    }
}

#[test]
fn everything_that_was_said_is_read_in_order() {
    let choice = answer(
        r#"{"message":{"reasoning":"Hm.","reasoning_details":[{"type":"reasoning.text","text":"Hm.","signature":"s"}],
        "content":"See.","refusal":"No.","annotations":[{"type":"url_citation","url_citation":{"url":"https://x.example","start_index":0,"end_index":3}}],
        "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},
        "extra_content":{"google":{"thought_signature":"g"}}},{"id":"b","type":"custom","custom":{"name":"g","input":"x"}},
        {"id":"nameless"},7]}}"#,
    );
    let kinds: Vec<_> = choice
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Thinking(it) => format!("thought {} {:?}", it.text, it.opaque.is_some()),
            Content::Text(it) => format!("text {} {:?}", it.text, it.citations),
            Content::Refusal(it) => format!("refusal {it}"),
            Content::Call(it) => format!("call {} {:?}", it.id, it.input),
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => format!("{part:?}"),
        })
        .collect();
    let citation = Citation {
        url: "https://x.example".to_owned(),
        title: None,
        quote: None,
        range: Some((0, 3)),
    };
    let free = CallInput::Text("x".to_owned());
    assert_eq!(
        kinds,
        [
            "thought Hm. true".to_owned(),
            format!("text See. {:?}", [citation]),
            "refusal No.".to_owned(),
            "call a Json({})".to_owned(),
            format!("call b {free:?}"),
        ]
    );
    let Content::Call(call) = &choice.parts[3].content else { panic!() };
    let signature = Opaque { origin: Dialect::OpenAi, data: "g".to_owned() };
    assert_eq!(call.opaque, Some(signature));
}

#[test]
fn content_in_parts_is_read_thoughts_and_words() {
    let choice = answer(
        r#"{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]},
        {"type":"text","text":"Yes."},{"type":"reference","reference_ids":[1]},5,{"type":"text","text":""}]}}"#,
    );
    let thought = Thinking { text: "Hm.".to_owned(), ..Thinking::default() };
    assert_eq!(choice.parts, [Part::new(Content::Thinking(thought)), Part::text("Yes.")]);
}

#[test]
fn what_is_no_answer_cannot_be_read() {
    for body in [
        "",
        "[]",
        "{}",
        "{\"choices\":[]}",
        "{\"choices\":{}}",
        "{\"choices\":[1]}",
        "{\"choices\":[{\"message\":{\"content\":\"a\"",
        "{\"error\":{\"message\":\"x\"}}",
        "<html>",
    ] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
    assert!(read(b"\xff").is_err());
    let deep = format!("{{\"choices\":[{}1{}]}}", "[".repeat(99_999), "]".repeat(99_999));
    assert!(read(deep.as_bytes()).is_err());
}

#[test]
fn odd_fields_hide_nothing_else() {
    let body = r#"{"id":5,"model":null,"created":"x","usage":"none","service_tier":{},
        "choices":[{"index":"x","message":{"content":"a","tool_calls":"x","refusal":7}}]}"#;
    let answer = read(body.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].parts, [Part::text("a")]);
    assert_eq!(
        (answer.id.as_str(), answer.created, answer.usage, answer.tier),
        ("", None, None, None)
    );
}
