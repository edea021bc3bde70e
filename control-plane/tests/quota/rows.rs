//! The leader's row, the holders and the windows' ledger, by stores side by side.

use crate::database::{Database, connect};
use domain::{
    id::{LimitId, ProxyId},
    limit::Holder,
};
use sluice_control_plane::store::{
    Claim, PoolSettings, Source, Store, WindowKey, WindowOrder, WindowState,
};
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const TERM: Duration = Duration::from_secs(60);
const NOTHING: Duration = Duration::ZERO;

fn store(database: &Database) -> Store {
    let settings =
        PoolSettings { max_size: 8, statement_timeout_ms: 30_000, acquire_timeout_ms: 30_000 };
    Store::connect(Source::Embedded(database.config.clone()), settings).unwrap()
}

async fn stores() -> (Database, Store, Store) {
    let database = Database::create().await;
    let (a, b) = (store(&database), store(&database));
    a.migrate().await.unwrap();
    (database, a, b)
}

fn holder(number: u128) -> Holder {
    Holder { proxy: ProxyId::from_uuid(Uuid::from_u128(number)), boot: Uuid::from_u128(1) }
}

async fn take(store: &Store, me: u128, time: Duration) -> Option<Claim> {
    let me = Uuid::from_u128(me);
    let taken = store.take_quota_lead(me, "http://here", time, 0).await.unwrap()?;
    Some(Claim { holder: me, epoch: taken.epoch })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_is_one_leaders_until_its_time_is_over_and_each_has_another_epoch() {
    let (_database, a, b) = stores().await;
    assert_eq!(a.quota_leader().await.unwrap(), None);
    let first = take(&a, 1, TERM).await.unwrap();
    assert_eq!(first.epoch, 1);
    assert_eq!(take(&b, 2, TERM).await, None);
    let seen = b.quota_leader().await.unwrap().unwrap();
    assert!(seen.current && seen.address == "http://here" && seen.holder == first.holder);

    // Given up, it is free at once; who had it can do nothing with its claim.
    a.give_up_quota_lead(first, None).await.unwrap();
    assert!(!a.quota_leader().await.unwrap().unwrap().current);
    let second = take(&b, 2, TERM).await.unwrap();
    assert_eq!(second.epoch, 2);
    assert!(!a.renew_quota_lead(first, TERM).await.unwrap());
    assert!(!a.record_quota_holders(first, &[holder(1)]).await.unwrap());
    a.give_up_quota_lead(first, None).await.unwrap();
    assert!(b.renew_quota_lead(second, TERM).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_late_may_renew_as_long_as_nobody_took_over() {
    let (_database, a, b) = stores().await;
    let first = take(&a, 1, NOTHING).await.unwrap();
    assert!(a.renew_quota_lead(first, NOTHING).await.unwrap());
    let second = take(&b, 2, NOTHING).await.unwrap();
    assert!(!a.renew_quota_lead(first, TERM).await.unwrap());
    assert_eq!(second.epoch, first.epoch + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_run_one_wins() {
    let (_database, a, b) = stores().await;
    for round in 1..=5 {
        let mut runs = JoinSet::new();
        for me in 1..=8 {
            let store = if me % 2 == 0 { a.clone() } else { b.clone() };
            runs.spawn(async move { take(&store, me, TERM).await });
        }
        let won: Vec<_> = runs.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(won[0].epoch, round);
        a.give_up_quota_lead(won[0], None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_somebody_has_seen_is_never_given_again() {
    let (_database, a, _b) = stores().await;
    let me = Uuid::from_u128(1);
    let taken = a.take_quota_lead(me, "", TERM, 41).await.unwrap().unwrap();
    assert_eq!(taken.epoch, 42);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_leader_knows_whom_the_one_before_has_lent_to() {
    let (_database, a, b) = stores().await;
    let first = take(&a, 1, NOTHING).await.unwrap();
    assert!(a.record_quota_holders(first, &[holder(1), holder(2), holder(1)]).await.unwrap());
    assert!(a.record_quota_holders(first, &[holder(3)]).await.unwrap());
    assert!(a.forget_quota_holders(first, &[holder(2)], false).await.unwrap());
    let me = Uuid::from_u128(2);
    let taken = b.take_quota_lead(me, "", TERM, 0).await.unwrap().unwrap();
    assert_eq!(taken.recorded, [holder(1), holder(3)].into());

    // One of them spoke again and is recorded anew; the other is forgotten with its time.
    let second = Claim { holder: me, epoch: taken.epoch };
    assert!(b.record_quota_holders(second, &[holder(3)]).await.unwrap());
    assert!(!a.forget_quota_holders(first, &[], true).await.unwrap());
    assert!(b.forget_quota_holders(second, &[], true).await.unwrap());
    b.give_up_quota_lead(second, None).await.unwrap();
    let taken = a.take_quota_lead(me, "", TERM, 0).await.unwrap().unwrap();
    assert_eq!(taken.recorded, [holder(3)].into());
}

fn key(limit: u128) -> WindowKey {
    let limit = LimitId::from_uuid(Uuid::from_u128(limit));
    WindowKey { limit, generation: 3, start: 1_700_000_000 }
}

fn order(limit: u128, total_milli: u64) -> WindowOrder {
    let key = key(limit);
    WindowOrder { key, total_milli, ends_at: None, want_milli: 0, back_milli: 0, owe_milli: 0 }
}

async fn one(store: &Store, claim: Claim, order: WindowOrder) -> (u64, u64) {
    let states = store.order_windows(claim, &[order]).await.unwrap().unwrap();
    let WindowState { got_milli, granted_milli } = states[&order.key];
    (got_milli, granted_milli)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_gives_its_total_and_takes_back_what_was_not_used() {
    let (_database, a, _b) = stores().await;
    let claim = take(&a, 1, TERM).await.unwrap();
    let want = |want_milli| WindowOrder { want_milli, ..order(1, 100) };
    let back = |back_milli| WindowOrder { back_milli, ..order(1, 100) };
    assert_eq!(one(&a, claim, want(0)).await, (0, 0));
    assert_eq!(one(&a, claim, want(60)).await, (60, 60));
    assert_eq!(one(&a, claim, want(60)).await, (40, 100));
    assert_eq!(one(&a, claim, want(60)).await, (0, 100));
    assert_eq!(one(&a, claim, back(30)).await, (0, 70));
    assert_eq!(one(&a, claim, want(60)).await, (30, 100));
    // More than was ever drawn cannot come back.
    assert_eq!(one(&a, claim, back(500)).await, (0, 0));
    // What was used all the same counts beyond the total, and then there is nothing.
    let owe = WindowOrder { owe_milli: 130, ..order(1, 100) };
    assert_eq!(one(&a, claim, owe).await, (0, 130));
    assert_eq!(one(&a, claim, want(60)).await, (0, 130));
    // A limit that is raised gives more; one that is lowered gives nothing.
    assert_eq!(one(&a, claim, WindowOrder { want_milli: 60, ..order(1, 150) }).await, (20, 150));
    assert_eq!(one(&a, claim, want(60)).await, (0, 150));
    // Another window is another account.
    let mut other = want(60);
    other.key.start += 1;
    assert_eq!(one(&a, claim, other).await, (60, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_draw_at_once_no_more_than_the_total_is_drawn() {
    let (_database, a, b) = stores().await;
    let claim = take(&a, 1, TERM).await.unwrap();
    let mut draws = JoinSet::new();
    for at in 0..60u64 {
        let store = if at % 2 == 0 { a.clone() } else { b.clone() };
        draws.spawn(async move {
            let want_milli = 7 + at % 5;
            // Several windows in one go, in any order: nobody waits for the other for ever.
            let mut orders: Vec<_> =
                (1..=3).map(|it| WindowOrder { want_milli, ..order(it, 300) }).collect();
            if at % 3 == 0 {
                orders.reverse();
            }
            let states = store.order_windows(claim, &orders).await.unwrap().unwrap();
            [1, 2, 3].map(|it| states[&key(it)].got_milli)
        });
        if at % 10 == 9 {
            // Some who draw die on the way: what they drew is lost, and counts.
            let store = b.clone();
            let mut dying = JoinSet::new();
            dying.spawn(async move {
                let order = WindowOrder { want_milli: 5, ..order(1, 300) };
                let _ = store.order_windows(claim, &[order]).await;
            });
            tokio::task::yield_now().await;
            dying.abort_all();
        }
    }
    let sums = draws.join_all().await.into_iter().fold([0; 3], |mut sums, got| {
        sums.iter_mut().zip(got).for_each(|(sum, got)| *sum += got);
        sums
    });
    assert!(sums[0] <= 300, "{sums:?}");
    assert_eq!(sums[1..], [300, 300]);
    for limit in 1..=3 {
        let look = one(&a, claim, order(limit, 300)).await;
        assert_eq!(look, (0, 300));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_of_the_past_draws_nothing() {
    let (database, a, b) = stores().await;
    let first = take(&a, 1, NOTHING).await.unwrap();
    let want = WindowOrder { want_milli: 10, ..order(1, 100) };
    assert_eq!(one(&a, first, want).await, (10, 10));
    let second = take(&b, 2, TERM).await.unwrap();
    assert_eq!(a.order_windows(first, &[want]).await.unwrap(), None);
    assert_eq!(one(&b, second, want).await, (10, 20));
    // What ended long ago is forgotten, what did not is not.
    let mut tasks = JoinSet::new();
    let admin = connect(&database.config, &mut tasks).await;
    let count = async || {
        b.forget_windows().await.unwrap();
        let row = admin.query_one("SELECT count(*) FROM window_ledger", &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    assert_eq!(count().await, 1);
    let long_ago = "UPDATE window_ledger SET ends_at = now() - interval '40 days'";
    admin.batch_execute(long_ago).await.unwrap();
    assert_eq!(count().await, 0);
}
