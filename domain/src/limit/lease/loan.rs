//! One lease at the leader: what its holder has for certain, and what it may have.

use super::{
    message::{Entry, Held},
    node::Kind,
    pool::Ask,
    status::Offer,
};
use crate::limit::bucket::Shape;

/// One lease at the leader.
#[derive(Debug, Clone)]
pub(super) struct Loan {
    pub(super) incarnation: u32,
    /// The last grant that the holder confirmed.
    pub(super) seq: u64,
    /// What the holder had when it last told.
    pub(super) confirmed: Shape,
    /// What was sent and is not confirmed: one at a time, sent again as it is, so that
    /// it is applied once however often it comes.
    pub(super) sent: Option<Offer>,
    /// When that was.
    pub(super) sent_us: u64,
    /// Until then, by the leader's clock, the holder may use it.
    pub(super) expires_us: u64,
    pub(super) told: Told,
    /// Spent before this leader knew it.
    pub(super) spent_before_milli: u64,
    /// Refused before this leader knew it.
    pub(super) denied_before: u64,
    pub(super) hungry: Option<Hungry>,
    /// Its question is open: something may come back for it.
    pub(super) wait: Option<Wait>,
    /// It was asked how it stands.
    pub(super) nudge: Option<Nudge>,
    /// When it was lent something last.
    pub(super) lent_us: u64,
}

/// What a holder waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) ask: Ask,
    pub(super) since_us: u64,
}

/// A holder was asked how it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nudge {
    pub(super) at_us: u64,
    pub(super) answered: bool,
}

/// What a holder last told of a lease.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) level_milli: i64,
    pub(super) demand_milli_per_s: u64,
    pub(super) largest_milli: u64,
    pub(super) spent_milli: u64,
    pub(super) reserved_milli: u64,
    pub(super) denied: u64,
}

/// A holder that was refused: it comes before those who come later, for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hungry {
    pub(super) least_milli: u64,
    pub(super) since_us: u64,
    pub(super) until_us: u64,
}

impl Loan {
    /// A new one, of nothing.
    pub(super) const fn attached(incarnation: u32) -> Self {
        Self {
            incarnation,
            seq: 0,
            confirmed: Shape { rate_nano: 0, cap_milli: 0 },
            sent: None,
            sent_us: 0,
            expires_us: 0,
            told: Told {
                level_milli: 0,
                demand_milli_per_s: 0,
                largest_milli: 0,
                spent_milli: 0,
                reserved_milli: 0,
                denied: 0,
            },
            spent_before_milli: 0,
            denied_before: 0,
            hungry: None,
            wait: None,
            nudge: None,
            lent_us: 0,
        }
    }

    /// What a holder claims to have from the leader before.
    pub(super) const fn claimed(entry: &Entry, held: Held) -> Self {
        let mut loan = Self::attached(entry.incarnation);
        loan.seq = held.seq;
        loan.confirmed = Shape { rate_nano: held.rate_nano, cap_milli: held.cap_milli };
        loan.spent_before_milli = entry.spent_milli;
        loan.denied_before = entry.denied;
        loan
    }

    /// What the holder may have: the greater of what it confirmed and what it was sent.
    /// A credit on its way counts on top of what is confirmed: as long as it is not
    /// applied, the holder's bucket can fill up beside it.
    pub(super) fn charged(&self) -> Shape {
        let Some(sent) = self.sent else { return self.confirmed };
        let beside = self.confirmed.cap_milli.saturating_add(sent.credit_milli);
        Shape {
            rate_nano: self.confirmed.rate_nano.max(sent.shape.rate_nano),
            cap_milli: beside.max(sent.shape.cap_milli),
        }
    }

    /// Sends a new shape, and a credit once.
    pub(super) const fn offer(&mut self, now_us: u64, shape: Shape, credit_milli: u64) {
        self.sent_us = now_us;
        self.sent = Some(Offer { seq: self.seq.saturating_add(1), shape, credit_milli });
    }

    /// Takes what the holder says it has. Gives what its last grant had no room for, once;
    /// or `None` if this is no answer to anything that was sent.
    pub(super) fn confirm(&mut self, kind: Kind, held: Held) -> Option<u64> {
        let had = self.confirmed;
        if let Some(sent) = self.sent.filter(|it| it.seq == held.seq) {
            self.seq = sent.seq;
            // Seats that are taken stay beyond a smaller cap until they are free.
            let cap_milli = match kind {
                Kind::Flow => held.cap_milli.min(sent.shape.cap_milli),
                Kind::Seats => held.cap_milli.min(sent.shape.cap_milli.max(had.cap_milli)),
            };
            self.confirmed = Shape { rate_nano: sent.shape.rate_nano, cap_milli };
            self.sent = None;
            return Some(held.surplus_milli);
        }
        if held.seq != self.seq {
            return None;
        }
        // A holder gives up room by itself, before it tells.
        self.confirmed.cap_milli = had.cap_milli.min(held.cap_milli);
        Some(0)
    }

    /// Keeps what the holder tells.
    pub(super) fn tell(&mut self, entry: &Entry) {
        self.nudge = self.nudge.map(|it| Nudge { answered: true, ..it });
        self.told = Told {
            level_milli: entry.held.map_or(0, |it| it.level_milli),
            demand_milli_per_s: entry.demand_milli_per_s,
            largest_milli: entry.largest_milli,
            spent_milli: entry.spent_milli,
            reserved_milli: entry.reserved_milli,
            denied: entry.denied,
        };
    }

    /// What lies ready at the holder, as it last told; a debt is nothing.
    pub(super) fn ready_milli(&self) -> u64 {
        u64::try_from(self.told.level_milli).unwrap_or(0)
    }

    /// What the holder owes, as it last told.
    pub(super) fn debt_milli(&self) -> u64 {
        u64::try_from(self.told.level_milli.saturating_neg()).unwrap_or(0)
    }

    pub(super) const fn spent_milli(&self) -> u64 {
        self.told.spent_milli.saturating_sub(self.spent_before_milli)
    }

    pub(super) const fn denied(&self) -> u64 {
        self.told.denied.saturating_sub(self.denied_before)
    }
}
