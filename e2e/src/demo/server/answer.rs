//! One request of the demo provider: what is asked, the answer, and how it is spoilt.

use super::{Body, Broken, Demo, own, play};
use crate::demo::{
    Answer, Ask, anthropic,
    behave::{self, Behave},
    embeddings, gemini,
    ledger::{self, Entry, Received},
    openai, responses,
};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use std::{net::TcpStream, sync::Arc, time::Duration};

/// The longest body that is read, in bytes.
const MOST_BODY: usize = 64 << 20;

/// What the request is written in, as its path and headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's.
    OpenAi,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
}

impl Dialect {
    /// As the ledger writes it.
    const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    fn of(path: &str, headers: &HeaderMap) -> Self {
        if path.starts_with("/v1beta/") {
            Self::Gemini
        } else if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else if path.starts_with("/v1/responses") {
            Self::Responses
        } else {
            Self::OpenAi
        }
    }

    /// The error for a status that was asked for.
    fn error_for(self, status: u16, behave: &Behave) -> Answer {
        match self {
            Self::OpenAi | Self::Responses => openai::error_for(status),
            Self::Anthropic => anthropic::error_for(status),
            Self::Gemini => gemini::error_for(status, behave.retry_after.as_deref()),
        }
    }

    /// The most output tokens that a body asks for; 0: it does not say.
    fn most_output(self, body: &serde_json::Value) -> u64 {
        let fields: &[&serde_json::Value] = match self {
            Self::OpenAi => &[&body["max_completion_tokens"], &body["max_tokens"]],
            Self::Responses => &[&body["max_output_tokens"]],
            Self::Anthropic => &[&body["max_tokens"]],
            Self::Gemini => &[&body["generationConfig"]["maxOutputTokens"]],
        };
        fields.iter().find_map(|it| it.as_u64()).unwrap_or(0)
    }
}

/// Answers one request, or breaks the connection.
pub(super) async fn answer(
    demo: &Demo,
    socket: &Arc<TcpStream>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Broken> {
    let (at_ms, arrived_us) = (runtime::clock::unix_ms(), ledger::now_us());
    let (head, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, MOST_BODY).collect().await.map_err(|_| Broken)?;
    let body = body.to_bytes();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    if let Some(response) = own::answer(demo, &head.method, path, query, &body) {
        return Ok(response);
    }
    let call = Call::read(&head.method, path, query, &head.headers);
    let json = serde_json::from_slice(&body).unwrap_or_default();
    let mut entry = call.entry(&head.headers, &json);
    (entry.at_ms, entry.arrived_us) = (at_ms, arrived_us);
    let received = Received {
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: header_list(&head.headers),
        body: body.clone(),
    };
    let behave = match text_header(&head.headers, behave::HEADER) {
        Some(text) => text.parse::<Behave>().map_err(|it| it.to_string()),
        None => Ok(demo.rules.take(
            &entry.model,
            call.credential.as_deref().unwrap_or(""),
            call.operation,
        )),
    };
    let line = demo.ledger.begin(entry, received);
    let (behave, answer) = match behave {
        Ok(it) => (it.clone(), call.answer(&head.headers, &body, &json, &it, at_ms / 1000)),
        Err(why) => (Behave::default(), call.error(400, &why)),
    };
    tokio::time::sleep(Duration::from_millis(behave.latency_ms)).await;
    play::respond(call.dialect, answer, behave, line, Arc::clone(socket)).await
}

/// What the request line and the headers say.
struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    dialect: Dialect,
    operation: &'static str,
    /// In Google's dialect.
    called: Option<gemini::Called<'a>>,
    credential: Option<String>,
}

impl<'a> Call<'a> {
    fn read(method: &'a Method, path: &'a str, query: &str, headers: &HeaderMap) -> Self {
        let dialect = Dialect::of(path, headers);
        let called = gemini::called(path, query);
        let operation = match (path, called.map(|it| it.verb)) {
            (_, Some("generateContent" | "streamGenerateContent")) => "chat",
            (_, Some("countTokens")) => "count_tokens",
            (_, Some("embedContent" | "batchEmbedContents")) => "embeddings",
            (_, Some(_)) => "unknown",
            ("/v1/chat/completions" | "/v1/messages" | "/v1/responses", None) => "chat",
            ("/v1/embeddings", None) => "embeddings",
            ("/v1/messages/count_tokens" | "/v1/responses/input_tokens", None) => "count_tokens",
            (path, None) if models_path(path).is_some() => "models",
            (_, None) => "unknown",
        };
        let bearer =
            text_header(headers, "authorization").and_then(|it| it.strip_prefix("Bearer "));
        let credential = match dialect {
            Dialect::OpenAi | Dialect::Responses => bearer,
            Dialect::Anthropic => text_header(headers, "x-api-key").or(bearer),
            Dialect::Gemini => text_header(headers, "x-goog-api-key"),
        };
        let credential = credential.filter(|it| !it.is_empty()).map(str::to_owned);
        Self { method, path, dialect, operation, called, credential }
    }

    fn entry(&self, headers: &HeaderMap, body: &serde_json::Value) -> Entry {
        let credential = Sha256::digest(self.credential.as_deref().unwrap_or(""));
        let in_body = body["model"].as_str().unwrap_or_default();
        Entry {
            request_id: text_header(headers, "x-request-id").unwrap_or_default().to_owned(),
            model: self.called.map_or(in_body, |it| it.model).to_owned(),
            dialect: self.dialect.name().to_owned(),
            operation: self.operation.to_owned(),
            credential_hash: credential.iter().take(8).map(|it| format!("{it:02x}")).collect(),
            max_output_tokens: self.dialect.most_output(body),
            ..Entry::default()
        }
    }

    fn error(&self, status: u16, message: &str) -> Answer {
        match self.dialect {
            Dialect::OpenAi | Dialect::Responses => openai::error(status, message, None, None),
            Dialect::Anthropic => anthropic::error(status, message),
            Dialect::Gemini => gemini::error(status, message),
        }
    }

    fn answer(
        &self,
        headers: &HeaderMap,
        bytes: &[u8],
        body: &serde_json::Value,
        behave: &Behave,
        now: i64,
    ) -> Answer {
        if let Some(refusal) = self.refusal(headers, behave) {
            return refusal;
        }
        let post = self.method == Method::POST;
        if post
            && self.operation != "unknown"
            && !serde_json::from_slice(bytes).is_ok_and(|it: serde_json::Value| it.is_object())
        {
            return self.error(400, "We could not parse the JSON body of your request.");
        }
        let ask = Ask { body, behave, now };
        match (self.operation, self.dialect, self.called) {
            (_, _, Some(called)) if post => gemini::answer(&ask, called),
            ("chat", Dialect::OpenAi, _) if post => openai::chat(&ask),
            ("chat", Dialect::Responses, _) if post => responses::create(&ask),
            ("chat", Dialect::Anthropic, _) if post => anthropic::messages(&ask),
            ("count_tokens", Dialect::Responses, _) if post => responses::count_tokens(&ask),
            ("count_tokens", _, _) if post => anthropic::count_tokens(&ask),
            ("embeddings", _, _) if post => embeddings::embed(&ask),
            ("models", ..) if self.method == Method::GET => self.models(),
            (_, Dialect::OpenAi | Dialect::Responses, _) => {
                self.error(404, &format!("Invalid URL ({} {})", self.method, self.path))
            }
            (_, Dialect::Anthropic | Dialect::Gemini, _) => self.error(404, "Not Found"),
        }
    }

    fn models(&self) -> Answer {
        match (self.dialect, models_path(self.path).flatten()) {
            (Dialect::OpenAi | Dialect::Responses, None) => openai::models(),
            (Dialect::OpenAi | Dialect::Responses, Some(name)) => openai::model(name),
            (Dialect::Anthropic, None) => anthropic::models(),
            (Dialect::Anthropic, Some(name)) => anthropic::model(name),
            (Dialect::Gemini, None) => gemini::models(),
            (Dialect::Gemini, Some(name)) => gemini::model(name),
        }
    }

    /// What is refused whatever the body says.
    fn refusal(&self, headers: &HeaderMap, behave: &Behave) -> Option<Answer> {
        let key = self.credential.as_deref();
        if behave.echo_key {
            let message = format!("Incorrect API key provided: {}.", key.unwrap_or("(none)"));
            return Some(self.error(401, &message));
        }
        match (key, self.dialect) {
            (None, Dialect::Anthropic) => {
                return Some(self.error(401, "x-api-key header is required"));
            }
            (None, Dialect::Gemini) => {
                let message = "Method doesn't allow unregistered callers (callers without \
                               established identity).";
                return Some(self.error(403, message));
            }
            (None, Dialect::OpenAi | Dialect::Responses) => {
                return Some(self.error(401, "You didn't provide an API key."));
            }
            (Some("invalid-credential"), Dialect::Gemini) => return Some(gemini::invalid_key()),
            (Some("invalid-credential"), dialect) => return Some(dialect.error_for(401, behave)),
            (Some(_), _) => {}
        }
        if self.dialect == Dialect::Anthropic && !headers.contains_key("anthropic-version") {
            return Some(self.error(400, "anthropic-version: header is required"));
        }
        let status = behave.status.filter(|it| *it != 200)?;
        Some(self.dialect.error_for(status, behave))
    }
}

/// Whether the path is the list of models, or the one that it names.
fn models_path(path: &str) -> Option<Option<&str>> {
    let rest = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1"))?;
    match rest.strip_prefix("/models")? {
        "" => Some(None),
        rest => rest.strip_prefix('/').map(Some),
    }
}

fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
