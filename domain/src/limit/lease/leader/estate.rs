//! What a leader that ends as planned leaves to the next one.
//!
//! Only what lies in the pools, and who holds leases: what these have, they say themselves.
//! So the next leader begins where the one before ended. Nothing may be lent any more once
//! it was asked for, and only the very next leader may take it.

use super::Leader;
use crate::limit::{
    Holder, LeaseOf,
    lease::{
        MILLION, lendable,
        pool::{Begin, Pool},
    },
    supply::Supply,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a leader leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estate {
    /// All who hold leases: nobody else has to be waited for.
    pub holders: BTreeSet<Holder>,
    /// What lies ready in the pools of rates, in thousandths; negative: a debt.
    pub levels: BTreeMap<LeaseOf, i64>,
    /// All other limits are as if they had been empty so long ago, in microseconds;
    /// `None`: as if nobody had ever used them.
    pub others_empty_us: Option<u64>,
}

impl Estate {
    /// What there is of a limit, to be taken once.
    fn take(&mut self, of: LeaseOf, supply: Supply) -> i64 {
        match (self.levels.remove(&of), self.others_empty_us, supply) {
            (Some(level), _, _) => level,
            (None, None, _) => i64::MAX,
            (None, Some(us), Supply::Flow { rate_nano, .. }) => {
                let milli = u128::from(rate_nano).saturating_mul(us.into()) / (MILLION * MILLION);
                i64::try_from(milli).unwrap_or(i64::MAX)
            }
            (None, Some(_), Supply::Seats { .. } | Supply::Window { .. }) => 0,
        }
    }
}

/// What may have been lent of a limit before this leader met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// Anything: it existed when this leader began.
    Unknown,
    /// Only what this leader lent of the generation before, which is void.
    Reset,
    /// Nothing: in this generation it is younger than this leader.
    None,
}

impl Leader {
    /// Takes what the leader of the epoch before has left, when it ended as planned. To be
    /// called before any limit is set.
    pub fn inherit(&mut self, estate: Estate) {
        self.estate = Some(estate);
    }

    /// What is left to the next leader; `None`: that is not known. Nothing may be lent any
    /// more.
    pub fn leave(mut self, now_us: u64) -> Option<Estate> {
        self.tick(now_us);
        if self.until_us <= now_us {
            return None;
        }
        if let Some(learning) = self.learning.take() {
            return self.pass_on(now_us, learning.missing);
        }
        let holders = self.pools.values().flat_map(Pool::holders).map(|(it, _)| it).collect();
        let learned_us = self.learned_us.map(|then_us| now_us.saturating_sub(then_us));
        let before = self.estate.unwrap_or_else(|| Estate {
            others_empty_us: learned_us.map(|_| 0),
            ..Estate::default()
        });
        let others_empty_us =
            before.others_empty_us.map(|us| us.saturating_add(learned_us.unwrap_or(0)));
        // What it was left and never met is as it was.
        let mut levels = before.levels;
        let pools = self.pools.values();
        levels.extend(pools.filter_map(|it| Some((it.of(), it.flow_level_milli(now_us)?))));
        Some(Estate { holders, levels, others_empty_us })
    }

    /// One that has not learned all has lent nothing: what it was left it leaves, and those
    /// who have not told are waited for by the next one.
    fn pass_on(self, now_us: u64, missing: BTreeSet<Holder>) -> Option<Estate> {
        let mut estate = self.estate?;
        estate.holders = missing;
        let pools = self.pools.values();
        estate.holders.extend(pools.clone().flat_map(Pool::holders).map(|(it, _)| it));
        estate.levels.extend(pools.filter_map(|it| Some((it.of(), it.flow_level_milli(now_us)?))));
        Some(estate)
    }

    /// The pool of a limit that was not met before, or begins anew.
    pub(super) fn pool(
        &mut self,
        now_us: u64,
        of: LeaseOf,
        supply: Supply,
        set_aside_ppm: u32,
        past: Past,
    ) -> Pool {
        let new = |at_us, begin| Pool::new(at_us, of, supply, set_aside_ppm, begin, self.rules);
        let frozen = |at_us| new(at_us, Begin::Frozen);
        // The leader before may have let all of it through a moment ago, and nobody is left
        // who says so, unless it said itself.
        let (listed, left_milli) = match &mut self.estate {
            Some(estate) => {
                let listed = estate.levels.contains_key(&of);
                (listed, estate.take(of, lendable(supply, set_aside_ppm)))
            }
            None => (false, 0),
        };
        if past == Past::None && !listed {
            return new(now_us, Begin::Full);
        }
        match self.learned_us.filter(|_| past != Past::Reset || listed) {
            // What is met for the first time is as it was when the learning ended.
            Some(then_us) => {
                let mut pool = frozen(then_us);
                pool.keep(left_milli);
                pool.thaw(then_us);
                pool
            }
            None if self.learning.is_some() => {
                let mut pool = frozen(now_us);
                pool.keep(left_milli);
                pool
            }
            // Only a leader that knows all that was lent may say that nothing is.
            None => new(now_us, Begin::Full),
        }
    }
}
