//! Who waits for what comes back: nobody is refused before that had the time to come.

use super::Pool;
use crate::limit::{
    Holder,
    bucket::Bucket,
    lease::{loan::Wait, node::Kind},
};

/// For so long an answer is held back. A request waits 50 ms at most, and in that time its
/// question and the answer have to go their ways, too.
const HOLD_US: u64 = 25_000;

/// What a holder asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limit::lease) struct Ask {
    pub(super) need_milli: u64,
    pub(super) least_milli: u64,
}

impl Pool {
    /// Whether a holder that is short is told so later: something may come back for it.
    pub(super) fn may_come(&self, now_us: u64, holder: Holder) -> bool {
        !self.is_overdue(now_us, holder) && self.is_due_back(now_us, holder)
    }

    fn is_overdue(&self, now_us: u64, holder: Holder) -> bool {
        let wait = self.loans.get(&holder).and_then(|it| it.wait);
        wait.is_some_and(|it| it.since_us.saturating_add(HOLD_US) <= now_us)
    }

    /// The holder waits for so much from now on, or since it began to; or not any more.
    pub(super) fn wait_or_not(&mut self, now_us: u64, holder: Holder, ask: Option<Ask>) {
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        let since_us = loan.wait.map_or(now_us, |it| it.since_us);
        loan.wait = ask.map(|ask| Wait { ask, since_us });
    }

    /// Whether the answer to what this holder asked is still held back.
    pub(super) fn is_held_back(&self, holder: Holder) -> bool {
        self.loans.get(&holder).is_some_and(|it| it.wait.is_some() && it.sent.is_none())
    }

    pub(in crate::limit::lease) fn is_awaited(&self) -> bool {
        self.loans.values().any(|it| it.wait.is_some())
    }

    /// Lends what came back to those who wait, the longest first, and refuses those for
    /// whom nothing comes. `but`: one that is just being answered.
    pub(in crate::limit::lease) fn serve(&mut self, now_us: u64, but: Option<Holder>) {
        if self.frozen {
            return;
        }
        let waits = self.loans.iter().filter(|(it, _)| Some(**it) != but);
        let mut waits: Vec<_> =
            waits.filter_map(|(it, loan)| Some((loan.wait?.since_us, *it))).collect();
        waits.sort_unstable();
        if !waits.is_empty() {
            self.fit(now_us);
        }
        for (_, holder) in waits {
            let Some(loan) = self.loans.get(&holder) else { continue };
            let Some(Wait { ask, .. }) = loan.wait else { continue };
            let free = loan.sent.is_none();
            if free && self.lend_late(now_us, holder, ask) {
                continue;
            }
            if free && !self.is_overdue(now_us, holder) {
                // By now more may be known of what others have.
                let wanted = self.enough(now_us, holder, ask).err().unwrap_or(0);
                let _ = self.deny(now_us, holder, wanted);
            }
            if !self.may_come(now_us, holder) {
                self.deny_late(now_us, holder, ask);
            }
        }
        self.tell_free_seats(now_us, but);
    }

    /// Seats that are free again are told to those who were refused one: they need not
    /// keep to what they were told.
    fn tell_free_seats(&mut self, now_us: u64, but: Option<Holder>) {
        if Kind::of(self.supply) != Kind::Seats {
            return;
        }
        let free = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        let refused = self.loans.iter_mut().filter(|(it, _)| Some(**it) != but);
        let told: Vec<_> = refused
            .filter(|(_, loan)| loan.hungry.is_some_and(|it| it.least_milli <= free))
            .map(|(it, loan)| {
                loan.hungry = None;
                *it
            })
            .collect();
        for holder in told {
            self.push(now_us, holder);
        }
    }
}
