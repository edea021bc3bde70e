//! Models in the clouds of Amazon and Google: signed, quoted, framed and edited.

use crate::{
    stage::{Plan, Stage, body, header},
    upstream::Step,
};
use domain::{
    catalog::{AuthStyle, BaseUrl, Dialect, Endpoint, Quirk, Quirks},
    secret::Secret,
    usage::Outcome,
};
use serde_json::{Value, json};

const CREDENTIAL: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Both accounts speak only this, and sign what they send.
async fn hosting(dialect: Dialect, quirks: Quirks) -> Stage {
    let mut plan = Plan::new().await;
    let (region, service) = ("eu-west-1".to_owned(), "bedrock".to_owned());
    let auth = AuthStyle::SigV4 { region, service };
    plan.providers[0].endpoints =
        vec![Endpoint { dialect, base_url: None, auth, output_cap_field: None, quirks }];
    for account in &mut plan.accounts {
        let url = account.base_urls[0].url.clone();
        account.base_urls = vec![BaseUrl { dialect, url }];
        account.credential = Some(Secret::new(CREDENTIAL.to_owned()));
    }
    plan.start().await
}

/// A message in Amazon's framing, whose headers are texts.
fn framed(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend(name.as_bytes());
        block.push(7);
        block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend(value.as_bytes());
    }
    let number = |it: usize| u32::try_from(it).unwrap().to_be_bytes();
    let mut bytes = number(16 + block.len() + payload.len()).to_vec();
    bytes.extend(number(block.len()));
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(block);
    bytes.extend(payload.as_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    framed(&[(":event-type", name), (":message-type", "event")], payload)
}

fn wrapped(text: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    event("chunk", &json!({ "bytes": STANDARD.encode(text), "p": "abc" }).to_string())
}

/// A stream of these messages, cut in the middle of each.
fn stream(messages: &[Vec<u8>]) -> Vec<Step> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\
                          content-type: application/vnd.amazon.eventstream\r\n\r\n";
    let bytes = messages.concat();
    let pieces = bytes.chunks(50).map(|it| Step::Send(it.to_vec()));
    std::iter::once(Step::Send(HEAD.to_vec())).chain(pieces).chain([Step::Close]).collect()
}

const ASKED: &str =
    r#"{"model":"fast","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;

#[tokio::test]
async fn a_chat_goes_to_converse_signed_and_its_stream_comes_back() {
    let stage = hosting(Dialect::Bedrock, Quirks::NONE).await;
    stage.main.then(stream(&[
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"hello"}}"#),
        event("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        event("messageStop", r#"{"stopReason":"end_turn"}"#),
        event("metadata", r#"{"usage":{"inputTokens":5,"outputTokens":3,"totalTokens":8,"cacheReadInputTokens":4}}"#),
    ]));
    let response = stage.post("/v1/chat/completions", ASKED).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    assert!(text.contains(r#""content":"hello""#) && text.ends_with("data: [DONE]\n\n"), "{text}");
    let sent = stage.main.only();
    assert_eq!(sent.line, "POST /v1/model/big-1/converse-stream");
    let authorization = sent.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert!(
        authorization.contains(
            "/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date,"
        )
    );
    assert_eq!(sent.header("host").unwrap(), stage.main.addr.to_string());
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        sent,
        json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "inferenceConfig": {"maxTokens": 50}})
    );
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output, record.streamed), (9, 3, true));
    assert_eq!((record.outcome, record.estimated), (Outcome::Complete, false));
}

#[tokio::test]
async fn an_exception_at_once_is_a_failed_attempt_and_the_next_account_is_asked() {
    let stage = hosting(Dialect::Bedrock, Quirks::NONE).await;
    let slow = [(":exception-type", "throttlingException"), (":message-type", "exception")];
    stage.main.then(stream(&[framed(&slow, r#"{"message":"Slow down"}"#)]));
    stage.spare.then(stream(&[
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"there"}}"#),
        event("messageStop", r#"{"stopReason":"end_turn"}"#),
    ]));
    let response = stage.post("/v1/chat/completions", ASKED).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains(r#""content":"there""#));
}

#[tokio::test]
async fn a_stream_that_is_spoilt_on_the_way_does_not_look_whole() {
    let stage = hosting(Dialect::Bedrock, Quirks::NONE).await;
    let mut last = event("messageStop", r#"{"stopReason":"end_turn"}"#);
    *last.last_mut().unwrap() ^= 1;
    stage.main.then(stream(&[
        event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"hello"}}"#),
        last,
    ]));
    let response = stage.post("/v1/chat/completions", ASKED).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(text.contains("hello") && text.contains(r#""error""#), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    assert_eq!(stage.record().await.outcome, Outcome::Truncated);
}

const STARTED: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"big","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}"#;
const DELTA: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#;
const STOPPED: &str = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"x":1}}"#;

/// Bug 32 of the list: betas that Bedrock does not know were sent there, and all were lost.
#[tokio::test]
async fn anthropics_callers_are_told_what_invoke_wraps_to_the_byte() {
    let stage = hosting(Dialect::Anthropic, Quirks::NONE.with(Quirk::BedrockInvoke)).await;
    stage.main.then(stream(&[wrapped(STARTED), wrapped(DELTA), wrapped(STOPPED)]));
    let request = stage
        .post("/v1/messages?beta=true", ASKED)
        .header("anthropic-beta", "interleaved-thinking-2025-05-14,claude-code-20250219");
    let response = request.send().await.unwrap();
    let kind = header(&response, "content-type");
    assert_eq!(kind.as_deref(), Some("text/event-stream; charset=utf-8"));
    assert_eq!(
        response.text().await.unwrap(),
        format!(
            "event: message_start\ndata: {STARTED}\n\nevent: message_delta\ndata: {DELTA}\n\n\
             event: message_stop\ndata: {STOPPED}\n\n"
        )
    );
    let sent = stage.main.only();
    assert_eq!(sent.line, "POST /v1/model/big-1/invoke-with-response-stream");
    assert_eq!(sent.header("anthropic-beta"), None);
    assert_eq!(
        sent.text(),
        r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["interleaved-thinking-2025-05-14"],"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#
    );
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output, record.estimated), (9, 3, false));
}

#[tokio::test]
async fn amazons_errors_are_told_in_anthropics_words() {
    let stage = hosting(Dialect::Anthropic, Quirks::NONE.with(Quirk::BedrockInvoke)).await;
    stage.main.then_json(400, r#"{"message":"messages: at least one message is required"}"#);
    let response = stage.post("/v1/messages", ASKED).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let error = body(response).await;
    assert_eq!(
        (&error["type"], &error["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
    assert_eq!(error["error"]["message"], "messages: at least one message is required");
}

#[tokio::test]
async fn vertex_has_the_model_in_the_path_and_the_version_in_the_body() {
    let stage = hosting(Dialect::Anthropic, Quirks::NONE.with(Quirk::Vertex)).await;
    let answer = r#"{"id":"msg_1","type":"message","role":"assistant","model":"big","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":3}}"#;
    stage.main.then_json(200, answer).then_json(200, r#"{"input_tokens":5}"#);
    let whole = ASKED.replace(r#""stream":true,"#, "");
    let request = stage.post("/v1/messages?beta=true", whole.clone());
    let response = request.header("anthropic-beta", "x-1").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), answer);
    let count = stage.post("/v1/messages/count_tokens", whole).send().await.unwrap();
    assert_eq!(count.text().await.unwrap(), r#"{"input_tokens":5}"#);
    let sent = stage.main.got();
    assert_eq!(sent[0].line, "POST /v1/models/big-1:rawPredict");
    assert_eq!(sent[0].header("anthropic-beta").as_deref(), Some("x-1"));
    assert_eq!(
        sent[0].text(),
        r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#
    );
    assert_eq!(sent[1].line, "POST /v1/models/count-tokens:rawPredict");
    assert!(sent[1].text().contains(r#""model":"big-1""#));
}

#[tokio::test]
async fn what_who_hosts_a_dialect_does_not_have_is_said_before_anybody_is_asked() {
    let stage = hosting(Dialect::Anthropic, Quirks::NONE.with(Quirk::BedrockInvoke)).await;
    let asked = json!({"model": "fast", "messages": [{"role": "user", "content": "hi"}]});
    for path in ["/v1/messages/count_tokens", "/v1beta/models/fast:countTokens"] {
        let asked = match path.contains("fast") {
            true => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
            false => asked.clone(),
        };
        let response = stage.post(path, asked.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 501, "{path}");
        assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("0"), "{path}");
    }
    assert!(stage.main.got().is_empty() && stage.spare.got().is_empty());
}

#[tokio::test]
async fn gemini_on_vertex_counts_the_request_itself_and_makes_no_vectors() {
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let wrapped = json!({"model": "models/fast", "contents": contents});
    for (path, asked) in [
        (
            "/v1/messages/count_tokens",
            json!({"model": "fast", "messages": [{"role": "user", "content": "hi"}]}),
        ),
        ("/v1beta/models/fast:countTokens", json!({"contents": contents})),
        ("/v1beta/models/fast:countTokens", json!({"generateContentRequest": wrapped})),
    ] {
        let stage = hosting(Dialect::Gemini, Quirks::NONE.with(Quirk::Vertex)).await;
        stage.main.then_json(200, r#"{"totalTokens":5}"#);
        let response = stage.post(path, asked.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let sent = stage.main.only();
        assert_eq!(sent.line, "POST /v1/models/big-1:countTokens");
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(sent, json!({"contents": contents}), "{path}");
    }
    let stage = hosting(Dialect::Gemini, Quirks::NONE.with(Quirk::Vertex)).await;
    let asked = json!({"model": "fast", "input": "hi"}).to_string();
    let response = stage.post("/v1/embeddings", asked).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(body(response).await["error"]["param"], "model");
    assert!(stage.main.got().is_empty() && stage.spare.got().is_empty());
}
