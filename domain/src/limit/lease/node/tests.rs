use super::*;
use crate::{
    id::LimitId,
    limit::{bucket::Plain, lease::message::Grant},
};
use uuid::Uuid;

const S: u64 = 1_000_000;

/// A lease of ten units that refills one in a second, full at the first second.
fn full() -> Lease<Plain> {
    let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(1)), generation: 1 };
    let supply = Supply::Flow { rate_nano: 1_000_000_000, burst_milli: 10_000 };
    let mut lease = Lease::new(of, supply, 1, S);
    let head = Head { epoch: 1, stamp_us: 5, reply_to_us: Some(S), ttl_us: 60 * S };
    let grant = Grant {
        of,
        incarnation: 1,
        seq: 1,
        rate_nano: 1_000_000_000,
        cap_milli: 10_000,
        credit_milli: 10_000,
        reset: false,
        denied: None,
        free_milli: 0,
        used_ppm: 0,
    };
    assert_eq!(lease.on_grant(S, head, &grant), Applied::Granted);
    lease
}

#[test]
fn what_is_undone_at_the_same_instant_leaves_no_trace() {
    let mut lease = full();
    let (first, second) = (lease.take(S, 4_000).unwrap(), lease.take(S, 6_000).unwrap());
    lease.undo(S, second);
    lease.undo(S, first);
    assert_eq!((lease.view(S).level_milli, lease.view(S).reserved_milli), (10_000, 0));
    assert_eq!(lease.entry(S).returned, []);
}

/// Somebody else took in between, by a later clock, and let in what could not have flowed
/// in had nothing been taken.
#[test]
fn what_is_undone_after_others_took_gives_no_more_than_if_it_had_not_been_taken() {
    let mut lease = full();
    let mine = lease.take(S, 10_000).unwrap();
    let theirs = lease.take(2 * S, 1_000).unwrap();
    lease.undo(S, mine);
    assert!(lease.view(2 * S).level_milli <= 9_000, "{:?}", lease.view(2 * S));
    assert_eq!(lease.view(2 * S).reserved_milli, theirs.taken_milli());
}

#[test]
fn what_another_limit_refused_and_what_was_only_looked_at_is_no_demand() {
    let (mut lease, mut idle) = (full(), full());
    for at in 0..1_000 {
        let now_us = 2 * S + at;
        assert_eq!(lease.look(now_us, 10_000), Ok(()));
        let hold = lease.take(now_us, 5_000).unwrap();
        lease.undo(now_us, hold);
    }
    let (entry, other) = (lease.entry(3 * S), idle.entry(3 * S));
    assert_eq!(entry, other);
    assert_eq!(lease.look(3 * S, 10_001), Err(Short::TooLarge { largest_milli: 10_000 }));
    let hold = lease.take(3 * S, 10_000).unwrap();
    assert_eq!(lease.look(3 * S, 1), lease.take(3 * S, 1).map(|_| ()));
    lease.settle(3 * S, hold, 10_000);
}
