//! What translation costs: `cargo bench -p dialect --bench translate`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use dialect::{
    chat::{Call, CallInput, CallResult, Content, Part, Request, Role, Tool, ToolKind, Turn},
    json::Json,
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

/// What an agent sends in the middle of its work: a dozen tools, thirty turns.
fn request() -> Request {
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

/// The best of five, for each round.
fn per_round(rounds: u32, mut round: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        (0..rounds).for_each(|_| round());
        best = best.min(began.elapsed());
    }
    best / rounds
}

fn main() {
    let spoken = |it: &Dialect| callers_speak(*it) && providers_speak(*it);
    let all: Vec<_> = Dialect::ALL.into_iter().filter(spoken).collect();
    if all.is_empty() {
        println!("no dialect is spoken on both sides");
    }
    for from in &all {
        let reading = Reading {
            dialect: *from,
            request: request(),
            notes: Notes::default(),
            completion: false,
        };
        let body = reading.write(&target(*from), "req_1", 0).unwrap().body;
        let stream = stream(*from);
        for to in all.iter().filter(|it| *it != from) {
            let target = target(*to);
            let asked = per_round(ROUNDS / 10, || {
                let reading = translate::read(*from, black_box(&body), path(*from)).unwrap();
                black_box(reading.write(&target, "req_1", 0).unwrap());
            });
            // Each event comes alone, as from a provider who writes as fast as it thinks.
            let ends: Vec<_> =
                memchr::memmem::find_iter(&stream, b"\n\n").map(|it| it + 2).collect();
            let begins = [0].into_iter().chain(ends.iter().copied());
            let events: Vec<_> = begins.zip(&ends).map(|(from, to)| &stream[from..*to]).collect();
            let told = per_round(ROUNDS / 10, || {
                let mut answering = Answering::new(*from, true, *to, Told::Events, thread());
                for event in &events {
                    black_box(answering.push(black_box(event)));
                }
                black_box(answering.finish());
            });
            let each = told.as_nanos() as f64 / events.len() as f64;
            let micros = asked.as_nanos() as f64 / 1_000.0;
            let size = body.len() / 1_024;
            println!(
                "{:>16} to {:<16} {micros:7.0} µs a request of {size} KiB, {each:6.0} ns an event",
                from.as_str(),
                to.as_str(),
            );
        }
    }
}
