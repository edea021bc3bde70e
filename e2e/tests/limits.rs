//! Limits as a caller and an operator meet them, over several proxies.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{
    admin::{
        limits::{in_flight, limit, rpd, rpm, tpm},
        mask,
    },
    caller::{Answered, Caller, chat_body, message_body, streamed},
    patience::{LONG, until},
    stack::{ACCOUNT, KEY, Stack},
};
use futures_util::future::join_all;
use proto::admin::v1::{
    self as v1, LimitAction, LimitMeasure, LimitPeriod,
    account_service_client::AccountServiceClient, limit_service_client::LimitServiceClient,
    limit_subject::Subject, model_service_client::ModelServiceClient,
};
use serde_json::{Value, json};
use std::time::Instant;

const MODEL: &str = "gpt-4o-mini";
const CHAT: &str = "/v1/chat/completions";

async fn stack(proxies: usize, limits: Vec<v1::Limit>) -> Stack {
    let stack = Stack::builder().proxies(proxies).start().await.unwrap();
    if !limits.is_empty() {
        stack.admin().set_limits(limits).await.unwrap();
        stack.settled().await.unwrap();
    }
    stack
}

fn callers(stack: &Stack) -> Vec<Caller> {
    (0..stack.proxies().len()).map(|it| stack.caller_of(it).unwrap()).collect()
}

/// Posts once the limit can be counted: a busy machine may take longer to lend than a
/// request waits, and then says so. Nothing is used by that.
async fn post(caller: &Caller, path: &str, body: &Value) -> Answered {
    let look = async || {
        let answer = caller.post(path, body).await.ok()?;
        (!answer.text().contains("cannot be counted now")).then_some(answer)
    };
    until("the limit can be counted", look).await.unwrap()
}

async fn chat(caller: &Caller) -> Answered {
    post(caller, CHAT, &chat_body(MODEL, "hello there")).await
}

/// Answers in the order of the requests, which go to all proxies in turn, all at once.
async fn burst(callers: &[Caller], count: usize) -> Vec<Answered> {
    join_all((0..count).map(|it| chat(&callers[it % callers.len()]))).await
}

fn count(answers: &[Answered], status: u16) -> usize {
    answers.iter().filter(|it| it.status == status).count()
}

#[tokio::test]
async fn a_rate_holds_over_three_proxies_and_says_when_to_come_back() {
    // LiteLLM #13202, #10555, #27736, #40291 and Bifrost #3547: there, three times as many pass.
    let stack = stack(3, vec![rpm(KEY, 30)]).await;
    let (callers, start) = (callers(&stack), Instant::now());
    let mut answers = Vec::new();
    // A machine that is busy may take longer to ask the leader than a request waits.
    while count(&answers, 429) < 60 || count(&answers, 200) < 28 {
        answers.extend(burst(&callers, 30).await);
        assert!(start.elapsed() < LONG, "neither used up nor refused");
    }
    let good = count(&answers, 200);
    let refilled = usize::try_from(start.elapsed().as_secs() / 2).unwrap() + 1;
    assert!(good <= 30 + refilled, "{good} passed a limit of 30, and {refilled} came back");
    let told =
        |it: &&Answered| it.status == 200 || it.status == 429 || it.text().contains("counted now");
    let other = answers.iter().find(|it| !told(it));
    assert!(other.is_none(), "{}", other.map(Answered::text).unwrap_or_default());
    assert_eq!(stack.witness().ledger().await.unwrap().len(), good);
    // While many ask at once, what is left changes between a refusal and its words.
    let refused =
        async || stack.caller().unwrap().chat(MODEL).await.ok().filter(|it| it.status == 429);
    let refused = until("the key is refused", refused).await.unwrap();
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded", "{}", refused.text());
    let wait_ms: u64 = refused.header("retry-after-ms").parse().unwrap();
    assert!((1..=61_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(refused.header("retry-after"), wait_ms.div_ceil(1_000).to_string());
    assert_eq!(refused.header("x-ratelimit-limit-requests"), "30");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    let good = answers.iter().find(|it| it.status == 200).unwrap();
    assert_eq!(good.header("x-ratelimit-limit-requests"), "30");
    // The same key in the other dialect.
    let caller = stack.caller().unwrap();
    let refused =
        caller.post("/v1/messages", &message_body("claude-sonnet-4-5", "x")).await.unwrap();
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    assert_eq!(refused.header("anthropic-ratelimit-requests-limit"), "30");
}

/// Bifrost #4921 asks for it; with counters in each process (LiteLLM #36926) it frees one only.
#[tokio::test]
async fn a_reset_frees_a_key_at_once_on_all_proxies() {
    let stack = stack(2, Vec::new()).await;
    let set = stack.admin().set_limits(vec![rpd(KEY, 6)]).await.unwrap();
    stack.settled().await.unwrap();
    let answers = burst(&callers(&stack), 20).await;
    assert!(count(&answers, 200) <= 6, "{}", count(&answers, 200));
    let drained =
        async || (stack.caller().unwrap().chat(MODEL).await.ok()?.status == 429).then_some(());
    until("the day is used up", drained).await.unwrap();
    let revision = stack.admin().reset_limit(&set[0].id).await.unwrap();
    stack.admin().applied_by(2, revision).await.unwrap();
    for caller in callers(&stack) {
        assert_eq!(chat(&caller).await.status, 200, "after the reset");
    }
}

#[tokio::test]
async fn how_a_limit_is_doing_is_a_metric() {
    let stack = stack(1, vec![rpm(KEY, 30)]).await;
    for _ in 0..3 {
        assert_eq!(chat(&callers(&stack)[0]).await.status, 200);
    }
    let url = format!("{}/metrics", stack.control_ops().unwrap());
    let told = async || {
        let text = reqwest::get(&url).await.ok()?.text().await.ok()?;
        let is_used = |it: &str| it.contains(": 30 requests per minute\"} 3.000");
        let used = |it: &&str| it.starts_with("sluice_control_limit_used{limit=\"") && is_used(it);
        text.lines().find(used).map(str::to_owned)
    };
    until("three requests are told of", told).await.unwrap();
}

/// LiteLLM #28247: every process that came up seeded the common counter anew.
#[tokio::test]
async fn a_day_is_counted_over_restarts_of_everything() {
    let mut stack = stack(2, vec![rpd(KEY, 10)]).await;
    assert_eq!(count(&burst(&callers(&stack), 4).await, 200), 4);
    stack.control().kill();
    stack.proxy(0).program().kill();
    stack.restart_control().await.unwrap();
    stack.restart_proxy(0).await.unwrap();
    stack.settled().await.unwrap();
    let mut all = 4;
    for _ in 0..10 {
        all += count(&burst(&callers(&stack), 4).await, 200);
    }
    assert!(all <= 10, "{all} requests on a day of 10");
    assert_eq!(stack.witness().ledger().await.unwrap().len(), all);
}

#[tokio::test]
async fn tokens_are_reserved_bounded_upstream_and_given_back() {
    // LiteLLM #18730: five at once used 663 of 100; #28805, #29193: small limits refuse all.
    let stack = stack(2, vec![tpm(KEY, 400)]).await;
    let answers = burst(&callers(&stack), 10).await;
    assert!(count(&answers, 200) >= 1, "a small limit lets a small request through");
    let entries = stack.witness().ledger().await.unwrap();
    let used: u64 = entries.iter().map(|it| it.input_tokens + it.output_tokens).sum();
    assert!(used <= 410, "{used} tokens of 400");
    for it in &entries {
        assert!((1..=400).contains(&it.max_output_tokens), "no maximum was sent: {it:?}");
    }
    // What was not used came back: more requests pass than were reserved for.
    let more = async || {
        let answer = stack.caller().unwrap().chat(MODEL).await.ok()?;
        (answer.status == 200).then_some(())
    };
    until("the rest comes back", more).await.unwrap();
}

#[tokio::test]
async fn bodies_stay_as_they_are_where_an_account_says_so() {
    let stack = stack(1, vec![tpm(KEY, 100_000)]).await;
    let account = v1::Account {
        name: ACCOUNT.to_owned(),
        client: Some(v1::ClientSettings { keep_output_open: true, ..Default::default() }),
        ..Default::default()
    };
    let request = stack.admin().with_token(v1::UpdateAccountRequest {
        account: Some(account),
        update_mask: mask("client.keep_output_open"),
    });
    AccountServiceClient::new(stack.admin().channel()).update_account(request).await.unwrap();
    stack.settled().await.unwrap();
    assert_eq!(chat(&stack.caller().unwrap()).await.status, 200);
    assert_eq!(stack.witness().ledger().await.unwrap()[0].max_output_tokens, 0);
}

#[tokio::test]
async fn a_request_with_too_many_tokens_is_told_so_before_anything_is_reserved() {
    let subject = Subject::Key(KEY.to_owned());
    let most = limit(subject, LimitMeasure::TokensPerRequest, 100, LimitPeriod::Unspecified);
    let stack = stack(1, vec![most, rpm(KEY, 2)]).await;
    let caller = stack.caller().unwrap();
    let mut body = chat_body(MODEL, "hello");
    body["max_tokens"] = json!(5_000);
    for _ in 0..5 {
        let answer = post(&caller, CHAT, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("100"), "{}", answer.text());
    }
    // LiteLLM #39309: what is refused consumes nothing.
    assert_eq!(chat(&caller).await.status, 200);
    assert_eq!(chat(&caller).await.status, 200);
    assert_eq!(chat(&caller).await.status, 429);
}

#[tokio::test]
async fn a_used_free_quota_sends_requests_to_the_next_account_without_an_error() {
    let stack = stack(2, Vec::new()).await;
    let admin = stack.admin();
    let base_url = stack.witness().base_url();
    admin.add_demo_account("free-1", &base_url, "free-credential").await.unwrap();
    admin
        .add_route("chat", &[&[("free-1", "demo-free", 1)], &[(ACCOUNT, "demo-paid", 1)]])
        .await
        .unwrap();
    let mut quota = limit(
        Subject::Account("free-1".to_owned()),
        LimitMeasure::Requests,
        10,
        LimitPeriod::Month,
    );
    quota.switch_percent = 80;
    admin.set_limits(vec![quota]).await.unwrap();
    stack.settled().await.unwrap();
    for turn in 0..40 {
        let caller = stack.caller_of(turn % 2).unwrap();
        let answer = caller.chat("chat").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let entries = stack.witness().ledger().await.unwrap();
    let free = entries.iter().filter(|it| it.model == "demo-free").count();
    assert!((7..=10).contains(&free), "{free} of 10 free requests were used");
    assert_eq!(entries.len(), 40);
    // With nothing else left, the rest of the free quota is used too.
    admin.set_account_disabled(ACCOUNT, true).await.unwrap();
    stack.settled().await.unwrap();
    let rest =
        join_all((0..6).map(|_| async { stack.caller().unwrap().chat("chat").await.unwrap() }))
            .await;
    let good = count(&rest, 200);
    assert!(free + good <= 10, "{free} and {good} of 10");
    let refused = rest.iter().find(|it| it.status != 200).unwrap();
    assert!(!refused.text().contains("free-1"), "a caller reads no account's name");
}

#[tokio::test]
async fn a_budget_is_exact_and_its_end_is_another_error() {
    let stack = stack(1, Vec::new()).await;
    let admin = stack.admin();
    let model = v1::Model {
        provider: "demo".to_owned(),
        name: "demo-priced".to_owned(),
        operations: vec![v1::Operation::Chat.into()],
        price: Some(v1::Price {
            input_nanousd: 1_000_000_000,
            output_nanousd: 10_000_000_000,
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = admin.with_token(v1::CreateModelRequest { model: Some(model) });
    ModelServiceClient::new(admin.channel()).create_model(request).await.unwrap();
    // A thousandth of a dollar.
    let budget = limit(Subject::Key(KEY.to_owned()), LimitMeasure::Cost, 1_000, LimitPeriod::Month);
    admin.set_limits(vec![budget]).await.unwrap();
    stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    let mut body = chat_body("demo-priced", "hello");
    body["max_tokens"] = json!(50);
    // Near the end parts of it are on their way back for a moment: then it is no budget's end.
    let over = async || {
        let answer = post(&caller, CHAT, &body).await;
        (answer.json()["error"]["code"] == "insufficient_quota").then_some(answer)
    };
    let refused = until("the budget ends", over).await.unwrap();
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "insufficient_quota", "{}", refused.text());
    assert_eq!(refused.header("x-should-retry"), "false");
    let entries = stack.witness().ledger().await.unwrap();
    let spent: u64 =
        entries.iter().map(|it| it.input_tokens * 1_000 + it.output_tokens * 10_000).sum();
    assert!(spent <= 1_000_000, "{spent} nano-dollars of 1,000,000");
    assert!(spent >= 400_000, "what was not used comes back: only {spent} was spent");
    // A model without a price is refused, not free.
    let unpriced = post(&caller, CHAT, &chat_body("demo-unpriced", "hello")).await;
    assert!((400..500).contains(&unpriced.status), "{}", unpriced.text());
    assert!(unpriced.text().contains("price"), "{}", unpriced.text());
}

/// Bifrost #4790 asks for them.
#[tokio::test]
async fn seats_come_back_however_a_request_ends() {
    // LiteLLM #20256, #16011: there, they stick until somebody clears Redis.
    let stack = stack(2, vec![in_flight(KEY, 2)]).await;
    let caller = stack.caller().unwrap();
    stack
        .witness()
        .behave(json!({"model": "demo-slow"}), "tokens=400,chunk_ms=50", None)
        .await
        .unwrap();
    let body = streamed(chat_body("demo-slow", "x"));
    let one = caller.open("/v1/chat/completions", &body).await.unwrap();
    let two = stack.caller_of(1).unwrap().open("/v1/chat/completions", &body).await.unwrap();
    assert_eq!((one.status(), two.status()), (200, 200));
    for it in callers(&stack) {
        assert_eq!(chat(&it).await.status, 429, "both seats are taken");
    }
    drop((one, two));
    let free = async || (caller.chat(MODEL).await.ok()?.status == 200).then_some(());
    until("the seats of callers that hung up are free", free).await.unwrap();
    for behave in ["status=500", "reset_after=0", "garbage", "reset_after=2"] {
        stack.witness().behave(json!({"model": "demo-bad"}), behave, Some(6)).await.unwrap();
        let _ = join_all((0..4).map(|_| caller.chat("demo-bad"))).await;
        stack.witness().behave_well().await.unwrap();
        until("the seats are free again", free).await.unwrap();
    }
}

#[tokio::test]
async fn a_shadow_only_counts_and_a_request_can_be_explained() {
    let mut shadow = rpm(KEY, 2);
    shadow.action = LimitAction::Shadow.into();
    let stack = stack(2, vec![shadow, rpm(KEY, 10_000)]).await;
    let answers = burst(&callers(&stack), 10).await;
    assert_eq!(count(&answers, 200), 10);
    // On a busy machine some pass before anybody has said how many there may be.
    let denied = async || {
        let more = burst(&callers(&stack), 2).await;
        assert_eq!(count(&more, 200), 2);
        let status = stack.admin().limit_status().await.ok()?;
        let it = status
            .statuses
            .iter()
            .find(|it| it.limit.as_ref().is_some_and(|it| it.action() == LimitAction::Shadow))?;
        (it.denied >= 6).then_some(it.over_milli)
    };
    until("the shadow has counted", denied).await.unwrap();
    let id = answers[0].header("x-request-id").to_owned();
    let record = stack.admin().explain(&id).await.unwrap();
    assert_eq!((record.request_id.as_str(), record.key.as_str()), (id.as_str(), KEY));
    assert_eq!(record.limits.len(), 2, "{record:?}");
    let enforced = record.limits.iter().find(|it| !it.title.contains("shadow")).unwrap();
    assert_eq!((enforced.asked_milli, enforced.verdict.is_empty()), (1_000, false), "{record:?}");
    assert_eq!(record.attempts.len(), 1);
    let unknown = stack.admin().explain("req_00000000000000000000000000000000").await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn a_limit_can_be_tried_on_what_happened() {
    let stack = stack(1, Vec::new()).await;
    let answers = burst(&callers(&stack), 12).await;
    assert_eq!(count(&answers, 200), 12);
    let written = async || (stack.admin().usage().await.ok()?.len() == 12).then_some(());
    until("the usage is in the database", written).await.unwrap();
    let request = v1::SimulateLimitRequest { limit: Some(rpm(KEY, 5)), since: None, until: None };
    let mut client = LimitServiceClient::new(stack.admin().channel());
    let simulated = client.simulate_limit(stack.admin().with_token(request)).await.unwrap();
    let simulated = simulated.into_inner();
    assert_eq!(simulated.requests, 12);
    assert!((6..=7).contains(&simulated.refused), "{simulated:?}");
    assert!(
        simulated.first_refused_at.is_some() && simulated.first_refused_request.starts_with("req_")
    );
    assert_eq!(simulated.keys.first().map(|it| it.key.as_str()), Some(KEY));
}

#[tokio::test]
async fn a_short_wait_takes_the_place_of_a_refusal() {
    let mut patient = rpm(KEY, 60);
    patient.queue_ms = 10_000;
    let stack = stack(1, vec![patient]).await;
    let callers = callers(&stack);
    assert_eq!(count(&burst(&callers, 60).await, 200), 60);
    let waited = burst(&callers, 3).await;
    assert_eq!(
        count(&waited, 200),
        3,
        "{:?}",
        waited.iter().map(|it| it.status).collect::<Vec<_>>()
    );
}
