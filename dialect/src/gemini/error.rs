//! Errors: a provider's read, a caller's written.

use crate::{
    chat::Failure,
    error::{ErrorKind, body},
    gemini::wire::object::Object,
    json::elements,
};
use domain::catalog::Dialect;
use serde_json::value::RawValue;
use std::time::Duration;

/// What a provider's error answer says. Of an error in a stream `status` is 0: the body
/// tells it.
pub(crate) fn read(status: u16, body: &[u8]) -> Failure {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let told = told(text).unwrap_or_default();
    let status = if status == 0 { told.code } else { status };
    let kind = kind(status, &told);
    let message = match (told.message.as_str(), status) {
        ("", 0) => "the provider told an error in its answer".to_owned(),
        ("", _) => format!("the provider answered with status {status}"),
        (told, _) => without_key(told),
    };
    // The code upon which clients make their prompts shorter. Of the others our own table
    // knows more than Google tells.
    let is_too_long = kind == ErrorKind::PromptTooLong;
    let code = is_too_long.then(|| "context_length_exceeded".to_owned());
    Failure { kind, message, code, param: told.field }
}

/// The body of an error for a caller.
pub(crate) fn write(failure: &Failure, request_id: &str) -> Vec<u8> {
    // Google's form has no room for a code or a field.
    let Failure { kind, message, code: _, param } = failure;
    body(Dialect::Gemini, *kind, message, request_id, param.as_deref()).into()
}

/// How long to wait before the next try, as the body of an error tells it: Google sends no
/// header.
pub(crate) fn retry_after(body: &[u8]) -> Option<Duration> {
    let seconds = told(std::str::from_utf8(body).ok()?)?.retry?;
    let seconds: f64 = seconds.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// What stands in an error.
#[derive(Debug, Default)]
struct Told {
    code: u16,
    message: String,
    status: String,
    /// Google's own reason: `API_KEY_INVALID`.
    reason: String,
    /// Which quota is used up.
    quota: String,
    field: Option<String>,
    retry: Option<String>,
}

fn told(text: &str) -> Option<Told> {
    let raw: &RawValue = serde_json::from_str(text.trim()).ok()?;
    // Streams that are no events have their error in an array.
    let first = elements(raw).and_then(|it| it.first().copied());
    let mut outer = Object::of(first.unwrap_or(raw), "").ok()?;
    let mut error = outer.object("error", "").ok()??;
    let mut told = Told {
        code: error.count("code").ok().flatten().and_then(|it| it.try_into().ok()).unwrap_or(0),
        message: error.text("message").ok().flatten().unwrap_or_default(),
        status: error.text("status").ok().flatten().unwrap_or_default(),
        ..Told::default()
    };
    for raw in error.list("details") {
        let Ok(mut detail) = Object::of(raw, "") else { continue };
        let text = |it: &mut Object<'_>, name: &str| it.text(name).ok().flatten();
        if let Some(reason) = text(&mut detail, "reason") {
            told.reason = reason;
        }
        told.retry = text(&mut detail, "retryDelay").or(told.retry);
        let violations = [detail.list("violations"), detail.list("fieldViolations")].concat();
        for raw in violations {
            let Ok(mut violation) = Object::of(raw, "") else { continue };
            if let Some(quota) = text(&mut violation, "quotaId") {
                told.quota = quota;
            }
            told.field = told.field.or_else(|| text(&mut violation, "field"));
        }
    }
    Some(told)
}

fn kind(status: u16, told: &Told) -> ErrorKind {
    if told.reason == "API_KEY_INVALID" {
        return ErrorKind::InvalidKey;
    }
    match status {
        400 | 413 | 422 if is_too_long(&told.message) => ErrorKind::PromptTooLong,
        401 => ErrorKind::InvalidKey,
        402 => ErrorKind::BudgetExhausted,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::ModelNotFound,
        405 => ErrorKind::MethodNotAllowed,
        408 | 504 => ErrorKind::UpstreamTimeout,
        413 => ErrorKind::TooLarge,
        400 if told.message.contains("payload size exceeds") => ErrorKind::TooLarge,
        415 => ErrorKind::UnsupportedMediaType,
        429 if told.quota.to_ascii_lowercase().contains("token") => ErrorKind::TokensLimited,
        429 => ErrorKind::RequestsLimited,
        431 => ErrorKind::HeadersTooLarge,
        // The caller, or we, broke off.
        499 => ErrorKind::UpstreamFailed,
        400..=499 => ErrorKind::InvalidRequest,
        501 => ErrorKind::NotSupported,
        503 | 529 => ErrorKind::Overloaded,
        0 => by_name(&told.status),
        _ => ErrorKind::UpstreamFailed,
    }
}

/// For errors that tell no number.
fn by_name(status: &str) -> ErrorKind {
    match status {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => ErrorKind::InvalidRequest,
        "UNAUTHENTICATED" => ErrorKind::InvalidKey,
        "PERMISSION_DENIED" => ErrorKind::Forbidden,
        "NOT_FOUND" => ErrorKind::ModelNotFound,
        "RESOURCE_EXHAUSTED" => ErrorKind::RequestsLimited,
        "UNAVAILABLE" => ErrorKind::Overloaded,
        "DEADLINE_EXCEEDED" => ErrorKind::UpstreamTimeout,
        "UNIMPLEMENTED" => ErrorKind::NotSupported,
        _ => ErrorKind::UpstreamFailed,
    }
}

/// `The input token count (N) exceeds the maximum number of tokens allowed (M).`
fn is_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("token count") && message.contains("exceeds")
}

/// Google repeats the operator's key when it is suspended, and the caller has no right to
/// see it.
fn without_key(message: &str) -> String {
    const MARK: &str = "api_key:";
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(MARK) {
        clean.push_str(before);
        clean.push_str(MARK);
        clean.push_str("***");
        let is_key = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        rest = after.trim_start_matches(is_key);
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(code: u16, message: &str, status: &str, details: &Value) -> String {
        json!({"error": {"code": code, "message": message, "status": status, "details": details}})
            .to_string()
    }

    #[test]
    fn every_status_has_a_kind() {
        for (status, name, kind) in [
            (400, "INVALID_ARGUMENT", ErrorKind::InvalidRequest),
            (401, "UNAUTHENTICATED", ErrorKind::InvalidKey),
            (403, "PERMISSION_DENIED", ErrorKind::Forbidden),
            (404, "NOT_FOUND", ErrorKind::ModelNotFound),
            (409, "ABORTED", ErrorKind::InvalidRequest),
            (413, "", ErrorKind::TooLarge),
            (429, "RESOURCE_EXHAUSTED", ErrorKind::RequestsLimited),
            (499, "CANCELLED", ErrorKind::UpstreamFailed),
            (500, "INTERNAL", ErrorKind::UpstreamFailed),
            (501, "UNIMPLEMENTED", ErrorKind::NotSupported),
            (502, "UNAVAILABLE", ErrorKind::UpstreamFailed),
            (503, "UNAVAILABLE", ErrorKind::Overloaded),
            (504, "DEADLINE_EXCEEDED", ErrorKind::UpstreamTimeout),
            (529, "", ErrorKind::Overloaded),
        ] {
            let body = body(status, "m", name, &json!([]));
            for status in [status, 0] {
                let failure = read(status, body.as_bytes());
                assert_eq!((failure.kind, failure.message.as_str()), (kind, "m"), "{status}");
                assert_eq!((failure.code, failure.param), (None, None));
            }
        }
        let named = br#"{"error":{"message":"m","status":"RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(read(0, named).kind, ErrorKind::RequestsLimited);
    }

    #[test]
    fn reasons_in_the_details_are_seen() {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
        let wrong_key = body(400, "API key not valid.", "INVALID_ARGUMENT", &details);
        assert_eq!(read(400, wrong_key.as_bytes()).kind, ErrorKind::InvalidKey);
        let details = json!([
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"},
        ]);
        let limited = format!("[{}]", body(429, "quota", "RESOURCE_EXHAUSTED", &details));
        assert_eq!(read(429, limited.as_bytes()).kind, ErrorKind::TokensLimited);
        assert_eq!(retry_after(limited.as_bytes()), Some(Duration::from_millis(36_500)));
        let details =
            json!([{"fieldViolations": [{"field": "contents[0].parts", "description": "d"}]}]);
        let field = read(400, body(400, "m", "INVALID_ARGUMENT", &details).as_bytes());
        assert_eq!(field.param.as_deref(), Some("contents[0].parts"));
        let message = "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).";
        let failure = read(400, body(400, message, "INVALID_ARGUMENT", &json!([])).as_bytes());
        assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::PromptTooLong, message));
        assert_eq!(failure.code.as_deref(), Some("context_length_exceeded"));
    }

    #[test]
    fn what_is_no_error_still_is_one() {
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            "[1]",
            r#"{"error":"x"}"#,
            r#"{"error":{"code":"x","details":[1,{"violations":[1]}]}}"#,
        ] {
            let failure = read(502, body.as_bytes());
            assert_eq!(failure.kind, ErrorKind::UpstreamFailed, "{body}");
            assert_eq!(failure.message, "the provider answered with status 502");
            assert_eq!(retry_after(body.as_bytes()), None);
        }
        for delay in ["", "5", "-1s", "NaNs", "1e300s"] {
            let body = body(429, "m", "", &json!([{"retryDelay": delay}]));
            assert_eq!(retry_after(body.as_bytes()), None, "{delay}");
        }
    }

    #[test]
    fn the_operators_key_is_not_told_to_callers() {
        let message = "Permission denied: Consumer 'api_key:AIzaSy-x_1' has been suspended.";
        let failure = read(403, body(403, message, "PERMISSION_DENIED", &json!([])).as_bytes());
        assert_eq!(
            failure.message,
            "Permission denied: Consumer 'api_key:***' has been suspended."
        );
    }

    #[test]
    fn callers_get_googles_form() {
        let failure = Failure {
            kind: ErrorKind::RequestsLimited,
            message: "slow down".into(),
            code: Some("x".into()),
            param: None,
        };
        assert_eq!(
            String::from_utf8(write(&failure, "req_1")).unwrap(),
            r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#
        );
    }
}
