use super::*;
use serde_json::{Value, json};

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/golden/openai_responses/error/", $name, ".json"))
            .as_slice()
    };
}

#[test]
fn every_error_has_its_kind_and_bug_26_its_words() {
    for (status, body, kind, code) in [
        (400, golden!("400"), ErrorKind::InvalidRequest, "unknown_parameter"),
        (400, golden!("400_context"), ErrorKind::PromptTooLong, "context_length_exceeded"),
        (401, golden!("401"), ErrorKind::InvalidKey, "invalid_api_key"),
        (403, golden!("403"), ErrorKind::Forbidden, ""),
        (404, golden!("404"), ErrorKind::ModelNotFound, "model_not_found"),
        (413, golden!("413"), ErrorKind::TooLarge, ""),
        (429, golden!("429_requests"), ErrorKind::RequestsLimited, "rate_limit_exceeded"),
        (429, golden!("429_tokens"), ErrorKind::TokensLimited, "rate_limit_exceeded"),
        (429, golden!("429_quota"), ErrorKind::BudgetExhausted, "insufficient_quota"),
        (500, golden!("500"), ErrorKind::UpstreamFailed, ""),
        (503, golden!("503"), ErrorKind::Overloaded, "server_is_overloaded"),
        (529, golden!("529"), ErrorKind::Overloaded, ""),
    ] {
        let failure = read(status, body);
        let value: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(failure.kind, kind, "{status}");
        assert_eq!(failure.message, value["error"]["message"], "{status}");
        assert_eq!(failure.code.as_deref().unwrap_or_default(), code, "{status}");
    }
    assert_eq!(read(400, golden!("400")).param.as_deref(), Some("foo"));
}

#[test]
fn what_has_another_form_is_read_too() {
    for (status, body, kind, message) in [
        (500, "", ErrorKind::UpstreamFailed, "the provider answered with 500"),
        (
            502,
            "<html>Bad Gateway</html>",
            ErrorKind::UpstreamFailed,
            "the provider answered with 502",
        ),
        (404, "no such page", ErrorKind::UnknownPath, "no such page"),
        (404, r#"{"detail":"Not Found"}"#, ErrorKind::UnknownPath, "Not Found"),
        (
            404,
            r#"{"error":"model \"x\" not found"}"#,
            ErrorKind::ModelNotFound,
            "model \"x\" not found",
        ),
        (400, r#"{"message":"bad","code":7}"#, ErrorKind::InvalidRequest, "bad"),
        (
            422,
            r#"{"detail":[{"msg":"x"}]}"#,
            ErrorKind::InvalidRequest,
            "the provider answered with 422",
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8 tokens."}}"#,
            ErrorKind::PromptTooLong,
            "This model's maximum context length is 8 tokens.",
        ),
        (429, r#"{"error":{"message":"slow"}}"#, ErrorKind::RequestsLimited, "slow"),
        (402, "{}", ErrorKind::BudgetExhausted, "the provider answered with 402"),
        (501, "[]", ErrorKind::NotSupported, "[]"),
        (504, "null", ErrorKind::UpstreamTimeout, "null"),
        (405, "{", ErrorKind::MethodNotAllowed, "{"),
    ] {
        let failure = read(status, body.as_bytes());
        assert_eq!((failure.kind, failure.message.as_str()), (kind, message), "{status} {body}");
    }
    let long = read(500, "ä".repeat(5_000).as_bytes());
    assert!(long.message.len() <= MAX_TEXT + 3);
}

#[test]
fn callers_get_the_code_that_they_know_and_else_the_providers() {
    let of = |kind, code: Option<&str>| {
        let (message, param) = ("m \"x\"".to_owned(), Some("p".to_owned()));
        let failure = Failure { kind, message, code: code.map(str::to_owned), param };
        let value: Value = serde_json::from_slice(&write(&failure, "req_1")).unwrap();
        assert_eq!(
            (&value["error"]["message"], &value["error"]["param"]),
            (&json!("m \"x\""), &json!("p"))
        );
        (value["error"]["type"].clone(), value["error"]["code"].clone())
    };
    assert_eq!(of(ErrorKind::InvalidRequest, None), (json!("invalid_request_error"), Value::Null));
    assert_eq!(
        of(ErrorKind::InvalidRequest, Some("unknown_parameter")),
        (json!("invalid_request_error"), json!("unknown_parameter"))
    );
    assert_eq!(
        of(ErrorKind::RequestsLimited, Some("rate_limit_error")),
        (json!("requests"), json!("rate_limit_exceeded"))
    );
    assert_eq!(
        of(ErrorKind::PromptTooLong, Some("invalid_request_error")).1,
        json!("context_length_exceeded")
    );
}

#[test]
fn what_is_read_is_written_as_it_was() {
    for (status, body) in [
        (400, golden!("400")),
        (400, golden!("400_context")),
        (429, golden!("429_tokens")),
        (429, golden!("429_quota")),
        (404, golden!("404")),
    ] {
        let value: Value = serde_json::from_slice(body).unwrap();
        let mut again: Value = serde_json::from_slice(&write(&read(status, body), "r")).unwrap();
        if again["error"]["param"].is_null() {
            again["error"]["param"] = Value::Null;
        }
        assert_eq!(again, value);
    }
}
