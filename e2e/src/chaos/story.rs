//! What was done to the fleet and when, and which requests that excuses.

use super::{LOWERED, RPM, SEATS};
use crate::{
    demo::ledger::Entry,
    judge::{Excuse, Phase},
};
use runtime::clock::unix_ms;

/// How long a lease lives without a renewal, in milliseconds (docs/limits.md).
pub(super) const LEASE_MS: i64 = 8_000;

/// After a cut that was acknowledged, the limit before it may still be used for so long: a
/// lease's life, and the time in which everybody hears of it.
const OLD_LIMIT_MS: i64 = 11_000;

/// Threads of a proxy that can stand between a decision and its first byte when it is stopped.
const THREADS: u64 = 2;

/// What was decided before a pause is sent within so long after it.
const AFTER_PAUSE_MS: i64 = 2_000;

/// How long a request of the key with seats may take to end, its answer included.
const SEAT_MS: i64 = 3_000;

/// A stretch of the wall clock, which is one for all programs on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// Proxies that stood still.
    pub(super) pauses: Vec<Stretch>,
    /// Proxies that saw no control plane.
    pub(super) cuts: Vec<Stretch>,
    /// Proxies that were killed: what they had not handed in is lost.
    pub(super) kills_ms: Vec<i64>,
    /// The changing limit: low from an acknowledgement to the next change.
    pub(super) low: Vec<Stretch>,
}

/// From the wall clock to the upstream's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dial(i64);

impl Dial {
    /// As the upstream read both.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let difference =
            |it: &Entry| it.at_ms.saturating_mul(1_000).saturating_sub_unsigned(it.arrived_us);
        Self(entries.iter().map(difference).max().unwrap_or(0))
    }

    pub(super) fn us(self, ms: i64) -> u64 {
        u64::try_from(ms.saturating_mul(1_000).saturating_sub(self.0)).unwrap_or(0)
    }
}

impl Story {
    /// The changing limit is low from here on.
    pub(super) fn lowered(&mut self) {
        self.low.push(Stretch { from_ms: unix_ms(), until_ms: i64::MAX });
    }

    /// It is about to be raised.
    pub(super) fn raises(&mut self) {
        if let Some(it) = self.low.last_mut().filter(|it| it.until_ms == i64::MAX) {
            it.until_ms = unix_ms();
        }
    }

    /// What the changing limit allows when.
    pub(super) fn phases(&self, dial: Dial) -> Vec<Phase> {
        let mut phases = vec![Phase { from_us: 0, amount: RPM }];
        for it in self.judged_low() {
            phases.push(Phase { from_us: dial.us(it.from_ms), amount: LOWERED });
            phases.push(Phase { from_us: dial.us(it.until_ms), amount: RPM });
        }
        phases
    }

    /// For how long the limit was low and surely known to be, in milliseconds.
    pub(super) fn low_ms(&self, now_ms: i64) -> i64 {
        self.judged_low().map(|it| it.until_ms.min(now_ms).saturating_sub(it.from_ms)).sum()
    }

    fn judged_low(&self) -> impl Iterator<Item = Stretch> {
        let judged = |it: &Stretch| Stretch { from_ms: it.from_ms + OLD_LIMIT_MS, ..*it };
        self.low.iter().map(judged).filter(|it| it.from_ms < it.until_ms)
    }

    /// What proxies that stood still may send when they go on.
    pub(super) fn excuses(&self, dial: Dial) -> Vec<Excuse> {
        let excuse = |it: &Stretch| Excuse {
            from_us: dial.us(it.until_ms),
            until_us: dial.us(it.until_ms + AFTER_PAUSE_MS),
            requests: THREADS,
        };
        self.pauses.iter().map(excuse).collect()
    }

    /// How many seats may be taken at a moment: those there are, those that a proxy took
    /// before it was cut off for longer than its lease lives, and what one that stood still
    /// sends late.
    pub(super) fn seats(&self, dial: Dial, at_us: u64) -> u64 {
        let long = |it: &&Stretch| LEASE_MS - 1_000 <= it.until_ms - it.from_ms;
        let finishes = |it: &Stretch| {
            let over_ms = it.from_ms + LEASE_MS;
            (dial.us(over_ms - 1_000)..dial.us(over_ms + SEAT_MS)).contains(&at_us)
        };
        let goes_on =
            |it: &Stretch| (dial.us(it.until_ms)..dial.us(it.until_ms + SEAT_MS)).contains(&at_us);
        let cut = self.cuts.iter().filter(long).filter(|it| finishes(it)).count() as u64;
        let late = self.pauses.iter().filter(|it| goes_on(it)).count() as u64;
        SEATS + cut * SEATS + late * THREADS
    }

    /// Whether what a proxy had not handed in can have died with it: it ended just before,
    /// or was under way.
    pub(super) fn lost_with_a_proxy(&self, it: &Entry) -> bool {
        /// The longest that records may wait when everything else is well again.
        const BACKLOG_MS: i64 = 10_000;
        let ended_ms = it.at_ms.saturating_add_unsigned(it.duration_ms);
        self.kills_ms.iter().any(|kill| it.at_ms <= *kill && kill - BACKLOG_MS <= ended_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from_ms: i64, until_ms: i64) -> Stretch {
        Stretch { from_ms, until_ms }
    }

    #[test]
    fn seats_are_excused_only_while_a_proxy_that_is_cut_off_finishes() {
        let story = Story { cuts: vec![stretch(0, 20_000)], ..Story::default() };
        let seats = |ms: u64| story.seats(Dial(0), ms * 1_000);
        assert_eq!((seats(5_000), seats(8_500), seats(12_000)), (SEATS, 2 * SEATS, SEATS));
        let story = Story { pauses: vec![stretch(0, 1_000)], ..Story::default() };
        assert_eq!(story.seats(Dial(0), 1_500_000), SEATS + THREADS);
        assert_eq!(story.seats(Dial(0), 8_500_000), SEATS);
    }

    #[test]
    fn a_cut_counts_when_everybody_knows_of_it() {
        let low = vec![stretch(0, 5_000), stretch(10_000, 40_000)];
        let story = Story { low, ..Story::default() };
        let amounts: Vec<_> = story.phases(Dial(0)).iter().map(|it| it.amount).collect();
        assert_eq!((amounts, story.low_ms(60_000)), (vec![RPM, LOWERED, RPM], 19_000));
    }
}
