//! What Anthropic's API refuses of messages.

use super::{among, between, filled, known, named, text};
use serde_json::Value;

/// The state that the demo provider signs its thoughts with, and wants back.
pub const SIGNATURE: &str = "RXFRQkRlbW9TaWduYXR1cmU=";

const TOP: [&str; 21] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "output_config",
    "cache_control",
    "container",
    "context_management",
    "mcp_servers",
    "inference_geo",
    "speed",
];

/// Checks the body of a message.
///
/// # Errors
/// What the API would say.
pub fn messages(body: &Value) -> Result<(), String> {
    known(body, "Extra inputs are not permitted", &TOP)?;
    let messages = filled(&body["messages"], "messages")?;
    between(&body["temperature"], "temperature", 0.0, 1.0)?;
    between(&body["top_p"], "top_p", 0.0, 1.0)?;
    let most = body["max_tokens"].as_u64().ok_or("max_tokens: Field required")?;
    if body["system"].as_array().is_some() {
        filled(&body["system"], "system")?.iter().try_for_each(|it| not_blank(it, "system"))?;
    }
    thinking(body, most)?;
    tools(body)?;
    if !body["output_config"].is_null() {
        known(&body["output_config"], "output_config", &["effort", "format"])?;
    }
    conversation(messages, thinks(body))?;
    thought_before_calls(body, messages)
}

fn thinks(body: &Value) -> bool {
    matches!(body["thinking"]["type"].as_str(), Some("enabled" | "adaptive"))
}

fn thinking(body: &Value, most: u64) -> Result<(), String> {
    if body["thinking"]["type"] == "enabled" {
        let budget = body["thinking"]["budget_tokens"].as_u64().unwrap_or(0);
        if budget < 1_024 {
            return Err(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to \
                        1024"
                    .to_owned(),
            );
        }
        if most <= budget {
            return Err("`max_tokens` must be greater than `thinking.budget_tokens`.".to_owned());
        }
    }
    let warm = body["temperature"].as_f64().is_some_and(|it| (it - 1.0).abs() > f64::EPSILON);
    if thinks(body) && warm {
        return Err("`temperature` may only be set to 1 when thinking is enabled.".to_owned());
    }
    let forced = matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool"));
    if thinks(body) && forced {
        return Err("Thinking may not be enabled when tool_choice forces tool use.".to_owned());
    }
    Ok(())
}

/// With a budget to think, the turn whose calls have just been answered begins with thoughts.
fn thought_before_calls(body: &Value, messages: &[Value]) -> Result<(), String> {
    let last = messages.iter().rposition(|it| it["role"] == "assistant");
    let Some((at, message)) = last.and_then(|at| Some((at, messages.get(at)?))) else {
        return Ok(());
    };
    let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    let kind = blocks.first().and_then(|it| it["type"].as_str()).unwrap_or_default();
    let calls = blocks.iter().any(|it| it["type"] == "tool_use");
    let thought = matches!(kind, "thinking" | "redacted_thinking");
    if body["thinking"]["type"] == "enabled" && calls && !thought {
        return Err(format!(
            "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found \
             `{kind}`. When `thinking` is enabled, a final `assistant` message must start with a \
             thinking block."
        ));
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), String> {
    let tools = body["tools"].as_array();
    let names: Vec<&Value> = tools.into_iter().flatten().map(|it| &it["name"]).collect();
    among(&body["tool_choice"]["name"], &names, "tool_choice")?;
    if !body["tool_choice"].is_null() && tools.is_none_or(Vec::is_empty) {
        return Err("tool_choice: may only be specified while providing tools".to_owned());
    }
    for tool in tools.into_iter().flatten() {
        let kind = tool["type"].as_str().unwrap_or("custom");
        if kind != "custom" {
            continue;
        }
        named(text(&tool["name"], "tools.name")?, "tools.name", "_-", 128)?;
        if tool["input_schema"]["type"] != "object" {
            return Err("tools.input_schema.type: Input should be 'object'".to_owned());
        }
    }
    Ok(())
}

fn conversation(messages: &[Value], thinks: bool) -> Result<(), String> {
    let mut waiting: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        known(message, &format!("messages.{at}"), &["role", "content"])?;
        let role = text(&message["role"], &format!("messages.{at}.role"))?;
        if !["user", "assistant", "system"].contains(&role) {
            return Err(format!("messages.{at}.role: Input should be 'user' or 'assistant'"));
        }
        let place = format!("messages.{at}.content");
        let blocks: &[Value] = match message["content"].as_str() {
            Some("") => return Err(format!("{place}: must not be empty")),
            Some(_) => &[],
            None => filled(&message["content"], &place)?,
        };
        results(blocks, &mut waiting, role, at)?;
        for (number, block) in blocks.iter().enumerate() {
            one_block(block, role, &place)?;
            let thought = matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"));
            if thought && thinks && blocks[..number].iter().any(|it| it["type"] == "tool_use") {
                return Err(format!("{place}: thinking blocks must come first"));
            }
        }
        waiting.extend(
            blocks.iter().filter(|it| it["type"] == "tool_use").filter_map(|it| it["id"].as_str()),
        );
    }
    if waiting.is_empty() { Ok(()) } else { Err(unanswered(&waiting)) }
}

fn unanswered(waiting: &[&str]) -> String {
    format!(
        "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
         `tool_use` block must have a corresponding `tool_result` block in the next message.",
        waiting.join(", ")
    )
}

/// The results that the turn before waits for, which come first in the next turn.
fn results<'a>(
    blocks: &'a [Value],
    waiting: &mut Vec<&'a str>,
    role: &str,
    at: usize,
) -> Result<(), String> {
    let results: Vec<&Value> = blocks.iter().filter(|it| it["type"] == "tool_result").collect();
    if waiting.is_empty() && results.is_empty() {
        return Ok(());
    }
    if role != "user" {
        return Err(unanswered(waiting));
    }
    for result in &results {
        let id = result["tool_use_id"].as_str().unwrap_or_default();
        let Some(found) = waiting.iter().position(|it| *it == id) else {
            return Err(format!(
                "messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}"
            ));
        };
        waiting.remove(found);
    }
    if !waiting.is_empty() {
        return Err(unanswered(waiting));
    }
    if blocks.iter().take(results.len()).any(|it| it["type"] != "tool_result") {
        return Err(format!("messages.{at}: tool_result blocks must come first"));
    }
    Ok(())
}

fn not_blank(block: &Value, place: &str) -> Result<(), String> {
    if block["type"] == "text" && block["text"].as_str().is_none_or(|it| it.trim().is_empty()) {
        return Err(format!("{place}: text content blocks must be non-empty"));
    }
    Ok(())
}

fn one_block(block: &Value, role: &str, place: &str) -> Result<(), String> {
    not_blank(block, place)?;
    let kind = text(&block["type"], &format!("{place}.type"))?;
    match kind {
        "image" | "document" if role != "user" => Err(format!("{place}: {kind} is not for {role}")),
        "image" => {
            let source = &block["source"];
            let mime = source["media_type"].as_str().unwrap_or_default();
            let known = ["image/jpeg", "image/png", "image/gif", "image/webp"];
            if source["type"] == "base64" && !known.contains(&mime) {
                return Err(format!(
                    "{place}.image.source.media_type: Input should be one of them"
                ));
            }
            Ok(())
        }
        "tool_use" => {
            named(text(&block["id"], "tool_use.id")?, "tool_use.id", "_-", 256)?;
            text(&block["name"], "tool_use.name")?;
            let is_object = block["input"].is_object();
            if is_object {
                Ok(())
            } else {
                Err(format!("{place}.tool_use.input: not a dictionary"))
            }
        }
        "thinking" if block["signature"] != SIGNATURE => {
            Err(format!("{place}: Invalid `signature` in `thinking` block"))
        }
        _ => Ok(()),
    }
}
