//! What is asked and answered well.

use super::{Pair, every_pair};
use anyhow::{Context, Result, ensure};
use e2e::{
    demo::{reply::THOUGHT, strict},
    speak::{Ask, Call, Said, Speech, Tool, Turn},
};
use serde_json::{Value, json};

/// A pixel.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

fn tool(name: &str) -> Tool {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["city", "days"],
        "properties": {"city": {"type": "string", "description": "Where"}, "days": {"type": "integer"}},
    });
    Tool { name: name.to_owned(), schema }
}

fn is_own(pair: &Pair<'_>) -> bool {
    pair.from == pair.to
}

async fn text(pair: &Pair<'_>, stream: bool) -> Result<()> {
    let said = pair.ask(&Ask::new(&pair.model("cached"), "hello there").streamed(stream)).await?;
    let expected = "This is gemini-3-cached of the demo provider. You said: hello there";
    ensure!(said.text == expected, "the text is `{}`", said.text);
    ensure!(said.end == pair.from.ends()[0], "it ends with {}", said.end);
    ensure!(said.used.cached == 2, "{:?}", said.used);
    Ok(())
}

/// Bug 1 and bug 24 of the list: usage was missing or counted twice.
#[tokio::test]
async fn texts_and_what_they_used() {
    every_pair("text", async |pair| {
        text(pair, false).await.context("whole")?;
        text(pair, true).await.context("streamed")
    })
    .await;
}

/// Bug 16 of the list: pictures of callers were dropped.
#[tokio::test]
async fn what_the_system_says_and_pictures() {
    every_pair("system and picture", async |pair| {
        for stream in [false, true] {
            let turn = Turn::Picture("look".to_owned(), "image/png", PICTURE.to_owned());
            let ask = Ask {
                system: Some("Only ever speak of rivers.".to_owned()),
                turns: vec![turn],
                ..Ask::new(&pair.model("plain"), "").streamed(stream)
            };
            let said = pair.ask(&ask).await?;
            ensure!(said.text.ends_with("You said: look"), "the text is `{}`", said.text);
            let told = pair.told().await?;
            for part in ["Only ever speak of rivers.", PICTURE, "image/png"] {
                ensure!(told.contains(part), "`{part}` was not told: {told}");
            }
        }
        Ok(())
    })
    .await;
}

/// Two rounds: the model calls, is told the results, and says them.
async fn rounds(pair: &Pair<'_>, ask: &Ask, calls: &[&str]) -> Result<[Said; 2]> {
    let first = pair.ask(ask).await.context("first round")?;
    ensure!(first.end == pair.from.ends()[1], "it ends with {}", first.end);
    let names: Vec<&str> = first.calls.iter().map(|it| it.name.as_str()).collect();
    ensure!(names == calls, "called were {names:?}");
    let arguments = json!({"city": "Paris", "days": 1});
    ensure!(first.calls.iter().all(|it| it.arguments == arguments), "{:?}", first.calls);
    let mut ids: Vec<&str> = first.calls.iter().map(|it| it.id.as_str()).collect();
    ids.dedup();
    let ids_matter = pair.from != Speech::Gemini;
    ensure!(!ids_matter || ids.len() == calls.len(), "calls have the same id: {ids:?}");
    let result = |(at, call): (usize, &Call)| (call.clone(), format!("result {at}"));
    let mut second = ask.clone();
    second.turns.push(Turn::Model(first.turn.clone()));
    second.turns.push(Turn::Results(first.calls.iter().enumerate().map(result).collect()));
    let told = pair.ask(&second).await.context("second round")?;
    let results: Vec<String> = (0..calls.len()).map(|it| format!("result {it}")).collect();
    let expected = format!("The tool says: {}", results.join("; "));
    ensure!(told.text == expected, "the text is `{}`", told.text);
    Ok([first, told])
}

/// Bug 2 and bug 19 of the list: parallel calls were merged, their results without names.
#[tokio::test]
async fn parallel_calls_and_their_results() {
    every_pair("tools", async |pair| {
        for stream in [false, true] {
            let ask = Ask {
                tools: vec![tool("look_outside"), tool("ask_neighbour")],
                ..Ask::new(&pair.model("parallel"), "How is the weather?").streamed(stream)
            };
            let what = if stream { "streamed" } else { "whole" };
            rounds(pair, &ask, &["look_outside", "ask_neighbour"]).await.context(what)?;
        }
        Ok(())
    })
    .await;
}

/// The field that names a tool to be called.
fn named(from: Speech, name: &str) -> (&'static str, Value) {
    match from {
        Speech::OpenAi => ("tool_choice", json!({"type": "function", "function": {"name": name}})),
        Speech::Responses => ("tool_choice", json!({"type": "function", "name": name})),
        Speech::Anthropic => ("tool_choice", json!({"type": "tool", "name": name})),
        Speech::Gemini => (
            "toolConfig",
            json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}}),
        ),
    }
}

/// Bug 15 of the list: the choice was lost.
#[tokio::test]
async fn a_tool_that_has_to_be_called() {
    every_pair("tool choice", async |pair| {
        let mut ask = Ask {
            tools: vec![tool("look_outside"), tool("ask_neighbour")],
            ..Ask::new(&pair.model("plain"), "hello")
        };
        let (field, choice) = named(pair.from, "ask_neighbour");
        ask.more.insert(field.to_owned(), choice);
        let said = pair.ask(&ask).await?;
        ensure!(said.calls.len() == 1 && said.calls[0].name == "ask_neighbour", "{said:?}");
        Ok(())
    })
    .await;
}

/// Bug 42 of the list: the tool that stands for the shape was shown to the caller.
#[tokio::test]
async fn answers_in_a_shape() {
    every_pair("shape", async |pair| {
        for stream in [false, true] {
            let ask = Ask {
                shape: Some(tool("any").schema),
                ..Ask::new(&pair.model("plain"), "hello").streamed(stream)
            };
            let said = pair.ask(&ask).await?;
            let found: Value = serde_json::from_str(&said.text).context(said.text)?;
            ensure!(found == json!({"city": "Paris", "days": 1}), "{found}");
            ensure!(said.calls.is_empty() && said.end == pair.from.ends()[0], "{}", said.end);
        }
        Ok(())
    })
    .await;
}

/// The state that a provider gives with its thoughts and wants back.
const fn state(to: Speech) -> Option<&'static str> {
    match to {
        // Chat completions know of none.
        Speech::OpenAi => None,
        Speech::Responses => Some(strict::responses::STATE),
        Speech::Anthropic => Some(strict::anthropic::SIGNATURE),
        Speech::Gemini => Some(strict::gemini::SIGNATURE),
    }
}

/// Bug 10 and bug 13 of the list: states of thoughts did not come back.
#[tokio::test]
async fn thoughts_and_their_state_over_two_rounds() {
    every_pair("thoughts", async |pair| {
        if is_own(pair) && pair.to == Speech::OpenAi {
            // The API knows of no thoughts, and refuses them.
            return Ok(());
        }
        for stream in [false, true] {
            let what = if stream { "streamed" } else { "whole" };
            let mut ask = Ask {
                tools: vec![tool("look_outside")],
                thinks: true,
                ..Ask::new(&pair.model("thinks"), "How is the weather?").streamed(stream)
            };
            if pair.from == Speech::OpenAi {
                // Aggregators' word for it.
                ask.more.insert("include_reasoning".to_owned(), json!(true));
            }
            let [first, _] = rounds(pair, &ask, &["look_outside"]).await.context(what)?;
            ensure!(first.thought == THOUGHT, "{what}: thought was `{}`", first.thought);
            if let Some(state) = state(pair.to) {
                let told = pair.told().await?;
                ensure!(told.contains(state), "{what}: {state} did not come back: {told}");
            }
        }
        Ok(())
    })
    .await;
}
