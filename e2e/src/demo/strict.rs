//! What the real APIs refuse: a sloppy translation fails here as it would there. Each
//! check gives the reason in the API's manner. Pure.

pub mod anthropic;
pub mod gemini;
pub mod openai;
pub mod responses;

use serde_json::{Map, Value};

/// The object's fields, if it has no other than these.
pub(crate) fn known<'a>(
    value: &'a Value,
    at: &str,
    fields: &[&str],
) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or_else(|| format!("{at}: expected an object"))?;
    match object.keys().find(|it| !fields.contains(&it.as_str())) {
        Some(other) => Err(format!("{at}: unknown field `{other}`")),
        None => Ok(object),
    }
}

/// The body with its fields' names in `camelCase`: Google reads either form, as protocol
/// buffers are written in JSON. What is the caller's own within it is left as it is.
pub(crate) fn camel(value: &Value) -> Value {
    const OWN: [&str; 6] = [
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
    ];
    if let Some(items) = value.as_array() {
        return items.iter().map(camel).collect();
    }
    let Some(fields) = value.as_object() else { return value.clone() };
    let fields = fields.iter().map(|(name, value)| {
        let name = camel_name(name);
        let own = OWN.contains(&name.as_str());
        let value = if own { value.clone() } else { camel(value) };
        (name, value)
    });
    Value::Object(fields.collect())
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|it| it.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// The array at a field, which has to be there and not to be empty.
pub(crate) fn filled<'a>(value: &'a Value, at: &str) -> Result<&'a [Value], String> {
    match value.as_array() {
        Some(items) if !items.is_empty() => Ok(items),
        Some(_) => Err(format!("{at}: must not be empty")),
        None => Err(format!("{at}: required")),
    }
}

/// The text at a field, which has to be there and not to be empty.
pub(crate) fn text<'a>(value: &'a Value, at: &str) -> Result<&'a str, String> {
    value.as_str().filter(|it| !it.is_empty()).ok_or_else(|| format!("{at}: required"))
}

/// A number at a field between two others, if there is one.
pub(crate) fn between(value: &Value, at: &str, least: f64, most: f64) -> Result<(), String> {
    match value.as_f64() {
        None if value.is_null() => Ok(()),
        Some(number) if (least..=most).contains(&number) => Ok(()),
        Some(_) | None => Err(format!("{at}: must be a number from {least} to {most}")),
    }
}

/// Whether all of a name's letters are allowed, and not too many.
pub(crate) fn named(name: &str, at: &str, more: &str, most: usize) -> Result<(), String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || more.contains(it);
    if !name.is_empty() && name.len() <= most && name.chars().all(fits) {
        return Ok(());
    }
    Err(format!("{at}: does not match the pattern of names"))
}

/// Whether a JSON schema is one that OpenAI promises to keep to: every property is required,
/// and there are no others.
pub(crate) fn keepable(schema: &Value, at: &str) -> Result<(), String> {
    if let Some(properties) = schema["properties"].as_object() {
        if schema["additionalProperties"] != false {
            return Err(format!("{at}: 'additionalProperties' is required to be false"));
        }
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in properties {
            if !required.contains(&name.as_str()) {
                return Err(format!("{at}: 'required' has to name every property: '{name}'"));
            }
            keepable(property, at)?;
        }
    }
    if schema["items"].is_object() { keepable(&schema["items"], at) } else { Ok(()) }
}

/// Whether a tool that the choice names is among these.
pub(crate) fn among(choice: &Value, names: &[&Value], at: &str) -> Result<(), String> {
    if choice.is_null() || names.contains(&choice) {
        return Ok(());
    }
    Err(format!("{at}: tool {choice} not found in 'tools'"))
}

#[cfg(test)]
mod tests;
