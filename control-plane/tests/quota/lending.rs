//! One control plane and proxies that borrow from it.

use crate::{
    borrower::{Borrower, limits, set, statuses},
    plane::Plane,
};
use domain::limit::{lease::session::Verdict, message::Why};
use proto::{
    admin::v1::{self, LimitPeriod},
    sync::v1::Explained,
};
use std::time::Duration;
use tonic::Code;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_greeted_and_lent_and_all_proxies_together_get_no_more_than_there_is() {
    let plane = Plane::start().await;
    let limit = set(&plane, 40, LimitPeriod::Minute).await;
    let mut a = Borrower::connect(&plane).await;
    let hello = a.grants().await;
    assert!(hello.hello && hello.epoch == 1 && hello.ttl_us == 8_000_000);
    assert_eq!(a.take(&hello).0, Verdict::Hello(1));
    let id = a.hold(&limit);
    for _ in 0..15 {
        a.spend(id, 1_000).await.unwrap();
    }
    let mut b = Borrower::connect(&plane).await;
    b.hold(&limit);
    let (more, why) = b.spend_all(id).await;
    let (rest, _) = a.spend_all(id).await;
    assert_eq!(why, Why::Exhausted);
    // Some seconds pass, in which two a second are refilled three times.
    let sum = 15 + more + rest;
    assert!((38..=48).contains(&sum), "15 + {more} + {rest}");

    a.sync().await;
    b.sync().await;
    let seen = statuses(&plane).await;
    let leader = seen.leader.unwrap();
    assert!(leader.epoch == 1 && leader.database_ok && !leader.learning);
    assert!(leader.address.starts_with("http://127.0.0.1:") && leader.since.is_some());
    let status = &seen.statuses[0];
    assert_eq!(status.limit.as_ref().unwrap().id, limit.id);
    assert_eq!((status.leases.len(), status.over_milli), (2, 0));
    assert!(0 < status.denied && 900_000 < status.used_ppm, "{status:?}");
    assert!(status.leases.iter().all(|it| it.address == "http://127.0.0.1:1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_drawn_from_its_row_before_it_is_lent() {
    let plane = Plane::start().await;
    let limit = set(&plane, 30, LimitPeriod::Day).await;
    let (mut a, mut b) = (Borrower::connect(&plane).await, Borrower::connect(&plane).await);
    let id = a.hold(&limit);
    b.hold(&limit);
    for _ in 0..5 {
        a.spend(id, 1_000).await.unwrap();
        b.spend(id, 1_000).await.unwrap();
    }
    // What lies at the other is called in, or spent there: never more than the day has.
    let mut spent = 10;
    for _ in 0..100 {
        spent += a.spend_all(id).await.0 + b.spend_all(id).await.0;
        if 30 <= spent {
            break;
        }
    }
    assert_eq!((spent, a.spend_all(id).await.0, b.spend_all(id).await.0), (30, 0, 0));
    let seen = statuses(&plane).await;
    let status = &seen.statuses[0];
    assert!(status.window_ends_at.is_some() && status.over_milli == 0, "{status:?}");
    assert_eq!(status.used_milli, 30_000, "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_frees_at_once_and_a_deleted_limit_is_not_known_any_more() {
    let plane = Plane::start().await;
    let limit = set(&plane, 3, LimitPeriod::Forever).await;
    let mut proxy = Borrower::connect(&plane).await;
    let id = proxy.hold(&limit);
    assert_eq!(proxy.spend_all(id).await, (3, Why::Exhausted));
    let request = v1::ResetLimitsRequest { ids: vec![limit.id.clone()], ..Default::default() };
    let reset = limits(&plane).await.reset_limits(request).await.unwrap().into_inner();
    assert_eq!(reset.limits[0].generation, limit.generation + 1);
    proxy.hold(&reset.limits[0]);
    assert_eq!(proxy.spend_all(id).await, (3, Why::Exhausted));

    let request = v1::DeleteLimitRequest { id: limit.id.clone(), etag: String::new() };
    limits(&plane).await.delete_limit(request).await.unwrap();
    assert!(statuses(&plane).await.statuses.is_empty());
    proxy.sync().await;
    loop {
        let grants = proxy.grants().await;
        if let Some(denied) = grants.chunks.iter().find_map(|it| it.denied)
            && denied.why == Why::Unknown
        {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_used_of_a_window_is_shown_when_nobody_asks_any_more() {
    let mut first = Plane::start().await;
    let _database = first.database.take();
    let limit = set(&first, 10, LimitPeriod::Forever).await;
    let mut proxy = Borrower::connect(&first).await;
    let id = proxy.hold(&limit);
    assert_eq!(proxy.spend_all(id).await, (10, Why::Exhausted));
    // Another one leads, of which nobody has asked for anything.
    let second = Plane::beside(&first).await;
    drop(proxy);
    first.process.shutdown.drain();
    first.app.stop().await;
    let request = v1::ListLimitStatusRequest { with_idle: true, ..Default::default() };
    let mut client = limits(&second).await;
    let begun = std::time::Instant::now();
    let status = loop {
        // While leaders change, nobody can be asked.
        match client.list_limit_status(request.clone()).await {
            Ok(seen) => break seen.into_inner().statuses.remove(0),
            Err(away) => assert_eq!(away.code(), Code::Unavailable, "{away}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
    };
    assert_eq!((status.used_milli, status.free_milli, status.used_ppm), (10_000, 0, 1_000_000));
    assert_eq!(status.limit.unwrap().id, limit.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_nobody_uses_are_shown_only_when_they_are_asked_for() {
    let plane = Plane::start().await;
    let day = set(&plane, 30, LimitPeriod::Day).await;
    let minute = set(&plane, 40, LimitPeriod::Minute).await;
    let mut proxy = Borrower::connect(&plane).await;
    let id = proxy.hold(&minute);
    proxy.spend(id, 1_000).await.unwrap();
    let seen = statuses(&plane).await;
    assert_eq!(seen.statuses.len(), 1);
    let first = v1::ListLimitStatusRequest { page_size: 1, with_idle: true, ..Default::default() };
    let mut client = limits(&plane).await;
    let page = client.list_limit_status(first.clone()).await.unwrap().into_inner();
    assert_eq!(page.statuses[0].limit.as_ref().unwrap().id, day.id);
    assert_eq!((page.statuses[0].free_milli, page.statuses[0].leases.len()), (30_000, 0));
    let second = v1::ListLimitStatusRequest { page_token: page.next_page_token, ..first };
    let page = client.list_limit_status(second).await.unwrap().into_inner();
    assert_eq!(page.statuses[0].limit.as_ref().unwrap().id, minute.id);
    assert!(page.next_page_token.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_explained_by_the_proxy_that_has_its_record() {
    let plane = Plane::start().await;
    set(&plane, 40, LimitPeriod::Minute).await;
    let (mut a, mut b) = (Borrower::connect(&plane).await, Borrower::connect(&plane).await);
    // Both are greeted: so both are there.
    a.grants().await;
    b.grants().await;
    let request_id = format!("req_{}", Uuid::now_v7().simple());
    let record = v1::ExplainRequestResponse {
        request_id: request_id.clone(),
        proxy: "prx_b".to_owned(),
        ..Default::default()
    };
    let asked = v1::ExplainRequestRequest { request_id: request_id.clone() };
    let mut client = limits(&plane).await;
    let (found, ()) = tokio::join!(client.explain_request(asked.clone()), async {
        let question = a.question().await.question;
        a.explain(Explained { question, record: None }).await;
        let question = b.question().await.question;
        b.explain(Explained { question, record: Some(record) }).await;
    });
    assert_eq!(found.unwrap().into_inner().proxy, "prx_b");

    let (missing, ()) = tokio::join!(client.explain_request(asked), async {
        for proxy in [&mut a, &mut b] {
            let question = proxy.question().await.question;
            proxy.explain(Explained { question, record: None }).await;
        }
    });
    let missing = missing.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert!(missing.message().contains("asked 2 connected proxies"), "{missing}");
    let bad = v1::ExplainRequestRequest { request_id: "nonsense".to_owned() };
    assert_eq!(client.explain_request(bad).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_an_earlier_leader_is_answered_by_a_hello() {
    let plane = Plane::start().await;
    set(&plane, 40, LimitPeriod::Minute).await;
    let mut proxy = Borrower::connect(&plane).await;
    proxy.grants().await;
    proxy.sync().await;
    let answer = proxy.grants().await;
    assert!(answer.hello && answer.reply_to_us.is_some());
    // One who knows a later leader is believed: this one begins anew, later than that.
    let mut sync = proxy.talk.next(1, true, Vec::new(), Vec::new());
    sync.epoch = 7;
    proxy
        .say(proto::sync::v1::session_request::Message::Quota(proto::convert::quota::sync_to(
            &sync,
        )))
        .await;
    let later = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let grants = proxy.grants().await;
            if grants.hello && grants.epoch > 7 {
                return grants.epoch;
            }
        }
    });
    assert_eq!(later.await.unwrap(), 8);
}
