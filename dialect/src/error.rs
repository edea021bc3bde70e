//! Our own refusals and failures in the words of each dialect.
//!
//! Knows which status, type and code a dialect gives to which kind of error; does
//! not know why something went wrong, nor what to tell the caller about it.

use bytes::Bytes;
use domain::catalog::Dialect;
use http::StatusCode;
use serde::Serialize;

/// What kind of error it is, as far as a caller's program has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The body is not JSON, lacks something or has something wrong: 400.
    InvalidRequest,
    /// No virtual key, or none that we know: 401.
    InvalidKey,
    /// The key is known but may not be used, or not for this: 403.
    Forbidden,
    /// No such model, or not for this key: 404.
    ModelNotFound,
    /// No such path: 404.
    UnknownPath,
    /// The path exists, but not with this method: 405.
    MethodNotAllowed,
    /// The caller took too long to send the request: 408.
    RequestTimeout,
    /// The body is larger than we take: 413.
    TooLarge,
    /// The body is of a type or an encoding that we do not read: 415.
    UnsupportedMediaType,
    /// A limit of requests is used up for now: 429.
    RequestsLimited,
    /// A limit of tokens is used up for now: 429.
    TokensLimited,
    /// A budget is used up, and waiting a moment is no use: 429 (Anthropic: 402).
    BudgetExhausted,
    /// The prompt alone is longer than a limit lets through: 400.
    PromptTooLong,
    /// The headers are larger than we take: 431.
    HeadersTooLarge,
    /// The provider cannot do this: 501.
    NotSupported,
    /// We take no more work at the moment: 503 (Anthropic: 529).
    Overloaded,
    /// We have no configuration yet, or are stopping: 503 (Anthropic: 529).
    NotReady,
    /// Nobody who could answer is enabled: 503 (Anthropic: 529).
    NoAccount,
    /// The provider could not be reached, or answered with nonsense: 502.
    UpstreamFailed,
    /// The provider broke off, or fell silent, in the middle of its answer: 502.
    UpstreamTruncated,
    /// The provider did not answer in time: 504.
    UpstreamTimeout,
    /// A mistake of ours: 500.
    Internal,
}

/// Status, then OpenAI's type and code, then Anthropic's type.
type Row = (StatusCode, &'static str, Option<&'static str>, &'static str);

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 22] = [
        Self::InvalidRequest,
        Self::InvalidKey,
        Self::Forbidden,
        Self::ModelNotFound,
        Self::UnknownPath,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::RequestsLimited,
        Self::TokensLimited,
        Self::BudgetExhausted,
        Self::PromptTooLong,
        Self::HeadersTooLarge,
        Self::NotSupported,
        Self::Overloaded,
        Self::NotReady,
        Self::NoAccount,
        Self::UpstreamFailed,
        Self::UpstreamTruncated,
        Self::UpstreamTimeout,
        Self::Internal,
    ];

    /// The status that a caller of this dialect gets.
    pub const fn status(self, dialect: Dialect) -> StatusCode {
        let status = self.row().0;
        match dialect {
            // Anthropic says 529 where others say 503, and its SDKs know it as such.
            Dialect::Anthropic if status.as_u16() == 503 => OVERLOADED,
            // OpenAI has no other status for a budget than for a rate; only the code differs.
            Dialect::Anthropic if matches!(self, Self::BudgetExhausted) => {
                StatusCode::PAYMENT_REQUIRED
            }
            Dialect::Anthropic
            | Dialect::OpenAi
            | Dialect::OpenAiResponses
            | Dialect::Gemini
            | Dialect::Bedrock => status,
        }
    }

    const fn row(self) -> Row {
        const INVALID: &str = "invalid_request_error";
        const API: &str = "api_error";
        const PERMISSION: &str = "permission_error";
        const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;
        const EXCEEDED: Option<&str> = Some("rate_limit_exceeded");
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, INVALID, None, INVALID),
            Self::InvalidKey => {
                let code = Some("invalid_api_key");
                (StatusCode::UNAUTHORIZED, INVALID, code, "authentication_error")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, PERMISSION, None, PERMISSION),
            Self::ModelNotFound => {
                (StatusCode::NOT_FOUND, INVALID, Some("model_not_found"), "not_found_error")
            }
            Self::UnknownPath => {
                (StatusCode::NOT_FOUND, INVALID, Some("unknown_url"), "not_found_error")
            }
            Self::MethodNotAllowed => {
                let code = Some("method_not_allowed");
                (StatusCode::METHOD_NOT_ALLOWED, INVALID, code, INVALID)
            }
            Self::RequestTimeout => {
                let code = Some("request_timeout");
                (StatusCode::REQUEST_TIMEOUT, INVALID, code, "timeout_error")
            }
            Self::TooLarge => {
                let code = Some("request_too_large");
                (StatusCode::PAYLOAD_TOO_LARGE, INVALID, code, "request_too_large")
            }
            Self::UnsupportedMediaType => {
                let code = Some("unsupported_media_type");
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID, code, INVALID)
            }
            Self::RequestsLimited => (LIMITED, "requests", EXCEEDED, "rate_limit_error"),
            Self::TokensLimited => (LIMITED, "tokens", EXCEEDED, "rate_limit_error"),
            Self::BudgetExhausted => {
                (LIMITED, "insufficient_quota", Some("insufficient_quota"), "billing_error")
            }
            // The code upon which clients make their prompts shorter.
            Self::PromptTooLong => {
                (StatusCode::BAD_REQUEST, INVALID, Some("context_length_exceeded"), INVALID)
            }
            Self::HeadersTooLarge => {
                let code = Some("headers_too_large");
                let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                (status, INVALID, code, "request_too_large")
            }
            Self::NotSupported => {
                (StatusCode::NOT_IMPLEMENTED, INVALID, Some("not_supported"), "not_supported")
            }
            Self::Overloaded | Self::NotReady => {
                let code = Some("overloaded");
                (StatusCode::SERVICE_UNAVAILABLE, "server_error", code, "overloaded_error")
            }
            Self::NoAccount => {
                let code = Some("no_account");
                (StatusCode::SERVICE_UNAVAILABLE, "server_error", code, "overloaded_error")
            }
            Self::UpstreamFailed => {
                (StatusCode::BAD_GATEWAY, "server_error", Some("upstream_failed"), API)
            }
            Self::UpstreamTruncated => {
                (StatusCode::BAD_GATEWAY, "server_error", Some("upstream_truncated"), API)
            }
            Self::UpstreamTimeout => {
                let code = Some("upstream_timeout");
                (StatusCode::GATEWAY_TIMEOUT, "timeout", code, "timeout_error")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None, API),
        }
    }
}

impl ErrorKind {
    /// OpenAI's type and code.
    pub(crate) const fn openai(self) -> (&'static str, Option<&'static str>) {
        let (_, kind, code, _) = self.row();
        (kind, code)
    }

    /// Google's name for it (`google.rpc.Code`).
    const fn gemini_status(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::PromptTooLong
            | Self::HeadersTooLarge => "INVALID_ARGUMENT",
            Self::InvalidKey => "UNAUTHENTICATED",
            Self::Forbidden => "PERMISSION_DENIED",
            Self::ModelNotFound | Self::UnknownPath => "NOT_FOUND",
            Self::RequestsLimited | Self::TokensLimited | Self::BudgetExhausted => {
                "RESOURCE_EXHAUSTED"
            }
            Self::NotSupported => "UNIMPLEMENTED",
            Self::RequestTimeout | Self::UpstreamTimeout => "DEADLINE_EXCEEDED",
            Self::Overloaded
            | Self::NotReady
            | Self::NoAccount
            | Self::UpstreamFailed
            | Self::UpstreamTruncated => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// Anthropic's "overloaded".
const OVERLOADED: StatusCode = match StatusCode::from_u16(529) {
    Ok(status) => status,
    // 529 lies between 100 and 999, so this is never taken.
    Err(_) => StatusCode::SERVICE_UNAVAILABLE,
};

/// The body of an error answer: always one JSON object, whatever `message` holds.
///
/// `param` names the field of the request that is to blame. Only OpenAI's form has
/// room for it, and only Anthropic's for `request_id`; callers of both find the
/// latter in the `x-request-id` header.
pub fn body(
    dialect: Dialect,
    kind: ErrorKind,
    message: &str,
    request_id: &str,
    param: Option<&str>,
) -> Bytes {
    let (_, openai_type, code, anthropic_type) = kind.row();
    match dialect {
        Dialect::Gemini => json(&GeminiBody {
            error: Gemini {
                code: kind.status(dialect).as_u16(),
                message,
                status: kind.gemini_status(),
            },
        }),
        // Nobody is answered in Bedrock's dialect.
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock => {
            json(&OpenAiBody { error: OpenAi { message, kind: openai_type, param, code } })
        }
        Dialect::Anthropic => json(&AnthropicBody {
            kind: "error",
            error: Anthropic { kind: anthropic_type, message },
            request_id,
        }),
    }
}

/// An error as an event of a stream that has begun. Nothing must follow it: no
/// `[DONE]` and no `message_stop`, which would say that the answer is whole.
///
/// The event must start on a line of its own: send [`crate::relay::Relay::gap`] first.
pub fn stream_error(dialect: Dialect, kind: ErrorKind, message: &str, request_id: &str) -> Bytes {
    let name: &[u8] = match dialect {
        Dialect::OpenAi | Dialect::Gemini | Dialect::Bedrock => b"",
        Dialect::OpenAiResponses | Dialect::Anthropic => b"event: error\n",
    };
    let body = match dialect {
        Dialect::OpenAiResponses => json(&ResponsesEvent {
            kind: "error",
            code: kind.row().2.unwrap_or(kind.row().1),
            message,
            param: None,
            // Whoever passes another's stream on does not number its events.
            sequence_number: 0,
        }),
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => {
            body(dialect, kind, message, request_id, None)
        }
    };
    // JSON has no raw line ends, so one `data:` line carries it.
    [name, b"data: ", &body, b"\n\n"].concat().into()
}

/// `value` as JSON text; plain structs of texts cannot fail to be written.
pub(crate) fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[derive(Serialize)]
struct OpenAiBody<'a> {
    error: OpenAi<'a>,
}

#[derive(Serialize)]
struct OpenAi<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
}

/// An error in the middle of a stream of OpenAI responses.
#[derive(Serialize)]
struct ResponsesEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

/// Google's form (`google.rpc.Status`).
#[derive(Serialize)]
struct GeminiBody<'a> {
    error: Gemini<'a>,
}

#[derive(Serialize)]
struct Gemini<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Anthropic<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Anthropic<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn each_dialect_has_its_own_form() {
        let of = |dialect| {
            parsed(&body(dialect, ErrorKind::ModelNotFound, "no \"x\"\n", "req_1", Some("model")))
        };
        assert_eq!(
            of(Dialect::OpenAi),
            json!({"error": {"message": "no \"x\"\n", "type": "invalid_request_error",
                "param": "model", "code": "model_not_found"}})
        );
        assert_eq!(
            of(Dialect::Anthropic),
            json!({"type": "error", "request_id": "req_1",
                "error": {"type": "not_found_error", "message": "no \"x\"\n"}})
        );
    }

    #[test]
    fn rates_and_budgets_are_told_apart_in_each_dialect() {
        let of = |dialect, kind| parsed(&body(dialect, kind, "m", "req_1", None))["error"].clone();
        for (kind, openai_type, code, anthropic_type) in [
            (ErrorKind::RequestsLimited, "requests", "rate_limit_exceeded", "rate_limit_error"),
            (ErrorKind::TokensLimited, "tokens", "rate_limit_exceeded", "rate_limit_error"),
            (
                ErrorKind::BudgetExhausted,
                "insufficient_quota",
                "insufficient_quota",
                "billing_error",
            ),
        ] {
            let openai = of(Dialect::OpenAi, kind);
            assert_eq!((&openai["type"], &openai["code"]), (&json!(openai_type), &json!(code)));
            assert_eq!(of(Dialect::Anthropic, kind)["type"], anthropic_type);
        }
    }

    #[test]
    fn what_is_null_is_still_there() {
        let value = parsed(&body(Dialect::OpenAi, ErrorKind::InvalidRequest, "m", "req_1", None));
        let error = value["error"].as_object().unwrap();
        assert!(error["param"].is_null() && error["code"].is_null() && error.len() == 4);
    }

    #[test]
    fn statuses_are_those_that_sdks_turn_into_the_right_exception() {
        let facts = [
            (ErrorKind::InvalidRequest, 400, 400),
            (ErrorKind::InvalidKey, 401, 401),
            (ErrorKind::Forbidden, 403, 403),
            (ErrorKind::ModelNotFound, 404, 404),
            (ErrorKind::UnknownPath, 404, 404),
            (ErrorKind::MethodNotAllowed, 405, 405),
            (ErrorKind::TooLarge, 413, 413),
            (ErrorKind::RequestsLimited, 429, 429),
            (ErrorKind::TokensLimited, 429, 429),
            (ErrorKind::BudgetExhausted, 429, 402),
            (ErrorKind::PromptTooLong, 400, 400),
            (ErrorKind::Internal, 500, 500),
            (ErrorKind::UpstreamFailed, 502, 502),
            (ErrorKind::NoAccount, 503, 529),
            (ErrorKind::Overloaded, 503, 529),
            (ErrorKind::UpstreamTimeout, 504, 504),
        ];
        for (kind, openai, anthropic) in facts {
            assert_eq!(kind.status(Dialect::OpenAi), openai, "{kind:?}");
            assert_eq!(kind.status(Dialect::Anthropic), anthropic, "{kind:?}");
        }
    }

    #[test]
    fn every_kind_is_an_error_and_has_a_body_in_every_dialect() {
        for kind in ErrorKind::ALL {
            for dialect in Dialect::ALL {
                assert!(kind.status(dialect).as_u16() >= 400, "{kind:?}");
                let value = parsed(&body(dialect, kind, "m", "req_1", None));
                assert_eq!(value["error"]["message"], "m", "{kind:?}");
                let name = if dialect == Dialect::Gemini { "status" } else { "type" };
                assert!(value["error"][name].is_string(), "{kind:?}");
            }
        }
    }

    #[test]
    fn a_stream_error_is_one_event_on_one_data_line() {
        let message = "line\r\nline\u{2028}\u{0}";
        for dialect in Dialect::ALL {
            let bytes = stream_error(dialect, ErrorKind::UpstreamTruncated, message, "req_1");
            let text = std::str::from_utf8(&bytes).unwrap();
            let data = text.lines().find_map(|it| it.strip_prefix("data: ")).unwrap();
            let data = parsed(data.as_bytes());
            let error = if dialect == Dialect::OpenAiResponses { &data } else { &data["error"] };
            assert_eq!(error["message"], message);
            assert!(text.ends_with("}\n\n") && !text.contains("[DONE]") && !text.contains('\r'));
            let named = matches!(dialect, Dialect::Anthropic | Dialect::OpenAiResponses);
            assert_eq!(text.starts_with("event: error\n"), named);
        }
    }
}
