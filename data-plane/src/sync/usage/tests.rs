use super::*;
use domain::{
    catalog::{Dialect, Operation},
    id::{AccountId, KeyId, RequestId},
    time::Timestamp,
    tokens::Tokens,
    usage::Outcome,
};
use proto::sync::v1::{UsageAck, UsageBatch};
use std::time::Duration;
use tokio::time::Instant;

fn record(number: u128) -> UsageRecord {
    UsageRecord {
        request: RequestId::from_uuid(Uuid::from_u128(number)),
        started_at: Timestamp::from_unix_ms(0),
        duration_ms: 1,
        ttft_ms: None,
        key: KeyId::from_uuid(Uuid::from_u128(1)),
        team: None,
        alias: "gpt".into(),
        model: "gpt".into(),
        account: AccountId::from_uuid(Uuid::from_u128(2)),
        provider: "acme".parse().unwrap(),
        dialect: Dialect::OpenAi,
        operation: Operation::Chat,
        streamed: false,
        status: 200,
        outcome: Outcome::Complete,
        tokens: Tokens::default(),
        estimated: false,
        attempts: 1,
        revision: 1,
    }
}

fn queue_of(records: u128) -> UsageQueue {
    let queue = UsageQueue::new(10_000);
    for number in 1..=records {
        queue.reserve().unwrap().put(record(number));
    }
    queue
}

fn shipper(queue: &UsageQueue, window: u32) -> Shipper {
    Shipper::new(queue.clone(), window)
}

fn ack(queue: &UsageQueue, durable_seq: u64) -> UsageAck {
    UsageAck { wal_id: queue.log().wal.as_bytes().to_vec(), durable_seq }
}

/// The first number and the size of every batch that may be sent now.
fn send_all(shipper: &mut Shipper) -> Vec<(u64, usize)> {
    let batch = |it: UsageBatch| (it.first_seq, it.records.len());
    std::iter::from_fn(|| shipper.batch()).map(batch).collect()
}

#[test]
fn a_full_queue_refuses_until_records_are_acknowledged() {
    let queue = UsageQueue::new(2);
    let first = queue.reserve().unwrap();
    let second = queue.reserve().unwrap();
    assert!(queue.reserve().is_none());
    drop(second);
    let second = queue.reserve().unwrap();
    first.put(record(1));
    second.put(record(2));
    assert!(queue.reserve().is_none() && queue.pending() == 2);
    queue.forget(1);
    let _third = queue.reserve().unwrap();
    assert!(queue.reserve().is_none());
}

#[test]
fn batches_are_numbered_without_gaps_and_bounded_by_the_window() {
    let queue = queue_of(1_300);
    let mut shipper = shipper(&queue, 1_100);
    assert_eq!(send_all(&mut shipper), [(1, 500), (501, 500), (1_001, 100)]);
    shipper.on_ack(&ack(&queue, 500), Instant::now());
    assert_eq!(send_all(&mut shipper), [(1_101, 200)]);
    shipper.on_ack(&ack(&queue, 1_300), Instant::now());
    assert_eq!((queue.pending(), send_all(&mut shipper)), (0, vec![]));
}

#[test]
fn a_new_session_sends_again_what_was_not_acknowledged() {
    let queue = queue_of(700);
    let mut first = shipper(&queue, 10_000);
    send_all(&mut first);
    first.on_ack(&ack(&queue, 500), Instant::now());
    let mut second = shipper(&queue, 10_000);
    assert_eq!(send_all(&mut second), [(501, 200)]);
    // The acknowledgement that the first session missed.
    second.on_ack(&ack(&queue, 700), Instant::now());
    assert_eq!(queue.pending(), 0);
}

#[test]
fn an_acknowledgement_may_know_of_more_than_this_session_sent() {
    let queue = queue_of(900);
    let mut shipper = shipper(&queue, 500);
    assert_eq!(send_all(&mut shipper), [(1, 500)]);
    shipper.on_ack(&ack(&queue, 800), Instant::now());
    assert_eq!(send_all(&mut shipper), [(801, 100)]);
}

#[test]
fn what_did_not_get_in_is_sent_again_once() {
    let queue = queue_of(1_500);
    let mut shipper = shipper(&queue, 10_000);
    let now = Instant::now();
    assert_eq!(send_all(&mut shipper).len(), 3);
    shipper.on_ack(&ack(&queue, 500), now);
    // The second batch was dropped, so that the third did not fit.
    shipper.on_ack(&ack(&queue, 500), now);
    assert_eq!(shipper.when(now), When::Now);
    assert_eq!(send_all(&mut shipper), [(501, 500), (1_001, 500)]);
    // The answer to the third, sent before we went back, changes nothing.
    shipper.on_ack(&ack(&queue, 500), now);
    assert_eq!(send_all(&mut shipper), []);
    // Dropped once more.
    shipper.on_ack(&ack(&queue, 500), now);
    assert_eq!(send_all(&mut shipper), [(501, 500), (1_001, 500)]);
    shipper.on_ack(&ack(&queue, 500), now);
    shipper.on_ack(&ack(&queue, 1_000), now);
    shipper.on_ack(&ack(&queue, 1_500), now);
    assert_eq!(queue.pending(), 0);
}

#[test]
fn batches_that_got_in_together_are_not_sent_again() {
    let queue = queue_of(1_500);
    let mut shipper = shipper(&queue, 10_000);
    let now = Instant::now();
    assert_eq!(send_all(&mut shipper).len(), 3);
    // All three in one transaction: each answer says so, the first one before a fourth is sent.
    shipper.on_ack(&ack(&queue, 1_500), now);
    queue.reserve().unwrap().put(record(1_501));
    assert_eq!(send_all(&mut shipper), [(1_501, 1)]);
    shipper.on_ack(&ack(&queue, 1_500), now);
    shipper.on_ack(&ack(&queue, 1_500), now);
    assert_eq!(send_all(&mut shipper), []);
    shipper.on_ack(&ack(&queue, 1_501), now);
    assert_eq!(queue.pending(), 0);
}

#[test]
fn another_database_gets_what_is_left_in_a_new_log() {
    let queue = queue_of(700);
    let mut first = shipper(&queue, 10_000);
    send_all(&mut first);
    first.on_ack(&ack(&queue, 500), Instant::now());
    let mut second = shipper(&queue, 10_000);
    assert_eq!(send_all(&mut second), [(501, 200)]);
    let old_wal = queue.log().wal;
    second.on_ack(&ack(&queue, 0), Instant::now());
    assert_ne!(queue.log().wal, old_wal);
    assert_eq!(send_all(&mut second), [(1, 200)]);
    second.on_ack(&ack(&queue, 200), Instant::now());
    assert_eq!(queue.pending(), 0);
}

#[test]
fn an_overtaken_acknowledgement_changes_nothing() {
    let queue = queue_of(1_000);
    let mut shipper = shipper(&queue, 10_000);
    send_all(&mut shipper);
    let wal = queue.log().wal;
    shipper.on_ack(&ack(&queue, 1_000), Instant::now());
    shipper.on_ack(&ack(&queue, 500), Instant::now());
    assert_eq!((queue.pending(), queue.log().wal), (0, wal));
}

#[test]
fn a_record_waits_for_others_but_not_long() {
    let queue = queue_of(0);
    let mut shipper = shipper(&queue, 10_000);
    let now = Instant::now();
    assert_eq!(shipper.when(now), When::OnArrival);
    queue.reserve().unwrap().put(record(1));
    let When::At(at) = shipper.when(now) else { panic!("sent at once, or never") };
    assert!(at - now <= Duration::from_millis(20));
    assert_eq!(shipper.when(at), When::Now);
    for number in 2..=500 {
        queue.reserve().unwrap().put(record(number));
    }
    assert_eq!(shipper.when(now), When::Now);
}

#[test]
fn texts_of_callers_are_clipped_at_a_character_and_rid_of_control_characters() {
    let queue = UsageQueue::new(2);
    let alias = format!("a{}", "é".repeat(LONGEST_TEXT));
    queue.reserve().unwrap().put(UsageRecord { alias, ..record(1) });
    let model = "a\0b".to_owned();
    queue.reserve().unwrap().put(UsageRecord { model, ..record(2) });
    assert_eq!(queue.log().records[0].alias.len(), LONGEST_TEXT - 1);
    assert_eq!(queue.log().records[1].model, "a\u{fffd}b");
}
