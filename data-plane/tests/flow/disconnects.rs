//! Callers who go away before the end.

use crate::{
    stage::{EVENTS, Plan, STREAM, Stage, eventually, key_text},
    upstream::{Step, chunk, stream_head},
};
use domain::usage::Outcome;
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

/// A caller that can hang up at once.
async fn hang_up_after(stage: &Stage, seen: &str) {
    let mut stream = TcpStream::connect(stage.addr).await.unwrap();
    let (key, length) = (key_text(1), STREAM.len());
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-length: {length}\r\n\r\n{STREAM}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(seen) {
        let mut room = [0; 4096];
        let len = stream.read(&mut room).await.unwrap();
        assert!(0 < len, "{}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&room[..len]);
    }
}

fn stall_after(events: usize) -> Vec<Step> {
    vec![Step::Send(stream_head()), Step::Send(chunk(&EVENTS[..events].concat())), Step::Stall]
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_upstream_and_is_still_metered() {
    let mut plan = Plan::new().await;
    plan.http.drain_after_disconnect_ms = 50;
    let stage = plan.start().await;
    stage.main.then(stall_after(2));
    hang_up_after(&stage, "hello").await;
    stage.main.hung_up(1).await;
    let record = stage.record().await;
    assert_eq!((record.outcome, record.status, record.estimated), (Outcome::CallerGone, 200, true));
    assert!(0 < record.tokens.input && 0 < record.tokens.output, "{record:?}");
}

#[tokio::test]
async fn usage_that_comes_after_the_caller_left_is_counted_exactly() {
    let mut plan = Plan::new().await;
    plan.http.drain_after_disconnect_ms = 20_000;
    let stage = plan.start().await;
    let gate = Arc::new(Notify::new());
    stage.main.then(vec![
        Step::Send(stream_head()),
        Step::Send(chunk(&EVENTS[..2].concat())),
        Step::Wait(gate.clone()),
        Step::Send(chunk(&EVENTS[2..].concat())),
        Step::Stall,
    ]);
    hang_up_after(&stage, "hello").await;
    let in_flight = || stage.gateway.in_flight() == 0;
    eventually("the caller is seen to be gone", in_flight).await;
    assert_eq!(stage.usage.pending(), 0);
    gate.notify_one();
    let record = stage.record().await;
    assert_eq!((record.outcome, record.estimated), (Outcome::CallerGone, false));
    assert_eq!((record.tokens.input, record.tokens.output), (9, 3));
    // With the usage known there is nothing more to wait for.
    stage.main.hung_up(1).await;
}

#[tokio::test]
async fn only_so_many_upstreams_are_listened_to_after_their_callers_left() {
    let mut plan = Plan::new().await;
    plan.http.max_drains = 0;
    plan.http.drain_after_disconnect_ms = 3_600_000;
    let stage = plan.start().await;
    stage.main.then(stall_after(2));
    hang_up_after(&stage, "hello").await;
    stage.main.hung_up(1).await;
    assert_eq!(stage.record().await.outcome, Outcome::CallerGone);
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_is_metered_by_estimate() {
    let stage = Stage::new().await;
    stage.main.then(vec![Step::Stall]);
    let asking = stage.post("/v1/chat/completions", STREAM).send();
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        () = eventually("the upstream is asked", || !stage.main.got().is_empty()) => {}
    }
    stage.main.hung_up(1).await;
    let record = stage.record().await;
    assert_eq!((record.outcome, record.attempts, record.estimated), (Outcome::CallerGone, 1, true));
    assert!(0 < record.tokens.input && record.tokens.output == 0);
}

#[tokio::test]
async fn a_caller_who_hangs_up_upon_the_last_event_has_all_of_the_answer() {
    let stage = Stage::new().await;
    stage.main.then(stall_after(5));
    hang_up_after(&stage, "[DONE]").await;
    let record = stage.record().await;
    assert_eq!((record.outcome, record.estimated), (Outcome::Complete, false));
}

#[tokio::test]
async fn many_who_leave_at_once_leave_one_record_each() {
    let mut plan = Plan::new().await;
    plan.http.drain_after_disconnect_ms = 20;
    plan.http.max_drains = 4;
    let stage = plan.start().await;
    for _ in 0..30 {
        stage.main.then(stall_after(2));
    }
    let callers = (0..30).map(|_| hang_up_after(&stage, "hello"));
    futures_util::future::join_all(callers).await;
    stage.main.hung_up(30).await;
    let records = stage.records(30).await;
    let mut ids: Vec<_> = records.iter().map(|it| it.request).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 30);
    assert!(records.iter().all(|it| it.estimated && 0 < it.tokens.output));
}
