//! What the model may call, and whether it has to.

use crate::{
    chat::{Tool, ToolChoice, ToolKind},
    json::Json,
    translate::{How, Notes},
};
use serde::Serialize;
use serde_json::json;
use std::borrow::Cow;

/// Functions, or Google's search: never both in one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Tools<'a> {
    /// What the caller runs.
    FunctionDeclarations(Vec<Function<'a>>),
    /// What Google runs.
    GoogleSearch {},
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// Not `parameters`, which knows only a part of JSON schema and refuses the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Cow<'a, Json>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<&'a str>,
}

/// Writes `tools`.
pub(super) fn write<'a>(
    tools: &'a [Tool],
    web_search: Option<&Json>,
    notes: &mut Notes,
) -> Vec<Tools<'a>> {
    let functions: Vec<_> = tools.iter().map(|it| function(it, notes)).collect();
    match (functions.is_empty(), web_search) {
        (true, None) => Vec::new(),
        (true, Some(options)) => {
            let has_options = options.fields().is_some_and(|it| it.rest().next().is_some());
            if has_options {
                notes.add("web_search", How::Changed);
            }
            vec![Tools::GoogleSearch {}]
        }
        (false, None) => vec![Tools::FunctionDeclarations(functions)],
        (false, Some(_)) => {
            // Google refuses its search beside functions.
            notes.dropped("web_search");
            vec![Tools::FunctionDeclarations(functions)]
        }
    }
}

fn function<'a>(tool: &'a Tool, notes: &mut Notes) -> Function<'a> {
    // A namespace stands in the name already; prompts are cached without being told.
    let Tool { name, namespace: _, description, kind, cache: _ } = tool;
    let schema = match kind {
        ToolKind::Function { schema, strict } => {
            if *strict == Some(true) {
                notes.dropped("tools.strict");
            }
            schema.as_ref().map(Cow::Borrowed)
        }
        ToolKind::Custom { format: _ } => {
            notes.add("tools", How::Emulated);
            let input = json!({"type": "string"});
            let schema = json!({
                "type": "object", "properties": {"input": input}, "required": ["input"],
            });
            Some(Cow::Owned(Json::of(&schema)))
        }
    };
    let description = description.as_deref().filter(|it| !it.is_empty());
    Function { name, description, parameters_json_schema: schema }
}

/// Writes `toolConfig`. Without functions there is nothing to choose.
pub(super) fn config<'a>(
    tools: &[Tool],
    choice: Option<&'a ToolChoice>,
    notes: &mut Notes,
) -> Option<Config<'a>> {
    if tools.is_empty() {
        return None;
    }
    let (mode, allowed_function_names) = match choice? {
        ToolChoice::Auto => ("AUTO", Vec::new()),
        ToolChoice::None => ("NONE", Vec::new()),
        ToolChoice::Required => ("ANY", Vec::new()),
        ToolChoice::One { name } => ("ANY", vec![name.as_str()]),
        ToolChoice::Allowed { required, names } => {
            if !required {
                // Among these names only this mode lets the model answer in words.
                notes.add("tool_choice", How::Changed);
            }
            let mode = if *required { "ANY" } else { "VALIDATED" };
            (mode, names.iter().map(String::as_str).collect())
        }
    };
    Some(Config { function_calling_config: Calling { mode, allowed_function_names } })
}
