//! What the model may call: a caller's own functions, and tools that Anthropic defines.

use super::{cache_mark, required, reworded, within};
use crate::{
    chat::{Request, Tool, ToolChoice, ToolKind},
    json::{self, Fields, Json},
    translate::{Notes, Refused},
};
use serde_json::value::RawValue;

/// Takes `tools` and `tool_choice` out.
pub(super) fn read(
    fields: &mut Fields<'_>,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if let Some(raw) = fields.take("tools") {
        let tools = json::elements(raw);
        for raw in tools.ok_or_else(|| Refused::new("tools", "has to be an array"))? {
            read_tool(raw, request, notes)?;
        }
    }
    if let Some(raw) = fields.take("tool_choice") {
        let fields = Fields::parse(raw.get());
        let fields = fields.map_err(|_| Refused::new("tool_choice", "has to be an object"))?;
        choice(fields, request, notes)?;
    }
    Ok(())
}

/// Whose tool it is.
enum Family {
    /// The caller's, described in full.
    Own,
    /// The provider searches the web.
    WebSearch,
    /// The provider searches among deferred tools. All are sent, so nobody has to.
    ToolSearch,
    /// The provider runs it, and no other provider has it.
    Provider(&'static str),
    /// The caller runs it, but only Anthropic's models know what it takes.
    Known(&'static str),
    /// Nobody knows.
    Unknown,
}

fn family(kind: Option<&str>) -> Family {
    const PROVIDER: [&str; 5] =
        ["web_fetch", "code_execution", "mcp_toolset", "advisor", "computer_toolset"];
    const KNOWN: [&str; 5] = ["bash", "text_editor", "memory", "computer", "browser"];
    let Some(kind) = kind.filter(|it| *it != "custom") else { return Family::Own };
    let named = |names: [&'static str; 5]| names.into_iter().find(|it| kind.starts_with(it));
    if kind.starts_with("web_search") {
        Family::WebSearch
    } else if kind.starts_with("tool_search_tool") {
        Family::ToolSearch
    } else if let Some(name) = named(PROVIDER) {
        Family::Provider(name)
    } else {
        named(KNOWN).map_or(Family::Unknown, Family::Known)
    }
}

fn read_tool(raw: &RawValue, request: &mut Request, notes: &mut Notes) -> Result<(), Refused> {
    let fields = Fields::parse(raw.get());
    let mut fields = fields.map_err(|_| Refused::new("tools", "has to be an array of objects"))?;
    let kind: Option<String> = fields.take_as("type").map_err(within("tools"))?;
    let is_described = fields.get("name").is_some() && fields.get("input_schema").is_some();
    let refused = |reason: String| Err(Refused::new("tools.type", reason));
    match family(kind.as_deref()) {
        Family::Own => {}
        Family::WebSearch => {
            request.web_search = Some(Json::from(raw));
            return Ok(());
        }
        Family::ToolSearch => {
            notes.dropped("tools.tool_search_tool");
            return Ok(());
        }
        Family::Provider(_) | Family::Known(_) | Family::Unknown if is_described => {}
        Family::Provider(name) => {
            return refused(format!("the tool {name} is run by Anthropic, and only there"));
        }
        Family::Known(name) => {
            return refused(format!(
                "only Anthropic's models know the tool {name} without being told: \
                 give it a name and an input_schema"
            ));
        }
        Family::Unknown => {
            return refused("is not known: give the tool a name and an input_schema".to_owned());
        }
    }
    request.tools.push(function(fields, notes)?);
    Ok(())
}

fn function(mut fields: Fields<'_>, notes: &mut Notes) -> Result<Tool, Refused> {
    let place = within("tools");
    let name = fields.take_as("name").map_err(&place)?;
    let description = fields.take_as("description").map_err(&place)?;
    let schema = fields.take("input_schema").map(Json::from);
    if schema.as_ref().is_some_and(|it| !it.is_object()) {
        return Err(Refused::new("tools.input_schema", "has to be an object"));
    }
    let strict = fields.take_as("strict").map_err(&place)?;
    let cache = cache_mark(&mut fields, notes);
    if fields.take_as("defer_loading").map_err(&place)? == Some(true) {
        reworded("tools.defer_loading", notes);
    }
    // Only how the input is streamed.
    fields.take("eager_input_streaming");
    let callers = fields.take("allowed_callers").and_then(json::elements).unwrap_or_default();
    if callers.iter().any(|it| it.get() != "\"direct\"") {
        notes.dropped("tools.allowed_callers");
    }
    for (name, _) in fields.rest() {
        notes.dropped(format!("tools.{name}"));
    }
    let name = name.ok_or_else(|| required("tools.name"))?;
    let kind = ToolKind::Function { schema, strict };
    Ok(Tool { name, namespace: None, description, kind, cache })
}

fn choice(mut fields: Fields<'_>, request: &mut Request, notes: &mut Notes) -> Result<(), Refused> {
    let place = within("tool_choice");
    let kind: Option<String> = fields.take_as("type").map_err(&place)?;
    let name: Option<String> = fields.take_as("name").map_err(&place)?;
    if fields.take_as("disable_parallel_tool_use").map_err(&place)? == Some(true) {
        request.parallel_calls = Some(false);
    }
    for (name, _) in fields.rest() {
        notes.dropped(format!("tool_choice.{name}"));
    }
    let chosen = match kind.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => ToolChoice::One { name: name.ok_or_else(|| required("tool_choice.name"))? },
        Some(_) => {
            return Err(Refused::new("tool_choice.type", "has to be auto, any, tool or none"));
        }
        None => return Err(required("tool_choice.type")),
    };
    if is_web_search(&chosen, request) {
        // Elsewhere it is no tool that could be named.
        reworded("tool_choice", notes);
        return Ok(());
    }
    request.tool_choice = Some(chosen);
    Ok(())
}

/// Whether the web search, which has a name here, is what has to be called.
fn is_web_search(choice: &ToolChoice, request: &Request) -> bool {
    let searches = request.web_search.is_some();
    match choice {
        ToolChoice::One { name } => searches && request.tools.iter().all(|it| it.name != *name),
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Required | ToolChoice::Allowed { .. } => {
            false
        }
    }
}
