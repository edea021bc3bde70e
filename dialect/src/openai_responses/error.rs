//! Errors: a provider's are read, a caller's are written. The form is that of OpenAI's
//! other APIs.

use crate::{
    chat::Failure,
    error::ErrorKind,
    json::{Fields, text},
};
use domain::catalog::Dialect;
use serde_json::value::RawValue;

/// The most of an answer that is no JSON which is passed on as the message, in bytes.
const MAX_TEXT: usize = 2_048;

/// What an upstream's error answer says.
pub(crate) fn read(status: u16, body: &[u8]) -> Failure {
    let fields = serde_json::from_slice::<Fields<'_>>(body).ok();
    let (mut told, error) = match fields {
        Some(mut fields) => {
            let error = fields.take("error");
            (Told::of(&fields), error)
        }
        None => (Told { message: plain(body), ..Told::default() }, None),
    };
    if let Some(error) = error {
        told = Told::of_error(error);
    }
    let kind = told.kind_of(status);
    let message = told.message.unwrap_or_else(|| format!("the provider answered with {status}"));
    Failure { kind, message, code: told.code, param: told.param }
}

/// What an error in the middle of a stream says, or that of a failed answer.
pub(super) fn read_object(error: &RawValue) -> Failure {
    Told::of_error(error).in_stream()
}

/// The same of an error that is told flat.
pub(super) fn read_fields(fields: &Fields<'_>) -> Failure {
    Told::of(fields).in_stream()
}

/// The body of an error answer to a caller.
pub(crate) fn write(failure: &Failure, request_id: &str) -> Vec<u8> {
    let Failure { kind, message, code, param } = failure;
    let dialect = Dialect::OpenAiResponses;
    let body = crate::error::body(dialect, *kind, message, request_id, param.as_deref());
    let Some(code) = code.as_deref().filter(|_| !says_more(*kind)) else { return body.into() };
    let mut value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(place) = value.get_mut("error").and_then(|it| it.get_mut("code")) {
        *place = code.into();
        return value.to_string().into_bytes();
    }
    body.into()
}

/// The code in a failed answer that is told as a stream.
pub(super) fn stream_code(failure: &Failure) -> &str {
    match failure.kind {
        ErrorKind::RequestsLimited | ErrorKind::TokensLimited => "rate_limit_exceeded",
        ErrorKind::BudgetExhausted => "insufficient_quota",
        ErrorKind::PromptTooLong => "context_length_exceeded",
        ErrorKind::InvalidRequest => failure.code.as_deref().unwrap_or("invalid_prompt"),
        // Clients know no other word for it, and try again.
        ErrorKind::InvalidKey
        | ErrorKind::Forbidden
        | ErrorKind::ModelNotFound
        | ErrorKind::UnknownPath
        | ErrorKind::MethodNotAllowed
        | ErrorKind::RequestTimeout
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::HeadersTooLarge
        | ErrorKind::NotSupported
        | ErrorKind::Overloaded
        | ErrorKind::NotReady
        | ErrorKind::NoAccount
        | ErrorKind::UpstreamFailed
        | ErrorKind::UpstreamTruncated
        | ErrorKind::UpstreamTimeout
        | ErrorKind::Internal => "server_error",
    }
}

/// Whether clients act upon our code for this kind, whatever the provider calls it.
const fn says_more(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidKey
            | ErrorKind::ModelNotFound
            | ErrorKind::RequestsLimited
            | ErrorKind::TokensLimited
            | ErrorKind::BudgetExhausted
            | ErrorKind::PromptTooLong
    )
}

/// What an error object holds.
#[derive(Debug, Default)]
struct Told {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

impl Told {
    fn in_stream(self) -> Failure {
        let kind = self.kind().unwrap_or(ErrorKind::UpstreamFailed);
        let message = self.message.unwrap_or_else(|| "the provider's answer failed".to_owned());
        Failure { kind, message, code: self.code, param: self.param }
    }

    fn of(fields: &Fields<'_>) -> Self {
        let words = |name: &str| fields.text(name).map(|it| it.into_owned());
        // Some write numbers as codes.
        let code = words("code").or_else(|| fields.get("code").map(|it| it.get().to_owned()));
        Self {
            message: words("message").or_else(|| words("detail")).filter(|it| !it.is_empty()),
            kind: words("type"),
            code,
            param: words("param"),
        }
    }

    /// Some write only a text.
    fn of_error(error: &RawValue) -> Self {
        match Fields::parse(error.get()) {
            Ok(fields) => Self::of(&fields),
            Err(_) => Self {
                message: text(error).map(|it| it.into_owned()).filter(|it| !it.is_empty()),
                ..Self::default()
            },
        }
    }

    fn kind_of(&self, status: u16) -> ErrorKind {
        if let Some(kind) = self.kind() {
            return kind;
        }
        match status {
            401 => ErrorKind::InvalidKey,
            402 => ErrorKind::BudgetExhausted,
            403 => ErrorKind::Forbidden,
            404 if self.says(&["model"]) => ErrorKind::ModelNotFound,
            404 => ErrorKind::UnknownPath,
            405 => ErrorKind::MethodNotAllowed,
            413 => ErrorKind::TooLarge,
            415 => ErrorKind::UnsupportedMediaType,
            429 => ErrorKind::RequestsLimited,
            431 => ErrorKind::HeadersTooLarge,
            408 | 504 => ErrorKind::UpstreamTimeout,
            501 => ErrorKind::NotSupported,
            503 | 529 => ErrorKind::Overloaded,
            400..=499 => ErrorKind::InvalidRequest,
            _ => ErrorKind::UpstreamFailed,
        }
    }

    /// What its words say, whatever the status does.
    fn kind(&self) -> Option<ErrorKind> {
        let of_code = |code: &str| match code {
            "context_length_exceeded" | "string_above_max_length" => Some(ErrorKind::PromptTooLong),
            "insufficient_quota" | "billing_hard_limit_reached" => Some(ErrorKind::BudgetExhausted),
            "rate_limit_exceeded" if self.kind.as_deref() == Some("tokens") => {
                Some(ErrorKind::TokensLimited)
            }
            "rate_limit_exceeded" | "rate_limit_error" | "requests" => {
                Some(ErrorKind::RequestsLimited)
            }
            "tokens" => Some(ErrorKind::TokensLimited),
            "invalid_api_key" | "authentication_error" => Some(ErrorKind::InvalidKey),
            "permission_error" => Some(ErrorKind::Forbidden),
            "model_not_found" => Some(ErrorKind::ModelNotFound),
            "server_is_overloaded" | "slow_down" | "overloaded" | "overloaded_error" => {
                Some(ErrorKind::Overloaded)
            }
            "invalid_prompt" => Some(ErrorKind::InvalidRequest),
            _ => None,
        };
        let of_words = || {
            let too_long = ["maximum context length", "context window", "prompt is too long"];
            self.says(&too_long).then_some(ErrorKind::PromptTooLong)
        };
        let code = self.code.as_deref().and_then(of_code).or_else(of_words);
        code.or_else(|| match self.kind.as_deref() {
            Some("invalid_request_error") | None => None,
            Some(kind) => of_code(kind),
        })
    }

    fn says(&self, any: &[&str]) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_ascii_lowercase();
        any.iter().any(|it| message.contains(it))
    }
}

/// An answer that is no JSON, if it is made for people to read.
fn plain(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..MAX_TEXT).unwrap_or(body));
    let text = text.trim();
    (!text.is_empty() && !text.starts_with('<')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
