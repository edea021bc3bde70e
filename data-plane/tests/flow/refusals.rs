//! Requests that go nowhere, and what their callers are told.

use crate::stage::{ANSWER, CHAT, Plan, Stage, body, header};
use domain::catalog::Dialect;
use serde_json::json;

#[tokio::test]
async fn an_unknown_path_is_told_what_exists_in_the_dialect_of_its_caller() {
    let stage = Stage::new().await;
    let response = stage.get("/v1/rerank").send().await.unwrap();
    assert_eq!(response.status(), 404);
    let answer = body(response).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("POST /v1/chat/completions"));
    let request = stage.get("/v1/nothing").header("anthropic-version", "2023-06-01");
    let answer = body(request.send().await.unwrap()).await;
    assert_eq!(answer["error"]["type"], "not_found_error");
    assert_eq!(answer["type"], "error");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let stage = Stage::new().await;
    let response = stage.get("/v1/chat/completions").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), header(&response, "allow").as_deref()),
        (405, Some("POST"))
    );
    let response = stage.post("/v1/models", "{}").send().await.unwrap();
    assert_eq!(header(&response, "allow").as_deref(), Some("GET, HEAD"));
    let response = stage.get("/v1/messages").send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(body(response).await["type"], "error");
}

#[tokio::test]
async fn the_root_answers_anybody() {
    let stage = Stage::new().await;
    let url = format!("http://{}/", stage.addr);
    let response = stage.client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(stage.client.head(&url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_with_the_place() {
    let stage = Stage::new().await;
    for (wrong, words) in [
        ("", "line 1"),
        ("not json", "line 1"),
        ("[]", "object"),
        ("{\"model\":\"fast\",\n \"messages\": }", "line 2"),
        (r#"{"model":"fast","model":"other"}"#, "twice"),
        (r#"{"model":"fast","stream":true,"stream":false}"#, "twice"),
        (r#"{"messages":[]}"#, "`model` is missing"),
        (r#"{"model":7}"#, "`model` must be a string"),
        (r#"{"model":"fast","stream":"yes"}"#, "`stream` must be"),
    ] {
        let response = stage.post("/v1/chat/completions", wrong).send().await.unwrap();
        assert_eq!(response.status(), 400, "{wrong}");
        let answer = body(response).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains("column"), "{wrong}: {message}");
        assert_eq!(answer["error"]["type"], "invalid_request_error");
    }
    let deep = format!("{{\"model\":\"fast\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let response = stage.post("/v1/messages", deep).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(body(response).await["error"]["type"], "invalid_request_error");
    assert!(stage.main.got().is_empty());
    stage.records(0).await;
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_however_it_is_sent() {
    let mut plan = Plan::new().await;
    plan.http.max_body_bytes = 1000;
    let stage = plan.start().await;
    let announced = stage.post("/v1/chat/completions", vec![b' '; 100_000]).send().await.unwrap();
    assert_eq!(announced.status(), 413);
    let piece = || Ok::<_, std::io::Error>(vec![b' '; 300]);
    let pieces = futures_util::stream::iter((0..10).map(move |_| piece()));
    let chunked = stage.post("/v1/messages", reqwest::Body::wrap_stream(pieces));
    let chunked = chunked.send().await.unwrap();
    assert_eq!(chunked.status(), 413);
    let answer = body(chunked).await;
    assert_eq!(answer["error"]["type"], "request_too_large");
    assert!(answer["error"]["message"].as_str().unwrap().contains("1000 bytes"));
    // At the bound it passes.
    stage.main.then_json(200, ANSWER);
    let fitting = format!("{CHAT}{}", " ".repeat(1000 - CHAT.len()));
    assert_eq!(stage.post("/v1/chat/completions", fitting).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn bodies_beyond_the_room_for_all_of_them_are_refused_and_the_room_comes_back() {
    let mut plan = Plan::new().await;
    plan.http.max_buffered_bytes = 64 * 1024;
    let stage = plan.start().await;
    let of = |len: usize| {
        let text = format!("{CHAT}{}", " ".repeat(len - CHAT.len())).into_bytes();
        let pieces: Vec<_> =
            text.chunks(8 * 1024).map(|it| Ok::<_, std::io::Error>(it.to_vec())).collect();
        reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
    };
    for _ in 0..3 {
        let too_much = stage.post("/v1/chat/completions", of(100 * 1024)).send().await.unwrap();
        assert_eq!(too_much.status(), 503);
        let message = body(too_much).await["error"]["message"].to_string();
        assert!(message.contains("room"), "{message}");
        stage.main.then_json(200, ANSWER);
        let fitting = stage.post("/v1/chat/completions", of(60 * 1024)).send().await.unwrap();
        assert_eq!(fitting.status(), 200);
        body(fitting).await;
    }
}

#[tokio::test]
async fn a_chunked_body_is_as_good_as_any() {
    let stage = Stage::new().await;
    stage.main.then_json(200, ANSWER);
    let (head, tail) = CHAT.split_at(11);
    let pieces = futures_util::stream::iter([head, tail].map(Ok::<_, std::io::Error>));
    let request = stage.post("/v1/chat/completions", reqwest::Body::wrap_stream(pieces));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let got = stage.main.only();
    assert_eq!(got.text(), CHAT.replace("fast", "big-1"));
    assert_eq!(got.header("transfer-encoding"), None);
}

/// Bug 44 of the list: bodies that Codex sends compressed were not unpacked.
#[tokio::test]
async fn compressed_bodies_are_read_if_they_are_what_they_say() {
    let stage = Stage::new().await;
    let request = stage.post("/v1/chat/completions", CHAT).header("content-encoding", "br");
    assert_eq!(request.send().await.unwrap().status(), 415);
    let request = stage.post("/v1/chat/completions", CHAT).header("content-encoding", "gzip");
    assert_eq!(request.send().await.unwrap().status(), 400);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, CHAT.as_bytes()).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(CHAT.as_bytes(), level);
    for (encoding, packed) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        stage.main.then_json(200, ANSWER);
        let request = stage.post("/v1/chat/completions", packed);
        let response = request.header("content-encoding", encoding).send().await.unwrap();
        assert_eq!(response.status(), 200, "{encoding}");
        let got = stage.main.got().pop().unwrap();
        assert_eq!(got.text(), CHAT.replace("fast", "big-1"), "{encoding}");
        assert_eq!(got.header("content-encoding"), None, "{encoding}");
    }
    stage.main.then_json(200, ANSWER);
    let request = stage.post("/v1/chat/completions", CHAT).header("content-encoding", "identity");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_unknown_model_is_told_near_ones_that_the_key_may_use() {
    let mut plan = Plan::new().await;
    plan.keys[0].allowed_models = vec!["gpt-*".parse().unwrap(), "mistral-*".parse().unwrap()];
    let stage = plan.start().await;
    let ask = |model: &str| {
        let body = json!({"model": model, "messages": []}).to_string();
        stage.post("/v1/chat/completions", body).send()
    };
    let response = ask("mistral-4o-mini").await.unwrap();
    assert_eq!(response.status(), 404);
    let answer = body(response).await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["param"]),
        (&json!("model_not_found"), &json!("model"))
    );
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("gpt-4o-mini") && !message.contains("claude"), "{message}");
    // What exists but is not for this key reads like what does not exist.
    let message = body(ask("fast").await.unwrap()).await["error"]["message"].to_string();
    assert!(message.contains("does not exist, or the key may not use it"), "{message}");
    stage.records(0).await;
}

#[tokio::test]
async fn a_route_without_an_enabled_account_is_named() {
    let mut plan = Plan::new().await;
    for account in &mut plan.accounts {
        account.enabled = false;
    }
    let stage = plan.start().await;
    let response = stage.chat().await;
    assert_eq!(response.status(), 503);
    assert!(body(response).await["error"]["message"].as_str().unwrap().contains("`fast`"));
}

#[tokio::test]
async fn what_no_account_can_be_asked_in_any_dialect_is_refused() {
    let mut plan = Plan::new().await;
    plan.providers[0].endpoints.retain(|it| it.dialect == Dialect::Anthropic);
    for account in &mut plan.accounts {
        account.base_urls.retain(|it| it.dialect == Dialect::Anthropic);
    }
    let stage = plan.start().await;
    let embedding = json!({"model": "fast", "input": "hi"}).to_string();
    let response = stage.post("/v1/embeddings", embedding).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let message = body(response).await["error"]["message"].to_string();
    assert!(message.contains("no account that can be asked this"), "{message}");
}

/// Bug 33 of the list: counts were missing or wrong. One that nobody can make is refused.
#[tokio::test]
async fn counting_tokens_where_nobody_can_is_not_supported() {
    let mut plan = Plan::new().await;
    plan.providers[0].endpoints.retain(|it| it.dialect == Dialect::OpenAi);
    for account in &mut plan.accounts {
        account.base_urls.retain(|it| it.dialect == Dialect::OpenAi);
    }
    let stage = plan.start().await;
    let response = stage.post("/v1/messages/count_tokens", CHAT).send().await.unwrap();
    assert_eq!(response.status(), 501);
}

#[tokio::test]
async fn with_a_full_usage_queue_nothing_is_sent() {
    let mut plan = Plan::new().await;
    plan.usage_places = 1;
    let stage = plan.start().await;
    stage.main.then_json(200, ANSWER);
    stage.chat().await.bytes().await.unwrap();
    stage.records(1).await;
    let response = stage.chat().await;
    assert_eq!(response.status(), 503);
    let message = body(response).await["error"]["message"].to_string();
    assert!(message.contains("usage queue"), "{message}");
    assert_eq!(stage.main.got().len(), 1);
}

#[tokio::test]
async fn a_list_of_models_says_what_is_known_of_them() {
    let mut plan = Plan::new().await;
    for it in plan.models.iter_mut().filter(|it| it.id.name.as_str() == "gpt-4o-mini") {
        (it.context_tokens, it.max_output_tokens) = (Some(128_000), Some(4_096));
    }
    let stage = plan.start().await;
    let one = |path: &'static str| async { body(stage.get(path).send().await.unwrap()).await };
    for path in ["/v1/models/gpt-4o-mini", "/v1/models/acme%2Fgpt-4o-mini"] {
        let model = one(path).await;
        assert_eq!(
            (&model["context_length"], &model["max_output_tokens"]),
            (&json!(128_000), &json!(4_096))
        );
        assert_eq!(model["capabilities"], json!(["chat"]), "{path}");
    }
    let google = one("/v1beta/models/gpt-4o-mini").await;
    assert_eq!(
        (&google["inputTokenLimit"], &google["outputTokenLimit"]),
        (&json!(128_000), &json!(4_096))
    );
    let all = one("/v1beta/models").await;
    assert!(all["models"].as_array().unwrap().contains(&google), "{all}");
}

#[tokio::test]
async fn models_are_listed_in_each_dialect() {
    let stage = Stage::new().await;
    let answer = body(stage.get("/v1/models").send().await.unwrap()).await;
    let ids: Vec<_> =
        answer["data"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, ["claude-sonnet", "fast", "gpt-4o-mini", "meta/llama-3"]);
    let request = stage.get("/v1/models?limit=1000").header("anthropic-version", "2023-06-01");
    let answer = body(request.send().await.unwrap()).await;
    assert_eq!((&answer["data"][0]["type"], &answer["has_more"]), (&json!("model"), &json!(false)));
    let one = body(stage.get("/v1/models/meta/llama-3").send().await.unwrap()).await;
    assert_eq!((&one["id"], &one["owned_by"]), (&json!("meta/llama-3"), &json!("acme")));
    let by_pattern = body(stage.get("/models/gpt-9").send().await.unwrap()).await;
    assert_eq!(by_pattern["id"], "gpt-9");
    assert_eq!((by_pattern.get("context_length"), by_pattern.get("capabilities")), (None, None));
    let unknown = stage.get("/v1/models/nothing").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    let stranger =
        stage.client.get(format!("http://{}/v1/models", stage.addr)).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
}
