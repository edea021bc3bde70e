use super::*;
use crate::{
    chat::{Answer, Call, CallInput, Choice, Citation, Content, Opaque, Part, Text, Thinking},
    error::ErrorKind,
    json::Json,
    openai_responses::{response, stream::Reader},
};
use domain::catalog::Dialect;
use serde_json::{Value, json};

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

fn written(steps: &[Step], thread: &Thread) -> String {
    let (mut writer, mut out) = (Writer::new(thread), Vec::new());
    for step in steps {
        writer.push(step, thread, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The events' bodies; asserts what holds for every stream.
#[track_caller]
fn events(stream: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for event in stream.split("\n\n").filter(|it| !it.is_empty() && !it.starts_with(':')) {
        if event == "data: [DONE]" {
            continue;
        }
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        assert_eq!(data["sequence_number"], events.len(), "{event}");
        events.push(data);
    }
    events
}

fn start() -> Step {
    let (id, model) = ("msg_9".to_owned(), "claude".to_owned());
    Step::Start(Start { id, model, created: Some(5), usage: None })
}

const fn open(index: u32, block: Block) -> Step {
    Step::Open { choice: 0, index, block }
}

const fn delta(index: u32, delta: Delta) -> Step {
    Step::Delta { choice: 0, index, delta }
}

fn words(index: u32, text: &str) -> Step {
    delta(index, Delta::Text { text: text.into(), logprobs: None })
}

const fn close(index: u32, whole: Content) -> Step {
    Step::Close { choice: 0, index, whole: Part::new(whole) }
}

const fn stop(stop: Stop) -> Step {
    Step::Stop { choice: 0, stop }
}

fn end() -> Step {
    let usage = Some(Tokens { input: 3, output: 2, ..Tokens::default() });
    Step::End { usage, tier: None }
}

fn text(text: &str) -> Content {
    Content::Text(Text { text: text.into(), citations: Vec::new() })
}

fn call(name: &str, namespace: Option<&str>, input: CallInput) -> Content {
    let (id, name) = ("call_1".into(), name.into());
    let namespace = namespace.map(str::to_owned);
    Content::Call(Call { id, name, namespace, input, opaque: None })
}

fn call_block(name: &str, namespace: Option<&str>, custom: bool, opaque: Option<Opaque>) -> Block {
    let (id, name) = ("call_1".into(), name.into());
    let namespace = namespace.map(str::to_owned);
    Block::Call { number: 0, id, name, namespace, custom, opaque }
}

#[test]
fn bug_29_a_text_is_told_to_the_byte() {
    let echo = |status: &str, output: &str, usage: &str| {
        format!(
            r#"{{"id":"resp_9","object":"response","created_at":5,"status":"{status}","completed_at":null,"error":null,"incomplete_details":null,"model":"claude","output":{output},"service_tier":"default","usage":{usage},"background":false,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{{"effort":null,"summary":null}},"safety_identifier":null,"store":false,"temperature":1.0,"text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"truncation":"disabled","user":null,"metadata":{{}}}}"#
        )
    };
    let place = r#""item_id":"msg_9_0","output_index":0,"content_index":0"#;
    let part = r#"{"type":"output_text","annotations":[],"logprobs":[],"text":"Hi!"}"#;
    let item = format!(
        r#"{{"type":"message","id":"msg_9_0","status":"completed","role":"assistant","content":[{part}]}}"#
    );
    let usage = r#"{"input_tokens":3,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5}"#;
    let expected = [
        ("response.created", format!(r#""response":{}"#, echo("in_progress", "[]", "null"))),
        ("response.in_progress", format!(r#""response":{}"#, echo("in_progress", "[]", "null"))),
        ("response.output_item.added", r#""output_index":0,"item":{"type":"message","id":"msg_9_0","status":"in_progress","role":"assistant","content":[]}"#.to_owned()),
        ("response.content_part.added", format!(r#"{place},"part":{{"type":"output_text","annotations":[],"logprobs":[],"text":""}}"#)),
        ("response.output_text.delta", format!(r#"{place},"delta":"Hi","logprobs":[]"#)),
        ("response.output_text.delta", format!(r#"{place},"delta":"!","logprobs":[]"#)),
        ("response.output_text.done", format!(r#"{place},"text":"Hi!","logprobs":[]"#)),
        ("response.content_part.done", format!(r#"{place},"part":{part}"#)),
        ("response.output_item.done", format!(r#""output_index":0,"item":{item}"#)),
        ("response.completed", format!(r#""response":{}"#, echo("completed", &format!("[{item}]"), usage))),
    ];
    let mut stream = String::new();
    for (number, (name, rest)) in expected.iter().enumerate() {
        stream.push_str(&format!(
            "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},{rest}}}\n\n"
        ));
    }
    stream.push_str("data: [DONE]\n\n");
    let steps = [
        start(),
        open(0, Block::Text),
        words(0, "Hi"),
        words(0, ""),
        words(0, "!"),
        close(0, text("Hi!")),
        stop(Stop::End),
        end(),
    ];
    assert_eq!(written(&steps, &thread()), stream);
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let kind =
        |it: &'_ Value| it["type"].as_str().unwrap().strip_prefix("response.").unwrap().len();
    events
        .iter()
        .map(|it| {
            let text = it["type"].as_str().unwrap();
            &text[text.len() - kind(it)..]
        })
        .collect()
}

#[test]
fn a_call_is_told_in_the_callers_words() {
    let steps = [
        start(),
        open(0, call_block("list", Some("mcp__x"), false, None)),
        delta(0, Delta::Input("{\"a\"".into())),
        delta(0, Delta::Input(":1}".into())),
        close(0, call("list", Some("mcp__x"), CallInput::Json(Json::parse("{\"a\":1}").unwrap()))),
        stop(Stop::Calls),
        end(),
    ];
    let found = events(&written(&steps, &thread()));
    assert_eq!(
        kinds(&found)[2..],
        [
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed"
        ]
    );
    let whole = json!({"type": "function_call", "id": "fc_9_0", "status": "completed",
        "call_id": "call_1", "name": "list", "namespace": "mcp__x", "arguments": "{\"a\":1}"});
    assert_eq!(found[6]["item"], whole);
    assert_eq!(found[7]["response"]["output"], json!([whole]));
    assert_eq!((&found[5]["arguments"], &found[5]["name"]), (&json!("{\"a\":1}"), &json!("list")));
    assert_eq!(found[2]["item"]["arguments"], "");
}

#[test]
fn bug_6_a_call_without_arguments_has_an_empty_object_once() {
    let empty = || CallInput::Json(Json::empty_object());
    let steps = [
        start(),
        open(0, call_block("f", None, false, None)),
        delta(0, Delta::Input(String::new())),
        close(0, call("f", None, empty())),
        stop(Stop::Calls),
        end(),
    ];
    let found = events(&written(&steps, &thread()));
    let deltas: Vec<_> = found.iter().filter_map(|it| it["delta"].as_str()).collect();
    assert_eq!((deltas, &found[4]["arguments"]), (vec!["{}"], &json!("{}")));
}

#[test]
fn bug_30_a_custom_tool_is_given_free_text() {
    let steps = [
        start(),
        open(0, call_block("apply_patch", None, true, None)),
        delta(0, Delta::Input("*** Begin".into())),
        close(0, call("apply_patch", None, CallInput::Text("*** Begin".into()))),
        stop(Stop::Calls),
        end(),
    ];
    let found = events(&written(&steps, &thread()));
    assert_eq!(
        kinds(&found)[2..],
        [
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
            "completed"
        ]
    );
    assert_eq!(
        found[5]["item"],
        json!({"type": "custom_tool_call", "id": "ctc_9_0", "status": "completed",
            "call_id": "call_1", "name": "apply_patch", "input": "*** Begin"})
    );
}

fn thought(text: &str, opaque: Option<Opaque>, redacted: bool) -> Content {
    Content::Thinking(Thinking { text: text.into(), opaque, redacted })
}

fn signed(data: &str) -> Opaque {
    Opaque { origin: Dialect::Anthropic, data: data.into() }
}

fn thoughtful() -> Vec<Step> {
    vec![
        start(),
        open(0, Block::Thinking),
        delta(0, Delta::Thinking("H".into())),
        delta(0, Delta::Thinking("m.".into())),
        delta(0, Delta::State(signed("S"))),
        close(0, thought("Hm.", Some(signed("S")), false)),
        open(1, Block::Redacted(signed("R"))),
        close(1, thought("", Some(signed("R")), true)),
        open(2, Block::Text),
        words(2, "x"),
        close(2, text("x")),
        stop(Stop::End),
        end(),
    ]
}

#[test]
fn thoughts_are_told_as_summaries_with_their_state_at_the_end() {
    let found = events(&written(&thoughtful(), &thread()));
    assert_eq!(
        kinds(&found)[2..12],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "output_item.added"
        ]
    );
    assert_eq!(
        found[8]["item"],
        json!({"type": "reasoning", "id": "rs_9_0", "encrypted_content": "slc1.anthropic.S",
            "summary": [{"type": "summary_text", "text": "Hm."}]})
    );
    assert_eq!(
        found[10]["item"],
        json!({"type": "reasoning", "id": "rs_9_1", "summary": [],
            "encrypted_content": "slc1.anthropic.R.redacted"})
    );
    assert_eq!(found[11]["output_index"], 2);
}

#[test]
fn thoughts_that_the_caller_does_not_want_are_not_told() {
    let quiet = Thread { thoughts: false, wants_opaque: false, ..thread() };
    let found = events(&written(&thoughtful(), &quiet));
    assert!(kinds(&found).iter().all(|it| !it.contains("reasoning")));
    assert_eq!(found.last().unwrap()["response"]["output"].as_array().unwrap().len(), 1);
    let blind = Thread { thoughts: false, ..thread() };
    let output =
        events(&written(&thoughtful(), &blind)).pop().unwrap()["response"]["output"].clone();
    assert_eq!(output[0]["summary"], json!([]));
    assert_eq!(output[0]["encrypted_content"], "slc1.anthropic.S");
}

#[test]
fn bug_13_the_state_of_a_call_stands_before_it() {
    let opaque = Opaque { origin: Dialect::Gemini, data: "CiQB".into() };
    let steps = [
        start(),
        open(0, call_block("f", None, false, Some(opaque))),
        close(0, call("f", None, CallInput::Json(Json::empty_object()))),
        stop(Stop::Calls),
        end(),
    ];
    let found = events(&written(&steps, &thread()));
    assert_eq!(found[3]["item"]["encrypted_content"], "slc1.gemini.CiQB.call");
    assert_eq!((&found[4]["output_index"], &found[4]["item"]["id"]), (&json!(1), &json!("fc_9_1")));
}

#[test]
fn texts_and_refusals_that_follow_each_other_are_one_message() {
    let citation = Citation { url: "u".into(), title: Some("t".into()), quote: None, range: None };
    let cited = Text { text: "Öl".into(), citations: vec![citation.clone()] };
    let logprobs = Json::parse(r#"[{"token":"a"}]"#);
    let steps = [
        start(),
        open(0, Block::Text),
        delta(0, Delta::Text { text: "a".into(), logprobs: logprobs.clone() }),
        delta(0, Delta::Text { text: String::new(), logprobs }),
        close(0, text("a")),
        open(1, Block::Text),
        words(1, "Öl"),
        delta(1, Delta::Cite(citation)),
        close(1, Content::Text(cited)),
        open(2, Block::Refusal),
        delta(2, Delta::Refusal("No.".into())),
        close(2, Content::Refusal("No.".into())),
        stop(Stop::Refused),
        end(),
    ];
    let found = events(&written(&steps, &thread()));
    let content = found.last().unwrap()["response"]["output"][0]["content"].clone();
    let annotation =
        json!({"type": "url_citation", "start_index": 0, "end_index": 2, "url": "u", "title": "t"});
    assert_eq!(
        content,
        json!([
            {"type": "output_text", "annotations": [], "text": "a",
                "logprobs": [{"token": "a"}, {"token": "a"}]},
            {"type": "output_text", "annotations": [annotation], "logprobs": [], "text": "Öl"},
            {"type": "refusal", "refusal": "No."},
        ])
    );
    let added = found.iter().find(|it| it["type"] == "response.output_text.annotation.added");
    let added = added.unwrap();
    assert_eq!((&added["annotation"], &added["content_index"]), (&annotation, &json!(1)));
    // A refusal in words is an answer.
    assert_eq!(found.last().unwrap()["type"], "response.completed");
    assert!(found.iter().filter(|it| it["type"] == "response.output_item.done").count() == 1);
}

#[test]
fn early_ends_are_told_at_the_item_and_at_the_answer() {
    let of = |reason: Stop| {
        let steps = [
            start(),
            open(0, Block::Text),
            words(0, "x"),
            close(0, text("x")),
            stop(reason),
            end(),
        ];
        let stream = written(&steps, &thread());
        let mut found = events(&stream);
        let last = found.pop().unwrap();
        (found.pop().unwrap()["item"]["status"].clone(), last, stream.ends_with("data: [DONE]\n\n"))
    };
    let (item, last, is_done) = of(Stop::Length);
    assert_eq!((item, is_done), (json!("incomplete"), true));
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(of(Stop::Refused).1["response"]["incomplete_details"]["reason"], "content_filter");
    let (item, last, is_done) = of(Stop::Failed("LANGUAGE".into()));
    assert_eq!((item, is_done), (json!("completed"), false));
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.failed"), &json!("failed"))
    );
    assert_eq!(last["response"]["error"], json!({"code": "server_error", "message": "LANGUAGE"}));
}

#[test]
fn bug_28_a_failure_is_told_and_nothing_after_it() {
    let failure = |kind| {
        let (message, code, param) = ("m".to_owned(), None, None);
        Step::Failed(Failure { kind, message, code, param })
    };
    for (kind, code) in [
        (ErrorKind::UpstreamTruncated, "server_error"),
        (ErrorKind::RequestsLimited, "rate_limit_exceeded"),
        (ErrorKind::BudgetExhausted, "insufficient_quota"),
        (ErrorKind::PromptTooLong, "context_length_exceeded"),
        (ErrorKind::InvalidRequest, "invalid_prompt"),
    ] {
        let steps =
            [start(), open(0, Block::Text), words(0, "x"), failure(kind), words(0, "y"), end()];
        let stream = written(&steps, &thread());
        let last = events(&stream).pop().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["error"], json!({"code": code, "message": "m"}));
        assert_eq!(last["response"]["output"], json!([]));
        assert!(!stream.contains("[DONE]") && !stream.contains("output_item.done"));
    }
    // Before anything else it is still a stream.
    let found = events(&written(&[failure(ErrorKind::Overloaded)], &thread()));
    assert_eq!(kinds(&found), ["created", "in_progress", "failed"]);
    assert_eq!(found[2]["response"]["id"], "resp_r1");
}

#[test]
fn other_answers_are_passed_over_and_waiting_is_a_comment() {
    let other = Step::Open { choice: 1, index: 0, block: Block::Text };
    let stream = written(&[start(), Step::Ping, other, start()], &thread());
    assert!(stream.ends_with("\n\n: ping\n\n"));
    assert_eq!(events(&stream).len(), 2);
}

#[test]
fn the_answer_at_the_end_is_the_one_that_is_told_whole() {
    let choices = vec![Choice {
        parts: [
            thought("Hm.", Some(signed("S")), false),
            thought("", Some(signed("R")), true),
            text("x"),
        ]
        .map(Part::new)
        .to_vec(),
        stop: Stop::End,
        logprobs: None,
    }];
    let answer = Answer {
        id: "msg_9".into(),
        model: "claude".into(),
        created: Some(5),
        choices,
        usage: Some(Tokens { input: 3, output: 2, ..Tokens::default() }),
        tier: None,
    };
    for (thoughts, wants_opaque) in [(true, true), (true, false), (false, true), (false, false)] {
        let thread = Thread { thoughts, wants_opaque, ..thread() };
        let whole: Value = serde_json::from_slice(&response::write(&answer, &thread)).unwrap();
        let last = events(&written(&thoughtful(), &thread)).pop().unwrap();
        assert_eq!(last["response"], whole);
    }
}

#[test]
fn what_is_written_can_be_read() {
    let stream = written(&thoughtful(), &thread());
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for event in stream.split("\n\n").filter(|it| !it.is_empty()) {
        let data = event.lines().find_map(|it| it.strip_prefix("data: ")).unwrap();
        reader.push("", data, &mut out).unwrap();
    }
    use crate::chat::Event;
    assert_eq!(out.iter().filter(|it| matches!(it, Event::Text { .. })).count(), 1);
    assert_eq!(out.iter().filter(|it| matches!(it, Event::Thinking { .. })).count(), 2);
    assert_eq!(out.iter().filter(|it| matches!(it, Event::ThinkingState { .. })).count(), 2);
    assert_eq!(out.iter().filter(|it| matches!(it, Event::Stop { .. } | Event::End)).count(), 2);
}
