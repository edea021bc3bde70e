//! The bucket's one number under every order in which threads can touch it.
//!
//! The files are taken as they are; only their atomics are the model checker's.
#![expect(clippy::unwrap_used, reason = "tests")]

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}
#[path = "../src/meter/gate.rs"]
mod gate;
#[path = "../src/meter/inflow.rs"]
mod inflow;
#[path = "../src/meter/tat.rs"]
mod tat;

use domain::limit::bucket::{Bucket, Shape};
use gate::GovernorBucket;
use governor::{Quota, RateLimiter, middleware::NoOpMiddleware, state::NotKeyed};
use inflow::Tick;
use loom::{
    sync::{Arc, Mutex},
    thread,
};
use std::{num::NonZeroU32, time::Duration};
use tat::Tat;

/// Asks for `count` of a burst of ten; one each tick.
fn check(tat: &Tat, now: u64, count: u32) -> bool {
    let ten = NonZeroU32::new(10).unwrap();
    let quota = Quota::with_period(Duration::from_nanos(1)).unwrap().allow_burst(ten);
    let limiter = RateLimiter::<NotKeyed, _, _, NoOpMiddleware<Tick>>::new(quota, tat, Tick(now));
    limiter.check_n(NonZeroU32::new(count).unwrap()).unwrap().is_ok()
}

#[test]
fn no_take_refund_or_debt_is_lost_between_three_threads() {
    loom::model(|| {
        // At 100 it is full; four lie ready.
        let tat = Arc::new(Tat::new(106));
        let debtor = Arc::clone(&tat);
        let debtor = thread::spawn(move || debtor.debit(2));
        let refunder = Arc::clone(&tat);
        let refunder = thread::spawn(move || refunder.credit(3, 100));
        let taken = check(&tat, 100, 4);
        debtor.join().unwrap();
        refunder.join().unwrap();
        // Four, less two, plus three: whatever the order, nothing of it is gone or doubled.
        assert_eq!(tat.get(), if taken { 109 } else { 105 });
    });
}

#[test]
fn two_takers_of_the_last_and_a_refund_take_no_more_than_there_is() {
    loom::model(|| {
        let tat = Arc::new(Tat::new(108));
        let takers = [(); 2].map(|()| {
            let tat = Arc::clone(&tat);
            thread::spawn(move || u64::from(check(&tat, 100, 2)))
        });
        tat.credit(1, 100);
        let taken: u64 = takers.into_iter().map(|it| it.join().unwrap()).sum();
        assert_eq!(taken, 1, "two lay ready and one came: only one of two twos fits");
        assert_eq!(tat.get(), 109);
        tat.raise_to(100);
        tat.raise_to(110);
        assert!(!check(&tat, 100, 1), "the brim is where it was set");
    });
}

#[test]
fn a_check_a_refund_and_a_change_of_shape_keep_the_sum() {
    loom::model(|| {
        let wide = Shape { rate_nano: 0, cap_milli: 10 };
        let mut bucket = GovernorBucket::empty(wide, 0, 0);
        assert_eq!(bucket.give(0, 5), 5);
        let cell = Arc::new(Mutex::new(bucket));
        let taker = Arc::clone(&cell);
        let taker = thread::spawn(move || u64::from(taker.lock().unwrap().take(0, 4)) * 4);
        let shaper = Arc::clone(&cell);
        let shaper = thread::spawn(move || {
            let narrow = Shape { rate_nano: 0, cap_milli: 4 };
            let mut over = shaper.lock().unwrap().reshape(0, narrow);
            over += shaper.lock().unwrap().reshape(0, wide);
            over
        });
        let given = cell.lock().unwrap().give(0, 3);
        let (taken, over) = (taker.join().unwrap(), shaper.join().unwrap());
        let left = u64::try_from(cell.lock().unwrap().level_milli(0)).unwrap();
        assert_eq!(5 + given, taken + over + left, "conserved: nothing minted, nothing lost");
        assert!(left <= 10);
    });
}
