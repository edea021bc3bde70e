use super::*;
use crate::{
    chat::{
        Answer, Call, CallInput, Choice, Citation, Content, Opaque, Part, Stop, Text, Thinking,
    },
    json::Json,
    translate::{NoAnswer, Thread},
};
use domain::{catalog::Dialect, tokens::Tokens};
use serde_json::{Value, json};

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/golden/openai_responses/response/", $name, ".json"))
    };
}

#[track_caller]
fn ok(body: &[u8]) -> (Answer, Choice) {
    let answer = read(body).unwrap();
    let choice = answer.choices[0].clone();
    (answer, choice)
}

fn thread() -> Thread {
    Thread {
        request: "r1".to_owned(),
        received_at: 7,
        alias: "alias".to_owned(),
        thoughts: true,
        wants_opaque: true,
        ..Thread::default()
    }
}

fn answer(parts: Vec<Part>, stop: Stop) -> Answer {
    let choices = vec![Choice { parts, stop, logprobs: None }];
    Answer { id: "msg_01".into(), model: "claude".into(), choices, ..Answer::default() }
}

fn written(answer: &Answer, thread: &Thread) -> Value {
    serde_json::from_slice(&write(answer, thread)).unwrap()
}

fn thought(text: &str, opaque: Option<(Dialect, &str)>, redacted: bool) -> Part {
    let opaque = opaque.map(|(origin, data)| Opaque { origin, data: data.into() });
    Part::new(Content::Thinking(Thinking { text: text.into(), opaque, redacted }))
}

fn call(name: &str, input: CallInput, opaque: Option<Opaque>) -> Part {
    let (id, name) = ("call_1".into(), name.into());
    Part::new(Content::Call(Call { id, name, namespace: None, input, opaque }))
}

#[test]
fn a_plain_answer_is_read() {
    let (answer, choice) = ok(golden!("plain_text"));
    assert_eq!((answer.id.as_str(), answer.model.as_str()), ("resp_01", "gpt-5-2025-08-07"));
    assert_eq!((answer.created, answer.tier.as_deref()), (Some(1_764_547_200), Some("default")));
    assert_eq!((choice.parts, choice.stop), (vec![Part::text("Hello.")], Stop::End));
    assert_eq!(answer.usage, Some(Tokens { input: 12, output: 5, ..Tokens::default() }));
}

#[test]
fn bug_5_calls_end_an_answer_as_calls_and_bug_6_may_have_no_arguments() {
    let (_, choice) = ok(golden!("tools_parallel"));
    assert_eq!((choice.parts.len(), choice.stop), (3, Stop::Calls));
    let Content::Call(call) = &choice.parts[1].content else { panic!() };
    let CallInput::Json(json) = &call.input else { panic!() };
    assert_eq!(json.as_str(), "{\"city\": \"Oslo\", \"unit\": \"c\"}");
    let Content::Call(call) = &choice.parts[2].content else { panic!() };
    assert_eq!(call.input, CallInput::Json(Json::empty_object()));
    let (_, choice) = ok(golden!("custom_tool"));
    let Content::Call(call) = &choice.parts[0].content else { panic!() };
    assert!(matches!(&call.input, CallInput::Text(it) if it.starts_with("***")));
    assert_eq!(choice.stop, Stop::Calls);
}

#[test]
fn thoughts_and_bug_24_their_tokens_are_parts_of_the_whole() {
    let (answer, choice) = ok(golden!("reasoning"));
    let own = Dialect::OpenAiResponses;
    assert_eq!(choice.parts[0], thought("First.\n\nThen.", Some((own, "gAAAAABoZm9vYmFy")), false));
    assert_eq!(choice.parts[1], thought("", Some((own, "gAAAAABoYmF6")), false));
    let tokens =
        Tokens { input: 2_006, cached_input: 1_920, cache_write: 64, output: 300, reasoning: 256 };
    assert_eq!(answer.usage, Some(tokens));
    let (_, choice) = ok(golden!("reasoning_text"));
    assert_eq!(choice.parts[0], thought("Two and two.", None, false));
}

#[test]
fn every_end_has_its_reason() {
    assert_eq!(ok(golden!("incomplete_length")).1.stop, Stop::Length);
    assert_eq!(ok(golden!("incomplete_filter")).1.stop, Stop::Refused);
    let NoAnswer::Failed(failure) = read(golden!("failed")).unwrap_err() else { panic!() };
    assert_eq!(
        (&*failure.message, failure.code.as_deref()),
        ("The model failed.", Some("server_error"))
    );
    let cancelled = read(br#"{"status":"cancelled","output":[]}"#).unwrap_err();
    assert!(matches!(cancelled, NoAnswer::Failed(_)));
    let (_, choice) = ok(golden!("refusal"));
    let refusal = Part::new(Content::Refusal("I can't help with that.".into()));
    assert_eq!((choice.parts, choice.stop), (vec![refusal], Stop::End));
}

#[test]
fn sources_and_logarithms_come_along() {
    let (_, choice) = ok(golden!("web_search"));
    let Content::Text(text) = &choice.parts[0].content else { panic!() };
    let citation = Citation {
        url: "https://example.com/rain".into(),
        title: Some("Rain".into()),
        quote: None,
        range: Some((0, 10)),
    };
    assert_eq!(text.citations, [citation]);
    let (_, choice) = ok(golden!("logprobs"));
    let tokens = choice.logprobs.unwrap().to_value();
    assert_eq!(tokens[0]["token"], "Hi");
}

#[test]
fn what_is_no_answer_cannot_be_read_and_what_is_odd_can() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"id":"x","output":"#,
        r#"{"output":7}"#,
        r#"{"output":[],"status":"in_progress"}"#,
        r#"{"output":[],"status":"queued"}"#,
    ] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
    for body in [
        r#"{"output":[]}"#,
        r#"{"output":[7,null,{"type":"x"},{"type":"message","content":7},{"type":"reasoning"}]}"#,
        r#"{"output":[],"usage":7,"created_at":"x","id":7}"#,
        r#"{"output":[],"usage":{"input_tokens":"x"},"created_at":1.5}"#,
    ] {
        let (answer, choice) = ok(body.as_bytes());
        assert_eq!((choice.parts.len(), choice.stop, answer.usage), (0, Stop::End, None), "{body}");
    }
    let usage = r#"{"output":[],"usage":{"input_tokens":5.0,"output_tokens":1,
        "input_tokens_details":{"cached_tokens":9,"cache_write_tokens":9}}}"#;
    let tokens = Tokens { input: 5, cached_input: 5, output: 1, ..Tokens::default() };
    assert_eq!(ok(usage.as_bytes()).0.usage, Some(tokens));
}

#[test]
fn an_answer_has_every_field_that_clients_insist_on() {
    let mut answer = answer(vec![Part::text("Hi")], Stop::End);
    answer.usage =
        Some(Tokens { input: 9, cached_input: 4, cache_write: 0, output: 3, reasoning: 1 });
    answer.tier = Some("standard".into());
    let expected = json!({
        "id": "resp_01", "object": "response", "created_at": 7, "status": "completed",
        "completed_at": null, "error": null, "incomplete_details": null, "model": "claude",
        "output": [{"type": "message", "id": "msg_01_0", "status": "completed",
            "role": "assistant", "content": [
                {"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi"}]}],
        "service_tier": "default",
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 12},
        "background": false, "instructions": null, "max_output_tokens": null,
        "max_tool_calls": null, "parallel_tool_calls": true, "previous_response_id": null,
        "prompt_cache_key": null, "reasoning": {"effort": null, "summary": null},
        "safety_identifier": null, "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_logprobs": 0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
        "truncation": "disabled", "user": null, "metadata": {},
    });
    assert_eq!(written(&answer, &thread()), expected);
}

#[test]
fn what_the_caller_said_is_repeated_as_it_was_said() {
    let echo = vec![
        ("temperature".to_owned(), Json::parse("0.50").unwrap()),
        ("instructions".to_owned(), Json::parse("\"Be kind.\"").unwrap()),
    ];
    let body = write(&answer(vec![], Stop::End), &Thread { echo, ..thread() });
    let text = String::from_utf8(body).unwrap();
    assert!(
        text.contains(r#""temperature":0.50"#) && text.contains(r#""instructions":"Be kind.""#)
    );
    // A provider that says nothing of itself.
    let body = written(&Answer::default(), &thread());
    assert_eq!((&body["id"], &body["model"]), (&json!("resp_r1"), &json!("alias")));
}

#[test]
fn every_end_has_its_status() {
    let refusal = || Part::new(Content::Refusal("No.".into()));
    for (parts, stop, status, detail) in [
        (vec![], Stop::End, "completed", Value::Null),
        (vec![], Stop::Sequence(Some("x".into())), "completed", Value::Null),
        (vec![], Stop::Calls, "completed", Value::Null),
        (vec![], Stop::Paused, "completed", Value::Null),
        (vec![Part::text("x")], Stop::Length, "incomplete", json!("max_output_tokens")),
        (vec![], Stop::Refused, "incomplete", json!("content_filter")),
        (vec![refusal()], Stop::Refused, "completed", Value::Null),
    ] {
        let body = written(&answer(parts, stop.clone()), &thread());
        assert_eq!((&body["status"], &body["error"]), (&json!(status), &Value::Null), "{stop:?}");
        assert_eq!(body["incomplete_details"]["reason"], detail, "{stop:?}");
        if stop == Stop::Length {
            assert_eq!(body["output"][0]["status"], "incomplete");
        }
    }
    let body = written(&answer(vec![], Stop::Failed("MALFORMED_FUNCTION_CALL".into())), &thread());
    assert_eq!(body["status"], "failed");
    assert_eq!(
        body["error"],
        json!({"code": "server_error", "message": "MALFORMED_FUNCTION_CALL"})
    );
}

#[test]
fn texts_that_follow_each_other_are_one_message() {
    let cited = Text {
        text: "Ö!".into(),
        citations: vec![Citation { url: "u".into(), title: None, quote: None, range: None }],
    };
    let parts = vec![
        Part::text("a"),
        Part::new(Content::Text(cited)),
        call("f", CallInput::Json(Json::empty_object()), None),
        Part::text("b"),
    ];
    let body = written(&answer(parts, Stop::End), &thread());
    let output = body["output"].as_array().unwrap();
    assert_eq!(output.len(), 3);
    assert_eq!(
        output[0]["content"][1]["annotations"],
        json!([{"type": "url_citation", "start_index": 0, "end_index": 2, "url": "u", "title": ""}])
    );
    let ids: Vec<_> = output.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["msg_01_0", "fc_01_1", "msg_01_2"]);
}

#[test]
fn ids_of_items_stay_short_and_plain() {
    let ids = Ids::of(&format!("resp_{}:/ü_end", "x".repeat(100)));
    let id = ids.item("msg", 12);
    assert!(id.len() <= 64 && id.ends_with("xx_end_12"), "{id}");
}

#[test]
fn thoughts_are_shown_and_kept_as_the_caller_wants() {
    let parts = || {
        vec![
            thought("Hm.", Some((Dialect::Anthropic, "S1")), false),
            thought("", Some((Dialect::Anthropic, "S2")), true),
            thought("Free.", None, false),
            Part::text("x"),
        ]
    };
    let of = |thoughts, wants_opaque| {
        let thread = Thread { thoughts, wants_opaque, ..thread() };
        let body = written(&answer(parts(), Stop::End), &thread);
        let output = body["output"].as_array().unwrap().clone();
        let thoughts = output.into_iter().filter(|it| it["type"] == "reasoning");
        thoughts
            .map(|it| (it["summary"][0]["text"].clone(), it["encrypted_content"].clone()))
            .collect::<Vec<_>>()
    };
    let sealed = |text: &str| json!(format!("slc1.anthropic.{text}"));
    assert_eq!(
        of(true, true),
        [
            (json!("Hm."), sealed("S1")),
            (Value::Null, sealed("S2.redacted")),
            (json!("Free."), Value::Null)
        ]
    );
    assert_eq!(
        of(false, true),
        [(Value::Null, sealed("S1")), (Value::Null, sealed("S2.redacted"))]
    );
    assert_eq!(of(true, false), [(json!("Hm."), Value::Null), (json!("Free."), Value::Null)]);
    assert_eq!(of(false, false), []);
}

#[test]
fn bug_30_a_call_is_of_the_kind_and_in_the_namespace_of_its_tool() {
    let tools = json!([{"type": "function", "name": "f"}, {"type": "custom", "name": "c"},
        {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "c"}]}]);
    let thread = Thread { echo: vec![("tools".into(), Json::of(&tools))], ..thread() };
    let kind = |name: &str, namespace: Option<&str>, text: &str| {
        let mut part = call(name, CallInput::Text(text.into()), None);
        if let Content::Call(call) = &mut part.content {
            call.namespace = namespace.map(str::to_owned);
        }
        let item = written(&answer(vec![part], Stop::Calls), &thread)["output"][0].clone();
        assert_eq!(item["namespace"].as_str(), namespace);
        item["type"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind("f", None, "{\"a\":"), "function_call");
    assert_eq!(kind("c", None, "{}"), "custom_tool_call");
    assert_eq!(kind("c", Some("ns"), "{\"a\":"), "function_call");
    // Tools that stood among the items.
    assert_eq!(kind("gone", None, "*** Begin"), "custom_tool_call");
    assert_eq!(kind("gone", None, " {\"a\":"), "function_call");
}

#[test]
fn bug_13_the_state_of_a_call_stands_before_it() {
    let opaque = Opaque { origin: Dialect::Gemini, data: "CiQB".into() };
    let part = call("f", CallInput::Json(Json::empty_object()), Some(opaque));
    let body = written(&answer(vec![part.clone()], Stop::Calls), &thread());
    assert_eq!(
        body["output"],
        json!([
            {"type": "reasoning", "id": "rs_01_0", "summary": [],
                "encrypted_content": "slc1.gemini.CiQB.call"},
            {"type": "function_call", "id": "fc_01_1", "status": "completed",
                "call_id": "call_1", "name": "f", "arguments": "{}"},
        ])
    );
    let thread = Thread { wants_opaque: false, ..thread() };
    let body = written(&answer(vec![part], Stop::Calls), &thread);
    assert_eq!(body["output"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_cut_anywhere_is_refused_and_nothing_worse() {
    let whole = golden!("reasoning");
    let end = whole.trim_ascii_end().len();
    for cut in 0..end {
        assert!(read(&whole[..cut]).is_err(), "{cut}");
    }
    let request = include_bytes!("../../../tests/golden/openai_responses/request/codex.json");
    let end = request.trim_ascii_end().len();
    for cut in 0..end {
        let notes = &mut crate::translate::Notes::default();
        assert!(crate::openai_responses::request::read(&request[..cut], notes).is_err(), "{cut}");
    }
}

#[test]
fn what_is_of_the_wrong_type_anywhere_does_no_harm() {
    let request = include_str!("../../../tests/golden/openai_responses/request/codex.json");
    let answer = String::from_utf8_lossy(golden!("reasoning"));
    for wrong in ["7", "\"x\"", "[]", "{}", "[[]]", "null", "true"] {
        for whole in [request, &answer] {
            // In the place of each field's value, one after the other.
            for (at, _) in whole.match_indices("\": ") {
                let rest = &whole[at + 3..];
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                if values.next().is_none_or(|it| it.is_err()) {
                    continue;
                }
                let after = &rest[values.byte_offset()..];
                let body = format!("{}{wrong}{after}", &whole[..at + 3]);
                let notes = &mut crate::translate::Notes::default();
                let _ = crate::openai_responses::request::read(body.as_bytes(), notes);
                let _ = read(body.as_bytes());
                let mut out = Vec::new();
                let event = format!("{{\"response\":{body},\"item\":{body}}}");
                for name in ["response.completed", "response.output_item.done", "response.failed"] {
                    let mut reader = crate::openai_responses::stream::Reader::default();
                    let _ = reader.push(name, &event, &mut out);
                }
            }
        }
    }
}
