//! A failure before the first byte goes to the next target, within bounds.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{
    admin::demo_account,
    caller::{Caller, chat_body, message_body, streamed},
    ports::Reserved,
    stack::Stack,
};
use proto::admin::v1::{ClientSettings, Settings, edit::Edit};
use serde_json::json;
use std::collections::BTreeMap;

/// Accounts `first` and `second`, told apart by credential, and the route `any` over both.
async fn two_accounts(stack: &Stack) -> Caller {
    let base_url = stack.witness().base_url();
    for name in ["first", "second"] {
        let mut account = demo_account(name, &base_url, &format!("{name}-credential"));
        let client = ClientSettings { first_byte_timeout_ms: 1_000, ..ClientSettings::default() };
        account.client = Some(client);
        stack.admin().add_account(account).await.unwrap();
    }
    let tiers: &[&[(&str, &str, u32)]] = &[&[("first", "demo-a", 1)], &[("second", "demo-b", 1)]];
    stack.admin().add_route("any", tiers).await.unwrap();
    stack.settled().await.unwrap();
    stack.caller().unwrap()
}

#[tokio::test]
async fn the_next_tier_answers_whatever_way_the_first_one_fails() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = two_accounts(&stack).await;
    for behave in [
        "status=500",
        "status=503",
        "status=529",
        "status=401",
        "status=302",
        "reset_after=0",
        "close_after=0",
        "stall_after=0",
    ] {
        stack.witness().behave_well().await.unwrap();
        stack
            .witness()
            .behave(json!({"credential": "first-credential"}), behave, None)
            .await
            .unwrap();
        for (path, body) in [
            ("/v1/chat/completions", chat_body("any", "x")),
            ("/v1/chat/completions", streamed(chat_body("any", "x"))),
            ("/v1/messages", message_body("any", "x")),
        ] {
            let answer = caller.post(path, &body).await.unwrap();
            assert_eq!(answer.status, 200, "{behave} {path}: {}", answer.text());
            assert_eq!(answer.header("x-sluice-account"), "second", "{behave}");
            assert_eq!(answer.header("x-sluice-attempts"), "2", "{behave}");
            assert!(answer.text().contains("This"), "{}", answer.text());
            let record = stack.admin().usage_of(answer.header("x-request-id")).await.unwrap();
            assert_eq!(
                (record.attempts, record.account.as_str(), record.model.as_str()),
                (2, "second", "demo-b")
            );
        }
    }
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn an_account_that_says_when_to_come_back_is_left_alone_until_then() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = two_accounts(&stack).await;
    let first = json!({"credential": "first-credential"});
    stack.witness().behave(first, "status=429,retry_after=600", Some(1)).await.unwrap();
    for attempts in ["2", "1", "1"] {
        let answer = caller.chat("any").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-sluice-account"), "second");
        assert_eq!(answer.header("x-sluice-attempts"), attempts);
    }
}

#[tokio::test]
async fn a_callers_own_mistake_is_not_tried_elsewhere() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = two_accounts(&stack).await;
    let body = json!({"model": "any", "messages": []});
    let answer = caller.post("/v1/chat/completions", &body).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "empty_array", "the upstream's own words");
    assert_eq!(stack.witness().ledger().await.unwrap().len(), 1);
}

#[tokio::test]
async fn when_all_fail_the_last_failure_is_told_and_attempts_are_bounded() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = two_accounts(&stack).await;
    stack.witness().behave(json!({}), "status=429,retry_after=7", None).await.unwrap();
    let answer = caller.chat("any").await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"), "{}", answer.text());
    assert_eq!(stack.witness().ledger().await.unwrap().len(), 2);
    let record = stack.admin().usage_of(answer.header("x-request-id")).await.unwrap();
    assert_eq!(
        (record.outcome.as_str(), record.attempts, record.status),
        ("upstream_error", 2, 429)
    );

    let settings = Settings { max_attempts: 1, ..Settings::default() };
    stack.admin().apply(vec![Edit::PutSettings(settings)]).await.unwrap();
    stack.settled().await.unwrap();
    stack.witness().forget().await.unwrap();
    assert_eq!(caller.chat("any").await.unwrap().status, 429);
    assert_eq!(stack.witness().ledger().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_passed_over_or_named_to_the_operator_only() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = two_accounts(&stack).await;
    // A port that is nobody's: connections to it are refused.
    let reserved = Reserved::any().unwrap();
    let nowhere = reserved.address();
    stack.admin().add_demo_account("absent", &format!("http://{nowhere}/v1"), "c").await.unwrap();
    stack
        .admin()
        .add_route("lucky", &[&[("absent", "demo-a", 1)], &[("second", "demo-b", 1)]])
        .await
        .unwrap();
    stack.admin().add_route("lost", &[&[("absent", "demo-a", 1)]]).await.unwrap();
    stack.settled().await.unwrap();
    let answer = caller.chat("lucky").await.unwrap();
    assert_eq!(
        (answer.status, answer.header("x-sluice-attempts")),
        (200, "2"),
        "{}",
        answer.text()
    );
    let answer = caller.chat("lost").await.unwrap();
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(
        !answer.text().contains("absent") && !answer.text().contains(&nowhere.to_string()),
        "{}",
        answer.text()
    );
    let record = stack.admin().usage_of(answer.header("x-request-id")).await.unwrap();
    assert_eq!((record.outcome.as_str(), record.account.as_str()), ("upstream_error", "absent"));
    assert!(stack.logs().contains("absent"), "the operator's log names the account");
}

#[tokio::test]
async fn weights_share_a_tier() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = two_accounts(&stack).await;
    let tiers: &[&[(&str, &str, u32)]] =
        &[&[("first", "", 3), ("second", "", 1), ("demo-main", "", 0)]];
    stack.admin().add_route("demo-shared", tiers).await.unwrap();
    stack.settled().await.unwrap();
    let mut by_account = BTreeMap::new();
    for _ in 0..200 {
        let answer = caller.chat("demo-shared").await.unwrap();
        *by_account.entry(answer.header("x-sluice-account").to_owned()).or_insert(0u32) += 1;
    }
    // 150 of 200 are expected; 6 standard deviations off would be 113.
    let first = by_account.get("first").copied().unwrap_or_default();
    assert!((113..=187).contains(&first) && by_account.len() == 2, "{by_account:?}");
}
