//! What users of peers reported about translation, and what happens here instead. Most of
//! that list is proven beside what it is about; here is what shows only on the wire.

use crate::{
    crossings::{MESSAGE_EVENTS, speaking},
    stage::{EVENTS, MAIN_CREDENTIAL, SPARE_CREDENTIAL, Stage, body, header},
    upstream::{Step, chunk, stream_head, with_headers},
};
use domain::{catalog::Dialect, usage::Outcome};
use serde_json::json;
use std::time::Duration;

const RESPONSE_EVENTS: [&str; 3] = [
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"big\",\"status\":\"in_progress\",\"output\":[]}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"hi\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"model\":\"big\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":3}}}\n\n",
];

const PATHS: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];

fn asked(stream: bool) -> String {
    let turn = json!({"role": "user", "content": "hello"});
    json!({"model": "fast", "max_tokens": 9, "stream": stream, "messages": [turn]}).to_string()
}

/// One answer with these headers from either account.
fn both(stage: &Stage, status: u16, headers: &[(&str, &str)], said: &str) {
    for upstream in [&stage.main, &stage.spare] {
        upstream.then(vec![Step::Send(with_headers(status, headers, said))]);
    }
}

/// Bug 27 of the list: when to come back was lost on the way to another dialect.
#[tokio::test]
async fn bug_27_when_to_come_back_is_told_in_every_dialect() {
    let json = ("content-type", "application/json");
    for path in PATHS {
        let stage = speaking(Dialect::OpenAiResponses).await;
        let wait = [json, ("retry-after", "7"), ("retry-after-ms", "6500")];
        both(&stage, 429, &wait, r#"{"error":{"message":"busy"}}"#);
        let response = stage.post(path, asked(false)).send().await.unwrap();
        assert_eq!(response.status(), 429, "{path}");
        assert_eq!(header(&response, "retry-after").as_deref(), Some("7"), "{path}");
        assert_eq!(header(&response, "retry-after-ms").as_deref(), Some("6500"), "{path}");

        // Google says it in the body, in fractions of a second.
        let stage = speaking(Dialect::Gemini).await;
        let said = r#"{"error":{"code":429,"message":"busy","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"13.2s"}]}}"#;
        both(&stage, 429, &[json], said);
        let response = stage.post(path, asked(false)).send().await.unwrap();
        assert_eq!(response.status(), 429, "{path}");
        assert_eq!(header(&response, "retry-after").as_deref(), Some("14"), "{path}");
    }
}

/// Bug 32 of the list: Anthropic's betas were sent to providers that know of none.
#[tokio::test]
async fn bug_32_betas_stay_where_another_dialect_is_spoken() {
    for dialect in [Dialect::OpenAi, Dialect::OpenAiResponses, Dialect::Gemini, Dialect::Bedrock] {
        let stage = speaking(dialect).await;
        both(&stage, 400, &[("content-type", "application/json")], "{}");
        let request = stage
            .post("/v1/messages?beta=true", asked(false))
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "interleaved-thinking-2025-05-14")
            .header("anthropic-dangerous-direct-browser-access", "true");
        request.send().await.unwrap().bytes().await.unwrap();
        let got = stage.main.only();
        assert!(!got.line.contains("beta"), "{dialect}: {}", got.line);
        let names: Vec<_> = got.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        assert!(!names.iter().any(|it| it.starts_with("anthropic-")), "{dialect}: {names:?}");
        assert!(!got.text().contains("interleaved-thinking"), "{dialect}: {}", got.text());
    }
}

/// Bug 36 of the list: a compressed body under a wrong `content-encoding`. One that nobody
/// asked for can be neither translated nor cleared of credentials.
#[tokio::test]
async fn bug_36_an_error_that_is_compressed_unasked_is_told_in_our_words() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    let said = format!(r#"{{"error":"bad {MAIN_CREDENTIAL} or {SPARE_CREDENTIAL}"}}"#);
    std::io::Write::write_all(&mut gzip, said.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let mut answer = format!(
        "HTTP/1.1 422 X\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\
         retry-after: 7\r\ncontent-length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    answer.extend(packed);
    for path in PATHS {
        let stage = speaking(Dialect::OpenAi).await;
        for upstream in [&stage.main, &stage.spare] {
            upstream.then(vec![Step::Send(answer.clone())]);
        }
        let response = stage.post(path, asked(false)).send().await.unwrap();
        assert!(response.status().is_client_error() || response.status().is_server_error());
        assert_eq!(header(&response, "content-encoding"), None, "{path}");
        assert_eq!(header(&response, "retry-after").as_deref(), Some("7"), "{path}");
        let told = body(response).await.to_string();
        assert!(told.contains("message") && !told.contains("sk-"), "{path}: {told}");
    }
}

/// Bug 41 of the list: the connection was held after `message_stop`, and clients waited.
#[tokio::test]
async fn bug_41_an_answer_ends_with_its_last_event_though_the_upstream_holds_on() {
    for (dialect, events) in [
        (Dialect::Anthropic, &MESSAGE_EVENTS[..]),
        (Dialect::OpenAi, &EVENTS[..]),
        (Dialect::OpenAiResponses, &RESPONSE_EVENTS[..]),
    ] {
        for (path, end) in PATHS.into_iter().zip(["data: [DONE]\n\n", "\"message_stop\"}\n\n"]) {
            let stage = speaking(dialect).await;
            let mut steps = vec![Step::Send(stream_head())];
            steps.extend(events.iter().map(|it| Step::Send(chunk(it))));
            steps.push(Step::Stall);
            stage.main.then(steps);
            let response = stage.post(path, asked(true)).send().await.unwrap();
            let whole = tokio::time::timeout(Duration::from_secs(10), response.text());
            let text = whole.await.expect("the stream ends").unwrap();
            assert!(text.ends_with(end), "{dialect} {path}: {text}");
            assert_eq!(stage.record().await.outcome, Outcome::Complete);
        }
    }
}
