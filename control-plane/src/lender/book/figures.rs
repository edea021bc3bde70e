//! How limits are doing, for operators and metrics.

use super::{Active, Book, Lent, Now, threshold::Crossed, window::Windowed};
use crate::{lender::Wanted, store::Claim};
use domain::{
    catalog::Limit,
    id::LimitId,
    limit::{
        Holder, LeaseOf,
        lease::{leader::Leader, status::Glance},
        supply::Supply,
    },
    time::Timestamp,
};
use std::cmp::Reverse;

/// What the one that lends knows.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Its claim.
    pub(crate) claim: Claim,
    /// Since when it lends.
    pub(crate) since: Timestamp,
    /// Whether it still learns what was lent before.
    pub(crate) learning: bool,
    /// Whether the database backs it now.
    pub(crate) database_ok: bool,
    /// Which limits are in use, if that was asked.
    pub(crate) ids: Vec<LimitId>,
    /// Those that were asked for and are in use.
    pub(crate) limits: Vec<LimitFigures>,
}

/// How one limit is doing. Amounts are in thousandths of its unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LimitFigures {
    /// Which; `None` only in a default.
    pub(crate) id: Option<LimitId>,
    /// Lent and not known to be used.
    pub(crate) granted_milli: u64,
    /// Used.
    pub(crate) used_milli: u64,
    /// Held by requests in flight.
    pub(crate) reserved_milli: u64,
    /// Lent to nobody.
    pub(crate) free_milli: u64,
    /// The used share, in millionths.
    pub(crate) used_ppm: u32,
    /// Requests refused.
    pub(crate) denied: u64,
    /// Let through beyond what is promised.
    pub(crate) over_milli: u64,
    /// When the window ends, in milliseconds since the Unix epoch.
    pub(crate) window_ends_ms: Option<i64>,
    /// What each proxy holds.
    pub(crate) held: Vec<HeldFigures>,
    /// Beyond its warning threshold.
    pub(crate) warned: bool,
    /// Beyond the threshold from which it is avoided.
    pub(crate) switched: bool,
}

impl LimitFigures {
    /// Of a window that nobody holds anything of: what is drawn is used.
    pub(crate) fn idle(
        limit: &Limit,
        total_milli: u64,
        out_milli: u64,
        ends_ms: Option<i64>,
    ) -> Self {
        let used = u128::from(out_milli).saturating_mul(1_000_000);
        let used_ppm = (used / u128::from(total_milli.max(1))).min(1_000_000);
        let used_ppm = u32::try_from(used_ppm).unwrap_or(1_000_000);
        let (crossed, _) = Crossed::default().at(limit, used_ppm);
        Self {
            id: Some(limit.id),
            used_milli: out_milli,
            free_milli: total_milli.saturating_sub(out_milli),
            used_ppm,
            window_ends_ms: ends_ms,
            warned: crossed.warned,
            switched: crossed.switched,
            ..Self::default()
        }
    }
}

/// What one proxy holds of a limit. Amounts are in thousandths of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldFigures {
    /// Who.
    pub(crate) holder: Holder,
    /// What lies ready there.
    pub(crate) level_milli: i64,
    /// Held there by requests in flight.
    pub(crate) reserved_milli: u64,
    /// Refill there, in billionths of a unit per second.
    pub(crate) rate_nano: u64,
    /// How long it lasts without a renewal, in microseconds; 0: it needs none.
    pub(crate) left_us: u64,
    /// Let through there.
    pub(crate) spent_milli: u64,
    /// Refused there.
    pub(crate) denied: u64,
}

impl Book {
    /// How the wanted limits are doing.
    pub(in crate::lender) fn figures(&self, now: Now, wanted: &Wanted) -> Figures {
        let of = |id: &LimitId| self.active.get(id).map(|it| self.of(now, it));
        let (mut ids, mut limits) = (Vec::new(), Vec::new());
        match wanted {
            Wanted::Ids => ids.extend(self.active.keys()),
            Wanted::Of(wanted) => limits.extend(wanted.iter().filter_map(of)),
            Wanted::Fullest(most) => {
                limits.extend(self.fullest(now, *most).iter().filter_map(of));
            }
        }
        Figures {
            claim: self.term.claim,
            since: self.term.since,
            learning: self.leader.is_learning(now.us),
            database_ok: self.term.database_ok(),
            ids,
            limits,
        }
    }

    /// So many limits in use: first those of which too much was let through, then the fullest.
    fn fullest(&self, now: Now, most: usize) -> Vec<LimitId> {
        let rank = |(id, active): (&LimitId, &Active)| {
            let it = glance(&self.leader, now, active).unwrap_or_default();
            (Reverse(0 < it.over_milli), Reverse(it.used_ppm), *id)
        };
        let mut all: Vec<_> = self.active.iter().map(rank).collect();
        if most < all.len() {
            let _ = all.select_nth_unstable(most);
            all.truncate(most);
        }
        all.sort_unstable();
        all.into_iter().map(|(_, _, id)| id).collect()
    }

    fn of(&self, now: Now, active: &Active) -> LimitFigures {
        let figures = match &active.lent {
            Lent::Lease => lease(&self.leader, now, active.of).unwrap_or_default(),
            Lent::Window(windowed) => window(windowed, now),
        };
        LimitFigures {
            id: Some(active.of.limit),
            warned: active.crossed.warned,
            switched: active.crossed.switched,
            ..figures
        }
    }
}

/// How full a limit is, without a look at each who holds something of it.
pub(super) fn glance(leader: &Leader, now: Now, active: &Active) -> Option<Glance> {
    match &active.lent {
        Lent::Lease => leader.glance(now.us, active.of),
        Lent::Window(windowed) => Some(windowed.glance(now)),
    }
}

/// How a limit is doing that is lent by leases.
pub(super) fn lease(leader: &Leader, now: Now, of: LeaseOf) -> Option<LimitFigures> {
    let status = leader.status(now.us, of)?;
    let held: Vec<_> = status
        .leases
        .iter()
        .map(|it| HeldFigures {
            holder: it.holder,
            level_milli: it.level_milli,
            reserved_milli: it.reserved_milli,
            rate_nano: it.charged.rate_nano,
            left_us: it.left_us,
            spent_milli: it.spent_milli,
            denied: it.denied,
        })
        .collect();
    let ready = held.iter().map(|it| u64::try_from(it.level_milli).unwrap_or(0));
    Some(LimitFigures {
        granted_milli: ready.fold(0, u64::saturating_add),
        used_milli: status.used_milli,
        reserved_milli: status.reserved_milli,
        free_milli: u64::try_from(status.free_milli).unwrap_or(0),
        used_ppm: status.used_ppm,
        denied: status.denied,
        over_milli: status.over_milli,
        held,
        ..LimitFigures::default()
    })
}

/// How a limit is doing that is lent in chunks of its window.
pub(super) fn window(windowed: &Windowed, now: Now) -> LimitFigures {
    let status = windowed.status(now);
    let held: Vec<_> = status
        .holders
        .iter()
        .map(|it| HeldFigures {
            holder: it.holder,
            level_milli: it.level_milli,
            reserved_milli: it.reserved_milli,
            rate_nano: 0,
            left_us: 0,
            spent_milli: it.spent_milli,
            denied: it.denied,
        })
        .collect();
    let ready = held.iter().map(|it| u64::try_from(it.level_milli).unwrap_or(0));
    LimitFigures {
        granted_milli: ready.fold(0, u64::saturating_add),
        used_milli: status.used_milli,
        reserved_milli: status.reserved_milli,
        free_milli: status.free_milli,
        used_ppm: status.used_ppm,
        denied: status.denied,
        // What requests used beyond what they had reserved, when nothing was left to pay it.
        over_milli: windowed.over_milli(),
        window_ends_ms: windowed.ends_ms(),
        held,
        ..LimitFigures::default()
    }
}

/// Whether a limit is as if nobody had ever used it, so that it can be forgotten: nobody
/// holds a lease, and the pool is full.
pub(super) fn is_at_rest(leader: &Leader, now: Now, of: LeaseOf) -> bool {
    leader.status(now.us, of).is_none_or(|status| {
        let full = match status.supply {
            Supply::Flow { .. } => status.own.cap_milli,
            Supply::Seats { total_milli } | Supply::Window { total_milli } => total_milli,
        };
        status.leases.is_empty() && i64::try_from(full).unwrap_or(i64::MAX) <= status.free_milli
    })
}
