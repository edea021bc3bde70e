//! Limits on trial: they count and report, and are in nobody's way.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_limit_on_trial_counts_and_never_refuses() {
    let trial = but(&rpm(1, 3), |it| it.action = Action::Shadow);
    let stage = Stage::new(&[&trial]);
    stage
        .run(async {
            let mut verdicts = Vec::new();
            for _ in 0..5 {
                let reservation = ask(&stage.meter, &[&trial]).await.unwrap();
                assert_eq!(reservation.parts()[0].waited_ms, 0);
                verdicts.push(reservation.would_refuse().count());
                // The first goes on before the leader says anything, and counts at its end.
                sleep(Duration::from_millis(10)).await;
                reservation.settle(|_| MILLI);
            }
            // The fourth, too, hears it at its end only.
            assert_eq!(verdicts, [0, 0, 0, 0, 1]);
            let view = stage.meter.standing(&[&trial])[0].1;
            assert_eq!((view.spent_milli, view.denied), (3 * MILLI, 2));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_whose_leader_is_silent_lets_through_uncounted() {
    let trial = but(&rpm(1, 3), |it| it.action = Action::Shadow);
    let stage = Stage::new(&[&trial]);
    stage.cut.store(true, std::sync::atomic::Ordering::SeqCst);
    let play = async {
        let began = Instant::now();
        for _ in 0..100 {
            let reservation = ask(&stage.meter, &[&trial]).await.unwrap();
            assert_eq!(reservation.parts()[0].verdict, Verdict::Unknown);
            reservation.settle(|_| MILLI);
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody is kept waiting");
        // Nothing is wanted any more where nobody can be asked.
        assert!(0 < stage.meter.renewals()[0].entries[0].need_milli);
        stage.meter.on_lost();
        assert_eq!(stage.meter.renewals()[0].entries[0].need_milli, 0);
    };
    stage.run(play).await;
}

/// What the one before asked for is there for the next, and for itself at its end.
#[tokio::test(start_paused = true)]
async fn what_a_trial_could_not_say_at_once_is_counted_at_the_end() {
    let trial = but(&tpm(1, 1_000), |it| it.action = Action::Shadow);
    let stage = Stage::new(&[&trial]);
    stage
        .run(async {
            let wants = [want(&trial, 100)];
            let reservation = stage.meter.reserve(&wants, Priority::Normal).await.unwrap();
            assert_eq!(reservation.parts()[0].verdict, Verdict::Unknown);
            sleep(Duration::from_millis(10)).await;
            reservation.settle(|_| 70 * MILLI);
            let view = stage.meter.standing(&[&trial])[0].1;
            assert_eq!((view.spent_milli, view.reserved_milli), (70 * MILLI, 0));
            assert_eq!(stage.meter.renewals()[0].entries[0].need_milli, 0, "it was answered");
            // One that was given up, or refused by another limit, counts nothing.
            let large = [want(&trial, 500)];
            let reservation = stage.meter.reserve(&large, Priority::Normal).await.unwrap();
            assert_eq!(reservation.parts()[0].verdict, Verdict::Unknown);
            reservation.undo();
            assert_eq!(stage.meter.standing(&[&trial])[0].1.spent_milli, 70 * MILLI);
        })
        .await;
}
