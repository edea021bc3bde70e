//! What OpenAI's API refuses of responses.

use super::{among, between, keepable, known, named, text};
use serde_json::Value;

/// The state that the demo provider gives with its thoughts, and wants back.
pub const STATE: &str = "Z0FBQURlbW9TdGF0ZQ==";

const TOP: [&str; 30] = [
    "model",
    "input",
    "instructions",
    "background",
    "conversation",
    "include",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "client_metadata",
    "context_management",
];

/// Checks the body of a response.
///
/// # Errors
/// What the API would say.
pub fn create(body: &Value) -> Result<(), String> {
    known(body, "Unknown parameter", &TOP)?;
    between(&body["temperature"], "temperature", 0.0, 2.0)?;
    between(&body["max_output_tokens"], "max_output_tokens", 16.0, 1e9)?;
    tools(body)?;
    let format = &body["text"]["format"];
    if format["type"] == "json_schema" {
        known(format, "text.format", &["type", "name", "description", "schema", "strict"])?;
        named(text(&format["name"], "text.format.name")?, "text.format.name", "_-", 64)?;
        if format["strict"] == true {
            keepable(&format["schema"], "text.format.schema")?;
        }
    }
    let input = &body["input"];
    let items = input.as_array().filter(|it| !it.is_empty());
    match (items, input.as_str()) {
        (Some(items), _) => conversation(items, !body["previous_response_id"].is_null()),
        (None, Some(it)) if !it.is_empty() => Ok(()),
        (None, _) => Err("Missing required parameter: 'input'.".to_owned()),
    }
}

fn tools(body: &Value) -> Result<(), String> {
    let mut names = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        if tool["type"] == "function" {
            known(tool, "tools", &["type", "name", "description", "parameters", "strict"])?;
            named(text(&tool["name"], "tools.name")?, "tools.name", "_-", 64)?;
            if tool["strict"] == true {
                keepable(&tool["parameters"], "tools.parameters")?;
            }
        }
        names.push(&tool["name"]);
    }
    among(&body["tool_choice"]["name"], &names, "tool_choice")
}

/// `continues`: what went before is not in these items.
fn conversation(items: &[Value], continues: bool) -> Result<(), String> {
    let mut waiting: Vec<&str> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let place = format!("input[{at}]");
        match item["type"].as_str().unwrap_or("message") {
            "message" => message(item, &place)?,
            "function_call" | "custom_tool_call" => {
                let id = text(&item["call_id"], &format!("{place}.call_id"))?;
                if id.len() > 64 {
                    return Err(format!("{place}.call_id: string too long, at most 64"));
                }
                text(&item["name"], &format!("{place}.name"))?;
                waiting.push(id);
            }
            "function_call_output" | "custom_tool_call_output" => {
                let id = text(&item["call_id"], &format!("{place}.call_id"))?;
                let found = waiting.iter().position(|it| *it == id);
                match found {
                    Some(found) => drop(waiting.remove(found)),
                    None if continues => {}
                    None => {
                        return Err(format!(
                            "No tool call found for function call output with call_id {id}."
                        ));
                    }
                }
                if !(item["output"].is_string() || item["output"].is_array()) {
                    return Err(format!("{place}.output: required"));
                }
            }
            "reasoning" => {
                let state = &item["encrypted_content"];
                if !item["summary"].is_array() {
                    return Err(format!("{place}.summary: required"));
                }
                if !state.is_null() && state != STATE {
                    return Err("The encrypted content could not be verified.".to_owned());
                }
            }
            "item_reference" | "web_search_call" | "compaction" | "additional_tools" => {}
            other => return Err(format!("{place}.type: Invalid value: '{other}'")),
        }
    }
    match waiting.first() {
        None => Ok(()),
        Some(id) => Err(format!("No tool output found for function call {id}.")),
    }
}

fn message(item: &Value, place: &str) -> Result<(), String> {
    let role = text(&item["role"], &format!("{place}.role"))?;
    let allowed: &[&str] = match role {
        "user" | "system" | "developer" => &["input_text", "input_image", "input_file"],
        "assistant" => &["output_text", "refusal"],
        other => return Err(format!("{place}.role: Invalid value: '{other}'")),
    };
    if item["content"].is_string() {
        return Ok(());
    }
    let parts = item["content"].as_array().ok_or_else(|| format!("{place}.content: required"))?;
    for part in parts {
        let kind = text(&part["type"], &format!("{place}.content.type"))?;
        if !allowed.contains(&kind) {
            return Err(format!("{place}.content: Invalid value: '{kind}'"));
        }
    }
    Ok(())
}
