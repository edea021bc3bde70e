//! Reservations of peers that leaked, were too small or were made twice; each named after
//! what broke there.

use crate::{
    limits::{n, of_key, rpm, tpm},
    stage::{ANSWER, CHAT, EVENTS, Plan, Stage, body, eventually, id, limit},
    upstream::{Step, chunk, json, stream_head},
};
use domain::catalog::{Measure, Operation, Period, Rule, Subject, Weights};
use std::time::Duration;

async fn stage(rules: impl IntoIterator<Item = Rule>) -> Stage {
    let mut plan = Plan::new().await;
    plan.limits.extend(rules.into_iter().zip(1..).map(|(rule, at)| limit(at, of_key(), rule)));
    plan.start().await
}

impl Stage {
    fn used_and_reserved(&self, number: u128) -> (u64, u64) {
        self.lender.used_and_reserved(&self.limit(number))
    }
}

/// LiteLLM #18730: five requests at the same time used 663 of 100 tokens.
#[tokio::test]
async fn requests_at_the_same_time_do_not_pass_a_limit_together() {
    let stage = stage([tpm(100)]).await;
    let given = CHAT.replacen('{', r#"{"max_tokens":50,"#, 1);
    for _ in 0..5 {
        stage.main.then_json(200, ANSWER);
    }
    let calls = (0..5).map(|_| stage.post("/v1/chat/completions", given.clone()).send());
    let answers = futures_util::future::join_all(calls).await;
    let passed = answers.iter().filter(|it| it.as_ref().unwrap().status() == 200).count();
    assert_eq!(passed, stage.main.got().len());
    // Each may take 50 and its prompt, and 12 are used.
    assert!((1..=4).contains(&passed), "{passed}");
}

/// LiteLLM #28805, #29193: a floor of 1,024 tokens made a limit of 100 refuse for ever.
#[tokio::test]
async fn a_limit_below_every_usual_output_lets_the_first_request_through() {
    let stage = stage([tpm(100)]).await;
    stage.main.then_json(200, ANSWER);
    assert_eq!(stage.chat().await.status(), 200);
}

/// LiteLLM #37001: `max_tokens: 1` hid `max_completion_tokens: 10000`.
#[tokio::test]
async fn the_larger_of_two_bounds_is_reserved() {
    let stage = stage([tpm(1_000)]).await;
    let given = CHAT.replacen('{', r#"{"max_tokens":1,"max_completion_tokens":10000,"#, 1);
    let response = stage.post("/v1/chat/completions", given).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(stage.main.got().is_empty());
}

/// LiteLLM #34728: a request of another shape reserved 1 and settled 0.
#[tokio::test]
async fn a_request_bounded_under_a_name_of_another_operation_is_reserved_and_bounded_all_the_same()
{
    let stage = stage([tpm(10_000)]).await;
    stage.main.then(vec![Step::Stall]);
    let given = r#"{"model":"fast","input":"hello there","max_output_tokens":2000}"#;
    let calling = tokio::time::timeout(
        Duration::from_millis(200),
        stage.post("/v1/chat/completions", given).send(),
    );
    assert!(calling.await.is_err(), "the upstream says nothing");
    let sent = stage.main.only();
    assert!(sent.text().contains(r#""max_tokens":2000"#), "{}", sent.text());
    stage.records(1).await;
    let (used, reserved) = stage.used_and_reserved(1);
    assert!(0 < used && reserved == 0, "{used} {reserved}");
}

/// LiteLLM #39309: who was refused used up requests all the same.
#[tokio::test]
async fn who_is_refused_uses_nothing_of_any_limit() {
    let stage = stage([rpm(10), tpm(20), Rule::InFlight { most: n(3) }]).await;
    let given = CHAT.replacen('{', r#"{"max_tokens":1,"#, 1).replace("hello there", "hi");
    stage.main.then_json(200, ANSWER);
    let first = stage.post("/v1/chat/completions", given.clone()).send().await.unwrap();
    assert_eq!(first.status(), 200, "{}", first.text().await.unwrap());
    body(first).await;
    stage.records(1).await;
    for _ in 0..20 {
        let refused = stage.post("/v1/chat/completions", given.clone()).send().await.unwrap();
        assert_eq!(refused.status(), 429);
    }
    assert_eq!(stage.used_and_reserved(1), (1_000, 0));
    assert_eq!(stage.used_and_reserved(2), (12_000, 0));
    assert_eq!(stage.used_and_reserved(3).1, 0);
}

/// LiteLLM #20256: after timeouts of the provider a key was locked up for ever.
#[tokio::test]
async fn timeouts_of_the_provider_leave_no_seat_and_no_token_reserved() {
    let mut plan = Plan::new().await;
    plan.limits =
        vec![limit(1, of_key(), Rule::InFlight { most: n(1) }), limit(2, of_key(), tpm(100_000))];
    for account in &mut plan.accounts {
        account.client.first_byte_timeout_ms = 50;
    }
    let stage = plan.start().await;
    for round in 1..=3 {
        stage.main.then(vec![Step::Stall]);
        stage.spare.then(vec![Step::Stall]);
        let response = stage.chat().await;
        assert_eq!(response.status(), 504, "round {round}");
        body(response).await;
        stage.records(round).await;
        assert_eq!((stage.used_and_reserved(1).1, stage.used_and_reserved(2).1), (0, 0));
        // Charged is not reserved: it refills, and whoever timed out may have worked.
        let charged = stage.used_and_reserved(2).0;
        let each = charged / round;
        assert!((4_096_000..4_200_000).contains(&each), "round {round}: {charged}");
    }
    stage.main.then_json(200, ANSWER);
    assert_eq!(stage.chat().await.status(), 200);
}

/// What is reserved of a limit in tokens while the upstream says nothing.
async fn reserved(stage: &Stage, number: u128) -> u64 {
    let is_reserved = || 0 < stage.used_and_reserved(number).1;
    eventually("it is reserved", is_reserved).await;
    stage.used_and_reserved(number).1
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_is_charged_what_was_reserved() {
    let mut plan = Plan::new().await;
    plan.limits = vec![
        limit(1, of_key(), tpm(100_000)),
        limit(2, Subject::Account(id(1)), tpm(100_000)),
        limit(3, of_key(), rpm(10)),
        limit(4, of_key(), Rule::InFlight { most: n(1) }),
    ];
    let stage = plan.start().await;
    for (round, steps) in [
        (1u64, vec![Step::Stall]),
        // A head says nothing of what is thought behind it.
        (2, vec![Step::Send(stream_head()), Step::Send(chunk(EVENTS[0])), Step::Stall]),
    ] {
        let before = stage.used_and_reserved(1).0;
        stage.main.then(steps);
        let calling = async {
            let mut response = stage.stream().await;
            while response.chunk().await.unwrap().is_some() {}
        };
        let (caller, account) = tokio::select! {
            () = calling => panic!("the upstream says nothing"),
            them = async {
                eventually("asked", || stage.main.got().len() as u64 == round).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                (reserved(&stage, 1).await, reserved(&stage, 2).await)
            } => them,
        };
        assert!(4_000_000 < caller && 4_000_000 < account, "{caller} {account}");
        stage.records(round).await;
        let used = [1, 2].map(|it| stage.used_and_reserved(it));
        assert_eq!(used, [(before + caller, 0), (before + account, 0)], "round {round}");
        assert_eq!(stage.used_and_reserved(3), (round * 1_000, 0));
        assert_eq!(stage.used_and_reserved(4).1, 0, "the seat is free");
    }
}

#[tokio::test]
async fn an_attempt_that_timed_out_is_charged_where_it_was_made() {
    let mut plan = Plan::new().await;
    plan.limits = vec![
        limit(1, of_key(), tpm(100_000)),
        limit(2, Subject::Account(id(1)), tpm(100_000)),
        limit(3, Subject::Account(id(2)), tpm(100_000)),
    ];
    plan.accounts[0].client.first_byte_timeout_ms = 50;
    let stage = plan.start().await;
    stage.main.then(vec![Step::Stall]);
    stage.spare.then_json(200, ANSWER);
    body(stage.chat().await).await;
    stage.records(1).await;
    let main = stage.used_and_reserved(2);
    assert!(4_096_000 < main.0 && main.1 == 0, "{main:?}");
    assert_eq!([stage.used_and_reserved(1), stage.used_and_reserved(3)], [(12_000, 0); 2]);
    // Nobody answered: what the first one did is still not known.
    stage.main.then(vec![Step::Stall]);
    stage.spare.then_json(500, "{}");
    assert_eq!(stage.chat().await.status(), 500);
    stage.records(2).await;
    assert_eq!(stage.used_and_reserved(1), (12_000 + main.0, 0));
    assert_eq!(stage.used_and_reserved(3), (12_000, 0));
}

#[tokio::test]
async fn a_caller_that_goes_away_is_charged_for_what_it_got() {
    let stage = stage([tpm(10_000), Rule::InFlight { most: n(1) }]).await;
    let mut steps = vec![Step::Send(stream_head())];
    steps.extend(EVENTS[..2].iter().map(|it| Step::Send(chunk(it))));
    steps.push(Step::Stall);
    stage.main.then(steps);
    let mut response = stage.stream().await;
    response.chunk().await.unwrap();
    drop(response);
    stage.main.hung_up(1).await;
    stage.records(1).await;
    let (used, reserved) = stage.used_and_reserved(1);
    assert!((2_000..100_000).contains(&used), "{used}");
    assert_eq!((reserved, stage.used_and_reserved(2).1), (0, 0));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_charged_for_what_came() {
    let stage = stage([tpm(10_000)]).await;
    stage.main.then(vec![Step::Send(stream_head()), Step::Send(chunk(EVENTS[1])), Step::Reset]);
    let _ = stage.stream().await.bytes().await;
    stage.records(1).await;
    let (used, reserved) = stage.used_and_reserved(1);
    assert!(0 < used && used < 100_000 && reserved == 0, "{used} {reserved}");
}

#[tokio::test]
async fn a_failover_reserves_once_for_the_caller() {
    let stage = stage([rpm(2), tpm(5_000)]).await;
    stage.main.then_json(500, "{}");
    stage.spare.then_json(200, ANSWER);
    // A second reservation of 4,096 would not have fitted.
    let response = stage.chat().await;
    assert_eq!(response.status(), 200);
    body(response).await;
    stage.records(1).await;
    assert_eq!(stage.used_and_reserved(1), (1_000, 0));
    assert_eq!(stage.used_and_reserved(2), (12_000, 0));
}

#[tokio::test]
async fn a_request_that_failed_everywhere_counts_as_a_request_and_as_no_tokens() {
    let stage = stage([rpm(2), tpm(5_000)]).await;
    stage.main.then_json(500, "{}");
    stage.spare.then_json(500, "{}");
    assert_eq!(stage.chat().await.status(), 500);
    stage.records(1).await;
    assert_eq!(stage.used_and_reserved(1), (1_000, 0));
    assert_eq!(stage.used_and_reserved(2), (0, 0));
}

#[tokio::test]
async fn embeddings_count_their_input_and_reserve_no_output() {
    let mut plan = Plan::new().await;
    plan.limits = vec![limit(1, of_key(), tpm(200))];
    plan.models.iter_mut().for_each(|it| it.operations = vec![Operation::Embeddings]);
    let stage = plan.start().await;
    stage.main.then_json(
        200,
        r#"{"object":"list","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#,
    );
    let given = r#"{"model":"fast","input":"hello there"}"#;
    let response = stage.post("/v1/embeddings", given).send().await.unwrap();
    assert_eq!(response.status(), 200);
    body(response).await;
    stage.records(1).await;
    assert_eq!(stage.main.only().text(), given.replace("fast", "big-1"));
    assert_eq!(stage.used_and_reserved(1), (7_000, 0));
    let long = given.replace("hello there", &"word ".repeat(200));
    let response = stage.post("/v1/embeddings", long).send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn cached_input_counts_by_its_weight() {
    let weights = Weights { cached_input: 10, ..Weights::default() };
    let measure = Measure::Tokens(weights);
    let stage = stage([Rule::Bucket { measure, amount: n(10_000), period: Period::Minute }]).await;
    stage.main.then_json(200, ANSWER);
    body(stage.chat().await).await;
    stage.records(1).await;
    // 5 + 4 at a tenth + 3.
    assert_eq!(stage.used_and_reserved(1), (8_400, 0));
}

#[tokio::test]
async fn an_upstream_that_uses_more_than_was_reserved_is_charged_to_the_full() {
    let stage = stage([tpm(10_000)]).await;
    let greedy = ANSWER.replace("\"completion_tokens\":3", "\"completion_tokens\":30000");
    stage.main.then(vec![Step::Send(json(200, &greedy))]);
    body(stage.chat().await).await;
    stage.records(1).await;
    assert_eq!(stage.used_and_reserved(1).0, 30_009_000);
    let refused = stage.chat().await;
    assert_eq!(refused.status(), 429);
    eventually("no request is left", || stage.gateway.in_flight() == 0).await;
}
