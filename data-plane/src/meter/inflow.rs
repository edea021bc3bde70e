//! The clock that buckets are asked by: it counts not time but what has flowed in.
//!
//! One tick is a thousandth of the limit's unit. So a change of rate is a change of the
//! clock's pace and touches no number of the bucket, nothing is ever rounded to whole
//! nanoseconds per grain, and at rate 0 the clock just stands still.

use governor::{
    clock::{Clock, Reference},
    nanos::Nanos,
};
use std::ops::Add;

/// A billionth of a unit per second, for a microsecond, is so small a part of a thousandth.
const PARTS_PER_MILLI: u64 = 1_000_000_000_000;
/// Most that one step may let in: more than any bucket holds.
const MOST_AT_ONCE: u64 = 1 << 62;

/// What has flowed in since some beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inflow {
    /// Up to when it is counted, in microseconds.
    since_us: u64,
    /// Thousandths that had flowed in by then.
    milli: u64,
    /// And so many 10⁻¹² of one: kept, or else a slow inflow that is looked at often would
    /// never come to a thousandth.
    parts: u64,
}

impl Inflow {
    pub(crate) fn new(now_us: u64) -> Self {
        Self { since_us: now_us, milli: 0, parts: 0 }
    }

    /// The same at a later time, having flowed at `rate_nano` until then.
    pub(crate) fn at(self, now_us: u64, rate_nano: u64) -> Self {
        let Some(passed_us) = now_us.checked_sub(self.since_us).filter(|it| *it > 0) else {
            return self;
        };
        let (more, parts) =
            match passed_us.checked_mul(rate_nano).and_then(|it| it.checked_add(self.parts)) {
                Some(all) => (all / PARTS_PER_MILLI, all % PARTS_PER_MILLI),
                None => {
                    let all = u128::from(passed_us)
                        .saturating_mul(u128::from(rate_nano))
                        .saturating_add(u128::from(self.parts));
                    let (whole, parts) =
                        (all / u128::from(PARTS_PER_MILLI), all % u128::from(PARTS_PER_MILLI));
                    // The rest of a division always fits.
                    (u64::try_from(whole).unwrap_or(u64::MAX), u64::try_from(parts).unwrap_or(0))
                }
            };
        Self { since_us: now_us, milli: self.milli.saturating_add(more.min(MOST_AT_ONCE)), parts }
    }

    /// Ticks of the clock.
    pub(crate) fn ticks(self) -> u64 {
        self.milli
    }

    /// Whether a thousandth has begun to flow in.
    pub(crate) fn has_begun(self) -> bool {
        self.parts != 0
    }

    /// Forgets the begun thousandth: there is no room for it.
    pub(crate) fn spill(&mut self) {
        self.parts = 0;
    }

    /// Sets the clock back by so many ticks: every bucket that goes by it has to be, too.
    pub(crate) fn rewind(&mut self, ticks: u64) {
        self.milli = self.milli.saturating_sub(ticks);
    }
}

/// A moment of an [`Inflow`]; also a clock that shows just it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u64);

impl Add<Nanos> for Tick {
    type Output = Self;

    fn add(self, ticks: Nanos) -> Self {
        Self(self.0.saturating_add(ticks.as_u64()))
    }
}

impl Reference for Tick {
    /// Since the clock's beginning, whenever the limiter was made: so a limiter that is made
    /// anew over the same state goes on where the last one was.
    fn duration_since(&self, _: Self) -> Nanos {
        self.0.into()
    }

    fn saturating_sub(&self, ticks: Nanos) -> Self {
        Self(self.0.saturating_sub(ticks.as_u64()))
    }
}

impl Clock for Tick {
    type Instant = Self;

    fn now(&self) -> Self {
        *self
    }
}
