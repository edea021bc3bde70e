//! What the leader knows of one holder's chunk.

use crate::limit::budget::message::ChunkEntry;

/// A holder that was not heard for so long is not counted on: what a lease lasts.
const LIVE_US: u64 = 8_000_000;
/// No message is on its way for so long: then a holder is met anew.
const FORGET_US: u64 = 3_600_000_000;

/// One holder's chunk, as the leader sees it.
#[derive(Debug)]
pub(super) struct Borrower {
    /// The last credit's number. Numbers only go up, over windows and leaders.
    pub(super) seq: u64,
    /// The last credit, while the holder did not say that it applied it, in thousandths.
    pub(super) unheard_milli: Option<u64>,
    /// The last that it gave back.
    give_back_seq: u64,
    /// What lay ready there in this window, in thousandths.
    pub(super) level_milli: i64,
    pub(super) reserved_milli: u64,
    pub(super) spent_milli: u64,
    pub(super) denied: u64,
    demand_milli_per_s: u64,
    pub(super) heard_us: u64,
    pub(super) wait: Option<Wait>,
    /// It was refused: so much at least it needs, in thousandths.
    pub(super) refused_milli: Option<u64>,
    /// When its chunk was last called in, and whether it answered.
    pub(super) called_us: Option<u64>,
    pub(super) call_answered: bool,
}

/// What a holder waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) need_milli: u64,
    pub(super) least_milli: u64,
    pub(super) since_us: u64,
}

impl Borrower {
    /// As a holder is met: its numbers are where it says.
    pub(super) const fn meet(entry: &ChunkEntry) -> Self {
        let gives = 0 < entry.give_back_milli || 0 < entry.owed_milli;
        Self {
            seq: entry.seq,
            unheard_milli: None,
            give_back_seq: entry.give_back_seq.saturating_sub(if gives { 1 } else { 0 }),
            level_milli: 0,
            reserved_milli: 0,
            spent_milli: 0,
            denied: 0,
            demand_milli_per_s: 0,
            heard_us: 0,
            wait: None,
            refused_milli: None,
            called_us: None,
            call_answered: true,
        }
    }

    /// What an entry of the open window gives back and owes: each once.
    pub(super) const fn given_back(&mut self, entry: &ChunkEntry) -> (u64, u64) {
        let gives = 0 < entry.give_back_milli || 0 < entry.owed_milli;
        if !gives || entry.give_back_seq <= self.give_back_seq {
            return (0, 0);
        }
        self.give_back_seq = entry.give_back_seq;
        self.call_answered = true;
        (entry.give_back_milli, entry.owed_milli)
    }

    /// Hears how it stands. Says whether that is news: what is older than what it said
    /// before is not.
    pub(super) fn hear(&mut self, now_us: u64, entry: &ChunkEntry, same_window: bool) -> bool {
        if entry.seq < self.seq && self.unheard_milli.is_none() {
            return false;
        }
        if self.seq <= entry.seq {
            self.seq = entry.seq;
            self.unheard_milli = None;
        }
        self.heard_us = now_us;
        self.demand_milli_per_s = entry.demand_milli_per_s;
        if same_window {
            self.level_milli = entry.level_milli;
            self.reserved_milli = entry.reserved_milli;
            self.spent_milli = entry.spent_milli;
            self.denied = entry.denied;
        }
        self.call_answered |= self.ready_milli(now_us) == 0;
        let since_us = self.wait.map_or(now_us, |wait| wait.since_us);
        self.wait = (0 < entry.need_milli && self.unheard_milli.is_none()).then_some(Wait {
            need_milli: entry.need_milli,
            least_milli: entry.least_milli.min(entry.need_milli).max(1),
            since_us,
        });
        true
    }

    /// Another window: what is known of the one before says nothing about it.
    pub(super) const fn on_window(&mut self) {
        self.unheard_milli = None;
        self.level_milli = 0;
        self.reserved_milli = 0;
        self.spent_milli = 0;
        self.denied = 0;
        self.called_us = None;
        self.call_answered = true;
    }

    /// Lends to it.
    pub(super) const fn lend(&mut self, milli: u64) {
        self.seq = self.seq.saturating_add(1);
        self.unheard_milli = Some(milli);
        self.wait = None;
        self.refused_milli = None;
    }

    pub(super) const fn is_live(&self, now_us: u64) -> bool {
        now_us.saturating_sub(self.heard_us) < LIVE_US
    }

    pub(super) const fn is_forgotten(&self, now_us: u64) -> bool {
        FORGET_US < now_us.saturating_sub(self.heard_us)
    }

    pub(super) const fn demand_milli_per_s(&self, now_us: u64) -> u64 {
        if self.is_live(now_us) { self.demand_milli_per_s } else { 0 }
    }

    /// Whether it was called in last before this moment, if ever.
    pub(super) fn was_called_before(&self, us: u64) -> bool {
        self.called_us.is_none_or(|at| at < us)
    }

    /// Whether it asks for anything of late.
    pub(super) const fn is_active(&self, now_us: u64) -> bool {
        0 < self.demand_milli_per_s(now_us) || self.wait.is_some()
    }

    /// What lies ready there or is on its way to it, reserved for nobody; what a holder that
    /// is gone had is lost.
    pub(super) fn ready_milli(&self, now_us: u64) -> u64 {
        if !self.is_live(now_us) {
            return 0;
        }
        let level = u64::try_from(self.level_milli).unwrap_or(0);
        level.saturating_add(self.unheard_milli.unwrap_or(0))
    }
}
