//! What a settled request gives back, and what it owes.

use super::{Lease, MILLION};
use crate::limit::{
    bucket::Bucket,
    hold::Taken,
    lease::{message::Return, mutant::Mutant},
};

/// Refunds of different age that are kept for the leader; more are told as older than
/// they are.
const RETURNS_MAX: usize = 64;

/// What was let through so short a time ago may not have been sent yet: half of this to all
/// of it, in microseconds.
const FRESH_US: u64 = 1_000_000;

/// What was just let through, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fresh {
    half: u64,
    milli: u64,
    before_milli: u64,
}

impl Fresh {
    pub(super) const fn add(&mut self, now_us: u64, milli: u64) {
        *self = self.at(now_us);
        self.milli = self.milli.saturating_add(milli);
    }

    pub(super) const fn milli(self, now_us: u64) -> u64 {
        let now = self.at(now_us);
        now.milli.saturating_add(now.before_milli)
    }

    const fn at(self, now_us: u64) -> Self {
        let half = now_us / (FRESH_US / 2);
        match half.saturating_sub(self.half) {
            0 => self,
            1 => Self { half, milli: 0, before_milli: self.milli },
            _ => Self { half, milli: 0, before_milli: 0 },
        }
    }
}

impl<B: Bucket> Lease<B> {
    /// Follows what requests give back: of some limits always nothing, of others most.
    pub(super) fn learn_unused(&mut self, unused_milli: u64, taken_milli: u64) {
        let ppm = u128::from(unused_milli) * u128::from(MILLION) / u128::from(taken_milli.max(1));
        let ppm = u64::try_from(ppm).unwrap_or(MILLION);
        self.unused_ppm = self.unused_ppm / 4 * 3 + ppm / 4;
    }

    /// What running requests will give back, by what others did.
    pub(super) fn expected_milli(&self) -> u64 {
        let all = u128::from(self.reserved_milli) * u128::from(self.unused_ppm);
        u64::try_from(all / u128::from(MILLION)).unwrap_or(u64::MAX)
    }

    /// Puts back into the bucket what there was room for ever since. Gives the rest.
    pub(super) fn refund(&mut self, now_us: u64, since_us: u64, unused_milli: u64) -> u64 {
        let Some(own) = &mut self.held else { return unused_milli };
        own.after(now_us);
        let naive = self.rules.lack(Mutant::NaiveRefund);
        let room = if naive { u64::MAX } else { own.ring.least_since(since_us) };
        let given = own.bucket.give(now_us, unused_milli.min(room));
        own.ring.raise(since_us, given);
        unused_milli.saturating_sub(given)
    }

    /// Keeps for the leader what was not used and has no room here: its pool may have had.
    pub(super) fn hand_back(&mut self, taken: Taken, unused_milli: u64) {
        // Only the leader whose clock it was can say what room it had since.
        if unused_milli == 0 || taken.since_us == 0 || taken.epoch != self.epoch {
            return;
        }
        let since_us = taken.since_us;
        let known = self.returned.iter().any(|it| it.since_us == since_us);
        if !known && self.returned.len() < RETURNS_MAX {
            self.returned.push(Return { since_us, unused_milli: 0 });
        }
        let same = self.returned.iter().position(|it| it.since_us == since_us).unwrap_or(0);
        if let Some(it) = self.returned.get_mut(same) {
            it.since_us = it.since_us.min(since_us);
            it.unused_milli = it.unused_milli.saturating_add(unused_milli);
        }
    }

    /// Charges what was used beyond what was taken; without a bucket, the next one pays.
    pub(super) fn charge(&mut self, now_us: u64, milli: u64) {
        match &mut self.held {
            _ if self.rules.lack(Mutant::NoDebt) => {}
            Some(own) if 0 < milli => own.bucket.debit(now_us, milli),
            Some(_) => {}
            None => self.owed_milli = self.owed_milli.saturating_add(milli),
        }
    }
}
