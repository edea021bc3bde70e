use super::{Reader, Writer};
use crate::{
    chat::{
        Block, Citation, Content, Delta, Event, Failure, Opaque, Part, Start, Step, Stop, Thinking,
    },
    error::ErrorKind,
    translate::Thread,
};
use domain::{catalog::Dialect, tokens::Tokens};

/// The events of a stream, given as `data:` lines without names.
fn events(lines: &[&str]) -> Vec<Event> {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for line in lines {
        reader.push("", line, &mut out).unwrap();
    }
    out
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

fn call(slot: u64, id: &str, name: &str) -> Event {
    let (id, name) = (id.to_owned(), name.to_owned());
    Event::CallStart { choice: 0, slot, id, name, namespace: None, custom: false, opaque: None }
}

fn input(slot: u64, text: &str) -> Event {
    Event::CallInput { choice: 0, slot, text: text.to_owned() }
}

fn state(data: &str, redacted: bool) -> Event {
    let opaque = Opaque { origin: Dialect::Anthropic, data: data.to_owned() };
    Event::ThinkingState { choice: 0, opaque, redacted }
}

const BLOCK_END: Event = Event::BlockEnd { choice: 0 };

#[test]
fn a_whole_stream_is_read() {
    let read = events(&[
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","content":[],
            "usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1,
            "service_tier":"standard"}}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"si"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"g"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"xyz"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"He"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"llo"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":30}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let at_start = Tokens { input: 15, cached_input: 5, output: 1, ..Tokens::default() };
    let start = Start {
        id: "msg_1".to_owned(),
        model: "claude-x".to_owned(),
        created: None,
        usage: Some(at_start),
    };
    let expected = [
        Event::Start(start),
        Event::Tier("standard".to_owned()),
        Event::Ping,
        Event::Thinking { choice: 0, text: "hm".to_owned() },
        state("sig", false),
        state("xyz", true),
        text("He"),
        text("llo"),
        BLOCK_END,
        call(3, "toolu_1", "f"),
        input(3, "{\"a\":"),
        input(3, "1}"),
        Event::CallEnd { choice: 0, slot: 3 },
        Event::Usage(Tokens { output: 30, ..at_start }),
        Event::Stop { choice: 0, stop: Stop::Calls },
        Event::End,
    ];
    assert_eq!(read, expected);
}

#[test]
fn thoughts_that_are_left_out_keep_their_signature() {
    let read = events(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ]);
    assert_eq!(read, [state("sig", false)]);
}

#[test]
fn what_the_provider_ran_is_passed_over_and_its_citations_are_not() {
    let read = events(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"It ","citations":[]}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a.test","title":null,"cited_text":"q","encrypted_index":"e"}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"page_location","cited_text":"q"}}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
    ]);
    let citation = Citation {
        url: "https://a.test".to_owned(),
        title: None,
        quote: Some("q".to_owned()),
        range: None,
    };
    assert_eq!(read, [text("It "), Event::Cite { choice: 0, citation }, BLOCK_END]);
}

/// Bug 2 and bug 6 of the list: inputs told at once, told in pieces, not told at all; blocks mixed
/// up and left open.
#[test]
fn inputs_of_calls_are_told_once() {
    let start = |index: u64, input: &str| {
        format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"t{index}","name":"f","input":{input}}}}}"#
        )
    };
    let delta = |index: u64, text: &str| {
        format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":"{text}"}}}}"#
        )
    };
    let lines = [
        start(0, r#"{"a":1}"#),
        start(1, r#"{"a":1}"#),
        start(2, "{}"),
        start(3, "null"),
        delta(1, "{}"),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#.to_owned(),
    ];
    let read = events(&lines.each_ref().map(String::as_str));
    let end = |slot| Event::CallEnd { choice: 0, slot };
    let expected = [
        call(0, "t0", "f"),
        call(1, "t1", "f"),
        call(2, "t2", "f"),
        call(3, "t3", "f"),
        input(1, "{}"),
        input(0, r#"{"a":1}"#),
        end(0),
        end(1),
        end(2),
        end(3),
        Event::Stop { choice: 0, stop: Stop::Calls },
    ];
    assert_eq!(read, expected);
}

/// Bug 28 of the list: an error in the middle was swallowed.
#[test]
fn an_error_in_the_middle_is_one() {
    let read =
        events(&[r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#]);
    let failure = Failure {
        kind: ErrorKind::Overloaded,
        message: "Overloaded".to_owned(),
        code: None,
        param: None,
    };
    assert_eq!(read, [Event::Failed(failure)]);
    let mut out = Vec::new();
    Reader::default().push("error", r#"{"error":{"message":"m"}}"#, &mut out).unwrap();
    assert!(matches!(&out[..], [Event::Failed(it)] if it.kind == ErrorKind::UpstreamFailed));
}

#[test]
fn what_is_odd_or_new_is_no_panic() {
    let deep = "[".repeat(200_000);
    for broken in ["{", "[1]", "7", "\"x\"", deep.as_str()] {
        assert!(Reader::default().push("message_start", broken, &mut Vec::new()).is_err());
    }
    let mut out = Vec::new();
    let mut reader = Reader::default();
    for (name, data) in [
        ("", ""),
        ("", "[DONE]"),
        ("brand_new", "{}"),
        ("content_block_start", "{}"),
        ("content_block_start", r#"{"index":-1,"content_block":7}"#),
        (
            "content_block_delta",
            r#"{"index":9,"delta":{"type":"input_json_delta","partial_json":"x"}}"#,
        ),
        ("content_block_delta", r#"{"index":"x","delta":[]}"#),
        ("content_block_stop", r#"{"index":99}"#),
        ("message_start", r#"{"message":null}"#),
        ("message_delta", r#"{"delta":{"stop_reason":7},"usage":[]}"#),
    ] {
        reader.push(name, data, &mut out).unwrap();
    }
    assert_eq!(out, [Event::Start(Start::default())]);
}

#[test]
fn a_later_zero_does_not_lower_what_is_known() {
    let read = events(&[
        r#"{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}"#,
        r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":7,"output_tokens":2}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"explanation":"No."}},"usage":{"input_tokens":0,"output_tokens":3}}"#,
    ]);
    let usage = |output| Event::Usage(Tokens { input: 7, output, ..Tokens::default() });
    let refusal = Event::Refusal { choice: 0, text: "No.".to_owned() };
    let stop = Event::Stop { choice: 0, stop: Stop::Refused };
    assert_eq!(read[1..], [usage(2), usage(3), refusal, stop]);
}

fn thread() -> Thread {
    Thread {
        request: "req_1".to_owned(),
        alias: "smart".to_owned(),
        thoughts: true,
        ..Thread::default()
    }
}

fn told(steps: &[Step], thread: &Thread) -> String {
    let (mut writer, mut out) = (Writer::new(thread), Vec::new());
    for step in steps {
        writer.push(step, thread, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn open(index: u32, block: Block) -> Step {
    Step::Open { choice: 0, index, block }
}

fn delta(index: u32, delta: Delta) -> Step {
    Step::Delta { choice: 0, index, delta }
}

fn close(index: u32) -> Step {
    Step::Close { choice: 0, index, whole: Part::new(Content::Thinking(Thinking::default())) }
}

fn words(text: &str) -> Delta {
    Delta::Text { text: text.to_owned(), logprobs: None }
}

fn start() -> Step {
    let (id, model) = ("chatcmpl-1".to_owned(), "gpt-x".to_owned());
    Step::Start(Start { id, model, created: Some(1), usage: None })
}

/// Bug 1 and bug 9 of the list: input tokens missing at the end, blocks without a start or a stop.
/// The whole life of a stream, to the byte.
#[test]
fn a_whole_stream_is_written() {
    let gemini = Opaque { origin: Dialect::Gemini, data: "st".to_owned() };
    let tool = Block::Call {
        number: 0,
        id: "call_1".to_owned(),
        name: "f".to_owned(),
        namespace: None,
        custom: false,
        opaque: None,
    };
    let used = Tokens { input: 18, cached_input: 5, cache_write: 3, output: 20, reasoning: 8 };
    let steps = [
        start(),
        open(0, Block::Thinking),
        delta(0, Delta::Thinking("hm".to_owned())),
        delta(0, Delta::State(gemini)),
        close(0),
        open(1, Block::Text),
        delta(1, words("Hi")),
        Step::Ping,
        close(1),
        open(2, tool),
        delta(2, Delta::Input("{\"a\":1}".to_owned())),
        close(2),
        Step::Stop { choice: 0, stop: Stop::Calls },
        Step::End { usage: Some(used), tier: None },
    ];
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"gpt-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"slc1.gemini.st"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}

event: ping
data: {"type":"ping"}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_1","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,"output_tokens":20,"output_tokens_details":{"thinking_tokens":8}}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(told(&steps, &thread()), expected);
}

/// The kinds of events, with the number and what stands at `at` in each.
fn lines(text: &str, at: &str) -> Vec<String> {
    let data = text.lines().filter_map(|it| it.strip_prefix("data: "));
    data.map(|it| {
        let value: serde_json::Value = serde_json::from_str(it).unwrap();
        let kind = value["type"].as_str().unwrap().trim_start_matches("content_block_");
        format!("{kind} {} {}", value["index"], value.pointer(at).unwrap_or(&value["none"]))
    })
    .collect()
}

/// Bug 9 of the list: gaps in the numbers of blocks made clients ask again.
#[test]
fn blocks_without_pieces_are_left_out_without_a_gap() {
    let hidden = Thread { thoughts: false, ..thread() };
    let anthropic = || Opaque { origin: Dialect::Anthropic, data: "st".to_owned() };
    let steps = [
        open(0, Block::Text),
        delta(0, words("")),
        close(0),
        open(1, Block::Thinking),
        delta(1, Delta::Thinking("hm".to_owned())),
        close(1),
        open(2, Block::Thinking),
        delta(2, Delta::Thinking("hm".to_owned())),
        delta(2, Delta::State(anthropic())),
        close(2),
        open(3, Block::Redacted(anthropic())),
        close(3),
        open(4, Block::Refusal),
        delta(4, Delta::Refusal("No.".to_owned())),
        close(4),
    ];
    let told = told(&steps, &hidden);
    assert_eq!(
        lines(&told, "/delta/type"),
        [
            "start 0 null",
            r#"delta 0 "signature_delta""#,
            "stop 0 null",
            "start 1 null",
            "stop 1 null",
            "start 2 null",
            r#"delta 2 "text_delta""#,
            "stop 2 null",
        ]
    );
    assert!(told.contains(r#""content_block":{"type":"redacted_thinking","data":"st"}"#));
}

/// Bug 28 of the list: a failure looked like an end.
#[test]
fn a_failure_is_the_last_word_and_no_end() {
    let failure = Failure {
        kind: ErrorKind::UpstreamTruncated,
        message: "it broke off".to_owned(),
        code: None,
        param: None,
    };
    let steps = [open(0, Block::Text), delta(0, words("Hi")), Step::Failed(failure)];
    let told = told(&steps, &thread());
    let end = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\
               \"message\":\"it broke off\"},\"request_id\":\"req_1\"}\n\n";
    assert!(told.ends_with(end), "{told}");
    assert!(!told.contains("message_stop") && !told.contains("content_block_stop"));
}

/// Bug 1 of the list: input tokens that were known were told as zero.
#[test]
fn a_start_tells_what_is_known_and_other_answers_are_not_told() {
    let usage = Tokens { input: 9, cached_input: 4, ..Tokens::default() };
    let steps = [
        Step::Start(Start { usage: Some(usage), ..Start::default() }),
        Step::Open { choice: 1, index: 0, block: Block::Text },
        Step::Delta { choice: 1, index: 0, delta: words("x") },
        Step::Close { choice: 1, index: 0, whole: Part::text("x") },
        Step::Stop { choice: 1, stop: Stop::Length },
        Step::Stop { choice: 0, stop: Stop::Sequence(Some("END".to_owned())) },
        Step::End { usage: None, tier: Some("priority".to_owned()) },
    ];
    let told = told(&steps, &thread());
    assert!(told.contains(r#""id":"msg_req_1""#) && told.contains(r#""model":"smart""#), "{told}");
    assert_eq!(
        told.matches(
            r#""input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":4"#
        )
        .count(),
        2
    );
    assert!(told.contains(r#""stop_reason":"stop_sequence","stop_sequence":"END""#));
    assert!(told.contains(r#""service_tier":"priority""#) && !told.contains("content_block"));
}

#[test]
fn citations_are_told_within_their_text() {
    let citation = Citation {
        url: "https://a.test".to_owned(),
        title: Some("A".to_owned()),
        quote: None,
        range: None,
    };
    let steps =
        [open(0, Block::Text), delta(0, words("x")), delta(0, Delta::Cite(citation)), close(0)];
    let told = told(&steps, &thread());
    assert!(told.contains(
        r#""delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"","encrypted_index":"","title":"A","url":"https://a.test"}}"#
    ));
}

/// What is written for a caller is what our own reader reads.
#[test]
fn a_written_stream_is_read_back() {
    let steps = [
        start(),
        open(0, Block::Text),
        delta(0, words("Hi")),
        close(0),
        Step::Stop { choice: 0, stop: Stop::End },
        Step::End { usage: Some(Tokens { input: 1, output: 2, ..Tokens::default() }), tier: None },
    ];
    let told = told(&steps, &thread());
    let data: Vec<_> = told.lines().filter_map(|it| it.strip_prefix("data: ")).collect();
    let read = events(&data);
    let usage = Tokens { input: 1, output: 2, ..Tokens::default() };
    assert_eq!(
        read[1..],
        [
            text("Hi"),
            BLOCK_END,
            Event::Usage(usage),
            Event::Stop { choice: 0, stop: Stop::End },
            Event::End
        ]
    );
}
