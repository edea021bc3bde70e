//! The traps of `governor`, one by one, and the bucket against the plainest one there is.

use super::gate::{GovernorBucket, LARGEST_MILLI};
use domain::limit::{
    bucket::{Bucket, Plain, Shape},
    supply::MILLI,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;

fn per(amount: u64, seconds: u64) -> u64 {
    u64::try_from(u128::from(amount) * 1_000_000_000 / u128::from(seconds)).unwrap()
}

fn shape(rate_nano: u64, cap: u64) -> Shape {
    Shape { rate_nano, cap_milli: cap * MILLI }
}

/// A full bucket.
fn full(shape: Shape, now_us: u64) -> GovernorBucket {
    let mut bucket = GovernorBucket::empty(shape, shape.rate_nano, now_us);
    assert_eq!(bucket.give(now_us, u64::MAX), shape.cap_milli);
    bucket
}

/// How many of `milli` it lets through at once.
fn drain(bucket: &mut GovernorBucket, now_us: u64, milli: u64) -> u64 {
    let mut count = 0;
    while bucket.take(now_us, milli) {
        count += 1;
    }
    count
}

#[test]
fn trap_1_a_burst_and_a_minutes_rate_are_the_most_of_any_minute() {
    let mut bucket = full(shape(per(60, 60), 60), 0);
    let mut admitted = 0;
    for ms in 0..60_000 {
        admitted += drain(&mut bucket, ms * 1_000, MILLI);
    }
    // What a bucket of 60 per minute means: not 60, but never more than 120.
    assert_eq!(admitted, 119);
}

#[test]
fn trap_2_no_rate_is_rounded_up_however_large() {
    for per_minute in [7_000_000, 70_000_000, 900_000_000, 999_999_937] {
        let mut bucket = GovernorBucket::empty(shape(per(per_minute, 60), per_minute), 0, 0);
        let mut taken = 0;
        for second in 1..=3_600 {
            let level = bucket.level_milli(second * SECOND);
            let level = u64::try_from(level).unwrap();
            assert!(bucket.take(second * SECOND, level));
            taken += level;
        }
        let most = per_minute * 60 * MILLI;
        assert!(taken <= most && most - taken < most / 1_000_000_000 + 2, "{per_minute}: {taken}");
    }
}

#[test]
fn trap_3_a_request_above_a_small_share_passes_once_the_share_is_larger() {
    let mut bucket = full(shape(per(5_000, 60), 5_000), 0);
    assert!(!bucket.take(0, 30_000 * MILLI));
    assert_eq!(bucket.reshape(0, shape(per(5_000, 60), 30_000)), 0);
    assert_eq!(bucket.give(0, 25_000 * MILLI), 25_000 * MILLI);
    assert!(bucket.take(0, 30_000 * MILLI));
}

#[test]
fn trap_4_a_new_shape_after_an_hour_goes_on_where_the_old_one_was() {
    let mut bucket = full(shape(per(600, 60), 600), 0);
    assert!(bucket.take(HOUR, 600 * MILLI));
    bucket.reshape(HOUR, shape(per(300, 60), 600));
    assert!(!bucket.take(HOUR, MILLI));
    assert!(!bucket.take(HOUR + SECOND / 10, MILLI));
    assert!(bucket.take(HOUR + SECOND / 5, MILLI), "300 per minute are one in 200 ms");
}

#[test]
fn trap_5_no_change_of_shape_fills_a_bucket() {
    let mut bucket = full(shape(per(60, 60), 60), 0);
    let mut admitted = drain(&mut bucket, 0, MILLI);
    for change in 1..=5 {
        bucket.reshape(0, shape(per(60, 60), 60 * change));
        admitted += drain(&mut bucket, 0, MILLI);
        bucket.reshape(0, shape(per(60, 60), 60));
        admitted += drain(&mut bucket, 0, MILLI);
    }
    assert_eq!(admitted, 60);
}

#[test]
fn trap_6_a_million_in_a_day_and_far_more_do_not_overflow() {
    let mut bucket = full(shape(per(1_000_000, 86_400), 1_000_000), 0);
    assert_eq!(drain(&mut bucket, 0, MILLI), 1_000_000);
    let mut vast = full(Shape { rate_nano: u64::MAX, cap_milli: LARGEST_MILLI }, 0);
    for step in 1..100 {
        assert!(vast.take(step * HOUR * 24 * 365, LARGEST_MILLI), "year {step}");
        assert!(!vast.take(step * HOUR * 24 * 365, 1));
    }
    let beyond = Shape { rate_nano: 0, cap_milli: u64::MAX };
    assert_eq!(GovernorBucket::empty(beyond, 0, 0).give(0, u64::MAX), LARGEST_MILLI);
}

#[test]
fn a_reservation_is_given_back_and_a_debt_is_paid_before_anything_else() {
    let mut bucket = full(shape(per(600, 60), 600), 0);
    assert!(bucket.take(0, 500 * MILLI));
    assert_eq!(bucket.give(0, 449 * MILLI), 449 * MILLI);
    assert_eq!(bucket.level_milli(0), 549 * 1_000);
    bucket.debit(0, 700 * MILLI);
    assert_eq!(bucket.level_milli(0), -151 * 1_000);
    assert_eq!(bucket.reshape(0, shape(per(300, 60), 600)), 0, "a debt outlives a change");
    assert!(!bucket.take(30_200_000 - 1, MILLI));
    assert!(!bucket.take(30_200_000, MILLI), "the debt is paid, and no more");
    assert!(bucket.take(30_400_000, MILLI));
}

#[test]
fn without_a_rate_only_what_is_given_can_be_taken() {
    let mut bucket = GovernorBucket::empty(shape(0, 10), 0, 5);
    assert!(!bucket.take(HOUR, 1));
    assert_eq!(bucket.give(HOUR, 4 * MILLI), 4 * MILLI);
    assert_eq!(bucket.level_milli(9 * HOUR), 4_000);
    assert!(bucket.take(9 * HOUR, 4 * MILLI));
    bucket.reshape(9 * HOUR, shape(per(1, 1), 10));
    assert!(!bucket.take(9 * HOUR, MILLI), "the time before it flowed lets nothing in");
    assert!(bucket.take(9 * HOUR + SECOND, MILLI));
}

#[test]
fn a_slow_inflow_that_is_looked_at_and_reshaped_often_comes_all_the_same() {
    let daily = shape(per(1, 86_400), 1);
    let mut bucket = GovernorBucket::empty(daily, 0, 0);
    for step in 1..=86_400 * 10 {
        let now = step * SECOND / 10;
        bucket.reshape(now, Shape { cap_milli: MILLI + step % 2, ..daily });
        assert!(!bucket.take(now, 2 * MILLI));
    }
    // A rate of 11,574 billionths is a little below one in a day.
    assert!((998..=1_000).contains(&bucket.level_milli(86_400 * SECOND)));
}

#[test]
fn what_is_too_much_for_a_smaller_shape_is_told() {
    let mut bucket = full(shape(0, 100), 0);
    assert_eq!(bucket.reshape(0, shape(0, 30)), 70 * MILLI);
    assert_eq!(bucket.reshape(0, shape(0, 100)), 0);
    assert_eq!(bucket.level_milli(0), 30_000, "room is not filled");
}

#[test]
fn a_clock_that_is_asked_out_of_order_lets_nothing_in_twice() {
    let mut bucket = GovernorBucket::empty(shape(per(1, 1), 10), 0, SECOND);
    assert_eq!(bucket.level_milli(3 * SECOND), 2_000);
    assert!(bucket.take(3 * SECOND, 2 * MILLI));
    assert!(!bucket.take(2 * SECOND, 1));
    assert_eq!(bucket.level_milli(SECOND), 0);
    assert!(!bucket.take(3 * SECOND, 1));
}

/// A bucket that a child would make: wide sums, nothing clever.
struct Naive {
    shape: Shape,
    /// In 10⁻¹² thousandths.
    level: i128,
    then_us: u64,
}

const PARTS: i128 = 1_000_000_000_000;

impl Naive {
    fn flow(&mut self, now_us: u64) {
        let passed = now_us.saturating_sub(self.then_us);
        self.then_us = self.then_us.max(now_us);
        self.level += i128::from(passed) * i128::from(self.shape.rate_nano);
        self.level = self.level.min(i128::from(self.shape.cap_milli) * PARTS);
    }
}

impl Bucket for Naive {
    fn empty(shape: Shape, _: u64, now_us: u64) -> Self {
        Self { shape, level: 0, then_us: now_us }
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn level_milli(&self, now_us: u64) -> i64 {
        let mut then = Self { shape: self.shape, level: self.level, then_us: self.then_us };
        then.flow(now_us);
        i64::try_from(then.level.div_euclid(PARTS)).unwrap()
    }

    fn take(&mut self, now_us: u64, milli: u64) -> bool {
        self.flow(now_us);
        let enough = i128::from(milli) * PARTS <= self.level;
        if enough {
            self.level -= i128::from(milli) * PARTS;
        }
        enough
    }

    fn debit(&mut self, now_us: u64, milli: u64) {
        self.flow(now_us);
        self.level -= i128::from(milli) * PARTS;
    }

    fn give(&mut self, now_us: u64, milli: u64) -> u64 {
        self.flow(now_us);
        let room = i128::from(self.shape.cap_milli) * PARTS - self.level;
        let given = (room / PARTS).min(i128::from(milli));
        self.level += given * PARTS;
        u64::try_from(given).unwrap()
    }

    fn reshape(&mut self, now_us: u64, shape: Shape) -> u64 {
        self.flow(now_us);
        self.shape = shape;
        let kept = self.level.min(i128::from(shape.cap_milli) * PARTS);
        let over = self.level - kept;
        self.level = kept;
        u64::try_from(over / PARTS).unwrap()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Take(u64),
    TakeAll,
    Debit(u64),
    Give(u64),
    Reshape(Shape),
}

fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_000u64, 0..100_000_000u64, 0..(1u64 << 45)]
}

fn shapes() -> impl Strategy<Value = Shape> {
    let rates = prop_oneof![Just(0), 1..1_000_000u64, 0..(1u64 << 40), 0..(1u64 << 52)];
    (rates, amounts()).prop_map(|(rate_nano, cap_milli)| Shape { rate_nano, cap_milli })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![0..2_000u64, 0..10_000_000u64, 0..4_000_000_000u64].prop_map(Step::Wait),
        4 => amounts().prop_map(Step::Take),
        1 => Just(Step::TakeAll),
        1 => amounts().prop_map(Step::Debit),
        2 => amounts().prop_map(Step::Give),
        1 => shapes().prop_map(Step::Reshape),
    ]
}

/// Does both alike, in lock-step: every answer is the same, to the thousandth.
fn same<B: Bucket>(first: Shape, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut now = 7u64;
    let mut ours = GovernorBucket::empty(first, 0, now);
    let mut theirs = B::empty(first, 0, now);
    for step in steps {
        match step {
            Step::Wait(us) => now += us,
            Step::Take(milli) => {
                prop_assert_eq!(ours.take(now, *milli), theirs.take(now, *milli), "{:?}", step);
            }
            Step::TakeAll => {
                let Ok(all) = u64::try_from(theirs.level_milli(now)) else { continue };
                prop_assert!(ours.take(now, all) && theirs.take(now, all));
                prop_assert!(!ours.take(now, 1) && !theirs.take(now, 1));
            }
            Step::Debit(milli) => {
                ours.debit(now, *milli);
                theirs.debit(now, *milli);
            }
            Step::Give(milli) => {
                prop_assert_eq!(ours.give(now, *milli), theirs.give(now, *milli), "{:?}", step);
            }
            Step::Reshape(shape) => {
                let (here, there) = (ours.reshape(now, *shape), theirs.reshape(now, *shape));
                prop_assert_eq!(here, there, "{:?}", step);
            }
        }
        prop_assert_eq!(ours.level_milli(now), theirs.level_milli(now), "after {:?}", step);
        prop_assert_eq!(ours.shape(), theirs.shape());
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_is_the_naive_bucket_and_the_leaders(first in shapes(), steps in prop::collection::vec(steps(), 1..60)) {
        same::<Naive>(first, &steps)?;
        same::<Plain>(first, &steps)?;
    }
}
