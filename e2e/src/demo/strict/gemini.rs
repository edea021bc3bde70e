//! What Google's API refuses of `generateContent` and `countTokens`.

use super::{between, filled, known, named, text};
use serde_json::Value;

/// The state that the demo provider gives with its calls, and wants back.
pub const SIGNATURE: &str = "RGVtb1NpZ25hdHVyZQ==";
/// What stands for a state that was lost.
const SKIPPED: &str = "skip_thought_signature_validator";

const TOP: [&str; 9] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "serviceTier",
];
const CONFIG: [&str; 19] = [
    "candidateCount",
    "stopSequences",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "responseModalities",
    "speechConfig",
    "mediaResolution",
    "imageConfig",
];

/// Checks a `generateContent` body.
///
/// # Errors
/// What the API would say.
pub fn generating(body: &Value, model: &str) -> Result<(), String> {
    known(body, "request", &TOP)?;
    let contents = filled(&body["contents"], "* GenerateContentRequest.contents")?;
    if !body["systemInstruction"].is_null() {
        filled(&body["systemInstruction"]["parts"], "systemInstruction.parts")?;
    }
    tools(body)?;
    let config = &body["generationConfig"];
    if !config.is_null() {
        known(config, "generation_config", &CONFIG)?;
        between(&config["temperature"], "temperature", 0.0, 2.0)?;
        between(&config["topP"], "top_p", 0.0, 1.0)?;
        between(&config["maxOutputTokens"], "max_output_tokens", 1.0, 1e9)?;
        let shaped =
            ["responseJsonSchema", "responseSchema"].iter().any(|it| !config[*it].is_null());
        if shaped && config["responseMimeType"] != "application/json" {
            return Err("response_schema: only with response_mime_type application/json".to_owned());
        }
        let thinking = &config["thinkingConfig"];
        if !thinking["thinkingBudget"].is_null() && !thinking["thinkingLevel"].is_null() {
            return Err(
                "You can only set only one of thinking budget and thinking level.".to_owned()
            );
        }
        if config["stopSequences"].as_array().is_some_and(|it| it.len() > 5) {
            return Err("stop_sequences: at most 5".to_owned());
        }
    }
    conversation(contents, model)
}

/// Checks a `countTokens` body.
///
/// # Errors
/// What the API would say.
pub fn countable(body: &Value) -> Result<(), String> {
    known(body, "request", &["contents", "generateContentRequest"])?;
    if body["generateContentRequest"].is_null() {
        filled(&body["contents"], "* CountTokensRequest.contents").map(|_| ())
    } else {
        filled(&body["generateContentRequest"]["contents"], "contents").map(|_| ())
    }
}

fn tools(body: &Value) -> Result<(), String> {
    let mut names = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        let of = ["functionDeclarations", "googleSearch", "codeExecution", "urlContext"];
        known(tool, "tools", &of)?;
        for it in tool["functionDeclarations"].as_array().into_iter().flatten() {
            let fields = ["name", "description", "parameters", "parametersJsonSchema", "behavior"];
            known(it, "function_declarations", &fields)?;
            let name = text(&it["name"], "function_declarations.name")?;
            named(name, "function_declarations.name", "_.:-", 64)?;
            if !name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') {
                return Err("function_declarations.name: must start with a letter".to_owned());
            }
            openapi(&it["parameters"])?;
            names.push(&it["name"]);
        }
    }
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let allowed = calling["allowedFunctionNames"].as_array();
    if allowed.is_some() && !matches!(calling["mode"].as_str(), Some("ANY" | "VALIDATED")) {
        return Err("allowed_function_names: only with mode ANY or VALIDATED".to_owned());
    }
    allowed.into_iter().flatten().try_for_each(|it| super::among(it, &names, "tool_config"))
}

/// A schema of the older kind knows only this much of JSON Schema.
fn openapi(schema: &Value) -> Result<(), String> {
    const FIELDS: [&str; 21] = [
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "example",
        "anyOf",
        "propertyOrdering",
        "default",
        "items",
        "minimum",
    ];
    let Some(object) = schema.as_object() else { return Ok(()) };
    if let Some(other) = object.keys().find(|it| *it != "maximum" && !FIELDS.contains(&it.as_str()))
    {
        return Err(format!("Invalid JSON payload received. Unknown name \"{other}\" at 'tools'"));
    }
    object
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .try_for_each(|(_, it)| openapi(it))?;
    openapi(&schema["items"])
}

fn conversation(contents: &[Value], model: &str) -> Result<(), String> {
    let mut called: Option<Vec<&str>> = None;
    for (at, content) in contents.iter().enumerate() {
        known(content, "contents", &["role", "parts"])?;
        let parts = filled(&content["parts"], &format!("contents[{at}].parts"))?;
        let role = content["role"].as_str().unwrap_or("user");
        if !["user", "model", "function"].contains(&role) {
            return Err("Please use a valid role: user, model.".to_owned());
        }
        for part in parts {
            one_part(part)?;
        }
        let calls: Vec<&str> =
            parts.iter().filter_map(|it| it["functionCall"]["name"].as_str()).collect();
        let results: Vec<&str> =
            parts.iter().filter_map(|it| it["functionResponse"]["name"].as_str()).collect();
        match called.take() {
            Some(names) if names.len() != results.len() => {
                return Err(
                    "Please ensure that the number of function response parts is equal to \
                            the number of function call parts of the function call turn."
                        .to_owned(),
                );
            }
            Some(names) if results.iter().any(|it| !names.contains(it)) => {
                return Err("a function response names no function that was called".to_owned());
            }
            None if !results.is_empty() => {
                return Err("Please ensure that function response turn comes immediately after a \
                            function call turn."
                    .to_owned());
            }
            Some(_) | None => {}
        }
        if !calls.is_empty() {
            signed(parts, model)?;
            called = Some(calls);
        }
    }
    Ok(())
}

/// Newer models want the state back that they gave with the first call of a turn.
fn signed(parts: &[Value], model: &str) -> Result<(), String> {
    let first = parts.iter().find(|it| !it["functionCall"].is_null());
    let signature = first.map_or(&Value::Null, |it| &it["thoughtSignature"]).as_str();
    match signature {
        Some(SIGNATURE | SKIPPED) => Ok(()),
        None if !model.starts_with("gemini-3") => Ok(()),
        None => {
            Err("Function call is missing a thought_signature in functionCall parts.".to_owned())
        }
        Some(_) => Err("Thought signature is not valid".to_owned()),
    }
}

fn one_part(part: &Value) -> Result<(), String> {
    const DATA: [&str; 7] = [
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
    ];
    let fields: Vec<&str> =
        DATA.into_iter().chain(["thought", "thoughtSignature", "videoMetadata"]).collect();
    let part = known(part, "parts", &fields)?;
    if DATA.iter().filter(|it| part.contains_key(**it)).count() != 1 {
        return Err("parts: required oneof field 'data' must have one initialized field".to_owned());
    }
    let state = part.get("thoughtSignature").and_then(Value::as_str);
    if part.contains_key("text") && state.is_some_and(|it| it != SIGNATURE) {
        return Err("Thought signature is not valid".to_owned());
    }
    if let Some(call) = part.get("functionCall") {
        known(call, "function_call", &["id", "name", "args"])?;
        if !call["args"].is_object() && !call["args"].is_null() {
            return Err("function_call.args: expected an object".to_owned());
        }
    }
    if let Some(result) = part.get("functionResponse") {
        known(result, "function_response", &["id", "name", "response", "parts"])?;
        text(&result["name"], "function_response.name: Name cannot be empty")?;
        if !result["response"].is_object() {
            return Err("function_response.response: expected an object".to_owned());
        }
    }
    if let Some(inline) = part.get("inlineData") {
        known(inline, "inline_data", &["mimeType", "data", "displayName"])?;
        text(&inline["mimeType"], "inline_data.mime_type")?;
        text(&inline["data"], "inline_data.data")?;
    }
    Ok(())
}
