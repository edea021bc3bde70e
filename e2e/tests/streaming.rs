//! Streams through a real stack: as they come, unchanged, counted, and broken honestly.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{
    caller::{Event, Streaming, chat_body, message_body, streamed},
    patience::until,
    stack::Stack,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

fn ask(path: &str, model: &str) -> Value {
    streamed(if path == CHAT { chat_body(model, "hello") } else { message_body(model, "hello") })
}

fn is_end(path: &str, event: &Event) -> bool {
    if path == CHAT { event.data == "[DONE]" } else { event.name == "message_stop" }
}

fn content(event: &Event) -> String {
    let json = event.json();
    let text =
        json["choices"][0]["delta"]["content"].as_str().or_else(|| json["delta"]["text"].as_str());
    text.unwrap_or_default().to_owned()
}

async fn first_contents(stream: &mut Streaming, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let event = stream.next().await.unwrap().unwrap();
        seen.extend(Some(content(&event)).filter(|it| !it.is_empty()));
    }
    seen
}

#[tokio::test]
async fn events_arrive_while_the_upstream_is_still_thinking() {
    let stack = Stack::builder().start().await.unwrap();
    stack
        .witness()
        .behave(json!({"model": "demo-slow"}), "tokens=50,stall_after=8", None)
        .await
        .unwrap();
    for path in [CHAT, MESSAGES] {
        let mut stream = stack.caller().unwrap().open(path, &ask(path, "demo-slow")).await.unwrap();
        assert_eq!(stream.status(), 200);
        assert!(stream.header("content-type").starts_with("text/event-stream"));
        assert!(stream.header("x-request-id").starts_with("req_"));
        // The upstream says no more than these until we leave.
        let seen = first_contents(&mut stream, 4).await;
        assert_eq!(seen.concat(), "water runs through the", "{path}");
    }
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_is_unchanged_and_counted_whether_its_usage_was_asked_for_or_not() {
    let stack = Stack::builder().start().await.unwrap();
    let caller = stack.caller().unwrap();
    let mut asked = ask(CHAT, "gpt-4o-mini");
    asked["stream_options"] = json!({"include_usage": true});
    for (path, body, shows_usage) in [
        (CHAT, &asked, true),
        (CHAT, &ask(CHAT, "gpt-4o-mini"), false),
        (MESSAGES, &ask(MESSAGES, "claude-haiku-4-5"), true),
    ] {
        let mut stream = caller.open(path, body).await.unwrap();
        let id = stream.header("x-request-id").to_owned();
        let events = stream.rest().await.unwrap();
        assert!(is_end(path, events.last().unwrap()), "{path}: {events:?}");
        let told = events.iter().any(|it| it.json()["usage"].is_object());
        assert_eq!(told, shows_usage, "{path}: {events:?}");
        let finishes =
            events.iter().filter(|it| it.json()["choices"][0]["finish_reason"].is_string());
        assert_eq!(finishes.count(), usize::from(path == CHAT));
        let entry = stack.witness().entry(&id).await.unwrap();
        let record = stack.admin().usage_of(&id).await.unwrap();
        let tokens = record.tokens.unwrap();
        assert_eq!(
            (tokens.input, tokens.output),
            (entry.input_tokens, entry.output_tokens),
            "{record:?}"
        );
        assert!(record.streamed && !record.estimated && record.outcome == "complete", "{record:?}");
    }
}

#[tokio::test]
async fn who_hangs_up_cancels_the_upstream_and_still_pays() {
    let stack = Stack::builder().start().await.unwrap();
    stack
        .witness()
        .behave(json!({"model": "demo-slow"}), "tokens=5000,chunk_ms=5", None)
        .await
        .unwrap();
    for path in [CHAT, MESSAGES] {
        let mut stream = stack.caller().unwrap().open(path, &ask(path, "demo-slow")).await.unwrap();
        let id = stream.header("x-request-id").to_owned();
        let seen = first_contents(&mut stream, 20).await.len() as u64;
        drop(stream);
        let left = Instant::now();
        let entry = stack.witness().entry(&id).await.unwrap();
        assert!(entry.cancelled && !entry.completed, "{entry:?}");
        // 3 s is promised; the rest is for a slow machine. By itself it would go on for 25 s.
        assert!(left.elapsed() < Duration::from_secs(20), "cancelled after {:?}", left.elapsed());
        let record = stack.admin().usage_of(&id).await.unwrap();
        assert!(record.estimated && record.outcome == "caller_gone", "{record:?}");
        let output = record.tokens.unwrap().output;
        assert!(
            seen <= output && output <= entry.output_tokens * 11 / 10 + 10,
            "{output} of {entry:?}"
        );
        assert!(record.tokens.unwrap().input > 0, "{record:?}");
    }
}

#[tokio::test]
async fn who_hangs_up_before_the_last_event_is_billed_exactly() {
    let patient = Stack::builder().proxy_env("SLUICE_DRAIN_AFTER_DISCONNECT_MS", "60000");
    let stack = patient.start().await.unwrap();
    // Its last events come a while after the caller has left, and are waited for.
    stack
        .witness()
        .behave(json!({"model": "demo-tail"}), "tokens=3,chunk_ms=500", None)
        .await
        .unwrap();
    for path in [CHAT, MESSAGES] {
        let mut stream = stack.caller().unwrap().open(path, &ask(path, "demo-tail")).await.unwrap();
        let id = stream.header("x-request-id").to_owned();
        first_contents(&mut stream, 3).await;
        drop(stream);
        let entry = stack.witness().entry(&id).await.unwrap();
        let record = stack.admin().usage_of(&id).await.unwrap();
        assert_eq!(record.tokens.unwrap().output, entry.output_tokens, "{record:?}");
        assert!(record.outcome == "caller_gone" && !record.estimated, "{record:?}");
    }
}

#[tokio::test]
async fn a_broken_stream_is_told_and_never_dressed_up_as_whole() {
    let stack = Stack::builder().start().await.unwrap();
    for (model, behave, outcome) in [
        ("demo-reset", "tokens=40,reset_after=12", "truncated"),
        ("demo-close", "tokens=40,close_after=12", "truncated"),
        ("demo-error", "tokens=40,error_after=12", "upstream_error"),
    ] {
        stack.witness().behave(json!({"model": model}), behave, None).await.unwrap();
        for path in [CHAT, MESSAGES] {
            let mut stream = stack.caller().unwrap().open(path, &ask(path, model)).await.unwrap();
            let id = stream.header("x-request-id").to_owned();
            let mut events = Vec::new();
            // A broken connection after the error event is as good as an end.
            while let Ok(Some(event)) = stream.next().await {
                events.push(event);
            }
            assert!(!events.iter().any(|it| is_end(path, it)), "{model} {path}: a fake end");
            let error = events.last().unwrap();
            assert!(error.json()["error"]["message"].is_string(), "{model} {path}: {error:?}");
            assert_eq!(error.name, if path == CHAT { "" } else { "error" }, "{model}");
            let record = stack.admin().usage_of(&id).await.unwrap();
            assert_eq!(record.outcome, outcome, "{model} {path}: {record:?}");
            assert!(record.estimated && record.tokens.unwrap().output >= 8, "{record:?}");
        }
    }
    let entries = stack.witness().ledger().await.unwrap();
    assert_eq!(entries.len(), 6, "after the first byte nothing is tried again");
}

#[tokio::test]
async fn a_stream_without_its_last_event_but_with_its_finish_is_whole() {
    let stack = Stack::builder().start().await.unwrap();
    stack.witness().behave(json!({"model": "demo-tail"}), "tokens=5,no_end", None).await.unwrap();
    let mut stream = stack.caller().unwrap().open(CHAT, &ask(CHAT, "demo-tail")).await.unwrap();
    let id = stream.header("x-request-id").to_owned();
    let events = stream.rest().await.unwrap();
    assert!(!events.iter().any(|it| it.json()["error"].is_object()), "{events:?}");
    let record = stack.admin().usage_of(&id).await.unwrap();
    assert_eq!(
        (record.outcome.as_str(), record.tokens.unwrap().output),
        ("complete", 5),
        "{record:?}"
    );
}

#[tokio::test]
async fn two_hundred_streams_at_once_are_all_whole() {
    let stack = Stack::builder().start().await.unwrap();
    stack
        .witness()
        .behave(json!({"model": "demo-many"}), "tokens=30,chunk_ms=10", None)
        .await
        .unwrap();
    let caller = stack.caller().unwrap();
    let body = ask(CHAT, "demo-many");
    let streams = (0..200).map(async |_| {
        let mut stream = caller.open(CHAT, &body).await.unwrap();
        let events = stream.rest().await.unwrap();
        assert!(is_end(CHAT, events.last().unwrap()));
        events.iter().map(content).collect::<String>()
    });
    let texts = futures_util::future::join_all(streams).await;
    assert!(texts.iter().all(|it| it == &texts[0] && !it.is_empty()));
    let admin = stack.admin();
    let look = async || admin.usage().await.ok().filter(|it| it.len() == 200);
    let records = until("200 usage records", look).await.unwrap();
    assert!(records.iter().all(|it| it.tokens.is_some_and(|it| it.output == 30)));
}
