//! What other gateways leaked: each is named after where it was reported.

use super::*;
use futures_util::future::join_all;
use std::sync::atomic::{AtomicU64, Ordering};

fn view(stage: &Stage, limit: &Arc<Limit>) -> View {
    stage.meter.standing(&[limit])[0].1
}

/// LiteLLM #18730: requests at the same time all saw the same count, and all passed.
#[tokio::test(start_paused = true)]
async fn five_at_once_do_not_pass_a_limit_of_three() {
    let limit = seats(1, 3);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let all = crowd(&stage.meter, &[&limit], 5).await;
            assert_eq!(all.iter().filter(|it| it.is_ok()).count(), 3);
            drop(all);
            let again = crowd(&stage.meter, &[&limit], 5).await;
            assert_eq!(again.iter().filter(|it| it.is_ok()).count(), 3);
        })
        .await;
}

/// LiteLLM #20256: after some timeouts a key was stuck at its number of parallel requests.
#[tokio::test(start_paused = true)]
async fn requests_that_time_out_at_any_point_do_not_hold_their_seats() {
    let (both, rate) = (seats(1, 2), rpm(2, 60_000));
    let stage = Stage::new(&[&both, &rate]);
    stage
        .run(async {
            for round in 0..200 {
                // Cut while waiting, while the grant is on its way, or while it runs.
                let cut = Duration::from_micros(50 * round);
                let _ = tokio::time::timeout(cut, async {
                    let _held = ask(&stage.meter, &[&both, &rate]).await;
                    std::future::pending::<()>().await;
                })
                .await;
            }
            assert_eq!(view(&stage, &both).reserved_milli, 0);
            assert_eq!(view(&stage, &rate).reserved_milli, 0);
            let held = crowd(&stage.meter, &[&both, &rate], 2).await;
            assert!(held.iter().all(Result::is_ok), "{held:?}");
        })
        .await;
}

/// new-api #4429: what a request had reserved when it panicked was gone.
#[tokio::test(start_paused = true)]
async fn a_panic_leaves_nothing_reserved() {
    let (both, rate) = (seats(1, 2), rpm(2, 60_000));
    let stage = Stage::new(&[&both, &rate]);
    stage
        .run(async {
            let held = ask(&stage.meter, &[&both, &rate]).await.unwrap();
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _held = held;
                panic!("in the middle of a request");
            }));
            assert!(panicked.is_err());
            assert_eq!(view(&stage, &both).reserved_milli, 0);
            assert_eq!(view(&stage, &rate).reserved_milli, 0);
        })
        .await;
}

/// LiteLLM #39309: refused requests were counted, so that a key never recovered.
#[tokio::test(start_paused = true)]
async fn refused_requests_consume_nothing_of_any_limit() {
    let (wide, narrow) = (tpm(1, 60_000), rpm(2, 60));
    let stage = Stage::new(&[&wide, &narrow]);
    stage
        .run(async {
            let wants = [want(&wide, 100), want(&narrow, 1)];
            let mut passed = 0;
            for _ in 0..1_000 {
                if let Ok(it) = stage.meter.reserve(&wants, Priority::Normal).await {
                    passed += 1;
                    it.settle(|limit| if limit.id == wide.id { 100 * MILLI } else { MILLI });
                }
            }
            assert_eq!(passed, 60);
            assert_eq!(view(&stage, &wide).spent_milli, 6_000 * MILLI);
            assert_eq!(view(&stage, &wide).reserved_milli, 0);
            // As many again as flow in, however many were refused meanwhile.
            sleep(Duration::from_secs(30)).await;
            let more = join_all((0..100).map(|_| stage.meter.reserve(&wants, Priority::Normal)));
            let more = more.await.iter().filter(|it| it.is_ok()).count();
            assert!((29..=30).contains(&more), "{more}");
        })
        .await;
}

/// LiteLLM #13202: a limit was multiplied by the number of workers.
#[test]
fn four_threads_together_pass_what_the_lease_has_and_no_more() {
    let (meter, _) = by_hand();
    let limit = rpm(1, 6_000);
    lend(&meter, SECOND, &limit, 1_000);
    let passed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
                tokio.block_on(async {
                    while let Ok(it) = ask(&meter, &[&limit]).await {
                        it.settle(|_| MILLI);
                        passed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            });
        }
    });
    assert_eq!(passed.load(Ordering::SeqCst), 1_000);
}

/// The same with a leader, a queue and callers that go away: nobody is forgotten in the
/// queue, and there are never more than the limit says.
#[test]
fn four_threads_of_waiters_all_get_their_turn() {
    let limit = but(&seats(1, 3), |it| it.queue_ms = 60_000);
    let rate = rpm(2, 60_000_000);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (running, most, passed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let work = async |meter: &Meter, each: u64| {
        let both = [&rate, &limit];
        for round in 0..25 {
            let patience = if (each + round).is_multiple_of(5) { 2 } else { 60_000 };
            let patience = Duration::from_millis(patience);
            let Ok(held) = tokio::time::timeout(patience, ask(meter, &both)).await else {
                continue;
            };
            let held = match held {
                Ok(held) => held,
                // A busy machine may take longer than the leader is waited for.
                Err(short) if short.why == ShortWhy::Unanswered => continue,
                Err(short) => panic!("{short:?}"),
            };
            most.fetch_max(1 + running.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            held.settle(|_| MILLI);
            passed.fetch_add(1, Ordering::SeqCst);
        }
    };
    let (over, until_over) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let (told, stage) = std::sync::mpsc::channel();
        let (limit, rate) = (Arc::clone(&limit), Arc::clone(&rate));
        scope.spawn(move || {
            runtime().block_on(async {
                let stage = Stage::new(&[&limit, &rate]);
                let ended = async {
                    told.send(stage.meter.clone()).unwrap();
                    while until_over.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected)
                    {
                        sleep(Duration::from_millis(1)).await;
                    }
                    assert_eq!(view(&stage, &limit).reserved_milli, 0);
                };
                stage.run(ended).await;
            });
        });
        let meter = stage.recv().unwrap();
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (meter, work) = (meter.clone(), &work);
                scope.spawn(move || {
                    let all = (0..10).map(|each| work(&meter, each));
                    runtime().block_on(join_all(all));
                })
            })
            .collect();
        workers.into_iter().for_each(|it| it.join().unwrap());
        drop(over);
    });
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert!(800 <= passed.load(Ordering::SeqCst), "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_counts_as_used_and_reserves_nothing() {
    let limit = tpm(1, 1_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            drop(stage.meter.reserve(&[want(&limit, 600)], Priority::Normal).await.unwrap());
            let view = view(&stage, &limit);
            assert_eq!((view.reserved_milli, view.spent_milli), (0, 600 * MILLI));
            let shortage = stage.meter.reserve(&[want(&limit, 600)], Priority::Normal).await;
            assert_eq!(shortage.unwrap_err().why, ShortWhy::Exhausted);
        })
        .await;
}

#[test]
fn a_panic_keeps_no_seat_and_gives_no_tokens_away() {
    let (meter, _) = by_hand();
    let (tokens, both) = (tpm(1, 1_000), seats(2, 2));
    lend(&meter, SECOND, &tokens, 500);
    lend(&meter, SECOND, &both, 2);
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let of_thread = meter.clone();
    let limits = (Arc::clone(&tokens), Arc::clone(&both));
    let broken = std::thread::spawn(move || {
        let wants = [want(&limits.0, 300), want(&limits.1, 1)];
        let _held = runtime().block_on(of_thread.reserve(&wants, Priority::Normal)).unwrap();
        panic!("on purpose");
    });
    assert!(broken.join().is_err());
    let views = meter.standing(&[&tokens, &both]);
    assert_eq!((views[0].1.reserved_milli, views[0].1.spent_milli), (0, 300 * MILLI));
    assert_eq!((views[0].1.level_milli, views[1].1.reserved_milli), (200_000, 0));
    let again = [want(&tokens, 200), want(&both, 2)];
    runtime().block_on(meter.reserve(&again, Priority::Normal)).unwrap().undo();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_used_is_there_for_the_next_and_what_was_used_beyond_is_owed() {
    let limit = tpm(1, 1_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            drop(stage.meter.reserve(&[want(&limit, 500)], Priority::Normal).await.unwrap());
            // What is given back is given where there was room for it since it was taken.
            sleep(Duration::from_millis(4_500)).await;
            let second = stage.meter.reserve(&[want(&limit, 500)], Priority::Normal).await;
            second.unwrap().settle(|_| 100 * MILLI);
            let third = stage.meter.reserve(&[want(&limit, 400)], Priority::Normal).await;
            third.unwrap().settle(|_| 1_000 * MILLI);
            // 600 are owed beyond the 75 that were left: told with the next renewal, and paid
            // by the refill before anybody gets anything.
            sleep(Duration::from_millis(2_100)).await;
            let refused = stage.meter.reserve(&[want(&limit, 100)], Priority::Normal).await;
            let wait = refused.unwrap_err().retry_after.unwrap();
            assert!((33..=41).contains(&wait.as_secs()), "{wait:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_spent_while_cut_off_is_counted_when_the_leader_is_there_again() {
    let limit = but(&rpm(1, 960), |it| it.mode = Mode::Availability);
    let stage = Stage::new(&[&limit]);
    stage.cut.store(true, Ordering::SeqCst);
    stage
        .run(async {
            for _ in 0..3 {
                let passed = ask(&stage.meter, &[&limit]).await.unwrap();
                assert_eq!(passed.parts()[0].verdict, Verdict::Fallback);
                passed.settle(|_| 2 * MILLI);
            }
            stage.cut.store(false, Ordering::SeqCst);
            sleep(Duration::from_secs(5)).await;
            ask(&stage.meter, &[&limit]).await.unwrap().settle(|_| MILLI);
            sleep(Duration::from_secs(3)).await;
            let of = LeaseOf { limit: limit.id, generation: 1 };
            let status = stage.leader.lock().unwrap().status(stage.now_us(), of).unwrap();
            assert_eq!(status.used_milli, 7 * MILLI);
        })
        .await;
}
