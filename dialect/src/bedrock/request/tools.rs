//! What the model may call, and whether it has to.

use super::super::{
    family::Family,
    wire::{InputSchema, Tool, ToolChoice, ToolConfig, ToolSpec},
};
use super::blocks;
use crate::{
    chat::{self, Content, Request, ToolKind},
    json::{Fields, Json},
    translate::{How, Notes, Refused, Target},
};
use serde_json::json;
use std::{borrow::Cow, collections::BTreeSet};

impl ToolConfig<'_> {
    /// Whether the model has to call something.
    pub(super) fn forces(&self) -> bool {
        match self.tool_choice {
            Some(ToolChoice::Any {} | ToolChoice::Tool { .. }) => true,
            Some(ToolChoice::Auto {}) | None => false,
        }
    }
}

/// The tools and which of them is to be called. `in_history`: there were calls before.
pub(super) fn write<'a>(
    request: &'a Request,
    target: &Target<'_>,
    in_history: bool,
    notes: &mut Notes,
) -> Result<Option<ToolConfig<'a>>, Refused> {
    let family = Family::of(target.model);
    let mut tools = Vec::with_capacity(request.tools.len());
    let allowed = request.allowed_tools();
    let is_allowed = |it: &&chat::Tool| allowed.as_ref().is_none_or(|all| all.contains(&*it.name));
    for tool in request.tools.iter().filter(is_allowed) {
        tools.push(Tool::ToolSpec(spec(tool, target, notes)?));
        let mark = tool.cache.as_ref().and_then(|it| blocks::cache_point(it, family, notes));
        tools.extend(mark.map(Tool::CachePoint));
    }
    if tools.is_empty() && !request.tools.is_empty() {
        return Err(Refused::new("tool_choice", "allows none of the tools"));
    }
    if tools.is_empty() {
        match &request.tool_choice {
            Some(chat::ToolChoice::Auto | chat::ToolChoice::None) | None => {}
            Some(
                chat::ToolChoice::Required
                | chat::ToolChoice::One { .. }
                | chat::ToolChoice::Allowed { .. },
            ) => notes.dropped("tool_choice"),
        }
        return Ok(in_history.then(|| called_before(request, notes)));
    }
    let tool_choice = match &request.tool_choice {
        // "Nothing" cannot be said. Where no calls were made the tools can be left out.
        Some(chat::ToolChoice::None) if !in_history => {
            notes.add("tool_choice", How::Emulated);
            return Ok(None);
        }
        Some(chat::ToolChoice::None) => {
            notes.dropped("tool_choice");
            None
        }
        Some(chat::ToolChoice::Auto) => Some(ToolChoice::Auto {}),
        Some(chat::ToolChoice::Required) => Some(ToolChoice::Any {}),
        Some(chat::ToolChoice::One { name }) => Some(ToolChoice::Tool { name }),
        Some(chat::ToolChoice::Allowed { required, names: _ }) => {
            // Only these are sent.
            notes.add("tool_choice", How::Changed);
            Some(if *required { ToolChoice::Any {} } else { ToolChoice::Auto {} })
        }
        None => None,
    };
    Ok(Some(ToolConfig { tools, tool_choice }))
}

/// A tool that has to be called and stands for the form of the answer.
pub(super) fn emulation<'a>(
    name: &'a str,
    description: Option<&'a str>,
    schema: &'a Json,
) -> Result<ToolConfig<'a>, Refused> {
    let json = object_schema(schema, "response_format.json_schema.schema")?;
    let description = description.filter(|it| !it.is_empty());
    let spec = ToolSpec { name, description, input_schema: InputSchema { json }, strict: false };
    let tool_choice = Some(ToolChoice::Tool { name });
    Ok(ToolConfig { tools: vec![Tool::ToolSpec(spec)], tool_choice })
}

fn spec<'a>(
    tool: &'a chat::Tool,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<ToolSpec<'a>, Refused> {
    // A space of names is part of the name by now.
    let chat::Tool { name, namespace: _, description, kind, cache: _ } = tool;
    let (json, strict) = match kind {
        ToolKind::Function { schema: Some(schema), strict } => {
            (object_schema(schema, "tools.function.parameters")?, *strict)
        }
        ToolKind::Function { schema: None, strict } => (Cow::Owned(no_arguments()), *strict),
        // Free text stands in the one field of an object.
        ToolKind::Custom { format: _ } => {
            let schema = json!({"type": "object", "properties": {"input": {"type": "string"}},
                "required": ["input"]});
            (Cow::Owned(Json::of(&schema)), None)
        }
    };
    let mut strict = strict == Some(true);
    if strict && !Family::of(target.model).knows_schemas(target) {
        notes.dropped("tools.function.strict");
        strict = false;
    }
    let description = description.as_deref().filter(|it| !it.is_empty());
    Ok(ToolSpec { name, description, input_schema: InputSchema { json }, strict })
}

fn no_arguments() -> Json {
    Json::of(&json!({"type": "object", "properties": {}}))
}

/// Calls in a conversation are refused without tools: those that were called stand for
/// them.
fn called_before<'a>(request: &'a Request, notes: &mut Notes) -> ToolConfig<'a> {
    notes.add("tools", How::Emulated);
    let mut names = BTreeSet::new();
    let parts = request.turns.iter().flat_map(|it| &it.parts);
    for part in parts {
        match &part.content {
            Content::Call(it) => names.insert(it.name.as_str()),
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Thinking(_)
            | Content::Result(_) => continue,
        };
    }
    if names.is_empty() {
        names.insert("tool");
    }
    let tool = |name| {
        let input_schema = InputSchema { json: Cow::Owned(no_arguments()) };
        Tool::ToolSpec(ToolSpec { name, description: None, input_schema, strict: false })
    };
    ToolConfig { tools: names.into_iter().map(tool).collect(), tool_choice: None }
}

/// A schema that says it is of an object. `field` is to blame if it is of something else.
fn object_schema<'a>(schema: &'a Json, field: &'static str) -> Result<Cow<'a, Json>, Refused> {
    let refused = || Refused::new(field, "has to be a schema of type `object`");
    let mut fields: Fields<'_> = schema.fields().ok_or_else(refused)?;
    if fields.text("type").as_deref() == Some("object") {
        return Ok(Cow::Borrowed(schema));
    }
    if let Some(kinds) = fields.take_as::<Vec<String>>("type").map_err(|_| refused())?
        && !kinds.iter().any(|it| it == "object")
    {
        return Err(refused());
    }
    let mut text = r#"{"type":"object""#.to_owned();
    for (name, value) in fields.rest() {
        text.push(',');
        text.push_str(Json::of(&json!(name)).as_str());
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    Json::parse(&text).map(Cow::Owned).ok_or_else(refused)
}
