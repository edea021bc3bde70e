use super::*;
use crate::{
    chat::{Citation, Opaque, Part, Stop, Text, Thinking},
    json::Json,
};
use domain::{catalog::Dialect, tokens::Tokens};
use serde_json::{Value, json};

fn thread() -> Thread {
    Thread {
        request: "req_1".to_owned(),
        received_at: 1_700_000_000,
        alias: "alias".to_owned(),
        ..Thread::default()
    }
}

fn written(answer: &chat::Answer, thread: &Thread) -> Value {
    serde_json::from_slice(&write(answer, thread)).unwrap()
}

fn said(parts: Vec<Part>, stop: Stop) -> chat::Answer {
    let choices = vec![chat::Choice { parts, stop, logprobs: None }];
    chat::Answer { choices, ..chat::Answer::default() }
}

fn call(name: &str, input: CallInput) -> Part {
    let (id, name) = ("c".to_owned(), name.to_owned());
    Part::new(Content::Call(Call { id, name, namespace: None, input, opaque: None }))
}

#[test]
fn a_plain_answer_has_every_field_that_clients_want() {
    let answer = chat::Answer {
        id: "msg_01".to_owned(),
        model: "claude".to_owned(),
        usage: Some(Tokens { input: 9, cached_input: 4, cache_write: 2, output: 3, reasoning: 1 }),
        tier: Some("standard".to_owned()),
        ..said(vec![Part::text("Hi"), Part::text(" there")], Stop::End)
    };
    let text = String::from_utf8(write(&answer, &thread())).unwrap();
    let expected = concat!(
        r#"{"id":"chatcmpl-01","object":"chat.completion","created":1700000000,"model":"claude","#,
        r#""choices":[{"index":0,"message":{"role":"assistant","content":"Hi there","refusal":null},"#,
        r#""logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"#,
        r#""total_tokens":12,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"#,
        r#""completion_tokens_details":{"reasoning_tokens":1}},"service_tier":"default"}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn what_the_provider_does_not_say_is_ours() {
    let value = written(&said(vec![], Stop::End), &thread());
    assert_eq!(value["id"], "chatcmpl-req_1");
    assert_eq!(value["model"], "alias");
    assert_eq!(value["choices"][0]["message"]["content"], "");
    assert!(value.get("usage").is_none());
}

#[test]
fn every_reason_has_its_word() {
    for (stop, word, native) in [
        (Stop::End, "stop", None),
        (Stop::Sequence(Some("x".to_owned())), "stop", None),
        (Stop::Length, "length", None),
        (Stop::Calls, "tool_calls", None),
        (Stop::Refused, "content_filter", None),
        (Stop::Paused, "stop", Some("pause_turn")),
        (Stop::Failed("MALFORMED".to_owned()), "stop", Some("MALFORMED")),
    ] {
        let value = written(&said(vec![], stop), &thread());
        assert_eq!(value["choices"][0]["finish_reason"], word);
        assert_eq!(value["choices"][0]["native_finish_reason"].as_str(), native);
    }
}

#[test]
fn calls_keep_their_arguments_bytes_and_content_is_null() {
    let input = CallInput::Json(Json::parse(r#"{"b":1.0, "a" :2}"#).unwrap());
    let value = written(&said(vec![call("f", input)], Stop::Calls), &thread());
    let expected = json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"b\":1.0, \"a\" :2}"}}]});
    assert_eq!(value["choices"][0]["message"], expected);
}

#[test]
fn free_text_is_a_custom_call_only_of_a_custom_tool() {
    let mut thread = thread();
    thread.echo.push(("tools.custom".to_owned(), Json::parse(r#"["g"]"#).unwrap()));
    let text = || CallInput::Text("x".to_owned());
    let value = written(&said(vec![call("g", text()), call("f", text())], Stop::Calls), &thread);
    let calls = &value["choices"][0]["message"]["tool_calls"];
    assert_eq!(
        calls[0],
        json!({"id": "c", "type": "custom", "custom": {"name": "g", "input": "x"}})
    );
    assert_eq!(calls[1]["function"], json!({"name": "f", "arguments": "x"}));
}

#[test]
fn who_asked_with_functions_gets_a_function_call() {
    let mut thread = thread();
    thread.echo.push(("functions".to_owned(), Json::empty_object()));
    let input = CallInput::Json(Json::empty_object());
    let value = written(&said(vec![call("f", input)], Stop::Calls), &thread);
    let expected = json!({"role": "assistant", "content": null, "refusal": null,
        "function_call": {"name": "f", "arguments": "{}"}});
    assert_eq!(value["choices"][0]["message"], expected);
    assert_eq!(value["choices"][0]["finish_reason"], "function_call");
}

#[test]
fn thoughts_are_text_and_sealed_state() {
    let opaque = |data: &str| Some(Opaque { origin: Dialect::Anthropic, data: data.to_owned() });
    let thought = |text: &str, opaque, redacted| {
        Part::new(Content::Thinking(Thinking { text: text.to_owned(), opaque, redacted }))
    };
    let parts = vec![
        thought("Hm.", opaque("a"), false),
        thought("", opaque("b"), true),
        thought("Ah.", None, false),
        Part::text("Yes."),
    ];
    let value = written(&said(parts, Stop::End), &thread());
    let expected = json!({"role": "assistant", "content": "Yes.", "refusal": null,
        "reasoning_content": "Hm.Ah.", "reasoning_details": [
        {"type": "reasoning.text", "text": "Hm.", "signature": "slc1.anthropic.a", "index": 0},
        {"type": "reasoning.encrypted", "data": "slc1.anthropic.b", "index": 1}]});
    assert_eq!(value["choices"][0]["message"], expected);
}

#[test]
fn refusals_logprobs_and_sources_have_their_places() {
    let citation = |range, title: Option<&str>| Citation {
        url: "https://x.example".to_owned(),
        title: title.map(str::to_owned),
        quote: None,
        range,
    };
    let text = |text: &str, citation| {
        let text = Text { text: text.to_owned(), citations: vec![citation] };
        Part::new(Content::Text(text))
    };
    let parts = vec![
        text("äöü", citation(None, Some("T"))),
        text("xyz", citation(Some((1, 2)), None)),
        Part::new(Content::Refusal("No.".to_owned())),
    ];
    let mut answer = said(parts, Stop::Refused);
    answer.choices[0].logprobs = Json::parse(r#"[{"token":"x"}]"#);
    let value = written(&answer, &thread());
    let choice = &value["choices"][0];
    assert_eq!(choice["logprobs"], json!({"content": [{"token": "x"}], "refusal": null}));
    let url = "https://x.example";
    let expected = json!({"role": "assistant", "content": "äöüxyz", "refusal": "No.", "annotations": [
        {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 3, "title": "T", "url": url}},
        {"type": "url_citation", "url_citation": {"start_index": 4, "end_index": 5, "title": url, "url": url}}]});
    assert_eq!(choice["message"], expected);
}
