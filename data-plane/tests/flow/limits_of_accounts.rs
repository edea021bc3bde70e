//! Limits of accounts and providers: whoever has no room is passed over, and the caller is
//! told nothing of it while anybody has.

use crate::{
    limits::{n, of_key, rpm, tpm},
    stage::{ANSWER, Plan, Stage, body, header, id, limit},
    upstream::{Step, with_headers},
};
use domain::catalog::{Limit, Measure, Price, Rule, Subject};
use sluice_data_plane::meter::{Priority, Want};
use std::time::Duration;

fn of_account(number: u128) -> Subject {
    Subject::Account(id(number))
}

async fn stage(limits: Vec<Limit>) -> Stage {
    let mut plan = Plan::new().await;
    plan.limits = limits;
    plan.start().await
}

/// Asks, and says which account answered.
async fn asked(stage: &Stage) -> String {
    stage.main.then_json(200, ANSWER);
    stage.spare.then_json(200, ANSWER);
    let response = stage.chat().await;
    assert_eq!(response.status(), 200);
    let account = header(&response, "x-sluice-account").unwrap();
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("1"));
    body(response).await;
    account
}

#[tokio::test]
async fn an_account_without_room_is_passed_over_without_an_attempt() {
    let stage = stage(vec![limit(1, of_account(1), rpm(2))]).await;
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(asked(&stage).await);
    }
    assert_eq!(accounts, ["main", "main", "spare", "spare"]);
    stage.lender.advance(Duration::from_secs(31));
    assert_eq!(asked(&stage).await, "main");
}

#[tokio::test]
async fn nobody_stands_in_line_at_one_account_while_another_has_room() {
    let patient = Limit { queue_ms: 60_000, ..limit(1, of_account(1), rpm(1)) };
    let stage = stage(vec![patient, limit(2, of_account(2), rpm(1))]).await;
    assert_eq!(asked(&stage).await, "main");
    stage.spare.then_json(200, ANSWER);
    let second = tokio::time::timeout(Duration::from_secs(10), stage.chat()).await.unwrap();
    assert_eq!(header(&second, "x-sluice-account").as_deref(), Some("spare"));
    let id = header(&second, "x-request-id").unwrap();
    let record = stage.gateway.explainer.find(id.parse().unwrap()).unwrap();
    let passed_over = &record.attempts[0];
    assert_eq!(passed_over.verdict, "no_headroom");
    assert_eq!(passed_over.limits[0].reason, "used up", "it did not just run out of time");
}

#[tokio::test]
async fn when_no_account_has_room_the_soonest_is_told_and_nobodys_name() {
    let stage = stage(vec![limit(1, of_account(1), rpm(1)), limit(2, of_account(2), rpm(2))]).await;
    for _ in 0..3 {
        asked(&stage).await;
    }
    let refused = stage.chat().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "retry-after-ms").as_deref(), Some("30016"));
    assert_eq!(header(&refused, "x-ratelimit-limit-requests"), None, "they are not the caller's");
    let text = refused.text().await.unwrap();
    assert!(text.contains("no account of this gateway has room"), "{text}");
    assert!(!text.contains("main") && !text.contains("spare"), "{text}");
    stage.records(3).await;
}

#[tokio::test]
async fn who_finds_no_room_at_any_account_is_charged_nothing() {
    let stage = stage(vec![
        limit(1, of_key(), rpm(10)),
        limit(2, Subject::Provider("acme".parse().unwrap()), rpm(1)),
    ])
    .await;
    asked(&stage).await;
    for _ in 0..3 {
        assert_eq!(stage.chat().await.status(), 429);
    }
    stage.records(1).await;
    assert_eq!(stage.lender.used_and_reserved(&stage.limit(1)), (1_000, 0));
}

#[tokio::test]
async fn a_grant_that_is_used_up_never_comes_back_and_nobody_is_told_to_wait() {
    let grant = |amount| Rule::Grant { measure: Measure::Requests, amount: n(amount) };
    let both = vec![limit(1, of_account(1), grant(1)), limit(2, of_account(2), grant(1))];
    let stage = stage(both).await;
    assert_eq!([asked(&stage).await, asked(&stage).await], ["main", "spare"]);
    let refused = stage.chat().await;
    assert_eq!(refused.status(), 503);
    assert_eq!(header(&refused, "retry-after"), None);
    assert_eq!(header(&refused, "x-should-retry").as_deref(), Some("false"));
}

#[tokio::test]
async fn each_attempt_counts_at_the_account_it_went_to() {
    let stage = stage(vec![
        limit(1, of_account(1), rpm(10)),
        limit(2, of_account(1), tpm(10_000)),
        limit(3, of_account(2), rpm(10)),
        limit(4, of_account(2), tpm(10_000)),
    ])
    .await;
    stage.main.then_json(500, "{}");
    stage.spare.then_json(200, ANSWER);
    body(stage.chat().await).await;
    stage.records(1).await;
    let used = [1, 2, 3, 4].map(|it| stage.lender.used_and_reserved(&stage.limit(it)));
    assert_eq!(used, [(1_000, 0), (0, 0), (1_000, 0), (12_000, 0)]);
}

#[tokio::test]
async fn an_account_that_could_not_be_reached_is_charged_nothing() {
    let mut plan = Plan::new().await;
    plan.limits = vec![limit(1, of_account(1), rpm(10))];
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for base in &mut plan.accounts[0].base_urls {
        base.url = format!("http://{nobody}/v1");
    }
    let stage = plan.start().await;
    stage.spare.then_json(200, ANSWER);
    assert_eq!(stage.chat().await.status(), 200);
    assert_eq!(stage.lender.used_and_reserved(&stage.limit(1)), (0, 0));
}

#[tokio::test]
async fn at_its_threshold_an_account_is_kept_for_last_and_used_when_nobody_else_is_left() {
    let grant = Rule::Grant { measure: Measure::Requests, amount: n(4) };
    let free = Limit { switch_percent: Some(50), ..limit(1, of_account(1), grant) };
    let stage = stage(vec![free, limit(2, of_account(2), rpm(2))]).await;
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(asked(&stage).await);
        // What is used is told with the renewals.
        stage.lender.advance(Duration::from_millis(10));
    }
    assert_eq!(accounts, ["main", "main", "spare", "spare"]);
    // Nothing else is left.
    assert_eq!(asked(&stage).await, "main");
    let response = {
        stage.main.then_json(200, ANSWER);
        stage.chat().await
    };
    let id = header(&response, "x-request-id").unwrap();
    let record = stage.gateway.explainer.find(id.parse().unwrap()).unwrap();
    let verdicts: Vec<_> =
        record.attempts.iter().map(|it| (it.account.as_str(), it.verdict.as_str())).collect();
    assert_eq!(
        verdicts,
        [("main", "kept_for_last"), ("spare", "no_headroom"), ("main", "answered")]
    );
}

#[tokio::test]
async fn beyond_its_threshold_an_account_is_kept_for_last_even_when_nobody_has_heard_of_it_for_long()
 {
    let grant = Rule::Grant { measure: Measure::Requests, amount: n(4) };
    let free = Limit { switch_percent: Some(50), ..limit(1, of_account(1), grant) };
    let stage = stage(vec![free]).await;
    let (limit, meter) = (stage.limit(1), &stage.lender.meter);
    let wants = [Want { limit: &limit, milli: 3_000 }];
    meter.reserve(&wants, Priority::Normal).await.unwrap().settle(|_| 3_000);
    // What was held of it is given back, and this proxy hears no more of it.
    stage.lender.advance(Duration::from_secs(30));
    assert_eq!(meter.in_use(), 0);
    stage.spare.then_json(200, ANSWER);
    let response = stage.chat().await;
    assert_eq!(header(&response, "x-sluice-account").as_deref(), Some("spare"));
    let id = header(&response, "x-request-id").unwrap();
    let record = stage.gateway.explainer.find(id.parse().unwrap()).unwrap();
    let verdicts: Vec<_> = record.attempts.iter().map(|it| it.verdict.as_str()).collect();
    assert_eq!(verdicts, ["kept_for_last", "answered"]);
    assert_eq!(record.attempts[0].limits[0].settled_milli, Some(0));
    assert_eq!(stage.main.got().len(), 0);
    assert_eq!(stage.lender.used_and_reserved(&limit), (0, 0));
    // It is asked when nobody else is left, once in this walk.
    stage.spare.then_json(500, "{}");
    stage.main.then_json(200, ANSWER);
    let response = stage.chat().await;
    assert_eq!(header(&response, "x-sluice-account").as_deref(), Some("main"));
}

#[tokio::test]
async fn a_request_too_large_for_one_account_goes_to_another() {
    let most = Rule::TokensPerRequest { most: n(10) };
    let only_one = vec![limit(1, of_account(1), most.clone())];
    let stage = stage(only_one).await;
    assert_eq!(asked(&stage).await, "spare");
    let stage = self::stage(vec![limit(1, Subject::Provider("acme".parse().unwrap()), most)]).await;
    let refused = stage.chat().await;
    assert_eq!(refused.status(), 400);
    let text = refused.text().await.unwrap();
    assert!(text.contains("larger than any account"), "{text}");
}

#[tokio::test]
async fn money_is_charged_at_the_price_of_whoever_answered() {
    let mut plan = Plan::new().await;
    let grant = Rule::Grant { measure: Measure::Cost, amount: n(1_000_000) };
    plan.limits = vec![limit(1, of_key(), grant)];
    for (name, output) in [("big-1", 1_000_000_000), ("big-2", 10_000_000_000)] {
        let mut model = crate::stage::model(name);
        model.price = Some(Price { input: 0, cached_input: 0, cache_write: 0, output });
        plan.models.push(model);
    }
    let stage = plan.start().await;
    asked(&stage).await;
    stage.records(1).await;
    assert_eq!(stage.lender.used_and_reserved(&stage.limit(1)), (3_000, 0));
    stage.main.then_json(500, "{}");
    body(stage.chat().await).await;
    stage.records(2).await;
    assert_eq!(stage.lender.used_and_reserved(&stage.limit(1)), (33_000, 0));
}

#[tokio::test]
async fn a_provider_that_says_it_has_nothing_left_is_asked_last_and_its_headers_stay_here() {
    let stage = Stage::new().await;
    let headers = [
        ("content-type", "application/json"),
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1m0s"),
    ];
    stage.main.then(vec![Step::Send(with_headers(200, &headers, ANSWER))]);
    let first = stage.chat().await;
    assert_eq!(header(&first, "x-sluice-account").as_deref(), Some("main"));
    assert!(first.headers().keys().all(|it| !it.as_str().contains("ratelimit")));
    body(first).await;
    assert_eq!(asked(&stage).await, "spare");
    // When the other one fails it is asked all the same.
    stage.spare.then_json(500, "{}");
    let mut planned = stage.spare.got().len();
    let second = stage.chat().await;
    planned += 1;
    assert_eq!((second.status().as_u16(), stage.spare.got().len()), (200, planned));
    assert_eq!(header(&second, "x-sluice-account").as_deref(), Some("main"));
}

#[tokio::test]
async fn a_429_of_an_account_closes_it_for_as_long_as_it_says() {
    let stage = Stage::new().await;
    let headers = [("content-type", "application/json"), ("retry-after", "60")];
    stage.main.then(vec![Step::Send(with_headers(429, &headers, "{}"))]);
    stage.spare.then_json(200, ANSWER);
    let first = stage.chat().await;
    assert_eq!(header(&first, "x-sluice-attempts").as_deref(), Some("2"));
    body(first).await;
    stage.spare.then_json(200, ANSWER);
    let second = stage.chat().await;
    assert_eq!(header(&second, "x-sluice-attempts").as_deref(), Some("1"));
    assert_eq!(stage.main.got().len(), 1);
}
