//! What fails before its first byte goes elsewhere, and what fails everywhere is told well.

use crate::{
    stage::{ANSWER, CHAT, MAIN_CREDENTIAL, Plan, SPARE_CREDENTIAL, Stage, body, header},
    upstream::{Step, json, with_headers},
};
use domain::{tokens::Tokens, usage::Outcome};

#[tokio::test]
async fn a_failed_attempt_goes_on_to_the_next_target_with_its_own_model_and_credential() {
    for first in [
        vec![Step::Send(json(500, "{}"))],
        vec![Step::Send(json(429, "{}"))],
        vec![Step::Send(json(401, "{}"))],
        vec![Step::Send(with_headers(302, &[("location", "http://169.254.169.254/")], ""))],
        vec![Step::Close],
        vec![Step::Reset],
        vec![Step::Send(b"not http at all\r\n\r\n".to_vec()), Step::Close],
        vec![Step::Send(with_headers(200, &[("content-type", "text/html")], "<html>"))],
        // Bug 36 of the list: compressed unasked, and passed on as if it were not.
        vec![Step::Send(with_headers(200, &[("content-encoding", "gzip")], "zzz"))],
        vec![Step::Send(json(200, ""))],
    ] {
        let stage = Stage::new().await;
        stage.main.then(first.clone());
        stage.spare.then_json(200, ANSWER);
        let response = stage.chat().await;
        assert_eq!(response.status(), 200, "{first:?}");
        assert_eq!(header(&response, "x-sluice-account").as_deref(), Some("spare"));
        assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("2"));
        let (one, two) = (stage.main.only(), stage.spare.only());
        assert_eq!(two.text(), CHAT.replace("fast", "big-2"));
        assert_eq!(two.header("authorization"), Some(format!("Bearer {SPARE_CREDENTIAL}")));
        assert_eq!(one.header("x-request-id"), two.header("x-request-id"));
        response.bytes().await.unwrap();
        let record = stage.record().await;
        assert_eq!((record.attempts, record.model.as_str()), (2, "big-2"));
        assert_eq!(record.outcome, Outcome::Complete);
    }
}

#[tokio::test]
async fn an_unreachable_account_is_passed_over_and_never_named_to_the_caller() {
    let mut plan = Plan::new().await;
    // A port that was free a moment ago, and that nobody listens on.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for base in &mut plan.accounts[0].base_urls {
        base.url = format!("http://{nobody}/v1");
    }
    plan.routes[0].tiers.truncate(1);
    let stage = plan.start().await;
    let response = stage.chat().await;
    assert_eq!(response.status(), 502);
    assert_eq!(header(&response, "x-sluice-account"), None);
    let text = response.text().await.unwrap();
    assert!(text.contains("could not be reached"), "{text}");
    assert!(!text.contains("main") && !text.contains(&nobody.to_string()), "{text}");
    let record = stage.record().await;
    assert_eq!((record.status, record.outcome), (502, Outcome::UpstreamError));
    assert_eq!((record.tokens, record.estimated), (Tokens::default(), false));
}

#[tokio::test]
async fn the_callers_own_mistake_is_not_tried_elsewhere_and_comes_back_verbatim() {
    let stage = Stage::new().await;
    let said = r#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum","x":1.0}}"#;
    stage.main.then_json(400, said);
    let response = stage.chat().await;
    assert_eq!(response.status(), 400);
    assert_eq!(header(&response, "x-sluice-account").as_deref(), Some("main"));
    assert_eq!(response.text().await.unwrap(), said);
    assert!(stage.spare.got().is_empty());
    let record = stage.record().await;
    assert_eq!((record.status, record.outcome), (400, Outcome::UpstreamError));
    assert_eq!((record.tokens, record.estimated), (Tokens::default(), false));
}

/// Bug 27 of the list: when to come back was lost.
#[tokio::test]
async fn when_all_are_busy_the_last_one_says_when_to_come_back() {
    let stage = Stage::new().await;
    stage.main.then_json(503, "{}");
    let headers =
        [("retry-after", "2"), ("x-should-retry", "true"), ("content-type", "application/json")];
    stage.spare.then(vec![Step::Send(with_headers(429, &headers, r#"{"error":{"code":"busy"}}"#))]);
    let response = stage.chat().await;
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "retry-after").as_deref(), Some("2"));
    assert_eq!(header(&response, "x-should-retry").as_deref(), Some("true"));
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("2"));
    assert_eq!(body(response).await["error"]["code"], "busy");
}

#[tokio::test]
async fn attempts_are_bounded_by_the_settings() {
    let mut plan = Plan::new().await;
    plan.settings.max_attempts = 1;
    let stage = plan.start().await;
    stage.main.then_json(500, r#"{"error":1}"#);
    let response = stage.chat().await;
    assert_eq!(response.status(), 500);
    assert!(stage.spare.got().is_empty());
}

#[tokio::test]
async fn an_upstream_that_does_not_begin_in_time_is_given_up() {
    let mut plan = Plan::new().await;
    for account in &mut plan.accounts {
        account.client.first_byte_timeout_ms = 50;
    }
    let stage = plan.start().await;
    stage.main.then(vec![Step::Stall]);
    stage.spare.then(vec![Step::Stall]);
    let response = stage.chat().await;
    assert_eq!(response.status(), 504);
    assert_eq!(body(response).await["error"]["type"], "timeout");
    stage.main.hung_up(1).await;
    stage.spare.hung_up(1).await;
    let record = stage.record().await;
    assert_eq!((record.attempts, record.outcome), (2, Outcome::UpstreamError));
    // Whoever took the request may have worked on it: nobody knows that it was for nothing.
    assert!(record.estimated && 0 < record.tokens.input, "{record:?}");
}

#[tokio::test]
async fn a_refusal_of_our_credential_is_not_the_callers_to_hear() {
    for status in [401, 403] {
        let stage = Stage::new().await;
        for upstream in [&stage.main, &stage.spare] {
            upstream.then_json(status, &format!(r#"{{"error":"bad key {MAIN_CREDENTIAL}"}}"#));
        }
        let response = stage.chat().await;
        assert_eq!(response.status(), 502);
        assert_eq!(header(&response, "x-sluice-account"), None);
        let text = response.text().await.unwrap();
        assert!(!text.contains("sk-") && !text.contains("bad key"), "{text}");
    }
}

#[tokio::test]
async fn a_credential_is_taken_out_of_whatever_an_upstream_says() {
    let stage = Stage::new().await;
    let headers = [("content-type", "application/json"), ("x-debug", SPARE_CREDENTIAL)];
    let said = format!(r#"{{"error":"you sent {SPARE_CREDENTIAL}, yes {SPARE_CREDENTIAL}"}}"#);
    stage.main.then_json(500, "{}");
    stage.spare.then(vec![Step::Send(with_headers(422, &headers, &said))]);
    let response = stage.chat().await;
    assert_eq!((response.status().as_u16(), header(&response, "x-debug")), (422, None));
    let text = response.text().await.unwrap();
    assert_eq!(text, r#"{"error":"you sent [redacted], yes [redacted]"}"#);
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let stage = Stage::new().await;
    let location = format!("http://{}/stolen", stage.main.addr);
    for upstream in [&stage.main, &stage.spare] {
        upstream.then(vec![Step::Send(with_headers(307, &[("location", &location)], ""))]);
    }
    let response = stage.chat().await;
    assert_eq!(response.status(), 502);
    assert_eq!(header(&response, "location"), None);
    assert_eq!(stage.main.got().len(), 1);
}

#[tokio::test]
async fn a_web_page_as_an_error_is_replaced_by_words_of_ours() {
    let stage = Stage::new().await;
    let headers = [("content-type", "text/html; charset=utf-8"), ("retry-after", "7")];
    stage.main.then_json(500, "{}");
    stage.spare.then(vec![Step::Send(with_headers(503, &headers, "<html>origin down</html>"))]);
    let response = stage.chat().await;
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after").as_deref(), Some("7"));
    assert!(body(response).await["error"]["message"].is_string());
}
