//! OpenAI's chat completions, as its SDKs send and read them.

use super::{
    Ask, Call, Said, Turn, Used, arguments, array_at, data_url, number_at, said_only, text_at,
};
use crate::caller::Event;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

pub(super) fn body(ask: &Ask) -> Value {
    let system = ask.system.iter().map(|it| json!({"role": "system", "content": it}));
    let messages: Vec<Value> = system.chain(ask.turns.iter().flat_map(messages)).collect();
    let tools = ask.tools.iter().map(
        |it| json!({"type": "function", "function": {"name": it.name, "parameters": it.schema}}),
    );
    let tools: Vec<Value> = tools.collect();
    let format = ask.shape.as_ref().map(|it| {
        json!({"type": "json_schema", "json_schema": {"name": "shape", "schema": it, "strict": true}})
    });
    said_only(json!({
        "model": ask.model, "messages": messages,
        "tools": (!tools.is_empty()).then_some(tools), "response_format": format,
        "reasoning_effort": ask.thinks.then_some("low"), "stream": ask.stream.then_some(true),
        "stream_options": ask.stream.then(|| json!({"include_usage": true})),
    }))
}

fn messages(turn: &Turn) -> Vec<Value> {
    match turn {
        Turn::User(text) => vec![json!({"role": "user", "content": text})],
        Turn::Picture(text, kind, data) => vec![json!({"role": "user", "content": [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": data_url(kind, data)}},
        ]})],
        Turn::Model(turn) => vec![turn.clone()],
        Turn::Results(results) => results
            .iter()
            .map(|(call, text)| json!({"role": "tool", "tool_call_id": call.id, "content": text}))
            .collect(),
    }
}

pub(super) fn read(body: &Value) -> Result<Said> {
    text_at(body, "id")?;
    let choice = array_at(body, "choices")?.first().context("no choice")?;
    let message = &choice["message"];
    ensure!(message["role"] == "assistant", "the role is {}", message["role"]);
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|it| {
        ensure!(it["type"] == "function", "{it}");
        Ok(Call {
            id: text_at(it, "id")?.to_owned(),
            name: text_at(&it["function"], "name")?.to_owned(),
            arguments: arguments(text_at(&it["function"], "arguments")?)?,
        })
    });
    let usage = &body["usage"];
    let (input, output) =
        (number_at(usage, "prompt_tokens")?, number_at(usage, "completion_tokens")?);
    ensure!(number_at(usage, "total_tokens")? == input + output, "{usage}");
    Ok(Said {
        text: message["content"].as_str().unwrap_or_default().to_owned(),
        thought: message["reasoning_content"].as_str().unwrap_or_default().to_owned(),
        calls: calls.collect::<Result<_>>()?,
        end: text_at(choice, "finish_reason")?.to_owned(),
        used: Used {
            input,
            output,
            cached: usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        },
        turn: said_only(message.clone()),
    })
}

/// The chunks put together, as the SDK's own helper does it.
pub(super) fn whole(events: &[Event]) -> Result<Value> {
    let (done, chunks) = events.split_last().context("an empty stream")?;
    ensure!(done.data == "[DONE]", "the stream ends with {}", done.data);
    let mut message = json!({"role": null, "content": null});
    let (mut usage, mut end, mut id) = (Value::Null, Value::Null, None);
    for chunk in chunks {
        let chunk = chunk.json();
        ensure!(chunk["error"].is_null(), "an error: {chunk}");
        ensure!(chunk["object"] == "chat.completion.chunk", "{chunk}");
        let found = text_at(&chunk, "id")?.to_owned();
        ensure!(id.get_or_insert_with(|| found.clone()) == &found, "the id changes: {chunk}");
        if !chunk["usage"].is_null() {
            ensure!(array_at(&chunk, "choices")?.is_empty(), "usage beside choices: {chunk}");
            usage = chunk["usage"].clone();
        }
        for choice in array_at(&chunk, "choices")? {
            ensure!(end.is_null(), "a choice after the end: {chunk}");
            end = choice["finish_reason"].clone();
            add(&mut message, &choice["delta"])?;
        }
    }
    Ok(json!({
        "id": id, "usage": usage, "choices": [{"message": message, "finish_reason": end}],
    }))
}

fn add(message: &mut Value, delta: &Value) -> Result<()> {
    for (name, value) in delta.as_object().context("no delta")? {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("tool_calls", _) => call(message, value)?,
            (_, Value::String(text)) if name != "role" => {
                let before = message[name].as_str().unwrap_or_default();
                message[name] = json!(format!("{before}{text}"));
            }
            (_, Value::Array(more)) => {
                let mut all = message[name].as_array().cloned().unwrap_or_default();
                all.extend(more.iter().cloned());
                message[name] = Value::from(all);
            }
            _ => message[name] = value.clone(),
        }
    }
    Ok(())
}

/// A call begins with id and name at the next index; only the last one goes on.
fn call(message: &mut Value, deltas: &Value) -> Result<()> {
    for delta in deltas.as_array().context("no list of calls")? {
        let mut calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        let index = usize::try_from(number_at(delta, "index")?)?;
        if index == calls.len() {
            text_at(delta, "id")?;
            text_at(&delta["function"], "name")?;
            let mut begun = delta.clone();
            begun.as_object_mut().map(|it| it.remove("index"));
            calls.push(begun);
        } else {
            ensure!(index + 1 == calls.len(), "call {index} goes on after the next began");
            let (last, more) = (&mut calls[index]["function"], &delta["function"]["arguments"]);
            let before = text_at(last, "arguments")?;
            last["arguments"] = json!(format!("{before}{}", more.as_str().unwrap_or_default()));
        }
        message["tool_calls"] = Value::from(calls);
    }
    Ok(())
}
