//! The OpenAI dialect: chat completions, models, errors. Pure: a parsed body in, bytes out.

use super::{
    Answer, Ask, MODELS, MODELS_CREATED, Piece, random_text,
    reply::{self, Bounds, Choice, End, Question, Reply, Said, Tool},
    strict, tokens,
};
use bytes::Bytes;
use serde_json::{Value, json};

const FINGERPRINT: &str = "fp_5d1c0ffee0";

/// An error as OpenAI writes it.
pub fn error(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Answer {
    let kind = match status {
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    let error = json!({"message": message, "type": kind, "param": param, "code": code});
    Answer::plain(status, &json!({ "error": error }))
}

/// The error for a status that was asked for.
pub fn error_for(status: u16) -> Answer {
    let (message, code) = match status {
        400 => ("The demo provider was told to refuse this.", Some("invalid_value")),
        401 => ("Incorrect API key provided.", Some("invalid_api_key")),
        403 => ("You are not allowed to sample from this model.", Some("permission_denied")),
        404 => {
            ("The model does not exist or you do not have access to it.", Some("model_not_found"))
        }
        429 => ("Rate limit reached for requests.", Some("rate_limit_exceeded")),
        503 => ("The engine is currently overloaded, please try again later.", None),
        _ => ("The server had an error while processing your request.", None),
    };
    error(status, message, None, code)
}

/// Answers `POST /v1/chat/completions`.
pub fn chat(ask: &Ask<'_>) -> Answer {
    let Some(model) = ask.body["model"].as_str().filter(|it| !it.is_empty()) else {
        return error(400, "you must provide a model parameter", None, None);
    };
    let messages = match &ask.body["messages"] {
        Value::Array(items) if items.is_empty() => {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, \
                           but got an empty array instead.";
            return error(400, message, Some("messages"), Some("empty_array"));
        }
        Value::Array(items) => items,
        Value::Null => {
            let message = "Missing required parameter: 'messages'.";
            return error(400, message, Some("messages"), Some("missing_required_parameter"));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            let message = "Invalid type for 'messages': expected an array of objects.";
            return error(400, message, Some("messages"), Some("invalid_type"));
        }
    };
    if ask.behave.strict
        && let Err(why) = strict::openai::chat(ask.body)
    {
        return error(400, &why, None, Some("strict"));
    }
    let reply = reply::compose(&question(ask, model, messages), ask.behave);
    let input =
        tokens::count_all(&ask.body["messages"]) + tokens::count_all(&ask.body["tools"]) + 3;
    let used = Used {
        input,
        cached: ask.behave.cached.min(input),
        output: reply.tokens() + ask.behave.reasoning,
        reasoning: ask.behave.reasoning,
    };
    let frame = Frame { id: format!("chatcmpl-{}", random_text(29)), created: ask.now, model };
    if ask.body["stream"].as_bool() == Some(true) {
        stream(ask, &frame, &reply, &used)
    } else {
        whole(ask, &frame, &reply, &used)
    }
}

/// What every object of one answer carries.
struct Frame<'a> {
    id: String,
    created: i64,
    model: &'a str,
}

impl Frame<'_> {
    fn chunk(&self, choices: &Value, usage: Option<Value>) -> Bytes {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "service_tier": "default", "system_fingerprint": FINGERPRINT,
            "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        Bytes::from(format!("data: {chunk}\n\n"))
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
            "prompt_tokens": self.input, "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        })
    }

    fn answer(&self, streamed: bool, pieces: Vec<Piece>) -> Answer {
        Answer {
            streamed,
            pieces,
            input_tokens: self.input,
            cached_input_tokens: self.cached,
            ..Answer::default()
        }
    }
}

fn whole(ask: &Ask<'_>, frame: &Frame<'_>, reply: &Reply, used: &Used) -> Answer {
    let content = if reply.calls.is_empty() { json!(reply.text) } else { Value::Null };
    let mut message =
        json!({"role": "assistant", "content": content, "refusal": null, "annotations": []});
    if let Some(thought) = &reply.thought {
        message["reasoning_content"] = json!(thought);
    }
    if !reply.calls.is_empty() {
        let calls = reply.calls.iter();
        message["tool_calls"] = calls
            .map(|it| {
                let function = json!({"name": it.name, "arguments": it.arguments.to_string()});
                json!({"id": format!("call_{}", random_text(24)), "type": "function", "function": function})
            })
            .collect();
    }
    let choice = json!({
        "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reply),
    });
    let mut body = json!({
        "id": frame.id, "object": "chat.completion", "created": frame.created, "model": frame.model,
        "choices": [choice], "service_tier": "default", "system_fingerprint": FINGERPRINT,
    });
    if !ask.behave.no_usage {
        body["usage"] = used.to_json();
    }
    let bytes = Bytes::from(body.to_string());
    used.answer(false, vec![Piece { bytes, output_tokens: used.output }])
}

fn stream(ask: &Ask<'_>, frame: &Frame<'_>, reply: &Reply, used: &Used) -> Answer {
    let include_usage = ask.body["stream_options"]["include_usage"].as_bool() == Some(true);
    let mut pieces = Vec::new();
    // With include_usage every chunk has the field, null but in the last one.
    let null = || include_usage.then_some(Value::Null);
    let mut push = |delta: Value, finish: Option<&str>, output_tokens: u64| {
        let choice =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        pieces.push(Piece { bytes: frame.chunk(&choice, null()), output_tokens });
    };
    let mut said = used.reasoning;
    if reply.calls.is_empty() {
        push(json!({"role": "assistant", "content": "", "refusal": null}), None, said);
    } else {
        push(json!({"role": "assistant", "content": null, "refusal": null}), None, said);
    }
    for piece in tokens::pieces(reply.thought.as_deref().unwrap_or_default()) {
        push(json!({"reasoning_content": piece}), None, said);
    }
    for piece in tokens::pieces(&reply.text) {
        said += 1;
        push(json!({"content": piece}), None, said);
    }
    for (index, call) in reply.calls.iter().enumerate() {
        said += tokens::count(&call.name);
        let function = json!({"name": call.name, "arguments": ""});
        let id = format!("call_{}", random_text(24));
        let start = json!({"index": index, "id": id, "type": "function", "function": function});
        push(json!({ "tool_calls": [start] }), None, said);
        for piece in tokens::pieces(&call.arguments.to_string()) {
            said += 1;
            let part = json!({"index": index, "function": {"arguments": piece}});
            push(json!({ "tool_calls": [part] }), None, said);
        }
    }
    push(json!({}), Some(finish_reason(reply)), said);
    if include_usage && !ask.behave.no_usage {
        let bytes = frame.chunk(&json!([]), Some(used.to_json()));
        pieces.push(Piece { bytes, output_tokens: said });
    }
    if !ask.behave.no_end {
        pieces.push(Piece { bytes: Bytes::from_static(b"data: [DONE]\n\n"), output_tokens: said });
    }
    used.answer(true, pieces)
}

/// The event by which a stream says that it failed.
pub fn error_event() -> Bytes {
    let error = json!({
        "message": "The server had an error while processing your request.",
        "type": "server_error", "param": null, "code": null,
    });
    Bytes::from(format!("data: {}\n\n", json!({ "error": error })))
}

/// The list of models.
pub fn models() -> Answer {
    let models: Vec<Value> = MODELS.iter().map(|it| model_json(it)).collect();
    Answer::plain(200, &json!({"object": "list", "data": models}))
}

/// One model.
pub fn model(name: &str) -> Answer {
    if MODELS.contains(&name) {
        return Answer::plain(200, &model_json(name));
    }
    let message = format!("The model '{name}' does not exist");
    error(404, &message, Some("model"), Some("model_not_found"))
}

fn model_json(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "demo"})
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply.end {
        End::Done | End::Stop(_) => "stop",
        End::Length => "length",
        End::Calls => "tool_calls",
    }
}

fn question<'a>(ask: &Ask<'a>, model: &'a str, messages: &[Value]) -> Question<'a> {
    let body = ask.body;
    let choice = &body["tool_choice"];
    let format = &body["response_format"];
    Question {
        model,
        said: last_said(messages),
        tools: tools(body),
        choice: match (choice.as_str(), choice["function"]["name"].as_str()) {
            (Some("required"), _) => Choice::Any,
            (_, Some(name)) => Choice::Named(name.to_owned()),
            (_, None) => Choice::Auto,
        },
        shape: match format["type"].as_str() {
            Some("json_schema") => Some(format["json_schema"]["schema"].clone()),
            Some("json_object") => Some(json!({"properties": {"answer": {"type": "string"}}})),
            _ => None,
        },
        shows_thoughts: ask.behave.thoughts,
        bounds: bounds(body),
    }
}

/// What was said since the model spoke last: tools' results count most.
fn last_said(messages: &[Value]) -> Said {
    let since = messages.iter().rposition(|it| it["role"] == "assistant").map_or(0, |it| it + 1);
    let results = messages.get(since..).unwrap_or_default().iter();
    let results: Vec<String> =
        results.filter(|it| it["role"] == "tool").map(|it| text_of(&it["content"])).collect();
    if !results.is_empty() {
        return Said::ToolResults(results);
    }
    let user = messages.iter().rev().find(|it| it["role"] == "user");
    Said::User(user.map(|it| text_of(&it["content"])).unwrap_or_default())
}

/// The text of a message's content, which is a text or a list of parts.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::String(it) => it.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|it| it["text"].as_str()).collect();
            texts.join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

fn tools(body: &Value) -> Vec<Tool> {
    if body["tool_choice"] == "none" {
        return Vec::new();
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    let tools = tools.filter_map(|it| {
        let name = it["function"]["name"].as_str()?.to_owned();
        Some(Tool { name, schema: it["function"]["parameters"].clone() })
    });
    tools.collect()
}

fn bounds(body: &Value) -> Bounds {
    let max_tokens = body["max_completion_tokens"].as_u64().or_else(|| body["max_tokens"].as_u64());
    Bounds { max_tokens, stops: texts(&body["stop"]) }
}

/// A text or a list of texts, as a list.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(it) => vec![it.clone()],
        Value::Array(items) => {
            items.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::behave::Behave;

    fn ask(body: &Value) -> Answer {
        chat(&Ask { body, behave: &Behave::default(), now: 1 })
    }

    fn chunks(answer: &Answer) -> Vec<String> {
        let texts = answer.pieces.iter().map(|it| String::from_utf8(it.bytes.to_vec()).unwrap());
        texts.map(|it| it.strip_prefix("data: ").unwrap().trim_end().to_owned()).collect()
    }

    #[test]
    fn a_stream_says_what_the_whole_answer_says_and_ends_with_usage_and_done() {
        let mut body =
            json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]});
        let whole = ask(&body);
        let whole: Value = serde_json::from_slice(&whole.pieces[0].bytes).unwrap();
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
        let chunks = chunks(&ask(&body));
        let (done, chunks) = chunks.split_last().unwrap();
        assert_eq!(done, "[DONE]");
        let chunks: Vec<Value> =
            chunks.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
        let (last, chunks) = chunks.split_last().unwrap();
        assert_eq!(last["choices"], json!([]));
        assert_eq!(last["usage"], whole["usage"]);
        assert!(chunks.iter().all(|it| it.get("usage") == Some(&Value::Null)));
        let said: String =
            chunks.iter().filter_map(|it| it["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(whole["choices"][0]["message"]["content"], json!(said));
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    }

    #[test]
    fn usage_is_not_mentioned_when_it_was_not_asked_for() {
        let body =
            json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}]});
        assert!(chunks(&ask(&body)).iter().all(|it| !it.contains("usage")));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (body, status, word) in [
            (json!({"messages": []}), 400, "model parameter"),
            (json!({"model": "m"}), 400, "'messages'"),
            (json!({"model": "m", "messages": []}), 400, "empty array"),
            (json!({"model": "m", "messages": "x"}), 400, "Invalid type"),
        ] {
            let answer = ask(&body);
            let text = String::from_utf8_lossy(&answer.pieces[0].bytes).into_owned();
            assert!(answer.status == status && text.contains(word), "{text}");
        }
    }

    #[test]
    fn tool_results_are_put_in_words() {
        let body = json!({"model": "m", "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "tool_calls": []},
            {"role": "tool", "tool_call_id": "a", "content": "sunny"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "mild"}]},
        ]});
        let text = String::from_utf8(ask(&body).pieces[0].bytes.to_vec()).unwrap();
        assert!(text.contains("The tool says: sunny; mild"), "{text}");
    }
}
