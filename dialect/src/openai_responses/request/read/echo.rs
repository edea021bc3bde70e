//! What the answer repeats of a request, with all that clients look for in it.

use crate::{
    json::{Fields, Json, elements},
    openai_responses::wire::Echo,
};
use serde_json::value::RawValue;

/// The fields that the answer repeats.
pub(super) fn of(fields: &Fields<'_>) -> Vec<(String, Json)> {
    let said = |name: &'static str| {
        let raw = fields.get(name)?;
        let whole = match name {
            "reasoning" => with(raw, &[("effort", "null"), ("summary", "null")]),
            "text" => with(raw, &[("format", r#"{"type":"text"}"#)]),
            "tools" => tools(raw),
            _ => Some(raw.into()),
        };
        Some((name.to_owned(), whole?))
    };
    Echo::names().filter_map(said).collect()
}

/// The tools, of which functions have to say what they leave to the default.
fn tools(raw: &RawValue) -> Option<Json> {
    const FUNCTION: [(&str, &str); 3] =
        [("description", "null"), ("parameters", "null"), ("strict", "true")];
    let whole = |tool: &&RawValue| {
        let kind = Fields::parse(tool.get()).ok()?.text("type")?.into_owned();
        if kind == "function" { with(tool, &FUNCTION) } else { None }
    };
    let mut text = String::with_capacity(raw.get().len());
    for tool in elements(raw)? {
        text.push(if text.is_empty() { '[' } else { ',' });
        match whole(&tool) {
            Some(it) => text.push_str(it.as_str()),
            None => text.push_str(tool.get()),
        }
    }
    if text.is_empty() {
        text.push('[');
    }
    text.push(']');
    Json::parse(&text)
}

/// An object with these fields added, unless it has them.
fn with(raw: &RawValue, defaults: &[(&str, &str)]) -> Option<Json> {
    let fields = Fields::parse(raw.get()).ok()?;
    let inner = raw.get().strip_suffix('}')?.trim_end();
    let mut text = inner.to_owned();
    for (name, value) in defaults.iter().filter(|(name, _)| !fields.has(name)) {
        if !text.ends_with('{') {
            text.push(',');
        }
        text.push_str(&format!("\"{name}\":{value}"));
    }
    text.push('}');
    Json::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, name: &str, expected: &str) {
        let echo = of(&Fields::parse(body).unwrap());
        let found = echo.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn what_the_caller_left_to_the_default_is_said_and_all_else_stays_as_it_was() {
        check(r#"{"reasoning":{ }}"#, "reasoning", r#"{"effort":null,"summary":null}"#);
        check(
            r#"{"text":{"verbosity":"low" }}"#,
            "text",
            r#"{"verbosity":"low","format":{"type":"text"}}"#,
        );
        check(r#"{"tools":[]}"#, "tools", "[]");
        check(
            r#"{"tools":[{"type":"function","name":"f"},{"type":"web_search"}, 7]}"#,
            "tools",
            r#"[{"type":"function","name":"f","description":null,"parameters":null,"strict":true},{"type":"web_search"},7]"#,
        );
        check(r#"{"temperature":1.50}"#, "temperature", "1.50");
    }

    #[test]
    fn what_is_of_the_wrong_type_is_not_repeated() {
        for body in [r#"{"tools":7}"#, r#"{"text":[]}"#, r#"{"reasoning":null}"#, r#"{"x":1}"#] {
            assert!(of(&Fields::parse(body).unwrap()).is_empty(), "{body}");
        }
    }
}
