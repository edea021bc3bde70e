//! A caller's own limits: who is refused and in which words, and that nothing is used of a
//! limit by whoever is refused.

use crate::stage::{
    ANSWER, CHAT, EVENTS, Plan, STREAM, Stage, body, eventually, header, limit, team_key,
};
use domain::{
    catalog::{
        Action, CalendarPeriod, Limit, Measure, Mode, Period, Price, Rule, Subject, Weights,
    },
    id::{KeyId, RequestId, TeamId},
};
use serde_json::{Value, json};
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use uuid::Uuid;

pub(crate) fn n(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

pub(crate) fn of_key() -> Subject {
    Subject::Key(KeyId::from_uuid(Uuid::from_u128(1)))
}

pub(crate) fn rpm(amount: u64) -> Rule {
    Rule::Bucket { measure: Measure::Requests, amount: n(amount), period: Period::Minute }
}

pub(crate) fn tpm(amount: u64) -> Rule {
    let measure = Measure::Tokens(Weights::default());
    Rule::Bucket { measure, amount: n(amount), period: Period::Minute }
}

/// A stage with these limits on what is asked.
async fn stage(rules: impl IntoIterator<Item = Rule>) -> Stage {
    let mut plan = Plan::new().await;
    plan.limits.extend(rules.into_iter().zip(1..).map(|(rule, at)| limit(at, of_key(), rule)));
    plan.start().await
}

fn the_limit(stage: &Stage, number: u128) -> Arc<Limit> {
    stage.limit(number)
}

async fn ok(stage: &Stage) -> reqwest::Response {
    stage.main.then_json(200, ANSWER);
    let response = stage.chat().await;
    assert_eq!(response.status(), 200);
    response
}

#[tokio::test]
async fn beyond_its_requests_per_minute_a_key_is_told_exactly_when_to_come_back() {
    let stage = stage([rpm(2)]).await;
    let first = ok(&stage).await;
    assert_eq!(header(&first, "x-ratelimit-limit-requests").as_deref(), Some("2"));
    assert_eq!(header(&first, "x-ratelimit-remaining-requests").as_deref(), Some("1"));
    assert!(header(&first, "x-ratelimit-reset-requests").unwrap().starts_with("30."));
    body(first).await;
    body(ok(&stage).await).await;

    let refused = stage.chat().await;
    assert_eq!(refused.status(), 429);
    // 30 s, and what clocks may drift.
    assert_eq!(header(&refused, "retry-after").as_deref(), Some("31"));
    assert_eq!(header(&refused, "retry-after-ms").as_deref(), Some("30016"));
    assert_eq!(header(&refused, "x-should-retry"), None);
    assert_eq!(header(&refused, "x-ratelimit-remaining-requests").as_deref(), Some("0"));
    assert_eq!(header(&refused, "x-ratelimit-reset-requests").as_deref(), Some("1m0.031s"));
    let error = body(refused).await["error"].clone();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("requests"), &json!("rate_limit_exceeded"))
    );
    assert_eq!(
        error["message"],
        "this key's limit of 2 requests per minute is used up: 0 requests left; try again in 31 s"
    );

    let anthropic = stage.post("/v1/messages", CHAT).send().await.unwrap();
    assert_eq!(anthropic.status(), 429);
    assert_eq!(header(&anthropic, "retry-after").as_deref(), Some("31"));
    assert_eq!(header(&anthropic, "x-should-retry").as_deref(), Some("false"));
    assert_eq!(header(&anthropic, "anthropic-ratelimit-requests-limit").as_deref(), Some("2"));
    assert_eq!(header(&anthropic, "anthropic-ratelimit-requests-remaining").as_deref(), Some("0"));
    let reset = header(&anthropic, "anthropic-ratelimit-requests-reset").unwrap();
    assert!(reset.starts_with("20") && reset.ends_with('Z'), "{reset}");
    assert_eq!(header(&anthropic, "x-ratelimit-limit-requests"), None);
    assert_eq!(body(anthropic).await["error"]["type"], "rate_limit_error");

    // Only who was let through counts.
    stage.lender.advance(Duration::from_millis(30_016));
    body(ok(&stage).await).await;
    assert_eq!(stage.main.got().len(), 3);
    stage.records(3).await;
}

#[tokio::test]
async fn a_request_over_its_tokens_is_a_400_and_uses_nothing() {
    let stage = stage([Rule::TokensPerRequest { most: n(100) }, rpm(5), tpm(100_000)]).await;
    let long = CHAT.replace("hello there", &"word ".repeat(200));
    let wide = CHAT.replacen('{', r#"{"max_completion_tokens":200,"#, 1);
    for (given, words, code) in [
        (long, "prompt is too long: ", json!("context_length_exceeded")),
        (wide, "tokens of output", Value::Null),
    ] {
        let response = stage.post("/v1/chat/completions", given).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let error = body(response).await["error"].clone();
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
        assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &code));
    }
    assert!(stage.main.got().is_empty());
    for number in [2, 3] {
        assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, number)), (0, 0));
    }
    stage.records(0).await;
    // What fits goes through, with an output small enough to fit.
    body(ok(&stage).await).await;
    let sent: Value = serde_json::from_str(stage.main.only().text()).unwrap();
    assert!((1..100).contains(&sent["max_tokens"].as_u64().unwrap()), "{sent}");
}

#[tokio::test]
async fn an_explicit_maximum_that_never_fits_is_a_400_that_says_so() {
    let stage = stage([tpm(1_000)]).await;
    let wide = CHAT.replacen('{', r#"{"max_tokens":5000,"#, 1);
    let response = stage.post("/v1/chat/completions", wide).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let message = body(response).await["error"]["message"].to_string();
    assert!(message.contains("never lets more than 1000 tokens through at once"), "{message}");
    assert!(stage.main.got().is_empty());
}

#[tokio::test]
async fn tokens_are_reserved_with_the_answer_and_settled_with_what_was_used() {
    let stage = stage([tpm(10_000)]).await;
    body(ok(&stage).await).await;
    stage.records(1).await;
    let sent = stage.main.only();
    let expected = CHAT.replacen('{', r#"{"max_tokens":4096,"#, 1).replace("fast", "big-1");
    assert_eq!(sent.text(), expected);
    // 9 + 3, of which nothing stays reserved.
    assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, 1)), (12_000, 0));
    let next = ok(&stage).await;
    assert_eq!(header(&next, "x-ratelimit-limit-tokens").as_deref(), Some("10000"));
    body(next).await;
}

#[tokio::test]
async fn the_bound_of_an_answer_goes_under_the_name_that_the_provider_reads_and_not_beyond_its_model()
 {
    let mut plan = Plan::new().await;
    plan.limits = vec![limit(1, of_key(), tpm(100_000))];
    plan.providers[0].endpoints[0].output_cap_field = Some("max_completion_tokens".to_owned());
    plan.models.push(crate::stage::model("big-1"));
    plan.models.last_mut().unwrap().max_output_tokens = Some(700);
    let stage = plan.start().await;
    body(ok(&stage).await).await;
    let given = CHAT.replacen('{', r#"{"n":2,"max_tokens":null,"#, 1);
    stage.main.then_json(200, ANSWER);
    body(stage.post("/v1/chat/completions", given).send().await.unwrap()).await;
    let given = CHAT.replacen('{', r#"{"max_tokens":9,"#, 1);
    stage.main.then_json(200, ANSWER);
    body(stage.post("/v1/chat/completions", given).send().await.unwrap()).await;
    let sent: Vec<Value> =
        stage.main.got().iter().map(|it| serde_json::from_str(it.text()).unwrap()).collect();
    let caps = sent.iter().map(|it| it["max_completion_tokens"].clone());
    assert_eq!(caps.collect::<Vec<_>>(), [json!(700), json!(700), Value::Null]);
    assert_eq!(sent[2]["max_tokens"], 9);
}

#[tokio::test]
async fn without_a_limit_on_tokens_a_body_stays_as_it_is_and_no_header_is_added() {
    for limits in [vec![], vec![limit(1, of_key(), rpm(50))]] {
        let limited = !limits.is_empty();
        let mut plan = Plan::new().await;
        plan.limits = limits;
        let stage = plan.start().await;
        let response = ok(&stage).await;
        let told = header(&response, "x-ratelimit-limit-requests").is_some();
        assert_eq!((told, header(&response, "x-ratelimit-limit-tokens")), (limited, None));
        assert_eq!(stage.main.only().text(), CHAT.replace("fast", "big-1"));
    }
}

#[tokio::test]
async fn an_account_that_keeps_its_bodies_is_not_told_a_bound() {
    let mut plan = Plan::new().await;
    plan.limits = vec![limit(1, of_key(), tpm(10_000))];
    plan.accounts[0].client.keep_output_open = true;
    let stage = plan.start().await;
    body(ok(&stage).await).await;
    assert_eq!(stage.main.only().text(), CHAT.replace("fast", "big-1"));
}

#[tokio::test]
async fn an_exhausted_budget_is_another_error_than_a_rate_and_not_to_be_retried() {
    let mut plan = Plan::new().await;
    let rule = Rule::Calendar {
        measure: Measure::Cost,
        amount: n(1),
        period: CalendarPeriod::Month,
        calendar: Box::default(),
    };
    plan.limits = vec![limit(1, of_key(), rule)];
    for name in ["big-1", "big-2"] {
        let mut model = crate::stage::model(name);
        model.price = Some(Price { input: 1, cached_input: 1, cache_write: 1, output: 85_000_000 });
        plan.models.push(model);
    }
    let stage = plan.start().await;
    let given = CHAT.replacen('{', r#"{"max_tokens":10,"#, 1);
    let post = |path| stage.post(path, given.clone()).send();
    // It may take 850 nano-dollars of the 1,000, and takes 256; so does no other then.
    stage.main.then_json(200, ANSWER);
    assert_eq!(post("/v1/chat/completions").await.unwrap().status(), 200);
    stage.records(1).await;
    assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, 1)), (256, 0));
    let early = post("/v1/chat/completions").await.unwrap();
    assert_eq!(early.status(), 429);
    // By now all that was lent has been called in.
    stage.lender.advance(Duration::from_secs(2));
    let openai = post("/v1/chat/completions").await.unwrap();
    assert_eq!(openai.status(), 429);
    assert_eq!(header(&openai, "x-should-retry").as_deref(), Some("false"));
    assert_eq!(header(&openai, "retry-after").as_deref(), Some("2591998"));
    let error = body(openai).await["error"].clone();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("limit of $0.000001 per calendar month is used up"), "{message}");
    let anthropic = post("/v1/messages").await.unwrap();
    assert_eq!(anthropic.status(), 402);
    assert_eq!(header(&anthropic, "x-should-retry").as_deref(), Some("false"));
    assert_eq!(body(anthropic).await["error"]["type"], "billing_error");
}

#[tokio::test]
async fn what_costs_nobody_knows_how_much_is_refused_where_money_is_limited() {
    let stage = stage([Rule::Grant { measure: Measure::Cost, amount: n(1_000_000) }]).await;
    let response = stage.chat().await;
    assert_eq!(response.status(), 403);
    let message = body(response).await["error"]["message"].to_string();
    assert!(message.contains("what `fast` costs is not known"), "{message}");
    assert!(stage.main.got().is_empty());
    assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, 1)), (0, 0));
}

#[tokio::test]
async fn a_refusal_tells_the_standing_even_of_what_was_never_held_here() {
    let stage = stage([rpm(1)]).await;
    body(ok(&stage).await).await;
    // Nobody asks, so it is given back and forgotten.
    stage.lender.advance(Duration::from_secs(12));
    assert_eq!(stage.lender.meter.in_use(), 0);
    let refused = stage.chat().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "x-ratelimit-limit-requests").as_deref(), Some("1"));
    assert_eq!(header(&refused, "x-ratelimit-remaining-requests").as_deref(), Some("0"));
    assert!(header(&refused, "x-ratelimit-reset-requests").is_some());
}

#[tokio::test]
async fn a_limit_on_trial_refuses_nobody_and_changes_no_body() {
    let mut plan = Plan::new().await;
    let shadow = |number, rule| Limit { action: Action::Shadow, ..limit(number, of_key(), rule) };
    plan.limits = vec![
        shadow(1, rpm(1)),
        shadow(2, tpm(10)),
        shadow(3, Rule::TokensPerRequest { most: n(1) }),
        shadow(4, Rule::Grant { measure: Measure::Cost, amount: n(1) }),
    ];
    let stage = plan.start().await;
    let mut said = Vec::new();
    for _ in 0..3 {
        let response = ok(&stage).await;
        assert_eq!(header(&response, "x-ratelimit-limit-requests"), None);
        let id = header(&response, "x-request-id").unwrap();
        body(response).await;
        let record = stage.gateway.explainer.find(id.parse().unwrap()).unwrap();
        said = record.limits.into_iter().map(|it| it.verdict).collect();
    }
    assert_eq!(said[..3], ["would_refuse"; 3], "requests, tokens, tokens of one request");
    for got in stage.main.got() {
        assert_eq!(got.text(), CHAT.replace("fast", "big-1"));
    }
}

#[tokio::test]
async fn a_seat_is_free_again_when_the_stream_has_ended() {
    let stage = stage([Rule::InFlight { most: n(1) }]).await;
    let go_on = Arc::new(tokio::sync::Notify::new());
    let (first, rest) = EVENTS.split_at(2);
    let mut steps = vec![crate::upstream::Step::Send(crate::upstream::stream_head())];
    steps.extend(first.iter().map(|it| crate::upstream::Step::Send(crate::upstream::chunk(it))));
    steps.push(crate::upstream::Step::Wait(Arc::clone(&go_on)));
    steps.extend(rest.iter().map(|it| crate::upstream::Step::Send(crate::upstream::chunk(it))));
    steps.push(crate::upstream::Step::Send(b"0\r\n\r\n".to_vec()));
    stage.main.then(steps);
    let stream = stage.stream().await;
    assert_eq!(stream.status(), 200);
    let second = stage.chat().await;
    assert_eq!(second.status(), 429);
    assert!(header(&second, "retry-after").is_some());
    let message = body(second).await["error"]["message"].to_string();
    assert!(message.contains("limit of 1 request at the same time"), "{message}");
    go_on.notify_one();
    stream.bytes().await.unwrap();
    stage.records(1).await;
    body(ok(&stage).await).await;
}

/// Bug 33 of the list: a count was charged as if it were an answer.
#[tokio::test]
async fn counting_tokens_counts_as_a_request_and_as_nothing_else() {
    let stage = stage([rpm(2), tpm(1_000), Rule::TokensPerRequest { most: n(1) }]).await;
    stage.main.then_json(200, r#"{"input_tokens":12}"#);
    let count = || stage.post("/v1/messages/count_tokens", CHAT).send();
    assert_eq!(count().await.unwrap().status(), 200);
    stage.records(1).await;
    assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, 1)), (1_000, 0));
    assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, 2)), (0, 0));
    stage.main.then_json(200, r#"{"input_tokens":12}"#);
    assert_eq!(count().await.unwrap().status(), 200);
    assert_eq!(count().await.unwrap().status(), 429);
}

#[tokio::test]
async fn the_list_of_models_is_not_limited() {
    let stage = stage([rpm(1)]).await;
    for _ in 0..3 {
        assert_eq!(stage.get("/v1/models").send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn whose_limit_it_is_is_said_without_names() {
    let mut plan = Plan::new().await;
    let team = TeamId::from_uuid(Uuid::from_u128(77));
    plan.keys = vec![team_key(1, "team-a", team)];
    plan.teams = vec![crate::stage::team(team, "secret-research")];
    plan.limits = vec![limit(1, Subject::Team(team), rpm(1))];
    let stage = plan.start().await;
    body(ok(&stage).await).await;
    let refused = stage.chat().await;
    assert_eq!(refused.status(), 429);
    let message = body(refused).await["error"]["message"].to_string();
    assert!(message.contains("your team's limit of 1 request per minute"), "{message}");
    assert!(!message.contains("secret-research"), "{message}");
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_with_the_reason() {
    let stage = stage([rpm(5)]).await;
    stage.lender.meter.on_lost();
    let response = stage.chat().await;
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after").as_deref(), Some("1"));
    let message = body(response).await["error"]["message"].to_string();
    assert!(message.contains("the control plane cannot be reached"), "{message}");
    let available = Mode::Availability;
    let mut plan = Plan::new().await;
    plan.limits = vec![Limit { mode: available, ..limit(1, of_key(), rpm(600)) }];
    let stage = plan.start().await;
    stage.lender.meter.on_lost();
    body(ok(&stage).await).await;
}

#[tokio::test]
async fn who_waits_in_line_is_served_by_its_priority_and_not_refused() {
    let mut plan = Plan::new().await;
    plan.limits =
        vec![Limit { queue_ms: 20_000, ..limit(1, of_key(), Rule::InFlight { most: n(1) }) }];
    let stage = plan.start().await;
    let go_on = Arc::new(tokio::sync::Notify::new());
    let slow = |go_on: &Arc<tokio::sync::Notify>| {
        let answer = crate::upstream::json(200, ANSWER);
        vec![crate::upstream::Step::Wait(Arc::clone(go_on)), crate::upstream::Step::Send(answer)]
    };
    for _ in 0..3 {
        stage.main.then(slow(&go_on));
    }
    let call = |name: &str, priority: &'static str| {
        let given = CHAT.replace("hello there", name);
        let request = stage.post("/v1/chat/completions", given);
        let process = stage.process.clone();
        let sent = request.header("x-sluice-priority", priority).send();
        process.tasks.spawn("caller", async move { sent.await.unwrap().status() })
    };
    let came = async |count| eventually("it came", || stage.main.got().len() == count).await;
    let first = call("first", "normal");
    came(1).await;
    let low = call("low one", "low");
    eventually("the low one waits", || stage.lender.meter.waiting() == 1).await;
    let normal = call("normal one", "normal");
    eventually("both wait", || stage.lender.meter.waiting() == 2).await;
    for count in 2..=3 {
        go_on.notify_one();
        came(count).await;
    }
    go_on.notify_one();
    for call in [first, low, normal] {
        assert_eq!(call.await.unwrap(), 200);
    }
    let order: Vec<_> = stage.main.got().iter().map(|it| it.text().to_owned()).collect();
    assert!(order[1].contains("normal one") && order[2].contains("low one"), "{order:?}");
}

#[tokio::test]
async fn a_stream_tells_its_standing_too_and_is_settled_with_its_usage() {
    let stage = stage([tpm(10_000)]).await;
    stage.main.then_events(&EVENTS);
    let response = stage.stream().await;
    assert!(header(&response, "x-ratelimit-remaining-tokens").is_some());
    response.bytes().await.unwrap();
    stage.records(1).await;
    let sent = stage.main.only();
    assert_eq!(
        sent.text(),
        STREAM.replacen('{', r#"{"max_tokens":4096,"#, 1).replace("fast", "big-1")
    );
    assert_eq!(stage.lender.used_and_reserved(&the_limit(&stage, 1)), (12_000, 0));
}

#[tokio::test]
async fn how_a_request_was_decided_can_be_looked_up() {
    let stage = stage([rpm(1), tpm(10_000)]).await;
    let first = ok(&stage).await;
    let id = header(&first, "x-request-id").unwrap();
    body(first).await;
    stage.records(1).await;
    let record = stage.gateway.explainer.find(id.parse().unwrap()).unwrap();
    assert_eq!((record.status, record.alias.as_str(), record.revision), (200, "fast", 7));
    assert!(0 < record.estimated_input_tokens);
    assert_eq!(record.reserved_output_tokens, 4_096);
    let (requests, tokens) = (&record.limits[0], &record.limits[1]);
    assert_eq!(requests.title, "key team-a: 1 request per minute");
    assert_eq!((requests.asked_milli, requests.settled_milli), (1_000, Some(1_000)));
    assert_eq!(requests.before_milli - requests.after_milli, 1_000);
    assert_eq!((tokens.settled_milli, tokens.epoch), (Some(12_000), 1));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].verdict, "answered");
    assert_eq!(record.attempts[0].account, "main");

    let refused = stage.chat().await;
    let id = header(&refused, "x-request-id").unwrap();
    let record = stage.gateway.explainer.find(id.parse().unwrap()).unwrap();
    assert_eq!(record.status, 429);
    assert_eq!(
        (record.limits[0].verdict.as_str(), record.limits[0].reason.as_str()),
        ("refused", "used up")
    );
    assert!(record.attempts.is_empty());
    let unknown = RequestId::from_uuid(Uuid::from_u128(1));
    assert!(stage.gateway.explainer.find(unknown).is_none());
}
