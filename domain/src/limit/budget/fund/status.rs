//! How a fund stands, for those who look at it.

use super::Fund;
use crate::limit::{Holder, budget::message::WindowId, lease::status::Glance};

const MILLION: u128 = 1_000_000;

/// How one limit's window stands, as the leader knows it. Amounts are in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundStatus {
    /// The open window.
    pub window: Option<WindowId>,
    /// How long it lasts, in microseconds; `None`: for ever, or none is open.
    pub left_us: Option<u64>,
    /// Allowed per window.
    pub total_milli: u64,
    /// What stands in the database as given out; `None`: not known yet.
    pub granted_milli: Option<u64>,
    /// Drawn by the leader and not lent.
    pub block_milli: u64,
    /// Lent or spent beyond what the database knows; it is told when it is back.
    pub owing_milli: u64,
    /// What can still be lent.
    pub free_milli: u64,
    /// Given out and not known to lie anywhere: spent, reserved, or lost with who held it.
    pub used_milli: u64,
    /// Held by requests that are not settled, as holders told this leader.
    pub reserved_milli: u64,
    /// Let through after settling, as holders told this leader.
    pub spent_milli: u64,
    /// Requests refused, as holders told this leader.
    pub denied: u64,
    /// Whether the database cannot be reached.
    pub away: bool,
    /// Used part of the total, in millionths.
    pub used_ppm: u32,
    /// Each holder that was heard of late.
    pub holders: Vec<Borrowed>,
}

/// What one holder has. Amounts are in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Borrowed {
    /// Who.
    pub holder: Holder,
    /// What lies ready there, as last told; negative: a debt.
    pub level_milli: i64,
    /// Held by requests that are not settled.
    pub reserved_milli: u64,
    /// Let through after settling.
    pub spent_milli: u64,
    /// Requests refused.
    pub denied: u64,
    /// What was asked for of late, per second.
    pub demand_milli_per_s: u64,
    /// When it was last heard, in microseconds ago.
    pub heard_ago_us: u64,
}

impl Fund {
    /// How full the open window is. What was let through beyond is not known here.
    pub fn glance(&self, now_us: u64) -> Glance {
        let holders = self.borrowers.values().filter(|it| it.is_live(now_us)).count();
        Glance { used_ppm: self.used_ppm(now_us), over_milli: 0, holders }
    }

    /// What is out of the open window: drawn, or to be entered.
    pub fn out_milli(&self) -> u64 {
        let open = self.open.as_ref();
        open.map_or(0, |it| it.granted_milli.unwrap_or(0).saturating_add(it.owing_milli))
    }

    /// How it stands.
    pub fn status(&self, now_us: u64) -> FundStatus {
        let sum = |of: fn(&Borrowed) -> u64, all: &[Borrowed]| {
            all.iter().fold(0u64, |sum, it| sum.saturating_add(of(it)))
        };
        let all: Vec<_> = self
            .borrowers
            .iter()
            .map(|(holder, it)| Borrowed {
                holder: *holder,
                level_milli: it.level_milli,
                reserved_milli: it.reserved_milli,
                spent_milli: it.spent_milli,
                denied: it.denied,
                demand_milli_per_s: it.demand_milli_per_s(now_us),
                heard_ago_us: now_us.saturating_sub(it.heard_us),
            })
            .collect();
        let open = self.open.as_ref();
        FundStatus {
            window: open.map(|it| it.id),
            left_us: open.and_then(|it| it.left_us(now_us)),
            total_milli: self.total_milli,
            granted_milli: open.and_then(|it| it.granted_milli),
            block_milli: open.map_or(0, |it| it.block_milli),
            owing_milli: open.map_or(0, |it| it.owing_milli),
            free_milli: self.free_milli(),
            used_milli: self.used_milli(now_us),
            reserved_milli: sum(|it| it.reserved_milli, &all),
            spent_milli: sum(|it| it.spent_milli, &all),
            denied: sum(|it| it.denied, &all),
            away: open.is_some_and(|it| it.away),
            used_ppm: self.used_ppm(now_us),
            holders: all
                .into_iter()
                .filter(|it| self.borrowers.get(&it.holder).is_some_and(|it| it.is_live(now_us)))
                .collect(),
        }
    }

    /// What is out and does not lie anywhere; what nobody knows of counts as used, so that
    /// a free quota is not thought to be there when it is not.
    fn used_milli(&self, now_us: u64) -> u64 {
        let Some(open) = &self.open else { return 0 };
        let fold = |of: &dyn Fn(&super::Borrower) -> u64| {
            self.borrowers.values().fold(0u64, |sum, it| sum.saturating_add(of(it)))
        };
        let told = fold(&|it| it.spent_milli.saturating_add(it.reserved_milli));
        let held = fold(&|it| it.ready_milli(now_us));
        match open.out_milli() {
            Some(out) => out.saturating_sub(open.block_milli).saturating_sub(held).max(told),
            None => told,
        }
    }

    pub(super) fn used_ppm(&self, now_us: u64) -> u32 {
        let total = u128::from(self.total_milli.max(1));
        let used = u128::from(self.used_milli(now_us)).saturating_mul(MILLION) / total;
        u32::try_from(used.min(MILLION)).unwrap_or(u32::MAX)
    }
}
