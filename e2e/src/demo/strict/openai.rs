//! What OpenAI's API refuses of chat completions.

use super::{among, between, filled, keepable, known, named, text};
use serde_json::Value;

const TOP: [&str; 35] = [
    "model",
    "messages",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Checks the body of a chat completion.
///
/// # Errors
/// What the API would say.
pub fn chat(body: &Value) -> Result<(), String> {
    known(body, "Unrecognized request argument supplied", &TOP)?;
    let messages = filled(&body["messages"], "messages")?;
    between(&body["temperature"], "temperature", 0.0, 2.0)?;
    between(&body["top_p"], "top_p", 0.0, 1.0)?;
    between(&body["max_tokens"], "max_tokens", 1.0, 1e9)?;
    between(&body["max_completion_tokens"], "max_completion_tokens", 1.0, 1e9)?;
    if !body["max_tokens"].is_null() && !body["max_completion_tokens"].is_null() {
        return Err("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not \
                    supported."
            .to_owned());
    }
    if body["stop"].as_array().is_some_and(|it| it.len() > 4) {
        return Err("stop: at most 4".to_owned());
    }
    if !body["stream_options"].is_null() && body["stream"] != true {
        let only = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(only.to_owned());
    }
    if body["response_format"]["type"] == "json_schema" {
        let format = &body["response_format"]["json_schema"];
        known(format, "response_format", &["name", "description", "schema", "strict"])?;
        named(text(&format["name"], "json_schema.name")?, "json_schema.name", "_-", 64)?;
        if format["strict"] == true {
            keepable(&format["schema"], "response_format")?;
        }
    }
    tools(body)?;
    conversation(messages)
}

fn tools(body: &Value) -> Result<(), String> {
    let has_tools = body["tools"].as_array().is_some_and(|it| !it.is_empty());
    for field in ["tool_choice", "parallel_tool_calls"] {
        if !body[field].is_null() && !has_tools {
            return Err(format!("'{field}' is only allowed when 'tools' are specified."));
        }
    }
    let mut names = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        if tool["type"] == "custom" {
            named(
                text(&tool["custom"]["name"], "tools.custom.name")?,
                "tools.custom.name",
                "_-",
                64,
            )?;
            continue;
        }
        known(tool, "tools", &["type", "function"])?;
        let function = &tool["function"];
        known(function, "tools.function", &["name", "description", "parameters", "strict"])?;
        named(text(&function["name"], "tools.function.name")?, "tools.function.name", "_-", 64)?;
        if function["strict"] == true {
            keepable(&function["parameters"], "tools.function.parameters")?;
        }
        names.push(&function["name"]);
    }
    among(&body["tool_choice"]["function"]["name"], &names, "tool_choice")
}

fn conversation(messages: &[Value]) -> Result<(), String> {
    let mut waiting: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text(&message["role"], &format!("messages[{at}].role"))?;
        let fields: &[&str] = match role {
            "system" | "developer" | "user" => &["role", "content", "name"],
            "assistant" => {
                &[
                    "role",
                    "content",
                    "name",
                    "refusal",
                    "audio",
                    "tool_calls",
                    "annotations",
                    // OpenAI's own SDK sends back the empty one of an answer.
                    "function_call",
                ]
            }
            "tool" => &["role", "content", "tool_call_id", "name"],
            other => return Err(format!("messages[{at}].role: '{other}' is not one of the roles")),
        };
        known(message, &format!("messages[{at}]"), fields)?;
        if role == "tool" {
            let id = text(&message["tool_call_id"], "messages.tool_call_id")?;
            let Some(found) = waiting.iter().position(|it| *it == id) else {
                return Err(
                    "messages with role 'tool' must be a response to a preceeding message \
                            with 'tool_calls'."
                        .to_owned(),
                );
            };
            waiting.remove(found);
        } else if !waiting.is_empty() {
            return Err(
                "An assistant message with 'tool_calls' must be followed by tool messages \
                        responding to each 'tool_call_id'."
                    .to_owned(),
            );
        }
        content(message, role, at)?;
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            waiting.push(one_call(call)?);
        }
    }
    if waiting.is_empty() { Ok(()) } else { Err("tool calls without tool messages".to_owned()) }
}

fn one_call(call: &Value) -> Result<&str, String> {
    let id = text(&call["id"], "tool_calls.id")?;
    if id.len() > 40 {
        return Err("tool_calls.id: string too long, at most 40".to_owned());
    }
    if call["type"] == "custom" {
        return Ok(id);
    }
    text(&call["function"]["name"], "tool_calls.function.name")?;
    if !call["function"]["arguments"].is_string() {
        return Err("tool_calls.function.arguments: expected a string".to_owned());
    }
    Ok(id)
}

fn content(message: &Value, role: &str, at: usize) -> Result<(), String> {
    let place = format!("messages[{at}].content");
    let content = &message["content"];
    if content.is_null() {
        let calls = role == "assistant" && !message["tool_calls"].is_null();
        let why = format!("{place}: expected a string or a list of parts, got null");
        return if calls { Ok(()) } else { Err(why) };
    }
    if content.is_string() {
        return Ok(());
    }
    filled(content, &place)?.iter().try_for_each(|part| one_part(part, role, &place))
}

fn one_part(part: &Value, role: &str, place: &str) -> Result<(), String> {
    let kind = text(&part["type"], &format!("{place}.type"))?;
    let allowed: &[&str] = match role {
        "user" => &["text", "image_url", "input_audio", "file"],
        "assistant" => &["text", "refusal"],
        _ => &["text"],
    };
    if !allowed.contains(&kind) {
        return Err(format!("{place}: Invalid value: '{kind}'"));
    }
    match kind {
        "text" => {
            part["text"].as_str().map(|_| ()).ok_or_else(|| format!("{place}.text: required"))
        }
        "image_url" => text(&part["image_url"]["url"], "image_url.url").map(|_| ()),
        "input_audio" => text(&part["input_audio"]["data"], "input_audio.data").map(|_| ()),
        _ => Ok(()),
    }
}
