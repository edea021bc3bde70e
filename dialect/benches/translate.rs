//! What translation costs: `cargo bench -p dialect --bench translate`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use bytes::Bytes;
use dialect::{
    chat::{Call, CallInput, CallResult, Content, Part, Request, Role, Tool, ToolKind, Turn},
    json::Json,
    peek::peek_in,
    splice::{Change, splice},
    translate::{
        self, Answering, Notes, PathWords, Reading, Target, Thread, Told, callers_speak,
        providers_speak,
    },
};
use domain::catalog::{Dialect, Quirks};
use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

const ROUNDS: u32 = 1_000;
/// Events of a stream.
const EVENTS: u32 = 500;

/// What a chat begins with.
fn few_words() -> Request {
    Request {
        model: "m".to_owned(),
        instructions: vec![Part::text("You are careful, and say why.")],
        turns: vec![Turn {
            role: Role::User,
            name: None,
            parts: vec![Part::text("What is the capital of France?")],
        }],
        max_output: Some(1_024),
        stream: true,
        ..Request::default()
    }
}

/// What an agent sends in the middle of its work: a dozen tools, thirty turns.
fn agents() -> Request {
    let schema = r#"{"type":"object","properties":{"path":{"type":"string","description":"Where to look, from the root of the project"},"lines":{"type":"array","items":{"type":"integer"}}},"required":["path"]}"#;
    let tool = |number| Tool {
        name: format!("tool_{number}"),
        namespace: None,
        description: Some("Reads a file and gives the lines that were asked for. ".repeat(8)),
        kind: ToolKind::Function { schema: Json::parse(schema), strict: None },
        cache: None,
    };
    let turn = |role, content| Turn { role, name: None, parts: vec![Part::new(content)] };
    let mut turns = vec![Turn {
        role: Role::User,
        name: None,
        parts: vec![Part::text("Mend the failing test, please. ".repeat(20))],
    }];
    for number in 0..15 {
        turns.push(turn(
            Role::Assistant,
            Content::Call(Call {
                id: format!("call_{number}"),
                name: "tool_3".to_owned(),
                namespace: None,
                input: CallInput::Json(
                    Json::parse(r#"{"path":"src/lib.rs","lines":[1,200]}"#).unwrap(),
                ),
                opaque: None,
            }),
        ));
        turns.push(turn(
            Role::User,
            Content::Result(CallResult {
                call: format!("call_{number}"),
                name: None,
                parts: vec![Part::text("fn main() { println!(\"hello\"); }\n".repeat(60))],
                failed: false,
                custom: false,
            }),
        ));
    }
    Request {
        model: "m".to_owned(),
        instructions: vec![Part::text("You are careful, and say why. ".repeat(100))],
        turns,
        tools: (0..12).map(tool).collect(),
        max_output: Some(4_096),
        stream: true,
        ..Request::default()
    }
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

fn path(dialect: Dialect) -> PathWords<'static> {
    match dialect {
        Dialect::Gemini => PathWords { model: Some("m"), stream: Some(true) },
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Bedrock => {
            PathWords::default()
        }
    }
}

fn thread() -> Thread {
    Thread { request: "req_1".to_owned(), alias: "m".to_owned(), ..Thread::default() }
}

/// A stream of text as OpenAI tells it.
fn stream_of_openai() -> Vec<u8> {
    let mut stream = String::new();
    let mut chunk = |delta: &str, reason: &str| {
        writeln!(
            stream,
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\
             \"created\":1700000000,\"model\":\"gpt\",\"choices\":[{{\"index\":0,\
             \"delta\":{delta},\"finish_reason\":{reason}}}]}}\n"
        )
        .unwrap();
    };
    chunk("{\"role\":\"assistant\",\"content\":\"\"}", "null");
    (0..EVENTS).for_each(|_| chunk("{\"content\":\" word\"}", "null"));
    chunk("{}", "\"stop\"");
    stream.push_str("data: [DONE]\n\n");
    stream.into_bytes()
}

/// The same stream as another dialect tells it.
fn stream(dialect: Dialect) -> Vec<u8> {
    let mut answering = Answering::new(Dialect::OpenAi, true, dialect, Told::Events, thread());
    let told = [answering.push(&stream_of_openai()), answering.finish()].concat();
    assert!(answering.failed().is_none(), "{:?}", answering.failed());
    told
}

/// The best of five, for each round, and how often it asks for memory.
fn per_round(rounds: u32, mut round: impl FnMut()) -> (Duration, u64) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        (0..rounds).for_each(|_| round());
        best = best.min(began.elapsed());
    }
    let counted = allocation_counter::measure(|| (0..rounds).for_each(|_| round()));
    (best / rounds, counted.count_total / u64::from(rounds))
}

fn micros(it: Duration) -> f64 {
    it.as_nanos() as f64 / 1_000.0
}

/// What a request costs from `from` to `to`: of a few words, and of an agent at work.
fn requests(from: Dialect, to: Dialect) {
    for (what, request) in [("few words", few_words()), ("an agent's", agents())] {
        let reading =
            Reading { dialect: from, request, notes: Notes::default(), completion: false };
        let body = reading.write(&target(from), "req_1", 0).unwrap().body;
        let target = target(to);
        let (took, asked) = per_round(ROUNDS, || {
            let reading = translate::read(from, black_box(&body), path(from)).unwrap();
            black_box(reading.write(&target, "req_1", 0).unwrap());
        });
        println!(
            "{:>16} to {:<16} {:7.1} µs, {asked:5} allocations  a request, {what}, {} bytes",
            from.as_str(),
            to.as_str(),
            micros(took),
            body.len(),
        );
    }
}

/// What the events of a stream cost, each of which comes alone.
fn events(from: Dialect, to: Dialect) {
    let stream = stream(from);
    let ends: Vec<_> = memchr::memmem::find_iter(&stream, b"\n\n").map(|it| it + 2).collect();
    let begins = [0].into_iter().chain(ends.iter().copied());
    let events: Vec<_> = begins.zip(&ends).map(|(from, to)| &stream[from..*to]).collect();
    let through = |events: &[&[u8]], is_end: bool| {
        let mut answering = Answering::new(from, true, to, Told::Events, thread());
        for event in events {
            black_box(answering.push(black_box(event)));
        }
        if is_end {
            black_box(answering.finish());
        }
    };
    let (all, asked) = per_round(ROUNDS / 10, || through(&events, true));
    let (first, _) = per_round(ROUNDS, || through(&events[..2], false));
    let count = events.len() as f64;
    println!(
        "{:>16} to {:<16} {:7.2} µs, {:5.1} allocations  an event; {:.1} µs to the first word",
        from.as_str(),
        to.as_str(),
        micros(all) / count,
        asked as f64 / count,
        micros(first),
    );
}

/// What the same dialect costs: to look at a large body, and to change its model.
fn own() {
    let words = "Mend the failing test, please. ".repeat(100 * 1_024 / 31);
    let body = format!(
        r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{words}"}}]}}"#
    );
    let body = Bytes::from(body);
    let change = Change { model: "upstream-model", ask_usage: true, output_cap: None };
    let (took, asked) = per_round(ROUNDS, || {
        let peek = peek_in(Dialect::OpenAi, black_box(&body), None).unwrap();
        black_box(splice(&body, &peek, change));
    });
    let (took, size) = (micros(took), body.len());
    println!("the same dialect: {took:.1} µs, {asked} allocations  a request of {size} bytes");
}

fn main() {
    own();
    let spoken = |it: &Dialect| callers_speak(*it) && providers_speak(*it);
    let all: Vec<_> = Dialect::ALL.into_iter().filter(spoken).collect();
    for from in &all {
        for to in all.iter().filter(|it| *it != from) {
            requests(*from, *to);
            events(*from, *to);
        }
    }
}
