use super::*;
use domain::tokens::Tokens;
use serde_json::{Value, json};

fn read_value(value: &Value) -> Answer {
    read(value.to_string().as_bytes()).unwrap()
}

fn thread() -> Thread {
    Thread {
        request: "req_1".to_owned(),
        alias: "smart".to_owned(),
        thoughts: true,
        ..Thread::default()
    }
}

fn written(answer: &Answer, thread: &Thread) -> Value {
    serde_json::from_slice(&write(answer, thread)).unwrap()
}

fn choice(parts: Vec<Part>, stop: Stop) -> Answer {
    let choices = vec![Choice { parts, stop, logprobs: None }];
    Answer { id: "chatcmpl-7".to_owned(), model: "m".to_owned(), choices, ..Answer::default() }
}

#[test]
fn every_block_is_read() {
    let answer = read_value(&json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "thinking", "thinking": "", "signature": "sig2"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "text", "text": "It is so.", "citations": [
                {"type": "web_search_result_location", "url": "https://a.test", "title": "A",
                 "cited_text": "so", "encrypted_index": "e"},
                {"type": "char_location", "cited_text": "x", "document_index": 0}]},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1.0, "a": 2}},
            {"type": "tool_use", "id": "toolu_2", "name": "g"},
            {"type": "new_block", "x": 1}
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 3, "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 8}, "service_tier": "standard"}
    }));
    assert_eq!((answer.id.as_str(), answer.model.as_str()), ("msg_1", "claude-x"));
    let thought = |text: &str, data: &str, redacted| {
        let opaque = Some(own(data.to_owned()));
        Part::new(Content::Thinking(Thinking { text: text.to_owned(), opaque, redacted }))
    };
    let call = |id: &str, name: &str, input: &str| {
        let input = CallInput::Json(Json::parse(input).unwrap());
        let (id, name) = (id.to_owned(), name.to_owned());
        Part::new(Content::Call(Call { id, name, namespace: None, input, opaque: None }))
    };
    let cited = Part::new(Content::Text(Text {
        text: "It is so.".to_owned(),
        citations: vec![crate::chat::Citation {
            url: "https://a.test".to_owned(),
            title: Some("A".to_owned()),
            quote: Some("so".to_owned()),
            range: None,
        }],
    }));
    let choice = &answer.choices[0];
    assert_eq!(
        choice.parts,
        [
            thought("hm", "sig", false),
            thought("", "sig2", false),
            thought("", "xyz", true),
            cited,
            call("toolu_1", "f", r#"{"b":1.0,"a":2}"#),
            call("toolu_2", "g", "{}"),
        ]
    );
    assert_eq!(choice.stop, Stop::Calls);
    let tokens = Tokens { input: 18, cached_input: 5, cache_write: 3, output: 20, reasoning: 8 };
    assert_eq!(answer.usage, Some(tokens));
    assert_eq!(answer.tier.as_deref(), Some("standard"));
}

/// Every reason, and the word that a caller gets for it.
#[test]
fn each_reason_comes_and_goes() {
    for (word, stop, back) in [
        ("end_turn", Stop::End, "end_turn"),
        ("stop_sequence", Stop::Sequence(Some("END".to_owned())), "stop_sequence"),
        ("max_tokens", Stop::Length, "max_tokens"),
        ("model_context_window_exceeded", Stop::Length, "max_tokens"),
        ("tool_use", Stop::Calls, "tool_use"),
        ("pause_turn", Stop::Paused, "pause_turn"),
        ("refusal", Stop::Refused, "refusal"),
        ("brand_new", Stop::Failed("brand_new".to_owned()), "end_turn"),
    ] {
        let sequence = if word == "stop_sequence" { json!("END") } else { Value::Null };
        let body = json!({"content": [], "stop_reason": word, "stop_sequence": sequence});
        let answer = read_value(&body);
        assert_eq!(answer.choices[0].stop, stop);
        let told = written(&answer, &thread());
        assert_eq!((&told["stop_reason"], &told["stop_sequence"]), (&json!(back), &sequence));
    }
    let answer = read_value(&json!({"content": [], "stop_reason": null}));
    assert!(matches!(answer.choices[0].stop, Stop::Failed(_)));
}

#[test]
fn a_refusal_without_words_tells_its_explanation() {
    let answer = read_value(&json!({"content": [], "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "cyber", "explanation": "No."}}));
    assert_eq!(answer.choices[0].parts, [Part::new(Content::Refusal("No.".to_owned()))]);
}

#[test]
fn what_is_no_answer_is_unreadable_and_never_a_panic() {
    let deep = format!(r#"{{"content":{}}}"#, "[".repeat(200_000));
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "{",
        r#"{"content":"x"}"#,
        r#"{"content":[1]}"#,
        r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#,
        &deep,
    ] {
        assert!(read(body.as_bytes()).is_err(), "{}", &body[..body.len().min(40)]);
    }
    assert!(read(&[0xff]).is_err());
    // Odd types inside say nothing.
    let odd = r#"{"id":1,"model":[],"content":[{"type":"text","text":7}],"stop_reason":3,
        "usage":{"input_tokens":"x","output_tokens":-1}}"#;
    let answer = read(odd.as_bytes()).unwrap();
    assert_eq!(answer.usage, None);
    let deep = format!(
        r#"{{"content":[{{"type":"tool_use","id":"a","name":"f","input":{}{}}}]}}"#,
        r#"{"a":"#.repeat(50_000),
        "}".repeat(50_000)
    );
    let _ = read(deep.as_bytes());
}

#[test]
fn an_input_that_is_told_as_a_text_stays_one() {
    let answer = read_value(&json!({"content": [
        {"type": "tool_use", "id": "a", "name": "f", "input": "{\"x\":1}"},
        {"type": "tool_use", "id": "b", "name": "f", "input": [1]}]}));
    let inputs: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .map(|it| {
            let Content::Call(call) = &it.content else { panic!("no call") };
            call.input.clone()
        })
        .collect();
    assert_eq!(
        inputs,
        [CallInput::Text("{\"x\":1}".to_owned()), CallInput::Text("[1]".to_owned())]
    );
}

#[test]
fn a_caller_gets_every_required_field_to_the_byte() {
    let mut answer = choice(vec![Part::text("Hi")], Stop::End);
    answer.usage =
        Some(Tokens { input: 18, cached_input: 5, cache_write: 3, output: 2, reasoning: 0 });
    answer.tier = Some("default".to_owned());
    assert_eq!(
        String::from_utf8(write(&answer, &thread())).unwrap(),
        concat!(
            r#"{"id":"msg_7","type":"message","role":"assistant","model":"m","#,
            r#""content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","#,
            r#""stop_sequence":null,"usage":{"input_tokens":10,"#,
            r#""cache_creation_input_tokens":3,"cache_read_input_tokens":5,"#,
            r#""output_tokens":2,"service_tier":"standard"}}"#
        )
    );
}

#[test]
fn an_answer_without_anything_is_whole_too() {
    let told = written(&Answer::default(), &thread());
    assert_eq!((&told["id"], &told["model"]), (&json!("msg_req_1"), &json!("smart")));
    assert_eq!(told["content"], json!([]));
    assert_eq!(told["usage"]["input_tokens"], 0);
}

/// Bug 6 and bug 23 of the list: inputs that were no objects, and texts that were empty.
#[test]
fn parts_are_written_as_blocks() {
    let call = |input| {
        Part::new(Content::Call(Call {
            id: "call_1".to_owned(),
            name: "f".to_owned(),
            namespace: None,
            input,
            opaque: None,
        }))
    };
    let cited = Part::new(Content::Text(Text {
        text: "so".to_owned(),
        citations: vec![crate::chat::Citation {
            url: "https://a.test".to_owned(),
            title: None,
            quote: None,
            range: Some((0, 2)),
        }],
    }));
    let block =
        |input: Value| json!({"type": "tool_use", "id": "call_1", "name": "f", "input": input});
    for (part, expected) in [
        (Part::text(""), json!([])),
        (Part::new(Content::Refusal("No.".to_owned())), json!([{"type": "text", "text": "No."}])),
        (call(CallInput::Text(String::new())), json!([block(json!({}))])),
        (call(CallInput::Text("{\"a\":1}".to_owned())), json!([block(json!({"a": 1}))])),
        (call(CallInput::Text("{\"a\":".to_owned())), json!([block(json!({"_raw": "{\"a\":"}))])),
        (
            call(CallInput::Json(Json::parse("[1]").unwrap())),
            json!([block(json!({"_raw": "[1]"}))]),
        ),
        (
            cited,
            json!([{"type": "text", "text": "so", "citations": [
                {"type": "web_search_result_location", "cited_text": "", "encrypted_index": "",
                 "title": null, "url": "https://a.test"}]}]),
        ),
    ] {
        assert_eq!(written(&choice(vec![part], Stop::End), &thread())["content"], expected);
    }
}

/// Bug 10 of the list: states got lost on the way. Others' travel in Anthropic's slots, marked.
#[test]
fn thoughts_are_shown_as_far_as_they_are_wanted_and_their_state_always() {
    let thought = |text: &str, origin: Option<Dialect>, redacted| {
        let opaque = origin.map(|origin| Opaque { origin, data: "st".to_owned() });
        Part::new(Content::Thinking(Thinking { text: text.to_owned(), opaque, redacted }))
    };
    let shown = thread();
    let hidden = Thread { thoughts: false, ..thread() };
    let gemini = Some(Dialect::Gemini);
    for (thread, part, expected) in [
        (
            &shown,
            thought("hm", None, false),
            json!([{"type": "thinking", "thinking": "hm", "signature": ""}]),
        ),
        (&hidden, thought("hm", None, false), json!([])),
        (&shown, thought("", None, false), json!([])),
        (
            &shown,
            thought("hm", gemini, false),
            json!([{"type": "thinking", "thinking": "hm", "signature": "slc1.gemini.st"}]),
        ),
        (
            &hidden,
            thought("hm", gemini, false),
            json!([{"type": "thinking", "thinking": "", "signature": "slc1.gemini.st"}]),
        ),
        (
            &hidden,
            thought("", gemini, true),
            json!([{"type": "redacted_thinking", "data": "slc1.gemini.st"}]),
        ),
        (
            &shown,
            thought("hm", Some(Dialect::Anthropic), false),
            json!([{"type": "thinking", "thinking": "hm", "signature": "st"}]),
        ),
    ] {
        assert_eq!(written(&choice(vec![part], Stop::End), thread)["content"], expected);
    }
}

/// Bug 33 of the list: counts were missing.
#[test]
fn counts_come_and_go() {
    assert_eq!(write_count(12), br#"{"input_tokens":12}"#);
    assert_eq!(read_count(br#"{"input_tokens":12,"context_management":null}"#), Ok(12));
    assert!(read_count(b"{}").is_err());
}

/// Bug 24 of the list: cached tokens were counted twice.
#[test]
fn cached_tokens_are_counted_once() {
    let body = json!({"content": [], "stop_reason": "end_turn", "usage": {
        "input_tokens": 1, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 10,
        "output_tokens": 5}});
    let answer = read_value(&body);
    assert_eq!(answer.usage.unwrap().input, 111);
    let told = &written(&answer, &thread())["usage"];
    assert_eq!((&told["input_tokens"], &told["cache_read_input_tokens"]), (&json!(1), &json!(100)));
    // Counts that do not fit each other are never below zero.
    let mut answer = choice(Vec::new(), Stop::End);
    answer.usage = Some(Tokens { input: 5, cached_input: 9, ..Tokens::default() });
    assert_eq!(written(&answer, &thread())["usage"]["input_tokens"], 0);
}
