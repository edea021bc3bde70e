//! Who waits, in which order, and that it leaves no trace.

use super::*;
use std::sync::Mutex;

/// A limit of one seat, in which requests may wait.
fn one_seat(queue_ms: u32) -> Arc<Limit> {
    but(&seats(1, 1), |it| it.queue_ms = queue_ms)
}

#[tokio::test(start_paused = true)]
async fn who_came_first_goes_first_and_the_low_class_after_the_normal_one() {
    let limit = one_seat(10_000);
    let stage = Stage::new(&[&limit]);
    let order = Mutex::new(Vec::new());
    stage
        .run(async {
            let held = ask(&stage.meter, &[&limit]).await.unwrap();
            let wait = |name: &'static str, priority, after_ms| {
                let (meter, limit, order) = (&stage.meter, &limit, &order);
                async move {
                    sleep(Duration::from_millis(after_ms)).await;
                    let seat = meter.reserve(&[want(limit, 1)], priority).await.unwrap();
                    order.lock().unwrap().push(name);
                    sleep(Duration::from_millis(10)).await;
                    seat.undo();
                }
            };
            let free = async {
                sleep(Duration::from_millis(500)).await;
                held.undo();
            };
            tokio::join!(
                wait("low 1", Priority::Low, 10),
                wait("low 2", Priority::Low, 20),
                wait("normal 1", Priority::Normal, 30),
                wait("normal 2", Priority::Normal, 40),
                // Comes when there is room for a moment, and must not take it from who waits.
                wait("late", Priority::Normal, 500),
                free,
            );
        })
        .await;
    assert_eq!(*order.lock().unwrap(), ["normal 1", "normal 2", "late", "low 1", "low 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_limit_says() {
    let limit = one_seat(300);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let held = ask(&stage.meter, &[&limit]).await.unwrap();
            let began = Instant::now();
            let refused = crowd(&stage.meter, &[&limit], 3).await;
            assert!(refused.iter().all(|it| it.as_ref().unwrap_err().why == ShortWhy::Exhausted));
            let waited = began.elapsed().as_millis();
            assert!((300..330).contains(&waited), "{waited}");
            held.undo();
            let began = Instant::now();
            ask(&stage.meter, &[&limit]).await.unwrap().undo();
            assert!(began.elapsed() < Duration::from_millis(60), "{:?}", began.elapsed());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_who_is_refused_is_refused_at_once() {
    let limit = one_seat(0);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let _held = ask(&stage.meter, &[&limit]).await.unwrap();
            let began = Instant::now();
            let refused = crowd(&stage.meter, &[&limit], 20).await;
            assert!(refused.iter().all(|it| it.as_ref().unwrap_err().why == ShortWhy::Exhausted));
            assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_rate_is_as_long_as_the_refill_takes() {
    let limit = but(&rpm(1, 60), |it| it.queue_ms = 5_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let all = crowd(&stage.meter, &[&limit], 60).await;
            all.into_iter().for_each(|it| it.unwrap().settle(|_| MILLI));
            let began = Instant::now();
            let late = crowd(&stage.meter, &[&limit], 3).await;
            assert!(late.into_iter().all(|it| it.is_ok()));
            let waited = began.elapsed().as_millis();
            assert!((2_900..3_400).contains(&waited), "three, one in a second: {waited}");
            // A wait that cannot end well does not begin.
            let began = Instant::now();
            let busy = crowd(&stage.meter, &[&limit], 9).await;
            let passed = busy.iter().filter(|it| it.is_ok()).count();
            assert!((4..=5).contains(&passed), "{passed}");
            assert!(began.elapsed() < Duration::from_millis(5_100), "{:?}", began.elapsed());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_who_goes_away_while_waiting_leaves_no_trace_and_blocks_nobody() {
    let limit = one_seat(10_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let held = ask(&stage.meter, &[&limit]).await.unwrap();
            let gone = tokio::time::timeout(Duration::from_millis(100), async {
                let _ = crowd(&stage.meter, &[&limit], 5).await;
            });
            assert!(gone.await.is_err());
            let letter = stage.meter.renewals().remove(0);
            assert_eq!(letter.entries[0].need_milli, 0, "nobody wants anything any more");
            held.undo();
            ask(&stage.meter, &[&limit]).await.unwrap().undo();
            assert_eq!(stage.meter.standing(&[&limit])[0].1.reserved_milli, 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_leader_is_waited_for_fifty_milliseconds_and_a_lost_one_not_at_all() {
    use std::sync::atomic::Ordering::SeqCst;
    let limit = rpm(1, 60);
    let stage = Stage::new(&[&limit]);
    stage.cut.store(true, SeqCst);
    stage
        .run(async {
            let began = Instant::now();
            let refused = crowd(&stage.meter, &[&limit], 4).await;
            let whys = refused.iter().map(|it| it.as_ref().unwrap_err().why);
            assert!(
                whys.into_iter().all(|it| it == ShortWhy::Unanswered),
                "it is there, and silent"
            );
            let wait = refused[0].as_ref().unwrap_err().retry_after;
            assert_eq!(wait, Some(Duration::from_millis(200)));
            assert_eq!(began.elapsed(), Duration::from_millis(50));
            let began = Instant::now();
            let one = [&limit];
            let (refused, ()) = tokio::join!(ask(&stage.meter, &one), async {
                sleep(Duration::from_millis(20)).await;
                stage.meter.on_lost();
            });
            assert_eq!(refused.unwrap_err().why, ShortWhy::Disconnected);
            assert_eq!(began.elapsed(), Duration::from_millis(20), "told as soon as it is known");
            let began = Instant::now();
            assert!(ask(&stage.meter, &[&limit]).await.is_err());
            assert_eq!(began.elapsed(), Duration::ZERO);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn who_stands_behind_others_goes_on_with_what_is_set_aside_too() {
    use std::sync::atomic::Ordering::SeqCst;
    let limit = but(&rpm(1, 960), |it| it.mode = Mode::Availability);
    let stage = Stage::new(&[&limit]);
    stage.cut.store(true, SeqCst);
    stage
        .run(async {
            let wants = [want(&limit, 1)];
            let after = async |ms, priority| {
                sleep(Duration::from_millis(ms)).await;
                stage.meter.reserve(&wants, priority).await.unwrap()
            };
            // The low one's time is over while the other, who came later, is before it.
            let both = tokio::join!(after(0, Priority::Low), after(10, Priority::Normal));
            assert_eq!(both.0.parts()[0].verdict, Verdict::Fallback);
            assert_eq!(both.1.parts()[0].verdict, Verdict::Fallback);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn who_has_somewhere_else_to_go_stands_in_no_line() {
    let limit = one_seat(10_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let held = ask(&stage.meter, &[&limit]).await.unwrap();
            let wants = [want(&limit, 1)];
            let began = Instant::now();
            let refused = stage.meter.reserve_now(&wants, Priority::Normal).await.unwrap_err();
            assert_eq!(refused.why, ShortWhy::Exhausted);
            assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
            // Nor behind those who do: the leader has said no to them.
            let patient = stage.meter.reserve(&wants, Priority::Normal);
            let hasty = async {
                sleep(Duration::from_millis(20)).await;
                let began = Instant::now();
                let refused = stage.meter.reserve_now(&wants, Priority::Normal).await;
                assert_eq!(refused.unwrap_err().why, ShortWhy::Exhausted);
                assert_eq!(began.elapsed(), Duration::ZERO);
                assert_eq!(stage.meter.waiting(), 1);
                held.undo();
            };
            let (patient, ()) = tokio::join!(patient, hasty);
            patient.unwrap().undo();
            assert_eq!(stage.meter.waiting(), 0);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_has_an_end() {
    let limit = one_seat(60_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let _held = ask(&stage.meter, &[&limit]).await.unwrap();
            let one = [&limit];
            let waited = crowd(&stage.meter, &one, 1_100);
            let waited = tokio::time::timeout(Duration::from_secs(70), waited).await.unwrap();
            let at_once = waited
                .iter()
                .filter(|it| it.as_ref().unwrap_err().parts.last().unwrap().waited_ms < 1_000);
            let whys: Vec<_> = at_once.map(|it| it.as_ref().unwrap_err()).collect();
            assert_eq!(whys.len(), 1_100 - 1_024);
            for it in whys {
                assert_eq!(it.why, ShortWhy::Crowded, "it is not said to be used up");
                assert_eq!(it.retry_after, Some(Duration::from_secs(1)));
            }
        })
        .await;
}

/// One of whom nobody knows what is left refuses nobody who may go on without.
#[tokio::test(start_paused = true)]
async fn no_room_in_the_line_refuses_nobody_who_may_go_on_without() {
    let strict = but(&rpm(1, 960), |it| it.mode = Mode::Availability);
    let shadow = but(&rpm(2, 960), |it| it.action = Action::Shadow);
    for (limit, verdict) in [(strict, Verdict::Fallback), (shadow, Verdict::Unknown)] {
        let stage = Stage::new(&[&limit]);
        stage.cut.store(true, std::sync::atomic::Ordering::SeqCst);
        stage
            .run(async {
                let one = [&limit];
                let all = crowd(&stage.meter, &one, 1_025).await;
                let last = all.into_iter().next_back().unwrap();
                let last = last.expect("it goes on");
                assert_eq!((last.parts()[0].verdict, last.parts()[0].waited_ms), (verdict, 0));
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_limit_that_is_reset_passes_by_the_new_one() {
    let limit = one_seat(10_000);
    let stage = Stage::new(&[&limit]);
    stage
        .run(async {
            let _held = ask(&stage.meter, &[&limit]).await.unwrap();
            let reset = async {
                sleep(Duration::from_millis(100)).await;
                let reset = but(&limit, |it| it.generation = 2);
                let of = LeaseOf { limit: reset.id, generation: 2 };
                let supply = Supply::of(&reset).unwrap();
                stage.leader.lock().unwrap().set(stage.now_us(), of, supply, 0);
                stage.meter.on_limits(16, |_| Some(Arc::clone(&reset)));
            };
            let began = Instant::now();
            let one = [&limit];
            let (passed, ()) = tokio::join!(ask(&stage.meter, &one), reset);
            assert_eq!(passed.unwrap().parts()[0].verdict, Verdict::Passed);
            assert!(began.elapsed() < Duration::from_millis(160), "{:?}", began.elapsed());
            assert_eq!(stage.meter.in_use(), 1);
        })
        .await;
}
