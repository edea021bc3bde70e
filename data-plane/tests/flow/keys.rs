//! Who may ask at all.

use crate::stage::{ANSWER, CHAT, PAST, Plan, REVISION, Stage, body, header, key, key_text};
use reqwest::Response;

async fn with(stage: &Stage, headers: &[(&str, &str)]) -> Response {
    let mut request = stage.client.post(format!("http://{}/v1/chat/completions", stage.addr));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(CHAT).send().await.unwrap()
}

#[tokio::test]
async fn a_key_is_taken_from_whichever_header_its_sdk_uses() {
    let stage = Stage::new().await;
    let key = key_text(1);
    let bearer = format!("Bearer {key}");
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("x-api-key", key.as_str())],
        vec![("api-key", key.as_str())],
        vec![("authorization", "Bearer wrong"), ("x-api-key", key.as_str())],
    ] {
        stage.main.then_json(200, ANSWER);
        assert_eq!(with(&stage, &headers).await.status(), 200, "{headers:?}");
    }
}

#[tokio::test]
async fn unknown_wrong_and_malformed_keys_get_the_same_401() {
    let stage = Stage::new().await;
    let unknown = key_text(99);
    let mut wrong = key_text(1);
    wrong.pop();
    let long = "x".repeat(20_000);
    let mut bodies = Vec::new();
    for key in [unknown.as_str(), wrong.as_str(), "sk-1", long.as_str(), "' OR 1=1 --"] {
        let response = with(&stage, &[("authorization", &format!("Bearer {key}"))]).await;
        assert_eq!(response.status(), 401);
        bodies.push(body(response).await);
    }
    assert!(bodies.iter().all(|it| it == &bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["error"]["code"], "invalid_api_key");
    assert!(stage.main.got().is_empty());
    stage.records(0).await;
}

#[tokio::test]
async fn no_key_and_two_keys_are_told_apart_from_wrong_ones() {
    let stage = Stage::new().await;
    let none = with(&stage, &[]).await;
    assert_eq!(none.status(), 401);
    assert!(body(none).await["error"]["message"].as_str().unwrap().contains("Authorization"));
    let (one, two) = (format!("Bearer {}", key_text(1)), format!("Bearer {}", key_text(2)));
    let both = with(&stage, &[("authorization", &one), ("authorization", &two)]).await;
    assert_eq!(both.status(), 401);
    stage.main.then_json(200, ANSWER);
    let twice = with(&stage, &[("authorization", &one), ("authorization", &one)]).await;
    assert_eq!(twice.status(), 200);
}

#[tokio::test]
async fn disabled_and_expired_keys_are_forbidden() {
    let mut plan = Plan::new().await;
    plan.keys.push(domain::catalog::VirtualKey { enabled: false, ..key(2, "off") });
    plan.keys.push(domain::catalog::VirtualKey { expires_at: Some(PAST), ..key(3, "old") });
    let stage = plan.start().await;
    for (number, word) in [(2, "disabled"), (3, "expired")] {
        let response = with(&stage, &[("x-api-key", &key_text(number))]).await;
        assert_eq!(response.status(), 403);
        let body = body(response).await;
        assert_eq!(body["error"]["type"], "permission_error");
        assert!(body["error"]["message"].as_str().unwrap().contains(word), "{body}");
    }
    assert!(stage.main.got().is_empty());
}

#[tokio::test]
async fn a_refusal_says_by_which_revision_and_that_nobody_was_asked() {
    let stage = Stage::new().await;
    let response = with(&stage, &[("authorization", "Bearer nobody")]).await;
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("0"));
    assert_eq!(header(&response, "x-sluice-revision"), Some(REVISION.to_string()));
    assert_eq!(header(&response, "x-sluice-account"), None);
}

#[tokio::test]
async fn anthropic_callers_are_refused_in_their_own_words() {
    let stage = Stage::new().await;
    let url = format!("http://{}/v1/messages", stage.addr);
    let response = stage.client.post(url).header("x-api-key", "nope").body(CHAT).send().await;
    let response = response.unwrap();
    assert_eq!(response.status(), 401);
    let id = header(&response, "request-id").unwrap();
    let body = body(response).await;
    assert_eq!(body["type"], "error");
    assert_eq!(body["error"]["type"], "authentication_error");
    assert_eq!(body["request_id"], id.as_str());
}

#[tokio::test]
async fn strangers_are_refused_before_their_body_is_read() {
    let stage = Stage::new().await;
    let large = vec![b'x'; 8 << 20];
    let url = format!("http://{}/v1/chat/completions", stage.addr);
    let response = stage.client.post(url).bearer_auth("nope").body(large).send().await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn without_a_snapshot_nobody_is_served_yet() {
    let stage = Stage::new().await;
    stage.cell.store(None);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let response = stage.post(path, CHAT).send().await.unwrap();
        // Anthropic's way to say 503 is 529.
        assert!([503, 529].contains(&response.status().as_u16()), "{path}");
        assert_eq!(header(&response, "retry-after").as_deref(), Some("1"));
    }
    assert_eq!(stage.get("/v1/models").send().await.unwrap().status(), 503);
}
