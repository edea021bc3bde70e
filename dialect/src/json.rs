//! Pieces of JSON that are carried as they were written, and objects read field by field.
//!
//! A reader takes the fields that it knows out of [`Fields`]; what is left is what it
//! does not know, so that nothing gets lost by being overlooked.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, fmt};

/// One JSON value, byte for byte as somebody wrote it: schemas and arguments of tools,
/// whose order and spelling providers' prompt caches depend on.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// What `text` holds, if it is one JSON value and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// The object without fields.
    pub fn empty_object() -> Self {
        Self::of(&Value::Object(serde_json::Map::new()))
    }

    /// A value of ours.
    pub fn of(value: &Value) -> Self {
        // A `Value` always is JSON; `null` stands for what cannot happen.
        let text = value.to_string();
        Self(RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.0.get().starts_with('{')
    }

    /// Its fields, if it is an object.
    pub fn fields(&self) -> Option<Fields<'_>> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Taken apart. Numbers lose their spelling.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or(Value::Null)
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(raw.to_owned())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// By meaning: whitespace and the order of fields do not count.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() || self.to_value() == other.to_value()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// The fields of one JSON object that are not taken yet, in their order.
#[derive(Debug, Clone, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The fields of `text`.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Takes a field out. `null` counts for absent, as in every dialect. Of a field that is
    /// given twice the last one holds.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut found = None;
        self.0.retain(|(key, value)| {
            let is_it = key == name;
            if is_it {
                found = Some(*value);
            }
            !is_it
        });
        found.filter(|it| it.get() != "null")
    }

    /// A field that stays where it is; `null` counts for absent.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.get_raw(name).filter(|it| it.get() != "null")
    }

    /// A field that stays where it is, `null` or not.
    pub fn get_raw(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| *value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text that stays where it is.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// Takes a field of this type out.
    ///
    /// # Errors
    /// With the field's name, when it is there but of another type.
    pub fn take_as<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, WrongType> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let value = serde_json::from_str(raw.get());
        value.map(Some).map_err(|error| WrongType { field: name.to_owned(), why: told(&error) })
    }

    /// What nobody has taken, but for what is `null`.
    pub fn rest(self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        self.0.into_iter().filter(|(_, value)| value.get() != "null")
    }

    /// Whether a field of this name is there, `null` or not.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }
}

/// A field that does not hold what it has to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {why}")]
pub struct WrongType {
    /// Its name.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

/// The text in a JSON string, its escapes undone.
pub fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Borrowing<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Borrowing<'_>>(raw.get()).ok().map(|it| it.0)
}

/// The elements of a JSON array.
pub fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// What serde expects. What it found instead it quotes, which is the caller's own affair.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("is wrong: expected {expected}"),
        None => "is wrong".to_owned(),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
                let mut fields = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_left_in_order() {
        let text = r#"{"b":1,"a":null,"\u0063":"x","d":[1, 2],"b":2}"#;
        let mut fields = Fields::parse(text).unwrap();
        assert_eq!(fields.take("b").map(RawValue::get), Some("2"));
        assert!(fields.take("a").is_none() && !fields.has("a"));
        assert_eq!(fields.text("c").as_deref(), Some("x"));
        let left: Vec<_> = fields.rest().map(|(key, it)| format!("{key}={}", it.get())).collect();
        assert_eq!(left, ["c=\"x\"", "d=[1, 2]"]);
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        let mut fields = Fields::parse(r#"{"n":"x"}"#).unwrap();
        let error = fields.take_as::<u32>("n").unwrap_err();
        assert_eq!(error.to_string(), "`n` is wrong: expected u32");
    }

    #[test]
    fn what_is_carried_keeps_its_bytes_and_is_compared_by_meaning() {
        let json = Json::parse("{ \"b\":1.0, \"a\" : [] }").unwrap();
        assert_eq!(json.as_str(), "{ \"b\":1.0, \"a\" : [] }");
        assert_eq!(json, Json::parse(r#"{"a":[],"b":1.0}"#).unwrap());
        assert!(Json::parse("{} {}").is_none());
        assert_eq!(serde_json::to_string(&json).unwrap(), json.as_str());
    }
}
