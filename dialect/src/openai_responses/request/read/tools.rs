//! Reads what the model may call, wherever in the request it stands.

use super::{leave, list, object, words};
use crate::{
    chat::{Tool, ToolChoice, ToolKind},
    json::{Fields, Json},
    translate::{Notes, Refused},
};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;

/// The tools that were found so far.
#[derive(Debug, Default)]
pub(super) struct Tools {
    list: Vec<Tool>,
    /// Namespace and name → place in the list. Clients name a tool again in each request
    /// of a conversation; the last definition holds.
    places: BTreeMap<(Option<String>, String), usize>,
    web_search: Option<Json>,
}

impl Tools {
    /// All of them, and the options of the search in the web.
    pub(super) fn finish(self) -> (Vec<Tool>, Option<Json>) {
        (self.list, self.web_search)
    }

    /// Reads a list of tools; gives their names.
    pub(super) fn read(
        &mut self,
        raw: &RawValue,
        notes: &mut Notes,
    ) -> Result<Vec<String>, Refused> {
        let mut names = Vec::new();
        for one in list(raw, "tools")? {
            let mut fields = object(one, "tools")?;
            let kind = words(&mut fields, "type", "tools.type")?.unwrap_or_default();
            match kind.as_str() {
                "namespace" => self.namespace(fields, &mut names, notes)?,
                "web_search" | "web_search_preview" => self.web_search = Some(object_of(fields)),
                // Dated names of the same.
                dated if dated.starts_with("web_search_") => {
                    self.web_search = Some(object_of(fields));
                }
                // It finds tools that are not told at once; these are told at once instead.
                "tool_search" => notes.dropped("tools.tool_search"),
                _ => names.push(self.one(&kind, fields, None, notes)?),
            }
        }
        Ok(names)
    }

    fn namespace(
        &mut self,
        mut fields: Fields<'_>,
        names: &mut Vec<String>,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        let name = needed(&mut fields, "name")?;
        if let Some(raw) = fields.take("tools") {
            for one in list(raw, "tools.tools")? {
                let mut inner = object(one, "tools.tools")?;
                let kind = words(&mut inner, "type", "tools.tools.type")?.unwrap_or_default();
                names.push(self.one(&kind, inner, Some(&name), notes)?);
            }
        }
        leave(fields, "tools.namespace", notes);
        Ok(())
    }

    fn one(
        &mut self,
        kind: &str,
        mut fields: Fields<'_>,
        namespace: Option<&str>,
        notes: &mut Notes,
    ) -> Result<String, Refused> {
        let kind = match kind {
            "function" => {
                let schema = fields.take("parameters").map(Json::from);
                if schema.as_ref().is_some_and(|it| !it.is_object()) {
                    return Err(Refused::new("tools.parameters", "has to be an object"));
                }
                let said: Option<bool> = fields.take_as("strict")?;
                // Unsaid it is kept to where its form allows; others want to be told.
                let fits = || schema.as_ref().is_some_and(|it| is_strict(&it.to_value()));
                let strict = said.or_else(|| fits().then_some(true));
                ToolKind::Function { schema, strict }
            }
            "custom" => {
                let format = fields.take("format");
                let is_text = |raw: &&RawValue| {
                    Fields::parse(raw.get())
                        .is_ok_and(|it| it.text("type").as_deref() == Some("text"))
                };
                ToolKind::Custom { format: format.filter(|it| !is_text(it)).map(Json::from) }
            }
            _ => {
                let reason = "names a tool that OpenAI runs, or that has a form of its own there: \
                              the provider asked here has none like it";
                return Err(Refused::new("tools.type", reason));
            }
        };
        let name = needed(&mut fields, "name")?;
        let description = words(&mut fields, "description", "tools.description")?;
        leave(fields, "tools", notes);
        let namespace = namespace.map(str::to_owned);
        let key = (namespace.clone(), name.clone());
        let tool = Tool { name: name.clone(), namespace, description, kind, cache: None };
        let place = *self.places.entry(key).or_insert(self.list.len());
        match self.list.get_mut(place) {
            Some(known) => *known = tool,
            None => self.list.push(tool),
        }
        Ok(name)
    }
}

/// Whether and what has to be called.
pub(super) fn choice(raw: &RawValue) -> Result<ToolChoice, Refused> {
    if let Some(word) = crate::json::text(raw) {
        return match word.as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(Refused::new("tool_choice", "is none that is known")),
        };
    }
    let mut fields = object(raw, "tool_choice")?;
    match fields.text("type").as_deref() {
        Some("function" | "custom") => Ok(ToolChoice::One { name: chosen(&fields)? }),
        Some("allowed_tools") => {
            let required = fields.text("mode").as_deref() == Some("required");
            let tools = fields.take("tools");
            let tools = tools.map(|it| list(it, "tool_choice.tools")).transpose()?;
            let name = |raw: &RawValue| {
                let inner = object(raw, "tool_choice.tools")?;
                match inner.text("type").as_deref() {
                    Some("function" | "custom") => chosen(&inner).map(Some),
                    // What is searched in the web is up to the provider.
                    Some(kind) if kind.starts_with("web_search") => Ok(None),
                    Some(_) | None => Err(foreign("tool_choice.tools")),
                }
            };
            let names: Result<Vec<_>, _> = tools
                .unwrap_or_default()
                .into_iter()
                .filter_map(|it| name(it).transpose())
                .collect();
            Ok(ToolChoice::Allowed { required, names: names? })
        }
        Some(_) | None => Err(foreign("tool_choice.type")),
    }
}

fn chosen(fields: &Fields<'_>) -> Result<String, Refused> {
    let name = fields.text("name").map(|it| it.into_owned());
    name.ok_or_else(|| Refused::new("tool_choice.name", "is missing"))
}

fn foreign(field: &str) -> Refused {
    Refused::new(field, "names a tool that OpenAI runs: the provider asked here has none like it")
}

fn needed(fields: &mut Fields<'_>, name: &str) -> Result<String, Refused> {
    let path = format!("tools.{name}");
    words(fields, name, &path)?.ok_or_else(|| Refused::new(path, "is missing"))
}

/// What is left of an object, as an object.
fn object_of(fields: Fields<'_>) -> Json {
    let mut text = String::from("{");
    for (name, value) in fields.rest() {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&Value::from(name).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    Json::parse(&text).unwrap_or_else(Json::empty_object)
}

/// Whether a schema has the form that strict providers insist on: each object says all its
/// properties, wants all of them and takes no others. What is read as a [`Value`] is never
/// nested deeper than `serde_json` reads it.
pub(in crate::openai_responses) fn is_strict(schema: &Value) -> bool {
    let Value::Object(fields) = schema else { return schema.is_boolean() };
    let is_object = fields.get("type").is_some_and(|it| match it {
        Value::String(word) => word == "object",
        Value::Array(words) => words.iter().any(|it| it == "object"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    });
    let properties = fields.get("properties").and_then(Value::as_object);
    if is_object || properties.is_some() {
        let required: std::collections::BTreeSet<_> = fields
            .get("required")
            .and_then(Value::as_array)
            .map(|it| it.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let all = properties.is_some_and(|it| it.keys().all(|key| required.contains(key.as_str())));
        if !all || fields.get("additionalProperties") != Some(&Value::Bool(false)) {
            return false;
        }
    }
    if ["oneOf", "allOf", "not", "if", "patternProperties"]
        .iter()
        .any(|it| fields.contains_key(*it))
    {
        return false;
    }
    let maps = ["properties", "$defs", "definitions"].into_iter();
    let inner = maps.filter_map(|it| fields.get(it)?.as_object()).flat_map(|it| it.values());
    let options = fields.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    inner.chain(options).chain(fields.get("items")).all(is_strict)
}
