//! What a proxy may go on with when it can ask nobody, where going on matters more than
//! exactness.
//!
//! The leader keeps a tenth of such a limit out of what it lends; each proxy has its part of
//! that tenth, by how many proxies the operator expects. The part is full once, when it is
//! first needed in a run of the proxy, and from then on has only what flows in: it is kept
//! as long as it is not full again, or else forgetting it would fill it. So the limit is
//! exceeded only if more proxies than expected are cut off or start again while cut off, or
//! if a part is smaller than a request (it is made as large as one, up to the whole tenth).
//! Of seats, which are few and whole, nothing is kept out: a proxy that is cut off lets its
//! part of a tenth of them through besides, and at least one.

use super::{
    bucket::{Bucket, Shape},
    demand::SET_ASIDE_PPM,
    supply::{MILLI, Supply},
};
use std::time::Duration;

const MILLION: u64 = 1_000_000;

/// A proxy's part of what is set aside.
#[derive(Debug)]
pub struct Fallback<B> {
    bucket: B,
    /// What is taken of it comes back when the request ends.
    seats: bool,
}

/// What a proxy has for itself of `whole`.
fn part(whole: u64, proxies: u64) -> u64 {
    let part = u128::from(whole).saturating_mul(u128::from(SET_ASIDE_PPM))
        / u128::from(MILLION).saturating_mul(u128::from(proxies.max(1)));
    u64::try_from(part).unwrap_or(u64::MAX)
}

fn shape(supply: Supply, proxies: u64, milli: u64) -> Option<Shape> {
    match supply {
        Supply::Flow { rate_nano, burst_milli } => Some(Shape {
            rate_nano: part(rate_nano, proxies),
            cap_milli: part(burst_milli, proxies).max(milli.min(part(burst_milli, 1))).max(MILLI),
        }),
        Supply::Seats { total_milli } => Some(Shape {
            rate_nano: 0,
            cap_milli: (part(total_milli, proxies) / MILLI).saturating_mul(MILLI).max(MILLI),
        }),
        // A window's amount is counted in the database: there is none to set aside.
        Supply::Window { .. } => None,
    }
}

impl<B: Bucket> Fallback<B> {
    /// Full. `None`: of such a limit nothing is set aside.
    pub fn new(supply: Supply, proxies: u64, milli: u64, now_us: u64) -> Option<Self> {
        let shape = shape(supply, proxies, milli)?;
        let mut bucket = B::empty(shape, shape.rate_nano, now_us);
        bucket.give(now_us, shape.cap_milli);
        Some(Self { bucket, seats: matches!(supply, Supply::Seats { .. }) })
    }

    /// Takes `milli`.
    ///
    /// # Errors
    /// After how long so much can lie ready; `None`: never.
    pub fn take(
        &mut self,
        supply: Supply,
        proxies: u64,
        milli: u64,
        now_us: u64,
    ) -> Result<(), Option<Duration>> {
        let needed = shape(supply, proxies, milli).unwrap_or_default();
        let present = self.bucket.shape();
        if present.rate_nano != needed.rate_nano || present.cap_milli < needed.cap_milli {
            // Room that is not filled, or another limit than it was.
            self.bucket.reshape(now_us, needed);
        }
        if self.bucket.take(now_us, milli) {
            return Ok(());
        }
        Err(self.wait(milli, now_us))
    }

    fn wait(&self, milli: u64, now_us: u64) -> Option<Duration> {
        let shape = self.bucket.shape();
        if shape.cap_milli < milli || shape.rate_nano == 0 {
            return None;
        }
        let level = i128::from(self.bucket.level_milli(now_us));
        let missing = u128::try_from(i128::from(milli).saturating_sub(level)).unwrap_or(0);
        // Thousandths, by billionths of a unit per second, to microseconds.
        let wait_us =
            missing.saturating_mul(1_000_000_000_000).div_ceil(u128::from(shape.rate_nano));
        Some(Duration::from_micros(u64::try_from(wait_us).unwrap_or(u64::MAX)))
    }

    /// As if it had not been taken, at the same instant.
    pub fn undo(&mut self, milli: u64, now_us: u64) {
        self.bucket.give(now_us, milli);
    }

    /// A seat is free again. Of a rate nothing comes back: how full it was meanwhile is not
    /// kept. What was used beyond is owed.
    pub fn settle(&mut self, milli: u64, used_milli: u64, now_us: u64) {
        if self.seats {
            self.bucket.give(now_us, milli);
        } else {
            self.bucket.debit(now_us, used_milli.saturating_sub(milli));
        }
    }

    /// What lies ready, in thousandths; negative: a debt.
    pub fn level_milli(&self, now_us: u64) -> i64 {
        self.bucket.level_milli(now_us)
    }

    /// Whether forgetting it gives nothing away.
    pub fn is_full(&self, now_us: u64) -> bool {
        let level = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        self.bucket.shape().cap_milli <= level
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::bucket::Plain;

    const SECOND: u64 = 1_000_000;
    const FLOW: Supply = Supply::Flow { rate_nano: 100_000_000_000, burst_milli: 6_000_000 };

    fn taken(fallback: &mut Fallback<Plain>, now_us: u64, milli: u64) -> u64 {
        let mut taken = 0;
        while fallback.take(FLOW, 16, milli, now_us).is_ok() {
            taken += milli;
        }
        taken
    }

    #[test]
    fn all_parts_together_are_what_is_set_aside() {
        let mut fallback = Fallback::<Plain>::new(FLOW, 16, MILLI, 0).unwrap();
        assert_eq!(taken(&mut fallback, 0, MILLI), 37 * MILLI, "a tenth of 6,000, by sixteen");
        let minute = taken(&mut fallback, 60 * SECOND, MILLI);
        assert_eq!(minute, 37 * MILLI, "it flows no higher than its brim");
        assert_eq!(
            fallback.take(FLOW, 16, MILLI, 60 * SECOND),
            Err(Some(Duration::from_millis(800)))
        );
    }

    #[test]
    fn a_request_larger_than_a_part_has_room_but_no_more_than_all_that_is_set_aside() {
        let mut fallback = Fallback::<Plain>::new(FLOW, 16, 500 * MILLI, 0).unwrap();
        assert_eq!(fallback.take(FLOW, 16, 500 * MILLI, 0), Ok(()));
        let mut fallback = Fallback::<Plain>::new(FLOW, 16, MILLI, 0).unwrap();
        let wait = fallback.take(FLOW, 16, 500 * MILLI, 0).unwrap_err();
        assert!(wait.is_some_and(|it| it > Duration::from_secs(700)), "room, unfilled: {wait:?}");
        assert_eq!(fallback.take(FLOW, 16, 601 * MILLI, 0), Err(None));
    }

    #[test]
    fn seats_come_back_and_a_rate_does_not() {
        let seats = Supply::Seats { total_milli: 10 * MILLI };
        let mut fallback = Fallback::<Plain>::new(seats, 16, MILLI, 0).unwrap();
        assert_eq!(fallback.take(seats, 16, MILLI, 0), Ok(()));
        assert_eq!(fallback.take(seats, 16, MILLI, SECOND), Err(None));
        fallback.settle(MILLI, MILLI, SECOND);
        assert!(fallback.is_full(SECOND));
        let mut flow = Fallback::<Plain>::new(FLOW, 16, MILLI, 0).unwrap();
        assert_eq!(flow.take(FLOW, 16, 37 * MILLI, 0), Ok(()));
        flow.settle(37 * MILLI, MILLI, 0);
        assert_eq!(taken(&mut flow, 0, MILLI), 0);
        assert!(!flow.is_full(0) && flow.is_full(60 * SECOND));
        assert!(Fallback::<Plain>::new(Supply::Window { total_milli: 9 }, 1, 1, 0).is_none());
    }
}
