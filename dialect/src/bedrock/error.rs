//! Reads errors, as answers and in streams.

use crate::{chat::Failure, error::ErrorKind, json::Fields};

/// Reads an error answer. Which exception it is stands in a header, which is not seen here,
/// and in some bodies; mostly the status says it.
pub(crate) fn read(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let fields = Fields::parse(&text).unwrap_or_default();
    let code = code(&fields);
    let message = message(&fields).unwrap_or_else(|| match text.trim() {
        "" => format!("the provider answered with status {status}"),
        _ => text.chars().take(1_000).collect(),
    });
    let kind = code.as_deref().and_then(exception).unwrap_or_else(|| of_status(status));
    Failure { kind: refined(kind, &message), message, code, param: None }
}

/// An exception in the middle of a stream. Its name is the event's, or stands in its data.
pub(super) fn in_stream(name: &str, data: &str) -> Failure {
    let fields = Fields::parse(data).unwrap_or_default();
    let code = code(&fields).unwrap_or_else(|| name.to_owned());
    let message = message(&fields).unwrap_or_else(|| format!("the provider broke off: {code}"));
    let kind = exception(&code).unwrap_or(ErrorKind::UpstreamFailed);
    Failure { kind: refined(kind, &message), message, code: Some(code), param: None }
}

/// The exception's name. Some have a name space before it.
fn code(fields: &Fields<'_>) -> Option<String> {
    let text = fields.text("__type")?;
    let name = text.rsplit(['#', '/']).next().unwrap_or_default();
    exception(name).map(|_| name.to_owned())
}

fn message(fields: &Fields<'_>) -> Option<String> {
    let text = fields.text("message").or_else(|| fields.text("Message"));
    text.filter(|it| !it.is_empty()).map(|it| it.into_owned())
}

/// What kind of error an exception of this name is; `None` if it is the name of none.
pub(super) fn exception(name: &str) -> Option<ErrorKind> {
    let name = name.to_ascii_lowercase();
    let bare = name.strip_suffix("exception").or_else(|| name.strip_suffix("error"))?;
    Some(match bare {
        "validation" | "serialization" | "conflict" => ErrorKind::InvalidRequest,
        "unrecognizedclient"
        | "invalidsignature"
        | "expiredtoken"
        | "missingauthentication"
        | "missingauthenticationtoken" => ErrorKind::InvalidKey,
        "accessdenied" => ErrorKind::Forbidden,
        "resourcenotfound" => ErrorKind::ModelNotFound,
        "throttling" | "toomanyrequests" | "servicequotaexceeded" => ErrorKind::RequestsLimited,
        "modeltimeout" => ErrorKind::UpstreamTimeout,
        "serviceunavailable" | "modelnotready" => ErrorKind::Overloaded,
        // `internalserver`, `model`, `modelstream`, and what may come.
        _ => ErrorKind::UpstreamFailed,
    })
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::InvalidKey,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::ModelNotFound,
        408 | 504 => ErrorKind::UpstreamTimeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RequestsLimited,
        503 | 529 => ErrorKind::Overloaded,
        // A model's own error; the request may be as good as any.
        424 => ErrorKind::UpstreamFailed,
        400..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::UpstreamFailed,
    }
}

/// What only the message says.
fn refined(kind: ErrorKind, message: &str) -> ErrorKind {
    let says = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|it| message.contains(it))
    };
    let is_invalid = kind == ErrorKind::InvalidRequest;
    if is_invalid && says(&["input is too long", "prompt is too long", "maximum context length"]) {
        ErrorKind::PromptTooLong
    } else if is_invalid && says(&["model identifier is invalid"]) {
        ErrorKind::ModelNotFound
    } else if kind == ErrorKind::RequestsLimited && says(&["too many tokens", "tokens per"]) {
        ErrorKind::TokensLimited
    } else {
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_known_by_name_status_and_message() {
        for (status, body, kind, message) in [
            (400, r#"{"message":"Bad."}"#, ErrorKind::InvalidRequest, "Bad."),
            (
                400,
                r#"{"message":"Input is too long for requested model."}"#,
                ErrorKind::PromptTooLong,
                "Input is too long for requested model.",
            ),
            (
                400,
                r#"{"message":"The provided model identifier is invalid."}"#,
                ErrorKind::ModelNotFound,
                "The provided model identifier is invalid.",
            ),
            (401, "{}", ErrorKind::InvalidKey, "{}"),
            (403, r#"{"Message":"No."}"#, ErrorKind::Forbidden, "No."),
            (404, r#"{"message":"No such model"}"#, ErrorKind::ModelNotFound, "No such model"),
            (408, "", ErrorKind::UpstreamTimeout, "the provider answered with status 408"),
            (413, "too big", ErrorKind::TooLarge, "too big"),
            (424, r#"{"message":"m"}"#, ErrorKind::UpstreamFailed, "m"),
            (
                429,
                r#"{"message":"Too many requests"}"#,
                ErrorKind::RequestsLimited,
                "Too many requests",
            ),
            (
                429,
                r#"{"message":"Too many tokens, please wait before trying again."}"#,
                ErrorKind::TokensLimited,
                "Too many tokens, please wait before trying again.",
            ),
            (500, r#"{"message":"m"}"#, ErrorKind::UpstreamFailed, "m"),
            (503, r#"{"message":"m"}"#, ErrorKind::Overloaded, "m"),
            (529, "\u{0}", ErrorKind::Overloaded, "\u{0}"),
        ] {
            let failure = read(status, body.as_bytes());
            assert_eq!(
                (failure.kind, failure.message.as_str()),
                (kind, message),
                "{status} {body}"
            );
        }
        let named = br#"{"__type":"com.amazon.coral#ServiceQuotaExceededException","message":"q"}"#;
        let failure = read(400, named);
        assert_eq!(failure.kind, ErrorKind::RequestsLimited);
        assert_eq!(failure.code.as_deref(), Some("ServiceQuotaExceededException"));
    }

    #[test]
    fn nonsense_is_some_error() {
        for body in [&b"\xff\xfe"[..], b"[]", b"{\"message\":{}}", b"null", b"{"] {
            assert!(!read(500, body).message.is_empty());
        }
    }
}
