//! The Anthropic dialect: messages, token counts, models, errors. Pure.

use super::{
    Answer, Ask, MODELS, Piece,
    openai::{text_of, texts},
    random_text,
    reply::{self, Bounds, Choice, End, Question, Reply, Said, Tool},
    strict, tokens,
};
use bytes::Bytes;
use serde_json::{Value, json};

/// An error as Anthropic writes it.
pub fn error(status: u16, message: &str) -> Answer {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let error = json!({"type": kind, "message": message});
    let request_id = format!("req_{}", random_text(24));
    let body = json!({"type": "error", "error": error, "request_id": request_id});
    Answer { request_id, ..Answer::plain(status, &body) }
}

/// The error for a status that was asked for.
pub fn error_for(status: u16) -> Answer {
    let message = match status {
        400 => "The demo provider was told to refuse this.",
        401 => "invalid x-api-key",
        403 => "Your API key does not have permission to use the specified resource.",
        404 => "model: not found",
        429 => "Number of requests has exceeded your rate limit.",
        503 | 529 => "Overloaded",
        _ => "Internal server error",
    };
    error(status, message)
}

/// Answers `POST /v1/messages`.
pub fn messages(ask: &Ask<'_>) -> Answer {
    let model = match checked_model(ask.body) {
        Ok(it) => it,
        Err(refusal) => return *refusal,
    };
    let Some(max_tokens) = ask.body["max_tokens"].as_u64() else {
        let missing = ask.body["max_tokens"].is_null();
        let reason = if missing { "Field required" } else { "Input should be a valid integer" };
        return error(400, &format!("max_tokens: {reason}"));
    };
    if ask.behave.strict
        && let Err(why) = strict::anthropic::messages(ask.body)
    {
        return error(400, &why);
    }
    let mut reply = reply::compose(&question(ask.body, model, max_tokens), ask.behave);
    if ask.body["thinking"]["display"] == "omitted" {
        // The state is there all the same, in a block without words.
        reply.thought = reply.thought.map(|_| String::new());
    }
    let input = input_tokens(ask.body);
    let cached = ask.behave.cached.min(input);
    let used = Used {
        input,
        cached,
        cache_write: ask.behave.cache_write.min(input - cached),
        output: reply.tokens() + ask.behave.reasoning,
    };
    let id = format!("msg_01{}", random_text(22));
    if ask.body["stream"].as_bool() == Some(true) {
        stream(ask, &id, model, &reply, &used)
    } else {
        let content = reply_blocks(&reply);
        let mut body = message_json(&id, model, &content, Some(&reply), &used.to_json(used.output));
        if ask.behave.no_usage {
            body.as_object_mut().map(|it| it.remove("usage"));
        }
        let bytes = Bytes::from(body.to_string());
        used.answer(false, vec![Piece { bytes, output_tokens: used.output }])
    }
}

/// Answers `POST /v1/messages/count_tokens`.
pub fn count_tokens(ask: &Ask<'_>) -> Answer {
    match checked_model(ask.body) {
        Ok(_) => Answer::plain(200, &json!({"input_tokens": input_tokens(ask.body)})),
        Err(refusal) => *refusal,
    }
}

fn checked_model(body: &Value) -> Result<&str, Box<Answer>> {
    let refuse = |text: &str| Err(Box::new(error(400, text)));
    let Some(model) = body["model"].as_str().filter(|it| !it.is_empty()) else {
        return refuse("model: Field required");
    };
    match &body["messages"] {
        Value::Array(items) if items.is_empty() => {
            refuse("messages: at least one message is required")
        }
        Value::Array(_) => Ok(model),
        Value::Null => refuse("messages: Field required"),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            refuse("messages: Input should be a valid list")
        }
    }
}

fn input_tokens(body: &Value) -> u64 {
    ["system", "messages", "tools"].iter().map(|it| tokens::count_all(&body[*it])).sum::<u64>() + 3
}

struct Used {
    /// Cached tokens and cache writes included; Anthropic's `input_tokens` is without them.
    input: u64,
    cached: u64,
    cache_write: u64,
    output: u64,
}

impl Used {
    fn to_json(&self, output_tokens: u64) -> Value {
        json!({
            "input_tokens": self.input - self.cached - self.cache_write,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cached,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write, "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": output_tokens, "service_tier": "standard",
        })
    }

    fn answer(&self, streamed: bool, pieces: Vec<Piece>) -> Answer {
        Answer {
            streamed,
            pieces,
            input_tokens: self.input,
            cached_input_tokens: self.cached,
            cache_write_tokens: self.cache_write,
            ..Answer::default()
        }
    }
}

fn message_json(
    id: &str,
    model: &str,
    content: &Value,
    reply: Option<&Reply>,
    usage: &Value,
) -> Value {
    json!({
        "id": id, "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": reply.map(stop_reason), "stop_sequence": reply.and_then(stop_sequence),
        "usage": usage,
    })
}

fn stop_reason(reply: &Reply) -> &'static str {
    match reply.end {
        End::Done => "end_turn",
        End::Length => "max_tokens",
        End::Stop(_) => "stop_sequence",
        End::Calls => "tool_use",
    }
}

fn stop_sequence(reply: &Reply) -> Option<&str> {
    match &reply.end {
        End::Stop(text) => Some(text),
        End::Done | End::Length | End::Calls => None,
    }
}

fn reply_blocks(reply: &Reply) -> Value {
    let thought = reply.thought.as_ref().map(
        |it| json!({"type": "thinking", "thinking": it, "signature": strict::anthropic::SIGNATURE}),
    );
    let text = reply.calls.is_empty().then(|| json!({"type": "text", "text": reply.text}));
    let calls = reply.calls.iter().map(|it| tool_use(&it.name, &it.arguments));
    thought.into_iter().chain(text).chain(calls).collect()
}

fn tool_use(name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_01{}", random_text(22)), "name": name, "input": input})
}

/// The events of one stream, written down in order.
struct Events {
    pieces: Vec<Piece>,
    said: u64,
}

impl Events {
    fn push(&mut self, event: &Value) {
        // The `event:` line is mandatory: SDKs pass over events without it.
        let name = event["type"].as_str().unwrap_or_default();
        let bytes = Bytes::from(format!("event: {name}\ndata: {event}\n\n"));
        self.pieces.push(Piece { bytes, output_tokens: self.said });
    }

    fn block(&mut self, index: usize, start: &Value, deltas: &[Value]) {
        self.push(&json!({"type": "content_block_start", "index": index, "content_block": start}));
        if index == 0 {
            self.push(&json!({"type": "ping"}));
        }
        for delta in deltas {
            let says = !delta["text"].is_null()
                || delta["partial_json"].as_str().is_some_and(|it| !it.is_empty());
            self.said += u64::from(says);
            self.push(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        self.push(&json!({"type": "content_block_stop", "index": index}));
    }
}

fn stream(ask: &Ask<'_>, id: &str, model: &str, reply: &Reply, used: &Used) -> Answer {
    let mut events = Events { pieces: Vec::new(), said: ask.behave.reasoning };
    let mut start = message_json(id, model, &json!([]), None, &used.to_json(1));
    if ask.behave.no_usage {
        start.as_object_mut().map(|it| it.remove("usage"));
    }
    events.push(&json!({"type": "message_start", "message": start}));
    if let Some(thought) = &reply.thought {
        let pieces = tokens::pieces(thought).into_iter();
        let mut deltas: Vec<Value> =
            pieces.map(|it| json!({"type": "thinking_delta", "thinking": it})).collect();
        deltas.push(json!({"type": "signature_delta", "signature": strict::anthropic::SIGNATURE}));
        let start = json!({"type": "thinking", "thinking": "", "signature": ""});
        events.block(0, &start, &deltas);
    }
    let first = usize::from(reply.thought.is_some());
    if reply.calls.is_empty() {
        let pieces = tokens::pieces(&reply.text).into_iter();
        let deltas: Vec<Value> =
            pieces.map(|it| json!({"type": "text_delta", "text": it})).collect();
        events.block(first, &json!({"type": "text", "text": ""}), &deltas);
    }
    for (index, call) in reply.calls.iter().enumerate() {
        let arguments = call.arguments.to_string();
        let delta = |it: &str| json!({"type": "input_json_delta", "partial_json": it});
        let mut deltas = vec![delta("")];
        deltas.extend(tokens::pieces(&arguments).into_iter().map(delta));
        events.said += tokens::count(&call.name);
        events.block(first + index, &tool_use(&call.name, &json!({})), &deltas);
    }
    let delta = json!({"stop_reason": stop_reason(reply), "stop_sequence": stop_sequence(reply)});
    let mut last = json!({"type": "message_delta", "delta": delta});
    if !ask.behave.no_usage {
        last["usage"] = json!({
            "input_tokens": used.input - used.cached - used.cache_write,
            "cache_creation_input_tokens": used.cache_write,
            "cache_read_input_tokens": used.cached, "output_tokens": used.output,
        });
    }
    events.push(&last);
    if !ask.behave.no_end {
        events.push(&json!({"type": "message_stop"}));
    }
    used.answer(true, events.pieces)
}

/// The event by which a stream says that it failed.
pub fn error_event() -> Bytes {
    let error =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    Bytes::from(format!("event: error\ndata: {error}\n\n"))
}

/// The list of models.
pub fn models() -> Answer {
    let models: Vec<Value> = MODELS.iter().map(|it| model_json(it)).collect();
    let (first, last) = (MODELS.first(), MODELS.last());
    let list = json!({"data": models, "has_more": false, "first_id": first, "last_id": last});
    Answer::plain(200, &list)
}

/// One model.
pub fn model(name: &str) -> Answer {
    if MODELS.contains(&name) {
        return Answer::plain(200, &model_json(name));
    }
    error(404, &format!("model: {name}"))
}

fn model_json(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"})
}

fn question<'a>(body: &'a Value, model: &'a str, max_tokens: u64) -> Question<'a> {
    let choice = &body["tool_choice"];
    let thinking = &body["thinking"];
    let format = [&body["output_config"]["format"], &body["output_format"]];
    Question {
        model,
        said: last_said(body["messages"].as_array().map_or(&[], Vec::as_slice)),
        tools: tools(body),
        choice: match (choice["type"].as_str(), choice["name"].as_str()) {
            (Some("any"), _) => Choice::Any,
            (Some("tool"), Some(name)) => Choice::Named(name.to_owned()),
            _ => Choice::Auto,
        },
        shape: format.into_iter().find(|it| !it.is_null()).map(|it| it["schema"].clone()),
        shows_thoughts: matches!(thinking["type"].as_str(), Some("enabled" | "adaptive")),
        bounds: Bounds { max_tokens: Some(max_tokens), stops: texts(&body["stop_sequences"]) },
    }
}

fn last_said(messages: &[Value]) -> Said {
    let user = messages.iter().rev().find(|it| it["role"] == "user");
    let content = user.map_or(&Value::Null, |it| &it["content"]);
    let blocks = content.as_array().into_iter().flatten();
    let results: Vec<String> =
        blocks.filter(|it| it["type"] == "tool_result").map(|it| text_of(&it["content"])).collect();
    if results.is_empty() { Said::User(text_of(content)) } else { Said::ToolResults(results) }
}

fn tools(body: &Value) -> Vec<Tool> {
    if body["tool_choice"]["type"] == "none" {
        return Vec::new();
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    let tools = tools.filter_map(|it| {
        Some(Tool { name: it["name"].as_str()?.to_owned(), schema: it["input_schema"].clone() })
    });
    tools.collect()
}

#[cfg(test)]
mod tests;
