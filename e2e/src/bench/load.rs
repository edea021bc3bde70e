//! A thousand requests a second through one proxy, and the books afterwards.

use super::report::{Figure, milliseconds, percentile};
use crate::{
    caller::{Caller, chat_body, streamed},
    patience::until,
    stack::Stack,
};
use anyhow::Result;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const PER_SECOND: u32 = 1_000;
const SECONDS: u32 = 20;
const WARM_UP: usize = 50;

/// What came of one request: its id and how long it took, or what went wrong.
type Outcome = Result<(String, Duration), String>;

/// Sends requests on a schedule that does not wait for answers: every tenth is a stream.
///
/// # Errors
/// When the stack fails; failed requests are counted, not errors.
pub async fn measure() -> Result<Vec<Figure>> {
    let stack = Stack::builder().start().await?;
    let caller = stack.caller()?;
    for _ in 0..WARM_UP {
        caller.chat("gpt-4o-mini").await?;
    }
    until("the warm-up is in the books", async || {
        (stack.admin().usage().await.ok()?.len() == WARM_UP).then_some(())
    })
    .await?;
    stack.witness().forget().await?;
    let start = Instant::now();
    let outcomes = send(&caller).await;
    let took = start.elapsed();
    let (mut times, mut ids, mut errors) = (Vec::new(), Vec::new(), BTreeMap::new());
    for outcome in outcomes {
        match outcome {
            Ok((id, time)) => {
                ids.push(id);
                times.push(time);
            }
            Err(why) => *errors.entry(why).or_insert(0u64) += 1,
        }
    }
    let sent = u64::from(PER_SECOND * SECONDS);
    let mut figures = vec![
        Figure::aside(
            "requests a second sent, open loop",
            format!("{:.0}", sent as f64 / took.as_secs_f64()),
        ),
        Figure::exactly("requests that failed", errors.values().sum(), 0),
        Figure::exactly(
            "requests in the ledger that are not the same in the usage table",
            differences(&stack, &ids).await?,
            0,
        ),
        Figure::aside("time to the whole answer, p50", milliseconds(percentile(&mut times, 50))),
        Figure::aside("time to the whole answer, p99", milliseconds(percentile(&mut times, 99))),
    ];
    figures.extend(errors.into_iter().map(|(why, count)| Figure::aside(&why, count.to_string())));
    Ok(figures)
}

async fn send(caller: &Caller) -> Vec<Outcome> {
    let mut running = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    for number in 0..PER_SECOND * SECONDS {
        ticks.tick().await;
        running.spawn(one(caller.clone(), number % 10 == 0));
    }
    running.join_all().await
}

async fn one(caller: Caller, stream: bool) -> Outcome {
    let start = Instant::now();
    let body = chat_body("gpt-4o-mini", "how are you?");
    let body = if stream { streamed(body) } else { body };
    let answer =
        caller.post("/v1/chat/completions", &body).await.map_err(|it| format!("{it:#}"))?;
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    Ok((answer.header("x-request-id").to_owned(), start.elapsed()))
}

/// Requests that the books and the upstream do not agree on.
async fn differences(stack: &Stack, ids: &[String]) -> Result<u64> {
    let ledger = stack.witness().ledger().await?;
    let expected = ledger.len() + WARM_UP;
    let look = async || stack.admin().usage().await.ok().filter(|it| it.len() >= expected);
    let records = until("the books are complete", look).await?;
    let mut books = BTreeMap::new();
    for record in &records {
        let tokens = record.tokens.unwrap_or_default();
        books.insert(record.request_id.as_str(), (tokens.input, tokens.output, record.estimated));
    }
    let twice = records.len() - books.len();
    let wrong = ledger.iter().filter(|it| {
        books.get(it.request_id.as_str()) != Some(&(it.input_tokens, it.output_tokens, false))
    });
    let missing = ids.iter().filter(|it| !books.contains_key(it.as_str()));
    let extra = records.len().saturating_sub(expected);
    Ok((wrong.count() + missing.count() + twice + extra) as u64)
}
