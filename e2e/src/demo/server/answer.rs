//! One request of the demo provider: what is asked, the answer, and how it is spoilt.

use super::{Body, Broken, Demo, own, play};
use crate::demo::{
    Answer, Ask, anthropic,
    behave::{self, Behave},
    embeddings,
    ledger::{self, Entry, Received},
    openai,
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
    /// Anthropic's.
    Anthropic,
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
    let call = Call::read(&head.method, path, &head.headers);
    let json = serde_json::from_slice(&body).unwrap_or_default();
    let mut entry = call.entry(&head.headers, &json);
    (entry.at_ms, entry.arrived_us) = (at_ms, arrived_us);
    let cap = |field: &str| json.get(field).and_then(serde_json::Value::as_u64);
    entry.max_output_tokens =
        cap("max_completion_tokens").or_else(|| cap("max_tokens")).unwrap_or(0);
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
    credential: Option<String>,
}

impl<'a> Call<'a> {
    fn read(method: &'a Method, path: &'a str, headers: &HeaderMap) -> Self {
        let anthropic =
            path.starts_with("/v1/messages") || headers.contains_key("anthropic-version");
        let operation = match path {
            "/v1/chat/completions" | "/v1/messages" => "chat",
            "/v1/embeddings" => "embeddings",
            "/v1/messages/count_tokens" => "count_tokens",
            _ if path == "/v1/models" || path.starts_with("/v1/models/") => "models",
            _ => "unknown",
        };
        let bearer =
            text_header(headers, "authorization").and_then(|it| it.strip_prefix("Bearer "));
        let bare = text_header(headers, "x-api-key").filter(|_| anthropic);
        let credential = bare.or(bearer).filter(|it| !it.is_empty()).map(str::to_owned);
        let dialect = if anthropic { Dialect::Anthropic } else { Dialect::OpenAi };
        Self { method, path, dialect, operation, credential }
    }

    fn entry(&self, headers: &HeaderMap, body: &serde_json::Value) -> Entry {
        let credential = Sha256::digest(self.credential.as_deref().unwrap_or(""));
        Entry {
            request_id: text_header(headers, "x-request-id").unwrap_or_default().to_owned(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            dialect: if self.dialect == Dialect::OpenAi { "openai" } else { "anthropic" }
                .to_owned(),
            operation: self.operation.to_owned(),
            credential_hash: credential.iter().take(8).map(|it| format!("{it:02x}")).collect(),
            ..Entry::default()
        }
    }

    fn error(&self, status: u16, message: &str) -> Answer {
        match self.dialect {
            Dialect::OpenAi => openai::error(status, message, None, None),
            Dialect::Anthropic => anthropic::error(status, message),
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
        match (self.operation, self.dialect) {
            ("chat", Dialect::OpenAi) if post => openai::chat(&ask),
            ("chat", Dialect::Anthropic) if post => anthropic::messages(&ask),
            ("count_tokens", _) if post => anthropic::count_tokens(&ask),
            ("embeddings", _) if post => embeddings::embed(&ask),
            ("models", dialect) if self.method == Method::GET => {
                match (dialect, self.path.strip_prefix("/v1/models/")) {
                    (Dialect::OpenAi, None) => openai::models(),
                    (Dialect::OpenAi, Some(name)) => openai::model(name),
                    (Dialect::Anthropic, None) => anthropic::models(),
                    (Dialect::Anthropic, Some(name)) => anthropic::model(name),
                }
            }
            (_, Dialect::OpenAi) => {
                self.error(404, &format!("Invalid URL ({} {})", self.method, self.path))
            }
            (_, Dialect::Anthropic) => self.error(404, "Not Found"),
        }
    }

    /// What is refused whatever the body says.
    fn refusal(&self, headers: &HeaderMap, behave: &Behave) -> Option<Answer> {
        let key = self.credential.as_deref();
        let anthropic = self.dialect == Dialect::Anthropic;
        if behave.echo_key {
            let message = format!("Incorrect API key provided: {}.", key.unwrap_or("(none)"));
            return Some(self.error(401, &message));
        }
        match key {
            None if anthropic => return Some(self.error(401, "x-api-key header is required")),
            None => return Some(self.error(401, "You didn't provide an API key.")),
            Some("invalid-credential") => {
                return Some(if anthropic {
                    anthropic::error_for(401)
                } else {
                    openai::error_for(401)
                });
            }
            Some(_) => {}
        }
        if anthropic && !headers.contains_key("anthropic-version") {
            return Some(self.error(400, "anthropic-version: header is required"));
        }
        let status = behave.status.filter(|it| *it != 200)?;
        Some(if anthropic { anthropic::error_for(status) } else { openai::error_for(status) })
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
