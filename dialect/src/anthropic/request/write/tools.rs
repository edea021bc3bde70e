//! What the model may call, and whether it has to.

use crate::{
    anthropic::wire::{CacheControl, Place, Tool, ToolChoice},
    chat::{self, Request, ToolKind},
    json::{Fields, Json},
    translate::{How, Notes, Refused, Target},
};
use domain::catalog::Quirk;
use serde_json::json;
use std::borrow::Cow;

/// The tools and which of them is to be called.
pub(super) fn write<'a>(
    request: &'a Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<(Vec<Tool<'a>>, Option<ToolChoice<'a>>), Refused> {
    let mut tools = Vec::with_capacity(request.tools.len());
    let allowed = request.allowed_tools();
    let is_allowed =
        |it: &&chat::Tool| allowed.as_ref().is_none_or(|names| names.contains(it.name.as_str()));
    for tool in request.tools.iter().filter(is_allowed) {
        tools.push(function(tool, target, notes)?);
    }
    if tools.is_empty() && !request.tools.is_empty() {
        return Err(Refused::new("tool_choice", "allows none of the tools"));
    }
    if let Some(options) = &request.web_search {
        tools.push(web_search(options, notes));
    }
    let choice = choice(request, !tools.is_empty(), target, notes);
    Ok((tools, choice))
}

fn function<'a>(
    tool: &'a chat::Tool,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Tool<'a>, Refused> {
    // A space of names is part of the name by now.
    let chat::Tool { name, namespace: _, description, kind, cache } = tool;
    let (input_schema, strict) = match kind {
        ToolKind::Function { schema: Some(schema), strict } => {
            (object_schema(schema, "tools.function.parameters")?, *strict)
        }
        ToolKind::Function { schema: None, strict } => {
            (Cow::Owned(Json::of(&json!({"type": "object", "properties": {}}))), *strict)
        }
        // Free text stands in the one field of an object.
        ToolKind::Custom { format: _ } => {
            let schema = json!({"type": "object", "properties": {"input": {"type": "string"}},
                "required": ["input"]});
            (Cow::Owned(Json::of(&schema)), None)
        }
    };
    let mut strict = strict == Some(true);
    if strict && target.quirks.has(Quirk::NoJsonSchema) {
        notes.dropped("tools.function.strict");
        strict = false;
    }
    let description = description.as_deref().filter(|it| !it.is_empty());
    let cache_control = cache.as_ref().map(CacheControl::new);
    Ok(Tool::Function { name, description, input_schema, strict, cache_control })
}

/// A schema that says it is of an object, as Anthropic wants it. `field` is to blame if it
/// is of something else.
pub(super) fn object_schema<'a>(
    schema: &'a Json,
    field: &'static str,
) -> Result<Cow<'a, Json>, Refused> {
    let refused = || Refused::new(field, "has to be a schema of type `object`");
    let mut fields = schema.fields().ok_or_else(refused)?;
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

/// The search of the web, with the options that both sides know, whoever wrote them.
fn web_search<'a>(options: &Json, notes: &mut Notes) -> Tool<'a> {
    notes.add("web_search", How::Changed);
    let mut fields = options.fields().unwrap_or_default();
    let filters = fields.take("filters").and_then(|it| Fields::parse(it.get()).ok());
    let mut filters = filters.unwrap_or_default();
    let mut domains = |name| {
        let plain = fields.take_as(name).ok().flatten();
        plain.or_else(|| filters.take_as(name).ok().flatten())
    };
    let (allowed_domains, blocked_domains) =
        (domains("allowed_domains"), domains("blocked_domains"));
    // Anthropic takes one of them.
    let blocked_domains = blocked_domains.filter(|_| allowed_domains.is_none());
    Tool::WebSearch {
        kind: "web_search_20250305",
        name: "web_search",
        max_uses: fields.take_as("max_uses").ok().flatten(),
        allowed_domains,
        blocked_domains,
        user_location: fields.take("user_location").and_then(|it| place(it.get())),
    }
}

fn place(text: &str) -> Option<Place> {
    let outer = Fields::parse(text).ok()?;
    // OpenAI chat has it one level further down.
    let inner = outer.get("approximate").and_then(|it| Fields::parse(it.get()).ok());
    let fields = inner.unwrap_or(outer);
    let text = |name| fields.text(name).map(Cow::into_owned);
    Some(Place {
        kind: "approximate",
        city: text("city"),
        region: text("region"),
        country: text("country"),
        timezone: text("timezone"),
    })
}

fn choice<'a>(
    request: &'a Request,
    any_tool: bool,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Option<ToolChoice<'a>> {
    let mut disable_parallel_tool_use = request.parallel_calls == Some(false);
    if !any_tool {
        // Without tools there is nothing to choose, and Anthropic refuses to hear of it.
        match &request.tool_choice {
            Some(chat::ToolChoice::Auto | chat::ToolChoice::None) | None => {}
            Some(
                chat::ToolChoice::Required
                | chat::ToolChoice::One { .. }
                | chat::ToolChoice::Allowed { .. },
            ) => notes.dropped("tool_choice"),
        }
        return None;
    }
    if disable_parallel_tool_use && target.quirks.has(Quirk::NoParallelFlag) {
        notes.dropped("parallel_tool_calls");
        disable_parallel_tool_use = false;
    }
    let (kind, name) = match &request.tool_choice {
        Some(chat::ToolChoice::None) => {
            return Some(ToolChoice { kind: "none", name: None, disable_parallel_tool_use: false });
        }
        Some(chat::ToolChoice::Auto) => ("auto", None),
        Some(chat::ToolChoice::Required) => ("any", None),
        Some(chat::ToolChoice::One { name }) => ("tool", Some(name.as_str())),
        Some(chat::ToolChoice::Allowed { required, names: _ }) => {
            // Only these are sent.
            notes.add("tool_choice", How::Changed);
            (if *required { "any" } else { "auto" }, None)
        }
        None if disable_parallel_tool_use => ("auto", None),
        None => return None,
    };
    Some(ToolChoice { kind, name, disable_parallel_tool_use })
}
