//! Facts about the Anthropic dialect of the demo provider.

use super::*;
use crate::demo::behave::Behave;

fn ask(body: &Value, behave: &Behave) -> Answer {
    messages(&Ask { body, behave, now: 1 })
}

fn events(answer: &Answer) -> Vec<Value> {
    let texts = answer.pieces.iter().map(|it| String::from_utf8(it.bytes.to_vec()).unwrap());
    let events = texts.map(|it| {
        let (name, data) = it.trim_end().split_once("\ndata: ").unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name.strip_prefix("event: "), event["type"].as_str());
        event
    });
    events.collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().filter_map(|it| it["type"].as_str()).collect();
    kinds.dedup();
    kinds
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let mut body = json!({
        "model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi you"}],
    });
    let behave = Behave { cached: 2, cache_write: 1, ..Behave::default() };
    let whole: Value = serde_json::from_slice(&ask(&body, &behave).pieces[0].bytes).unwrap();
    body["stream"] = json!(true);
    let answer = ask(&body, &behave);
    let events = events(&answer);
    assert_eq!(
        kinds(&events),
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let said: String = events.iter().filter_map(|it| it["delta"]["text"].as_str()).collect();
    assert_eq!(whole["content"][0]["text"], json!(said));
    let last = &events[events.len() - 2]["usage"];
    for field in
        ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
    {
        assert_eq!(whole["usage"][field], last[field], "{field}");
    }
    assert_eq!(
        answer.pieces.last().map(|it| json!(it.output_tokens)),
        Some(last["output_tokens"].clone())
    );
    assert_eq!(answer.input_tokens, last["input_tokens"].as_u64().unwrap() + 3);
}

#[test]
fn tools_are_called_with_arguments_in_pieces() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let body = json!({
        "model": "m", "max_tokens": 100, "stream": true,
        "tools": [{"name": "get_weather", "input_schema": schema}],
        "messages": [{"role": "user", "content": "weather?"}],
    });
    let behave = Behave { tool_calls: Some(2), ..Behave::default() };
    let answer = ask(&body, &behave);
    let events = events(&answer);
    for index in [0, 1] {
        let parts = events.iter().filter(|it| it["index"] == index);
        let arguments: String =
            parts.filter_map(|it| it["delta"]["partial_json"].as_str()).collect();
        assert_eq!(arguments, r#"{"city":"Paris"}"#);
    }
    let last = events.iter().find(|it| it["type"] == "message_delta").unwrap();
    assert_eq!(last["delta"]["stop_reason"], "tool_use");
    assert_eq!(json!(answer.pieces.last().unwrap().output_tokens), last["usage"]["output_tokens"]);
}

#[test]
fn what_is_missing_is_named() {
    let messages = json!([{"role": "user", "content": "x"}]);
    for (body, word) in [
        (json!({"max_tokens": 1, "messages": messages}), "model: Field required"),
        (json!({"model": "m", "max_tokens": 1}), "messages: Field required"),
        (json!({"model": "m", "messages": messages}), "max_tokens: Field required"),
        (json!({"model": "m", "max_tokens": 1, "messages": []}), "at least one message"),
    ] {
        let answer = ask(&body, &Behave::default());
        let text = String::from_utf8_lossy(&answer.pieces[0].bytes).into_owned();
        assert!(answer.status == 400 && text.contains(word), "{text}");
    }
}

#[test]
fn a_count_is_what_a_message_would_be_billed() {
    let body = json!({"model": "m", "max_tokens": 9, "system": "be kind",
                      "messages": [{"role": "user", "content": "how many tokens is this"}]});
    let behave = Behave::default();
    let count = count_tokens(&Ask { body: &body, behave: &behave, now: 1 });
    let count: Value = serde_json::from_slice(&count.pieces[0].bytes).unwrap();
    assert_eq!(count["input_tokens"].as_u64(), Some(ask(&body, &behave).input_tokens));
}
