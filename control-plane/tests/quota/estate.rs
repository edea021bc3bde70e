//! What a control plane that ends as planned leaves to the next one.

use crate::{
    borrower::{Borrower, set, statuses},
    database::Database,
    plane::Plane,
};
use domain::{
    id::{LimitId, ProxyId},
    limit::{Holder, LeaseOf, lease::leader::Estate, message::Why},
};
use proto::admin::v1::LimitPeriod;
use sluice_control_plane::store::{Claim, PoolSettings, Source, Store};
use std::time::{Duration, Instant};
use uuid::Uuid;

const TERM: Duration = Duration::from_secs(60);

fn holder(number: u128) -> Holder {
    Holder { proxy: ProxyId::from_uuid(Uuid::from_u128(number)), boot: Uuid::from_u128(1) }
}

fn estate() -> Estate {
    let of = |number, generation| LeaseOf {
        limit: LimitId::from_uuid(Uuid::from_u128(number)),
        generation,
    };
    Estate {
        holders: [holder(1)].into(),
        levels: [(of(1, 0), 4_000), (of(2, u32::MAX), -7)].into(),
        others_empty_us: Some(5),
    }
}

async fn store() -> (Database, Store) {
    let database = Database::create().await;
    let settings =
        PoolSettings { max_size: 4, statement_timeout_ms: 5_000, acquire_timeout_ms: 5_000 };
    let store = Store::connect(Source::Embedded(database.config.clone()), settings).unwrap();
    store.migrate().await.unwrap();
    (database, store)
}

async fn take(store: &Store) -> (Claim, Option<Estate>) {
    let me = Uuid::now_v7();
    let taken = store.take_quota_lead(me, "", TERM, 0).await.unwrap().unwrap();
    (Claim { holder: me, epoch: taken.epoch }, taken.estate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estate_is_for_the_very_next_leader_and_is_there_once() {
    let (_database, store) = store().await;
    let (first, none) = take(&store).await;
    assert_eq!(none, None);
    assert!(store.record_quota_holders(first, &[holder(1), holder(2)]).await.unwrap());
    store.give_up_quota_lead(first, Some(&estate())).await.unwrap();
    // Said again, it is not written again.
    store.give_up_quota_lead(first, Some(&Estate::default())).await.unwrap();
    // Who holds nothing is not recorded any more.
    let (second, left) = take(&store).await;
    assert_eq!(left, Some(estate()));

    // Who is not the leader any more leaves nothing.
    store.give_up_quota_lead(first, Some(&estate())).await.unwrap();
    assert!(store.renew_quota_lead(second, TERM).await.unwrap());
    store.give_up_quota_lead(second, None).await.unwrap();
    let (third, none) = take(&store).await;
    assert_eq!(none, None);

    // Whoever came between may have lent all of it.
    store.give_up_quota_lead(third, Some(&estate())).await.unwrap();
    let beyond = third.epoch + 1;
    let taken = store.take_quota_lead(Uuid::now_v7(), "", TERM, beyond).await.unwrap().unwrap();
    assert_eq!((taken.epoch, taken.estate), (beyond + 1, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_planned_end_there_is_as_much_as_before_and_nobody_waits_for_the_gone() {
    let first = Plane::start().await;
    let idle = set(&first, 40, LimitPeriod::Minute).await;
    let second = Plane::beside(&first).await;
    // One spends some, gives up what is left, and is gone: it is recorded, and has nothing.
    let mut gone = Borrower::connect(&first).await;
    let id = gone.hold(&idle);
    for _ in 0..10 {
        gone.spend(id, 1_000).await.unwrap();
    }
    gone.release(id).await;
    while !statuses(&first).await.statuses.iter().all(|it| it.leases.is_empty()) {
        gone.sync().await;
    }
    drop(gone);
    let mut old = first;
    let _database = old.database.take();
    old.process.shutdown.drain();
    old.app.stop().await;

    let begun = Instant::now();
    let mut proxy = Borrower::connect(&second).await;
    proxy.hold(&idle);
    proxy.spend_at_last(id, 1_000).await;
    let (more, why) = proxy.spend_all(id).await;
    let took = begun.elapsed();
    assert_eq!(why, Why::Exhausted);
    assert!(took < Duration::from_secs(6), "as long as leases last: {took:?}");
    // 30 were left, and some were refilled since: none was made.
    let refilled = took.as_secs() + 5;
    assert!((28..=30 + refilled).contains(&(more + 1)), "{more} in {took:?}");
    assert_eq!(statuses(&second).await.statuses[0].over_milli, 0);
}
