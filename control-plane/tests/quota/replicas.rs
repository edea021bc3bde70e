//! Several control planes over one database, and what is known over a change of leaders.

use crate::{
    borrower::{Borrower, limits, set, statuses},
    database::Database,
    plane::{Plane, url},
};
use domain::{
    id::ProxyId,
    limit::{Holder, lease::session::Verdict, message::Why},
};
use proto::{
    admin::v1::{self, LimitPeriod},
    sync::v1::Explained,
};
use sluice_control_plane::{
    config::Tls,
    store::{Claim, PoolSettings, Source, Store},
};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_control_plane_forwards_to_the_one_that_lends() {
    let first = Plane::start().await;
    let limit = set(&first, 40, LimitPeriod::Minute).await;
    let day = set(&first, 10, LimitPeriod::Day).await;
    let mut near = Borrower::connect(&first).await;
    near.grants().await;
    let second = Plane::beside(&first).await;
    let mut far = Borrower::connect(&second).await;
    let hello = far.grants().await;
    assert!(hello.hello && hello.epoch == 1, "{hello:?}");
    let (id, days) = (far.hold(&limit), far.hold(&day));
    near.hold(&limit);
    far.spend(id, 1_000).await.unwrap();
    assert_eq!(far.spend_all(days).await, (10, Why::Exhausted));
    let (some, _) = near.spend_all(id).await;
    assert!(30 < some, "{some}");

    // Both tell the same of it, and each explains what the other's proxies know.
    let (here, there) = (statuses(&first).await, statuses(&second).await);
    assert_eq!(there.leader, here.leader);
    assert_eq!(there.statuses.len(), 2);
    let request_id = format!("req_{}", Uuid::now_v7().simple());
    let asked = v1::ExplainRequestRequest { request_id };
    let record = |proxy: &str| {
        let proxy = proxy.to_owned();
        Some(v1::ExplainRequestResponse { proxy, ..Default::default() })
    };
    let mut client = limits(&first).await;
    let (found, ()) = tokio::join!(client.explain_request(asked.clone()), async {
        let question = far.question().await.question;
        far.explain(Explained { question, record: record("far") }).await;
    });
    assert_eq!(found.unwrap().into_inner().proxy, "far");
    near.questions.clear();
    let mut client = limits(&second).await;
    let (found, ()) = tokio::join!(client.explain_request(asked), async {
        let question = far.question().await.question;
        far.explain(Explained { question, record: None }).await;
        // The first question was for the record that `far` had.
        near.question().await;
        let question = near.question().await.question;
        near.explain(Explained { question, record: record("near") }).await;
    });
    assert_eq!(found.unwrap().into_inner().proxy, "near");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_the_one_that_lends_is_encrypted_and_its_certificate_is_checked() {
    let database = Database::create().await;
    let plain = Plane::over(url(&database.config)).await;
    let secrets = plain.secrets();
    let lends = Plane::with(plain.url.clone(), plain.secrets(), |it| {
        it.tls = Tls::SelfSigned(vec!["127.0.0.1".to_owned()]);
    })
    .await;
    lends.app.open().await.unwrap();
    let ca = lends._home.path().join("tls/ca.pem");
    let trusts = Plane::with(plain.url.clone(), secrets, |it| it.peer_ca = Some(ca)).await;
    trusts.app.open().await.unwrap();
    let limit = set(&trusts, 40, LimitPeriod::Minute).await;
    let mut proxy = Borrower::connect(&trusts).await;
    let id = proxy.hold(&limit);
    proxy.spend_at_last(id, 1_000).await;
    let leader = statuses(&trusts).await.leader.unwrap();
    assert!(leader.address.starts_with("https://127.0.0.1:"), "{leader:?}");

    // Who does not know the CA sends nothing there.
    plain.app.open().await.unwrap();
    let mut client = limits(&plain).await;
    let begun = Instant::now();
    let away = loop {
        // Until it has looked, it knows of nobody who lends.
        match client.list_limit_status(v1::ListLimitStatusRequest::default()).await {
            Ok(seen) => assert_eq!(seen.into_inner().leader, Some(v1::LimitLeader::default())),
            Err(status) => break status,
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it asks all the same");
        tokio::task::yield_now().await;
    };
    assert_eq!(away.code(), tonic::Code::Unavailable, "{away}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_drains_hands_over_and_the_next_one_goes_on_with_what_was_lent() {
    let mut first = Plane::start().await;
    let _database = first.database.take();
    let limit = set(&first, 40, LimitPeriod::Minute).await;
    let day = set(&first, 100, LimitPeriod::Day).await;
    let second = Plane::beside(&first).await;
    let mut proxy = Borrower::connect(&first).await;
    let (id, days) = (proxy.hold(&limit), proxy.hold(&day));
    for _ in 0..30 {
        proxy.spend(id, 1_000).await.unwrap();
    }
    proxy.spend(days, 1_000).await.unwrap();

    let begun = Instant::now();
    first.process.shutdown.drain();
    // It is still connected to the one that drains, which knows by now who is next.
    let hello = loop {
        let grants = proxy.grants().await;
        if grants.epoch == 2 {
            break grants;
        }
    };
    assert_eq!(proxy.take(&hello).0, Verdict::Hello(2));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    proxy.sync().await;
    let answer = proxy.grants().await;
    assert_eq!(proxy.take(&answer).0, Verdict::Current);
    proxy.move_to(&second).await;
    first.app.stop().await;
    // It is the only one who was lent anything, and has told what: nothing is left to learn.
    proxy.spend(days, 1_000).await.unwrap();
    let (more, _) = proxy.spend_all(id).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(7), "as long as leases last: {took:?}");
    let refilled = took.as_secs() + 1;
    assert!(30 + more <= 40 + refilled, "30 + {more} in {took:?}");
    let seen = statuses(&second).await;
    assert!(!seen.leader.unwrap().learning);
    // What the first one had drawn and not lent was put back.
    let day = seen.statuses.iter().find(|it| it.window_ends_at.is_some()).unwrap();
    assert!(day.used_milli < 60_000, "{day:?}");
}

/// A plane that leads after somebody else, who has lent to these.
async fn after(recorded: &[Holder]) -> (Plane, Database) {
    let (store, claim, database) = led(recorded).await;
    store.give_up_quota_lead(claim, None).await.unwrap();
    let plane = Plane::over(url(&database.config)).await;
    plane.app.open().await.unwrap();
    (plane, database)
}

/// A database in which somebody leads, who has lent to these.
async fn led(recorded: &[Holder]) -> (Store, Claim, Database) {
    let database = Database::create().await;
    let settings =
        PoolSettings { max_size: 2, statement_timeout_ms: 5_000, acquire_timeout_ms: 5_000 };
    let store = Store::connect(Source::Embedded(database.config.clone()), settings).unwrap();
    store.migrate().await.unwrap();
    let holder = Uuid::from_u128(1);
    let taken = store.take_quota_lead(holder, "", Duration::from_secs(60), 0).await.unwrap();
    let claim = Claim { holder, epoch: taken.unwrap().epoch };
    assert!(store.record_quota_holders(claim, recorded).await.unwrap());
    (store, claim, database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_new_leader_meets_for_the_first_time_may_have_been_spent_before_it() {
    let (store, claim, database) = led(&[]).await;
    let plane = Plane::over(url(&database.config)).await;
    plane.app.open().await.unwrap();
    // The limit is older than the leader that is to come.
    let limit = set(&plane, 60, LimitPeriod::Minute).await;
    store.give_up_quota_lead(claim, None).await.unwrap();
    let begun = Instant::now();
    let mut proxy = Borrower::connect(&plane).await;
    let id = proxy.hold(&limit);
    // The leader before it may have lent all of it to somebody who is gone.
    proxy.spend_at_last(id, 1_000).await;
    let (more, _) = proxy.spend_all(id).await;
    let refilled = begun.elapsed().as_secs() + 3;
    assert!(more < refilled, "1 + {more} within {refilled} s");
}

fn holder(proxy: &Borrower) -> Holder {
    Holder { proxy: ProxyId::from_uuid(proxy.id), boot: proxy.boot }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_learns_until_everybody_recorded_has_spoken() {
    let silent = Holder { proxy: ProxyId::from_uuid(Uuid::from_u128(9)), boot: Uuid::nil() };
    let (id, boot) = (Uuid::now_v7(), Uuid::now_v7());
    let known = Holder { proxy: ProxyId::from_uuid(id), boot };

    // Only it was lent anything: when it has spoken, others are lent to.
    let (plane, _database) = after(&[known]).await;
    let limit = set(&plane, 6_000, LimitPeriod::Minute).await;
    let mut other = Borrower::connect(&plane).await;
    let limit_id = other.hold(&limit);
    let hello = other.grants().await;
    assert_eq!(other.take(&hello).0, Verdict::Hello(2));
    other.sync().await;
    let denied = other.grants().await.grants[0].denied.unwrap();
    assert_eq!(denied.why, Why::Learning);
    let begun = Instant::now();
    let mut known = Borrower::connect_as(&plane, id, boot).await;
    let hello = known.grants().await;
    known.take(&hello);
    known.sync().await;
    other.spend_at_last(limit_id, 1_000).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_ne!(holder(&known), holder(&other));

    // One never speaks: its leases last eight seconds, and so does the learning.
    let (plane, _database) = after(&[silent]).await;
    let limit = set(&plane, 6_000, LimitPeriod::Minute).await;
    let mut other = Borrower::connect(&plane).await;
    let begun = Instant::now();
    let limit_id = other.hold(&limit);
    other.spend_at_last(limit_id, 1_000).await;
    let took = begun.elapsed();
    assert!(Duration::from_secs(6) < took && took < Duration::from_secs(12), "{took:?}");
}
