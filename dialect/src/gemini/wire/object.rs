//! Objects as Google's JSON parser reads them: names in camelCase or snake_case, numbers
//! also as texts, one element also without its array.

use crate::{
    json::{Fields, Json, WrongType, elements, text},
    translate::Notes,
};
use serde_json::value::RawValue;

/// An object's fields that are not taken yet, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    fields: Fields<'a>,
    /// In the words of the caller: `generationConfig`; empty at the top.
    path: &'static str,
}

impl<'a> Object<'a> {
    /// The object in `text`.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn parse(text: &'a str, path: &'static str) -> Result<Self, WrongType> {
        let Ok(fields) = Fields::parse(text) else {
            let field = if path.is_empty() { "body" } else { path };
            return Err(wrong(field.to_owned(), "is no JSON object"));
        };
        Ok(Self { fields, path })
    }

    /// The object in `raw`.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn of(raw: &'a RawValue, path: &'static str) -> Result<Self, WrongType> {
        Self::parse(raw.get(), path)
    }

    /// Takes a field, whichever way its name is spelt.
    pub(crate) fn take(&mut self, camel: &str) -> Option<&'a RawValue> {
        let found = self.fields.take(camel);
        let snake = snake(camel);
        let other = if snake == camel { None } else { self.fields.take(&snake) };
        found.or(other)
    }

    /// Whether a field is there, and not `null`.
    pub(crate) fn has(&self, camel: &str) -> bool {
        self.fields.get(camel).or_else(|| self.fields.get(&snake(camel))).is_some()
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, camel: &str) -> Result<Option<String>, WrongType> {
        self.read(camel, "is no text", |raw| text(raw).map(std::borrow::Cow::into_owned))
    }

    /// Takes a yes or no.
    pub(crate) fn flag(&mut self, camel: &str) -> Result<Option<bool>, WrongType> {
        self.read(camel, "is neither true nor false", |raw| raw.get().parse().ok())
    }

    /// Takes a number.
    pub(crate) fn number(&mut self, camel: &str) -> Result<Option<f64>, WrongType> {
        self.read(camel, "is no number", number)
    }

    /// Takes a whole number.
    pub(crate) fn integer(&mut self, camel: &str) -> Result<Option<i64>, WrongType> {
        self.read(camel, "is no whole number", integer)
    }

    /// Takes a count.
    pub(crate) fn count(&mut self, camel: &str) -> Result<Option<u64>, WrongType> {
        let whole = |raw| integer(raw).and_then(|it| u64::try_from(it).ok());
        self.read(camel, "is no whole number from 0 on", whole)
    }

    /// Takes an object; `path` is its place.
    pub(crate) fn object(
        &mut self,
        camel: &str,
        path: &'static str,
    ) -> Result<Option<Self>, WrongType> {
        self.take(camel).map(|raw| Self::of(raw, path)).transpose()
    }

    /// Takes a list; what is no array counts for its only element.
    pub(crate) fn list(&mut self, camel: &str) -> Vec<&'a RawValue> {
        self.take(camel).map(|raw| elements(raw).unwrap_or_else(|| vec![raw])).unwrap_or_default()
    }

    /// Takes a list of texts.
    pub(crate) fn texts(&mut self, camel: &str) -> Result<Vec<String>, WrongType> {
        let texts = self.list(camel).into_iter().map(|raw| text(raw).map(Into::into));
        let texts: Option<Vec<_>> = texts.collect();
        texts.ok_or_else(|| wrong(self.name(camel), "is no list of texts"))
    }

    /// Takes a value as it is.
    pub(crate) fn json(&mut self, camel: &str) -> Option<Json> {
        self.take(camel).map(Json::from)
    }

    /// The full name of a field, for whom it is told to.
    pub(crate) fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// What nobody has taken.
    pub(crate) fn rest(self) -> impl Iterator<Item = (String, &'a RawValue)> {
        let path = self.path;
        self.fields.rest().map(move |(name, raw)| {
            (if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }, raw)
        })
    }

    /// Notes that what nobody has taken is not sent.
    pub(crate) fn drop_rest(self, notes: &mut Notes) {
        for (name, _) in self.rest() {
            notes.dropped(name);
        }
    }

    fn read<T>(
        &mut self,
        camel: &str,
        why: &str,
        value: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Result<Option<T>, WrongType> {
        let Some(raw) = self.take(camel) else { return Ok(None) };
        value(raw).map(Some).ok_or_else(|| wrong(self.name(camel), why))
    }
}

fn wrong(field: String, why: &str) -> WrongType {
    WrongType { field, why: why.to_owned() }
}

/// A number, or a text that holds one, as proto's JSON has it.
pub(crate) fn number(raw: &RawValue) -> Option<f64> {
    let told = text(raw);
    let number: f64 = told.as_deref().unwrap_or(raw.get()).parse().ok()?;
    number.is_finite().then_some(number)
}

/// A whole number, also one that is written `1.0` or `"1"`.
pub(crate) fn integer(raw: &RawValue) -> Option<i64> {
    // Whole numbers beyond it are not told apart by a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let told = text(raw);
    let told = told.as_deref().unwrap_or(raw.get());
    if let Ok(whole) = told.parse() {
        return Some(whole);
    }
    let number = number(raw)?;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// `maxOutputTokens` → `max_output_tokens`.
fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len().saturating_add(4));
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_lenient_numbers_are_read() {
        let text = r#"{"max_output_tokens":"64","topK":40.0,"one":"x","seed":-5,"temperature":"0.5","thinking_budget":null}"#;
        let mut object = Object::parse(text, "generationConfig").unwrap();
        assert!(object.has("maxOutputTokens") && !object.has("thinkingBudget"));
        assert_eq!(object.count("maxOutputTokens"), Ok(Some(64)));
        assert_eq!(object.count("topK"), Ok(Some(40)));
        assert_eq!(object.texts("one"), Ok(vec!["x".to_owned()]));
        let error = object.count("seed").unwrap_err();
        assert_eq!(error.to_string(), "`generationConfig.seed` is no whole number from 0 on");
        assert_eq!(object.number("temperature"), Ok(Some(0.5)));
        assert_eq!(object.rest().count(), 0);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [r#""NaN""#, "true", r#""""#, "1.5", "1e300", "{}", "[1]"] {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            assert_eq!(integer(raw), None, "{text}");
        }
    }
}
