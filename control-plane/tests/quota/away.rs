//! The database stops: whoever is alone lends on, whoever may not be stops.

use crate::{
    borrower::{Borrower, limits, set, statuses},
    plane::{Plane, url},
};
use domain::limit::message::Why;
use proto::admin::v1::{LimitPeriod, ListLimitsRequest};
use sluice_control_plane::store::embedded::Embedded;
use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

async fn start(home: &Path) -> Embedded {
    set_permissions(home, Permissions::from_mode(0o755)).unwrap();
    let home = home.to_owned();
    tokio::task::spawn_blocking(move || Embedded::start(&home, None).unwrap()).await.unwrap()
}

async fn stop(database: Embedded) {
    tokio::task::spawn_blocking(move || database.stop()).await.unwrap();
}

/// Asks until the answers end; `None`: they have not after so long.
async fn silent_after(proxy: &mut Borrower, most: Duration) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < most {
        while proxy.grants_within(Duration::from_millis(20)).await.is_some() {}
        let sync = proxy.sync().await;
        let answered = async {
            loop {
                if proxy.grants().await.reply_to_us == Some(sync.sent_us) {
                    return;
                }
            }
        };
        if tokio::time::timeout(Duration::from_millis(500), answered).await.is_err() {
            return Some(begun.elapsed());
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_be_alone_stops_when_its_time_is_over_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let database = start(home.path()).await;
    let plane = Plane::over(url(&database.config())).await;
    plane.app.open().await.unwrap();
    let limit = set(&plane, 600, LimitPeriod::Minute).await;
    let mut proxy = Borrower::connect(&plane).await;
    let id = proxy.hold(&limit);
    proxy.spend(id, 1_000).await.unwrap();
    stop(database).await;
    let silent = silent_after(&mut proxy, Duration::from_secs(15)).await.unwrap();
    assert!(silent < Duration::from_secs(6), "{silent:?}");
    assert!(statuses(&plane).await.leader.unwrap().address.is_empty());

    let database = start(home.path()).await;
    proxy.spend_at_last(id, 1_000).await;
    let leader = statuses(&plane).await.leader.unwrap();
    assert!(leader.epoch == 2 && leader.database_ok, "{leader:?}");
    drop(plane);
    stop(database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_alone_lends_on_to_old_and_new_and_keeps_its_epoch() {
    let home = tempfile::tempdir().unwrap();
    let database = start(home.path()).await;
    let secrets = Plane::over(url(&database.config())).await.secrets();
    let plane =
        Plane::with(url(&database.config()), secrets, |it| it.lend_without_database = true).await;
    plane.app.open().await.unwrap();
    let limit = set(&plane, 6_000, LimitPeriod::Minute).await;
    let day = set(&plane, 1_000_000, LimitPeriod::Day).await;
    let mut old = Borrower::connect(&plane).await;
    let (id, days) = (old.hold(&limit), old.hold(&day));
    old.spend(id, 1_000).await.unwrap();
    old.spend(days, 1_000).await.unwrap();
    stop(database).await;
    assert_eq!(silent_after(&mut old, Duration::from_secs(5)).await, None);
    let mut new = Borrower::connect(&plane).await;
    new.hold(&limit);
    for _ in 0..20 {
        old.spend(id, 1_000).await.unwrap();
        new.spend(id, 1_000).await.unwrap();
    }
    // Of windows, what was drawn before; then it says why there is no more.
    let (_, why) = old.spend_all(days).await;
    assert_eq!(why, Why::Unavailable);
    let leader = statuses(&plane).await.leader.unwrap();
    assert!(leader.epoch == 1 && !leader.database_ok, "{leader:?}");
    assert!(plane._home.path().join("lent-unrecorded").exists());

    // Back: the same term goes on, what was not recorded is, and windows are drawn again.
    let database = start(home.path()).await;
    let backed = async {
        loop {
            let leader = statuses(&plane).await.leader.unwrap();
            if leader.database_ok && !plane._home.path().join("lent-unrecorded").exists() {
                return leader.epoch;
            }
            tokio::task::yield_now().await;
        }
    };
    let epoch = tokio::time::timeout(Duration::from_secs(20), backed).await.unwrap();
    assert_eq!(epoch, 1);
    old.spend_at_last(days, 1_000).await;
    drop(plane);
    stop(database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_else_is_asked_of_the_database_does_not_cost_the_lead() {
    let plane = Plane::start().await;
    let limit = set(&plane, 600, LimitPeriod::Minute).await;
    let mut proxy = Borrower::connect(&plane).await;
    let id = proxy.hold(&limit);
    proxy.spend(id, 1_000).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let database = plane.database.as_ref().unwrap();
    let client = crate::database::connect(&database.config, &mut tasks).await;
    client.batch_execute("BEGIN; LOCK TABLE limit_rule IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // More than there are connections wait for what is locked, for longer than a term.
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let mut client = limits(&plane).await;
        asking.spawn(async move {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(6) {
                let list = client.list_limits(ListLimitsRequest::default()).await;
                assert!(list.is_err(), "{list:?}");
            }
        });
    }
    asking.join_all().await;
    let leader = statuses(&plane).await.leader.unwrap();
    assert_eq!((leader.epoch, leader.database_ok), (1, true), "{leader:?}");
    proxy.spend(id, 1_000).await.unwrap();
}
