//! Each rule of the leases, taken away, must be noticed: a rule that nothing notices is
//! either not needed or not tested.
#![expect(clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "lease_sim.rs"]
mod lease_sim;

use domain::limit::lease::mutant::Mutant;
use lease_sim::sim::{plan::Plan, run::run, schedule};

/// Within so many seeds a broken rule is noticed.
const SEEDS: u64 = 400;

/// By chance: some seed breaks an oracle.
fn seeds_notice(mutant: Mutant) {
    let seen =
        (1..=SEEDS).find_map(|seed| run(Plan::of(seed), Some(mutant)).err().map(|it| (seed, it)));
    let (seed, why) = seen.unwrap_or_else(|| panic!("{mutant:?} survived {SEEDS} seeds"));
    println!("{mutant:?}: seed {seed}: {why}");
}

/// By a schedule: it holds with the rule, and breaks without.
fn schedule_notices(mutant: Mutant, schedule: fn(Option<Mutant>) -> i128) {
    assert_eq!(schedule(None), 0, "{mutant:?}: too much with all rules");
    let over = schedule(Some(mutant));
    assert!(0 < over, "{mutant:?} survived");
    println!("{mutant:?}: {over} thousandths beyond the limit");
}

macro_rules! noticed {
    ($($name:ident, $mutant:ident;)*) => {
        $(#[test]
        fn $name() {
            seeds_notice(Mutant::$mutant);
        })*
    };
}

noticed! {
    a_bucket_that_is_full_after_a_resize, FullOnResize;
    a_grant_that_is_applied_twice, TwiceApplied;
    a_shrink_that_is_lent_on_before_it_is_confirmed, FreedBeforeAck;
    a_lease_that_ends_by_the_wall_clock, WallClock;
    a_lease_that_counts_from_receipt, FromReceipt;
    a_leader_that_does_not_learn, NoLearning;
    a_resize_that_keeps_the_ratio, RatioFill;
    a_leader_that_was_replaced_and_goes_on, Zombie;
    a_debt_that_nobody_pays, NoDebt;
}

#[test]
fn a_push_that_extends_a_lease() {
    schedule_notices(Mutant::PushExtends, schedule::push_to_one_who_is_cut_off);
}

#[test]
fn a_claim_without_a_handshake() {
    schedule_notices(Mutant::NoHandshake, schedule::late_word_to_a_new_leader);
}

#[test]
fn a_refund_of_what_the_dead_had() {
    schedule_notices(Mutant::RefundDead, schedule::dead_with_a_level);
}

#[test]
fn a_refund_that_goes_back_whole() {
    schedule_notices(Mutant::NaiveRefund, schedule::refund_of_what_was_refilled);
}

#[test]
fn no_mutant_is_left_out() {
    assert_eq!(Mutant::ALL.len(), 9 + 4);
}
