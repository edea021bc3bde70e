//! What all dialects can say goes from one to another and back without a loss.
//!
//! A request that is written in one dialect, read, written in another and read again is
//! the same request, for every two dialects that callers and providers speak.
#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use dialect::{
    chat::{
        Call, CallInput, CallResult, Content, Format, Image, Part, Request, Role, Sampling, Source,
        Tool, ToolChoice, ToolKind, Turn,
    },
    json::Json,
    translate::{self, Notes, PathWords, Reading, Target, callers_speak, providers_speak},
};
use domain::catalog::{Dialect, Quirk, Quirks};
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Of what only some dialects can say, what both of two dialects can.
#[derive(Debug, Clone, Copy)]
struct Shared {
    /// Texts upon which an answer ends.
    stop: bool,
    /// Whether schemas are kept to the letter, whether calls may be parallel, and who the
    /// user is.
    but_gemini: bool,
}

impl Shared {
    fn of(dialects: [Dialect; 2]) -> Self {
        Self {
            stop: !dialects.contains(&Dialect::OpenAiResponses),
            but_gemini: !dialects.contains(&Dialect::Gemini),
        }
    }
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z]{1,6}( [a-z\"\\\\/{}]{1,4}){0,3}", "[é你\u{1f600}]{1,3}\n[<&>]{1,2}"]
}

fn schema() -> impl Strategy<Value = Json> {
    let field = prop_oneof![
        Just(r#"{"type":"string"}"#),
        Just(r#"{"type":["integer","null"],"exclusiveMinimum":1.50}"#),
        Just(r##"{"anyOf":[{"$ref":"#/$defs/x"},{"const":"k"}]}"##),
    ];
    field.prop_map(|field| {
        let text = format!(
            r#"{{"type":"object","properties":{{"z":{field},"a":{{}}}},"required":["z"],"additionalProperties":false}}"#
        );
        Json::parse(&text).unwrap()
    })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    prop::collection::btree_map("[a-z][a-z_]{0,9}", (words(), schema(), any::<bool>()), 1..4)
        .prop_map(|tools| {
            let tool = |(name, (description, schema, strict))| Tool {
                name,
                namespace: None,
                description: Some(description),
                kind: ToolKind::Function { schema: Some(schema), strict: Some(strict) },
                cache: None,
            };
            tools.into_iter().map(tool).collect()
        })
}

/// A picture of one dot; only its beginning counts.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn of_user() -> impl Strategy<Value = Part> {
    let picture = Source::Base64 { mime: "image/png".to_owned(), data: PICTURE.to_owned() };
    let picture = Content::Image(Image { source: picture, detail: None });
    prop_oneof![4 => words().prop_map(Part::text), 1 => Just(Part::new(picture))]
}

/// What the user says; what the model says to it, its calls with the tool's number, their
/// inputs and results.
type Round = (Vec<Part>, Option<String>, Vec<(prop::sample::Index, String, String)>);

fn round() -> impl Strategy<Value = Round> {
    let call = (any::<prop::sample::Index>(), words(), words());
    (
        prop::collection::vec(of_user(), 1..3),
        prop::option::of(words()),
        prop::collection::vec(call, 0..3),
    )
}

fn turns(rounds: Vec<Round>, last: String, tools: &[Tool]) -> Vec<Turn> {
    let turn = |role, parts| Turn { role, name: None, parts };
    let mut turns = Vec::new();
    let mut waiting: Vec<Part> = Vec::new();
    let mut count = 0;
    for (user, text, calls) in rounds {
        // Results come before what else the user says.
        turns.push(turn(Role::User, waiting.drain(..).chain(user).collect()));
        let mut said: Vec<_> = text.into_iter().map(Part::text).collect();
        for (tool, input, output) in calls {
            count += 1;
            let id = format!("call_{count}");
            let input = serde_json::json!({ "z": input, "a": [1, null] });
            said.push(Part::new(Content::Call(Call {
                id: id.clone(),
                name: tool.get(tools).name.clone(),
                namespace: None,
                input: CallInput::Json(Json::of(&input)),
                opaque: None,
            })));
            waiting.push(Part::new(Content::Result(CallResult {
                call: id,
                name: None,
                parts: vec![Part::text(output)],
                failed: false,
                custom: false,
            })));
        }
        if said.is_empty() {
            said.push(Part::text("so"));
        }
        turns.push(turn(Role::Assistant, said));
    }
    waiting.push(Part::text(last));
    turns.push(turn(Role::User, waiting));
    turns
}

fn choice(tools: &[Tool]) -> impl Strategy<Value = Option<ToolChoice>> + use<> {
    let one = ToolChoice::One { name: tools[0].name.clone() };
    prop_oneof![
        Just(None),
        Just(Some(ToolChoice::Auto)),
        Just(Some(ToolChoice::None)),
        Just(Some(ToolChoice::Required)),
        Just(Some(one)),
    ]
}

fn form() -> impl Strategy<Value = Option<Format>> {
    prop::option::of(schema().prop_map(|schema| Format::Schema {
        name: None,
        description: None,
        schema,
        strict: None,
    }))
}

fn request(shared: Shared) -> impl Strategy<Value = Request> {
    let talk = tools().prop_flat_map(|tools| {
        let choice = choice(&tools);
        (Just(tools), choice, prop::collection::vec(round(), 0..3), words())
    });
    let options = (
        prop::collection::vec(words(), 0..3),
        prop::option::of(0..=100u32),
        16..100_000u64,
        prop::collection::vec("[A-Z#]{1,5}", 0..4),
        prop::option::of("[a-z0-9_-]{1,64}"),
        prop::option::of(any::<bool>()),
        any::<bool>(),
        form(),
    );
    (talk, options).prop_map(move |((tools, tool_choice, rounds, last), options)| {
        let (instructions, temperature, max_output, stop, user, parallel_calls, stream, format) =
            options;
        let may_call = !matches!(tool_choice, Some(ToolChoice::None));
        Request {
            model: "m".to_owned(),
            instructions: instructions.into_iter().map(Part::text).collect(),
            turns: turns(rounds, last, &tools),
            tools,
            tool_choice,
            parallel_calls: parallel_calls.filter(|_| shared.but_gemini && may_call),
            sampling: Sampling {
                temperature: temperature.map(|it| f64::from(it) / 100.0),
                stop: if shared.stop { stop } else { Vec::new() },
                ..Sampling::default()
            },
            max_output: Some(max_output),
            format,
            stream,
            user: user.filter(|_| shared.but_gemini),
            ..Request::default()
        }
    })
}

/// The body of a request in this dialect.
fn written(dialect: Dialect, request: &Request) -> Bytes {
    let target = Target {
        dialect,
        model: "m",
        quirks: Quirks::NONE.with(Quirk::DeveloperRole).with(Quirk::CustomTools),
        output_cap_field: "max_completion_tokens",
        max_output: None,
        output_cap: None,
    };
    let reading =
        Reading { dialect, request: request.clone(), notes: Notes::default(), completion: false };
    reading.write(&target, "req_1", 0).unwrap().body
}

/// Writes and reads a request once.
fn by_way_of(dialect: Dialect, request: &Request) -> Request {
    let body = written(dialect, request);
    let path = match dialect {
        Dialect::Gemini => PathWords { model: Some("m"), stream: Some(request.stream) },
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Bedrock => {
            PathWords::default()
        }
    };
    translate::read(dialect, &body, path).unwrap().request
}

/// Without what dialects say each in their own way: where turns of one role end, texts
/// behind each other, names of tools beside their results, and what is meant unsaid.
fn plain(request: Request, shared: Shared) -> Request {
    let mut plain = Request { echo: Vec::new(), stream_usage: false, store: None, ..request };
    plain.parallel_calls = plain.parallel_calls.filter(|it| !it);
    plain.tool_choice = plain.tool_choice.filter(|it| *it != ToolChoice::Auto);
    let mut turns: Vec<Turn> = Vec::new();
    for turn in plain.turns {
        match turns.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            Some(_) | None => turns.push(turn),
        }
    }
    turns.iter_mut().for_each(|it| join(&mut it.parts));
    join(&mut plain.instructions);
    for part in turns.iter_mut().flat_map(|it| &mut it.parts) {
        if let Content::Result(result) = &mut part.content {
            result.name = None;
        }
        if let Content::Call(call) = &mut part.content {
            call.opaque = None;
        }
    }
    for tool in &mut plain.tools {
        if let ToolKind::Function { strict, .. } = &mut tool.kind {
            // Not to the letter is what most do unasked, and Gemini always.
            *strict = strict.filter(|it| *it && shared.but_gemini);
        }
    }
    if let Some(Format::Schema { name, strict, .. }) = &mut plain.format {
        (*name, *strict) = (None, None);
    }
    Request { turns, ..plain }
}

/// Makes one text of those that stand behind each other, as many servers want them.
fn join(parts: &mut Vec<Part>) {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts.drain(..) {
        match (joined.last().and_then(Part::as_text), part.as_text()) {
            (Some(before), Some(text)) => {
                let both = Part::text(format!("{before}\n\n{text}"));
                joined.pop();
                joined.push(both);
            }
            (_, _) => joined.push(part),
        }
    }
    *parts = joined;
}

#[track_caller]
fn check(dialects: [Dialect; 2], request: Request) -> Result<(), TestCaseError> {
    let shared = Shared::of(dialects);
    let there = by_way_of(dialects[0], &request);
    let back = by_way_of(dialects[1], &there);
    let expected = plain(request, shared);
    for (it, way) in [(there, &dialects[..1]), (back, &dialects[..])] {
        let it = plain(it, shared);
        prop_assert!(it == expected, "by way of {:?}:\n{}", way, difference(&expected, &it));
    }
    Ok(())
}

/// The first lines that differ.
fn difference(old: &Request, new: &Request) -> String {
    let (old, new) = (format!("{old:#?}"), format!("{new:#?}"));
    let lines = old.lines().zip(new.lines()).skip_while(|(old, new)| old == new);
    lines.take(5).map(|(old, new)| format!("- {old}\n+ {new}\n")).collect()
}

fn spoken() -> Vec<[Dialect; 2]> {
    let all = Dialect::ALL.into_iter().filter(|it| callers_speak(*it) && providers_speak(*it));
    let all: Vec<_> = all.collect();
    all.iter().flat_map(|a| all.iter().map(move |b| [*a, *b])).collect()
}

/// Checks requests of every two dialects; all that fail are named at once.
fn every_two(check: impl Fn([Dialect; 2], Request) -> Result<(), TestCaseError>) {
    let failed: Vec<_> = spoken()
        .into_iter()
        .filter_map(|dialects| {
            let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
                cases: 64,
                max_shrink_iters: 10_000,
                failure_persistence: None,
                ..ProptestConfig::default()
            });
            let done = runner.run(&request(Shared::of(dialects)), |it| check(dialects, it));
            done.err().map(|error| format!("{dialects:?}: {error}"))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn what_all_can_say_comes_back_as_it_was() {
    every_two(check);
}

/// Bug 34 of the list: what had been said before was told in other bytes in the next round,
/// and providers' caches did not know the prompt again.
#[test]
fn bug_34_a_longer_conversation_begins_with_the_same_bytes() {
    every_two(|[from, to], longer| {
        let mut shorter = longer.clone();
        // The model's last turn and what came upon it had not been said yet.
        shorter.turns.truncate(longer.turns.len().saturating_sub(2).max(1));
        let fields = |request: &Request| -> BTreeMap<String, Box<RawValue>> {
            let body = written(to, &by_way_of(from, request));
            serde_json::from_slice(&body).unwrap()
        };
        let (before, after) = (fields(&shorter), fields(&longer));
        prop_assert!(before.keys().eq(after.keys()));
        for (name, before) in before {
            let (before, after) = (before.get(), after[&name].get());
            if ["messages", "input", "contents"].contains(&name.as_str()) {
                let open = before.strip_suffix(']').unwrap();
                prop_assert!(after.starts_with(open), "{name}:\n{before}\n{after}");
            } else {
                prop_assert_eq!(before, after);
            }
        }
        Ok(())
    });
}
