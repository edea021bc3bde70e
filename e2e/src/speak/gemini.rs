//! Google's generated content, as its SDKs send and read it.

use super::{Ask, Call, Said, Turn, Used, array_at, number_at, said_only, text_at};
use crate::caller::Event;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

pub(super) fn body(ask: &Ask) -> Value {
    let contents: Vec<Value> = ask.turns.iter().map(content).collect();
    let tools =
        ask.tools.iter().map(|it| json!({"name": it.name, "parametersJsonSchema": it.schema}));
    let tools: Vec<Value> = tools.collect();
    let config = said_only(json!({
        "responseMimeType": ask.shape.as_ref().map(|_| "application/json"),
        "responseJsonSchema": ask.shape,
        "thinkingConfig":
            ask.thinks.then(|| json!({"includeThoughts": true, "thinkingBudget": 1024})),
    }));
    said_only(json!({
        "contents": contents, "generationConfig": config,
        "systemInstruction": ask.system.as_ref().map(|it| json!({"parts": [{"text": it}]})),
        "tools": (!tools.is_empty()).then(|| json!([{"functionDeclarations": tools}])),
    }))
}

fn content(turn: &Turn) -> Value {
    match turn {
        Turn::User(text) => json!({"role": "user", "parts": [{"text": text}]}),
        Turn::Picture(text, kind, data) => json!({"role": "user", "parts": [
            {"text": text}, {"inlineData": {"mimeType": kind, "data": data}},
        ]}),
        Turn::Model(turn) => turn.clone(),
        Turn::Results(results) => {
            let parts = results.iter().map(|(call, text)| {
                let id = (!call.id.is_empty()).then_some(&call.id);
                let response = json!({"id": id, "name": call.name, "response": {"output": text}});
                json!({"functionResponse": said_only(response)})
            });
            json!({"role": "user", "parts": parts.collect::<Vec<_>>()})
        }
    }
}

pub(super) fn read(body: &Value) -> Result<Said> {
    text_at(body, "responseId")?;
    let candidate = array_at(body, "candidates")?.first().context("no candidate")?;
    let usage = &body["usageMetadata"];
    let input = number_at(usage, "promptTokenCount")?;
    let seen = usage["candidatesTokenCount"].as_u64().unwrap_or(0);
    let output = seen + usage["thoughtsTokenCount"].as_u64().unwrap_or(0);
    ensure!(number_at(usage, "totalTokenCount")? == input + output, "{usage}");
    let mut said = Said {
        end: text_at(candidate, "finishReason")?.to_owned(),
        used: Used {
            input,
            output,
            cached: usage["cachedContentTokenCount"].as_u64().unwrap_or(0),
        },
        turn: candidate["content"].clone(),
        ..Said::default()
    };
    ensure!(said.turn["role"] == "model", "the role is {}", said.turn["role"]);
    for part in array_at(&candidate["content"], "parts")? {
        let call = &part["functionCall"];
        if let Some(text) = part["text"].as_str() {
            let thought = part["thought"] == true;
            if thought { &mut said.thought } else { &mut said.text }.push_str(text);
        } else if call.is_object() {
            said.calls.push(Call {
                id: call["id"].as_str().unwrap_or_default().to_owned(),
                name: text_at(call, "name")?.to_owned(),
                arguments: call["args"].clone(),
            });
        } else {
            bail!("a part like {part}");
        }
    }
    Ok(said)
}

/// The chunks' parts in one candidate.
pub(super) fn whole(events: &[Event]) -> Result<Value> {
    let mut parts = Vec::new();
    let mut last = Value::Null;
    for event in events {
        let chunk = event.json();
        ensure!(chunk["error"].is_null(), "an error: {chunk}");
        ensure!(event.name.is_empty(), "an event with the name {}", event.name);
        let id = text_at(&chunk, "responseId")?;
        ensure!(last.is_null() || last["responseId"] == id, "the id changes: {chunk}");
        ensure!(last["candidates"][0]["finishReason"].is_null(), "a chunk after the end: {chunk}");
        let content = &chunk["candidates"][0]["content"];
        parts.extend(content["parts"].as_array().into_iter().flatten().cloned());
        last = chunk;
    }
    ensure!(!last.is_null(), "an empty stream");
    last["candidates"][0]["content"] = json!({"role": "model", "parts": parts});
    Ok(last)
}
