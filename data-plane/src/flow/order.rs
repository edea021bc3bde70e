//! In which order targets are looked at: the plan's, but for accounts that are nearly used
//! up, which come after all others.

use super::toll::Toll;
use crate::{
    explain::{LookVerdict, Record, Reluctance},
    gateway::Gateway,
    upstream::Threshold,
};
use domain::{
    catalog::Limit,
    routing::{Attempt, Plan},
};
use std::{sync::Arc, time::Instant};

/// The plan's attempts by their numbers, in the order in which to look at them: those that
/// are kept for last come after all others.
pub(super) struct Order {
    count: usize,
    next: usize,
    /// The second round has begun: those that are kept.
    late: bool,
    kept: u128,
    /// Nobody has heard of late how much of their limits is used.
    unheard: u128,
}

impl Order {
    pub(super) fn of(gateway: &Gateway, toll: &Toll<'_>, plan: &Plan, record: &Record) -> Self {
        let count = plan.attempts.len();
        let mut order = Self { count, next: 0, late: false, kept: 0, unheard: 0 };
        // Mostly nobody has limits and nobody lacks anything: then this is all.
        if toll.limits_targets() || !gateway.headroom.is_empty() {
            let (now, need) = (Instant::now(), toll.need());
            for (at, attempt) in plan.attempts.iter().enumerate() {
                let account = attempt.seat.account.id;
                let reluctance = match near_its_end(gateway, toll.target(at), attempt, now) {
                    Some(true) => Reluctance::Threshold,
                    heard => {
                        order.unheard |= if heard.is_none() { bit(at) } else { 0 };
                        if !gateway.headroom.lacks(account, &attempt.model, need, now) {
                            continue;
                        }
                        Reluctance::Upstream
                    }
                };
                order.kept |= bit(at);
                if 1 < count {
                    record.looked(attempt, LookVerdict::KeptForLast(reluctance), Vec::new());
                }
            }
        }
        order
    }

    /// The next one, and whether nobody comes after.
    pub(super) fn next(&mut self) -> Option<(usize, bool)> {
        let at = self.skip()?;
        self.next = at.saturating_add(1);
        let is_last = self.skip().is_none();
        Some((at, is_last))
    }

    /// Goes to where the next one is.
    fn skip(&mut self) -> Option<usize> {
        let (kept, late) = (self.kept, self.late);
        let here = |it: &usize| (kept & bit(*it) != 0) == late;
        let found = (self.next..self.count).find(here);
        if let Some(at) = found {
            self.next = at;
            return found;
        }
        if late {
            return None;
        }
        (self.next, self.late) = (0, true);
        self.skip()
    }

    /// Now that `at` has asked the leader for room it is known how much is used there. Puts
    /// it off if that is too much; says whether it did.
    pub(super) fn put_off(
        &mut self,
        gateway: &Gateway,
        (at, is_last): (usize, bool),
        limits: &[&Arc<Limit>],
        attempt: &Attempt,
    ) -> bool {
        let unheard = self.unheard & bit(at) != 0;
        self.unheard &= !bit(at);
        let is_near = || near_its_end(gateway, limits, attempt, Instant::now()) == Some(true);
        let off = unheard && !is_last && self.kept & bit(at) == 0 && is_near();
        if off {
            self.kept |= bit(at);
        }
        off
    }
}

/// No plan has so many targets; those beyond keep their order.
fn bit(at: usize) -> u128 {
    u32::try_from(at).ok().and_then(|it| 1u128.checked_shl(it)).unwrap_or(0)
}

/// Whether one of an account's limits is used up to its threshold; `None`: of one of them
/// nobody has heard for long. A change is told to the operator, once.
fn near_its_end(
    gateway: &Gateway,
    limits: &[&Arc<Limit>],
    attempt: &Attempt,
    now: Instant,
) -> Option<bool> {
    let (mut near, mut unheard) = (false, false);
    for limit in limits.iter().filter(|it| it.switch_percent.is_some()) {
        let used_ppm = gateway.meter.used_ppm(limit.id, limit.generation);
        let (account, id) = (&attempt.seat.account.name, limit.id);
        let (at_percent, used_ppm_now) = (limit.switch_percent, used_ppm);
        match gateway.thresholds.look(limit, used_ppm, now) {
            Threshold::Below => unheard |= used_ppm.is_none(),
            Threshold::BelowAgain => tracing::info!(
                %account, limit = %id, at_percent, used_ppm = used_ppm_now,
                "a limit is below its threshold again: the account takes its turn as before"
            ),
            Threshold::Beyond { news } => {
                near = true;
                if news {
                    tracing::info!(
                        %account, limit = %id, at_percent, used_ppm = used_ppm_now,
                        "a limit is used up to its threshold: the account is kept for last"
                    );
                }
            }
        }
    }
    if !near && unheard { None } else { Some(near) }
}
