use super::*;
use crate::chat::{Citation, Opaque};
use domain::{catalog::Dialect, tokens::Tokens};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/golden/openai_responses/stream/", $name, ".sse"))
    };
}

/// All that a stream says, its start left out.
#[track_caller]
fn told(stream: &str) -> Vec<Event> {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for event in stream.split("\n\n").filter(|it| !it.is_empty()) {
        let part = |name: &str| event.lines().find_map(|it| it.strip_prefix(name));
        let name = part("event: ").unwrap_or_default();
        reader.push(name, part("data: ").unwrap(), &mut out).unwrap();
    }
    let start = out.remove(0);
    let Event::Start(start) = start else { panic!("{start:?}") };
    if !start.id.is_empty() {
        assert_eq!(start.id, "resp_s1");
    }
    // Ends of blocks of which nothing was told mean nothing.
    out.retain(|it| *it != Event::BlockEnd { choice: 0 });
    out
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.into(), logprobs: None }
}

fn thinking(text: &str) -> Event {
    Event::Thinking { choice: 0, text: text.into() }
}

fn state(data: &str) -> Event {
    let opaque = Opaque { origin: Dialect::OpenAiResponses, data: data.into() };
    Event::ThinkingState { choice: 0, opaque, redacted: false }
}

fn call(slot: u64, id: &str, name: &str, custom: bool) -> Event {
    let (id, name) = (id.into(), name.into());
    Event::CallStart { choice: 0, slot, id, name, namespace: None, custom, opaque: None }
}

fn input(slot: u64, text: &str) -> Event {
    Event::CallInput { choice: 0, slot, text: text.into() }
}

const fn end(slot: u64) -> Event {
    Event::CallEnd { choice: 0, slot }
}

const fn stop(stop: Stop) -> Event {
    Event::Stop { choice: 0, stop }
}

const fn used(input: u64, output: u64) -> Event {
    Event::Usage(Tokens { input, output, cached_input: 0, cache_write: 0, reasoning: 0 })
}

fn tier() -> Event {
    Event::Tier("default".into())
}

#[test]
fn a_text_is_read_once() {
    let expected = [text("Hel"), text("lo."), used(12, 5), tier(), stop(Stop::End), Event::End];
    assert_eq!(told(golden!("plain_text")), expected);
}

#[test]
fn bug_2_parallel_calls_stay_apart_and_bug_4_may_interleave() {
    let tail = [used(50, 30), tier(), stop(Stop::Calls), Event::End];
    let (oslo, rome) =
        (call(0, "call_oslo", "get_weather", false), call(1, "call_rome", "get_weather", false));
    let (city, oslos, romes) = (r#"{"city":"#, r#""Oslo"}"#, r#""Rome"}"#);
    let one_by_one = [
        oslo.clone(),
        input(0, city),
        input(0, oslos),
        end(0),
        rome.clone(),
        input(1, city),
        input(1, romes),
        end(1),
    ];
    assert_eq!(told(golden!("tools_parallel")), [one_by_one.as_slice(), &tail].concat());
    let interleaved = [
        oslo,
        rome,
        input(0, city),
        input(1, city),
        input(0, oslos),
        input(1, romes),
        end(0),
        end(1),
    ];
    assert_eq!(told(golden!("tools_interleaved")), [interleaved.as_slice(), &tail].concat());
}

#[test]
fn thoughts_are_one_with_their_state_at_the_end() {
    let tokens =
        Tokens { input: 2_006, cached_input: 1_920, cache_write: 64, output: 300, reasoning: 256 };
    let expected = [
        thinking("Fir"),
        thinking("st."),
        thinking("\n\n"),
        thinking("Then."),
        state("gAAAAABoZm9v"),
        text("42"),
        Event::Usage(tokens),
        tier(),
        stop(Stop::End),
        Event::End,
    ];
    assert_eq!(told(golden!("reasoning")), expected);
    let found = told(golden!("reasoning_text"));
    assert_eq!(found[..3], [thinking("Two and "), thinking("two."), text("4")]);
}

#[test]
fn bug_30_the_input_of_custom_tools_is_free_text() {
    let expected = [
        call(0, "call_p", "apply_patch", true),
        input(0, "*** Begin\n"),
        input(0, "*** End"),
        end(0),
        used(9, 9),
        tier(),
        stop(Stop::Calls),
        Event::End,
    ];
    assert_eq!(told(golden!("custom_tool")), expected);
}

#[test]
fn refusals_and_sources_are_read_once() {
    let refusal = |text: &str| Event::Refusal { choice: 0, text: text.into() };
    let expected =
        [refusal("No, "), refusal("thanks."), used(9, 3), tier(), stop(Stop::End), Event::End];
    assert_eq!(told(golden!("refusal")), expected);
    let citation = Citation {
        url: "https://example.com/rain".into(),
        title: Some("Rain".into()),
        quote: None,
        range: Some((0, 10)),
    };
    let expected = [
        text("It rained."),
        Event::Cite { choice: 0, citation },
        used(900, 20),
        tier(),
        stop(Stop::End),
        Event::End,
    ];
    assert_eq!(told(golden!("web_search")), expected);
}

#[test]
fn early_ends_have_their_reasons() {
    let found = told(golden!("incomplete_length"));
    assert_eq!(found[found.len() - 2..], [stop(Stop::Length), Event::End]);
    let found = told(golden!("incomplete_filter"));
    assert_eq!(found[found.len() - 2..], [stop(Stop::Refused), Event::End]);
}

#[test]
fn bug_28_errors_are_errors_and_no_ends() {
    for (stream, kind, message) in [
        (
            golden!("failed"),
            ErrorKind::RequestsLimited,
            "Rate limit reached. Please try again in 1.5s.",
        ),
        (golden!("error"), ErrorKind::UpstreamFailed, "The server had an error."),
    ] {
        let mut found = told(stream);
        let last = found.pop().unwrap();
        let Event::Failed(failure) = last else { panic!("{last:?}") };
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message));
        assert!(!found.contains(&Event::End));
    }
}

#[test]
fn providers_that_tell_less_are_understood() {
    let expected = [
        state("gAAAAABoZm9v"),
        text("Hello."),
        call(2, "call_1", "now", false),
        input(2, "{}"),
        end(2),
        stop(Stop::Calls),
        Event::End,
    ];
    let stream = golden!("only_items_done");
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for data in stream.lines().filter_map(|it| it.strip_prefix("data: ")) {
        reader.push("", data, &mut out).unwrap();
    }
    out.retain(|it| !matches!(it, Event::BlockEnd { .. } | Event::Start(_)));
    assert_eq!(out, expected);
    let expected = [text("Hello."), used(12, 5), tier(), stop(Stop::End), Event::End];
    assert_eq!(told(golden!("only_completed")), expected);
}

#[test]
fn whole_pieces_without_deltas_are_read() {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for data in [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
        r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"a"}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.done","output_index":1,"arguments":"{}"}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
    ] {
        reader.push("", data, &mut out).unwrap();
    }
    out.retain(|it| *it != Event::BlockEnd { choice: 0 });
    assert_eq!(out, [text("a"), call(1, "c", "f", false), input(1, "{}"), end(1)]);
}

#[test]
fn items_without_numbers_are_told_apart_by_their_order() {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for data in [
        r#"{"type":"response.output_item.added","item":{"type":"function_call","call_id":"a","name":"f"}}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"{}"}"#,
        r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"a","name":"f","arguments":"{}"}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"function_call","call_id":"b","name":"g"}}"#,
        r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"b","name":"g","arguments":"{}"}}"#,
    ] {
        reader.push("", data, &mut out).unwrap();
    }
    let expected = [
        call(0, "a", "f", false),
        input(0, "{}"),
        end(0),
        call(1, "b", "g", false),
        input(1, "{}"),
        end(1),
    ];
    assert_eq!(out, expected);
}

#[test]
fn nonsense_cannot_be_read_and_what_is_odd_is_passed_over() {
    for data in ["{", "[]", "7", "\"x\"", "{}{}"] {
        assert!(Reader::default().push("", data, &mut Vec::new()).is_err(), "{data}");
    }
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    for data in [
        "",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"response.output_text.delta"}"#,
        r#"{"type":"response.output_text.delta","delta":7,"output_index":"x"}"#,
        r#"{"type":"response.output_item.added","item":7}"#,
        r#"{"type":"response.output_item.done","item":[]}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"x","output_index":9}"#,
        r#"{"type":"response.created","response":7}"#,
        r#"{"type":"response.unheard_of"}"#,
    ] {
        reader.push("", data, &mut out).unwrap();
    }
    assert_eq!(out, []);
    reader.push("", r#"{"error":{"message":"m","code":"slow_down"}}"#, &mut out).unwrap();
    let [Event::Failed(failure)] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Overloaded, "m"));
    // Nothing counts after the end.
    reader.push("", "[DONE]", &mut out).unwrap();
    reader.push("", "{", &mut out).unwrap();
    assert_eq!(out.len(), 1);
}

#[test]
fn the_event_of_a_name_may_lack_a_type() {
    let mut out = Vec::new();
    let data = r#"{"response":{"id":"resp_9"}}"#;
    Reader::default().push("response.created", data, &mut out).unwrap();
    assert!(matches!(&out[0], Event::Start(it) if it.id == "resp_9"));
    out.clear();
    Reader::default().push("keepalive", "{}", &mut out).unwrap();
    assert_eq!(out, [Event::Ping]);
}
