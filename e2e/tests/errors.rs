//! Bad input: refused in the caller's dialect, with the status and the words that help.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::key::{KeyKind, mint};
use e2e::{
    admin::demo_account,
    caller::{Answered, Caller, chat_body, message_body, streamed},
    stack::Stack,
};
use proto::admin::v1::{ClientSettings, VirtualKey};
use reqwest::Method;
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// Checks the envelope of the path's dialect; gives type and message.
fn envelope(path: &str, answer: &Answered) -> (String, String) {
    let body = answer.json();
    let error = &body["error"];
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    assert!(answer.header("x-request-id").starts_with("req_"), "{:?}", answer.headers);
    assert!(answer.header("content-type").starts_with("application/json"), "{:?}", answer.headers);
    if path.starts_with(MESSAGES) {
        assert_eq!(body["type"], "error", "{body}");
        assert_eq!(body["request_id"], answer.header("x-request-id"));
    } else {
        assert!(
            error.as_object().is_some_and(|it| it.contains_key("param") && it.contains_key("code")),
            "{body}"
        );
    }
    assert!(!text(&error["message"]).is_empty(), "{body}");
    (text(&error["type"]), text(&error["message"]))
}

async fn check(
    caller: &Caller,
    path: &str,
    body: impl Into<reqwest::Body>,
    status: u16,
    words: &[&str],
) {
    let answer = caller.post_text(path, body).await.unwrap();
    assert_eq!(answer.status, status, "{path} {words:?}: {}", answer.text());
    let (_, message) = envelope(path, &answer);
    for word in words {
        assert!(message.contains(word), "{path}: `{word}` is not in `{message}`");
    }
}

fn asks(model: &str) -> [(&'static str, Value); 2] {
    [(CHAT, chat_body(model, "x")), (MESSAGES, message_body(model, "x"))]
}

#[tokio::test]
async fn keys_that_may_not_are_refused() {
    let stack = Stack::builder().start().await.unwrap();
    let admin = stack.admin();
    let make = async |key: VirtualKey| admin.make_key(key).await.unwrap().secret;
    let named = |name: &str| VirtualKey { name: name.to_owned(), ..VirtualKey::default() };
    let disabled = make(VirtualKey { disabled: true, ..named("disabled") }).await;
    let soon = proto_time(runtime::clock::unix_ms() / 1000 + 1);
    let expired = make(VirtualKey { expires_at: Some(soon), ..named("expired") }).await;
    let narrow =
        make(VirtualKey { allowed_models: vec!["claude-*".into()], ..named("narrow") }).await;
    stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    let unknown = mint(KeyKind::Caller, &[7; 32]);
    for (path, body) in asks("gpt-4o") {
        let mut said = Vec::new();
        for key in [unknown.expose(), "slc_sk_", "sk-proj-of-someone-else", &"x".repeat(8_000)] {
            let answer = caller.with_key(key).post(path, &body).await.unwrap();
            assert_eq!(answer.status, 401, "{}", answer.text());
            assert!(!answer.text().contains(key), "the key is not repeated");
            said.push(envelope(path, &answer));
        }
        said.dedup();
        assert_eq!(said.len(), 1, "unknown and wrong read the same: {said:?}");
        let without = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            without.post(format!("{}{path}", stack.proxies()[0].url())).body(body.to_string());
        assert_eq!(caller.send(request).await.unwrap().status, 401);
        let answer = caller.with_key(&disabled).post(path, &body).await.unwrap();
        assert_eq!(answer.status, 403, "{}", answer.text());
        let (kind, message) = envelope(path, &answer);
        assert!(kind == "permission_error" && message.contains("disabled"), "{kind} {message}");
        e2e::patience::until("the key expires", async || {
            (caller.with_key(&expired).post(path, &body).await.ok()?.status == 403).then_some(())
        })
        .await
        .unwrap();
        assert_eq!(caller.with_key(&narrow).post(path, &body).await.unwrap().status, 404);
    }
    let allowed =
        caller.with_key(&narrow).post(MESSAGES, &message_body("claude-haiku-4-5", "x")).await;
    assert_eq!(allowed.unwrap().status, 200);
    let listed = caller.with_key(&narrow).get("/v1/models").await.unwrap().text();
    assert!(listed.contains("claude-haiku-4-5") && !listed.contains("gpt-4o"), "{listed}");
}

fn proto_time(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos: 0 }
}

#[tokio::test]
async fn models_that_cannot_be_served_are_told_from_those_that_are_not_there() {
    let stack = Stack::builder().start().await.unwrap();
    let admin = stack.admin();
    admin.add_demo_account("off", &stack.witness().base_url(), "c").await.unwrap();
    admin.add_route("sleeping", &[&[("off", "demo-a", 1)]]).await.unwrap();
    admin.set_account_disabled("off", true).await.unwrap();
    stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    for (path, body) in asks("slepping") {
        check(&caller, path, body.to_string(), 404, &["slepping", "sleeping"]).await;
    }
    for (path, body) in asks("sleeping") {
        // Anthropic's word for 503 is 529.
        let status = if path == CHAT { 503 } else { 529 };
        check(&caller, path, body.to_string(), status, &["sleeping"]).await;
    }
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_with_the_place() {
    let stack =
        Stack::builder().proxy_env("SLUICE_MAX_BODY_BYTES", "100000").start().await.unwrap();
    let caller = stack.caller().unwrap();
    let deep = format!(r#"{{"model":"gpt-4o","messages":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    for path in [CHAT, MESSAGES, "/v1/embeddings"] {
        for (body, words) in [
            ("", &[][..]),
            ("hello", &["1"]),
            (r#"{"model":"gpt-4o""#, &["1"]),
            (r#"{"model":"gpt-4o"} {}"#, &["1"]),
            ("[1]", &[]),
            (r#"{"model":"gpt-4o","model":"gpt-4o"}"#, &["model"]),
            (r#"{"model":"gpt-4o","stream":true,"stream":false}"#, &["stream"]),
            (r#"{"messages":[]}"#, &["model"]),
            (r#"{"model":7}"#, &["model"]),
            (r#"{"model":""}"#, &["model"]),
            (r#"{"model":"gpt-4o","stream":"yes"}"#, &["stream"]),
            (&*deep, &["dee"]),
        ] {
            check(&caller, path, body.to_owned(), 400, words).await;
        }
        check(&caller, path, vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'], 400, &[]).await;
        let big = json!({"model": "gpt-4o", "messages": "x".repeat(100_000)});
        check(&caller, path, big.to_string(), 413, &["100000"]).await;
    }
    assert_eq!(stack.witness().ledger().await.unwrap().len(), 0, "none of it went upstream");
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn paths_and_methods_that_are_none_say_what_there_is() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = stack.caller().unwrap();
    for path in ["/v1/chat/complete", "/nothing", "/v1/messages/batches"] {
        check(&caller, path, "{}", 404, &["/v1/chat/completions", "/v1/messages"]).await;
    }
    for (method, path) in
        [(Method::GET, CHAT), (Method::DELETE, MESSAGES), (Method::POST, "/v1/models")]
    {
        let answer = caller.send(caller.request(method, path)).await.unwrap();
        assert_eq!(answer.status, 405, "{path}: {}", answer.text());
        assert_ne!(answer.header("allow"), "", "{path}");
        envelope(path, &answer);
    }
}

#[tokio::test]
async fn an_upstreams_failure_reaches_the_caller_without_its_secrets() {
    let stack = Stack::builder().start().await.unwrap();
    let mut account = demo_account("hasty", &stack.witness().base_url(), "very-secret-credential");
    account.client =
        Some(ClientSettings { first_byte_timeout_ms: 300, ..ClientSettings::default() });
    stack.admin().add_account(account).await.unwrap();
    stack.admin().add_route("only", &[&[("hasty", "demo-a", 1)]]).await.unwrap();
    stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    for (behave, status) in [
        ("stall_after=0", 504),
        ("reset_after=0", 502),
        ("close_after=0", 502),
        ("echo_key", 502),
        ("status=400", 400),
        ("status=404", 404),
        ("status=429", 429),
        ("status=302", 502),
    ] {
        stack.witness().behave_well().await.unwrap();
        stack.witness().behave(json!({}), behave, None).await.unwrap();
        for (path, body) in asks("only")
            .into_iter()
            .flat_map(|(path, it)| [(path, it.clone()), (path, streamed(it))])
        {
            let answer = caller.post(path, &body).await.unwrap();
            assert_eq!(answer.status, status, "{behave} {path}: {}", answer.text());
            envelope_type_only(path, &answer);
            for secret in ["very-secret-credential", "hasty"] {
                assert!(!answer.text().contains(secret), "{behave}: {}", answer.text());
            }
        }
    }
    assert_eq!(stack.errors(), Vec::<String>::new());
}

/// An upstream's own error has its own request id.
fn envelope_type_only(path: &str, answer: &Answered) {
    let body = answer.json();
    assert!(body["error"]["message"].is_string(), "{body}");
    assert_eq!(body["type"] == "error", path == MESSAGES, "{body}");
}
