use super::{answering::First, voice::Voice, *};
use crate::chat::Failure;
use domain::catalog::Quirks;

fn reading(body: &str, path: PathWords<'_>) -> Result<Reading, Refused> {
    read_by(toy::voice(), Dialect::OpenAiResponses, body.as_bytes(), path)
}

fn target(dialect: Dialect) -> Target<'static> {
    Target {
        dialect,
        model: "upstream-model",
        quirks: Quirks::NONE,
        output_cap_field: "max_tokens",
        max_output: None,
        output_cap: None,
    }
}

fn outgoing(body: &str) -> Outgoing {
    let reading = reading(body, PathWords::default()).unwrap();
    reading.write_by(toy::voice(), &target(Dialect::Anthropic), "req_1", 7).unwrap()
}

fn answering(streamed: bool, told: Told) -> Answering {
    let thread = outgoing(r#"{"model":"m","custom_tool":"patch"}"#).thread;
    Answering::by(Some(toy::voice()), streamed, Some(toy::voice()), told, thread)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn failure() -> Failure {
    Failure {
        kind: ErrorKind::UpstreamTimeout,
        message: "late".to_owned(),
        code: None,
        param: None,
    }
}

const STREAM: &str = "event: start\ndata: a\n\nevent: text\ndata: hi\n\nevent: usage\ndata: x\n\n\
    event: call\ndata: ns__patch\n\nevent: input\ndata: {\"input\":\"a\\\n\n\
    event: input\ndata: nb\"}\n\nevent: stop\ndata: x\n\nevent: end\ndata: x\n\n";

#[test]
fn the_path_says_what_the_body_does_not() {
    let body = r#"{"model":"m","text":"hi","strange":1}"#;
    let said = reading(body, PathWords::default()).unwrap();
    assert_eq!((said.request.model.as_str(), said.request.stream), ("m", false));
    assert_eq!(said.notes.to_string(), "strange;dropped");
    let said = reading(body, PathWords { model: Some("p"), stream: Some(true) }).unwrap();
    assert_eq!((said.request.model.as_str(), said.request.stream), ("p", true));
    assert_eq!(reading("[]", PathWords::default()).unwrap_err().field, "body");
}

#[test]
fn a_request_that_says_nothing_is_refused() {
    for (dialect, body, field) in [
        (Dialect::OpenAi, r#"{"model":"m","messages":[{"role":"user","content":""}]}"#, "messages"),
        (Dialect::Anthropic, r#"{"model":"m","max_tokens":1,"messages":[]}"#, "messages"),
        (Dialect::OpenAiResponses, r#"{"model":"m","input":[{"type":"strange"}]}"#, "input"),
        (Dialect::Gemini, r#"{"contents":[{"role":"user","parts":[{"text":""}]}]}"#, "contents"),
    ] {
        let path = PathWords { model: Some("m"), stream: None };
        assert_eq!(read(dialect, body.as_bytes(), path).unwrap_err().field, field, "{body}");
    }
    let only_told = r#"{"model":"m","messages":[{"role":"system","content":"Tell a tale."}]}"#;
    assert!(read(Dialect::OpenAi, only_told.as_bytes(), PathWords::default()).is_ok());
}

#[test]
fn a_request_is_fitted_written_and_remembered() {
    let out = outgoing(r#"{"model":"m","custom_tool":"patch","strange":1}"#);
    assert_eq!(text(&out.body), r#"upstream-model 1 ["ns__patch"]"#);
    assert_eq!(out.notes.to_string(), "strange;dropped");
    let thread = &out.thread;
    assert_eq!((thread.request.as_str(), thread.received_at), ("req_1", 7));
    assert_eq!(thread.alias, "m");
    assert!(thread.wants_opaque && !thread.thoughts);
    assert!(thread.names.original("ns__patch").unwrap().wrapped);
}

#[test]
fn callers_choose_whether_they_read_thoughts_where_their_dialect_lets_them() {
    let shows = |dialect, show| {
        let reasoning = Some(chat::Reasoning { show, ..chat::Reasoning::default() });
        let request = chat::Request { reasoning, ..chat::Request::default() };
        Reading { dialect, request, notes: Notes::default(), completion: false }
            .thread("", 0)
            .thoughts
    };
    for dialect in Dialect::ALL {
        assert!(shows(dialect, Some(chat::Show::Summary)));
        assert!(!shows(dialect, Some(chat::Show::Nothing)));
    }
    assert!(shows(Dialect::OpenAi, None) && !shows(Dialect::OpenAiResponses, None));
}

#[test]
fn a_stream_is_told_as_it_comes_and_its_tools_as_the_caller_knows_them() {
    let mut answering = answering(true, Told::Events);
    let mut told = String::new();
    for piece in STREAM.as_bytes().chunks(7) {
        told.push_str(text(&answering.push(piece)));
    }
    assert!(answering.is_over() && answering.failed().is_none());
    assert_eq!(answering.first(), First::Content);
    assert_eq!(answering.usage().unwrap().output, 3);
    assert!(told.contains(r#"name: "patch", namespace: Some("ns"), custom: true"#), "{told}");
    assert!(told.contains(r#"input: Text("a\nb")"#) && told.contains("stop: Calls"), "{told}");
    assert!(answering.push(b"event: text\ndata: more\n\n").is_empty());
    assert!(answering.finish().is_empty() && answering.break_off(&failure()).is_empty());
    assert!(answering.failed().is_none());
    // "hi", and "a", a line end and "b".
    assert_eq!(answering.output_estimate(), 2);
}

#[test]
fn any_split_of_a_stream_tells_the_same() {
    let all = |size| {
        let mut answering = answering(true, Told::Events);
        let pieces = STREAM.as_bytes().chunks(size).map(|it| answering.push(it));
        pieces.collect::<Vec<_>>().concat()
    };
    let whole = all(STREAM.len());
    let steps = |bytes: &[u8]| text(bytes).matches("data: ").count();
    // Pieces of a block may be told in more steps, but not in others.
    (1..60).for_each(|size| assert!(steps(&all(size)) >= steps(&whole)));
}

#[test]
fn a_stream_is_collected_for_who_wants_it_whole_and_the_other_way_round() {
    let mut collecting = answering(true, Told::Whole);
    assert!(collecting.push(&STREAM.as_bytes()[..60]).is_empty());
    assert_eq!(collecting.first(), First::Nothing);
    let told = collecting.push(&STREAM.as_bytes()[60..]);
    assert!(text(&told).starts_with("m [Choice { parts: [Part"), "{}", text(&told));
    assert!(collecting.is_over() && collecting.first() == First::Content);

    let mut replaying = answering(false, Told::Events);
    assert!(replaying.push(b"ns__patch: {\"input\":").is_empty());
    assert!(replaying.push(b"\"a\"}").is_empty() && !replaying.is_over());
    let told = replaying.finish();
    assert!(text(&told).starts_with("data: Start(") && text(&told).contains("data: End"));
    assert!(text(&told).contains(r#"name: "patch""#) && text(&told).contains(r#"Input("a")"#));
    assert!(text(&told).contains("stop: Calls"));

    let mut whole = answering(false, Told::Whole);
    whole.push(b"hi");
    assert!(text(&whole.finish()).contains("hi") && whole.is_over());
}

#[test]
fn what_breaks_off_is_told_so_and_never_ends_well() {
    // In the middle, by the connection's end.
    let mut middle = answering(true, Told::Events);
    middle.push(b"event: text\ndata: hi\n\n");
    let told = middle.finish();
    assert!(text(&told).contains("Failed(") && !text(&told).contains("End"));
    assert_eq!(middle.failed().unwrap().kind, ErrorKind::UpstreamTruncated);
    assert_eq!(middle.first(), First::Content);
    // In the middle, by an error of the connection.
    let mut middle = answering(true, Told::Events);
    middle.push(b"event: text\ndata: hi\n\n");
    assert!(text(&middle.break_off(&failure())).contains("late"));
    // Behind the end of the answer.
    let mut behind = answering(true, Told::Events);
    behind.push(b"event: text\ndata: hi\n\nevent: stop\ndata: x\n\n");
    assert!(text(&behind.break_off(&failure())).contains("data: End"));
    assert!(behind.failed().is_none());
    // For who is told whole.
    for streamed in [false, true] {
        let mut whole = answering(streamed, Told::Whole);
        whole.push(b"event: text\ndata: hi\n\n");
        assert!(whole.break_off(&failure()).is_empty() && whole.is_over());
        assert_eq!(whole.first(), First::Failed(failure()));
    }
}

#[test]
fn what_cannot_be_read_fails() {
    let mut stream = answering(true, Told::Events);
    let told = stream.push(b"event: text\ndata: hi\n\nevent: nonsense\ndata: x\n\n");
    assert!(text(&told).contains("hi") && text(&told).contains("nonsense is no word"));
    assert_eq!(stream.failed().unwrap().kind, ErrorKind::UpstreamFailed);
    for told in [Told::Whole, Told::Events] {
        let mut whole = answering(false, told);
        whole.push(b"broken");
        assert_eq!(whole.finish().is_empty(), told == Told::Whole);
        assert!(matches!(whole.first(), First::Failed(_)) && whole.is_over());
    }
}

#[test]
fn an_error_before_any_content_leaves_the_status_open() {
    let mut answering = answering(true, Told::Events);
    assert!(answering.push(b"event: start\ndata: a\n\nevent: ping\ndata: x\n\n").is_empty());
    assert_eq!(answering.first(), First::Nothing);
    answering.push(b"event: fail\ndata: busy\n\n");
    let First::Failed(failure) = answering.first() else { panic!("not failed") };
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Overloaded, "busy"));
}

#[test]
fn a_sign_of_life_begins_the_stream_if_there_is_anything_to_begin() {
    let mut stream = answering(true, Told::Events);
    assert_eq!(stream.ping(), ": ping\n\n");
    stream.push(b"event: start\ndata: a\n\n");
    let told = stream.ping();
    assert!(text(&told).starts_with("data: Start(") && told.ends_with(b"\n\n: ping\n\n"));
    assert_eq!(stream.ping(), ": ping\n\n");
    assert_eq!(stream.first(), First::Nothing);
    assert!(answering(true, Told::Whole).ping().is_empty());
    assert!(answering(true, Told::Array).ping().is_empty());
}

/// Google's SDK for Python takes a comment for an answer that is no JSON, and fails.
#[test]
fn geminis_callers_are_sent_nothing_in_silent_gaps() {
    let chunk =
        b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    for (to, is_silent) in Dialect::ALL.map(|it| (it, it == Dialect::Gemini)) {
        if !callers_speak(to) {
            continue;
        }
        let thread = Thread::default();
        let mut answering = Answering::new(Dialect::OpenAi, true, to, Told::Events, thread);
        for _ in 0..2 {
            assert_eq!(answering.ping().is_empty(), is_silent, "{to}");
            answering.push(chunk);
        }
    }
}

#[test]
fn an_array_is_begun_and_ended() {
    let mut array = answering(true, Told::Array);
    let told = [array.push(STREAM.as_bytes()), array.finish()].concat();
    assert!(told.starts_with(b"[Start(") && told.ends_with(b"}]"), "{}", text(&told));
    let mut broken = answering(true, Told::Array);
    assert!(broken.break_off(&failure()).ends_with(b"]"));
}

#[test]
fn a_stream_has_a_bound() {
    let mut answering = answering(true, Told::Events);
    answering.left = STREAM.len() + 10;
    let begun = answering.push(&STREAM.as_bytes()[..80]);
    assert!(!begun.is_empty() && !answering.is_over());
    let told = answering.push(&[b'x'; 1_000]);
    assert!(answering.is_over() && !told.is_empty());
    let failure = answering.failed().unwrap();
    assert!(failure.message.contains("larger than is read"), "{failure:?}");
}

#[test]
fn a_whole_answer_has_a_bound() {
    let mut answering = answering(false, Told::Whole);
    let piece = vec![b'x'; MAX_HELD];
    assert!(answering.push(&piece).is_empty() && !answering.is_over());
    answering.push(b"x");
    assert!(answering.is_over() && answering.failed().is_some());
}

#[test]
fn a_dialect_without_a_voice_is_refused_at_every_door() {
    let none: Option<&'static Voice> = None;
    for (from, to) in [(none, Some(toy::voice())), (Some(toy::voice()), none)] {
        let mut answering = Answering::by(from, true, to, Told::Events, Thread::default());
        assert!(answering.is_over() && answering.push(STREAM.as_bytes()).is_empty());
        assert_eq!(answering.failed().unwrap().kind, ErrorKind::NotSupported);
        assert!(matches!(answering.first(), First::Failed(_)));
    }
}

#[test]
fn an_answer_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Answering>();
}
