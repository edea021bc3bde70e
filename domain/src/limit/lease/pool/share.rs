//! How the refill is shared: by demand, and only where a share is of use.
//!
//! A share lets its holder go on while the leader is away and spares questions. But what
//! refills at a holder who does not need it is lost to all, so that only a part of
//! the refill is shared, the rest is lent on demand; and a share that takes longer than a
//! renewal to let a few requests through does more harm than good.

use super::Pool;
use crate::limit::{Holder, bucket::Shape, lease::RENEW_US, supply::Supply};

/// Of the refill, in percent, at most so much is shared.
const SHARED_PERCENT: u64 = 50;
/// Of a holder's demand, in percent, so much is its share.
const DEMAND_PERCENT: u64 = 70;
/// A share is of use when it lets so many of the greatest requests through per renewal.
const USEFUL_REQUESTS: u64 = 3;
/// A share grows when it would by a quarter, and shrinks when it would by a third.
const GROW_PERCENT: u64 = 125;
const SHRINK_PERCENT: u64 = 130;
/// A share's bucket holds what refills in so long, in microseconds.
const SHARE_US: u64 = 1_000_000;
const MILLION: u128 = 1_000_000;
/// Billionths of a unit in a thousandth.
const NANO_OF_MILLI: u64 = 1_000_000;

impl Pool {
    /// The shape that a holder should have, without credits.
    pub(super) fn target(&self, holder: Holder) -> Shape {
        let Supply::Flow { rate_nano, burst_milli } = self.supply else { return Shape::default() };
        let Some(loan) = self.loans.get(&holder) else { return Shape::default() };
        let had = loan.confirmed.rate_nano;
        let shared = percent(rate_nano, SHARED_PERCENT);
        let mut fair = self.fair_nano(holder, shared);
        // What refills beyond a full bucket is lost: it needs less than it says.
        if 0 < had && loan.confirmed.cap_milli <= loan.ready_milli().saturating_add(1) {
            fair = fair.min(had / 2);
        }
        let largest = loan.told.largest_milli;
        let mut rate = had;
        if percent(had, GROW_PERCENT) < fair {
            let lent = self.charged().rate_nano;
            rate = fair.min(had.saturating_add(shared.saturating_sub(lent)));
        } else if percent(fair, SHRINK_PERCENT) < had {
            rate = fair;
        }
        if !is_useful(rate, largest) {
            return Shape::default();
        }
        let cap_milli = in_time(rate, SHARE_US).max(largest.saturating_mul(USEFUL_REQUESTS));
        // Room for shares is taken from the burst: half of it stays for credits.
        let others = self.charged().cap_milli.saturating_sub(loan.charged().cap_milli);
        let fits = others.saturating_add(cap_milli) <= burst_milli / 2;
        if fits { Shape { rate_nano: rate, cap_milli } } else { Shape::default() }
    }

    /// Whether a holder has much more of the refill than it needs.
    pub(super) fn has_too_much(&self, holder: Holder) -> bool {
        let Some(loan) = self.loans.get(&holder) else { return false };
        let target = self.target(holder).rate_nano;
        percent(target, SHRINK_PERCENT) < loan.confirmed.rate_nano
    }

    /// Max-min: nobody gets more than it needs, and who needs more than an equal part gets
    /// no less than anybody else.
    fn fair_nano(&self, holder: Holder, shared_nano: u64) -> u64 {
        let need = |milli: u64| percent(milli.saturating_mul(NANO_OF_MILLI), DEMAND_PERCENT);
        let mut needs: Vec<_> =
            self.loans.iter().map(|(it, loan)| (need(loan.told.demand_milli_per_s), *it)).collect();
        needs.sort_unstable();
        let mut left = shared_nano;
        let mut count = u64::try_from(needs.len()).unwrap_or(u64::MAX);
        for (need, it) in needs {
            let got = need.min(left / count.max(1));
            if it == holder {
                return got;
            }
            left = left.saturating_sub(got);
            count = count.saturating_sub(1);
        }
        0
    }
}

fn is_useful(rate_nano: u64, largest_milli: u64) -> bool {
    let useful = largest_milli.max(1).saturating_mul(USEFUL_REQUESTS);
    useful <= in_time(rate_nano, RENEW_US)
}

/// What refills in a time, in thousandths.
fn in_time(rate_nano: u64, us: u64) -> u64 {
    let milli = u128::from(rate_nano).saturating_mul(us.into()) / (MILLION * MILLION);
    u64::try_from(milli).unwrap_or(u64::MAX)
}

fn percent(amount: u64, percent: u64) -> u64 {
    let part = u128::from(amount).saturating_mul(percent.into()) / 100;
    u64::try_from(part).unwrap_or(u64::MAX)
}
