//! What goes back when a request used less than it took.

use super::sim::ideal::{Ideal, Line};
use domain::{
    id::LimitId,
    limit::{
        LeaseOf,
        bucket::Plain,
        hold::{Head, Hold},
        lease::{message::Grant, node::Lease},
        supply::Supply,
    },
};
use proptest::prelude::*;
use uuid::Uuid;

const BEGIN_US: u64 = 1_000_000_000;

/// A lease of all that a limit has, for as long as it takes.
fn all_of(line: Line) -> Lease<Plain> {
    let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(1)), generation: 1 };
    let supply = Supply::Flow { rate_nano: line.rate_nano, burst_milli: line.burst_milli };
    let mut lease = Lease::new(of, supply, 1, BEGIN_US);
    let head =
        Head { epoch: 1, stamp_us: 1, reply_to_us: Some(BEGIN_US), ttl_us: 1_000_000_000_000 };
    let grant = Grant {
        of,
        incarnation: 1,
        seq: 1,
        rate_nano: line.rate_nano,
        cap_milli: line.burst_milli,
        credit_milli: line.burst_milli,
        reset: false,
        denied: None,
        free_milli: 0,
        used_ppm: 0,
    };
    lease.on_grant(BEGIN_US, head, &grant);
    lease
}

proptest! {
    #[test]
    fn a_refund_never_admits_more_than_the_right_amount_would_have(
        per_second_milli in 1..20_000u64,
        burst_milli in 1_000..60_000u64,
        steps in proptest::collection::vec((0..4_000_000u64, 0..3u8, 0..30_000u64, 0..=120u64), 1..120),
    ) {
        let line = Line { rate_nano: per_second_milli * 1_000_000, burst_milli };
        let mut lease = all_of(line);
        let mut ideal = Ideal::new(BEGIN_US, line);
        let mut running: Vec<(u64, Hold)> = Vec::new();
        let mut now_us = BEGIN_US;
        for (id, (wait_us, what, milli, percent)) in (1..).zip(steps) {
            now_us += wait_us;
            if what == 0 && !running.is_empty() {
                let (id, hold) = running.swap_remove(milli as usize % running.len());
                let used = hold.taken_milli() * percent / 100;
                ideal.settle(id, used);
                lease.settle(now_us, hold, used);
            } else if let Ok(hold) = lease.take(now_us, milli % (burst_milli + 1)) {
                ideal.charge(now_us, id, hold.taken_milli());
                running.push((id, hold));
            }
            let view = lease.view(now_us);
            prop_assert!(0 <= ideal.level_milli(now_us), "{} beyond", ideal.level_milli(now_us));
            prop_assert!(i128::from(view.level_milli) <= ideal.level_milli(now_us));
        }
        let reserved: u64 = running.iter().map(|(_, hold)| hold.taken_milli()).sum();
        prop_assert_eq!(lease.view(now_us).reserved_milli, reserved);
    }
}

#[test]
fn a_bucket_that_was_full_since_gets_nothing_back() {
    let mut lease = all_of(Line { rate_nano: 1_000_000_000, burst_milli: 10_000 });
    let hold = lease.take(BEGIN_US, 5_000).unwrap();
    // Full again after five seconds.
    let later_us = BEGIN_US + 6_000_000;
    let more = lease.take(later_us, 10_000).unwrap();
    lease.settle(later_us, hold, 0);
    assert_eq!(lease.view(later_us).level_milli, 0);
    lease.settle(later_us, more, 10_000);
}

#[test]
fn what_was_not_used_is_there_again_as_far_as_there_was_room() {
    let mut lease = all_of(Line { rate_nano: 0, burst_milli: 10_000 });
    let first = lease.take(BEGIN_US, 6_000).unwrap();
    lease.settle(BEGIN_US + 1_500_000, first, 1_000);
    // A thousandth may be room or not.
    assert!(8_999 <= lease.view(BEGIN_US + 1_500_000).level_milli);
    let second_us = BEGIN_US + 3_000_000;
    let second = lease.take(second_us, 8_000).unwrap();
    lease.settle(second_us, second, 0);
    assert!(8_998 <= lease.view(second_us).level_milli);
}

#[test]
fn an_undo_of_the_same_moment_leaves_no_trace() {
    let mut lease = all_of(Line { rate_nano: 0, burst_milli: 10_000 });
    let before = lease.view(BEGIN_US);
    let hold = lease.take(BEGIN_US, 10_000).unwrap();
    assert_eq!(lease.view(BEGIN_US).reserved_milli, 10_000);
    lease.undo(BEGIN_US, hold);
    assert_eq!(lease.view(BEGIN_US), before);
}

#[test]
fn what_was_used_beyond_is_owed_and_paid_before_anything_else() {
    let mut lease = all_of(Line { rate_nano: 1_000_000_000, burst_milli: 10_000 });
    let hold = lease.take(BEGIN_US, 10_000).unwrap();
    lease.settle(BEGIN_US, hold, 15_000);
    assert_eq!(lease.view(BEGIN_US).level_milli, -5_000);
    assert!(lease.take(BEGIN_US + 5_900_000, 1_000).is_err());
    let hold = lease.take(BEGIN_US + 6_000_000, 1_000).unwrap();
    lease.settle(BEGIN_US + 6_000_000, hold, 1_000);
}
