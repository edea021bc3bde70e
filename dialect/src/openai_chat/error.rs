//! Errors of providers that speak like OpenAI, and errors for callers that do.

use crate::{
    chat::Failure,
    error::{ErrorKind, json},
    json::{self, Fields},
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The longest answer that is told as a message though it is no JSON, in bytes.
const MAX_PLAIN: usize = 1_024;

/// Reads a provider's error answer.
pub(crate) fn read(status: u16, body: &[u8]) -> Failure {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    // Gemini's compatible path wraps it into an array.
    let first: Option<&RawValue> =
        serde_json::from_str(text).ok().and_then(|it: Vec<&RawValue>| it.into_iter().next());
    let object = first.map_or(text, RawValue::get);
    if let Ok(fields) = Fields::parse(object) {
        return failure(Some(status), fields);
    }
    let is_plain =
        !text.is_empty() && text.len() <= MAX_PLAIN && !text.starts_with(['<', '{', '[']);
    let message = if is_plain { text.to_owned() } else { silent(status) };
    Failure { kind: kind(status, None, None, &message), message, code: None, param: None }
}

fn silent(status: u16) -> String {
    format!("The provider answered with status {status}.")
}

/// Reads the error in the middle of a stream, if it is one: of the fields of an event.
pub(super) fn in_stream(fields: &Fields<'_>) -> Option<Failure> {
    let is_error = fields.get("error").is_some()
        || fields.text("object").as_deref() == Some("error")
        || fields.text("type").as_deref() == Some("error");
    is_error.then(|| failure(None, fields.clone()))
}

/// What an error object says. `status`: that of the answer, if the error is all of it.
fn failure(status: Option<u16>, mut fields: Fields<'_>) -> Failure {
    let error = fields.take("error");
    let nested = error.and_then(|it| Fields::parse(it.get()).ok());
    let mut message = error.and_then(json::text);
    let mut fields = nested.unwrap_or(fields);
    message = message.or_else(|| fields.text("message")).or_else(|| fields.text("detail"));
    // FastAPI's list of what is wrong.
    let detail = fields.take("detail").and_then(json::elements);
    let first = detail.and_then(|it| Fields::parse(it.first()?.get()).ok()?.text("msg"));
    message = message.or(first).filter(|it| !it.trim().is_empty());
    let code = fields.take("code").map(|raw| match json::text(raw) {
        Some(text) => text,
        None => Cow::Borrowed(raw.get()),
    });
    let said = code.as_deref().and_then(|it| it.parse().ok());
    let status = status.or(said.filter(|it| (400..600).contains(it)));
    let class = fields.text("type");
    let (code, class) = (code.as_deref(), class.as_deref());
    let status = status.unwrap_or_else(|| by_class(code, class));
    let message = message.map_or_else(|| silent(status), Cow::into_owned);
    Failure {
        kind: kind(status, code, class, &message),
        message,
        // A number is the status again.
        code: code.filter(|it| it.parse::<u16>().is_err()).map(str::to_owned),
        param: fields.text("param").map(Cow::into_owned),
    }
}

/// The status that an error in a stream would have had.
fn by_class(code: Option<&str>, class: Option<&str>) -> u16 {
    let words = [code, class];
    let says = |known: &str| words.iter().flatten().any(|it| it.contains(known));
    if says("rate_limit") || says("quota") {
        429
    } else if says("invalid_request") || says("context_length") || says("content_filter") {
        400
    } else if says("overloaded") || says("unavailable") {
        503
    } else if says("timeout") {
        504
    } else {
        500
    }
}

fn kind(status: u16, code: Option<&str>, class: Option<&str>, message: &str) -> ErrorKind {
    let says = |known: &str| code == Some(known) || class == Some(known);
    match status {
        400 | 413 | 422 if says("context_length_exceeded") || is_too_long(message) => {
            ErrorKind::PromptTooLong
        }
        400 if says("invalid_api_key") => ErrorKind::InvalidKey,
        400 | 404 if says("model_not_found") => ErrorKind::ModelNotFound,
        400 | 429 if says("insufficient_quota") => ErrorKind::BudgetExhausted,
        401 => ErrorKind::InvalidKey,
        402 => ErrorKind::BudgetExhausted,
        403 => ErrorKind::Forbidden,
        404 if says("unknown_url") => ErrorKind::UnknownPath,
        404 => ErrorKind::ModelNotFound,
        405 => ErrorKind::MethodNotAllowed,
        408 | 504 | 522 | 524 => ErrorKind::UpstreamTimeout,
        413 => ErrorKind::TooLarge,
        415 => ErrorKind::UnsupportedMediaType,
        429 if says("tokens") => ErrorKind::TokensLimited,
        429 => ErrorKind::RequestsLimited,
        431 => ErrorKind::HeadersTooLarge,
        400..=499 => ErrorKind::InvalidRequest,
        501 => ErrorKind::NotSupported,
        503 | 529 => ErrorKind::Overloaded,
        _ => ErrorKind::UpstreamFailed,
    }
}

/// Whether a message says that the prompt does not fit, in the words of common servers.
fn is_too_long(message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "context length",
        "context window",
        "context_length",
        "prompt is too long",
        "input is too long",
        "exceed_context_size",
    ];
    let message = message.to_ascii_lowercase();
    WORDS.iter().any(|it| message.contains(it))
}

/// Writes the body of an error for a caller.
pub(crate) fn write(failure: &Failure, _request_id: &str) -> Vec<u8> {
    let Failure { kind, message, code, param } = failure;
    let (class, known) = kind.openai();
    // Programs look for OpenAI's own codes; a provider's says more only where there is none.
    let code = known.or(code.as_deref());
    let param = param.as_deref();
    json(&Body { error: Error { message, kind: class, param, code } }).into()
}

#[derive(Serialize)]
struct Body<'a> {
    error: Error<'a>,
}

/// All fields are there even if they are `null`.
#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

#[cfg(test)]
mod tests;
