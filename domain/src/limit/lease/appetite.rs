//! How much is asked for of late, and how much at once: what shares are measured by.

const SLOT_US: u64 = 1_000_000;
/// After so many silent seconds nothing is left of any mean.
const FORGET_SLOTS: u64 = 64;
/// The greatest request is remembered for one to two of these.
const LARGEST_US: u64 = 15_000_000;

/// Demand at a holder, refused requests included.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Appetite {
    slot: u64,
    slot_milli: u64,
    mean_milli: u64,
    era: u64,
    largest_milli: u64,
    largest_before_milli: u64,
    /// The greatest of this era without the last that was counted.
    others_milli: u64,
}

impl Appetite {
    /// Counts one request.
    pub(super) fn add(&mut self, now_us: u64, milli: u64) {
        *self = self.at(now_us);
        self.slot_milli = self.slot_milli.saturating_add(milli);
        self.others_milli = self.largest_milli;
        self.largest_milli = self.largest_milli.max(milli);
    }

    /// Takes back what was counted at `at_us`, as if nobody had asked. When somebody else was
    /// counted since, the greatest request stays; when a second has passed, all of it does.
    pub(super) const fn take_back(&mut self, at_us: u64, milli: u64) {
        if at_us / SLOT_US != self.slot {
            return;
        }
        self.slot_milli = self.slot_milli.saturating_sub(milli);
        if milli == self.largest_milli {
            self.largest_milli = self.others_milli;
        }
    }

    /// A moving mean over about two seconds, in thousandths of a unit per second.
    pub(super) fn milli_per_s(self, now_us: u64) -> u64 {
        self.at(now_us).mean_milli
    }

    /// The greatest single request of the last half minute, in thousandths of a unit.
    pub(super) fn largest_milli(self, now_us: u64) -> u64 {
        let now = self.at(now_us);
        now.largest_milli.max(now.largest_before_milli)
    }

    fn at(mut self, now_us: u64) -> Self {
        let slot = now_us / SLOT_US;
        if FORGET_SLOTS < slot.saturating_sub(self.slot) {
            self.slot = slot;
            self.slot_milli = 0;
            self.mean_milli = 0;
        }
        while self.slot < slot {
            self.mean_milli = (self.mean_milli / 2).saturating_add(self.slot_milli / 2);
            self.slot_milli = 0;
            self.slot += 1;
        }
        let era = now_us / LARGEST_US;
        if self.era < era {
            let next = self.era + 1 == era;
            self.largest_before_milli = if next { self.largest_milli } else { 0 };
            self.largest_milli = 0;
            self.others_milli = 0;
            self.era = era;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_demand_and_forgets_it() {
        let mut appetite = Appetite::default();
        for second in 0..20 {
            appetite.add(second * SLOT_US, 8_000);
        }
        let mean = appetite.milli_per_s(20 * SLOT_US);
        assert!((7_900..=8_000).contains(&mean), "{mean}");
        assert!(appetite.milli_per_s(23 * SLOT_US) <= 1_000);
        assert_eq!(appetite.milli_per_s(u64::MAX), 0);
    }

    #[test]
    fn what_was_taken_back_was_never_asked_for() {
        let mut appetite = Appetite::default();
        appetite.add(0, 2_000);
        for at_us in 1..500 {
            appetite.add(at_us, 9_000);
            appetite.take_back(at_us, 9_000);
        }
        assert_eq!(appetite.largest_milli(500), 2_000);
        assert_eq!(appetite.milli_per_s(SLOT_US), 1_000);
        // Too late: it counts for what others asked for since.
        appetite.add(SLOT_US, 4_000);
        appetite.take_back(0, 2_000);
        assert_eq!((appetite.slot_milli, appetite.largest_milli(SLOT_US)), (4_000, 4_000));
    }

    #[test]
    fn the_greatest_request_is_forgotten_after_half_a_minute() {
        let mut appetite = Appetite::default();
        appetite.add(0, 9_000);
        appetite.add(16_000_000, 1_000);
        assert_eq!(appetite.largest_milli(29_000_000), 9_000);
        assert_eq!(appetite.largest_milli(31_000_000), 1_000);
        assert_eq!(appetite.largest_milli(60_000_000), 0);
    }
}
