//! Usage on its way up: sent any number of times, counted once.

use crate::{
    plane::{Plane, url},
    proxy::{Proxy, Session},
};
use proto::{
    admin::v1::{
        self as admin, SummarizeUsageRequest, UsageSummary,
        usage_service_client::UsageServiceClient,
    },
    sync::v1::{Outcome, UsageRecord},
};
use sluice_control_plane::store::embedded::Embedded;
use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tonic::Code;
use uuid::Uuid;

fn record() -> UsageRecord {
    let id = || Uuid::now_v7().as_bytes().to_vec();
    UsageRecord {
        request_id: id(),
        started_unix_ms: runtime::clock::unix_ms(),
        duration_ms: 5,
        key_id: id(),
        alias: "smart".to_owned(),
        model: "gpt-4o-mini".to_owned(),
        account_id: id(),
        provider: "openai".to_owned(),
        dialect: admin::Dialect::Openai.into(),
        operation: admin::Operation::Chat.into(),
        status: 200,
        outcome: Outcome::Complete.into(),
        tokens: Some(admin::TokenCounts { input: 7, output: 3, ..Default::default() }),
        attempts: 1,
        revision: 1,
        ..UsageRecord::default()
    }
}

fn records(count: usize) -> Vec<UsageRecord> {
    (0..count).map(|_| record()).collect()
}

async fn total(plane: &Plane) -> UsageSummary {
    let mut usage = UsageServiceClient::new(plane.admin().await);
    let summary = usage.summarize_usage(SummarizeUsageRequest::default()).await.unwrap();
    summary.into_inner().total.unwrap()
}

/// A session past its first update.
async fn connected(plane: &Plane) -> Session {
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(plane).await;
    proxy.update(&mut session).await;
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_sent_again_after_a_reconnect_are_counted_once() {
    let plane = Plane::start().await;
    let wal = Uuid::now_v7();
    let sent = records(30);
    let mut session = connected(&plane).await;
    session.usage(wal, 1, sent[..20].to_vec()).await;
    assert_eq!(session.usage_ack().await.durable_seq, 20);
    // Lost with the connection, as far as the proxy knows.
    session.usage(wal, 21, sent[20..25].to_vec()).await;
    drop(session);

    let mut session = connected(&plane).await;
    session.usage(wal, 11, sent[10..].to_vec()).await;
    assert_eq!(session.usage_ack().await.durable_seq, 30);
    session.usage(wal, 1, sent.clone()).await;
    let ack = session.usage_ack().await;
    assert_eq!((ack.durable_seq, ack.wal_id), (30, wal.as_bytes().to_vec()));
    let total = total(&plane).await;
    assert_eq!(total.requests, 30);
    assert_eq!(total.tokens.unwrap().input, 30 * 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_asked_for() {
    let plane = Plane::start().await;
    let wal = Uuid::now_v7();
    let mut session = connected(&plane).await;
    session.usage(wal, 5, records(3)).await;
    assert_eq!(session.usage_ack().await.durable_seq, 0);
    session.usage(wal, 1, records(2)).await;
    assert_eq!(session.usage_ack().await.durable_seq, 2);
    assert_eq!(total(&plane).await.requests, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_proxies_at_once_lose_nothing() {
    let plane = Plane::start().await;
    let one = async || {
        let mut session = connected(&plane).await;
        let wal = Uuid::now_v7();
        for batch in 0..10 {
            session.usage(wal, batch * 20 + 1, records(20)).await;
        }
        while session.usage_ack().await.durable_seq < 200 {}
    };
    tokio::join!(one(), one(), one(), one());
    assert_eq!(total(&plane).await.requests, 800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_ends_the_session_and_is_not_acknowledged() {
    let plane = Plane::start().await;
    let mut session = connected(&plane).await;
    let bad = UsageRecord { outcome: 99, ..record() };
    session.usage(Uuid::now_v7(), 1, vec![record(), bad]).await;
    let status = session.end().await.unwrap();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("records[1]"), "{status}");
    assert_eq!(total(&plane).await.requests, 0);
}

/// A control plane whose database was there and has stopped, and how to start it again.
async fn without_its_database(home: &Path) -> (Plane, impl FnOnce() -> Embedded + use<>) {
    set_permissions(home, Permissions::from_mode(0o755)).unwrap();
    let path = home.to_owned();
    let start = move || Embedded::start(&path, None).unwrap();
    let database = tokio::task::spawn_blocking(start.clone()).await.unwrap();
    let plane = Plane::over(url(&database.config())).await;
    plane.app.open().await.unwrap();
    tokio::task::spawn_blocking(move || database.stop()).await.unwrap();
    (plane, start)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_more_than_twice_the_window_unacknowledged_is_sent_away() {
    let home = tempfile::tempdir().unwrap();
    let (plane, _start) = without_its_database(home.path()).await;
    let mut session = connected(&plane).await;
    let wal = Uuid::now_v7();
    session.usage(wal, 1, records(10_000)).await;
    session.usage(wal, 10_001, records(10_000)).await;
    session.usage(wal, 20_001, records(1)).await;
    assert_eq!(session.end().await.unwrap().code(), Code::ResourceExhausted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_before_the_database_has_it() {
    let home = tempfile::tempdir().unwrap();
    let (plane, start) = without_its_database(home.path()).await;
    let mut session = connected(&plane).await;

    let wal = Uuid::now_v7();
    session.usage(wal, 1, records(5)).await;
    tokio::select! {
        ack = session.usage_ack() => panic!("acknowledged without a database: {ack:?}"),
        () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
    }
    let database = tokio::task::spawn_blocking(start).await.unwrap();
    assert_eq!(session.usage_ack().await.durable_seq, 5);
    assert_eq!(total(&plane).await.requests, 5);
    drop((session, plane));
    tokio::task::spawn_blocking(move || database.stop()).await.unwrap();
}
