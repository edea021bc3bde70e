//! What a limit has to give, as the leases see it.

use super::DRIFT_PPM;
use crate::catalog::{Limit, Measure, Rule};

/// Thousandths of a unit in one unit.
pub const MILLI: u64 = 1_000;
/// Billionths in a thousandth.
const NANO_IN_MILLI: u128 = 1_000_000;
const MILLION: u128 = 1_000_000;

/// Which part of the amount is the burst of a strict window: a tenth.
const STRICT_BURST: u64 = 10;

/// What a limit has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// Refilled steadily up to a burst.
    Flow {
        /// Refill, in billionths of a unit per second; slowed by what clocks may drift.
        rate_nano: u64,
        /// Most that can lie ready, in thousandths of a unit.
        burst_milli: u64,
    },
    /// Lent and given back: requests at the same time.
    Seats {
        /// All of them, in thousandths.
        total_milli: u64,
    },
    /// A fixed amount for each window, counted in the database.
    Window {
        /// Per window, in thousandths of a unit.
        total_milli: u64,
    },
}

impl Supply {
    /// What the limit has to give; `None` for one that looks at each request alone.
    pub fn of(limit: &Limit) -> Option<Self> {
        Some(match &*limit.rule {
            Rule::Bucket { amount, period, .. } => {
                let milli = amount.get().saturating_mul(MILLI);
                flow(milli, milli, period.seconds())
            }
            Rule::WindowStrict { measure, amount, period } => {
                let (refill_milli, burst_milli) = strict_parts(*measure, amount.get());
                flow(refill_milli, burst_milli, period.seconds())
            }
            Rule::Calendar { amount, .. } | Rule::Grant { amount, .. } => {
                Self::Window { total_milli: amount.get().saturating_mul(MILLI) }
            }
            Rule::InFlight { most } => {
                Self::Seats { total_milli: most.get().saturating_mul(MILLI) }
            }
            Rule::TokensPerRequest { .. } => return None,
        })
    }

    /// The most that one request can ever be let through with, in thousandths.
    pub const fn largest_milli(self) -> u64 {
        match self {
            Self::Flow { burst_milli, .. } => burst_milli,
            Self::Seats { total_milli } | Self::Window { total_milli } => total_milli,
        }
    }
}

/// Refill per period and burst of a strict window, in thousandths: together the amount, so
/// that no window sees more.
pub(super) fn strict_parts(measure: Measure, amount: u64) -> (u64, u64) {
    let all = amount.saturating_mul(MILLI);
    match (measure, amount) {
        // One request at a time and the next a whole period later is one in any period.
        (Measure::Requests, 1) => (MILLI, MILLI),
        (Measure::Tokens(_) | Measure::Cost, 1) => {
            let burst = all.div_euclid(2);
            (all.saturating_sub(burst), burst)
        }
        (_, _) => {
            let burst = (amount / STRICT_BURST).max(1).saturating_mul(MILLI);
            // Where thousandths are more than can be counted, it is still a part of all.
            let burst = burst.min((all / STRICT_BURST).max(MILLI));
            (all.saturating_sub(burst), burst)
        }
    }
}

fn flow(refill_milli: u64, burst_milli: u64, seconds: u64) -> Supply {
    // Rounded down: a rate is never faster than was asked.
    let drift = MILLION.saturating_add(u128::from(DRIFT_PPM));
    let rate = u128::from(refill_milli).saturating_mul(NANO_IN_MILLI).saturating_mul(MILLION)
        / u128::from(seconds.max(1)).saturating_mul(drift);
    Supply::Flow { rate_nano: u64::try_from(rate).unwrap_or(u64::MAX), burst_milli }
}

/// What one request takes of a limit that counts by `measure`, for estimates and for
/// what was really used alike; in thousandths of the limit's unit.
pub fn take_milli(measure: Measure, tokens: crate::tokens::Tokens, cost_nanousd: u64) -> u64 {
    match measure {
        Measure::Requests => MILLI,
        Measure::Tokens(weights) => {
            let cached = tokens.cached_input.min(tokens.input);
            let written = tokens.cache_write.min(tokens.input.saturating_sub(cached));
            let plain = tokens.input.saturating_sub(cached).saturating_sub(written);
            let parts = [
                (plain, weights.input),
                (cached, weights.cached_input),
                (written, weights.cache_write),
                (tokens.output, weights.output),
            ];
            // A percent of a token is ten thousandths of it.
            parts.iter().fold(0u64, |sum, (count, percent)| {
                sum.saturating_add(count.saturating_mul(u64::from(*percent)).saturating_mul(10))
            })
        }
        // A thousandth of a micro-dollar is a nano-dollar.
        Measure::Cost => cost_nanousd,
    }
}

#[cfg(test)]
mod tests;
