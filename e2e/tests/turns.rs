//! One caller that goes from proxy to proxy: nothing that one of them has let go is missed at
//! the next, and a planned end forgets nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{
    admin::limits::{in_flight, limit},
    caller::{Answered, Caller, chat_body},
    house::{House, Who},
    stack::{KEY, Stack},
};
use futures_util::future::join_all;
use proto::admin::v1::{self as v1, LimitMeasure, LimitPeriod, limit_subject::Subject};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const MODEL: &str = "gpt-4o-mini";
const CHAT: &str = "/v1/chat/completions";

async fn stack(limits: Vec<v1::Limit>) -> (Stack, Vec<Caller>) {
    let stack = Stack::builder().proxies(3).start().await.unwrap();
    stack.admin().set_limits(limits).await.unwrap();
    stack.settled().await.unwrap();
    let callers = (0..3).map(|it| stack.caller_of(it).unwrap()).collect();
    (stack, callers)
}

/// Strictly one after the other, from proxy to proxy. What a busy machine was too late for is
/// asked again: nothing else may be refused.
async fn in_turns(callers: &[Caller], count: usize, body: &Value) {
    for turn in 0..count {
        let caller = &callers[turn % callers.len()];
        let mut answer = caller.post(CHAT, body).await.unwrap();
        for _ in 0..5 {
            if answer.status != 503 || !answer.text().contains("cannot be counted now") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            answer = caller.post(CHAT, body).await.unwrap();
        }
        assert_eq!(answer.status, 200, "turn {turn}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seat_is_enough_for_one_caller() {
    let (_stack, callers) = stack(vec![in_flight(KEY, 1)]).await;
    in_turns(&callers, 30, &chat_body(MODEL, "hello there")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_not_used_up_by_what_requests_only_reserve() {
    let subject = Subject::Key(KEY.to_owned());
    let day = limit(subject, LimitMeasure::Tokens, 10_000, LimitPeriod::Day);
    let (_stack, callers) = stack(vec![day]).await;
    let mut body = chat_body(MODEL, "hello there");
    body["max_tokens"] = json!(4_096);
    in_turns(&callers, 30, &body).await;
}

fn count(answers: &[Answered], status: u16) -> usize {
    answers.iter().filter(|it| it.status == status).count()
}

fn callers(banner: &Value, key: &str) -> Vec<Caller> {
    let urls = banner["data"].as_array().unwrap().iter();
    urls.map(|it| Caller::new(it.as_str().unwrap(), key).unwrap()).collect()
}

async fn burst(callers: &[Caller], each: usize) -> Vec<Answered> {
    let all = (0..each * callers.len()).map(|it| callers[it % callers.len()].chat(MODEL));
    join_all(all).await.into_iter().flatten().collect()
}

/// While callers go on asking: they must not have to wait for what is lent to be over.
#[tokio::test(flavor = "multi_thread")]
async fn down_and_up_again_keeps_what_was_used_and_serves_at_once() {
    let house = House::new(Who::Myself, "home").unwrap();
    let banner = house.up(&["--proxies", "3"]).await.unwrap();
    let key = banner["key"].as_str().unwrap().to_owned();
    house.ok(&["limit", "set", "--key", "default", "--rpm", "60", "--wait"]).await.unwrap();
    let before = callers(&banner, &key);
    let first = Instant::now();
    let load = async {
        let mut passed = 0;
        while first.elapsed() < Duration::from_secs(2) {
            passed += count(&burst(&before, 3).await, 200);
        }
        passed
    };
    // It ends in the middle of the load.
    let end = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        house.down().await
    };
    let (passed, ended) = tokio::join!(load, end);
    ended.unwrap();
    assert!(50 <= passed, "{passed}");

    let banner = house.up(&["--proxies", "3"]).await.unwrap();
    let began = Instant::now();
    let after = callers(&banner, &key);
    // 503: nobody can say yet. The next answer is about the limit.
    let mut answers = burst(&after, 4).await;
    while 0 < count(&answers, 503) && began.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answers.extend(burst(&after, 1).await);
        answers.retain(|it| it.status != 503 || began.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(count(&answers, 503), 0, "after {:?}", began.elapsed());
    let passed = passed + count(&answers, 200);
    let most = 60 + usize::try_from(first.elapsed().as_secs()).unwrap() + 1;
    assert!(passed <= most, "{passed} of {most}");
    house.down().await.unwrap();
}
