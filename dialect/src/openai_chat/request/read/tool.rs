//! Tools and the choice among them: nested as chat has them, flat as responses have them,
//! with an `input_schema` as Anthropic has them, and the `functions` of old.

use super::{Asked, leave, object, part};
use crate::{
    chat::{Request, Tool, ToolChoice, ToolKind},
    json::{self, Fields, Json},
    translate::{Notes, Refused},
};
use serde_json::{Map, Value, value::RawValue};

/// Takes everything about tools.
pub(super) fn read(
    fields: &mut Fields<'_>,
    request: &mut Request,
    asked: &mut Asked,
    notes: &mut Notes,
) -> Result<(), Refused> {
    request.web_search = fields.take("web_search_options").map(Json::from);
    if let Some(raw) = fields.take("tools") {
        let Some(tools) = json::elements(raw) else {
            return Err(Refused::new("tools", "must be an array of tools"));
        };
        for raw in tools {
            tool(raw, request, notes)?;
        }
    }
    request.parallel_calls = fields.take_as("parallel_tool_calls")?;
    if let Some(raw) = fields.take("functions") {
        let Some(functions) = json::elements(raw) else {
            return Err(Refused::new("functions", "must be an array of functions"));
        };
        for raw in functions {
            let fields = object(raw, "functions")?;
            request.tools.push(function(fields, "functions", "parameters", notes)?);
        }
        asked.functions = true;
        // There is room for one call only.
        request.parallel_calls = Some(false);
    }
    for tool in &request.tools {
        if matches!(tool.kind, ToolKind::Custom { .. }) {
            asked.custom.insert(tool.name.clone());
        }
    }
    let old = fields.take("function_call").map(|it| choice(it, "function_call", request));
    let new = fields.take("tool_choice").map(|it| choice(it, "tool_choice", request));
    request.tool_choice = new.or(old).transpose()?;
    Ok(())
}

fn tool(raw: &RawValue, request: &mut Request, notes: &mut Notes) -> Result<(), Refused> {
    let mut fields = object(raw, "tools")?;
    let kind: String = fields.take_as("type")?.unwrap_or_default();
    let cache = part::cache_mark(&mut fields, "tools.", notes);
    let mut tool = match kind.as_str() {
        "" | "custom" if fields.has("input_schema") => {
            function(fields, "tools", "input_schema", notes)?
        }
        "function" | "" => match fields.take("function") {
            Some(raw) => {
                leave(fields, "tools", notes);
                function(object(raw, "tools.function")?, "tools.function", "parameters", notes)?
            }
            None => function(fields, "tools", "parameters", notes)?,
        },
        "custom" => match fields.take("custom") {
            Some(raw) => {
                leave(fields, "tools", notes);
                custom(object(raw, "tools.custom")?, "tools.custom", notes)?
            }
            None => custom(fields, "tools", notes)?,
        },
        "web_search" | "web_search_preview" => {
            request.web_search = Some(Json::from(raw));
            return Ok(());
        }
        _ => {
            let reason = "is of a kind that only its own provider can run";
            return Err(Refused::new("tools.type", reason));
        }
    };
    tool.cache = tool.cache.or(cache);
    request.tools.push(tool);
    Ok(())
}

fn function(
    mut fields: Fields<'_>,
    place: &str,
    schema: &str,
    notes: &mut Notes,
) -> Result<Tool, Refused> {
    let tool = Tool {
        name: name(&mut fields, place)?,
        namespace: None,
        description: fields.take_as("description")?,
        kind: ToolKind::Function {
            schema: fields.take(schema).map(Json::from),
            strict: fields.take_as("strict")?,
        },
        cache: part::cache_mark(&mut fields, "tools.", notes),
    };
    leave(fields, place, notes);
    Ok(tool)
}

fn custom(mut fields: Fields<'_>, place: &str, notes: &mut Notes) -> Result<Tool, Refused> {
    let tool = Tool {
        name: name(&mut fields, place)?,
        namespace: None,
        description: fields.take_as("description")?,
        kind: ToolKind::Custom { format: fields.take("format").and_then(grammar) },
        cache: None,
    };
    leave(fields, place, notes);
    Ok(tool)
}

/// The grammar in the flat form of responses, which is the common one; `None`: any text.
fn grammar(raw: &RawValue) -> Option<Json> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    if fields.text("type").as_deref() == Some("text") {
        return None;
    }
    let Some(inner) = fields.take("grammar") else { return Some(Json::from(raw)) };
    let mut flat = Map::new();
    flat.insert("type".to_owned(), Value::from("grammar"));
    for (key, value) in Fields::parse(inner.get()).ok()?.rest() {
        flat.insert(key.into_owned(), Json::from(value).to_value());
    }
    Some(Json::of(&Value::Object(flat)))
}

fn name(fields: &mut Fields<'_>, place: &str) -> Result<String, Refused> {
    let name: String = fields.take_as("name")?.unwrap_or_default();
    let missing = || Refused::new(format!("{place}.name"), "is missing");
    if name.is_empty() { Err(missing()) } else { Ok(name) }
}

/// A choice in any of its forms.
fn choice(raw: &RawValue, field: &str, request: &mut Request) -> Result<ToolChoice, Refused> {
    if let Some(word) = json::text(raw) {
        return match &*word {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(Refused::new(field, "must be `auto`, `none`, `required` or a tool")),
        };
    }
    let mut fields = object(raw, field)?;
    // Anthropic's way of asking for one call at a time.
    if fields.take_as("disable_parallel_tool_use")? == Some(true) {
        request.parallel_calls = Some(false);
    }
    match fields.text("type").as_deref() {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required" | "any") => Ok(ToolChoice::Required),
        Some("function" | "custom" | "tool") | None => match chosen(&fields) {
            Some(name) => Ok(ToolChoice::One { name }),
            None => Err(Refused::new(field, "names no tool")),
        },
        Some("allowed_tools") => allowed(&fields, field),
        Some(_) => Err(Refused::new(field, "is of a kind that only its own provider knows")),
    }
}

/// The tool that an object names.
fn chosen(fields: &Fields<'_>) -> Option<String> {
    let inner = fields.get("function").or_else(|| fields.get("custom"));
    let name = match inner {
        Some(raw) => Fields::parse(raw.get()).ok()?.text("name")?.into_owned(),
        None => fields.text("name")?.into_owned(),
    };
    (!name.is_empty()).then_some(name)
}

fn allowed(fields: &Fields<'_>, field: &str) -> Result<ToolChoice, Refused> {
    let inner = match fields.get("allowed_tools") {
        Some(raw) => object(raw, field)?,
        None => fields.clone(),
    };
    let required = match inner.text("mode").as_deref() {
        Some("auto") | None => false,
        Some("required") => true,
        Some(_) => return Err(Refused::new(field, "must have the mode `auto` or `required`")),
    };
    let tools = inner.get("tools").and_then(json::elements).unwrap_or_default();
    let name = |raw: &RawValue| chosen(&Fields::parse(raw.get()).ok()?);
    let names = tools.into_iter().map(name).collect::<Option<Vec<_>>>();
    match names.filter(|it| !it.is_empty()) {
        Some(names) => Ok(ToolChoice::Allowed { required, names }),
        None => Err(Refused::new(field, "names no tools, or others than functions")),
    }
}
