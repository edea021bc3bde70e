//! Anthropic's messages, as its SDKs and Claude Code send and read them.

use super::{Ask, Call, Said, Turn, Used, arguments, array_at, number_at, said_only, text_at};
use crate::caller::Event;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

pub(super) fn body(ask: &Ask) -> Value {
    let messages: Vec<Value> = ask.turns.iter().map(message).collect();
    let tools = ask.tools.iter().map(|it| json!({"name": it.name, "input_schema": it.schema}));
    let tools: Vec<Value> = tools.collect();
    said_only(json!({
        "model": ask.model, "max_tokens": 4000, "system": ask.system, "messages": messages,
        "tools": (!tools.is_empty()).then_some(tools),
        "output_config":
            ask.shape.as_ref().map(|it| json!({"format": {"type": "json_schema", "schema": it}})),
        "thinking": ask.thinks.then(|| {
            json!({"type": "enabled", "budget_tokens": 1024, "display": "summarized"})
        }),
        "stream": ask.stream.then_some(true),
    }))
}

fn message(turn: &Turn) -> Value {
    match turn {
        Turn::User(text) => json!({"role": "user", "content": text}),
        Turn::Picture(text, kind, data) => json!({"role": "user", "content": [
            {"type": "text", "text": text},
            {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}},
        ]}),
        Turn::Model(turn) => json!({"role": "assistant", "content": turn}),
        Turn::Results(results) => {
            let results = results.iter().map(|(call, text)| {
                json!({"type": "tool_result", "tool_use_id": call.id, "content": text})
            });
            json!({"role": "user", "content": results.collect::<Vec<_>>()})
        }
    }
}

pub(super) fn read(body: &Value) -> Result<Said> {
    text_at(body, "id")?;
    ensure!(body["type"] == "message" && body["role"] == "assistant", "it is a {}", body["type"]);
    ensure!(body.get("stop_sequence").is_some(), "no `stop_sequence`");
    let usage = &body["usage"];
    let cached = number_at(usage, "cache_read_input_tokens")?;
    let written = number_at(usage, "cache_creation_input_tokens")?;
    let mut said = Said {
        end: text_at(body, "stop_reason")?.to_owned(),
        used: Used {
            input: number_at(usage, "input_tokens")? + cached + written,
            cached,
            output: number_at(usage, "output_tokens")?,
        },
        turn: body["content"].clone(),
        ..Said::default()
    };
    for block in array_at(body, "content")? {
        match text_at(block, "type")? {
            "text" => said.text.push_str(text_at(block, "text")?),
            "thinking" => {
                text_at(block, "signature")?;
                said.thought.push_str(text_at(block, "thinking")?);
            }
            "redacted_thinking" => drop(text_at(block, "data")?),
            "tool_use" => {
                ensure!(block["input"].is_object(), "{block}");
                said.calls.push(Call {
                    id: text_at(block, "id")?.to_owned(),
                    name: text_at(block, "name")?.to_owned(),
                    arguments: block["input"].clone(),
                });
            }
            other => bail!("a block of type {other}"),
        }
    }
    Ok(said)
}

/// The events put together, one block after the other.
pub(super) fn whole(events: &[Event]) -> Result<Value> {
    let mut message = Value::Null;
    let mut blocks: Vec<Value> = Vec::new();
    let (mut open, mut over) = (None::<String>, false);
    for event in events {
        let data = event.json();
        let kind = text_at(&data, "type")?;
        ensure!(event.name == kind, "event {kind} is called {}", event.name);
        ensure!(!over, "{kind} after the end");
        ensure!(
            kind == "ping" || message.is_null() == (kind == "message_start"),
            "{kind} too early"
        );
        match kind {
            "message_start" => message = data["message"].clone(),
            "content_block_start" => {
                ensure!(open.is_none(), "a block begins in another");
                ensure!(number_at(&data, "index")? == blocks.len() as u64, "{data}");
                blocks.push(data["content_block"].clone());
                open = Some(String::new());
            }
            "content_block_delta" => {
                ensure!(number_at(&data, "index")? + 1 == blocks.len() as u64, "{data}");
                let block = blocks.last_mut().context("a delta of no block")?;
                add(block, open.as_mut().context("a delta of no block")?, &data["delta"])?;
            }
            "content_block_stop" => {
                let told = open.take().context("a block ends that did not begin")?;
                let block = blocks.last_mut().context("no block")?;
                if block["type"] == "tool_use" && !told.is_empty() {
                    block["input"] = arguments(&told)?;
                }
            }
            "message_delta" => {
                ensure!(open.is_none(), "the message ends in a block");
                take(&mut message, &data["delta"])?;
                take(&mut message["usage"], &data["usage"])?;
            }
            "message_stop" => over = true,
            "ping" => {}
            "error" => bail!("an error: {data}"),
            other => bail!("an event of type {other}"),
        }
    }
    ensure!(over, "the stream ends before the message does");
    message["content"] = Value::from(blocks);
    Ok(message)
}

fn take(to: &mut Value, from: &Value) -> Result<()> {
    for (name, value) in from.as_object().context("no object")? {
        to[name] = value.clone();
    }
    Ok(())
}

fn add(block: &mut Value, told: &mut String, delta: &Value) -> Result<()> {
    let field = match text_at(delta, "type")? {
        "text_delta" => "text",
        "thinking_delta" => "thinking",
        "signature_delta" => "signature",
        "input_json_delta" => {
            ensure!(block["type"] == "tool_use", "{delta} in {block}");
            told.push_str(text_at(delta, "partial_json")?);
            return Ok(());
        }
        other => bail!("a delta of type {other}"),
    };
    let before = text_at(block, field)?;
    block[field] = json!(format!("{before}{}", text_at(delta, field)?));
    Ok(())
}
