//! Limits over a fleet that is killed, stopped, cut and changed under load. The short
//! run; `make chaos` is the long one.
#![expect(clippy::disallowed_methods, reason = "tests are told by the environment")]

use e2e::chaos::{Plan, run};
use std::time::Duration;

/// A whole number from the environment, for longer runs and for one again.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_whatever_dies() {
    let plan = Plan {
        seed: setting("SLUICE_CHAOS_SEED", 20_261_120),
        faults: usize::try_from(setting("SLUICE_CHAOS_FAULTS", 7)).unwrap(),
        quiet: Duration::from_secs(setting("SLUICE_CHAOS_QUIET_SECONDS", 8)),
    };
    let verdict = run(plan).await.unwrap();
    println!("{plan:?}: {verdict:#?}");
    assert!(verdict.broken.is_empty(), "seed {}: {verdict:#?}", plan.seed);
    assert_eq!(verdict.over_milli, 0, "the leader's own measure: {verdict:#?}");
    assert!(verdict.served > 500, "hardly anything was served: {verdict:#?}");
}
