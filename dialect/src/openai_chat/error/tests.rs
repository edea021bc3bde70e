use super::*;

#[track_caller]
fn check(status: u16, body: &str, kind: ErrorKind, message: &str, code: Option<&str>) {
    let failure = read(status, body.as_bytes());
    let found = (failure.kind, failure.message.as_str(), failure.code.as_deref());
    assert_eq!(found, (kind, message, code), "{status} {body}");
}

/// OpenAI's own form.
fn openai(kind: &str, code: &str) -> String {
    format!(r#"{{"error":{{"message":"Oh no.","type":"{kind}","param":null,"code":{code}}}}}"#)
}

#[test]
fn each_status_has_its_kind() {
    for (status, kind) in [
        (400, ErrorKind::InvalidRequest),
        (401, ErrorKind::InvalidKey),
        (402, ErrorKind::BudgetExhausted),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::ModelNotFound),
        (405, ErrorKind::MethodNotAllowed),
        (408, ErrorKind::UpstreamTimeout),
        (409, ErrorKind::InvalidRequest),
        (413, ErrorKind::TooLarge),
        (415, ErrorKind::UnsupportedMediaType),
        (422, ErrorKind::InvalidRequest),
        (429, ErrorKind::RequestsLimited),
        (431, ErrorKind::HeadersTooLarge),
        (500, ErrorKind::UpstreamFailed),
        (501, ErrorKind::NotSupported),
        (502, ErrorKind::UpstreamFailed),
        (503, ErrorKind::Overloaded),
        (504, ErrorKind::UpstreamTimeout),
        (524, ErrorKind::UpstreamTimeout),
        (529, ErrorKind::Overloaded),
    ] {
        check(status, &openai("x", "null"), kind, "Oh no.", None);
    }
}

#[test]
fn codes_and_types_tell_apart_what_statuses_do_not() {
    for (status, class, code, kind) in [
        (400, "invalid_request_error", "context_length_exceeded", ErrorKind::PromptTooLong),
        (400, "invalid_request_error", "model_not_found", ErrorKind::ModelNotFound),
        (400, "invalid_request_error", "content_filter", ErrorKind::InvalidRequest),
        (404, "invalid_request_error", "unknown_url", ErrorKind::UnknownPath),
        (429, "insufficient_quota", "insufficient_quota", ErrorKind::BudgetExhausted),
        (429, "tokens", "rate_limit_exceeded", ErrorKind::TokensLimited),
        (429, "requests", "rate_limit_exceeded", ErrorKind::RequestsLimited),
    ] {
        let body = openai(class, &format!("\"{code}\""));
        check(status, &body, kind, "Oh no.", Some(code));
    }
}

#[test]
fn other_servers_forms_are_read() {
    let invalid = ErrorKind::InvalidRequest;
    check(
        400,
        r#"{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}"#,
        invalid,
        "m",
        None,
    );
    check(400, r#"{"error":"m"}"#, invalid, "m", None);
    check(400, r#"{"message":"m","request_id":"r"}"#, invalid, "m", None);
    check(422, r#"{"detail":[{"loc":["body"],"msg":"m","type":"missing"}]}"#, invalid, "m", None);
    check(422, r#"{"detail":"m"}"#, invalid, "m", None);
    check(
        400,
        r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#,
        invalid,
        "m",
        None,
    );
    check(
        400,
        r#"{"error":{"message":"m","code":400,"metadata":{"raw":"x"}}}"#,
        invalid,
        "m",
        None,
    );
    check(502, "Bad gateway", ErrorKind::UpstreamFailed, "Bad gateway", None);
    for message in [
        "This model's maximum context length is 8192 tokens.",
        "prompt is too long: 9 tokens > 8 maximum",
    ] {
        check(
            400,
            &format!(r#"{{"error":{{"message":"{message}"}}}}"#),
            ErrorKind::PromptTooLong,
            message,
            None,
        );
    }
}

#[test]
fn what_says_nothing_still_has_a_message() {
    let long = "x".repeat(5_000);
    for body in
        ["", "<html>502</html>", "{", "[]", "{}", r#"{"error":{}}"#, r#"{"error":null}"#, &long]
    {
        let message = "The provider answered with status 500.";
        check(500, body, ErrorKind::UpstreamFailed, message, None);
    }
    let failure = read(500, b"\xff\xfe");
    assert_eq!(failure.message, "The provider answered with status 500.");
}

#[test]
fn an_error_in_a_stream_is_one_and_has_the_kind_that_it_says() {
    for (event, kind) in [
        (r#"{"error":{"message":"m","code":429}}"#, ErrorKind::RequestsLimited),
        (r#"{"error":{"message":"m","type":"rate_limit_error"}}"#, ErrorKind::RequestsLimited),
        (r#"{"error":{"message":"m","code":"insufficient_quota"}}"#, ErrorKind::BudgetExhausted),
        (r#"{"error":{"message":"m","type":"invalid_request_error"}}"#, ErrorKind::InvalidRequest),
        (r#"{"error":{"message":"m","type":"overloaded_error"}}"#, ErrorKind::Overloaded),
        (r#"{"error":{"message":"m","type":"server_error"}}"#, ErrorKind::UpstreamFailed),
        (r#"{"error":"m"}"#, ErrorKind::UpstreamFailed),
        (r#"{"object":"error","message":"m","code":503}"#, ErrorKind::Overloaded),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            ErrorKind::Overloaded,
        ),
    ] {
        let failure = in_stream(&Fields::parse(event).unwrap()).unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (kind, "m"), "{event}");
    }
    for event in [r#"{"error":null,"choices":[]}"#, r#"{"object":"chat.completion.chunk"}"#, "{}"] {
        assert_eq!(in_stream(&Fields::parse(event).unwrap()), None, "{event}");
    }
}

/// Bug 26 of the list: callers got another dialect's envelope.
#[test]
fn callers_get_openais_form_with_all_its_fields() {
    let of = |kind, code: Option<&str>, param: Option<&str>| {
        let (code, param) = (code.map(str::to_owned), param.map(str::to_owned));
        let failure = Failure { kind, message: "m \"x\"".to_owned(), code, param };
        String::from_utf8(write(&failure, "req_1")).unwrap()
    };
    assert_eq!(
        of(ErrorKind::InvalidRequest, Some("string_above_max_length"), Some("messages")),
        r#"{"error":{"message":"m \"x\"","type":"invalid_request_error","param":"messages","code":"string_above_max_length"}}"#
    );
    assert_eq!(
        of(ErrorKind::PromptTooLong, Some("other"), None),
        r#"{"error":{"message":"m \"x\"","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#
    );
    assert_eq!(
        of(ErrorKind::Internal, None, None),
        r#"{"error":{"message":"m \"x\"","type":"server_error","param":null,"code":null}}"#
    );
}
