//! A whole answer through a real stack: nothing of it is changed but what has to be.

use base64::{Engine, engine::general_purpose::STANDARD};
use e2e::{
    caller::{chat_body, message_body},
    demo::{MODELS, embeddings, ledger::Entry},
    stack::{ACCOUNT, Stack},
};
use reqwest::Method;
use serde_json::{Value, json};

fn header<'a>(entry: &'a Entry, name: &str) -> Vec<&'a str> {
    let headers = entry.headers.iter().flatten();
    headers.filter(|(it, _)| it == name).map(|(_, value)| value.as_str()).collect()
}

fn body(entry: &Entry) -> String {
    let bytes = STANDARD.decode(entry.body.as_deref().unwrap_or_default());
    String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
}

#[tokio::test]
async fn a_body_leaves_as_it_came_but_for_the_model() {
    let stack = Stack::builder().start().await.unwrap();
    stack.admin().add_route("fast", &[&[(ACCOUNT, "gpt-4o-mini", 1)]]).await.unwrap();
    stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    let sent = |model: &str| {
        format!(
            "\n{{ \"x_new\" : 1.0, \"big\":12345678901234567890,\"exp\":1e2,\n\t\"messages\" : \
             [ {{\"role\":\"user\",  \"content\":\"\\u0041 \\\"model\\\":\\\"fast\\\" café\"}} ],\
             \"model\"  :  \"{model}\", \"metadata\":{{\"model\":\"fast\"}} }}  \n"
        )
    };
    for (path, before, after) in [
        ("/v1/chat/completions?trace=1", "fast", "gpt-4o-mini"),
        ("/v1/chat/completions", "gpt-4o", "gpt-4o"),
    ] {
        let request = caller.request(Method::POST, path).header("x-custom-trace", "t1");
        let answer = caller.send(request.body(sent(before))).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let entry = stack.witness().entry(answer.header("x-request-id")).await.unwrap();
        assert_eq!(body(&entry), sent(after));
        assert_eq!(entry.target.as_deref(), Some(path));
        assert_eq!(header(&entry, "x-custom-trace"), ["t1"]);
        assert_eq!(header(&entry, "authorization"), ["Bearer demo-credential"]);
        assert_eq!(header(&entry, "content-length"), [sent(after).len().to_string()]);
    }
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn anthropic_headers_and_query_reach_the_upstream_and_the_key_does_not() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = stack.caller().unwrap();
    let betas = "claude-code-20250219,never-heard-of-2027-01-01";
    let request =
        caller.request(Method::POST, "/v1/messages?beta=true").header("anthropic-beta", betas);
    let text = message_body("claude-haiku-4-5", "hello").to_string();
    let answer = caller.send(request.body(text.clone())).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let entry = stack.witness().entry(answer.header("x-request-id")).await.unwrap();
    assert_eq!(
        (body(&entry).as_str(), entry.target.as_deref()),
        (&*text, Some("/v1/messages?beta=true"))
    );
    assert_eq!(header(&entry, "anthropic-beta"), [betas]);
    assert_eq!(header(&entry, "anthropic-version"), ["2023-06-01"]);
    assert_eq!(header(&entry, "x-api-key"), ["demo-credential"]);
    assert!(!format!("{entry:?}").contains(stack.key()), "the virtual key left the house");

    // SDKs of today show the key as a bearer.
    let bearer = caller.request(Method::POST, "/v1/chat/completions").build().unwrap();
    let bearer = bearer.headers()["authorization"].clone();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/v1/messages", stack.proxies()[0].url()));
    let request = request.header("authorization", bearer).header("anthropic-version", "2026-10-21");
    let answer = caller.send(request.body(text)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let entry = stack.witness().entry(answer.header("x-request-id")).await.unwrap();
    assert_eq!(header(&entry, "authorization"), Vec::<&str>::new());
}

#[tokio::test]
async fn every_answer_says_who_gave_it_until_that_is_switched_off() {
    let stack = Stack::builder().start().await.unwrap();
    let revision = stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    let answer = caller.chat("gpt-4o-mini").await.unwrap();
    assert!(answer.header("x-request-id").starts_with("req_"), "{:?}", answer.headers);
    assert_eq!(answer.header("x-sluice-account"), ACCOUNT);
    assert_eq!(answer.header("x-sluice-attempts"), "1");
    assert_eq!(answer.header("x-sluice-revision"), revision.to_string());
    for secret in ["openai-organization", "set-cookie", "x-ratelimit-limit-requests"] {
        assert_eq!(answer.header(secret), "", "{secret} is the account's, not the caller's");
    }
    let settings = proto::admin::v1::Settings { hide_route: true, ..Default::default() };
    stack.admin().apply(vec![proto::admin::v1::edit::Edit::PutSettings(settings)]).await.unwrap();
    stack.settled().await.unwrap();
    let answer = caller.chat("gpt-4o-mini").await.unwrap();
    assert!(answer.header("x-request-id").starts_with("req_"));
    let ours = answer.headers.keys().filter(|it| it.as_str().starts_with("x-sluice-"));
    let told: Vec<_> = ours.filter(|it| *it != "x-sluice-upstream-request-id").collect();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn models_embeddings_and_counts_are_served_too() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = stack.caller().unwrap();

    let list = caller.get("/v1/models").await.unwrap().json();
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(list["object"], "list");
    assert!(MODELS.iter().all(|it| names.contains(it)), "{names:?}");
    let request =
        caller.request(Method::GET, "/v1/models").header("anthropic-version", "2023-06-01");
    let list = caller.send(request).await.unwrap().json();
    assert_eq!((&list["has_more"], &list["data"][0]["type"]), (&json!(false), &json!("model")));
    let one = caller.get("/v1/models/gpt-4o").await.unwrap().json();
    assert_eq!((&one["object"], &one["context_length"]), (&json!("model"), &json!(128_000)));
    assert_eq!(caller.get("/v1/models/none-such").await.unwrap().status, 404);

    let ask =
        json!({"model": "text-embedding-3-small", "input": ["one", "two words"], "dimensions": 4});
    let answer = caller.post("/v1/embeddings", &ask).await.unwrap();
    let vector: Vec<f32> =
        serde_json::from_value(answer.json()["data"][1]["embedding"].clone()).unwrap();
    assert_eq!(vector, embeddings::vector("two words", 4));
    let usage = stack.admin().usage_of(answer.header("x-request-id")).await.unwrap();
    assert_eq!((usage.operation.as_str(), usage.tokens.unwrap().input), ("embeddings", 3));

    let ask = message_body("claude-haiku-4-5", "how many tokens is this");
    let count = caller.post("/v1/messages/count_tokens", &ask).await.unwrap();
    let whole = caller.post("/v1/messages", &ask).await.unwrap();
    assert_eq!(count.json()["input_tokens"], whole.json()["usage"]["input_tokens"]);
}

#[tokio::test]
async fn usage_is_what_the_upstream_says_by_kind() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = stack.caller().unwrap();
    let spoilt = |path: &str, body: &Value| {
        let request = caller.request(Method::POST, path);
        request.header("x-demo-behave", "cached=2,cache_write=1,reasoning=5").body(body.to_string())
    };
    let chat = caller
        .send(spoilt("/v1/chat/completions", &chat_body("gpt-4o", "some words here")))
        .await
        .unwrap();
    let message = caller
        .send(spoilt("/v1/messages", &message_body("claude-haiku-4-5", "some words here")))
        .await
        .unwrap();
    for (answer, cache_write, reasoning) in [(chat, 0, 5), (message, 1, 0)] {
        let id = answer.header("x-request-id");
        let (record, entry) =
            (stack.admin().usage_of(id).await.unwrap(), stack.witness().entry(id).await.unwrap());
        let tokens = record.tokens.unwrap();
        assert_eq!((tokens.input, tokens.output), (entry.input_tokens, entry.output_tokens));
        assert_eq!((tokens.cached_input, tokens.cache_write), (2, cache_write), "{record:?}");
        assert_eq!(tokens.reasoning, reasoning);
        assert!(
            !record.estimated && record.outcome == "complete" && record.status == 200,
            "{record:?}"
        );
        assert_eq!(
            (record.account.as_str(), record.key.as_str(), record.attempts),
            (ACCOUNT, "caller", 1)
        );
        assert!(record.ttft_ms.is_some_and(|it| it <= record.duration_ms), "{record:?}");
    }
}
