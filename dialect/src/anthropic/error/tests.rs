use super::*;

fn parsed(failure: &Failure) -> serde_json::Value {
    serde_json::from_slice(&write(failure, "req_1")).unwrap()
}

#[test]
fn each_status_is_a_kind_and_the_message_stays_verbatim() {
    for (status, kind, expected) in [
        (400, "invalid_request_error", ErrorKind::InvalidRequest),
        (401, "authentication_error", ErrorKind::InvalidKey),
        (402, "billing_error", ErrorKind::BudgetExhausted),
        (403, "permission_error", ErrorKind::Forbidden),
        (404, "not_found_error", ErrorKind::ModelNotFound),
        (408, "timeout_error", ErrorKind::RequestTimeout),
        (409, "conflict_error", ErrorKind::InvalidRequest),
        (413, "request_too_large", ErrorKind::TooLarge),
        (422, "invalid_request_error", ErrorKind::InvalidRequest),
        (429, "rate_limit_error", ErrorKind::RequestsLimited),
        (500, "api_error", ErrorKind::UpstreamFailed),
        (500, "overloaded_error", ErrorKind::Overloaded),
        (501, "not_supported", ErrorKind::NotSupported),
        (502, "api_error", ErrorKind::UpstreamFailed),
        (503, "overloaded_error", ErrorKind::Overloaded),
        (504, "timeout_error", ErrorKind::UpstreamTimeout),
        (529, "overloaded_error", ErrorKind::Overloaded),
        (599, "new_error", ErrorKind::UpstreamFailed),
    ] {
        let body = format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":"so \"it\" is"}},"request_id":"req_9"}}"#
        );
        let failure = read(status, body.as_bytes());
        assert_eq!((failure.kind, failure.message.as_str()), (expected, "so \"it\" is"));
    }
}

#[test]
fn limits_of_tokens_and_prompts_that_are_too_long_are_known_by_their_words() {
    let of = |status, message: &str| {
        let body = serde_json::json!({"type": "error", "error": {"type": "x", "message": message}});
        read(status, body.to_string().as_bytes())
    };
    let limited = of(429, "This request would exceed your limit of 30,000 input tokens per minute");
    assert_eq!(limited.kind, ErrorKind::TokensLimited);
    let long = of(400, "prompt is too long: 210000 tokens > 200000 maximum");
    assert_eq!(long.kind, ErrorKind::PromptTooLong);
    assert_eq!(long.code.as_deref(), Some("context_length_exceeded"));
    let long = of(400, "input length and `max_tokens` exceed context limit: 1 + 2 > 2");
    assert_eq!(long.kind, ErrorKind::PromptTooLong);
}

#[test]
fn what_is_no_error_of_anthropics_is_still_one() {
    for (body, message) in [
        ("", "the provider answered with status 502"),
        ("<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (r#"{"message":"no"}"#, "no"),
        (r#"{"error":"no"}"#, "no"),
        (r#"{"detail":"no"}"#, "no"),
        (r#"{"error":[]}"#, r#"{"error":[]}"#),
        (r#"{"error":{"message":7}}"#, r#"{"error":{"message":7}}"#),
    ] {
        let failure = read(502, body.as_bytes());
        assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::UpstreamFailed, message));
    }
    let long = read(500, "ä".repeat(5_000).as_bytes());
    assert_eq!(long.message.len(), MAX_TEXT);
    assert!(read(500, &[0xff, 0xfe]).message.contains('\u{fffd}'));
    assert!(read(500, "[".repeat(100_000).as_bytes()).message.len() <= MAX_TEXT);
}

/// Bug 26 of the list: callers got another dialect's envelope.
#[test]
fn callers_get_anthropics_envelope() {
    let failure = Failure {
        kind: ErrorKind::Overloaded,
        message: "later".to_owned(),
        code: Some("x".to_owned()),
        param: Some("y".to_owned()),
    };
    let expected = serde_json::json!({"type": "error", "request_id": "req_1",
        "error": {"type": "overloaded_error", "message": "later"}});
    assert_eq!(parsed(&failure), expected);
}

#[test]
fn prompts_that_are_too_long_are_told_in_the_words_that_make_callers_compact() {
    for (message, told) in [
        (
            "This model's maximum context length is 8192 tokens. However, you requested 10000 \
             tokens (9000 in the messages, 1000 in the completion).",
            "prompt is too long: 10000 tokens > 8192 maximum",
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed \
             (1048576).",
            "prompt is too long: 1200000 tokens > 1048576 maximum",
        ),
        (
            "prompt is too long: 210000 tokens > 200000 maximum",
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        (
            "Input exceeds the context window",
            "prompt is too long: Input exceeds the context window",
        ),
    ] {
        let failure = Failure {
            kind: ErrorKind::PromptTooLong,
            message: message.to_owned(),
            code: None,
            param: None,
        };
        assert_eq!(parsed(&failure)["error"]["message"], told);
    }
}
