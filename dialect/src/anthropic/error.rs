//! Errors: a provider's are read, a caller's are written.

use crate::{
    chat::Failure,
    error::{self, ErrorKind},
    json::Fields,
};
use domain::catalog::Dialect;
use std::borrow::Cow;

/// The longest text that is taken for a message where there is none, in bytes: a page of
/// some proxy's, mostly.
const MAX_TEXT: usize = 1_000;

/// Reads a provider's error answer.
pub(crate) fn read(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let (kind, message) = told(&text);
    let message = message.unwrap_or_else(|| {
        let text = text.trim();
        let end = (0..=MAX_TEXT.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
        match text.get(..end.unwrap_or(0)).filter(|it| !it.is_empty()) {
            Some(text) => text.to_owned(),
            None => format!("the provider answered with status {status}"),
        }
    });
    failure(of_status(status, kind.as_deref()), message)
}

/// Reads an error in the middle of a stream.
pub(super) fn read_event(text: &str) -> Failure {
    let (kind, message) = told(text);
    let message = message.unwrap_or_else(|| "the provider told an error".to_owned());
    failure(of_type(kind.as_deref().unwrap_or_default()), message)
}

/// The type and the message of an error, as far as they are told.
fn told(text: &str) -> (Option<String>, Option<String>) {
    let Ok(fields) = Fields::parse(text) else { return (None, None) };
    let inner = fields.get("error").and_then(|it| Fields::parse(it.get()).ok());
    let own = |fields: &Fields<'_>, name| fields.text(name).map(Cow::into_owned);
    match inner {
        Some(inner) => (own(&inner, "type"), own(&inner, "message")),
        // As proxies and other servers write it.
        None => {
            let places = ["message", "error", "detail"];
            (None, places.into_iter().find_map(|it| own(&fields, it)))
        }
    }
}

fn failure(kind: ErrorKind, message: String) -> Failure {
    // Which of them it is stands in the words only.
    let kind = if kind == ErrorKind::InvalidRequest && is_too_long(&message) {
        ErrorKind::PromptTooLong
    } else if kind == ErrorKind::RequestsLimited && message.contains("token") {
        ErrorKind::TokensLimited
    } else {
        kind
    };
    let code = (kind == ErrorKind::PromptTooLong).then(|| "context_length_exceeded".to_owned());
    Failure { kind, message, code, param: None }
}

/// Whether a refusal is about the length of the prompt, in the words of those who have one.
fn is_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["prompt is too long", "exceed context limit", "input is too long"]
        .iter()
        .any(|it| message.contains(it))
}

fn of_status(status: u16, kind: Option<&str>) -> ErrorKind {
    match status {
        401 => ErrorKind::InvalidKey,
        402 => ErrorKind::BudgetExhausted,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::ModelNotFound,
        405 => ErrorKind::MethodNotAllowed,
        408 => ErrorKind::RequestTimeout,
        413 => ErrorKind::TooLarge,
        415 => ErrorKind::UnsupportedMediaType,
        429 => ErrorKind::RequestsLimited,
        431 => ErrorKind::HeadersTooLarge,
        501 => ErrorKind::NotSupported,
        503 | 529 => ErrorKind::Overloaded,
        504 => ErrorKind::UpstreamTimeout,
        400..=499 => ErrorKind::InvalidRequest,
        _ => of_type(kind.unwrap_or_default()),
    }
}

fn of_type(kind: &str) -> ErrorKind {
    match kind {
        "invalid_request_error" | "conflict_error" => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::InvalidKey,
        "billing_error" => ErrorKind::BudgetExhausted,
        "permission_error" => ErrorKind::Forbidden,
        "not_found_error" => ErrorKind::ModelNotFound,
        "request_too_large" => ErrorKind::TooLarge,
        "rate_limit_error" => ErrorKind::RequestsLimited,
        "overloaded_error" => ErrorKind::Overloaded,
        "timeout_error" => ErrorKind::UpstreamTimeout,
        "not_supported" => ErrorKind::NotSupported,
        _ => ErrorKind::UpstreamFailed,
    }
}

/// Writes an error for a caller.
pub(crate) fn write(failure: &Failure, request_id: &str) -> Vec<u8> {
    // Anthropic's form has no room for the others.
    let Failure { kind, message, code: _, param: _ } = failure;
    let is_too_long = *kind == ErrorKind::PromptTooLong;
    let message = if is_too_long { too_long(message) } else { Cow::Borrowed(message.as_str()) };
    error::body(Dialect::Anthropic, *kind, &message, request_id, None).to_vec()
}

/// That a prompt is too long, in the words upon which callers make it shorter.
fn too_long(message: &str) -> Cow<'_, str> {
    if message.contains("prompt is too long") {
        return Cow::Borrowed(message);
    }
    let numbers = |text: &str| -> Vec<u64> {
        let digits = text.split(|it: char| !it.is_ascii_digit());
        digits.filter_map(|it| it.parse().ok()).collect()
    };
    let most = message.split_once("maximum").and_then(|(_, it)| numbers(it).first().copied());
    let told = numbers(message).into_iter().max();
    match (told, most) {
        (Some(told), Some(most)) if most < told => {
            Cow::Owned(format!("prompt is too long: {told} tokens > {most} maximum"))
        }
        _ => Cow::Owned(format!("prompt is too long: {message}")),
    }
}

#[cfg(test)]
mod tests;
