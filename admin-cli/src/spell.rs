//! How things are spelled in flags, manifests and answers: one spelling for all three.
//!
//! Knows the wire's numbers and their names; asks nobody.

mod amount;
mod auth;
mod target;
mod time;
mod weights;
mod word;

pub(crate) use amount::{
    clock, clock_text, count, count_or_none, count_text, dollars, milli_text, money, money_text,
    nanousd_text, percent, percent_text, price, price_text, share_text, thousandths,
};
pub(crate) use auth::{auth, auth_text, quirk};
pub(crate) use target::{target, target_text};
pub(crate) use time::{age, duration, instant, millis, rfc3339, timestamp, timestamp_ms, wait};
pub(crate) use weights::{weights, weights_text};
pub(crate) use word::{ACTION, MEASURE, MODE, PERIOD, PROFILE, TRANSLATION};

use domain::catalog::{Dialect, Operation};
use proto::{
    admin::v1,
    convert::catalog::{dialect_from, dialect_to, operation_from, operation_to},
};

/// A dialect's number.
pub(crate) fn dialect(text: &str) -> Result<v1::Dialect, String> {
    let found = Dialect::ALL.into_iter().find(|it| it.as_str() == text).map(dialect_to);
    found.ok_or_else(|| {
        let known = Dialect::ALL.map(|it| format!("`{it}`")).join(", ");
        format!("`{text}` is not a dialect: use one of {known}")
    })
}

/// A dialect's name; one that this program is too old for keeps its number.
pub(crate) fn dialect_text(dialect: i32) -> String {
    dialect_from("", dialect).map_or_else(|_| dialect.to_string(), |it| it.to_string())
}

const OPERATIONS: [Operation; 3] = [Operation::Chat, Operation::Embeddings, Operation::CountTokens];

/// An operation's number.
pub(crate) fn operation(text: &str) -> Result<v1::Operation, String> {
    let found = OPERATIONS.into_iter().find(|it| it.as_str() == text).map(operation_to);
    found.ok_or_else(|| {
        format!("`{text}` is not an operation: use `chat`, `embeddings` or `count_tokens`")
    })
}

/// An operation's name; one that this program is too old for keeps its number.
pub(crate) fn operation_text(operation: i32) -> String {
    operation_from("", operation)
        .map_or_else(|_| operation.to_string(), |it| it.as_str().to_owned())
}

/// `NAME=VALUE`, both not empty.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        Some(_) | None => Err(format!("`{text}` is not written NAME=VALUE")),
    }
}

/// `[DIALECT=]URL`; without a dialect, for every dialect that the provider speaks.
pub(crate) fn base_url(text: &str) -> Result<(Option<v1::Dialect>, String), String> {
    // A URL may hold a `=` of its own, but not before its scheme's colon.
    let (name, url) = match text.split_once('=') {
        Some((name, url)) if !name.contains(':') => (Some(name), url),
        Some(_) | None => (None, text),
    };
    let parsed = url::Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(format!("`{url}` is not an http:// or https:// URL"));
    }
    Ok((name.map(dialect).transpose()?, url.trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_and_operations_round_trip() {
        for text in ["openai", "anthropic", "openai_responses", "gemini", "bedrock"] {
            assert_eq!(dialect_text(dialect(text).unwrap().into()), text);
        }
        for text in ["chat", "embeddings", "count_tokens"] {
            assert_eq!(operation_text(operation(text).unwrap().into()), text);
        }
        assert!(dialect("cohere").is_err() && operation("x").is_err());
    }

    #[test]
    fn base_urls_may_name_their_dialect() {
        let check = |text, dialect, url: &str| {
            assert_eq!(base_url(text), Ok((dialect, url.to_owned())), "{text}");
        };
        check("https://h/v1/", None, "https://h/v1");
        check("openai=https://h/v1", Some(v1::Dialect::Openai), "https://h/v1");
        check("https://h/v1?a=b", None, "https://h/v1?a=b");
        for bad in ["", "h/v1", "ftp://h", "cohere=https://h", "openai="] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
