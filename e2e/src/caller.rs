//! A caller of a proxy, as a program with a virtual key is one.

use crate::patience;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// Who calls, where, with which key.
#[derive(Debug, Clone)]
pub struct Caller {
    http: Client,
    url: String,
    key: String,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact body.
    pub bytes: Bytes,
}

impl Answered {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }
}

/// A header's text; empty where there is none.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
}

impl Caller {
    /// A caller of the proxy at `url` with this key.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str, key: &str) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(patience::LONG).build()?;
        Ok(Self { http, url: url.to_owned(), key: key.to_owned() })
    }

    /// The same caller with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// A request with the key shown as the path's dialect does it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if path.starts_with("/v1/messages") {
            return request
                .header("x-api-key", &self.key)
                .header("anthropic-version", "2023-06-01");
        }
        if path.starts_with("/v1beta/") {
            return request.header("x-goog-api-key", &self.key);
        }
        request.bearer_auth(&self.key)
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection fails or breaks.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answered> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answered { status, headers, bytes: response.bytes().await? })
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// When the connection fails or breaks.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answered> {
        self.post_text(path, body.to_string()).await
    }

    /// Posts a body as it is.
    ///
    /// # Errors
    /// When the connection fails or breaks.
    pub async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Result<Answered> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.body(body)).await
    }

    /// Gets a path.
    ///
    /// # Errors
    /// When the connection fails or breaks.
    pub async fn get(&self, path: &str) -> Result<Answered> {
        self.send(self.request(Method::GET, path)).await
    }

    /// An OpenAI chat completion of a short question.
    ///
    /// # Errors
    /// When the connection fails or breaks.
    pub async fn chat(&self, model: &str) -> Result<Answered> {
        self.post("/v1/chat/completions", &chat_body(model, "hello there")).await
    }

    /// Opens a stream: posts the body and waits for the headers.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn open(&self, path: &str, body: &Value) -> Result<Streaming> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await?;
        Ok(Streaming { response, buffer: Vec::new(), raw: Vec::new() })
    }
}

/// The body of an OpenAI chat completion that asks `text`.
pub fn chat_body(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// The body of an Anthropic message that asks `text`.
pub fn message_body(model: &str, text: &str) -> Value {
    json!({"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}]})
}

/// The same body, asking for a stream.
#[must_use]
pub fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Of its `event:` line; empty: there was none.
    pub name: String,
    /// Of its `data:` lines.
    pub data: String,
}

impl Event {
    /// The data as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    /// The event that these lines are.
    pub fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let lines = text.lines().filter_map(|it| it.strip_prefix(name));
            lines.map(|it| it.strip_prefix(' ').unwrap_or(it)).collect::<Vec<_>>().join("\n")
        };
        Self { name: field("event:"), data: field("data:") }
    }
}

/// A stream of server-sent events as it comes in.
#[derive(Debug)]
pub struct Streaming {
    response: Response,
    buffer: Vec<u8>,
    raw: Vec<u8>,
}

impl Streaming {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        header(self.response.headers(), name)
    }

    /// The next event; `None` at the body's end.
    ///
    /// # Errors
    /// When the connection breaks before the body's end.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|it| it == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(Event::parse(
                    &String::from_utf8(event).context("events are UTF-8")?,
                )));
            }
            let Some(chunk) = self.response.chunk().await? else { return Ok(None) };
            self.raw.extend_from_slice(&chunk);
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// Every event up to the body's end.
    ///
    /// # Errors
    /// When the connection breaks before the body's end.
    pub async fn rest(&mut self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    /// Every byte that has come.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}
