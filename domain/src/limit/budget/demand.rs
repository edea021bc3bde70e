//! How much is asked for of late: what chunks and blocks are sized by.

/// Over so long each part of the mean is summed, in microseconds.
const SLOT_US: u64 = 1_000_000;
/// A new slot weighs a quarter, so that the mean follows within some seconds.
const WEIGHT: u64 = 4;
/// After so many silent slots nothing is left of any mean.
const FORGET_SLOTS: u64 = 200;

/// A moving mean of what was asked for, refused requests included.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    slot_from_us: u64,
    slot_milli: u64,
    milli_per_s: u64,
}

impl Demand {
    pub(super) const fn new(now_us: u64) -> Self {
        Self { slot_from_us: now_us, slot_milli: 0, milli_per_s: 0 }
    }

    /// Counts what was asked for.
    pub(super) fn add(&mut self, now_us: u64, milli: u64) {
        *self = self.at(now_us);
        self.slot_milli = self.slot_milli.saturating_add(milli);
    }

    /// Takes back what was counted a moment ago.
    pub(super) const fn take_back(&mut self, milli: u64) {
        self.slot_milli = self.slot_milli.saturating_sub(milli);
    }

    /// The mean, in thousandths per second.
    pub(super) fn milli_per_s(&self, now_us: u64) -> u64 {
        self.at(now_us).milli_per_s
    }

    fn at(mut self, now_us: u64) -> Self {
        let slots = now_us.saturating_sub(self.slot_from_us) / SLOT_US;
        if slots == 0 {
            return self;
        }
        self.weigh(self.slot_milli);
        match slots < FORGET_SLOTS {
            true => (1..slots).for_each(|_| self.weigh(0)),
            false => self.milli_per_s = 0,
        }
        self.slot_milli = 0;
        self.slot_from_us = self.slot_from_us.saturating_add(slots.saturating_mul(SLOT_US));
        self
    }

    fn weigh(&mut self, slot_milli: u64) {
        // The old part is rounded down, so that silence ends at nothing.
        let old = self.milli_per_s.saturating_sub(self.milli_per_s.div_ceil(WEIGHT));
        self.milli_per_s = old.saturating_add(slot_milli / WEIGHT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_a_steady_demand_and_falls_to_nothing_after_it() {
        let mut demand = Demand::new(0);
        for second in 0..60u64 {
            demand.add(second * SLOT_US, 8_000);
        }
        let mean = demand.milli_per_s(60 * SLOT_US);
        assert!((7_900..=8_000).contains(&mean), "{mean}");
        assert!(demand.milli_per_s(64 * SLOT_US) < 3_000);
        assert_eq!(demand.milli_per_s(100 * SLOT_US), 0);
        assert_eq!(demand.milli_per_s(u64::MAX), 0);
    }

    #[test]
    fn what_was_taken_back_was_never_asked_for() {
        let mut demand = Demand::new(0);
        demand.add(10, 8_000);
        demand.take_back(8_000);
        assert_eq!(demand.milli_per_s(SLOT_US), 0);
    }
}
