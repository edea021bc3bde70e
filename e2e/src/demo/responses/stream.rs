//! A response as a stream: every event of the public API, numbered.

use super::{Frame, Used};
use crate::demo::{Piece, tokens};
use bytes::Bytes;
use serde_json::{Value, json};

/// The events of one stream, written down in order.
struct Events {
    pieces: Vec<Piece>,
    said: u64,
}

impl Events {
    fn push(&mut self, kind: &str, mut event: Value) {
        event["type"] = json!(kind);
        event["sequence_number"] = json!(self.pieces.len());
        let bytes = Bytes::from(format!("event: {kind}\ndata: {event}\n\n"));
        self.pieces.push(Piece { bytes, output_tokens: self.said });
    }
}

/// Every event of the answer.
pub(super) fn pieces(frame: &Frame<'_>, items: &[Value], used: &Used) -> Vec<Piece> {
    let mut events = Events { pieces: Vec::new(), said: used.reasoning };
    let begun = frame.response("in_progress", &json!([]), None);
    events.push("response.created", json!({ "response": begun }));
    events.push("response.in_progress", json!({ "response": begun }));
    for (at, item) in items.iter().enumerate() {
        match item["type"].as_str() {
            Some("reasoning") => reasoning(&mut events, at, item),
            Some("message") => message(&mut events, at, item),
            _ => call(&mut events, at, item),
        }
    }
    if !frame.ask.behave.no_end {
        let status = frame.status();
        let whole = frame.response(status, &Value::from(items.to_vec()), Some(used));
        events.push(&format!("response.{status}"), json!({ "response": whole }));
    }
    events.pieces
}

/// An item as it begins and as it ends.
fn framed(
    events: &mut Events,
    at: usize,
    item: &Value,
    empty: (&str, Value),
    inner: impl FnOnce(&mut Events),
) {
    let mut begun = item.clone();
    begun["status"] = json!("in_progress");
    begun[empty.0] = empty.1;
    events.push("response.output_item.added", json!({"output_index": at, "item": begun}));
    inner(events);
    events.push("response.output_item.done", json!({"output_index": at, "item": item}));
}

fn reasoning(events: &mut Events, at: usize, item: &Value) {
    framed(events, at, item, ("summary", json!([])), |events| {
        for (index, part) in item["summary"].as_array().into_iter().flatten().enumerate() {
            let say = |more: Value| {
                with(
                    &more,
                    &json!({"item_id": item["id"], "output_index": at, "summary_index": index}),
                )
            };
            let text = part["text"].as_str().unwrap_or_default();
            let empty = json!({"type": "summary_text", "text": ""});
            events.push("response.reasoning_summary_part.added", say(json!({ "part": empty })));
            for piece in tokens::pieces(text) {
                events
                    .push("response.reasoning_summary_text.delta", say(json!({ "delta": piece })));
            }
            events.push("response.reasoning_summary_text.done", say(json!({ "text": text })));
            events.push("response.reasoning_summary_part.done", say(json!({ "part": part })));
        }
    });
}

fn message(events: &mut Events, at: usize, item: &Value) {
    framed(events, at, item, ("content", json!([])), |events| {
        let say = |more: Value| {
            with(&more, &json!({"item_id": item["id"], "output_index": at, "content_index": 0}))
        };
        let part = &item["content"][0];
        let text = part["text"].as_str().unwrap_or_default();
        let empty = json!({"type": "output_text", "annotations": [], "logprobs": [], "text": ""});
        events.push("response.content_part.added", say(json!({ "part": empty })));
        for piece in tokens::pieces(text) {
            events.said += 1;
            let delta = json!({"delta": piece, "logprobs": [], "obfuscation": "x7"});
            events.push("response.output_text.delta", say(delta));
        }
        let done = json!({"text": text, "logprobs": []});
        events.push("response.output_text.done", say(done));
        events.push("response.content_part.done", say(json!({ "part": part })));
    });
}

fn call(events: &mut Events, at: usize, item: &Value) {
    framed(events, at, item, ("arguments", json!("")), |events| {
        let say = |more: Value| with(&more, &json!({"item_id": item["id"], "output_index": at}));
        let arguments = item["arguments"].as_str().unwrap_or_default();
        events.said += tokens::count(item["name"].as_str().unwrap_or_default());
        for piece in tokens::pieces(arguments) {
            events.said += 1;
            let delta = json!({"delta": piece, "obfuscation": "x7"});
            events.push("response.function_call_arguments.delta", say(delta));
        }
        let done = json!({"arguments": arguments, "name": item["name"]});
        events.push("response.function_call_arguments.done", say(done));
    });
}

/// The fields of both objects.
fn with(more: &Value, fields: &Value) -> Value {
    let both = [fields, more].into_iter().filter_map(Value::as_object).flatten();
    Value::Object(both.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The event by which a stream says that it failed, as the one of this number.
pub fn error_event(number: usize) -> Bytes {
    let error = json!({
        "type": "error", "code": "server_error", "param": null, "sequence_number": number,
        "message": "The server had an error while processing your request.",
    });
    Bytes::from(format!("event: error\ndata: {error}\n\n"))
}
