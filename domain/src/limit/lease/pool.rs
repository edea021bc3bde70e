//! One limit at the leader: what is left of it, and who was lent the rest.

mod figures;
mod lend;
mod recall;
mod share;
mod wait;

pub(super) use wait::Ask;

use super::{
    leader::over_us,
    lendable,
    loan::Loan,
    message::{Entry, Grant, Held, Return},
    mutant::{Mutant, Rules},
    node::Kind,
    ring::{Ring, room_milli},
};
use crate::limit::{
    Holder, LeaseOf,
    bucket::{Bucket, Plain, Shape},
    message::{Denied, Why},
    supply::Supply,
};
use std::collections::BTreeMap;

/// Nothing is lent as long as it is not known what was.
pub(super) const LEARNING: Denied = Denied { retry_us: 200_000, why: Why::Learning };

/// One limit's pool and its loans. Times are of the leader's clock.
#[derive(Debug)]
pub(super) struct Pool {
    of: LeaseOf,
    /// What the limit has, and what of it is lent.
    whole: Supply,
    supply: Supply,
    bucket: Plain,
    /// From the first loan on: before it, nothing can come back.
    ring: Option<Ring>,
    loans: BTreeMap<Holder, Loan>,
    /// Nothing is refilled as long as it is not known who else refills.
    frozen: bool,
    /// What the leader before left in the pool: there when it is known what is lent.
    left_milli: i64,
    tally: Tally,
    pushes: Vec<(Holder, Grant)>,
    rules: Rules,
}

/// How a pool begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Nothing was ever lent.
    Full,
    /// Somebody may have leases.
    Frozen,
}

/// What a pool says to an entry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    Grant(Grant),
    Void,
    Learning,
    /// It is told later: what it needs may come back in a moment.
    Later,
}

/// How a loan ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its holder gave it up, with what was left.
    Released,
    /// Nobody knows what its holder still let through.
    Lost,
}

/// What was let through since the leader began to count, and what the limit allows.
#[derive(Debug, Clone, Copy)]
struct Tally {
    used_milli: u64,
    denied: u64,
    allowed_milli: u128,
    at_us: u64,
}

impl Pool {
    pub(super) fn new(
        now_us: u64,
        of: LeaseOf,
        whole: Supply,
        set_aside_ppm: u32,
        begin: Begin,
        rules: Rules,
    ) -> Self {
        let supply = lendable(whole, set_aside_ppm);
        let allowed_milli = whole.largest_milli().into();
        let mut pool = Self {
            of,
            whole,
            supply,
            bucket: Plain::empty(Shape::default(), 0, now_us),
            ring: None,
            loans: BTreeMap::new(),
            frozen: begin == Begin::Frozen,
            left_milli: 0,
            tally: Tally { used_milli: 0, denied: 0, allowed_milli, at_us: now_us },
            pushes: Vec::new(),
            rules,
        };
        pool.fit(now_us);
        if begin == Begin::Full {
            pool.bucket.give(now_us, u64::MAX);
        }
        pool
    }

    pub(super) const fn of(&self) -> LeaseOf {
        self.of
    }

    /// Whether a supply is of the same kind: the pool can be changed to it.
    pub(super) fn is_alike(&self, whole: Supply) -> bool {
        Kind::of(self.whole) == Kind::of(whole)
    }

    pub(super) fn is_lent(&self) -> bool {
        !self.loans.is_empty()
    }

    pub(super) fn holders(&self) -> Vec<(Holder, u32)> {
        self.loans.iter().map(|(holder, loan)| (*holder, loan.incarnation)).collect()
    }

    pub(super) fn take_pushes(&mut self, _now_us: u64) -> Vec<(Holder, Grant)> {
        std::mem::take(&mut self.pushes)
    }

    /// Changes what there is to lend. What lies in the pool stays, as far as it has room:
    /// a raise mints nothing.
    pub(super) fn set_supply(&mut self, now_us: u64, whole: Supply, set_aside_ppm: u32) {
        self.measure(now_us);
        self.whole = whole;
        self.supply = lendable(whole, set_aside_ppm);
        self.keep(self.left_milli);
        self.fit(now_us);
        if !self.frozen {
            self.trim(now_us);
        }
    }

    /// What the leader before left in the pool, lent to nobody; negative: a debt.
    pub(super) fn keep(&mut self, left_milli: i64) {
        let room = i64::try_from(self.supply.largest_milli()).unwrap_or(i64::MAX);
        self.left_milli = left_milli.min(room);
    }

    /// What lies ready in the pool of a rate, or will when all that was lent is known.
    pub(super) fn flow_level_milli(&self, now_us: u64) -> Option<i64> {
        let level_milli = || self.bucket.level_milli(now_us).saturating_add(self.left_milli);
        (Kind::of(self.supply) == Kind::Flow).then(level_milli)
    }

    /// All that was lent is known: what is left refills from here on, from what was left to
    /// us, or from nothing.
    pub(super) fn thaw(&mut self, now_us: u64) {
        if std::mem::take(&mut self.frozen) {
            self.fit(now_us);
            let left = std::mem::take(&mut self.left_milli);
            match u64::try_from(left) {
                Ok(left) => self.give(now_us, left),
                Err(_) => self.bucket.debit(now_us, left.unsigned_abs()),
            }
            self.trim(now_us);
        }
    }

    /// Takes what a holder says of its lease.
    pub(super) fn hear(
        &mut self,
        now_us: u64,
        holder: Holder,
        entry: &Entry,
        learning: bool,
    ) -> Said {
        self.expire(now_us);
        self.note_before(now_us);
        for it in &entry.returned {
            self.refund(now_us, *it);
        }
        if let Some(said) = self.meet(now_us, holder, entry, learning) {
            return said;
        }
        let Some(loan) = self.loans.get_mut(&holder) else { return Said::Void };
        loan.expires_us = now_us.saturating_add(over_us(super::TTL_US));
        loan.tell(entry);
        if entry.release {
            self.end(now_us, holder, End::Released);
            self.serve(now_us, None);
            return Said::Void;
        }
        let denied = if learning {
            (0 < entry.need_milli).then_some(LEARNING)
        } else {
            self.serve(now_us, Some(holder));
            self.decide(now_us, holder, entry)
        };
        self.fit(now_us);
        if denied.is_none() && self.is_held_back(holder) {
            return Said::Later;
        }
        self.grant(now_us, holder, denied).map_or(Said::Void, Said::Grant)
    }

    /// Brings the loan and what is said of it together. `None`: there is a loan, and it is
    /// as the holder says.
    fn meet(&mut self, now_us: u64, holder: Holder, entry: &Entry, learning: bool) -> Option<Said> {
        if let Some(loan) = self.loans.get_mut(&holder) {
            if entry.incarnation < loan.incarnation {
                return Some(Said::Void);
            }
            if entry.incarnation == loan.incarnation {
                let kind = Kind::of(self.supply);
                let fits = match entry.held {
                    Some(held) => loan.confirm(kind, held),
                    // It has not applied the first grant yet.
                    None => (loan.seq == 0 && loan.confirmed == Shape::default()).then_some(0),
                };
                if let Some(surplus_milli) = fits {
                    self.fit(now_us);
                    self.give(now_us, surplus_milli);
                    return None;
                }
            }
            // The holder says itself that it has nothing of that lease any more.
            self.end(now_us, holder, End::Lost);
        }
        if entry.release {
            return Some(Said::Void);
        }
        match entry.held {
            Some(held) if self.is_claim(held, learning) => {
                self.remember(now_us);
                self.loans.insert(holder, Loan::claimed(entry, held));
                None
            }
            Some(_) => Some(Said::Void),
            None if learning => Some(Said::Learning),
            None => {
                self.remember(now_us);
                self.loans.insert(holder, Loan::attached(entry.incarnation));
                None
            }
        }
    }

    /// Whether what a holder says to have is what the leader before lent. Only while it is
    /// not known what that was; grants are numbered anew from the hello on.
    fn is_claim(&self, held: Held, learning: bool) -> bool {
        if self.rules.lack(Mutant::NoHandshake) {
            return 0 < held.left_us;
        }
        learning && held.seq == 0 && 0 < held.left_us
    }

    /// Ends leases that are over at their holders for certain.
    pub(super) fn expire(&mut self, now_us: u64) {
        let is_over = |(_, loan): &(&Holder, &Loan)| loan.expires_us <= now_us;
        let over: Vec<_> = self.loans.iter().filter(is_over).map(|(it, _)| *it).collect();
        for holder in over {
            self.end(now_us, holder, End::Lost);
        }
    }

    /// Ends a loan. What a lost holder had left is gone: it may have let it through since
    /// it last told. What it owed is owed by the pool.
    fn end(&mut self, now_us: u64, holder: Holder, end: End) {
        let Some(loan) = self.loans.remove(&holder) else { return };
        self.tally.used_milli = self.tally.used_milli.saturating_add(loan.spent_milli());
        self.tally.denied = self.tally.denied.saturating_add(loan.denied());
        self.note_before(now_us);
        self.fit(now_us);
        if Kind::of(self.supply) == Kind::Flow {
            if end == End::Released || self.rules.lack(Mutant::RefundDead) {
                self.give(now_us, loan.ready_milli());
            }
            self.bucket.debit(now_us, loan.debt_milli());
        }
    }

    fn give(&mut self, now_us: u64, milli: u64) {
        if Kind::of(self.supply) != Kind::Flow {
            return;
        }
        if self.frozen {
            let milli = i64::try_from(milli).unwrap_or(i64::MAX);
            return self.keep(self.left_milli.saturating_add(milli));
        }
        self.bucket.give(now_us, milli);
        self.note(now_us);
    }

    /// What a settled request did not use, as if its holder had handed it back when the
    /// request was let through.
    fn refund(&mut self, now_us: u64, it: Return) {
        self.note(now_us);
        let Some(ring) = &mut self.ring else { return };
        if self.frozen || now_us < it.since_us || Kind::of(self.supply) != Kind::Flow {
            return;
        }
        let naive = self.rules.lack(Mutant::NaiveRefund);
        let room = if naive { u64::MAX } else { ring.least_since(it.since_us) };
        let given = self.bucket.give(now_us, it.unused_milli.min(room));
        ring.raise(it.since_us, given);
    }

    /// From now on something may come back.
    fn remember(&mut self, now_us: u64) {
        self.ring.get_or_insert_with(|| Ring::new(now_us));
        self.note(now_us);
    }

    /// The room just before something happens.
    fn note_before(&mut self, now_us: u64) {
        let room = room_milli(self.bucket.shape().cap_milli, self.bucket.level_milli(now_us));
        if let Some(ring) = &mut self.ring {
            ring.before(now_us, room);
        }
    }

    fn note(&mut self, now_us: u64) {
        let room = room_milli(self.bucket.shape().cap_milli, self.bucket.level_milli(now_us));
        if let Some(ring) = &mut self.ring {
            ring.after(now_us, room);
        }
    }

    /// Gives the pool what nobody else has: of refill and room, and of seats all.
    fn fit(&mut self, now_us: u64) {
        let lent = self.charged();
        let (rate_nano, cap_milli) = match self.supply {
            _ if self.frozen => (0, 0),
            Supply::Flow { rate_nano, burst_milli } => (
                rate_nano.saturating_sub(lent.rate_nano),
                burst_milli.saturating_sub(lent.cap_milli),
            ),
            Supply::Seats { total_milli } => (0, total_milli.saturating_sub(lent.cap_milli)),
            Supply::Window { .. } => (0, 0),
        };
        self.bucket.reshape(now_us, Shape { rate_nano, cap_milli });
        if Kind::of(self.supply) == Kind::Seats {
            self.bucket.give(now_us, u64::MAX);
        }
        self.note(now_us);
    }

    /// What is lent at most.
    fn charged(&self) -> Shape {
        let shape = |loan: &Loan| match self.rules.lack(Mutant::FreedBeforeAck) {
            true => loan.sent.map_or(loan.confirmed, |it| it.shape),
            false => loan.charged(),
        };
        self.loans.values().map(shape).fold(Shape::default(), |sum, it| Shape {
            rate_nano: sum.rate_nano.saturating_add(it.rate_nano),
            cap_milli: sum.cap_milli.saturating_add(it.cap_milli),
        })
    }

    /// What a holder is told: the grant on its way as it is, or what it has.
    fn grant(&self, now_us: u64, holder: Holder, denied: Option<Denied>) -> Option<Grant> {
        let loan = self.loans.get(&holder)?;
        let (seq, shape, credit_milli) = match loan.sent {
            Some(sent) => (sent.seq, sent.shape, sent.credit_milli),
            None => (loan.seq, loan.confirmed, 0),
        };
        Some(Grant {
            of: self.of,
            incarnation: loan.incarnation,
            seq,
            rate_nano: shape.rate_nano,
            cap_milli: shape.cap_milli,
            credit_milli,
            reset: false,
            denied,
            free_milli: u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0),
            used_ppm: self.used_ppm(now_us),
        })
    }

    fn push(&mut self, now_us: u64, holder: Holder) {
        self.push_with(now_us, holder, None);
    }

    fn push_with(&mut self, now_us: u64, holder: Holder, denied: Option<Denied>) {
        if let Some(grant) = self.grant(now_us, holder, denied) {
            self.pushes.push((holder, grant));
        }
    }
}
