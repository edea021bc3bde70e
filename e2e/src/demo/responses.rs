//! OpenAI's responses. As strict as the real API: what it would refuse is refused in its
//! words. Pure: a parsed body in, bytes out.

mod stream;

use super::{
    Answer, Ask, Piece,
    openai::{error, text_of},
    random_text,
    reply::{self, Bounds, Choice, End, Question, Reply, Said, Tool},
    strict, tokens,
};
use bytes::Bytes;
use serde_json::{Value, json};
pub use stream::error_event;

/// Answers `POST /v1/responses`.
pub fn create(ask: &Ask<'_>) -> Answer {
    let Some(model) = ask.body["model"].as_str().filter(|it| !it.is_empty()) else {
        let code = Some("missing_required_parameter");
        return error(400, "Missing required parameter: 'model'.", Some("model"), code);
    };
    if let Err(why) = strict::responses::create(ask.body) {
        return error(400, &why, None, Some("invalid_value"));
    }
    let reply = reply::compose(&question(ask.body, model), ask.behave);
    let input = input_tokens(ask.body);
    let used = Used {
        input,
        cached: ask.behave.cached.min(input),
        output: reply.tokens() + ask.behave.reasoning,
        reasoning: ask.behave.reasoning,
    };
    let frame = Frame { id: format!("resp_{}", random_text(48)), ask, model, reply: &reply };
    let items = items(&frame);
    let streamed = ask.body["stream"].as_bool() == Some(true);
    let pieces = if streamed {
        stream::pieces(&frame, &items, &used)
    } else {
        let body = frame.response(frame.status(), &Value::from(items), Some(&used));
        vec![Piece { bytes: Bytes::from(body.to_string()), output_tokens: used.output }]
    };
    Answer {
        streamed,
        pieces,
        input_tokens: used.input,
        cached_input_tokens: used.cached,
        ..Answer::default()
    }
}

/// Answers `POST /v1/responses/input_tokens`.
pub fn count_tokens(ask: &Ask<'_>) -> Answer {
    let count = input_tokens(ask.body);
    Answer::plain(200, &json!({"object": "response.input_tokens", "input_tokens": count}))
}

fn input_tokens(body: &Value) -> u64 {
    ["instructions", "input", "tools"].iter().map(|it| tokens::count_all(&body[*it])).sum::<u64>()
        + 3
}

/// What every object of one answer carries.
struct Frame<'a> {
    id: String,
    ask: &'a Ask<'a>,
    model: &'a str,
    reply: &'a Reply,
}

impl Frame<'_> {
    const fn status(&self) -> &'static str {
        match self.reply.end {
            End::Length => "incomplete",
            End::Done | End::Stop(_) | End::Calls => "completed",
        }
    }

    /// The response as an object, with everything that the caller asked for repeated in it.
    fn response(&self, status: &str, output: &Value, used: Option<&Used>) -> Value {
        let asked = self.ask.body;
        let or = |field: &str, default: Value| {
            let value = &asked[field];
            if value.is_null() { default } else { value.clone() }
        };
        let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        let usage = used.filter(|_| !self.ask.behave.no_usage).map(Used::to_json);
        json!({
            "id": self.id, "object": "response", "created_at": self.ask.now, "status": status,
            "background": false, "error": null, "incomplete_details": incomplete,
            "instructions": asked["instructions"], "max_output_tokens": asked["max_output_tokens"],
            "max_tool_calls": asked["max_tool_calls"], "model": self.model, "output": output,
            "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
            "previous_response_id": asked["previous_response_id"],
            "prompt_cache_key": asked["prompt_cache_key"],
            "reasoning": or("reasoning", json!({"effort": null, "summary": null})),
            "safety_identifier": asked["safety_identifier"], "service_tier": "default",
            "store": or("store", json!(true)), "temperature": or("temperature", json!(1.0)),
            "text": or("text", json!({"format": {"type": "text"}, "verbosity": "medium"})),
            "tool_choice": or("tool_choice", json!("auto")), "tools": or("tools", json!([])),
            "top_logprobs": 0, "top_p": or("top_p", json!(1.0)),
            "truncation": or("truncation", json!("disabled")), "usage": usage,
            "user": asked["user"], "metadata": or("metadata", json!({})),
        })
    }
}

struct Used {
    input: u64,
    cached: u64,
    output: u64,
    reasoning: u64,
}

impl Used {
    fn to_json(&self) -> Value {
        json!({
            "input_tokens": self.input, "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        })
    }
}

/// The items of the output: thoughts first, then the message or the calls.
fn items(frame: &Frame<'_>) -> Vec<Value> {
    let (reply, status) = (frame.reply, frame.status());
    let body = frame.ask.body;
    let mut items = Vec::new();
    if let Some(thought) = &reply.thought {
        let told = !body["reasoning"]["summary"].is_null();
        let summary: Vec<Value> =
            told.then(|| json!({"type": "summary_text", "text": thought})).into_iter().collect();
        let mut item = json!({
            "id": format!("rs_{}", random_text(48)), "type": "reasoning", "summary": summary,
        });
        let wants = body["include"].as_array().into_iter().flatten();
        if wants.into_iter().any(|it| it == "reasoning.encrypted_content") {
            item["encrypted_content"] = json!(strict::responses::STATE);
        }
        items.push(item);
    }
    if reply.calls.is_empty() {
        let part =
            json!({"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text});
        items.push(json!({
            "id": format!("msg_{}", random_text(48)), "type": "message", "status": status,
            "content": [part], "role": "assistant",
        }));
    }
    items.extend(reply.calls.iter().map(|it| {
        json!({
            "id": format!("fc_{}", random_text(48)), "type": "function_call", "status": status,
            "arguments": it.arguments.to_string(), "call_id": format!("call_{}", random_text(24)),
            "name": it.name,
        })
    }));
    items
}

fn question<'a>(body: &Value, model: &'a str) -> Question<'a> {
    let (choice, format) = (&body["tool_choice"], &body["text"]["format"]);
    Question {
        model,
        said: last_said(&body["input"]),
        tools: tools(body),
        choice: match (choice.as_str(), choice["name"].as_str()) {
            (Some("required"), _) => Choice::Any,
            (_, Some(name)) => Choice::Named(name.to_owned()),
            (_, None) => Choice::Auto,
        },
        shape: match format["type"].as_str() {
            Some("json_schema") => Some(format["schema"].clone()),
            Some("json_object") => Some(json!({"properties": {"answer": {"type": "string"}}})),
            _ => None,
        },
        shows_thoughts: body["reasoning"].is_object(),
        bounds: Bounds { max_tokens: body["max_output_tokens"].as_u64(), stops: Vec::new() },
    }
}

/// What was said since the model spoke last: tools' results count most.
fn last_said(input: &Value) -> Said {
    let Some(items) = input.as_array() else {
        return Said::User(text_of(input));
    };
    let is_models = |it: &Value| {
        let kind = it["type"].as_str().unwrap_or("message");
        it["role"] == "assistant" || matches!(kind, "function_call" | "reasoning")
    };
    let since = items.iter().rposition(is_models).map_or(0, |it| it + 1);
    let results = items.get(since..).unwrap_or_default().iter();
    let results: Vec<String> = results
        .filter(|it| it["type"] == "function_call_output")
        .map(|it| text_of(&it["output"]))
        .collect();
    if !results.is_empty() {
        return Said::ToolResults(results);
    }
    let user = items.iter().rev().find(|it| it["role"] == "user");
    Said::User(user.map(|it| text_of(&it["content"])).unwrap_or_default())
}

fn tools(body: &Value) -> Vec<Tool> {
    if body["tool_choice"] == "none" {
        return Vec::new();
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    let tools = tools.filter(|it| it["type"] == "function").filter_map(|it| {
        Some(Tool { name: it["name"].as_str()?.to_owned(), schema: it["parameters"].clone() })
    });
    tools.collect()
}

#[cfg(test)]
mod tests;
