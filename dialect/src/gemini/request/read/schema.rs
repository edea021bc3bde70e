//! Schemas in Google's subset of OpenAPI, made into JSON schema. The order of fields and
//! what is not told otherwise stay as they are.

use crate::{
    json::{Fields, Json, elements, text},
    translate::Refused,
};
use serde_json::{Value, value::RawValue};

/// How deep schemas may be nested.
const MAX_DEPTH: usize = 64;

/// The JSON schema that says what `raw` says.
///
/// # Errors
/// When it is nested too deep.
pub(super) fn from_openapi(raw: &RawValue, field: &str) -> Result<Json, Refused> {
    let mut out = String::with_capacity(raw.get().len());
    let done = schema(raw, MAX_DEPTH, &mut out);
    let json = done.and_then(|()| Json::parse(&out));
    json.ok_or_else(|| Refused::new(field, "is nested too deep"))
}

fn schema(raw: &RawValue, depth: usize, out: &mut String) -> Option<()> {
    let deeper = depth.checked_sub(1)?;
    // A schema may also be `true` or `false`.
    let Ok(fields) = Fields::parse(raw.get()) else {
        out.push_str(raw.get());
        return Some(());
    };
    let is_true = |name: &str| fields.get(name).is_some_and(|it| it.get() == "true");
    let nullable = is_true("nullable");
    let has_type = fields.get("type").is_some();
    let mut list = List::open(out, '{');
    for (key, value) in fields.rest() {
        match key.as_ref() {
            "nullable" | "propertyOrdering" | "property_ordering" => {}
            // Says only that there is an `enum`.
            "format" if text(value).as_deref() == Some("enum") => {}
            "type" => {
                if let Some(word) = kind(value, nullable) {
                    list.field("type", out);
                    out.push_str(&word);
                }
            }
            "enum" => {
                list.field("enum", out);
                words(value, nullable && has_type, out);
            }
            "example" => {
                list.field("examples", out);
                out.push_str(&format!("[{}]", value.get()));
            }
            "properties" | "defs" | "$defs" | "patternProperties" => {
                list.field(if key == "defs" { "$defs" } else { &key }, out);
                named(value, deeper, out)?;
            }
            "items" | "additionalProperties" | "additional_properties" | "not" => {
                list.field(&camel(&key), out);
                schema(value, deeper, out)?;
            }
            "anyOf" | "any_of" | "oneOf" | "allOf" | "prefixItems" => {
                list.field(&camel(&key), out);
                let null = nullable && !has_type && matches!(key.as_ref(), "anyOf" | "any_of");
                several(value, null, deeper, out)?;
            }
            "ref" => {
                list.field("$ref", out);
                out.push_str(value.get());
            }
            _ => {
                list.field(&camel(&key), out);
                out.push_str(&number(&key, value));
            }
        }
    }
    list.close('}', out);
    Some(())
}

/// Schemas by name. The names are the caller's own.
fn named(raw: &RawValue, depth: usize, out: &mut String) -> Option<()> {
    let Ok(fields) = Fields::parse(raw.get()) else {
        out.push_str(raw.get());
        return Some(());
    };
    let mut list = List::open(out, '{');
    for (name, value) in fields.rest() {
        list.field(&name, out);
        schema(value, depth, out)?;
    }
    list.close('}', out);
    Some(())
}

fn several(raw: &RawValue, null: bool, depth: usize, out: &mut String) -> Option<()> {
    let Some(all) = elements(raw) else {
        out.push_str(raw.get());
        return Some(());
    };
    let mut list = List::open(out, '[');
    for one in all {
        list.next(out);
        schema(one, depth, out)?;
    }
    if null {
        list.next(out);
        out.push_str(r#"{"type":"null"}"#);
    }
    list.close(']', out);
    Some(())
}

/// A type's name in lower case. Several names, or what is none, stay as they are.
fn kind(raw: &RawValue, nullable: bool) -> Option<String> {
    let Some(word) = text(raw) else { return Some(raw.get().to_owned()) };
    let word = word.to_ascii_lowercase();
    if matches!(word.as_str(), "" | "type_unspecified") {
        return None;
    }
    let quoted = Value::from(word.as_str()).to_string();
    let is_both = nullable && word != "null";
    Some(if is_both { format!("[{quoted},\"null\"]") } else { quoted })
}

fn words(raw: &RawValue, null: bool, out: &mut String) {
    match elements(raw) {
        Some(all) if null => {
            let mut list = List::open(out, '[');
            for word in all.iter().map(|it| it.get()).chain(["null"]) {
                list.next(out);
                out.push_str(word);
            }
            list.close(']', out);
        }
        Some(_) | None => out.push_str(raw.get()),
    }
}

/// Google writes whole numbers as texts.
fn number(key: &str, raw: &RawValue) -> String {
    const COUNTS: [&str; 6] =
        ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];
    let is_count = COUNTS.contains(&camel(key).as_str());
    let told = if is_count { text(raw) } else { None };
    let told = told.filter(|it| it.parse::<u64>().is_ok());
    told.map_or_else(|| raw.get().to_owned(), Into::into)
}

/// The names of schemas' fields that Google's parser takes with underscores too.
fn camel(key: &str) -> String {
    const PLAIN: [&str; 8] = [
        "any_of",
        "additional_properties",
        "min_items",
        "max_items",
        "min_length",
        "max_length",
        "min_properties",
        "max_properties",
    ];
    if !PLAIN.contains(&key) {
        return key.to_owned();
    }
    let mut words = key.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (head, tail) = word.split_at_checked(1).unwrap_or((word, ""));
        camel.push_str(&head.to_ascii_uppercase());
        camel.push_str(tail);
    }
    camel
}

/// A list that is being written.
struct List {
    is_first: bool,
}

impl List {
    fn open(out: &mut String, bracket: char) -> Self {
        out.push(bracket);
        Self { is_first: true }
    }

    fn next(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.is_first) {
            out.push(',');
        }
    }

    fn field(&mut self, name: &str, out: &mut String) {
        self.next(out);
        out.push_str(&Value::from(name).to_string());
        out.push(':');
    }

    fn close(self, bracket: char, out: &mut String) {
        out.push(bracket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(openapi: &str, expected: &str) {
        let raw: &RawValue = serde_json::from_str(openapi).unwrap();
        assert_eq!(from_openapi(raw, "parameters").unwrap().as_str(), expected);
    }

    #[test]
    fn types_are_told_in_json_schemas_words() {
        check(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","format":"enum","enum":["A"]},
                "nullable":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"}},
                "propertyOrdering":["nullable","type"],"required":["type"]}"#,
            r#"{"type":"object","properties":{"type":{"type":"string","enum":["A"]},"nullable":{"type":"array","items":{"type":"integer"},"minItems":1}},"required":["type"]}"#,
        );
    }

    #[test]
    fn what_may_be_null_says_so() {
        check(r#"{"type":"STRING","nullable":true}"#, r#"{"type":["string","null"]}"#);
        check(
            r#"{"nullable":true,"type":"STRING","enum":["A","B"]}"#,
            r#"{"type":["string","null"],"enum":["A","B",null]}"#,
        );
        check(
            r#"{"any_of":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true}"#,
            r#"{"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]}"#,
        );
    }

    #[test]
    fn json_schema_stays_what_it_is() {
        for text in [
            r#"{"type":["string","null"],"const":1.0,"$ref":"\u0023/x","additionalProperties":false}"#,
            r#"{"anyOf":[{"type":"string"},true],"examples":["a"],"default":{"type":"OBJECT"}}"#,
        ] {
            check(text, text);
        }
        check(r#"{"type":"TYPE_UNSPECIFIED","example":{"a":1}}"#, r#"{"examples":[{"a":1}]}"#);
    }

    #[test]
    fn deep_ones_are_refused_without_recursion_into_them() {
        let deep = format!("{}{{}}{}", r#"{"items":"#.repeat(5_000), "}".repeat(5_000));
        let raw: &RawValue = serde_json::from_str(&deep).unwrap();
        assert!(from_openapi(raw, "parameters").is_err());
    }
}
