//! The official SDKs, for Python and for Node, with models that speak another dialect than
//! their own.
#![expect(clippy::unwrap_used, reason = "tests")]

use anyhow::Result;
use e2e::{crossing, sdk, speak::Speech};
use serde_json::{Value, json};
use std::process::Command;

/// What a program has to see of one provider, by the ways in which it may be wrong.
fn faults(from: Speech, to: Speech, seen: &Value) -> Vec<String> {
    let label = |what: &str| format!("{} → {}: {what}", from.name(), to.name());
    let mut faults: Vec<String> = expected(from, to)
        .into_iter()
        .filter(|(what, expected)| seen[*what] != *expected)
        .map(|(what, expected)| format!("{}: {}, not {expected}", label(what), seen[what]))
        .collect();
    for name in ["400", "404", "429", "503"] {
        let status = match (from, name) {
            (Speech::Anthropic, "503") if to != Speech::Anthropic => 529,
            (_, name) => name.parse().unwrap(),
        };
        let error = &seen["errors"][name];
        if error[1] != status {
            faults.push(format!("{}: {error}", label(name)));
        }
    }
    for name in ["late", "reset"] {
        let broken = seen["broken"][name].as_str();
        if broken.is_none_or(|it| it == "none") {
            faults.push(format!("{}: {}", label(name), seen["broken"][name]));
        }
    }
    faults
}

/// What is answered well.
fn expected(from: Speech, to: Speech) -> Vec<(&'static str, Value)> {
    let text = "This is gemini-3-plain of the demo provider. You said: hello from the SDK";
    let [end, calling] = from.ends();
    let arguments = json!({"city": "Paris", "days": 1});
    let two = json!({
        "calls": [["look_outside", arguments], ["ask_neighbour", arguments]],
        "end": calling, "answer": "The tool says: result 0; result 1",
    });
    let one = json!({
        "calls": [["look_outside", arguments]], "end": calling,
        "answer": "The tool says: result 0",
    });
    let picture = "This is gemini-3-plain of the demo provider. You said: look";
    let mut expected = vec![
        ("text", json!(text)),
        ("stream", json!([text, text, end])),
        ("rounds", two.clone()),
        ("rounds_streamed", two),
        ("image", json!(picture)),
        ("shape", arguments),
    ];
    // OpenAI's API knows of no thoughts in chat completions, and refuses them.
    if (from, to) != (Speech::OpenAi, Speech::OpenAi) {
        expected.extend([("thinking", one.clone()), ("thinking_streamed", one)]);
    }
    expected
}

async fn check(command: Result<Command>) {
    let stack = crossing::start().await.unwrap();
    let facts = sdk::facts(&stack, command.unwrap()).await.unwrap();
    let pairs = Speech::ALL.into_iter().flat_map(|it| Speech::ALL.map(|other| (it, other)));
    let faults: Vec<String> =
        pairs.flat_map(|(from, to)| faults(from, to, &facts[from.name()][to.name()])).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn pythons_sdks_are_served_by_every_dialect() {
    check(sdk::python("crossing.py")).await;
}

#[tokio::test]
async fn nodes_sdks_are_served_by_every_dialect() {
    check(sdk::node("crossing.mjs")).await;
}
