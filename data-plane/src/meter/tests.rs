//! A meter and its leader: who is let through, who asks, who waits, and what is left.

mod leaks;
mod stage;
mod trials;
mod waits;

use super::*;
use domain::{
    catalog::{Action, Mode, Rule},
    limit::{
        LeaseOf,
        budget::message::{ChunkGrant, WindowId},
        lease::leader::Start,
        message::Grants,
        supply::MILLI,
    },
};
use stage::{SECOND, Stage, ask, but, by_hand, crowd, lend, rpm, seats, tpm, want};
use std::{collections::BTreeSet, num::NonZeroU64, time::Duration};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_miss_asks_the_leader_once_and_a_hit_asks_nobody() {
    let limit = rpm(1, 60_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let began = Instant::now();
            ask(&stage.meter, &[&limit]).await.unwrap().settle(|_| MILLI);
            assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
            assert_eq!(stage.questions(), 1);
            // Steady demand brings a share of the rate, which lasts from renewal to renewal.
            let (mut hits, mut misses) = (0, 0);
            for _ in 0..2_000 {
                let before = stage.questions();
                let ready = stage.meter.standing(&[&limit])[0].1.level_milli;
                let reservation = ask(&stage.meter, &[&limit]).await.unwrap();
                if MILLI as i64 <= ready {
                    assert_eq!(reservation.parts()[0].waited_ms, 0);
                    assert_eq!(stage.questions(), before, "a hit");
                    hits += 1;
                } else {
                    misses += 1;
                }
                reservation.settle(|_| MILLI);
                sleep(Duration::from_millis(5)).await;
            }
            assert!(10 * misses < hits, "{hits} hits, {misses} misses");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_misses_asks_once_for_all() {
    let limit = rpm(1, 600);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let passed = crowd(&stage.meter, &[&limit], 200).await;
            assert!(passed.iter().all(Result::is_ok));
            assert_eq!(stage.questions(), 1);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_passes_and_the_wait_that_is_named_suffices() {
    let limit = rpm(1, 60);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let mut passed = 0;
            let refused = loop {
                match ask(&stage.meter, &[&limit]).await {
                    Ok(it) => {
                        passed += 1;
                        it.settle(|_| MILLI);
                    }
                    Err(refused) => break refused,
                }
            };
            assert_eq!(passed, 60);
            assert_eq!(refused.why, ShortWhy::Exhausted);
            let wait = refused.retry_after.unwrap();
            assert!(wait <= Duration::from_millis(1_010), "one in a second: {wait:?}");
            sleep(wait).await;
            let late = Duration::from_millis(60);
            let again = ask(&stage.meter, &[&limit]).await;
            assert!(again.is_ok(), "{again:?} after {wait:?}");
            let more = ask(&stage.meter, &[&limit]).await.unwrap_err();
            assert!(more.retry_after.unwrap() <= Duration::from_secs(1) + late);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn all_limits_or_none_and_the_shortage_says_which() {
    let (wide, narrow) = (rpm(1, 600), rpm(2, 1));
    let stage = Stage::new(&[&wide, &narrow]);
    stage
        .run(async {
            ask(&stage.meter, &[&wide, &narrow]).await.unwrap().settle(|_| MILLI);
            let shortage = ask(&stage.meter, &[&wide, &narrow]).await.unwrap_err();
            assert_eq!((shortage.limit.id, shortage.why), (narrow.id, ShortWhy::Exhausted));
            assert_eq!(shortage.parts.len(), 2);
            let views = stage.meter.standing(&[&wide, &narrow]);
            assert_eq!(views[0].1.reserved_milli, 0);
            assert_eq!(views[0].1.spent_milli, MILLI, "the refused one consumed nothing");
            assert_eq!(views[1].1.denied, 1);
            let parts: Vec<_> = shortage.parts.iter().map(|it| it.verdict).collect();
            assert_eq!(parts, [Verdict::Passed, Verdict::Refused]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn more_limits_than_can_be_kept_apart_refuse_and_do_not_go_round_and_round() {
    let many: Vec<_> =
        (1..=129).map(|it| but(&rpm(it, 960), |it| it.mode = Mode::Availability)).collect();
    let all: Vec<_> = many.iter().collect();
    let (meter, _time) = by_hand();
    assert!(ask(&meter, &all[..128]).await.is_ok());
    let refused = ask(&meter, &all).await.unwrap_err();
    assert_eq!((refused.limit.id, refused.why), (many[128].id, ShortWhy::Unavailable));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_request_above_a_limit_is_told_so_and_asks_nobody() {
    let (limit, one) = (
        tpm(1, 100),
        stage::limit(2, Rule::TokensPerRequest { most: NonZeroU64::new(50).unwrap() }),
    );
    let stage = Stage::new(&[&limit]);
    let too_large = |units: u64| ShortWhy::TooLarge { largest_milli: units * MILLI };
    let shortage = stage.meter.reserve(&[want(&limit, 101)], Priority::Normal).await.unwrap_err();
    assert_eq!((shortage.why, shortage.retry_after), (too_large(100), None));
    let shortage = stage.meter.reserve(&[want(&one, 51)], Priority::Normal).await.unwrap_err();
    assert_eq!((shortage.why, shortage.retry_after), (too_large(50), None));
    assert!(stage.meter.reserve(&[want(&one, 50)], Priority::Normal).await.is_ok());
    assert_eq!(stage.questions(), 0);
}

#[tokio::test]
async fn a_strict_limit_without_a_leader_serves_its_lease_to_the_end_and_not_beyond() {
    use std::sync::atomic::Ordering::SeqCst;
    let (meter, time) = by_hand();
    let limit = rpm(1, 600);
    lend(&meter, SECOND, &limit, 10);
    ask(&meter, &[&limit]).await.unwrap().settle(|_| MILLI);
    // The process was stopped for a while: it is looked at the clock before anything else.
    time.store(SECOND + 8 * SECOND - 8 * 600, SeqCst);
    assert!(ask(&meter, &[&limit]).await.is_ok(), "up to half a thousandth before the end");
    time.store(SECOND + 8 * SECOND, SeqCst);
    let shortage = ask(&meter, &[&limit]).await.unwrap_err();
    assert_eq!(shortage.why, ShortWhy::Disconnected);
    assert_eq!(shortage.retry_after, Some(Duration::from_secs(1)));
    assert!(!shortage.view.live);
}

#[tokio::test]
async fn an_available_limit_without_a_leader_goes_on_with_its_part_of_what_is_set_aside() {
    use std::sync::atomic::Ordering::SeqCst;
    let (meter, time) = by_hand();
    let limit = but(&rpm(1, 960), |it| it.mode = Mode::Availability);
    let drain = async || {
        let mut passed = 0;
        loop {
            match ask(&meter, &[&limit]).await {
                Ok(it) => {
                    assert_eq!(it.parts()[0].verdict, Verdict::Fallback);
                    passed += 1;
                }
                Err(refused) => return (passed, refused.why, refused.retry_after.unwrap()),
            }
        }
    };
    // A tenth of 960, by 16 proxies.
    let (passed, why, wait) = drain().await;
    assert_eq!((passed, why), (6, ShortWhy::Disconnected));
    assert_eq!(wait, Duration::from_secs(1), "not ten: the leader may be there by then");
    // Neither a lost session nor an idle hour fills it, but the time does, to its brim.
    meter.on_lost();
    assert_eq!(drain().await.0, 0);
    time.fetch_add(30 * SECOND, SeqCst);
    let _ = meter.renewals();
    assert_eq!(drain().await.0, 2, "slowed by what clocks may drift, of three");
    time.fetch_add(3_600 * SECOND, SeqCst);
    assert_eq!(drain().await.0, 6);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_one_lets_one_through_though_a_share_is_set_aside() {
    let one = but(&rpm(1, 1), |it| it.mode = Mode::Availability);
    let stage = Stage::new(&[&one]);
    stage
        .run(async {
            let first = ask(&stage.meter, &[&one]).await.unwrap();
            assert_eq!(first.parts()[0].verdict, Verdict::Passed);
            first.settle(|_| MILLI);
            let shortage = ask(&stage.meter, &[&one]).await.unwrap_err();
            assert_eq!(shortage.why, ShortWhy::Exhausted);
            // It refills by nine tenths of one in a minute.
            let wait = shortage.retry_after.unwrap();
            assert!((66..=67).contains(&wait.as_secs()), "{wait:?}");
            sleep(wait).await;
            ask(&stage.meter, &[&one]).await.unwrap().settle(|_| MILLI);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_available_limit_does_not_wait_for_a_leader_that_learns() {
    let strict = rpm(1, 60_000);
    let available = but(&rpm(2, 60_000), |it| it.mode = Mode::Availability);
    let holder = domain::limit::Holder {
        proxy: domain::id::ProxyId::from_uuid(uuid::Uuid::from_u128(9)),
        boot: uuid::Uuid::from_u128(9),
    };
    let recorded = BTreeSet::from([holder]);
    let stage = Stage::with(&[&strict, &available], Start::Learning { recorded });
    stage
        .run(async {
            let shortage = ask(&stage.meter, &[&strict]).await.unwrap_err();
            assert_eq!(shortage.why, ShortWhy::Learning);
            let passed = ask(&stage.meter, &[&available]).await.unwrap();
            assert_eq!(passed.parts()[0].verdict, Verdict::Fallback);
            sleep(Duration::from_secs(9)).await;
            let passed = ask(&stage.meter, &[&strict, &available]).await.unwrap();
            assert!(passed.parts().iter().all(|it| it.verdict == Verdict::Passed));
        })
        .await;
}

#[tokio::test]
async fn a_window_spends_the_chunk_it_holds_without_a_leader_and_ends_with_its_window() {
    use std::sync::atomic::Ordering::SeqCst;
    let (meter, time) = by_hand();
    let amount = NonZeroU64::new(1_000).unwrap();
    let measure = domain::catalog::Measure::Requests;
    let day = stage::limit(1, Rule::Grant { measure, amount });
    let shortage = ask(&meter, &[&day]).await.unwrap_err();
    assert_eq!(shortage.why, ShortWhy::Disconnected);
    assert_eq!(meter.used_ppm(day.id, 1), None, "nobody has said anything yet");
    let seq = meter.renewals()[0].chunks[0].seq;
    let grant = ChunkGrant {
        of: LeaseOf { limit: day.id, generation: 1 },
        window: WindowId(7),
        left_us: Some(60 * SECOND),
        seq: seq + 1,
        credit_milli: 2 * MILLI,
        denied: None,
        call_in: false,
        call_in_milli: 0,
        free_milli: 0,
        used_ppm: 250_000,
    };
    meter.on_grants(&Grants {
        epoch: 1,
        stamp_us: 1,
        reply_to_us: Some(SECOND),
        hello: false,
        ttl_us: 8 * SECOND,
        grants: Vec::new(),
        chunks: vec![grant],
    });
    assert_eq!(meter.used_ppm(day.id, 1), Some(250_000));
    time.store(50 * SECOND, SeqCst);
    ask(&meter, &[&day]).await.unwrap().settle(|_| MILLI);
    time.store(61 * SECOND, SeqCst);
    assert_eq!(ask(&meter, &[&day]).await.unwrap_err().why, ShortWhy::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_reset_frees_a_limit_at_once_and_what_was_held_before_is_void() {
    let limit = rpm(1, 2);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let old = ask(&stage.meter, &[&limit]).await.unwrap();
            ask(&stage.meter, &[&limit]).await.unwrap().settle(|_| MILLI);
            assert!(ask(&stage.meter, &[&limit]).await.is_err());
            let reset = but(&limit, |it| it.generation = 2);
            let of = LeaseOf { limit: reset.id, generation: 2 };
            let supply = Supply::of(&reset).unwrap();
            stage.leader.lock().unwrap().set(stage.now_us(), of, supply, 0);
            stage.meter.on_limits(16, |_| Some(Arc::clone(&reset)));
            ask(&stage.meter, &[&reset]).await.unwrap().settle(|_| MILLI);
            old.undo();
            // Who still decides by the revision before goes by the new one.
            ask(&stage.meter, &[&limit]).await.unwrap().settle(|_| MILLI);
            assert!(ask(&stage.meter, &[&reset]).await.is_err(), "the old hold gave nothing");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_asks_for_is_given_back_and_costs_nothing() {
    let limits = [rpm(1, 60), seats(2, 4)];
    let all: Vec<_> = limits.iter().collect();
    let stage = Stage::new(&all);
    stage
        .run(async {
            ask(&stage.meter, &all).await.unwrap().settle(|_| MILLI);
            assert_eq!(stage.meter.in_use(), 2);
            sleep(Duration::from_secs(15)).await;
            assert_eq!(stage.meter.in_use(), 0);
            let of = LeaseOf { limit: limits[0].id, generation: 1 };
            let status = stage.leader.lock().unwrap().status(stage.now_us(), of).unwrap();
            assert!(status.leases.is_empty(), "{status:?}");
            ask(&stage.meter, &all).await.unwrap().settle(|_| MILLI);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn at_the_end_everything_is_given_back_to_the_leader() {
    let limit = rpm(1, 60);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            ask(&stage.meter, &[&limit]).await.unwrap().settle(|_| MILLI);
            let began = Instant::now();
            stage.meter.give_back().await;
            assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
            let of = LeaseOf { limit: limit.id, generation: 1 };
            let status = stage.leader.lock().unwrap().status(stage.now_us(), of).unwrap();
            assert!(status.leases.is_empty(), "{status:?}");
        })
        .await;
}

/// What a process that ends has on the way is lost: a word that was on its way already says
/// nothing about that.
#[tokio::test]
async fn the_end_waits_for_the_answer_to_what_it_gave_back_and_not_for_any_word() {
    let (meter, time) = by_hand();
    meter.on_connected();
    lend(&meter, SECOND, &rpm(1, 10), 5);
    time.store(2 * SECOND, Ordering::SeqCst);
    let mut end = std::pin::pin!(meter.give_back());
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(end.as_mut().poll(&mut nobody).is_pending());
    let letter = meter.questions();
    assert!(letter.entries[0].release);
    let word = |reply_to_us| Grants { epoch: 1, reply_to_us, ..Grants::default() };
    for earlier in [None, Some(SECOND)] {
        meter.on_grants(&word(earlier));
        assert!(end.as_mut().poll(&mut nobody).is_pending(), "{earlier:?}");
    }
    // What is told once more meanwhile does not begin a lease anew.
    assert!(meter.renewals()[0].entries.iter().all(|it| it.release));
    meter.on_grants(&word(Some(letter.told_us)));
    assert!(end.as_mut().poll(&mut nobody).is_ready());
}
