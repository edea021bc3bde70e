//! A bucket whose arithmetic is `governor`'s, over a state and a clock of ours.
//!
//! No limiter is kept: one is made for each question, over the same [`Tat`], so that a new
//! shape needs no new state. What the crate calls nanoseconds are thousandths of the limit's
//! unit here ([`Inflow`]); a cell is one of them, or, where 32 bits would not count the
//! burst, a grain of several.

use super::{
    inflow::{Inflow, Tick},
    tat::Tat,
};
use domain::limit::bucket::{Bucket, Shape};
use governor::{Quota, RateLimiter, middleware::NoOpMiddleware, state::NotKeyed};
use std::{num::NonZeroU32, time::Duration};

/// No bucket holds more than this, in thousandths of a unit.
pub(crate) const LARGEST_MILLI: u64 = 1 << 60;
/// Bursts are kept below so many grains: well within what `governor` counts.
const MOST_GRAINS: u64 = 1 << 31;
/// Beyond so many ticks the clock is set back.
const REWIND_AT: u64 = 1 << 60;

/// A token bucket over `governor`. Exact to a thousandth of a unit at any rate and size.
#[derive(Debug)]
pub(crate) struct GovernorBucket {
    tat: Tat,
    inflow: Inflow,
    shape: Shape,
}

/// How the limiter sees a bucket's size.
#[derive(Clone, Copy)]
struct Grains {
    /// Thousandths in one.
    size: u64,
    /// What the limiter takes for the burst. Up to two grains more than the bucket holds:
    /// room to round in; it is never filled.
    burst: NonZeroU32,
    /// `burst` in thousandths.
    full: u64,
}

impl Grains {
    fn of(cap_milli: u64) -> Self {
        // Nearly always one: then nothing has to be divided.
        let size = cap_milli / MOST_GRAINS + 1;
        let count = if size == 1 { cap_milli } else { cap_milli / size } + 2;
        let burst = u32::try_from(count).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        Self { size, burst, full: u64::from(burst.get()).saturating_mul(size) }
    }
}

impl GovernorBucket {
    /// Lets in what has flowed in, and lets go what there is no room for.
    fn flow(&mut self, now_us: u64) -> (u64, Grains) {
        self.inflow = self.inflow.at(now_us, self.shape.rate_nano);
        let beyond = self.inflow.ticks();
        if beyond > REWIND_AT {
            self.inflow.rewind(beyond);
            self.tat.set(self.tat.get().saturating_sub(beyond));
        }
        let (now, grains) = (self.inflow.ticks(), Grains::of(self.shape.cap_milli));
        self.tat.raise_to(brim(now, grains, self.shape));
        self.spill_if_full(now, grains);
        (now, grains)
    }

    fn spill_if_full(&mut self, now: u64, grains: Grains) {
        if self.tat.get() <= brim(now, grains, self.shape) {
            self.inflow.spill();
        }
    }

    fn level(&self, now: u64, grains: Grains) -> i64 {
        let at = self.tat.get().max(brim(now, grains, self.shape));
        let ahead = i64::try_from(at.saturating_sub(now)).unwrap_or(i64::MAX);
        i64::try_from(grains.full).unwrap_or(i64::MAX).saturating_sub(ahead)
    }
}

/// The arrival time of a bucket that holds all it may.
const fn brim(now: u64, grains: Grains, shape: Shape) -> u64 {
    now.saturating_add(grains.full.saturating_sub(shape.cap_milli))
}

const fn bounded(shape: Shape) -> Shape {
    let cap_milli = if shape.cap_milli < LARGEST_MILLI { shape.cap_milli } else { LARGEST_MILLI };
    Shape { cap_milli, ..shape }
}

impl Bucket for GovernorBucket {
    /// `coarse` is of no use here: no grain is as large as a rounded rate would make it.
    fn empty(shape: Shape, _coarse: u64, now_us: u64) -> Self {
        let shape = bounded(shape);
        let inflow = Inflow::new(now_us);
        let full = Grains::of(shape.cap_milli).full;
        Self { tat: Tat::new(inflow.ticks().saturating_add(full)), inflow, shape }
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn level_milli(&self, now_us: u64) -> i64 {
        let now = self.inflow.at(now_us, self.shape.rate_nano).ticks();
        self.level(now, Grains::of(self.shape.cap_milli))
    }

    fn take(&mut self, now_us: u64, milli: u64) -> bool {
        if milli > self.shape.cap_milli {
            // The limiter would call it an error, for ever; it may be asked for again once
            // the bucket is larger.
            return false;
        }
        let (now, grains) = self.flow(now_us);
        let count = if grains.size == 1 { milli } else { milli.div_ceil(grains.size) };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let Some(count) = NonZeroU32::new(count) else { return 0 <= self.level(now, grains) };
        // Grains are whole: what the last one has too much is lent for the question. There
        // is room for it below the limiter's idea of full.
        let over = u64::from(count.get()).saturating_mul(grains.size).saturating_sub(milli);
        self.tat.credit(over, now);
        let Some(quota) = Quota::with_period(Duration::from_nanos(grains.size)) else {
            return false;
        };
        let limiter = RateLimiter::<NotKeyed, _, _, NoOpMiddleware<Tick>>::new(
            quota.allow_burst(grains.burst),
            &self.tat,
            Tick(now),
        );
        let taken = matches!(limiter.check_n(count), Ok(Ok(())));
        if !taken {
            self.tat.debit(over);
        }
        taken
    }

    fn debit(&mut self, now_us: u64, milli: u64) {
        self.flow(now_us);
        self.tat.debit(milli.min(LARGEST_MILLI));
        // No debt so deep that sums overflow.
        let deepest = self.inflow.ticks().saturating_add(LARGEST_MILLI.saturating_mul(4));
        if self.tat.get() > deepest {
            self.tat.set(deepest);
        }
    }

    fn give(&mut self, now_us: u64, milli: u64) -> u64 {
        let (now, grains) = self.flow(now_us);
        let brim = brim(now, grains, self.shape);
        // The thousandth that has begun has its room already.
        let begun = u64::from(self.inflow.has_begun());
        let given = milli.min(self.tat.get().saturating_sub(brim).saturating_sub(begun));
        self.tat.credit(given, brim);
        self.spill_if_full(now, grains);
        given
    }

    fn reshape(&mut self, now_us: u64, shape: Shape) -> u64 {
        let (now, grains) = self.flow(now_us);
        let level = self.level(now, grains);
        self.shape = bounded(shape);
        let most = i64::try_from(self.shape.cap_milli).unwrap_or(i64::MAX);
        let kept = level.min(most);
        let grains = Grains::of(self.shape.cap_milli);
        let ahead = i128::from(grains.full).saturating_sub(i128::from(kept));
        self.tat.set(now.saturating_add(u64::try_from(ahead).unwrap_or(0)));
        self.spill_if_full(now, grains);
        u64::try_from(level.saturating_sub(kept)).unwrap_or(0)
    }
}
