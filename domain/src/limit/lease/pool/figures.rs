//! What is known of a pool, in numbers.

use super::Pool;
use crate::limit::{
    bucket::Bucket,
    lease::{
        loan::Loan,
        status::{Glance, LeaseStatus, PoolStatus},
    },
    supply::Supply,
};

const MILLION: u128 = 1_000_000;
/// What is let through may be measured by clocks that differ, in millionths.
const MEASURE_PPM: u128 = 1_000;

impl Pool {
    pub(super) fn used_ppm(&self, now_us: u64) -> u32 {
        let total = i128::from(self.supply.largest_milli()).max(1);
        let used = match self.supply {
            Supply::Seats { .. } => {
                self.loans.values().map(|it| i128::from(it.told.reserved_milli)).sum()
            }
            Supply::Flow { .. } | Supply::Window { .. } => {
                let lent = self.loans.values().map(|it| i128::from(it.told.level_milli));
                let unspent =
                    lent.fold(self.bucket.level_milli(now_us).into(), i128::saturating_add);
                total.saturating_sub(unspent)
            }
        };
        let ppm = used.clamp(0, total).saturating_mul(1_000_000) / total;
        u32::try_from(ppm).unwrap_or(1_000_000)
    }

    /// Counts what the limit allowed until now.
    pub(super) fn measure(&mut self, now_us: u64) {
        self.tally.allowed_milli = self.allowed_milli(now_us);
        self.tally.at_us = now_us;
    }

    fn allowed_milli(&self, now_us: u64) -> u128 {
        let Supply::Flow { rate_nano, .. } = self.whole else { return u128::MAX };
        let elapsed = u128::from(now_us.saturating_sub(self.tally.at_us));
        let refill = u128::from(rate_nano).saturating_mul(elapsed) / (MILLION * MILLION);
        let refill = refill.saturating_mul(MILLION + MEASURE_PPM) / MILLION;
        self.tally.allowed_milli.saturating_add(refill)
    }

    fn sum(&self, of: fn(&Loan) -> u64) -> u64 {
        self.loans.values().map(of).fold(0, u64::saturating_add)
    }

    fn used_milli(&self) -> u64 {
        self.tally.used_milli.saturating_add(self.sum(Loan::spent_milli))
    }

    fn over_milli(&self, now_us: u64) -> u64 {
        let over = u128::from(self.used_milli()).saturating_sub(self.allowed_milli(now_us));
        u64::try_from(over).unwrap_or(u64::MAX)
    }

    pub(in crate::limit::lease) fn glance(&self, now_us: u64) -> Glance {
        Glance {
            used_ppm: self.used_ppm(now_us),
            over_milli: self.over_milli(now_us),
            holders: self.loans.len(),
        }
    }

    pub(in crate::limit::lease) fn status(&self, now_us: u64) -> PoolStatus {
        PoolStatus {
            of: self.of,
            supply: self.supply,
            learning: self.frozen,
            free_milli: self.bucket.level_milli(now_us),
            own: self.bucket.shape(),
            granted: self.charged(),
            used_milli: self.used_milli(),
            reserved_milli: self.sum(|it| it.told.reserved_milli),
            denied: self.tally.denied.saturating_add(self.sum(Loan::denied)),
            used_ppm: self.used_ppm(now_us),
            over_milli: self.over_milli(now_us),
            leases: self
                .loans
                .iter()
                .map(|(holder, loan)| LeaseStatus {
                    holder: *holder,
                    incarnation: loan.incarnation,
                    seq: loan.seq,
                    charged: loan.charged(),
                    sent: loan.sent,
                    level_milli: loan.told.level_milli,
                    demand_milli_per_s: loan.told.demand_milli_per_s,
                    spent_milli: loan.spent_milli(),
                    reserved_milli: loan.told.reserved_milli,
                    denied: loan.denied(),
                    left_us: loan.expires_us.saturating_sub(now_us),
                })
                .collect(),
        }
    }
}
