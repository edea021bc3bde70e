//! Notices when a limit passes its thresholds, once for each time that it does.

use super::{Active, Book, Lent, Now, figures};
use crate::metrics;
use domain::catalog::Limit;

/// How far a share has to fall below a threshold before it can pass it again, in millionths.
const SLACK_PPM: u32 = 10_000;

/// Which thresholds of a limit are passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Crossed {
    pub(super) warned: bool,
    pub(super) switched: bool,
}

impl Crossed {
    /// What is passed at this share, and whether that is news.
    pub(super) fn at(self, limit: &Limit, used_ppm: u32) -> (Self, [bool; 2]) {
        let passed = |percent: Option<u8>, before: bool| {
            percent.is_some_and(|percent| {
                let from = u32::from(percent).saturating_mul(10_000);
                from.saturating_sub(if before { SLACK_PPM } else { 0 }) <= used_ppm
            })
        };
        let now = Self {
            warned: passed(limit.warn_percent, self.warned),
            switched: passed(limit.switch_percent, self.switched),
        };
        (now, [now.warned && !self.warned, now.switched && !self.switched])
    }
}

impl Book {
    /// Looks at every limit that is in use: thresholds, and the figures for the metrics.
    pub(super) fn look(&mut self, now: Now) {
        let mut sums = metrics::Lent { learning: self.learning, ..metrics::Lent::default() };
        for (id, active) in &mut self.active {
            let Some(it) = figures::glance(&self.leader, now, active) else { continue };
            match &active.lent {
                Lent::Lease => sums.leases = sums.leases.saturating_add(it.holders),
                Lent::Window(_) => sums.chunks = sums.chunks.saturating_add(it.holders),
            }
            sums.over_milli = sums.over_milli.saturating_add(it.over_milli);
            let used_ppm = it.used_ppm;
            let Active { limit, crossed, .. } = active;
            let (passed, [warns, switches]) = crossed.at(limit, used_ppm);
            *crossed = passed;
            let subject = &limit.subject;
            if warns {
                tracing::info!(limit = %id, ?subject, used_ppm, "a limit is nearly used up");
            }
            if switches {
                tracing::info!(limit = %id, ?subject, used_ppm, "an account's limit has reached its threshold: it is asked only when nothing else is left");
            }
            sums.switched = sums.switched.saturating_add(usize::from(passed.switched));
        }
        sums.limits = self.active.len();
        metrics::lent(&sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        catalog::{Action, Measure, Mode, Rule, Subject},
        id::LimitId,
    };
    use std::num::NonZeroU64;

    #[test]
    fn a_threshold_is_news_once_until_it_was_left_well_behind() {
        let limit = Limit {
            id: LimitId::from_uuid(uuid::Uuid::nil()),
            generation: 0,
            subject: Subject::Everything,
            rule: Rule::Grant { measure: Measure::Requests, amount: NonZeroU64::MIN }.into(),
            mode: Mode::Strict,
            action: Action::Enforce,
            warn_percent: Some(80),
            switch_percent: Some(99),
            queue_ms: 0,
        };
        let mut crossed = Crossed::default();
        let mut news = Vec::new();
        for used_ppm in
            [790_000, 800_000, 795_000, 801_000, 989_999, 990_000, 985_000, 700_000, 900_000]
        {
            let (now, told) = crossed.at(&limit, used_ppm);
            crossed = now;
            news.push(told.map(u8::from));
        }
        assert_eq!(news, [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 1], [0, 0], [0, 0], [1, 0]]);
    }
}
