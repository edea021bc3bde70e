//! What users of peers reported about limits and budgets, and what happens here instead;
//! each is named after where it was reported. Leaks of reservations have a file of their own.

use crate::{
    limits::{n, of_key, rpm, tpm},
    stage::{
        ANSWER, CHAT, EVENTS, Plan, STREAM, Stage, body, eventually, header, key, key_text, limit,
        model, team, team_key,
    },
    upstream::{Step, chunk, stream_head, with_headers},
};
use domain::{
    catalog::{CalendarPeriod, Measure, Operation, Price, Rule, Subject},
    id::TeamId,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use uuid::Uuid;

/// What [`ANSWER`] costs, in nano-dollars, by [`priced`].
const COST: u64 = 12_000;

/// Models at a thousandth of a cent a token, all kinds alike.
fn priced(plan: &mut Plan) {
    for name in ["big-1", "big-2"] {
        let mut model = model(name);
        let token = 1_000_000_000;
        model.price =
            Some(Price { input: token, cached_input: token, cache_write: token, output: token });
        plan.models.push(model);
    }
}

/// A stage whose key may spend so much in a month, in micro-dollars.
async fn budget(micro: u64) -> Stage {
    let mut plan = Plan::new().await;
    let calendar = Box::default();
    let rule = Rule::Calendar {
        measure: Measure::Cost,
        amount: n(micro),
        period: CalendarPeriod::Month,
        calendar,
    };
    plan.limits = vec![limit(1, of_key(), rule)];
    priced(&mut plan);
    plan.keys.push(key(2, "team-b"));
    plan.start().await
}

async fn stage(rule: Rule) -> Stage {
    let mut plan = Plan::new().await;
    plan.limits = vec![limit(1, of_key(), rule)];
    plan.start().await
}

fn asking(max_tokens: u64) -> String {
    CHAT.replacen('{', &format!("{{\"max_tokens\":{max_tokens},"), 1)
}

async fn ask(stage: &Stage, caller: u8, given: &str) -> reqwest::Response {
    let url = format!("http://{}/v1/chat/completions", stage.addr);
    let request = stage.client.post(url).bearer_auth(key_text(caller)).body(given.to_owned());
    request.send().await.unwrap()
}

fn used_and_reserved(stage: &Stage, number: u128) -> (u64, u64) {
    stage.lender.used_and_reserved(&stage.limit(number))
}

/// LiteLLM #24677, #18953: refused 30 % below the limit, and blocked for minutes then. Each
/// request may take two fifths of this limit, and only what it uses counts.
#[tokio::test]
async fn a_limit_in_tokens_is_used_to_its_end_and_refills_at_its_rate() {
    let stage = stage(tpm(1_000)).await;
    let given = asking(400);
    let mut passed = 0;
    let refused = loop {
        stage.main.then_json(200, ANSWER);
        let response = ask(&stage, 1, &given).await;
        if response.status() != 200 {
            break response;
        }
        body(response).await;
        passed += 1;
        stage.records(passed).await;
    };
    // 12 tokens each: the last that fits may take 400 and its prompt.
    assert!(passed * 12 <= 1_000 && 570 <= passed * 12 + 12, "{passed}");
    assert_eq!(used_and_reserved(&stage, 1), (passed * 12_000, 0));
    let wait_ms: u64 = header(&refused, "retry-after-ms").unwrap().parse().unwrap();
    assert!(wait_ms < 2_000, "as long as a few tokens take: {wait_ms}");
    stage.lender.advance(Duration::from_millis(wait_ms));
    assert_eq!(ask(&stage, 1, &given).await.status(), 200);
}

/// LiteLLM #17664: only output counted. apisix #13662: input was lost in Anthropic's streams.
/// higress #1080, #4067, #1665, ai-gateway #1169, #1754: a stream's tokens were taken twice, or
/// not at all.
#[tokio::test]
async fn input_and_output_count_once_however_the_answer_comes() {
    let stage = stage(tpm(100_000)).await;
    stage.main.then_json(200, ANSWER);
    body(stage.chat().await).await;
    stage.records(1).await;
    assert_eq!(used_and_reserved(&stage, 1), (12_000, 0));
    // The usage comes in two events, and the second repeats the first.
    let mut steps = vec![Step::Send(stream_head())];
    let said = [EVENTS[0], EVENTS[1], EVENTS[3], EVENTS[2], EVENTS[3], EVENTS[4]];
    steps.extend(said.iter().map(|it| Step::Send(chunk(it))));
    steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
    stage.main.then(steps);
    stage.stream().await.bytes().await.unwrap();
    stage.records(2).await;
    assert_eq!(used_and_reserved(&stage, 1), (24_000, 0));
}

/// LiteLLM #16867, #29657: limits of teams' members had no effect.
#[tokio::test]
async fn a_teams_limit_counts_all_of_its_keys_and_nobody_elses() {
    let of = TeamId::from_uuid(Uuid::from_u128(9));
    let mut plan = Plan::new().await;
    plan.teams = vec![team(of, "red")];
    plan.keys = vec![team_key(1, "a", of), team_key(2, "b", of), key(3, "alone")];
    plan.limits = vec![limit(1, Subject::Team(of), rpm(4))];
    let stage = plan.start().await;
    for (caller, status) in [(1, 200), (2, 200), (1, 200), (2, 200), (1, 429), (2, 429), (3, 200)] {
        stage.main.then_json(200, ANSWER);
        assert_eq!(ask(&stage, caller, CHAT).await.status(), status, "key {caller}");
    }
}

/// aisix #107: ten of eleven endpoints had no limits. Bifrost #2873: some ways led past them.
#[tokio::test]
async fn every_endpoint_that_asks_a_provider_is_limited() {
    const ALL: [Operation; 3] = [Operation::Chat, Operation::Embeddings, Operation::CountTokens];
    let given = CHAT.replacen('{', r#"{"max_tokens":10,"input":"x","#, 1);
    let input = r#"{"model":"fast","input":"hello"}"#;
    let prompt = r#"{"model":"fast","prompt":"hello"}"#;
    let contents = r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;
    let content = r#"{"content":{"parts":[{"text":"hello"}]}}"#;
    for (path, given) in [
        ("/v1/chat/completions", &*given),
        ("/openai/deployments/fast/chat/completions", &given),
        ("/v1/embeddings", &given),
        ("/v1/messages", &given),
        ("/v1/messages/count_tokens", &given),
        ("/v1/responses", input),
        ("/v1/completions", prompt),
        ("/v1beta/models/fast:generateContent", contents),
        ("/v1beta/models/fast:streamGenerateContent", contents),
        ("/v1beta/models/fast:embedContent", content),
    ] {
        let mut plan = Plan::new().await;
        plan.limits = vec![limit(1, of_key(), rpm(1))];
        plan.models.iter_mut().for_each(|it| it.operations = ALL.to_vec());
        let stage = plan.start().await;
        stage.main.then_json(200, ANSWER);
        let statuses = [
            stage.post(path, given.to_owned()).send().await.unwrap().status(),
            stage.post(path, given.to_owned()).send().await.unwrap().status(),
        ];
        // What is not understood of the answer is another matter.
        assert_eq!((statuses[0] == 429, statuses[1].as_u16()), (false, 429), "{path}");
        let asked = stage.main.got().len() + stage.spare.got().len();
        assert!(1 <= asked, "{path}");
    }
}

/// LiteLLM #34732, #26672, #40095, #11083, #23714, one-api #2440, weave router #795,
/// claude-code #93255: who asks often enough at the same time spends a multiple of the budget.
#[tokio::test]
async fn requests_at_the_same_time_do_not_spend_more_than_the_budget() {
    // Five answers; each may take 50 tokens and its prompt.
    let stage = budget(200).await;
    for _ in 0..20 {
        stage.main.then_json(200, ANSWER);
    }
    let given = asking(50);
    let all = futures_util::future::join_all((0..20).map(|_| ask(&stage, 1, &given))).await;
    let passed = all.iter().filter(|it| it.status() == 200).count();
    assert_eq!(passed, stage.main.got().len());
    assert!((1..=4).contains(&passed), "{passed}");
    for it in all {
        body(it).await;
    }
    stage.records(passed as u64).await;
    assert_eq!(used_and_reserved(&stage, 1), (passed as u64 * COST, 0));
}

/// LiteLLM #27639, #27735, #30460, #34238: what failed stayed reserved, until a key with
/// money left was told that it has none. LiteLLM #16011, #27955, #27900, #40846: seats, likewise.
#[tokio::test]
async fn nothing_stays_reserved_of_a_budget_however_a_request_ends() {
    let mut plan = Plan::new().await;
    let grant = Rule::Grant { measure: Measure::Cost, amount: n(1_000) };
    plan.limits =
        vec![limit(1, of_key(), grant), limit(2, of_key(), Rule::InFlight { most: n(2) })];
    priced(&mut plan);
    let stage = plan.start().await;
    let (given, bad_request) = (asking(200), r#"{"error":{"message":"no"}}"#);
    let ends: [&[Step]; 5] = [
        &[Step::Send(crate::upstream::json(500, "{}"))],
        &[Step::Send(crate::upstream::json(400, bad_request))],
        &[Step::Send(crate::upstream::json(429, "{}"))],
        &[Step::Reset],
        &[Step::Send(b"nonsense\r\n\r\n".to_vec())],
    ];
    for (round, end) in (1..).zip(ends.iter().cycle().take(20)) {
        stage.main.then(end.to_vec());
        stage.spare.then(end.to_vec());
        let response = ask(&stage, 1, &given).await;
        assert_ne!(response.status(), 200, "round {round}");
        drop(response.bytes().await);
        eventually("the request is over", || stage.gateway.in_flight() == 0).await;
        let (used, reserved) = used_and_reserved(&stage, 1);
        // An answer that makes no sense may have cost all that was reserved: that is charged,
        // and does not stay reserved.
        assert!(reserved == 0 && used <= round / 5 * 220_000, "round {round}: {used} {reserved}");
        assert_eq!(used_and_reserved(&stage, 2).1, 0, "round {round}");
    }
    // The rest is still there to be had.
    stage.main.then_json(200, ANSWER);
    stage.spare.then_json(200, ANSWER);
    assert_eq!(ask(&stage, 1, &asking(100)).await.status(), 200);
}

/// LiteLLM #22726, #20615: a budget that nobody had set was exceeded.
#[tokio::test]
async fn who_has_no_budget_is_not_told_that_it_is_exceeded() {
    let stage = budget(70).await;
    let given = asking(30);
    for _ in 0..20 {
        stage.main.then_json(200, ANSWER);
        drop(ask(&stage, 1, &given).await.bytes().await);
        eventually("the request is over", || stage.gateway.in_flight() == 0).await;
    }
    stage.lender.advance(Duration::from_secs(2));
    let refused = ask(&stage, 1, &given).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(body(refused).await["error"]["code"], json!("insufficient_quota"));
    for _ in 0..5 {
        stage.main.then_json(200, ANSWER);
        assert_eq!(ask(&stage, 2, &given).await.status(), 200);
    }
}

/// new-api #3536, #4100, #4585, one-api #1090: after one error nobody asked an account again
/// until somebody enabled it by hand.
#[tokio::test]
async fn one_error_costs_an_account_one_request() {
    let stage = Stage::new().await;
    for status in [401, 403, 500, 503] {
        stage.main.then_json(status, r#"{"error":{"message":"no"}}"#);
        stage.spare.then_json(200, ANSWER);
        let response = stage.chat().await;
        assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("2"), "{status}");
        stage.main.then_json(200, ANSWER);
        let response = stage.chat().await;
        assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("1"), "{status}");
    }
}

/// LiteLLM #40130: of two times to stay away, the shorter one was kept.
#[tokio::test]
async fn an_account_stays_closed_for_the_longer_of_two_times() {
    let stage = Stage::new().await;
    // Both are on their way before either is answered; the shorter time is told last.
    let goes = [Arc::new(Notify::new()), Arc::new(Notify::new())];
    for (go, told) in goes.iter().zip([("retry-after", "60"), ("retry-after-ms", "20")]) {
        let answer = with_headers(429, &[("content-type", "application/json"), told], "{}");
        stage.main.then(vec![Step::Wait(Arc::clone(go)), Step::Send(answer)]);
        stage.spare.then_json(200, ANSWER);
    }
    let directing = async {
        for (answered, go) in (1..).zip(&goes) {
            eventually("both are asked", || stage.main.got().len() == 2).await;
            go.notify_one();
            eventually("who was told asks the other", || stage.spare.got().len() == answered).await;
        }
    };
    let (one, two, ()) = tokio::join!(stage.chat(), stage.chat(), directing);
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    tokio::time::sleep(Duration::from_millis(40)).await;
    stage.spare.then_json(200, ANSWER);
    let third = stage.chat().await;
    assert_eq!(header(&third, "x-sluice-attempts").as_deref(), Some("1"));
    assert_eq!(stage.main.got().len(), 2, "the shorter time opened the account");
}

/// LiteLLM #10090: per day, too; and a stream that nobody wants any more is charged for
/// what came of it (#14457), and not the whole that was reserved (new-api #5235, #5287).
#[tokio::test]
async fn a_days_tokens_are_charged_with_what_came_of_a_stream() {
    let calendar = Box::default();
    let measure = Measure::Tokens(domain::catalog::Weights::default());
    let (amount, period) = (n(100_000), CalendarPeriod::Day);
    let stage = stage(Rule::Calendar { measure, amount, period, calendar }).await;
    let mut steps = vec![Step::Send(stream_head())];
    steps.extend(EVENTS[..2].iter().map(|it| Step::Send(chunk(it))));
    steps.push(Step::Stall);
    stage.main.then(steps);
    let mut response = stage.post("/v1/chat/completions", STREAM).send().await.unwrap();
    response.chunk().await.unwrap();
    drop(response);
    stage.main.hung_up(1).await;
    stage.records(1).await;
    let (used, reserved) = used_and_reserved(&stage, 1);
    assert!((2_000..40_000).contains(&used) && reserved == 0, "{used} {reserved}");
}
