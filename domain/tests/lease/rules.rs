//! What the leases promise, one promise at a time.

use super::sim::{bench::Bench, plan::S, schedule};
use domain::limit::{
    LeaseOf,
    hold::{Applied, Short},
    lease::leader::{Heard, Leader, Start},
    message::{Denied, Sync, Why},
    supply::Supply,
};
use std::collections::BTreeSet;

const TEN: Supply = Supply::Flow { rate_nano: 1_000_000_000, burst_milli: 10_000 };
const SEATS: Supply = Supply::Seats { total_milli: 4_000 };

fn level(bench: &Bench, node: usize) -> i64 {
    bench.nodes[node].lease.view(bench.now_us).level_milli
}

fn free(bench: &Bench) -> i64 {
    bench.leader.status(bench.now_us, bench.of).unwrap().free_milli
}

#[test]
fn schedules_that_broke_a_rule_hold_with_all_of_them() {
    assert_eq!(schedule::dead_with_a_level(None), 0);
    assert_eq!(schedule::push_to_one_who_is_cut_off(None), 0);
    assert_eq!(schedule::late_word_to_a_new_leader(None), 0);
    assert_eq!(schedule::refund_of_what_was_refilled(None), 0);
}

#[test]
fn what_is_lent_leaves_the_pool_and_comes_back_when_it_is_given_up() {
    let mut bench = Bench::new(TEN, None);
    assert_eq!(bench.nodes[0].lease.take(bench.now_us, 1_000).unwrap_err(), Short::Ask);
    bench.fetch(0, 4_000, 1);
    assert_eq!((level(&bench, 0), free(&bench)), (4_000, 6_000));
    // Idle for five renewals.
    for _ in 0..6 {
        bench.pass_ms(2_000);
        bench.talk(0);
    }
    assert!(bench.nodes[0].lease.released());
    assert_eq!(free(&bench), 10_000);
    assert!(bench.leader.status(bench.now_us, bench.of).unwrap().leases.is_empty());
}

#[test]
fn a_refusal_says_exactly_when_there_is_enough() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 10_000, 1);
    let all = bench.take(0, 10_000).unwrap();
    bench.nodes[0].lease.settle(bench.now_us, all, 10_000);
    bench.talk(0);
    bench.talk(0);
    bench.nodes[1].lease.want(2_500);
    let told = bench.talk(1);
    assert_eq!(told, Some(Applied::Denied(Denied { retry_us: 2_500_000, why: Why::Exhausted })));
    bench.nodes[1].lease.unwant(2_500);
    let until_us = bench.now_us + 2_500_000;
    let now_us = bench.now_us + 10_000;
    let refused = |bench: &mut Bench, milli| bench.nodes[1].lease.take(now_us, milli).unwrap_err();
    let denied = |until_us| Short::Denied { until_us, why: Why::Exhausted };
    assert_eq!(refused(&mut bench, 2_500), denied(until_us));
    // More takes longer; less may be had sooner.
    assert_eq!(refused(&mut bench, 4_000), denied(until_us + 1_500_000));
    assert_eq!(refused(&mut bench, 1_000), Short::Ask);
    assert_eq!(refused(&mut bench, 11_000), Short::TooLarge { largest_milli: 10_000 });
    bench.pass_ms(2_500);
    bench.fetch(1, 2_500, 2);
    assert_eq!(level(&bench, 1), 2_500);
}

#[test]
fn credits_of_an_idle_holder_go_to_one_who_needs_them() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 8_000, 1);
    bench.talk(0);
    bench.nodes[1].lease.want(5_000);
    bench.talk(1);
    assert_eq!(bench.talk(1), None, "it is not refused before that had the time to come back");
    let push = bench.push(0).unwrap();
    assert_eq!(bench.down(0, &push), Some(Applied::Granted));
    assert!(bench.nodes[0].lease.should_ask(bench.now_us), "what is over is told at once");
    bench.talk(0);
    let push = bench.push(1).unwrap();
    assert_eq!(bench.down(1, &push), Some(Applied::Granted));
    assert_eq!(level(&bench, 1), 5_000);
}

#[test]
fn what_is_called_in_and_does_not_come_is_waited_for_no_longer_than_a_request_waits() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 8_000, 1);
    bench.talk(0);
    bench.nodes[1].lease.want(5_000);
    bench.talk(1);
    assert_eq!(bench.talk(1), None);
    assert!(bench.push(0).is_some(), "the other is asked, and does not answer");
    bench.now_us += 24_000;
    assert_eq!(bench.leader.hurry(bench.now_us).len(), 0);
    assert!(bench.leader.is_awaited());
    bench.now_us += 1_000;
    let denied = bench.leader.hurry(bench.now_us).remove(0).1;
    let Some(Applied::Denied(denied)) = bench.down(1, &denied) else { panic!("{denied:?}") };
    // From now on it is told when the pool refills, however often it asks.
    assert_eq!(denied.retry_us, 3_000_000);
    assert!(!bench.leader.is_awaited());
    bench.now_us += 100_000;
    let Some(Applied::Denied(denied)) = bench.talk(1) else { panic!("it is held back again") };
    assert!(2_900_000 <= denied.retry_us, "{denied:?}");
}

#[test]
fn a_lease_ends_at_its_holder_before_it_ends_at_the_leader() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 5_000, 1);
    let sent_us = bench.now_us;
    bench.pass_ms(7_990);
    assert!(bench.nodes[0].lease.view(bench.now_us).live);
    bench.pass_ms(7);
    assert!(!bench.nodes[0].lease.view(bench.now_us).live);
    assert_eq!(bench.nodes[0].lease.take(bench.now_us, 1_000).unwrap_err(), Short::Ask);
    let lent = |bench: &Bench| bench.leader.status(bench.now_us, bench.of).unwrap().leases.len();
    assert_eq!(lent(&bench), 1);
    bench.pass_ms(20);
    assert_eq!((lent(&bench), bench.now_us - sent_us), (0, 8_017_000));
}

#[test]
fn a_new_leader_lends_nothing_until_all_have_told_what_they_have() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 4_000, 1);
    bench.talk(0);
    bench.talk(1);
    bench.elect();
    bench.nodes[1].lease.want(1_000);
    assert!(matches!(bench.talk(1), Some(Applied::Denied(Denied { why: Why::Learning, .. }))));
    assert!(bench.leader.is_learning(bench.now_us));
    bench.talk(0);
    assert!(!bench.leader.is_learning(bench.now_us), "both have told");
    // What was claimed is still there; the pool begins empty.
    assert_eq!((level(&bench, 0), free(&bench)), (4_000, 0));
    bench.pass_ms(1_000);
    bench.talk(1);
    assert_eq!(bench.talk(1), Some(Applied::Unchanged));
    assert_eq!(level(&bench, 1), 1_000);
}

#[test]
fn a_new_leader_waits_for_one_who_never_tells_until_its_lease_is_over() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 4_000, 1);
    bench.talk(1);
    bench.elect();
    bench.talk(1);
    bench.pass_ms(7_950);
    assert!(bench.leader.is_learning(bench.now_us));
    bench.pass_ms(100);
    assert!(!bench.leader.is_learning(bench.now_us));
}

#[test]
fn a_leader_steps_down_before_a_newer_epoch_and_when_its_time_is_over() {
    let mut bench = Bench::new(TEN, None);
    let newer = Sync { epoch: 9, number: 1, ..Sync::default() };
    assert_eq!(bench.up(0, &newer), Heard::StepDown);
    bench.leader.lead_until(bench.now_us + 1_000);
    let sync = bench.say(0);
    assert!(matches!(bench.up(0, &sync), Heard::Fine(_) | Heard::Hello(_)));
    bench.now_us += 1_000;
    let sync = bench.say(0);
    assert_eq!(bench.up(0, &sync), Heard::StepDown);
}

#[test]
fn a_message_is_heard_once() {
    let mut bench = Bench::new(TEN, None);
    bench.talk(0);
    let sync = bench.say(0);
    assert!(matches!(bench.up(0, &sync), Heard::Fine(_)));
    assert_eq!(bench.up(0, &sync), Heard::Duplicate);
}

#[test]
fn a_cut_reaches_all_holders_at_once_and_one_who_is_away_when_its_lease_ends() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 4_000, 1);
    bench.fetch(1, 6_000, 1);
    bench.talk(0);
    bench.talk(1);
    let half = Supply::Flow { rate_nano: 500_000_000, burst_milli: 5_000 };
    bench.leader.set(bench.now_us, bench.of, half, 0);
    let push = bench.push(0).unwrap();
    bench.down(0, &push);
    bench.talk(0);
    assert_eq!(level(&bench, 0), 2_000);
    let granted = |bench: &Bench| bench.leader.status(bench.now_us, bench.of).unwrap().granted;
    assert_eq!(granted(&bench).cap_milli, 8_000);
    bench.pass_ms(4_000);
    bench.talk(0);
    bench.pass_ms(4_100);
    bench.talk(0);
    assert!(granted(&bench).cap_milli <= 5_000);
    assert!(free(&bench) <= 5_000);
}

#[test]
fn a_raise_mints_nothing() {
    let mut bench = Bench::new(TEN, None);
    let double = Supply::Flow { rate_nano: 2_000_000_000, burst_milli: 20_000 };
    bench.leader.set(bench.now_us, bench.of, double, 0);
    assert_eq!(free(&bench), 10_000);
    bench.pass_ms(1_000);
    assert_eq!(free(&bench), 12_000);
}

#[test]
fn a_reset_begins_anew_and_voids_every_lease() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 10_000, 1);
    assert!(bench.take(0, 8_000).is_some());
    let of = LeaseOf { generation: 2, ..bench.of };
    bench.leader.set(bench.now_us, of, TEN, 0);
    let push = bench.push(0).unwrap();
    assert_eq!(bench.down(0, &push), Some(Applied::Reset));
    assert!(!bench.nodes[0].lease.view(bench.now_us).live);
    assert_eq!(bench.leader.status(bench.now_us, of).unwrap().free_milli, 10_000);
    assert!(bench.leader.status(bench.now_us, bench.of).is_none());
    // An old generation does not come back.
    bench.leader.set(bench.now_us, bench.of, TEN, 0);
    assert!(bench.leader.status(bench.now_us, bench.of).is_none());
    bench.nodes[0].lease.want(1_000);
    assert_eq!(bench.talk(0), Some(Applied::Reset));
}

#[test]
fn a_limit_that_is_gone_is_said_to_be_unknown() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 1_000, 1);
    bench.leader.remove(bench.now_us, bench.of);
    bench.nodes[0].lease.want(5_000);
    assert_eq!(bench.talk(0), Some(Applied::Reset));
    let refused = bench.nodes[0].lease.take(bench.now_us, 5_000).unwrap_err();
    assert!(matches!(refused, Short::Denied { why: Why::Unknown, .. }));
}

#[test]
fn a_part_that_is_set_aside_is_never_lent() {
    let mut bench = Bench::new(TEN, None);
    bench.leader.set(bench.now_us, bench.of, TEN, 100_000);
    let status = bench.leader.status(bench.now_us, bench.of).unwrap();
    assert_eq!((status.free_milli, status.own.rate_nano), (9_000, 900_000_000));
    bench.fetch(0, 10_000, 3);
    assert!(level(&bench, 0) <= 9_000);
}

#[test]
fn a_debt_becomes_the_pools_and_is_paid_before_anything_is_lent() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 10_000, 1);
    let hold = bench.take(0, 10_000).unwrap();
    bench.nodes[0].lease.settle(bench.now_us, hold, 14_000);
    assert_eq!(level(&bench, 0), -4_000);
    bench.talk(0);
    assert_eq!((level(&bench, 0), free(&bench)), (0, -4_000));
    bench.pass_ms(4_500);
    bench.fetch(1, 1_000, 2);
    assert_eq!(level(&bench, 1), 0);
    bench.pass_ms(500);
    bench.fetch(1, 1_000, 2);
    assert_eq!(level(&bench, 1), 1_000);
}

#[test]
fn what_one_did_not_use_is_there_for_the_other() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 10_000, 1);
    let hold = bench.take(0, 10_000).unwrap();
    bench.talk(0);
    bench.pass_ms(1_100);
    bench.nodes[0].lease.settle(bench.now_us, hold, 2_000);
    bench.talk(0);
    // As long as the request ran, the room that it may give back to was kept for it.
    assert_eq!((level(&bench, 0), free(&bench)), (8_000, 0));
    bench.nodes[1].lease.want(5_000);
    bench.talk(1);
    bench.talk(1);
    let push = bench.push(0).unwrap();
    bench.down(0, &push);
    bench.talk(0);
    bench.pass_ms(20);
    bench.talk(1);
    assert_eq!(level(&bench, 1), 5_000);
}

#[test]
fn seats_come_back_when_they_are_free_and_when_their_holder_is_lost() {
    let mut bench = Bench::new(SEATS, None);
    bench.fetch(0, 3_000, 1);
    let holds: Vec<_> =
        (0..3).filter_map(|_| bench.nodes[0].lease.take(bench.now_us, 1_000).ok()).collect();
    assert_eq!(holds.len(), 3);
    assert!(bench.nodes[0].lease.take(bench.now_us, 1_000).is_err());
    bench.talk(0);
    bench.fetch(1, 2_000, 2);
    assert_eq!((level(&bench, 1), free(&bench)), (0, 1_000), "not enough for both");
    bench.fetch(1, 1_000, 2);
    assert_eq!((level(&bench, 1), free(&bench)), (1_000, 0));
    let runs = bench.nodes[1].lease.take(bench.now_us, 1_000).unwrap();
    for hold in holds {
        bench.nodes[0].lease.settle(bench.now_us, hold, 1_000);
    }
    assert_eq!(level(&bench, 0), 3_000);
    assert!(bench.nodes[0].lease.should_ask(bench.now_us), "the leader shall have them at once");
    // The first is never heard again; the other goes on.
    for _ in 0..5 {
        bench.pass_ms(1_700);
        bench.talk(1);
    }
    assert_eq!(free(&bench), 3_000);
    bench.nodes[1].lease.settle(bench.now_us, runs, 1_000);
    bench.talk(1);
    assert_eq!(free(&bench), 4_000);
}

#[test]
fn seats_that_outlive_their_lease_are_told_again_and_not_lent_twice() {
    let mut bench = Bench::new(SEATS, None);
    bench.fetch(0, 3_000, 1);
    let holds: Vec<_> =
        (0..3).filter_map(|_| bench.nodes[0].lease.take(bench.now_us, 1_000).ok()).collect();
    bench.pass_ms(9_000);
    assert_eq!(free(&bench), 4_000, "lost: it is free to others");
    bench.fetch(0, 1_000, 1);
    assert_eq!(free(&bench), 0, "three still run, and one was asked for");
    assert_eq!(bench.nodes[0].lease.view(bench.now_us).reserved_milli, 3_000);
    bench.talk(0);
    bench.fetch(0, 1_000, 2);
    for hold in holds {
        bench.nodes[0].lease.settle(bench.now_us, hold, 1_000);
    }
    bench.talk(0);
    let lent = bench.leader.status(bench.now_us, bench.of).unwrap().granted.cap_milli;
    assert!(lent <= 4_000, "{lent}");
}

#[test]
fn nobody_is_starved_by_one_who_asks_all_the_time() {
    let supply = Supply::Flow { rate_nano: 10_000_000_000, burst_milli: 10_000 };
    let mut bench = Bench::new(supply, None);
    let mut got = [0, 0];
    for round in 0..600 {
        bench.pass_ms(50);
        for (node, asks) in [(0, 20), (1, u64::from(round % 4 == 0))] {
            let wanted = 1_000 * asks;
            if 0 < wanted {
                (0..asks).for_each(|_| bench.nodes[node].lease.want(1_000));
                if bench.nodes[node].lease.should_ask(bench.now_us) {
                    bench.talk(node);
                }
                (0..asks).for_each(|_| bench.nodes[node].lease.unwant(1_000));
            }
            for _ in 0..asks {
                let Some(hold) = bench.take(node, 1_000) else { break };
                bench.nodes[node].lease.settle(bench.now_us, hold, 1_000);
                got[node] += 1;
            }
        }
        for node in [0, 1] {
            if let Some(push) = bench.push(node) {
                bench.down(node, &push);
            }
        }
    }
    // The second asks half as often, for what is left in that moment; nothing is wasted.
    assert!(70 <= got[1], "{got:?}");
    assert!(300 <= got[0] + got[1], "{got:?}");
}

#[test]
fn what_was_let_through_is_measured_against_the_limit() {
    let mut bench = Bench::new(TEN, None);
    bench.fetch(0, 10_000, 1);
    let hold = bench.take(0, 10_000).unwrap();
    bench.nodes[0].lease.settle(bench.now_us, hold, 10_000);
    bench.talk(0);
    let status = bench.leader.status(bench.now_us, bench.of).unwrap();
    assert_eq!((status.used_milli, status.over_milli, status.used_ppm), (10_000, 0, 1_000_000));
    bench.fetch(0, 1_000, 1);
    let hold = bench.nodes[0].lease.take(bench.now_us, 0).unwrap();
    bench.nodes[0].lease.settle(bench.now_us, hold, 3_000);
    bench.talk(0);
    assert_eq!(bench.leader.status(bench.now_us, bench.of).unwrap().over_milli, 3_000);
}

#[test]
fn a_leader_that_knows_of_no_holder_has_nothing_to_learn_but_lends_no_burst() {
    let mut bench = Bench::new(TEN, None);
    bench.leader = Leader::new(bench.now_us, 2, Start::Learning { recorded: BTreeSet::new() });
    bench.leader.set(bench.now_us, bench.of, TEN, 0);
    assert!(!bench.leader.is_learning(bench.now_us));
    bench.talk(0);
    assert_eq!(free(&bench), 0);
    bench.pass_ms(3_000);
    assert_eq!(
        bench.leader.status(bench.now_us, bench.of).unwrap().free_milli,
        3 * i64::try_from(S).unwrap() / 1_000
    );
}
