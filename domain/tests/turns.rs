//! One caller, at one proxy after the other: what one proxy has let go is not refused at
//! the next. The production machines with a few milliseconds between them, and no faults.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "turns/chunks.rs"]
mod chunks;
#[path = "turns/leases.rs"]
mod leases;

use chunks::{DAY_US, Treasury};
use domain::limit::{hold::Short, message::Why, supply::Supply};
use leases::Fleet;

/// So many seats.
const fn seats(count: u64) -> Supply {
    Supply::Seats { total_milli: count * 1_000 }
}

/// So many at once, and as many a minute.
const fn per_minute(count: u64) -> Supply {
    Supply::Flow { rate_nano: count * 1_000_000_000 / 60, burst_milli: count * 1_000 }
}

#[test]
fn the_only_seat_goes_around_with_its_caller() {
    let mut fleet = Fleet::new(seats(1), 3);
    for turn in 0..60 {
        let hold = fleet.ask(turn % 3, 1_000);
        let hold = hold.unwrap_or_else(|short| panic!("turn {turn}: {short:?}"));
        fleet.pass_ms([1, 30, 700, 2_500][turn % 4]);
        fleet.settle(turn % 3, hold, 1_000);
        fleet.pass_ms([0, 0, 3, 90, 0][turn % 5]);
    }
}

#[test]
fn all_seats_can_be_taken_wherever_they_are_asked_for() {
    for count in [3, 70, 300] {
        let mut fleet = Fleet::new(seats(count), 3);
        for turn in 0..6 {
            // All at one proxy, then all at the next.
            let node = turn % 3;
            let holds: Vec<_> = (0..count).map(|_| fleet.ask(node, 1_000).unwrap()).collect();
            assert!(fleet.ask((node + 1) % 3, 1_000).is_err(), "more than {count}");
            holds.into_iter().for_each(|it| fleet.settle(node, it, 1_000));
            // Whoever was refused one comes again.
            fleet.pass_ms(25);
            let hold = fleet.ask((node + 1) % 3, 1_000).unwrap();
            fleet.settle((node + 1) % 3, hold, 1_000);
        }
    }
}

#[test]
fn a_seat_that_was_taken_and_given_back_unused_is_not_parked() {
    let mut fleet = Fleet::new(seats(2), 3);
    for turn in 0..12 {
        let (here, there) = (turn % 3, (turn + 1) % 3);
        let (one, two) = (fleet.ask(here, 1_000).unwrap(), fleet.ask(here, 1_000).unwrap());
        // Another limit of theirs said no.
        fleet.undo(here, one);
        fleet.undo(here, two);
        let (one, two) = (fleet.ask(there, 1_000).unwrap(), fleet.ask(there, 1_000).unwrap());
        fleet.undo(there, one);
        fleet.undo(there, two);
    }
}

#[test]
fn a_refusal_waits_for_what_was_called_in() {
    let mut fleet = Fleet::new(per_minute(6), 3);
    let all: Vec<_> = (0..6).map(|_| fleet.ask(0, 1_000).unwrap()).collect();
    // They were never sent, and come back.
    all.into_iter().for_each(|it| fleet.undo_later(0, it));
    for turn in 0..6 {
        let hold = fleet.ask(1 + turn % 2, 1_000);
        let hold = hold.unwrap_or_else(|short| panic!("turn {turn}: {short:?}"));
        fleet.settle(1 + turn % 2, hold, 1_000);
    }
    assert!(matches!(fleet.ask(0, 1_000), Err(Short::Denied { .. })));
}

/// Many ask at once, at all proxies, and what they took is given back some milliseconds
/// later, for another limit of theirs has nothing: it did not cost them anything.
#[test]
fn requests_that_were_never_sent_cost_nothing() {
    let mut fleet = Fleet::new(per_minute(6), 3);
    // Of what it lets through nothing ever came back: no room is kept for that.
    for _ in 0..6 {
        let hold = fleet.ask(0, 1_000).unwrap();
        fleet.settle(0, hold, 1_000);
    }
    fleet.pass_ms(75_000);
    for round in 0..5 {
        let taken: Vec<_> =
            (0..30).filter_map(|it| Some((it % 3, fleet.ask(it % 3, 1_000).ok()?))).collect();
        assert_eq!(taken.len(), 6, "round {round}");
        fleet.pass_ms(45);
        taken.into_iter().for_each(|(node, hold)| fleet.undo_later(node, hold));
        fleet.pass_ms(300);
        let taken: Vec<_> =
            (0..12).filter_map(|it| Some((it % 3, fleet.ask(it % 3, 1_000).ok()?))).collect();
        assert_eq!(taken.len(), 6, "round {round}, again");
        taken.into_iter().for_each(|(node, hold)| fleet.settle(node, hold, 1_000));
        fleet.pass_ms(75_000);
    }
}

/// A request reserves far more than it uses, and what it gives back lies at its proxy.
#[test]
fn a_window_is_not_used_up_before_it_is() {
    for pauses in [[0, 0, 0], [3, 40, 700], [2_500, 0, 1]] {
        let mut treasury = Treasury::new(10_000, 3);
        for turn in 0..390 {
            let hold = treasury.ask(turn % 3, 4_108);
            let hold = hold.unwrap_or_else(|short| panic!("turn {turn}: {short:?}"));
            treasury.pass_ms(pauses[turn % 2]);
            treasury.settle(turn % 3, hold, 15);
            treasury.pass_ms(pauses[2]);
        }
        // 5,850 are spent: this is more than there is, and not for a moment only.
        for node in 0..3 {
            let short = treasury.ask(node, 4_160).unwrap_err();
            let Short::Denied { until_us, why: Why::Exhausted } = short else {
                panic!("{short:?}")
            };
            assert!(treasury.now_us() + DAY_US / 2 < until_us);
        }
        // Less is still there.
        let hold = treasury.ask(1, 4_000).unwrap();
        treasury.settle(1, hold, 0);
    }
}

#[test]
fn nothing_is_stranded_in_pieces_that_are_too_small() {
    let mut treasury = Treasury::new(1_000, 3);
    let mut passed = 0;
    for turn in 0..60 {
        if let Ok(hold) = treasury.ask(turn % 3, 32) {
            treasury.settle(turn % 3, hold, 32);
            passed += 1;
        }
        treasury.pass_ms([0, 130][turn % 2]);
    }
    assert_eq!(passed, 31, "of 1,000, and each takes 32");
}

#[test]
fn what_others_have_reserved_is_refused_for_a_moment_only() {
    let mut treasury = Treasury::new(10_000, 3);
    let (one, two) = (treasury.ask(0, 4_108).unwrap(), treasury.ask(1, 4_108).unwrap());
    let short = treasury.ask(2, 4_108).unwrap_err();
    let Short::Denied { until_us, why: Why::Moving } = short else { panic!("{short:?}") };
    assert!(until_us <= treasury.now_us() + 1_000_000);
    treasury.settle(0, one, 15);
    treasury.settle(1, two, 15);
    treasury.pass_ms(1_000);
    let hold = treasury.ask(2, 4_108).unwrap();
    treasury.settle(2, hold, 15);
}

/// Two who both need what the other has: one of them gets it.
#[test]
fn two_who_are_short_do_not_keep_each_other_from_all_of_it() {
    let mut treasury = Treasury::new(60, 2);
    let holds = [treasury.ask(0, 30).unwrap(), treasury.ask(1, 30).unwrap()];
    for (node, hold) in holds.into_iter().enumerate() {
        treasury.settle(node, hold, 10);
    }
    // Twenty here, twenty there.
    let hold = treasury.ask(0, 40).unwrap();
    treasury.settle(0, hold, 40);
    assert!(matches!(treasury.ask(1, 1), Err(Short::Denied { why: Why::Exhausted, .. })));
}
