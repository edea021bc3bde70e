use super::*;
use crate::meter::{Priority, ShortWhy, Want};
use domain::{
    catalog::{Action, Limit, Measure, Mode, Period, Rule, Subject},
    id::LimitId,
};
use std::{num::NonZeroU64, sync::Arc};
use tokio::time::sleep;
use uuid::Uuid;

fn quota() -> Quota {
    let began = Instant::now();
    let micros = move || 1 + u64::try_from(began.elapsed().as_micros()).unwrap();
    Quota::new(Meter::new(Arc::new(micros)))
}

fn limit() -> Arc<Limit> {
    let amount = NonZeroU64::new(60).unwrap();
    Arc::new(Limit {
        id: LimitId::from_uuid(Uuid::from_u128(1)),
        generation: 1,
        subject: Subject::Everything,
        rule: Arc::new(Rule::Bucket { measure: Measure::Requests, amount, period: Period::Minute }),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    })
}

fn hello(epoch: u64) -> v1::QuotaGrants {
    quota::grants_to(&Grants { epoch, hello: true, ttl_us: 8_000_000, ..Grants::default() })
}

/// What is said by itself within `time`.
async fn said(quota: &mut Quota, time: Duration) -> Vec<v1::QuotaSync> {
    let (mut said, until) = (Vec::new(), Instant::now() + time);
    let meter = quota.meter().clone();
    loop {
        tokio::select! {
            biased;
            () = meter.asked() => quota.on_asked(),
            () = tokio::time::sleep_until(quota.due_at()) => said.extend(quota.next()),
            () = tokio::time::sleep_until(until) => return said,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_is_told_at_once_after_a_hello_and_then_every_two_seconds() {
    let mut quota = quota();
    quota.begin();
    let first = said(&mut quota, Duration::from_millis(10)).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].epoch, first[0].number, first[0].whole), (0, 1, true));
    quota.hear(hello(7));
    let again = said(&mut quota, Duration::from_millis(10)).await;
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].epoch, again[0].number, again[0].whole), (7, 2, true));
    let renewed = said(&mut quota, Duration::from_secs(60)).await;
    assert!((27..=34).contains(&renewed.len()), "{}", renewed.len());
    let gaps = renewed.windows(2).map(|it| it[1].sent_us - it[0].sent_us);
    let (least, most) = gaps.fold((u64::MAX, 0), |(a, b), it| (it.min(a), it.max(b)));
    assert!(1_800_000 <= least && most <= 2_201_000 && least < most, "{least} {most}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_asked_for_within_a_millisecond_and_together() {
    let mut quota = quota();
    quota.begin();
    quota.hear(hello(7));
    assert_eq!(said(&mut quota, Duration::from_millis(10)).await.len(), 1);
    let (meter, limit) = (quota.meter().clone(), limit());
    let wants = [Want { limit: &limit, milli: 1_000 }];
    let crowd = (0..30).map(|_| meter.reserve(&wants, Priority::Normal));
    let crowd = futures_util::future::join_all(crowd);
    let began = Instant::now();
    let (crowd, said) = tokio::join!(crowd, said(&mut quota, Duration::from_millis(100)));
    assert_eq!(began.elapsed(), Duration::from_millis(100));
    assert!(crowd.iter().all(|it| it.as_ref().unwrap_err().why == ShortWhy::Unanswered));
    assert_eq!(said.len(), 1, "nobody waits for a second answer");
    assert_eq!(said[0].entries[0].need_milli, 30_000);
    assert!(!said[0].whole);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_ends_every_wait_and_the_next_one_tells_everything_again() {
    let mut quota = quota();
    quota.begin();
    quota.hear(hello(7));
    said(&mut quota, Duration::from_millis(10)).await;
    let (meter, limit) = (quota.meter().clone(), limit());
    let wants = [Want { limit: &limit, milli: 1_000 }];
    let began = Instant::now();
    let (refused, ()) = tokio::join!(meter.reserve(&wants, Priority::Normal), async {
        sleep(Duration::from_millis(5)).await;
        quota.end();
    });
    assert_eq!(refused.unwrap_err().why, ShortWhy::Disconnected);
    assert_eq!(began.elapsed(), Duration::from_millis(5));
    quota.begin();
    let first = said(&mut quota, Duration::from_millis(10)).await;
    assert_eq!((first.len(), first[0].epoch, first[0].number), (1, 7, 2), "{first:?}");
    assert!(first[0].whole && first[0].entries.len() == 1);
    assert_eq!(first[0].entries[0].need_milli, 0, "nobody waits any more");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_is_of_another_leader_changes_nothing() {
    let mut quota = quota();
    quota.begin();
    quota.hear(hello(7));
    said(&mut quota, Duration::from_millis(10)).await;
    let mut broken = hello(8);
    broken.grants = vec![v1::LeaseGrant::default()];
    quota.hear(broken);
    let mut late = hello(6);
    late.hello = false;
    quota.hear(late);
    quota.hear(hello(6));
    let told = said(&mut quota, Duration::from_millis(1_700)).await;
    assert!(told.is_empty(), "no reason to tell anything: {told:?}");
    assert_eq!(quota.talk.epoch(), 7);
}
