//! Tools and the choice among them.

use crate::{
    chat::{Tool, ToolChoice, ToolKind},
    json::Json,
    openai_chat::wire::request as wire,
    translate::{How, Notes, Refused, Target},
};
use domain::catalog::Quirk;
use serde_json::json;
use std::{borrow::Cow, collections::BTreeSet};

/// Writes what the model may call, and whether it has to.
pub(super) fn write<'a>(
    tools: &'a [Tool],
    choice: Option<&'a ToolChoice>,
    parallel: Option<bool>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<wire::Tooling<'a>, Refused> {
    if tools.is_empty() {
        // Without tools servers refuse every word about them.
        let is_forced = !matches!(choice, None | Some(ToolChoice::Auto | ToolChoice::None));
        notes.dropped_if("tool_choice", &choice.filter(|_| is_forced));
        return Ok(wire::Tooling::default());
    }
    let may_be_called = allowed(choice, target, notes);
    let written = tools.iter().filter(|it| may_be_called(it)).map(|it| tool(it, target));
    let mut parallel_tool_calls = parallel.filter(|it| !*it);
    if target.quirks.has(Quirk::NoParallelFlag) {
        notes.dropped_if("parallel_tool_calls", &parallel_tool_calls.take());
    }
    Ok(wire::Tooling {
        tools: written.collect::<Result<_, _>>()?,
        tool_choice: choice.map(|it| chosen(it, &custom(tools), target)),
        parallel_tool_calls,
    })
}

/// Which tools are sent at all: where a choice of some cannot be said, only those.
fn allowed<'a>(
    choice: Option<&'a ToolChoice>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> impl Fn(&Tool) -> bool + 'a {
    let names = match choice {
        Some(ToolChoice::Allowed { names, .. }) if !says_allowed(target) => {
            notes.add("tool_choice", How::Emulated);
            Some(names.iter().map(String::as_str).collect::<BTreeSet<_>>())
        }
        Some(
            ToolChoice::Allowed { .. }
            | ToolChoice::Auto
            | ToolChoice::None
            | ToolChoice::Required
            | ToolChoice::One { .. },
        )
        | None => None,
    };
    move |tool| names.as_ref().is_none_or(|names| names.contains(tool.name.as_str()))
}

/// Only OpenAI itself knows `allowed_tools`.
const fn says_allowed(target: &Target<'_>) -> bool {
    target.quirks.has(Quirk::DeveloperRole)
}

fn tool<'a>(tool: &'a Tool, target: &Target<'_>) -> Result<wire::Tool<'a>, Refused> {
    // Namespaces are part of names by now.
    let Tool { name, namespace: _, description, kind, cache } = tool;
    let description = description.as_deref();
    let marks = target.quirks.has(Quirk::CacheControl);
    let cache_control = cache.as_ref().filter(|_| marks).map(wire::CacheControl::of);
    match kind {
        ToolKind::Function { schema, strict } => {
            let strict = *strict == Some(true);
            let parameters =
                schema.as_ref().map_or_else(|| Cow::Owned(no_arguments(strict)), Cow::Borrowed);
            let function = wire::Function { name, description, parameters, strict };
            let function = Some(function);
            Ok(wire::Tool { kind: "function", function, custom: None, cache_control })
        }
        ToolKind::Custom { format } if target.quirks.has(Quirk::CustomTools) => {
            let format = format.as_ref().map(nested);
            let custom = Some(wire::Custom { name, description, format });
            Ok(wire::Tool { kind: "custom", function: None, custom, cache_control })
        }
        ToolKind::Custom { .. } => {
            Err(Refused::new("tools", "that take free text are not known to this model"))
        }
    }
}

/// The schema of no arguments; strict ones have to exclude all others.
fn no_arguments(strict: bool) -> Json {
    let mut schema = json!({"type": "object", "properties": {}});
    if strict && let Some(fields) = schema.as_object_mut() {
        fields.insert("additionalProperties".to_owned(), false.into());
    }
    Json::of(&schema)
}

/// A grammar as chat has it: one level deeper than in responses.
fn nested(format: &Json) -> Json {
    let Some(mut fields) = format.fields() else { return format.clone() };
    let is_flat = fields.text("type").as_deref() == Some("grammar") && !fields.has("grammar");
    if !is_flat {
        return format.clone();
    }
    let mut text = |name| fields.take(name).map(|it| Json::from(it).to_value());
    let (syntax, definition) = (text("syntax"), text("definition"));
    let grammar = json!({"definition": definition, "syntax": syntax});
    Json::of(&json!({"type": "grammar", "grammar": grammar}))
}

fn chosen<'a>(
    choice: &'a ToolChoice,
    custom: &BTreeSet<&str>,
    target: &Target<'_>,
) -> wire::Choice<'a> {
    match choice {
        ToolChoice::Auto => wire::Choice::Word("auto"),
        ToolChoice::None => wire::Choice::Word("none"),
        ToolChoice::Required => wire::Choice::Word("required"),
        ToolChoice::One { name } => wire::Choice::One(by_name(name, custom)),
        ToolChoice::Allowed { required, names } => {
            let mode = if *required { "required" } else { "auto" };
            if !says_allowed(target) {
                return wire::Choice::Word(mode);
            }
            let tools = names.iter().map(|it| by_name(it, custom)).collect();
            let allowed_tools = wire::Allowed { mode, tools };
            wire::Choice::Allowed { kind: "allowed_tools", allowed_tools }
        }
    }
}

fn by_name<'a>(name: &'a str, custom: &BTreeSet<&str>) -> wire::Chosen<'a> {
    let name = wire::Name { name };
    if custom.contains(name.name) {
        wire::Chosen { kind: "custom", function: None, custom: Some(name) }
    } else {
        wire::Chosen { kind: "function", function: Some(name), custom: None }
    }
}

/// The tools that take free text, by name.
pub(super) fn custom(tools: &[Tool]) -> BTreeSet<&str> {
    let custom = tools.iter().filter(|it| matches!(it.kind, ToolKind::Custom { .. }));
    custom.map(|it| it.name.as_str()).collect()
}
