//! Facts about the demo provider over a real socket.

use super::*;
use crate::{demo::ledger::Entry, patience::until};
use serde_json::{Value, json};
use std::time::Duration;

struct Place {
    url: String,
    http: reqwest::Client,
    process: Process,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.process.shutdown.cut_now();
    }
}

async fn open() -> Place {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let process = Process::alone();
    process.tasks.spawn("demo", serve(listener, process.clone()));
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    Place { url, http, process }
}

impl Place {
    fn chat(&self, behave: &str, stream: bool) -> reqwest::RequestBuilder {
        let body = json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
        let request = self.http.post(format!("{}/v1/chat/completions", self.url)).bearer_auth("k");
        request.header("x-demo-behave", behave).header("x-request-id", "r1").body(body.to_string())
    }

    async fn entries(&self, count: usize) -> Vec<Entry> {
        let look = async || {
            let response = self.http.get(format!("{}/ledger?bodies=1", self.url)).send().await;
            let text = response.ok()?.text().await.ok()?;
            let entries = text.lines().map(|it| serde_json::from_str(it).unwrap());
            Some(entries.collect::<Vec<Entry>>()).filter(|it| it.len() >= count)
        };
        until("the entries are there", look).await.unwrap()
    }
}

#[tokio::test]
async fn a_stream_is_served_and_entered_with_its_exact_body() {
    let place = open().await;
    let response = place.chat("tokens=5", true).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let entry = place.entries(1).await.remove(0);
    assert_eq!((entry.output_tokens, entry.completed, entry.cancelled), (5, true, false));
    assert_eq!((entry.request_id.as_str(), entry.status, entry.streamed), ("r1", 200, true));
    assert!(entry.body.is_some() && entry.headers.is_some());
    assert_eq!(entry.target.as_deref(), Some("/v1/chat/completions"));
}

#[tokio::test]
async fn a_reset_comes_after_what_was_promised() {
    let place = open().await;
    for behave in ["tokens=20,reset_after=3", "tokens=20,close_after=3"] {
        let mut response = place.chat(behave, true).send().await.unwrap();
        let mut text = Vec::new();
        let error = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                Ok(None) => panic!("{behave}: the body ended well"),
                Err(error) => break error,
            }
        };
        let events = String::from_utf8(text).unwrap().matches("data: ").count();
        assert_eq!(events, 3, "{behave}: {error}");
    }
    let entries = place.entries(2).await;
    assert!(
        entries.iter().all(|it| !it.completed && !it.cancelled && it.output_tokens == 2),
        "{entries:?}"
    );
}

#[tokio::test]
async fn who_hangs_up_is_entered_as_cancelled() {
    let place = open().await;
    let mut response = place.chat("tokens=20,stall_after=4", true).send().await.unwrap();
    response.chunk().await.unwrap();
    drop(response);
    let entry = place.entries(1).await.remove(0);
    assert!(entry.cancelled && !entry.completed, "{entry:?}");
}

#[tokio::test]
async fn errors_are_in_the_dialect_of_the_path() {
    let place = open().await;
    let told = place.chat("status=429,retry_after=2", false).send().await.unwrap();
    assert_eq!(
        (told.status().as_u16(), &told.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    let body: Value = serde_json::from_str(&told.text().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");

    let post = |path: &str| place.http.post(format!("{}{path}", place.url));
    let read = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap())
    };
    let (status, body) = read(post("/v1/messages").body("{}")).await;
    assert_eq!((status, &body["error"]["type"]), (401, &json!("authentication_error")));
    let message = post("/v1/messages").header("x-api-key", "k");
    let (status, body) = read(message.header("anthropic-version", "2023-06-01").body("{")).await;
    assert_eq!((status, &body["error"]["type"]), (400, &json!("invalid_request_error")));
    let (status, body) = read(post("/v1/nothing").bearer_auth("k").body("{}")).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (404, &json!("Invalid URL (POST /v1/nothing)"))
    );
    let (status, _) =
        read(post("/v1/embeddings").bearer_auth("invalid-credential").body("{}")).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn rules_hold_until_they_are_used_up() {
    let place = open().await;
    let rule = json!({"match": {"model": "gpt-4o"}, "behave": "status=500", "times": 1});
    let behave = format!("{}/behave", place.url);
    assert_eq!(place.http.post(&behave).body(rule.to_string()).send().await.unwrap().status(), 204);
    assert_eq!(place.http.post(&behave).body("{}").send().await.unwrap().status(), 400);
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}"#;
    let url = format!("{}/v1/chat/completions", place.url);
    let ask = || place.http.post(&url).bearer_auth("k").body(body).send();
    assert_eq!(ask().await.unwrap().status(), 500);
    assert_eq!(ask().await.unwrap().status(), 200);
}
