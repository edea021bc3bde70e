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

/// The plan's attempts by their numbers, in the order in which to look at them.
pub(super) fn order(
    gateway: &Gateway,
    toll: &Toll<'_>,
    plan: &Plan,
    record: &Record,
) -> impl Iterator<Item = usize> + use<> {
    let mut kept = 0u128;
    // Mostly nobody has limits and nobody lacks anything: then this is all.
    if toll.limits_targets() || !gateway.headroom.is_empty() {
        let (now, need) = (Instant::now(), toll.need());
        for (at, attempt) in plan.attempts.iter().enumerate() {
            let account = attempt.seat.account.id;
            let reluctance = if near_its_end(gateway, toll.target(at), attempt, now) {
                Reluctance::Threshold
            } else if gateway.headroom.lacks(account, &attempt.model, need, now) {
                Reluctance::Upstream
            } else {
                continue;
            };
            kept |= bit(at);
            if 1 < plan.attempts.len() {
                record.looked(attempt, LookVerdict::KeptForLast(reluctance), Vec::new());
            }
        }
    }
    let all = 0..plan.attempts.len();
    let willing = all.clone().filter(move |at| kept & bit(*at) == 0);
    willing.chain(all.filter(move |at| kept & bit(*at) != 0))
}

/// No plan has so many targets; those beyond keep their order.
fn bit(at: usize) -> u128 {
    u32::try_from(at).ok().and_then(|it| 1u128.checked_shl(it)).unwrap_or(0)
}

/// Whether one of an account's limits is used up to its threshold. A change of that is
/// told to the operator, once.
fn near_its_end(
    gateway: &Gateway,
    limits: &[&Arc<Limit>],
    attempt: &Attempt,
    now: Instant,
) -> bool {
    let mut near = false;
    for limit in limits.iter().filter(|it| it.switch_percent.is_some()) {
        let used_ppm = gateway.meter.used_ppm(limit.id, limit.generation);
        let (account, id) = (&attempt.seat.account.name, limit.id);
        let (at_percent, used_ppm_now) = (limit.switch_percent, used_ppm);
        match gateway.thresholds.look(limit, used_ppm, now) {
            Threshold::Below => {}
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
    near
}
