//! Streams: what chunks say, and the bytes of those that are written.

use super::*;
use crate::{
    chat::{
        Block, Call, CallInput, Citation, Content, Delta, Event, Failure, Opaque, Part, Start,
        Step, Stop, Text, Thinking,
    },
    error::ErrorKind,
    json::Json,
    translate::Thread,
};
use domain::{catalog::Dialect, tokens::Tokens};

#[track_caller]
fn said(chunks: &[&str]) -> Vec<Event> {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for chunk in chunks {
        reader.push("", chunk, &mut out).unwrap();
    }
    // The first chunk begins, though it says neither id nor model.
    out.retain(|it| *it != Event::Start(Start::default()));
    out
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.into(), logprobs: None }
}

fn gemini(data: &str) -> Opaque {
    Opaque { origin: Dialect::Gemini, data: data.into() }
}

fn called(slot: u64, id: &str, name: &str, input: &str, opaque: Option<Opaque>) -> [Event; 3] {
    let (id, name, text) = (id.to_owned(), name.to_owned(), input.to_owned());
    [
        Event::CallStart { choice: 0, slot, id, name, namespace: None, custom: false, opaque },
        Event::CallInput { choice: 0, slot, text },
        Event::CallEnd { choice: 0, slot },
    ]
}

#[test]
fn a_stream_is_read_chunk_by_chunk() {
    let tokens = |output, reasoning| {
        Event::Usage(Tokens { input: 3, cached_input: 0, cache_write: 0, output, reasoning })
    };
    let start = Start { id: "r".into(), model: "gemini-2.5-flash".into(), ..Start::default() };
    assert_eq!(
        said(&[
            r#"{"candidates":[{"content":{"parts":[{"text":"plan","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":5},"modelVersion":"gemini-2.5-flash","responseId":"r"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"Hi"},{"text":" you"}]}}],"modelVersion":"gemini-2.5-flash","responseId":"r"}"#,
            "",
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"GG=="}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":2},"responseId":"r"}"#,
        ]),
        [
            Event::Start(start),
            Event::Thinking { choice: 0, text: "plan".into() },
            tokens(2, 2),
            text("Hi"),
            text(" you"),
            Event::ThinkingState { choice: 0, opaque: gemini("GG=="), redacted: false },
            Event::Stop { choice: 0, stop: Stop::End },
            tokens(6, 2),
        ]
    );
}

/// Bug 2 and bug 7 of the list: calls of one chunk were merged, their arguments lost.
#[test]
fn several_calls_in_one_chunk_stay_several() {
    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"ok"},{"functionCall":{"name":"a","args":{"key": "a"}},"thoughtSignature":"GG=="},
        {"functionCall":{"id":"2","name":"b","args":{"key":"b"}}},{"functionCall":{"name":"c"}}]},"finishReason":"STOP"}]}"#;
    let expected = [
        vec![text("ok")],
        called(0, "", "a", r#"{"key": "a"}"#, Some(gemini("GG=="))).to_vec(),
        called(1, "2", "b", r#"{"key":"b"}"#, None).to_vec(),
        called(2, "", "c", "{}", None).to_vec(),
        vec![Event::Stop { choice: 0, stop: Stop::Calls }],
    ];
    assert_eq!(said(&[chunk]), expected.concat());
}

#[test]
fn calls_of_several_chunks_are_told_apart_and_decide_why_it_ended() {
    let chunk = |name: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{{"name":"{name}"}}}}]}}}}]}}"#
        )
    };
    let end = r#"{"candidates":[{"finishReason":"STOP"}]}"#;
    let expected = [
        called(0, "", "a", "{}", None).to_vec(),
        called(1, "", "b", "{}", None).to_vec(),
        vec![Event::Stop { choice: 0, stop: Stop::Calls }],
    ];
    assert_eq!(said(&[&chunk("a"), &chunk("b"), end]), expected.concat());
}

#[test]
fn several_answers_are_told_apart() {
    let chunk = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a"}}]},"index":1,"finishReason":"STOP"},{"content":{"parts":[{"text":"x"}]},"finishReason":"MAX_TOKENS"}]}"#;
    let events = said(&[chunk]);
    assert!(events.contains(&Event::Stop { choice: 1, stop: Stop::Calls }));
    assert_eq!(events[4..], [text("x"), Event::Stop { choice: 0, stop: Stop::Length }]);
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let chunk = r#"{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":3}}"#;
    let events = said(&[chunk]);
    assert_eq!(events[0], Event::Refusal { choice: 0, text: "no".into() });
    assert_eq!(events[1], Event::Stop { choice: 0, stop: Stop::Refused });
}

#[test]
fn an_error_in_a_stream_is_told() {
    for chunk in [
        r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#,
        r#"[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]"#,
    ] {
        let events = said(&[chunk]);
        let [Event::Failed(failure)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Overloaded, "overloaded"));
    }
}

#[test]
fn sources_are_told_once_though_they_come_with_every_chunk() {
    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"Ah"}]},"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}],
        "groundingSupports":[{"segment":{"endIndex":2,"text":"Ah"},"groundingChunkIndices":[0]}]}}]}"#;
    let citation = |range| Event::Cite {
        choice: 0,
        citation: Citation {
            url: "https://a".into(),
            title: Some("A".into()),
            quote: Some("Ah".into()),
            range,
        },
    };
    assert_eq!(said(&[chunk, chunk]), [text("Ah"), citation(Some((0, 2))), text("Ah")]);
    // Bytes are no characters, and the words before are not kept.
    let mixed = chunk.replace(r#""text":"Ah"}]"#, r#""text":"Äh"}]"#);
    assert_eq!(said(&[&mixed]), [text("Äh"), citation(None)]);
}

#[test]
fn what_is_no_chunk_is_unreadable() {
    for data in ["{", "x", "1", "[1]", "\"x\""] {
        assert!(Reader::default().push("", data, &mut Vec::new()).is_err(), "{data}");
    }
    let odd = r#"{"candidates":[1,{"content":1},{"content":{"parts":[1,{"text":{}}]},"index":-1}],"usageMetadata":[]}"#;
    assert_eq!(said(&[odd, "[DONE]"]), [Event::End]);
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(said(&[&deep]), []);
}

fn thread() -> Thread {
    Thread { request: "req_1".into(), thoughts: true, ..Thread::default() }
}

#[track_caller]
fn check(mut writer: Writer, steps: &[Step], expected: &[&str]) {
    let mut out = Vec::new();
    for step in steps {
        writer.push(step, &thread(), &mut out);
    }
    assert_eq!(String::from_utf8(out).unwrap(), expected.concat());
}

fn started() -> Step {
    Step::Start(Start { id: "msg_7".into(), model: "claude".into(), ..Start::default() })
}

fn delta(index: u32, text: &str) -> Step {
    Step::Delta { choice: 0, index, delta: Delta::Text { text: text.into(), logprobs: None } }
}

fn thought(index: u32, text: &str) -> Step {
    Step::Delta { choice: 0, index, delta: Delta::Thinking(text.into()) }
}

fn close(index: u32, content: Content) -> Step {
    Step::Close { choice: 0, index, whole: Part::new(content) }
}

fn stop(stop: Stop) -> Step {
    Step::Stop { choice: 0, stop }
}

fn end() -> Step {
    let usage = Tokens { input: 3, cached_input: 0, cache_write: 0, output: 4, reasoning: 1 };
    Step::End { usage: Some(usage), tier: None }
}

fn words(text: &str) -> Content {
    Content::Text(Text { text: text.into(), citations: Vec::new() })
}

fn call(id: &str, input: &str) -> Content {
    let input = CallInput::Json(Json::parse(input).unwrap());
    Content::Call(Call { id: id.into(), name: "f".into(), namespace: None, input, opaque: None })
}

fn thinking(text: &str, redacted: bool) -> Content {
    let opaque = Some(Opaque { origin: Dialect::Anthropic, data: "S".into() });
    Content::Thinking(Thinking { text: text.into(), opaque, redacted })
}

const TAIL: &str = r#","modelVersion":"claude","responseId":"7"}"#;
const USAGE: &str = r#""usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":3,"thoughtsTokenCount":1,"totalTokenCount":7}"#;

fn chunk(part: &str) -> String {
    format!(r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"index":0}}]{TAIL}"#)
}

fn last(reason: &str) -> String {
    last_with(r#"{"text":""}"#, reason)
}

fn last_with(part: &str, reason: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"finishReason":"{reason}","index":0}}],{USAGE}{TAIL}"#
    )
}

fn event(chunk: &str) -> String {
    format!("data: {chunk}\n\n")
}

fn text_steps() -> Vec<Step> {
    let open = Step::Open { choice: 0, index: 0, block: Block::Text };
    vec![
        started(),
        Step::Ping,
        open,
        delta(0, "Hi"),
        delta(0, ""),
        delta(0, " you"),
        close(0, words("Hi you")),
        stop(Stop::End),
        end(),
    ]
}

#[test]
fn text_is_told_as_it_comes() {
    check(
        Writer::new(&thread()),
        &text_steps(),
        &[
            &event(&chunk(r#"{"text":"Hi"}"#)),
            &event(&chunk(r#"{"text":" you"}"#)),
            &event(&last("STOP")),
        ],
    );
}

/// Bug 7 and bug 13 of the list: streamed calls lost their arguments and signatures.
#[test]
fn calls_are_told_whole_with_the_state_of_the_thought_before() {
    let steps = [
        started(),
        thought(0, "t"),
        Step::Delta {
            choice: 0,
            index: 0,
            delta: Delta::State(Opaque { origin: Dialect::Anthropic, data: "S".into() }),
        },
        close(0, thinking("t", false)),
        Step::Delta { choice: 0, index: 1, delta: Delta::Input("{\"k\"".into()) },
        Step::Delta { choice: 0, index: 1, delta: Delta::Input(": 1}".into()) },
        close(1, call("1", r#"{"k": 1}"#)),
        close(2, call("2", "{}")),
        stop(Stop::Calls),
        end(),
    ];
    let sealed = r#","thoughtSignature":"c2xjMS5hbnRocm9waWMuUw==""#;
    let first = event(&chunk(&format!(
        r#"{{"functionCall":{{"id":"1","name":"f","args":{{"k": 1}}}}{sealed}}}"#
    )));
    let second = event(&chunk(r#"{"functionCall":{"id":"2","name":"f","args":{}}}"#));
    let end = event(&last("STOP"));
    let shown = event(&chunk(r#"{"text":"t","thought":true}"#));
    check(Writer::new(&thread()), &steps, &[&shown, &first, &second, &end]);
    let hiding = Thread { thoughts: false, ..thread() };
    check(Writer::new(&hiding), &steps, &[&first, &second, &end]);
}

#[test]
fn the_state_of_a_thought_is_never_lost() {
    let sealed = r#""thoughtSignature":"c2xjMS5hbnRocm9waWMuUw==""#;
    // `r:slc1.anthropic.S`
    let redacted = r#""thoughtSignature":"cjpzbGMxLmFudGhyb3BpYy5T""#;
    let steps = [
        started(),
        close(0, thinking("", true)),
        thought(1, "t"),
        close(1, thinking("t", false)),
        delta(2, "x"),
        delta(2, "y"),
        close(2, words("xy")),
        close(3, thinking("", false)),
        stop(Stop::Length),
        end(),
    ];
    check(
        Writer::new(&thread()),
        &steps,
        &[
            &event(&chunk(&format!(r#"{{"text":"",{redacted}}}"#))),
            &event(&chunk(r#"{"text":"t","thought":true}"#)),
            &event(&chunk(&format!(r#"{{"text":"x",{sealed}}}"#))),
            &event(&chunk(r#"{"text":"y"}"#)),
            &event(&last_with(&format!(r#"{{"text":"",{sealed}}}"#), "MAX_TOKENS")),
        ],
    );
}

#[test]
fn sources_are_told_at_the_end() {
    let citation =
        Citation { url: "https://a".into(), title: None, quote: None, range: Some((0, 1)) };
    let text = Text { text: "Ä".into(), citations: vec![citation.clone()] };
    let steps = [
        started(),
        delta(0, "x"),
        close(0, words("x")),
        Step::Delta { choice: 0, index: 1, delta: Delta::Cite(citation) },
        close(1, Content::Text(text)),
        stop(Stop::End),
        end(),
    ];
    let grounding = r#""groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a"}}],"groundingSupports":[{"segment":{"startIndex":1,"endIndex":3,"text":"Ä"},"groundingChunkIndices":[0]}]}}],"#;
    let last = last("STOP").replace("}],\"usage", &format!(",{grounding}\"usage"));
    check(Writer::new(&thread()), &steps, &[&event(&chunk(r#"{"text":"x"}"#)), &event(&last)]);
}

#[test]
fn several_answers_end_in_one_chunk() {
    let steps = [
        started(),
        Step::Stop { choice: 1, stop: Stop::Failed("oops".into()) },
        Step::Stop { choice: 0, stop: Stop::Refused },
        Step::End { usage: None, tier: None },
    ];
    let candidates = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"SAFETY","index":0},{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"OTHER","finishMessage":"oops","index":1}]"#;
    check(Writer::new(&thread()), &steps, &[&event(&format!("{candidates}{TAIL}"))]);
}

/// Bug 28 of the list: a stream that failed looked as if it had ended.
#[test]
fn a_failure_is_the_last_thing() {
    let failure = Failure {
        kind: ErrorKind::UpstreamTruncated,
        message: "broke off".into(),
        code: None,
        param: None,
    };
    let error = r#"{"error":{"code":502,"message":"broke off","status":"UNAVAILABLE"}}"#;
    let steps = [started(), delta(0, "Hi"), Step::Failed(failure.clone())];
    let hi = chunk(r#"{"text":"Hi"}"#);
    check(Writer::new(&thread()), &steps, &[&event(&hi), &event(error)]);
    check(Writer::new(&thread()), &[Step::Failed(failure)], &[&event(error)]);
}

#[test]
fn logprobs_and_refusals_are_told() {
    let logprobs =
        Json::parse(r#"[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[]}]"#);
    let steps = [
        started(),
        Step::Delta { choice: 0, index: 0, delta: Delta::Text { text: "Hi".into(), logprobs } },
        Step::Delta { choice: 0, index: 1, delta: Delta::Refusal("no".into()) },
    ];
    let result = r#""index":0,"logprobsResult":{"topCandidates":[{"candidates":[]}],"chosenCandidates":[{"token":"Hi","logProbability":-0.5}]}"#;
    let first = chunk(r#"{"text":"Hi"}"#).replace(r#""index":0"#, result);
    check(Writer::new(&thread()), &steps, &[&event(&first), &event(&chunk(r#"{"text":"no"}"#))]);
}
