//! Callers of one dialect, providers of another: what goes over, and what comes back.

use crate::{
    stage::{ANSWER, EVENTS, Plan, Stage, body, header, key_text},
    upstream::{Step, chunk, stream_head},
};
use domain::{
    catalog::{AuthStyle, BaseUrl, Dialect, Endpoint, Quirks},
    usage::Outcome,
};
use serde_json::{Value, json};

/// Both accounts speak only this.
pub(crate) async fn speaking(dialect: Dialect) -> Stage {
    plan(dialect).await.start().await
}

async fn plan(dialect: Dialect) -> Plan {
    let mut plan = Plan::new().await;
    let auth = AuthStyle::Bearer;
    let quirks = Quirks::NONE;
    plan.providers[0].endpoints =
        vec![Endpoint { dialect, base_url: None, auth, output_cap_field: None, quirks }];
    for account in &mut plan.accounts {
        let url = account.base_urls[0].url.clone();
        account.base_urls = vec![BaseUrl { dialect, url }];
    }
    plan
}

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"big","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":3}}"#;
pub(crate) const MESSAGE_EVENTS: [&str; 6] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"big\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];
const ASKED: &str = r#"{"model":"fast","frequency_penalty":0.5,"max_tokens":50,"messages":[{"role":"user","content":"hello"}]}"#;

#[tokio::test]
async fn a_chat_becomes_a_message_and_its_answer_a_chat_again() {
    let stage = speaking(Dialect::Anthropic).await;
    stage.main.then_json(200, MESSAGE);
    let request = stage.post("/v1/chat/completions", ASKED).header("openai-beta", "x");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let adapted = header(&response, "x-sluice-adapted").unwrap();
    assert_eq!(adapted, "frequency_penalty;dropped");
    let answer = body(response).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "hi");
    assert_eq!(answer["usage"]["prompt_tokens"], 9);
    let sent = stage.main.only();
    assert_eq!(sent.line, "POST /v1/messages");
    assert_eq!(sent.header("anthropic-version").as_deref(), Some("2023-06-01"));
    assert_eq!(sent.header("openai-beta"), None);
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&json!("big-1"), &json!(50)));
    let record = stage.record().await;
    assert_eq!((record.dialect, record.outcome), (Dialect::OpenAi, Outcome::Complete));
    assert_eq!((record.tokens.input, record.tokens.output, record.estimated), (9, 3, false));
}

#[tokio::test]
async fn a_stream_is_told_in_the_callers_events_and_metered_by_the_providers() {
    let stage = speaking(Dialect::Anthropic).await;
    stage.main.then_events(&MESSAGE_EVENTS);
    let asked = ASKED.replacen('{', r#"{"stream":true,"#, 1);
    let response = stage.post("/v1/chat/completions", asked).send().await.unwrap();
    assert_eq!(
        header(&response, "content-type").as_deref(),
        Some("text/event-stream; charset=utf-8")
    );
    let text = response.text().await.unwrap();
    assert!(text.contains(r#""content":"hi""#) && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(!text.contains("prompt_tokens"), "it did not ask for the usage: {text}");
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output, record.streamed), (9, 3, true));
    assert_eq!((record.outcome, record.estimated), (Outcome::Complete, false));
}

/// Bug 28 of the list: a stream that broke off ended well for its caller.
#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_in_the_callers_dialect() {
    for end in [Step::Reset, Step::Close, Step::Send(b"0\r\n\r\n".to_vec())] {
        let stage = speaking(Dialect::OpenAi).await;
        let mut steps = vec![Step::Send(stream_head())];
        steps.extend(EVENTS[..2].iter().map(|it| Step::Send(chunk(it))));
        steps.push(end);
        stage.main.then(steps);
        let asked = r#"{"model":"fast","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
        let response = stage.post("/v1/messages", asked).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        assert!(text.contains("event: error\n") && !text.contains("message_stop"), "{text}");
        assert_eq!(stage.record().await.outcome, Outcome::Truncated);
        assert!(stage.spare.got().is_empty(), "after the first byte there is no retry");
    }
}

/// LiteLLM and others answered 200 to their callers here, and never failed over.
#[tokio::test]
async fn an_error_as_the_first_event_is_no_answer_and_the_next_account_is_asked() {
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    for path in ["/v1/messages", "/v1/chat/completions"] {
        let stage = speaking(Dialect::Anthropic).await;
        stage.main.then_events(&[error]);
        stage.spare.then_events(&MESSAGE_EVENTS);
        let asked = ASKED.replacen('{', r#"{"stream":true,"#, 1);
        let response = stage.post(path, asked).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("2"));
        assert!(response.text().await.unwrap().contains("hi"), "{path}");
        assert_eq!(stage.record().await.tokens.output, 3);
    }
}

#[tokio::test]
async fn when_nobody_has_more_to_say_than_an_error_it_keeps_its_status() {
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    for (path, status) in [("/v1/messages", 529), ("/v1/chat/completions", 503)] {
        let stage = speaking(Dialect::Anthropic).await;
        stage.main.then_events(&[error]);
        stage.spare.then_events(&[error]);
        let asked = ASKED.replacen('{', r#"{"stream":true,"#, 1);
        let response = stage.post(path, asked).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(body(response).await["error"]["message"], "busy", "{path}");
    }
}

#[tokio::test]
async fn a_providers_error_is_told_in_the_callers_form_with_its_words() {
    let said =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: no"}}"#;
    for (path, kind) in [("/v1/chat/completions", "error"), ("/v1/responses", "error")] {
        let stage = speaking(Dialect::Anthropic).await;
        stage.main.then_json(400, said);
        let asked = if path == "/v1/responses" {
            json!({"model": "fast", "input": "hello"}).to_string()
        } else {
            ASKED.to_owned()
        };
        let response = stage.post(path, asked).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let answer = body(response).await;
        assert_eq!(answer[kind]["message"], "messages: no", "{path}");
        assert_eq!(answer[kind]["type"], "invalid_request_error", "{path}");
        assert!(answer["type"].is_null(), "{path}: {answer}");
    }
}

#[tokio::test]
async fn what_cannot_be_said_to_one_is_said_to_the_next_who_can_hear_it() {
    let mut plan = plan(Dialect::Anthropic).await;
    // The second account's provider speaks the caller's own dialect.
    let mut other = plan.providers[0].clone();
    other.name = "other".parse().unwrap();
    other.endpoints[0].dialect = Dialect::OpenAi;
    plan.providers.push(other);
    plan.accounts[1].provider = "other".parse().unwrap();
    plan.accounts[1].base_urls[0].dialect = Dialect::OpenAi;
    let stage = plan.start().await;
    stage.spare.then_json(200, ANSWER);
    let asked = ASKED.replacen('{', r#"{"n":2,"#, 1);
    let response = stage.post("/v1/chat/completions", asked.clone()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("1"));
    assert!(stage.main.got().is_empty());

    let stage = speaking(Dialect::Anthropic).await;
    let response = stage.post("/v1/chat/completions", asked).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(body(response).await["error"]["param"], "n");
    assert!(stage.main.got().is_empty() && stage.usage.pending() == 0);
}

#[tokio::test]
async fn googles_callers_are_served_with_their_key_wherever_they_put_it() {
    let stage = speaking(Dialect::OpenAi).await;
    let asked = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}).to_string();
    let url = format!("http://{}/v1beta/models/fast:generateContent", stage.addr);
    for in_query in [true, false] {
        stage.main.then_json(200, ANSWER);
        let request = match in_query {
            true => stage.client.post(format!("{url}?key={}", key_text(1))),
            false => stage.client.post(&url).header("x-goog-api-key", key_text(1)),
        };
        let request = request.body(asked.clone());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let answer = body(response).await;
        assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "hi");
        assert_eq!(answer["usageMetadata"]["promptTokenCount"], 9);
    }
    for got in stage.main.got() {
        assert!(!got.line.contains("key=") && got.line.starts_with("POST /v1/chat/completions"));
        assert_eq!(got.header("x-goog-api-key"), None);
    }
    let refused = stage.client.post(&url).body(asked).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(body(refused).await["error"]["status"], "UNAUTHENTICATED");
}

/// Bug 43 of the list: a body of `/responses` at `/chat/completions` was refused.
#[tokio::test]
async fn a_body_in_another_dialect_than_its_path_is_served_and_answered_in_the_paths() {
    let stage = speaking(Dialect::OpenAi).await;
    stage.main.then_json(200, ANSWER);
    // As Cursor sends it.
    let asked = json!({"model": "fast", "input": [{"role": "user", "content": "hello"}]});
    let response = stage.post("/v1/chat/completions", asked.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(body(response).await["object"], "chat.completion");
    let sent: Value = serde_json::from_slice(&stage.main.only().body).unwrap();
    assert_eq!(sent["messages"][0]["content"], "hello");
}

#[tokio::test]
async fn a_text_to_be_continued_is_a_chat_where_chats_are_all_there_is() {
    let stage = speaking(Dialect::Anthropic).await;
    stage.main.then_json(200, MESSAGE);
    let asked = json!({"model": "fast", "prompt": "hello", "max_tokens": 9}).to_string();
    let response = stage.post("/v1/completions", asked.clone()).send().await.unwrap();
    let answer = body(response).await;
    assert_eq!(
        (&answer["object"], &answer["choices"][0]["text"]),
        (&json!("text_completion"), &json!("hi"))
    );

    let stage = speaking(Dialect::OpenAi).await;
    stage.main.then_json(200, r#"{"object":"text_completion","choices":[]}"#);
    stage.post("/v1/completions", asked).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(stage.main.only().line, "POST /v1/completions");
}

/// Bug 33 of the list: counts were missing where the provider speaks another dialect.
#[tokio::test]
async fn vectors_and_counts_cross_over_too() {
    let stage = speaking(Dialect::Gemini).await;
    stage.main.then_json(200, r#"{"embeddings":[{"values":[0.5,0.25]}]}"#);
    let asked = json!({"model": "fast", "input": "hi", "encoding_format": "float"}).to_string();
    let answer = body(stage.post("/v1/embeddings", asked).send().await.unwrap()).await;
    assert_eq!(answer["data"][0]["embedding"], json!([0.5, 0.25]));
    assert_eq!(stage.main.only().line, "POST /v1/models/big-1:batchEmbedContents");

    let stage = speaking(Dialect::Gemini).await;
    stage.main.then_json(200, r#"{"totalTokens":31}"#);
    let asked = json!({"model": "fast", "messages": [{"role": "user", "content": "hi"}]});
    let request = stage.post("/v1/messages/count_tokens", asked.to_string());
    assert_eq!(body(request.send().await.unwrap()).await, json!({"input_tokens": 31}));
    assert_eq!(stage.main.only().line, "POST /v1/models/big-1:countTokens");
}

#[tokio::test]
async fn google_s_callers_are_sent_to_the_verb_and_the_model_that_their_bodies_want() {
    for (verb, asked, expected) in [
        ("embedContent", json!({"content": {"parts": [{"text": "hi"}]}}), None),
        (
            "batchEmbedContents",
            json!({"requests": [{"model": "models/fast", "content": {"parts": [{"text": "hi"}]}}]}),
            Some("/requests/0/model"),
        ),
        (
            "countTokens",
            json!({"generateContentRequest": {"model": "models/fast", "contents": []}}),
            Some("/generateContentRequest/model"),
        ),
    ] {
        let stage = speaking(Dialect::Gemini).await;
        stage.main.then_json(200, r#"{"totalTokens":1}"#);
        let path = format!("/v1beta/models/fast:{verb}");
        let response = stage.post(&path, asked.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{verb}");
        let sent = stage.main.only();
        assert_eq!(sent.line, format!("POST /v1/models/big-1:{verb}"));
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        match expected {
            Some(at) => assert_eq!(sent.pointer(at).unwrap(), "models/big-1"),
            None => assert_eq!(sent, asked),
        }
    }
}

/// What only Google knows was lost where an array was wanted, or refused.
#[tokio::test]
async fn google_s_callers_who_want_an_array_keep_their_bytes() {
    let asked = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"cachedContent":"cachedContents/1","safetySettings":[]}"#;
    let (first, last) = (
        r#"{"candidates":[{"content":{"parts":[{"text":"h","x": 1.0}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"i"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8}}"#,
    );
    let events = [first, last].map(|it| format!("data: {it}\r\n\r\n"));
    let stage = speaking(Dialect::Gemini).await;
    stage.main.then_events(&[&events[0], &events[1]]);
    let path = "/v1beta/models/fast:streamGenerateContent";
    let response = stage.post(path, asked).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type").as_deref(), Some("application/json"));
    assert_eq!(response.text().await.unwrap(), format!("[{first},\n{last}]"));
    let sent = stage.main.only();
    assert_eq!(sent.line, "POST /v1/models/big-1:streamGenerateContent?alt=sse");
    assert_eq!(sent.text(), asked);
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output), (5, 3));

    // One that ends too early is told so within the array.
    let stage = speaking(Dialect::Gemini).await;
    stage.main.then_events(&[&events[0]]);
    let told = stage.post(path, asked).send().await.unwrap().text().await.unwrap();
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    assert_eq!((told.len(), told[1]["error"]["code"].is_u64()), (2, true), "{told:?}");
    assert_eq!(stage.record().await.outcome, Outcome::Truncated);
}

#[tokio::test]
async fn who_goes_on_from_a_response_is_sent_to_who_keeps_it_and_nobody_else_is() {
    let answer = |id: &str| {
        format!(
            r#"{{"id":"{id}","object":"response","status":"completed","output":[],"usage":{{"input_tokens":9,"output_tokens":3}}}}"#
        )
    };
    let mut plan = plan(Dialect::OpenAiResponses).await;
    plan.keys.push(crate::stage::key(2, "stranger"));
    let stage = plan.start().await;
    // The first account is busy, so the second makes the response.
    stage.main.then_json(429, "{}");
    stage.spare.then_json(200, &answer("resp_1"));
    let asked = json!({"model": "fast", "input": "hello"}).to_string();
    stage.post("/v1/responses", asked).send().await.unwrap().bytes().await.unwrap();
    stage.records(1).await;

    stage.spare.then_json(200, &answer("resp_2"));
    let asked =
        json!({"model": "fast", "input": "and?", "previous_response_id": "resp_1"}).to_string();
    let response = stage.post("/v1/responses", asked.clone()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let sent: Value = serde_json::from_slice(&stage.spare.got()[1].body).unwrap();
    assert_eq!(sent["previous_response_id"], "resp_1");
    assert_eq!(stage.main.got().len(), 1, "it was asked once, at the start");

    for (key, asked) in [(1, asked.replace("resp_1", "resp_9")), (2, asked)] {
        let url = format!("http://{}/v1/responses", stage.addr);
        let request = stage.client.post(url).bearer_auth(key_text(key)).body(asked);
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), 400, "{key}");
        assert_eq!(body(refused).await["error"]["param"], "previous_response_id");
    }
}

/// Where one account serves all keys, it would go on from whatever any of them left there.
#[tokio::test]
async fn a_single_account_goes_on_from_nothing_that_another_key_left_there() {
    let mut plan = plan(Dialect::OpenAiResponses).await;
    plan.routes[0].tiers.truncate(1);
    plan.keys.push(crate::stage::key(2, "stranger"));
    let stage = plan.start().await;
    stage.main.then_json(200, r#"{"id":"resp_1","object":"response","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":3}}"#);
    let asked = json!({"model": "fast", "input": "hello"}).to_string();
    stage.post("/v1/responses", asked).send().await.unwrap().bytes().await.unwrap();

    let refused = async |key: u8, more: Value| {
        let mut asked = json!({"model": "fast", "input": "and?"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let url = format!("http://{}/v1/responses", stage.addr);
        let request = stage.client.post(url).bearer_auth(key_text(key)).body(asked.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{more}");
        let error = body(response).await["error"].clone();
        (error["param"].as_str().unwrap().to_owned(), error["message"].clone())
    };
    let anothers = refused(2, json!({"previous_response_id": "resp_1"})).await;
    assert_eq!(anothers.0, "previous_response_id");
    let unknown = refused(2, json!({"previous_response_id": "resp_9"})).await;
    assert_eq!(anothers, unknown, "nobody learns which ids there are");
    assert_eq!(refused(1, json!({"previous_response_id": 7})).await.0, "previous_response_id");
    assert_eq!(refused(1, json!({"conversation": "conv_1"})).await.0, "conversation");
    let named = json!({"input": [{"role": "user", "content": "and?"}, {"id": "msg_1"}]});
    assert_eq!(refused(1, named).await.0, "input.item_reference");
    assert_eq!(stage.main.got().len(), 1, "only the first was sent on");
}

/// Bug 45 of the list: Codex, which asks for a WebSocket first, was told 404 and gave up.
#[tokio::test]
async fn browsers_may_ask_and_codex_hears_at_once_that_there_is_no_websocket() {
    let stage = Stage::new().await;
    let url = format!("http://{}/v1/chat/completions", stage.addr);
    let preflight = stage
        .client
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST");
    let response = preflight.send().await.unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "access-control-allow-origin").as_deref(), Some("*"));
    let request = stage.post("/v1/chat/completions", "{").header("origin", "https://app.example");
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "access-control-allow-origin").as_deref(), Some("*"));
    let socket = stage
        .get("/v1/responses")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("openai-beta", "responses_websockets=2026-02-06");
    assert_eq!(socket.send().await.unwrap().status(), 426);
}
