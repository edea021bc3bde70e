//! What goes through stays as it was.

use crate::{
    stage::{
        ANSWER, CHAT, EVENTS, MAIN_CREDENTIAL, Plan, REVISION, STREAM, Stage, header, key_text,
    },
    upstream::{Step, chunk, stream_head, with_headers},
};
use domain::{
    catalog::{Dialect, Operation},
    tokens::Tokens,
    usage::Outcome,
};

/// Bug 34 of the list: bodies were written anew, and the prompt was not cached.
#[tokio::test]
async fn the_body_reaches_the_upstream_byte_for_byte_but_for_the_model() {
    let stage = Stage::new().await;
    stage.main.then_json(200, ANSWER);
    let odd = "\r\n{ \"x\" : 1.0e2,\t\"nested\":{\"model\":\"fast\"}, \"model\" :\n \"f\\u0061st\" ,\"n\":12345678901234567890, \"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 \\\"model\\\":\\\"fast\\\"\"}] } \n";
    let response = stage.post("/v1/chat/completions", odd).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(stage.main.only().text(), odd.replace("\"f\\u0061st\"", "\"big-1\""));
    assert_eq!(stage.main.only().line, "POST /v1/chat/completions");
}

#[tokio::test]
async fn a_body_whose_model_stays_is_the_very_same() {
    let stage = Stage::new().await;
    stage.main.then_json(200, ANSWER);
    stage.spare.then_json(200, ANSWER);
    let large = format!(
        "{{\"model\":\"gpt-4o\",\"messages\":[{{\"content\":\"{}\"}}]}}",
        "x".repeat(3 << 20)
    );
    let response = stage.post("/v1/chat/completions", large.clone()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let got = [stage.main.got(), stage.spare.got()].concat();
    assert_eq!(got.len(), 1);
    assert!(got[0].text() == large);
    assert_eq!(got[0].header("content-length"), Some(large.len().to_string()));
}

/// Bug 32 and bug 36 of the list: betas that the gateway did not know were dropped; compressed
/// answers were asked for, and could not be read.
#[tokio::test]
async fn headers_about_the_request_go_on_and_credentials_and_the_way_do_not() {
    let stage = Stage::new().await;
    stage.main.then_json(200, ANSWER);
    let request = stage
        .post("/v1/chat/completions?beta=true&x=%2F", CHAT)
        .header("anthropic-beta", "unknown-2099-01-01")
        .header("x-custom-trace", "t-1")
        .header("user-agent", "sdk/1")
        .header("x-api-key", key_text(1))
        .header("api-key", "other")
        .header("cookie", "session=1")
        .header("connection", "x-nominated")
        .header("x-nominated", "1")
        .header("te", "trailers")
        .header("accept-encoding", "gzip, br")
        .header("x-forwarded-for", "10.1.2.3")
        .header("x-request-id", "callers-own")
        .header("x-sluice-account", "spare");
    let response = request.send().await.unwrap();
    let got = stage.main.only();
    assert_eq!(got.line, "POST /v1/chat/completions?beta=true&x=%2F");
    assert_eq!(got.header("authorization"), Some(format!("Bearer {MAIN_CREDENTIAL}")));
    assert_eq!(got.header("anthropic-beta").as_deref(), Some("unknown-2099-01-01"));
    assert_eq!(got.header("x-custom-trace").as_deref(), Some("t-1"));
    assert_eq!(got.header("user-agent").as_deref(), Some("sdk/1"));
    assert_eq!(got.header("accept-encoding").as_deref(), Some("identity"));
    assert_eq!(got.header("x-request-id"), header(&response, "x-request-id"));
    assert_eq!(got.header("host"), Some(stage.main.addr.to_string()));
    for gone in [
        "x-api-key",
        "api-key",
        "cookie",
        "connection",
        "x-nominated",
        "te",
        "x-forwarded-for",
        "x-sluice-account",
    ] {
        assert_eq!(got.header(gone), None, "{gone}");
    }
    assert!(!format!("{got:?}").contains(&key_text(1)));
}

#[tokio::test]
async fn an_answer_comes_back_byte_for_byte_without_the_accounts_identity() {
    let stage = Stage::new().await;
    let odd = format!(" {ANSWER}\n\n");
    let headers = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("openai-processing-ms", "12"),
        ("x-request-id", "upstream-1"),
        ("openai-organization", "acme-org"),
        ("x-ratelimit-remaining-tokens", "5"),
        ("set-cookie", "a=b"),
        ("server", "acme"),
        ("cf-ray", "1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
    ];
    stage.main.then(vec![Step::Send(with_headers(201, &headers, &odd))]);
    let response = stage.chat().await;
    assert_eq!(response.status(), 201);
    let ours = header(&response, "x-request-id").unwrap();
    assert!(ours.starts_with("req_"), "{ours}");
    let told = |name| header(&response, name);
    assert_eq!(told("content-type").as_deref(), Some("application/json; charset=utf-8"));
    assert_eq!(told("content-length"), Some(odd.len().to_string()));
    assert_eq!(told("openai-processing-ms").as_deref(), Some("12"));
    assert_eq!(told("x-sluice-upstream-request-id").as_deref(), Some("upstream-1"));
    assert_eq!(told("x-sluice-account").as_deref(), Some("main"));
    assert_eq!(told("x-sluice-attempts").as_deref(), Some("1"));
    assert_eq!(told("x-sluice-revision"), Some(REVISION.to_string()));
    assert_eq!(told("x-sluice-route").as_deref(), Some("fast"));
    for gone in [
        "openai-organization",
        "x-ratelimit-remaining-tokens",
        "set-cookie",
        "server",
        "cf-ray",
        "x-hop",
    ] {
        assert_eq!(told(gone), None, "{gone}");
    }
    assert_eq!(response.text().await.unwrap(), odd);
    let record = stage.record().await;
    assert_eq!(record.request.to_string(), ours);
    assert_eq!((record.status, record.outcome), (201, Outcome::Complete));
    let tokens = Tokens { input: 9, cached_input: 4, output: 3, ..Tokens::default() };
    assert_eq!((record.tokens, record.estimated), (tokens, false));
    assert_eq!((record.alias.as_str(), record.model.as_str()), ("fast", "big-1"));
    assert_eq!((record.attempts, record.revision, record.streamed), (1, REVISION, false));
    assert_eq!((record.dialect, record.operation), (Dialect::OpenAi, Operation::Chat));
    assert!(record.ttft_ms.is_some_and(|it| it <= record.duration_ms));
}

#[tokio::test]
async fn an_operator_may_keep_the_route_to_themselves() {
    let mut plan = Plan::new().await;
    plan.settings.reveal_route = false;
    let stage = plan.start().await;
    stage.main.then(vec![Step::Send(with_headers(200, &[("x-request-id", "u")], ANSWER))]);
    stage.main.then_json(429, "{}");
    stage.spare.then_json(429, "{}");
    for _ in 0..2 {
        let response = stage.chat().await;
        assert!(header(&response, "x-request-id").unwrap().starts_with("req_"));
        assert!(!response.headers().keys().any(|it| it.as_str().starts_with("x-sluice-")));
    }
}

/// Bug 37 of the list: a cut within a character, or a CRLF, broke events.
#[tokio::test]
async fn a_stream_comes_back_byte_for_byte_however_it_is_cut() {
    let stage = Stage::new().await;
    let all =
        EVENTS.concat().replacen("data:", ": ping\r\n\r\ndata:", 1).replace("hello", "hé🦀llo");
    let mut steps = vec![Step::Send(stream_head())];
    // Two bytes at a time, so that characters, lines and events are split everywhere.
    let mut pieces = Vec::new();
    for two in all.as_bytes().chunks(2) {
        pieces.extend(format!("{:x}\r\n", two.len()).bytes());
        pieces.extend(two);
        pieces.extend(b"\r\n");
    }
    steps.push(Step::Send(pieces));
    steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
    stage.main.then(steps);
    let response = stage.stream().await;
    assert_eq!(header(&response, "content-type").as_deref(), Some("text/event-stream"));
    assert_eq!(stage.main.only().text(), STREAM.replace("\"fast\"", "\"big-1\""));
    assert_eq!(response.text().await.unwrap(), all);
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output), (9, 3));
    assert_eq!((record.outcome, record.streamed), (Outcome::Complete, true));
    assert!(!record.estimated && record.ttft_ms.is_some());
}

#[tokio::test]
async fn usage_is_asked_for_and_hidden_from_a_caller_who_did_not() {
    let stage = Stage::new().await;
    stage.main.then_events(&EVENTS);
    let body = r#"{"model":"fast","stream":true,"messages":[]}"#;
    let response = stage.post("/v1/chat/completions", body).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert_eq!(text, EVENTS.concat().replace(EVENTS[3], ""));
    let sent: serde_json::Value = serde_json::from_slice(&stage.main.only().body).unwrap();
    assert_eq!(sent["stream_options"]["include_usage"], true);
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output, record.estimated), (9, 3, false));
}

#[tokio::test]
async fn without_asking_for_usage_a_stream_is_estimated_and_left_alone() {
    let mut plan = Plan::new().await;
    plan.accounts[0].client.ask_stream_usage = false;
    let stage = plan.start().await;
    let events = [EVENTS[0], EVENTS[1], EVENTS[2], EVENTS[4]];
    stage.main.then_events(&events);
    let body = r#"{"model":"fast","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    let response = stage.post("/v1/chat/completions", body).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), events.concat());
    assert_eq!(stage.main.only().text(), body.replace("fast", "big-1"));
    let record = stage.record().await;
    assert!(record.estimated && 0 < record.tokens.input && 0 < record.tokens.output);
    assert_eq!(record.outcome, Outcome::Complete);
}

#[tokio::test]
async fn anthropic_messages_go_their_own_way() {
    let stage = Stage::new().await;
    let events = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"cache_creation_input_tokens\":1,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":6}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ];
    stage.main.then_events(&events);
    let body = r#"{"model":"fast","max_tokens":5,"stream":true,"messages":[]}"#;
    let url = format!("http://{}/anthropic/v1/messages?beta=true", stage.addr);
    let request = stage.client.post(url).header("x-api-key", key_text(1)).body(body);
    let response = request.header("anthropic-version", "2023-06-01").send().await.unwrap();
    let ours = header(&response, "request-id").unwrap();
    assert_eq!(Some(&ours), header(&response, "x-request-id").as_ref());
    assert_eq!(response.text().await.unwrap(), events.concat());
    let got = stage.main.only();
    assert_eq!(got.line, "POST /v1/messages?beta=true");
    assert_eq!(got.header("x-api-key").as_deref(), Some(MAIN_CREDENTIAL));
    assert_eq!(got.header("authorization"), None);
    assert_eq!(got.header("anthropic-version").as_deref(), Some("2023-06-01"));
    assert_eq!(got.text(), body.replace("fast", "big-1"));
    let record = stage.record().await;
    let tokens =
        Tokens { input: 8, cached_input: 2, cache_write: 1, output: 6, ..Tokens::default() };
    assert_eq!((record.tokens, record.estimated), (tokens, false));
    assert_eq!(record.dialect, Dialect::Anthropic);
}

/// Bug 33 of the list: a count was charged as if it were an answer.
#[tokio::test]
async fn counting_tokens_uses_none() {
    let stage = Stage::new().await;
    stage.main.then_json(200, r#"{"input_tokens":99}"#);
    let body = r#"{"model":"fast","messages":[]}"#;
    let response = stage.post("/v1/messages/count_tokens", body).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), r#"{"input_tokens":99}"#);
    assert_eq!(stage.main.only().line, "POST /v1/messages/count_tokens");
    let record = stage.record().await;
    assert_eq!((record.tokens, record.estimated), (Tokens::default(), false));
    assert_eq!(record.operation, Operation::CountTokens);
}

#[tokio::test]
async fn embeddings_are_metered_by_their_input() {
    let stage = Stage::new().await;
    let answer = r#"{"object":"list","data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    stage.main.then_json(200, answer);
    let body = r#"{"model":"fast","input":["a","b"]}"#;
    let response = stage.post("/openai/v1/embeddings", body).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), answer);
    assert_eq!(stage.main.only().line, "POST /v1/embeddings");
    let record = stage.record().await;
    assert_eq!((record.tokens.input, record.tokens.output), (5, 0));
    assert_eq!(record.operation, Operation::Embeddings);
}

#[tokio::test]
async fn pieces_of_a_stream_arrive_as_they_are_sent() {
    let stage = Stage::new().await;
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let (head, tail) = EVENTS.split_at(2);
    stage.main.then(vec![
        Step::Send(stream_head()),
        Step::Send(chunk(&head.concat())),
        Step::Wait(gate.clone()),
        Step::Send(chunk(&tail.concat())),
        Step::Send(b"0\r\n\r\n".to_vec()),
    ]);
    let mut response = stage.stream().await;
    let mut first = Vec::new();
    while first.len() < head.concat().len() {
        first.extend(response.chunk().await.unwrap().unwrap());
    }
    // Only now is the rest sent.
    gate.notify_one();
    assert_eq!(first, head.concat().into_bytes());
    assert_eq!(response.text().await.unwrap(), tail.concat());
}

#[tokio::test]
async fn what_was_read_as_json_is_sent_as_json() {
    let stage = Stage::new().await;
    for (given, sent) in [
        ("application/x-www-form-urlencoded", "application/json"),
        ("application/json; charset=utf-8", "application/json; charset=utf-8"),
    ] {
        stage.main.then_json(200, ANSWER);
        let request = stage.post("/v1/chat/completions", CHAT).header("content-type", given);
        request.send().await.unwrap();
        assert_eq!(stage.main.got().pop().unwrap().header("content-type").as_deref(), Some(sent));
    }
}
