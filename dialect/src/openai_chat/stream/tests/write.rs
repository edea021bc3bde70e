//! Streams as callers get them, exact to the byte.

use super::super::Writer;
use crate::{
    chat::{
        Block, Call, CallInput, Citation, Content, Delta, Failure, Opaque, Part, Start, Step, Stop,
        Thinking,
    },
    error::ErrorKind,
    json::Json,
    translate::Thread,
};
use domain::{catalog::Dialect, tokens::Tokens};

fn thread(stream_usage: bool) -> Thread {
    Thread {
        request: "req_1".to_owned(),
        received_at: 17,
        alias: "alias".to_owned(),
        stream_usage,
        ..Thread::default()
    }
}

fn written(steps: &[Step], thread: &Thread) -> String {
    let mut writer = Writer::new(thread);
    let mut out = Vec::new();
    for step in steps {
        writer.push(step, thread, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// What stands in the first choice of each chunk.
fn choices(steps: &[Step], thread: &Thread) -> Vec<String> {
    let head = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":["#;
    let text = written(steps, thread);
    let lines = text.split("\n\n").filter(|it| !it.is_empty());
    lines.map(|it| it.strip_prefix(head).unwrap_or(it).trim_end_matches("]}").to_owned()).collect()
}

fn begin() -> Step {
    let (id, model) = ("msg_1".to_owned(), "m".to_owned());
    Step::Start(Start { id, model, created: None, usage: None })
}

fn open(index: u32, block: Block) -> Step {
    Step::Open { choice: 0, index, block }
}

fn delta(index: u32, delta: Delta) -> Step {
    Step::Delta { choice: 0, index, delta }
}

fn text(text: &str) -> Delta {
    Delta::Text { text: text.to_owned(), logprobs: None }
}

fn close(index: u32, content: Content) -> Step {
    Step::Close { choice: 0, index, whole: Part::new(content) }
}

fn call(number: u32, custom: bool) -> Block {
    Block::Call {
        number,
        id: format!("c{number}"),
        name: "f".to_owned(),
        namespace: None,
        custom,
        opaque: None,
    }
}

fn called(input: &str) -> Content {
    let input = CallInput::Json(Json::parse(input).unwrap());
    let (id, name) = ("c".to_owned(), "f".to_owned());
    Content::Call(Call { id, name, namespace: None, input, opaque: None })
}

fn stop(stop: Stop) -> Step {
    Step::Stop { choice: 0, stop }
}

fn end() -> Step {
    let usage = Some(Tokens { input: 5, output: 2, ..Tokens::default() });
    Step::End { usage, tier: None }
}

fn plain() -> Vec<Step> {
    let whole = Part::text("Hi").content;
    vec![
        begin(),
        open(0, Block::Text),
        delta(0, text("Hi")),
        close(0, whole),
        stop(Stop::End),
        end(),
    ]
}

#[test]
fn a_plain_stream_is_exact_to_the_byte() {
    let expected = concat!(
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"#,
        "\n\n",
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}"#,
        "\n\n",
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
        "\n\ndata: [DONE]\n\n",
    );
    assert_eq!(written(&plain(), &thread(false)), expected);
}

#[test]
fn who_asks_for_usage_gets_it_in_a_chunk_without_choices() {
    let text = written(&plain(), &thread(true));
    let lines: Vec<_> = text.split("\n\n").collect();
    let [role, hi, stop, usage, done, ""] = lines.as_slice() else { panic!("{text}") };
    for chunk in [role, hi, stop] {
        assert!(chunk.ends_with(r#"}],"usage":null}"#), "{chunk}");
    }
    let expected = concat!(
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":17,"model":"m","choices":[],"#,
        r#""usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"#,
        r#""prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#,
    );
    assert_eq!(*usage, expected);
    assert_eq!(*done, "data: [DONE]");
}

/// Bug 2, bug 3, bug 4 and bug 6 of the list: calls were numbered like blocks, or had no arguments
/// at all.
#[test]
fn calls_are_numbered_from_zero_and_never_without_arguments() {
    let piece = |text: &str| Delta::Input(text.to_owned());
    let steps = [
        begin(),
        open(0, Block::Text),
        close(0, Part::text("").content),
        open(1, call(0, false)),
        delta(1, piece(r#"{"x""#)),
        delta(1, piece(":1}")),
        close(1, called(r#"{"x":1}"#)),
        open(2, call(1, false)),
        close(2, called("{}")),
        open(3, call(2, true)),
        delta(3, piece("a\"b")),
        close(3, called("{}")),
        stop(Stop::Calls),
    ];
    let said = |delta: &str| {
        format!(
            r#"{{"index":0,"delta":{{"tool_calls":[{delta}]}},"logprobs":null,"finish_reason":null}}"#
        )
    };
    let expected = [
        r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#.to_owned(),
        said(r#"{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}}"#),
        said(r#"{"index":0,"function":{"arguments":"{\"x\""}}"#),
        said(r#"{"index":0,"function":{"arguments":":1}"}}"#),
        said(r#"{"index":1,"id":"c1","type":"function","function":{"name":"f","arguments":""}}"#),
        said(r#"{"index":1,"function":{"arguments":"{}"}}"#),
        said(r#"{"index":2,"id":"c2","type":"custom","custom":{"name":"f","input":""}}"#),
        said(r#"{"index":2,"custom":{"input":"a\"b"}}"#),
        r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}"#.to_owned(),
    ];
    assert_eq!(choices(&steps, &thread(false)), expected);
}

#[test]
fn who_asked_with_functions_gets_one_function_call() {
    let mut thread = thread(false);
    thread.echo.push(("functions".to_owned(), Json::empty_object()));
    let steps = [
        begin(),
        open(0, call(0, false)),
        delta(0, Delta::Input("{}".to_owned())),
        close(0, called("{}")),
        open(1, call(1, false)),
        close(1, called("{}")),
        stop(Stop::Calls),
    ];
    let found = choices(&steps, &thread);
    let expected = [
        r#"{"index":0,"delta":{"function_call":{"name":"f","arguments":""}},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"function_call":{"arguments":"{}"}},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"function_call"}"#,
    ];
    assert_eq!(found[1..], expected);
}

/// Bug 11 of the list: thoughts were dropped, or mixed into the text.
#[test]
fn thoughts_are_texts_and_their_state_comes_whole_at_their_end() {
    let opaque = || Opaque { origin: Dialect::Anthropic, data: "s".to_owned() };
    let thought = |text: &str, redacted| {
        Content::Thinking(Thinking { text: text.to_owned(), opaque: Some(opaque()), redacted })
    };
    let steps = [
        begin(),
        open(0, Block::Thinking),
        delta(0, Delta::Thinking("Hm.".to_owned())),
        delta(0, Delta::State(opaque())),
        close(0, thought("Hm.", false)),
        open(1, Block::Redacted(opaque())),
        close(1, thought("", true)),
    ];
    let expected = [
        r#"{"index":0,"delta":{"reasoning_content":"Hm."},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm.","signature":"slc1.anthropic.s","index":0}]},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"slc1.anthropic.s","index":1}]},"logprobs":null,"finish_reason":null}"#,
    ];
    assert_eq!(choices(&steps, &thread(false))[1..], expected);
}

#[test]
fn refusals_sources_and_logprobs_are_written() {
    let citation = Citation {
        url: "https://x.example".to_owned(),
        title: Some("X".to_owned()),
        quote: None,
        range: None,
    };
    let logprobs = Json::parse(r#"[{"token":"ö"}]"#);
    let steps = [
        begin(),
        open(0, Block::Text),
        delta(0, text("ä")),
        close(0, Part::text("ä").content),
        open(1, Block::Text),
        delta(1, Delta::Text { text: "ö".to_owned(), logprobs }),
        delta(1, Delta::Cite(citation)),
        close(1, Part::text("ö").content),
        open(2, Block::Refusal),
        delta(2, Delta::Refusal("No.".to_owned())),
        close(2, Content::Refusal("No.".to_owned())),
    ];
    let expected = [
        r#"{"index":0,"delta":{"content":"ä"},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"content":"ö"},"logprobs":{"content":[{"token":"ö"}],"refusal":null},"finish_reason":null}"#,
        r#"{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"title":"X","url":"https://x.example"}}]},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":0,"delta":{"refusal":"No."},"logprobs":null,"finish_reason":null}"#,
    ];
    assert_eq!(choices(&steps, &thread(false))[1..], expected);
}

#[test]
fn each_answer_begins_with_its_role_and_pings_are_comments() {
    let steps = [
        begin(),
        Step::Ping,
        Step::Open { choice: 1, index: 0, block: Block::Text },
        Step::Delta { choice: 1, index: 0, delta: text("b") },
        Step::Stop { choice: 2, stop: Stop::Refused },
    ];
    let expected = [
        r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
        ": ping",
        r#"{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":1,"delta":{"content":"b"},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":2,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
        r#"{"index":2,"delta":{},"logprobs":null,"finish_reason":"content_filter"}"#,
    ];
    assert_eq!(choices(&steps, &thread(false)), expected);
}

/// Bug 28 of the list: a failure was followed by `[DONE]`.
#[test]
fn what_went_wrong_does_not_look_like_an_end() {
    let failure = Failure {
        kind: ErrorKind::UpstreamTruncated,
        message: "It broke off.".to_owned(),
        code: None,
        param: None,
    };
    let found = choices(&[begin(), Step::Failed(failure)], &thread(true));
    let expected = r#"data: {"error":{"message":"It broke off.","type":"server_error","param":null,"code":"upstream_truncated"}}"#;
    assert_eq!(found.last().map(String::as_str), Some(expected));
    assert!(!found.concat().contains("[DONE]"));
}

#[test]
fn what_nobody_said_is_ours_and_nothing_is_made_up() {
    let steps = [Step::Start(Start::default()), Step::End { usage: None, tier: None }];
    let text = written(&steps, &thread(true));
    assert!(text.starts_with(r#"data: {"id":"chatcmpl-req_1","#), "{text}");
    assert!(text.contains(r#""model":"alias""#) && text.ends_with("\n\ndata: [DONE]\n\n"));
    assert!(!text.contains("prompt_tokens"));
}
