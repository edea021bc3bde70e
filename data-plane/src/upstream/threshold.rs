//! Which limits of accounts are used up to their threshold: their accounts are asked after
//! all others. Knows what was seen last; the meter knows what is used.

use domain::{
    catalog::{Action, Limit},
    id::LimitId,
    limit::supply::Supply,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Millionths in a percent.
const PPM_OF_PERCENT: u32 = 10_000;
/// How long a rate is believed to be used up when nobody says so any more: it refills.
const RATE_KEPT: Duration = Duration::from_secs(5);
/// The same of a window or a grant. An account that is avoided soon has no lease that
/// would tell; then a request now and then finds out.
const WINDOW_KEPT: Duration = Duration::from_secs(60);
/// Most limits that are remembered.
const MOST: usize = 4_096;

/// The limits that are beyond their threshold, as they were last seen.
#[derive(Debug, Default)]
pub(crate) struct Thresholds(Mutex<HashMap<LimitId, Crossed>>);

#[derive(Debug)]
struct Crossed {
    generation: u32,
    until: Instant,
}

/// What became of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threshold {
    /// Less is used, or there is none.
    Below,
    /// So much is used; `news`: it was not, when it was last looked at.
    Beyond { news: bool },
    /// Less is used again.
    BelowAgain,
}

impl Thresholds {
    /// Looks at a limit of which `used_ppm` is used, if that is known.
    pub(crate) fn look(&self, limit: &Limit, used_ppm: Option<u32>, now: Instant) -> Threshold {
        let Some(percent) = limit.switch_percent.filter(|_| limit.action == Action::Enforce) else {
            return Threshold::Below;
        };
        // Every change leaves it whole: a panic elsewhere cannot have torn it.
        let mut crossed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = crossed.get(&limit.id).filter(|it| it.generation == limit.generation);
        let known = before.is_some();
        let Some(used_ppm) = used_ppm else {
            let still = before.is_some_and(|it| now < it.until);
            return if still { Threshold::Beyond { news: false } } else { Threshold::Below };
        };
        if used_ppm < u32::from(percent).saturating_mul(PPM_OF_PERCENT) {
            crossed.remove(&limit.id);
            return if known { Threshold::BelowAgain } else { Threshold::Below };
        }
        if crossed.len() >= MOST && !known {
            crossed.retain(|_, it| now < it.until);
        }
        let kept = match Supply::of(limit) {
            Some(Supply::Window { .. }) => WINDOW_KEPT,
            Some(Supply::Flow { .. } | Supply::Seats { .. }) | None => RATE_KEPT,
        };
        if let Some(until) = now.checked_add(kept)
            && (known || crossed.len() < MOST)
        {
            crossed.insert(limit.id, Crossed { generation: limit.generation, until });
        }
        Threshold::Beyond { news: !known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::catalog::{Measure, Mode, Rule, Subject};
    use std::num::NonZeroU64;
    use uuid::Uuid;

    fn limit(switch_percent: Option<u8>) -> Limit {
        Limit {
            id: LimitId::from_uuid(Uuid::from_u128(1)),
            generation: 1,
            subject: Subject::Everything,
            rule: Rule::Grant { measure: Measure::Requests, amount: NonZeroU64::new(100).unwrap() }
                .into(),
            mode: Mode::Strict,
            action: Action::Enforce,
            warn_percent: None,
            switch_percent,
            queue_ms: 0,
        }
    }

    #[test]
    fn a_crossing_is_news_once_in_each_direction() {
        let (thresholds, limit, now) = (Thresholds::default(), limit(Some(99)), Instant::now());
        let look = |used| thresholds.look(&limit, used, now);
        assert_eq!(look(Some(989_999)), Threshold::Below);
        assert_eq!(look(Some(990_000)), Threshold::Beyond { news: true });
        assert_eq!(look(Some(1_000_000)), Threshold::Beyond { news: false });
        assert_eq!(look(Some(10)), Threshold::BelowAgain);
        assert_eq!(look(Some(10)), Threshold::Below);
        assert_eq!(look(Some(990_000)), Threshold::Beyond { news: true });
    }

    #[test]
    fn what_nobody_tells_any_more_is_remembered_for_a_while() {
        let (thresholds, mut limit, now) = (Thresholds::default(), limit(Some(99)), Instant::now());
        thresholds.look(&limit, Some(990_000), now);
        let after = |limit: &Limit, seconds| {
            thresholds.look(limit, None, now + Duration::from_secs(seconds))
        };
        assert_eq!(after(&limit, 59), Threshold::Beyond { news: false });
        assert_eq!(after(&limit, 60), Threshold::Below);
        limit.generation = 2;
        assert_eq!(after(&limit, 1), Threshold::Below, "it begins anew");
    }

    #[test]
    fn without_a_threshold_nothing_is_avoided() {
        let (thresholds, now) = (Thresholds::default(), Instant::now());
        assert_eq!(thresholds.look(&limit(None), Some(1_000_000), now), Threshold::Below);
        let shadow = Limit { action: Action::Shadow, ..limit(Some(50)) };
        assert_eq!(thresholds.look(&shadow, Some(1_000_000), now), Threshold::Below);
    }
}
