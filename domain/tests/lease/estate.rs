//! What a leader that ends as planned leaves to the next one.

use super::sim::bench::Bench;
use domain::{
    id::LimitId,
    limit::{
        LeaseOf,
        lease::leader::{Estate, Leader, Start},
        supply::Supply,
    },
};
use std::collections::BTreeSet;
use uuid::Uuid;

const TEN: Supply = Supply::Flow { rate_nano: 1_000_000_000, burst_milli: 10_000 };

fn level(bench: &Bench, node: usize) -> i64 {
    bench.nodes[node].lease.view(bench.now_us).level_milli
}

fn free(bench: &Bench) -> i64 {
    bench.leader.status(bench.now_us, bench.of).unwrap().free_milli
}

/// The leader ends as planned, and another takes what it left.
fn hand_over(bench: &mut Bench, epoch: u64) -> Estate {
    let next = |recorded| Leader::new(bench.now_us, epoch, Start::Learning { recorded });
    let before = std::mem::replace(&mut bench.leader, next(BTreeSet::new()));
    let estate = before.leave(bench.now_us).unwrap();
    bench.leader = next(estate.holders.clone());
    bench.leader.inherit(estate.clone());
    bench.leader.set(bench.now_us, bench.of, bench.supply, 0);
    estate
}

#[test]
fn who_ends_as_planned_leaves_what_lies_in_the_pool_and_no_more() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 4_000, 1);
    let estate = hand_over(&mut bench, 2);
    assert_eq!(estate.holders, BTreeSet::from([bench.nodes[0].holder]));
    // What was lent is still at its holder: nobody is lent anything before it says so.
    assert!(bench.leader.is_learning(bench.now_us));
    assert_eq!(free(&bench), 0);
    bench.talk(0);
    bench.talk(0);
    assert!(!bench.leader.is_learning(bench.now_us));
    assert_eq!(free(&bench) + level(&bench, 0), 10_000);
    // The same once more; and what was never met is as if nobody had used it.
    hand_over(&mut bench, 3);
    bench.talk(0);
    assert_eq!(free(&bench) + level(&bench, 0), 10_000);
    let other = LeaseOf { generation: 2, ..bench.of };
    bench.leader.set(bench.now_us, other, TEN, 0);
    assert_eq!(bench.leader.status(bench.now_us, other).unwrap().free_milli, 10_000);
}

#[test]
fn who_began_without_knowing_leaves_no_burst_of_what_it_never_met() {
    let mut bench = Bench::new(TEN, None);
    let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(8)), generation: 0 };
    bench.leader = Leader::new(bench.now_us, 2, Start::Learning { recorded: BTreeSet::new() });
    assert!(!bench.leader.is_learning(bench.now_us));
    bench.pass_ms(2_000);
    let estate = hand_over(&mut bench, 3);
    assert_eq!((estate.others_empty_us, estate.levels.len()), (Some(1_950_000), 0));
    bench.pass_ms(50);
    bench.leader.set(bench.now_us, of, TEN, 0);
    assert_eq!(bench.leader.status(bench.now_us, of).unwrap().free_milli, 1_950);
}

#[test]
fn who_still_learns_leaves_nothing() {
    let mut bench = Bench::new(TEN, None);
    bench.elect();
    let next = Leader::new(bench.now_us, 3, Start::Fresh);
    assert_eq!(std::mem::replace(&mut bench.leader, next).leave(bench.now_us), None);
}

#[test]
fn what_is_left_is_not_more_after_a_raise_than_before_it() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 1_000, 1);
    hand_over(&mut bench, 2);
    let anew = LeaseOf { generation: 2, ..bench.of };
    bench.leader.set(bench.now_us, anew, TEN, 0);
    let raised = Supply::Flow { rate_nano: 1_000_000_000, burst_milli: 50_000 };
    bench.leader.set(bench.now_us, anew, raised, 0);
    bench.talk(0);
    assert!(!bench.leader.is_learning(bench.now_us));
    assert_eq!(bench.leader.status(bench.now_us, anew).unwrap().free_milli, 10_000);
}

#[test]
fn what_is_younger_than_the_leader_begins_full_and_what_is_older_does_not() {
    let mut bench = Bench::new(TEN, None);
    let of = |number| LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(number)), generation: 0 };
    bench.leader = Leader::new(bench.now_us, 2, Start::Learning { recorded: BTreeSet::new() });
    assert!(!bench.leader.is_learning(bench.now_us));
    bench.leader.set(bench.now_us, of(8), TEN, 0);
    bench.leader.begin(bench.now_us, of(9), TEN, 0);
    let free = |of| bench.leader.status(bench.now_us, of).unwrap().free_milli;
    assert_eq!((free(of(8)), free(of(9))), (0, 10_000));
    // Another generation of what is older is younger.
    let anew = LeaseOf { generation: 1, ..of(8) };
    bench.leader.begin(bench.now_us, anew, TEN, 0);
    assert_eq!(bench.leader.status(bench.now_us, anew).unwrap().free_milli, 10_000);
}
