//! Planned ends, one close upon the other.

use domain::{
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        lease::leader::{Estate, Leader, Start},
        supply::Supply,
    },
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const NOW_US: u64 = 1_000_000_000;

/// A leader that still waits for one who holds something leaves what it was left itself:
/// it has lent nothing of it.
#[test]
fn who_is_stopped_before_it_has_learned_all_leaves_what_it_was_left() {
    let of = |it| LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(it)), generation: 1 };
    let boot = Uuid::from_u128(9);
    let silent = Holder { proxy: ProxyId::from_uuid(boot), boot };
    let estate = Estate {
        holders: BTreeSet::from([silent]),
        levels: BTreeMap::from([(of(1), 7_000), (of(2), -3_000)]),
        others_empty_us: None,
    };
    let recorded = estate.holders.clone();
    let mut leader = Leader::new(NOW_US, 2, Start::Learning { recorded });
    leader.inherit(estate.clone());
    // One of them is met, the other is not.
    let supply = Supply::Flow { rate_nano: 1_000_000_000, burst_milli: 10_000 };
    leader.set(NOW_US, of(1), supply, 0);
    assert_eq!(leader.status(NOW_US, of(1)).unwrap().free_milli, 0);
    assert_eq!(leader.leave(NOW_US + 2_000_000), Some(estate));
}

/// A leader of which nothing is known leaves nothing.
#[test]
fn who_was_left_nothing_and_learns_leaves_nothing() {
    let boot = Uuid::from_u128(9);
    let recorded = BTreeSet::from([Holder { proxy: ProxyId::from_uuid(boot), boot }]);
    let leader = Leader::new(NOW_US, 2, Start::Learning { recorded });
    assert_eq!(leader.leave(NOW_US), None);
}
