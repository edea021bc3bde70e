//! OpenAI's responses, as its SDKs and Codex send and read them.

use super::{
    Ask, Call, Said, Turn, Used, arguments, array_at, data_url, number_at, said_only, text_at,
};
use crate::caller::Event;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

pub(super) fn body(ask: &Ask) -> Value {
    let input: Vec<Value> = ask.turns.iter().flat_map(items).collect();
    let tools = ask.tools.iter().map(
        |it| json!({"type": "function", "name": it.name, "parameters": it.schema, "strict": false}),
    );
    let tools: Vec<Value> = tools.collect();
    let format = ask.shape.as_ref().map(|it| {
        json!({"format": {"type": "json_schema", "name": "shape", "schema": it, "strict": true}})
    });
    said_only(json!({
        "model": ask.model, "instructions": ask.system, "input": input, "store": false,
        "tools": (!tools.is_empty()).then_some(tools), "text": format,
        "reasoning": ask.thinks.then(|| json!({"effort": "low", "summary": "auto"})),
        "include": ask.thinks.then(|| json!(["reasoning.encrypted_content"])),
        "stream": ask.stream.then_some(true),
    }))
}

fn items(turn: &Turn) -> Vec<Value> {
    match turn {
        Turn::User(text) => vec![json!({"role": "user", "content": text})],
        Turn::Picture(text, kind, data) => vec![json!({"role": "user", "content": [
            {"type": "input_text", "text": text},
            {"type": "input_image", "detail": "auto", "image_url": data_url(kind, data)},
        ]})],
        Turn::Model(turn) => turn.as_array().cloned().unwrap_or_default(),
        Turn::Results(results) => results
            .iter()
            .map(|(call, text)| {
                json!({"type": "function_call_output", "call_id": call.id, "output": text})
            })
            .collect(),
    }
}

/// What every response has, in the SDKs' types.
const FIELDS: [&str; 22] = [
    "id",
    "object",
    "created_at",
    "status",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "model",
    "output",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "usage",
    "metadata",
];

pub(super) fn read(body: &Value) -> Result<Said> {
    let object = body.as_object().context("no object")?;
    for field in FIELDS {
        ensure!(object.contains_key(field), "`{field}` is missing");
    }
    ensure!(body["object"] == "response", "it is a {}", body["object"]);
    let usage = &body["usage"];
    let mut said = Said {
        end: text_at(body, "status")?.to_owned(),
        used: Used {
            input: number_at(usage, "input_tokens")?,
            cached: number_at(&usage["input_tokens_details"], "cached_tokens")?,
            output: number_at(usage, "output_tokens")?,
        },
        turn: body["output"].clone(),
        ..Said::default()
    };
    number_at(&usage["output_tokens_details"], "reasoning_tokens")?;
    for item in array_at(body, "output")? {
        text_at(item, "id")?;
        match text_at(item, "type")? {
            "message" => {
                for part in array_at(item, "content")? {
                    ensure!(part["type"] == "output_text", "{part}");
                    array_at(part, "annotations")?;
                    said.text.push_str(text_at(part, "text")?);
                }
            }
            "reasoning" => {
                for part in array_at(item, "summary")? {
                    said.thought.push_str(text_at(part, "text")?);
                }
            }
            "function_call" => said.calls.push(Call {
                id: text_at(item, "call_id")?.to_owned(),
                name: text_at(item, "name")?.to_owned(),
                arguments: arguments(text_at(item, "arguments")?)?,
            }),
            other => bail!("an item of type {other}"),
        }
    }
    Ok(said)
}

/// The response that the last event brings, once what came before says the same.
pub(super) fn whole(events: &[Event]) -> Result<Value> {
    let mut done = Vec::new();
    let mut open: Option<Open> = None;
    let mut last = Value::Null;
    let events: Vec<&Event> = events.iter().filter(|it| it.data != "[DONE]").collect();
    for (at, event) in events.iter().enumerate() {
        let data = event.json();
        let kind = text_at(&data, "type")?;
        ensure!(event.name == kind, "event {} is called {}", kind, event.name);
        ensure!(number_at(&data, "sequence_number")? == at as u64, "number {at}: {data}");
        ensure!(last.is_null(), "{kind} after the end");
        match kind {
            "response.created" => ensure!(at == 0, "created at {at}"),
            "response.in_progress" => ensure!(at == 1, "in progress at {at}"),
            "response.output_item.added" => {
                ensure!(open.is_none(), "an item begins in another");
                ensure!(number_at(&data, "output_index")? == done.len() as u64, "{data}");
                open = Some(Open::new(&data["item"]));
            }
            "response.output_item.done" => {
                let open = open.take().context("an item ends that did not begin")?;
                open.close(&data["item"])?;
                done.push(data["item"].clone());
            }
            "response.completed" | "response.incomplete" => last = data["response"].clone(),
            "error" | "response.failed" => bail!("an error: {data}"),
            _ => open.as_mut().context("a piece of no item")?.piece(kind, &data)?,
        }
    }
    ensure!(!last.is_null(), "the stream ends before the response does");
    ensure!(last["output"] == Value::from(done.clone()), "{} is not {done:?}", last["output"]);
    Ok(last)
}

/// An item that is being told.
struct Open {
    id: Value,
    told: String,
}

impl Open {
    fn new(item: &Value) -> Self {
        Self { id: item["id"].clone(), told: String::new() }
    }

    fn piece(&mut self, kind: &str, data: &Value) -> Result<()> {
        ensure!(data["item_id"] == self.id, "{data} is not of {}", self.id);
        if kind.ends_with(".delta") {
            self.told.push_str(text_at(data, "delta")?);
        }
        if kind == "response.output_text.delta" {
            array_at(data, "logprobs")?;
        }
        Ok(())
    }

    fn close(&self, item: &Value) -> Result<()> {
        ensure!(item["id"] == self.id, "the item's id changes from {} to {}", self.id, item["id"]);
        let parts = [&item["content"], &item["summary"]].into_iter();
        let parts = parts.filter_map(Value::as_array).flatten();
        let mut text: String = parts.filter_map(|it| it["text"].as_str()).collect();
        text.push_str(item["arguments"].as_str().unwrap_or_default());
        ensure!(text == self.told, "told `{}`, done `{text}`", self.told);
        Ok(())
    }
}
