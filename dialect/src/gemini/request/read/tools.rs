//! What a caller's model may call, and whether it has to.

use super::schema;
use crate::{
    chat::{Request, Tool, ToolChoice, ToolKind},
    gemini::wire::object::Object,
    json::Json,
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;

/// Reads `tools`. What Google runs by itself, but for its search, nobody else can.
pub(super) fn read(
    tools: &[&RawValue],
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    for raw in tools {
        let mut tool = Object::of(raw, "tools")?;
        for raw in tool.list("functionDeclarations") {
            request.tools.push(function(raw, notes)?);
        }
        for name in ["googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"] {
            if let Some(options) = tool.json(name) {
                request.web_search = Some(options);
            }
        }
        if let Some((name, _)) = tool.rest().next() {
            let reason = "is run by Google itself, and no other provider has it: leave it out";
            return Err(Refused::new(name, reason));
        }
    }
    Ok(())
}

fn function(raw: &RawValue, notes: &mut Notes) -> Result<Tool, Refused> {
    const PATH: &str = "tools.functionDeclarations";
    const PARAMETERS: &str = "tools.functionDeclarations.parameters";
    let mut function = Object::of(raw, PATH)?;
    let name = function.text("name")?.filter(|it| !it.is_empty());
    let Some(name) = name else {
        return Err(Refused::new("tools.functionDeclarations.name", "is missing"));
    };
    let description = function.text("description")?;
    let openapi = function.take("parameters");
    let schema = match function.json("parametersJsonSchema") {
        Some(schema) => Some(schema),
        None => openapi.map(|it| schema::from_openapi(it, PARAMETERS)).transpose()?,
    };
    if schema.as_ref().is_some_and(|it| !it.is_object()) {
        return Err(Refused::new(PARAMETERS, "is no schema"));
    }
    // The usual: a call is waited for.
    if function.text("behavior")?.is_some_and(|it| it != "BLOCKING") {
        notes.dropped("tools.functionDeclarations.behavior");
    }
    function.drop_rest(notes);
    let kind = ToolKind::Function { schema, strict: None };
    Ok(Tool { name, namespace: None, description, kind, cache: None })
}

/// Reads `toolConfig`.
pub(super) fn choice(
    mut config: Object<'_>,
    notes: &mut Notes,
) -> Result<Option<ToolChoice>, Refused> {
    const PATH: &str = "toolConfig.functionCallingConfig";
    let calling = config.object("functionCallingConfig", PATH)?;
    config.drop_rest(notes);
    let Some(mut calling) = calling else { return Ok(None) };
    let mode = calling.text("mode")?.unwrap_or_default().to_ascii_uppercase();
    let mut names = calling.texts("allowedFunctionNames")?;
    if calling.flag("streamFunctionCallArguments")?.unwrap_or(false) {
        notes.dropped("toolConfig.functionCallingConfig.streamFunctionCallArguments");
    }
    calling.drop_rest(notes);
    Ok(Some(match mode.as_str() {
        "" | "MODE_UNSPECIFIED" => return Ok(None),
        "AUTO" => ToolChoice::Auto,
        "NONE" => ToolChoice::None,
        "ANY" => match names.len() {
            0 => ToolChoice::Required,
            1 => ToolChoice::One { name: names.pop().unwrap_or_default() },
            _ => ToolChoice::Allowed { required: true, names },
        },
        "VALIDATED" if names.is_empty() => {
            notes.add("toolConfig.functionCallingConfig.mode", How::Changed);
            ToolChoice::Auto
        }
        "VALIDATED" => ToolChoice::Allowed { required: false, names },
        _ => {
            let reason = "is neither `AUTO`, `ANY`, `NONE` nor `VALIDATED`";
            return Err(Refused::new("toolConfig.functionCallingConfig.mode", reason));
        }
    }))
}

/// A schema for an answer, in Google's words.
pub(super) fn answer(raw: &RawValue) -> Result<Json, Refused> {
    schema::from_openapi(raw, "generationConfig.responseSchema")
}
