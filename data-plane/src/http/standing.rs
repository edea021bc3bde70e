//! How a caller's own limits stand, in the headers of its answers.
//!
//! Knows what each kind of limit is to a caller; the names and forms of the headers are
//! the dialect's.

use dialect::ratelimit::{Family, Standing, Standings};
use domain::{
    catalog::{Action, Dialect, Limit, Measure, Rule, Weights},
    limit::{
        hold::View,
        supply::{MILLI, Supply},
    },
};
use http::HeaderMap;
use std::time::Duration;

/// Writes how `limits` stand, the tightest of each kind. Shadows, money and what runs at
/// the same time have no headers.
pub(crate) fn write<'a>(
    limits: impl Iterator<Item = (&'a Limit, View)>,
    dialect: Dialect,
    now_unix_ms: i64,
    to: &mut HeaderMap,
) {
    let mut standings = Standings::default();
    // Of what the leader has not told yet, nobody knows how much is left.
    let known = limits.filter(|(limit, view)| limit.action == Action::Enforce && 0 < view.seq);
    for (limit, view) in known {
        if let Some((family, standing)) = of(limit, &view) {
            standings.add(family, standing);
        }
    }
    standings.write(dialect, now_unix_ms, to);
}

fn of(limit: &Limit, view: &View) -> Option<(Family, Standing)> {
    let family = match limit.rule.measure()? {
        Measure::Requests => Family::Requests,
        Measure::Tokens(weights) => family(weights),
        Measure::Cost => return None,
    };
    let amount = limit.rule.amount().get();
    let left_milli = left_milli(limit, view);
    let standing = Standing {
        limit: amount,
        remaining: (left_milli / MILLI).min(amount),
        reset: reset(limit, view, left_milli),
    };
    Some((family, standing))
}

/// The view of a limit that has just refused a request, with no more left than then.
pub(crate) fn of_refused(view: View, left_milli: u64) -> View {
    let level_milli = i64::try_from(left_milli).unwrap_or(i64::MAX);
    View { level_milli, free_milli: 0, ..view }
}

/// What is left of a limit, here and with the leader as it was last heard.
pub(crate) fn left_milli(limit: &Limit, view: &View) -> u64 {
    let most = Supply::of(limit).map_or(0, Supply::largest_milli);
    let here = u64::try_from(view.level_milli).unwrap_or(0);
    // Debts are paid from what the leader has.
    let owed = u64::try_from(view.level_milli.saturating_neg()).unwrap_or(0);
    view.free_milli.saturating_sub(owed).saturating_add(here).min(most)
}

/// A limit that counts only one kind is told as such.
const fn family(weights: Weights) -> Family {
    let input = 0 < weights.input || 0 < weights.cached_input || 0 < weights.cache_write;
    match (input, 0 < weights.output) {
        (true, false) => Family::InputTokens,
        (false, true) => Family::OutputTokens,
        (true, true) | (false, false) => Family::Tokens,
    }
}

/// After which time all of it is there again, if nobody takes of it meanwhile.
fn reset(limit: &Limit, view: &View, left_milli: u64) -> Option<Duration> {
    match Supply::of(limit)? {
        Supply::Flow { rate_nano, burst_milli } => {
            let missing = u128::from(burst_milli.saturating_sub(left_milli));
            // Thousandths by billionths a second: microseconds by 10¹².
            let us =
                missing.saturating_mul(1_000_000_000_000).div_ceil(u128::from(rate_nano.max(1)));
            Some(Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX)))
        }
        Supply::Window { .. } => {
            let returns = matches!(*limit.rule, Rule::Calendar { .. }) && 0 < view.left_us;
            returns.then(|| Duration::from_micros(view.left_us))
        }
        Supply::Seats { .. } => None,
    }
}
