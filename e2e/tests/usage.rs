//! The usage table against the upstream's ledger, request by request.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{
    caller::{Caller, chat_body, message_body, streamed},
    demo::ledger::Entry,
    patience::until,
    stack::Stack,
};
use futures_util::future::join_all;
use proto::admin::v1::{UsageDimension, UsageEntry};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// One of each kind of request, the fast and the broken and the abandoned.
fn asks() -> Vec<(&'static str, Value)> {
    let mut asks = Vec::new();
    for model in ["gpt-4o", "demo-reset", "demo-limit", "demo-long"] {
        asks.push((CHAT, chat_body(model, "count me in")));
        asks.push((CHAT, streamed(chat_body(model, "count me in"))));
        asks.push((MESSAGES, message_body(model, "count me in")));
        asks.push((MESSAGES, streamed(message_body(model, "count me in"))));
    }
    asks.push((
        "/v1/embeddings",
        json!({"model": "text-embedding-3-small", "input": "count me in"}),
    ));
    asks
}

/// Sends one; a stream of the long model is left in the middle.
async fn send(caller: &Caller, path: &str, body: &Value) {
    let mut stream = caller.open(path, body).await.unwrap();
    let leave = body["model"] == "demo-long" && body["stream"] == true;
    let mut events = 0;
    while let Ok(Some(_)) = stream.next().await {
        events += 1;
        if leave && events > 10 {
            return;
        }
    }
}

fn compare(record: &UsageEntry, entry: &Entry) {
    let tokens = record.tokens.unwrap_or_default();
    let whole = entry.completed && entry.status == 200;
    if whole && !record.estimated {
        assert_eq!(
            (tokens.input, tokens.output),
            (entry.input_tokens, entry.output_tokens),
            "{record:?} {entry:?}"
        );
        assert_eq!(tokens.cached_input, entry.cached_input_tokens);
    } else if entry.status == 200 {
        assert!(record.estimated, "{record:?} {entry:?}");
        assert!(tokens.input > 0, "an interrupted request is not free: {record:?}");
    } else {
        assert_eq!((tokens.input, tokens.output), (0, 0), "{record:?} {entry:?}");
    }
    assert_eq!(
        (record.model.as_str(), record.streamed),
        (entry.model.as_str(), entry.streamed && entry.status == 200 || record.streamed)
    );
}

#[tokio::test]
async fn the_usage_table_is_the_upstreams_ledger_request_by_request() {
    let stack = Stack::builder().proxies(2).start().await.unwrap();
    let witness = stack.witness();
    witness.behave(json!({"model": "demo-reset"}), "tokens=30,reset_after=9", None).await.unwrap();
    witness.behave(json!({"model": "demo-limit"}), "status=429", None).await.unwrap();
    witness.behave(json!({"model": "demo-long"}), "tokens=200,chunk_ms=10", None).await.unwrap();
    let (asks, callers) = (asks(), [stack.caller_of(0).unwrap(), stack.caller_of(1).unwrap()]);
    const ROUNDS: usize = 5;
    let all = asks.iter().enumerate().map(async |(index, (path, body))| {
        for round in 0..ROUNDS {
            send(&callers[(index + round) % 2], path, body).await;
        }
    });
    join_all(all).await;
    let expected = asks.len() * ROUNDS;
    let admin = stack.admin();
    let look = async || admin.usage().await.ok().filter(|it| it.len() >= expected);
    let records = until("every request has its usage record", look).await.unwrap();
    let look = async || witness.ledger().await.ok().filter(|it| it.len() >= expected);
    let entries = until("every request is in the ledger", look).await.unwrap();
    assert_eq!((records.len(), entries.len()), (expected, expected));

    let entries: BTreeMap<&str, &Entry> =
        entries.iter().map(|it| (it.request_id.as_str(), it)).collect();
    assert_eq!(entries.len(), expected, "every request has an id of its own");
    for record in &records {
        compare(record, entries.get(record.request_id.as_str()).unwrap());
    }
    let abandoned = records.iter().filter(|it| it.outcome == "caller_gone").count();
    assert_eq!(abandoned, 2 * ROUNDS, "the long streams were left");
    sums_agree(&stack, &records).await;
    assert_eq!(stack.errors(), Vec::<String>::new());
}

async fn sums_agree(stack: &Stack, records: &[UsageEntry]) {
    let sum = |field: fn(&UsageEntry) -> u64| records.iter().map(field).sum::<u64>();
    let input = sum(|it| it.tokens.unwrap_or_default().input);
    let output = sum(|it| it.tokens.unwrap_or_default().output);
    for by in
        [UsageDimension::Key, UsageDimension::Model, UsageDimension::Account, UsageDimension::Team]
    {
        let answer = stack.admin().usage_by(by).await.unwrap();
        let total = answer.total.unwrap();
        let of_groups = answer.summaries.iter().map(|it| it.requests).sum::<u64>();
        assert_eq!(
            (total.requests, of_groups),
            (records.len() as u64, records.len() as u64),
            "{by:?}"
        );
        let tokens = total.tokens.unwrap();
        assert_eq!((tokens.input, tokens.output), (input, output), "{by:?}");
        let of_groups = answer.summaries.iter().filter_map(|it| it.tokens);
        assert_eq!(of_groups.map(|it| it.output).sum::<u64>(), output, "{by:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_asked_to_stop_hands_its_usage_in_first() {
    let mut stack = Stack::builder().start().await.unwrap();
    stack
        .witness()
        .behave(json!({"model": "demo-last"}), "tokens=20,chunk_ms=20", None)
        .await
        .unwrap();
    let caller = stack.caller().unwrap();
    let mut stream = caller.open(CHAT, &streamed(chat_body("demo-last", "x"))).await.unwrap();
    let id = stream.header("x-request-id").to_owned();
    stream.next().await.unwrap();
    let program = stack.proxy(0).program();
    program.signal(rustix::process::Signal::TERM).unwrap();
    let events = stream.rest().await.unwrap();
    assert_eq!(events.last().unwrap().data, "[DONE]", "what was begun is finished");
    assert!(program.ended().await.unwrap().success());
    let usage = stack.admin().usage().await.unwrap();
    let record = usage.iter().find(|it| it.request_id == id).unwrap();
    assert_eq!((record.outcome.as_str(), record.tokens.unwrap().output), ("complete", 20));
}
