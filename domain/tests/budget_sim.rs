//! Chunks against a model of the database, with everything going wrong that can.
//!
//! Runs the production state machines over a network that loses, doubles, delays and
//! reorders, with holders and leaders that crash, leaders that come back from the dead,
//! databases that are away or do not say what they did, windows that roll over and
//! limits that change. After every event what was let through is compared with what was
//! allowed. `SLUICE_SIM_SEEDS` says how many seeds, `SLUICE_SIM_SEED` runs only one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "budget_sim/chance.rs"]
mod chance;
#[path = "budget_sim/ledger.rs"]
mod ledger;
#[path = "budget_sim/world.rs"]
mod world;

use domain::catalog::Mode;
use world::{Broken, Outcome, Plan, World};

/// Seeds of one ordinary run, for each of the plans.
const SEEDS: u64 = 200;

fn seeds() -> Vec<u64> {
    let number = |name: &str| -> Option<u64> { setting(name)?.parse().ok() };
    match number("SLUICE_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SLUICE_SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a test runs is told to it from outside")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs all seeds of a plan; the first that is wrong is printed.
fn holds(plan: &Plan) {
    let mut spent = 0u64;
    for seed in seeds() {
        let outcome = World::run(seed, plan, Broken::Nothing).unwrap_or_else(|wrong| {
            panic!("{plan:?}\nSLUICE_SIM_SEED={seed}: {wrong}");
        });
        spent += outcome.spent_milli;
    }
    assert!(0 < spent, "nothing was ever let through");
}

#[test]
fn a_strict_window_is_never_exceeded_and_can_be_used_up() {
    holds(&Plan { mode: Mode::Strict, ..Plan::default() });
}

#[test]
fn a_strict_window_is_not_exceeded_even_without_fences_between_leaders() {
    holds(&Plan { fenced: false, ..Plan::default() });
}

#[test]
fn a_grant_without_end_is_never_exceeded_and_can_be_used_up() {
    holds(&Plan { rolls: false, ..Plan::default() });
}

#[test]
fn availability_exceeds_by_no_more_than_a_leader_took_with_it() {
    holds(&Plan { mode: Mode::Availability, outages: 0.02, ..Plan::default() });
}

#[test]
fn requests_that_used_more_than_they_held_are_paid_for() {
    holds(&Plan { excess: 0.2, ..Plan::default() });
}

#[test]
fn without_faults_nothing_is_lost_and_all_is_used() {
    let plan = Plan { faults: false, ..Plan::default() };
    for seed in seeds() {
        let outcome = World::run(seed, &plan, Broken::Nothing).unwrap();
        assert!(outcome.lost_milli == 0, "SLUICE_SIM_SEED={seed}: {outcome:?}");
    }
}

/// How many of 60 seeds notice that a rule is broken.
fn caught(broken: Broken, plan: &Plan) -> usize {
    (1..=60).filter(|seed| World::run(*seed, plan, broken).is_err()).count()
}

#[test]
fn each_broken_rule_is_noticed() {
    let strict = Plan::default();
    for (broken, plan) in [
        (Broken::CreditTwice, &strict),
        (Broken::GiveBackTwice, &strict),
        (Broken::NumbersFromZero, &Plan { rolls: false, ..Plan::default() }),
        (Broken::DrawnTwice, &strict),
        (Broken::FailedIsGot, &Plan { outages: 0.02, ..Plan::default() }),
        (Broken::NothingOwed, &Plan { mode: Mode::Availability, outages: 0.02, ..Plan::default() }),
    ] {
        let caught = caught(broken, plan);
        assert!(0 < caught, "{broken:?} is not noticed");
    }
}

#[test]
fn a_seed_runs_the_same_way_again() {
    let run = || -> Outcome { World::run(7, &Plan::default(), Broken::Nothing).unwrap() };
    assert_eq!(run(), run());
}
