//! Writes what the model may call.

use crate::{
    chat::{Tool, ToolChoice, ToolKind},
    json::{Fields, Json},
    openai_responses::wire::{self, AllowedTool},
    translate::{How, Notes},
};
use serde_json::json;
use std::collections::BTreeSet;

/// All tools, the search in the web among them.
pub(super) fn write<'a>(
    tools: &'a [Tool],
    web_search: Option<&Json>,
    notes: &mut Notes,
) -> Vec<wire::Tool<'a>> {
    let tools = tools.iter().map(tool);
    tools.chain(web_search.map(|it| search(it, notes))).collect()
}

fn tool(tool: &Tool) -> wire::Tool<'_> {
    // Whatever is kept in a cache here is kept without being marked; namespaces are in the
    // names already.
    let Tool { name, namespace: _, description, kind, cache: _ } = tool;
    let description = description.as_deref();
    match kind {
        ToolKind::Function { schema, strict } => wire::Tool::Function {
            name,
            description,
            parameters: schema
                .clone()
                .unwrap_or_else(|| Json::of(&json!({"type": "object", "properties": {}}))),
            strict: strict.unwrap_or(false),
        },
        ToolKind::Custom { format } => {
            wire::Tool::Custom { name, description, format: format.as_ref() }
        }
    }
}

/// The search in the web, with what of its options can be said here.
fn search(options: &Json, notes: &mut Notes) -> wire::Tool<'static> {
    let mut fields = options.fields().unwrap_or_default();
    let (mut filters, mut size, mut location) = (None, None, None);
    if let Some(domains) = fields.take("allowed_domains") {
        filters = Json::parse(&format!("{{\"allowed_domains\":{}}}", domains.get()));
    }
    if let Some(raw) = fields.take("filters") {
        filters = Some(Json::from(raw));
    }
    if let Some(raw) = fields.take("search_context_size") {
        size = Some(Json::from(raw));
    }
    if let Some(raw) = fields.take("user_location") {
        location = Some(flat_location(&Json::from(raw)));
    }
    for name in ["type", "name"] {
        fields.take(name);
    }
    if fields.rest().next().is_some() {
        notes.add("web_search", How::Changed);
    }
    wire::Tool::WebSearch { filters, search_context_size: size, user_location: location }
}

/// Chat completions have one more level in it.
fn flat_location(location: &Json) -> Json {
    let inner = location.fields().and_then(|it| it.get("approximate").map(Json::from));
    let inner = inner.filter(|it| it.fields().is_some_and(|it: Fields<'_>| !it.has("type")));
    let Some(inner) = inner else { return location.clone() };
    let rest = inner.as_str().strip_prefix('{').unwrap_or_default().trim_start();
    let comma = if rest.starts_with('}') { "" } else { "," };
    Json::parse(&format!("{{\"type\":\"approximate\"{comma}{rest}")).unwrap_or(inner)
}

/// Whether and what has to be called; nothing where there is nothing to call.
pub(super) fn choice<'a>(choice: &'a ToolChoice, tools: &[Tool]) -> Option<wire::Choice<'a>> {
    let custom = tools.iter().filter(|it| matches!(it.kind, ToolKind::Custom { .. }));
    let custom: BTreeSet<_> = custom.map(|it| &it.name).collect();
    let one = |name: &'a String| {
        let kind = if custom.contains(name) { "custom" } else { "function" };
        AllowedTool { kind, name }
    };
    match choice {
        ToolChoice::Auto => (!tools.is_empty()).then_some(wire::Choice::Word("auto")),
        ToolChoice::None => (!tools.is_empty()).then_some(wire::Choice::Word("none")),
        ToolChoice::Required => Some(wire::Choice::Word("required")),
        ToolChoice::One { name } => Some(wire::Choice::One(one(name))),
        ToolChoice::Allowed { required, names } => Some(wire::Choice::Allowed {
            kind: "allowed_tools",
            mode: if *required { "required" } else { "auto" },
            tools: names.iter().map(one).collect(),
        }),
    }
}
