//! Limits over a fleet that is killed, stopped, cut and changed under load. The short
//! run; `make chaos` is the long one.
#![expect(clippy::disallowed_methods, reason = "tests are told by the environment")]

use e2e::chaos::{Plan, run};
use std::time::Duration;

/// A whole number from the environment, for longer runs and for one again.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|it| it.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_whatever_dies() {
    let dice = setting("SLUICE_CHAOS_FAULTS");
    let plan = Plan {
        seed: setting("SLUICE_CHAOS_SEED").unwrap_or(20_261_120),
        dice: usize::try_from(dice.unwrap_or(0)).unwrap(),
        quiet: Duration::from_secs(setting("SLUICE_CHAOS_QUIET_SECONDS").unwrap_or(8)),
        short: dice.is_none(),
    };
    let verdict = run(plan).await.unwrap();
    println!("{plan:?}: {verdict:#?}");
    for calm in &verdict.calm {
        let (requests, tokens) = (calm.requests.used(), calm.tokens.used());
        println!("calm: {requests:.3} of the requests, {tokens:.3} of the tokens used");
    }
    assert!(verdict.broken.is_empty(), "seed {}: {verdict:#?}", plan.seed);
    assert_eq!(verdict.over_milli, 0, "the leader's own measure: {verdict:#?}");
    assert!(verdict.served > 500, "hardly anything was served: {verdict:#?}");
    // A look so short that an old limit would not have been noticed proves nothing.
    assert!(verdict.low_ms > 4_000, "the lowered limit was hardly looked at: {verdict:#?}");
    let books = &verdict.books;
    assert!(books.equal > 9 * books.estimated, "hardly anything can be compared: {verdict:#?}");
}
