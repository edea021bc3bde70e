//! How long to wait before trying again: exponential, capped, fully jittered.
//!
//! Knows no task and no clock: it only gives durations.

use std::time::Duration;

/// The waits of one series of failed tries.
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// The bound of the first wait is `base`; it doubles with each, up to `most`.
    #[must_use]
    pub const fn new(base: Duration, most: Duration) -> Self {
        Self { base, most, failures: 0 }
    }

    /// The next wait: anything between nothing and the bound, so that many who fail
    /// together do not return together.
    #[expect(clippy::should_implement_trait, reason = "endless, and not to be looped over")]
    pub fn next(&mut self) -> Duration {
        let bound = self.bound();
        self.failures = self.failures.saturating_add(1);
        // Without entropy the whole bound is the safe answer.
        getrandom::u64().map_or(bound, |dice| part(bound, dice))
    }

    /// The last try worked: begin again at `base`.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    fn bound(&self) -> Duration {
        // 2^31 times anything is above any cap worth naming.
        self.base.saturating_mul(1 << self.failures.min(31)).min(self.most)
    }
}

/// `dice / 2^64` of `whole`, to the nanosecond; at most 584 years.
fn part(whole: Duration, dice: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let share = (u128::from(nanos) * u128::from(dice)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_bound_doubles_to_the_cap_and_begins_again_after_a_reset() {
        let mut backoff = Backoff::new(MS(100), MS(1000));
        let bounds: Vec<_> = (0..6)
            .map(|_| {
                let bound = backoff.bound();
                assert!(backoff.next() <= bound);
                bound
            })
            .collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1000, 1000].map(MS));
        backoff.reset();
        assert_eq!(backoff.bound(), MS(100));
    }

    #[test]
    fn it_survives_any_number_of_failures_and_any_cap() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        backoff.failures = u32::MAX;
        backoff.next();
        assert_eq!(backoff.failures, u32::MAX);
    }

    #[test]
    fn the_dice_choose_from_nothing_to_the_whole() {
        assert_eq!(part(MS(1000), 0), Duration::ZERO);
        assert_eq!(part(MS(1000), 1 << 63), MS(500));
        assert!(part(MS(1000), u64::MAX) < MS(1000));
    }
}
