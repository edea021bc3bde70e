//! What a holder gets when it says what it needs, and what is taken back.

use super::{Pool, recall::RECLAIM_US, wait::Ask};
use crate::limit::{
    Holder,
    bucket::{Bucket, Shape},
    lease::{
        loan::{Hungry, Loan},
        message::Entry,
        node::Kind,
    },
    message::{Denied, Why},
    supply::{MILLI, Supply},
};

/// When a seat will be free nobody knows: ask again after so long.
const SEAT_RETRY_US: u64 = 500_000;
/// When more is lent than there is, since the limit was cut: ask again after so long.
const CUT_RETRY_US: u64 = 1_000_000;
/// Who was refused comes first for so long after the time that it was told.
const HUNGRY_US: u64 = 500_000;
/// Who asks gets what it needs in so long besides, in parts of a second, if there is plenty.
const AHEAD_OF_SECOND: u64 = 5;
/// Of what is plenty, each holder gets this part besides what it needs.
const PLENTY: u64 = 4;
const FINE: u128 = 1_000_000_000_000;

/// What a holder gets of what it needs.
#[derive(Debug, Clone, Copy)]
enum Gets {
    Credit(u64),
    Denied(Denied),
    /// Something may come back for it in a moment.
    Later,
}

impl Pool {
    /// Decides what a holder has from here on, and offers it if that is something else than
    /// it has. One offer at a time: until it is confirmed there is no other.
    pub(super) fn decide(&mut self, now_us: u64, holder: Holder, entry: &Entry) -> Option<Denied> {
        if self.loans.get(&holder)?.sent.is_some() {
            return None;
        }
        let ask = Ask { need_milli: entry.need_milli, least_milli: entry.least_milli.max(1) };
        let (credit, denied) = match self.credit(now_us, holder, ask) {
            Gets::Credit(milli) => (milli, None),
            Gets::Denied(denied) => (0, Some(denied)),
            Gets::Later => (0, None),
        };
        let later = 0 < ask.need_milli && credit == 0 && denied.is_none();
        self.wait_or_not(now_us, holder, later.then_some(ask));
        self.mark(now_us, holder, ask, credit, denied);
        match Kind::of(self.supply) {
            Kind::Flow => self.offer_flow(now_us, holder, credit),
            Kind::Seats => self.offer_seats(now_us, holder, entry, credit),
        }
        denied
    }

    /// Lends to one who waited, if there is enough now. Says whether there was.
    pub(super) fn lend_late(&mut self, now_us: u64, holder: Holder, ask: Ask) -> bool {
        let Ok(credit) = self.enough(now_us, holder, ask) else { return false };
        self.wait_or_not(now_us, holder, None);
        self.mark(now_us, holder, ask, credit, None);
        match Kind::of(self.supply) {
            Kind::Flow => self.offer_flow(now_us, holder, credit),
            Kind::Seats => self.offer_more_seats(now_us, holder, credit),
        }
        self.fit(now_us);
        self.push(now_us, holder);
        true
    }

    /// Refuses one who waited: what it waited for did not come.
    pub(super) fn deny_late(&mut self, now_us: u64, holder: Holder, ask: Ask) {
        let wanted = self.enough(now_us, holder, ask).err().unwrap_or(ask.least_milli);
        let denied = self.deny(now_us, holder, wanted);
        self.wait_or_not(now_us, holder, None);
        self.mark(now_us, holder, ask, 0, Some(denied));
        self.push_with(now_us, holder, Some(denied));
    }

    /// Remembers who was refused, so that it comes before those who come later.
    fn mark(&mut self, now_us: u64, holder: Holder, ask: Ask, credit: u64, denied: Option<Denied>) {
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        if 0 < credit {
            loan.hungry = None;
        }
        let Some(denied) = denied else { return };
        let since_us =
            loan.hungry.filter(|it| now_us < it.until_us).map_or(now_us, |it| it.since_us);
        let until_us = now_us.saturating_add(denied.retry_us).saturating_add(HUNGRY_US);
        loan.hungry = Some(Hungry { least_milli: ask.least_milli, since_us, until_us });
    }

    /// How much of what is needed there is for this holder now.
    fn credit(&mut self, now_us: u64, holder: Holder, ask: Ask) -> Gets {
        if ask.need_milli == 0 {
            return Gets::Credit(0);
        }
        match self.enough(now_us, holder, ask) {
            Ok(milli) => Gets::Credit(milli),
            Err(wanted_milli) => {
                let denied = self.deny(now_us, holder, wanted_milli);
                match self.may_come(now_us, holder) {
                    true => Gets::Later,
                    false => Gets::Denied(denied),
                }
            }
        }
    }

    /// How much there is for this holder now; `Err`: too little, and how much it would take.
    pub(super) fn enough(&self, now_us: u64, holder: Holder, ask: Ask) -> Result<u64, u64> {
        let Some(told) = self.loans.get(&holder).map(|it| it.told) else { return Err(0) };
        let least = ask.least_milli;
        let (ahead, others) = self.ahead(now_us, holder);
        let level = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        let spare = level.saturating_sub(ahead);
        // Where others were refused, nobody takes all that is left.
        let fair = (spare / others.saturating_add(1)).max(least);
        let most = if others == 0 { spare } else { spare.min(fair) };
        if most < least {
            return Err(least.saturating_add(ahead));
        }
        let unit = told.largest_milli.max(1);
        if most < ask.need_milli {
            // A part of a request is of no use.
            let whole = most.saturating_sub(least) / unit;
            return Ok(least.saturating_add(whole.saturating_mul(unit)));
        }
        let holders = u64::try_from(self.loans.len()).unwrap_or(u64::MAX).max(1);
        let plenty = most.saturating_sub(ask.need_milli) / holders.saturating_mul(PLENTY);
        let besides = plenty.min(told.demand_milli_per_s / AHEAD_OF_SECOND);
        let besides = besides.saturating_sub(besides % unit);
        Ok(ask.need_milli.saturating_add(besides))
    }

    /// What is set aside for those who were refused before, and how many were refused at
    /// all. Nothing is set aside in a full pool: it would run over.
    fn ahead(&self, now_us: u64, holder: Holder) -> (u64, u64) {
        let mine = self.loans.get(&holder).and_then(|it| it.hungry);
        let since_us = mine.filter(|it| now_us < it.until_us).map_or(now_us, |it| it.since_us);
        let hungry: Vec<_> = self
            .loans
            .iter()
            .filter(|(it, _)| **it != holder)
            .filter_map(|(_, loan)| loan.hungry.filter(|it| now_us < it.until_us))
            .collect();
        let before = hungry.iter().filter(|it| it.since_us < since_us);
        let ahead = before.map(|it| it.least_milli).fold(0, u64::saturating_add);
        let cap = self.bucket.shape().cap_milli;
        let full = i128::from(cap) <= i128::from(self.bucket.level_milli(now_us)).saturating_add(1);
        let ahead = if full { 0 } else { ahead };
        (ahead, u64::try_from(hungry.len()).unwrap_or(u64::MAX))
    }

    /// Says when there is enough; takes back what others do not need, if that is sooner. What
    /// was called in and did not come in time is not hoped for any more.
    pub(super) fn deny(&mut self, now_us: u64, holder: Holder, wanted_milli: u64) -> Denied {
        let level = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        let refill_us = self.refill_us(now_us, wanted_milli);
        let missing_milli = wanted_milli.saturating_sub(level);
        let reclaimed = match Kind::of(self.supply) {
            Kind::Flow => self.reclaim(now_us, holder, missing_milli, refill_us),
            Kind::Seats => self.recall_seats(now_us, holder, missing_milli),
        };
        self.make_room(now_us, holder);
        let retry_us = match self.supply {
            _ if reclaimed => RECLAIM_US.min(refill_us),
            Supply::Flow { .. } => refill_us,
            Supply::Seats { .. } | Supply::Window { .. } => SEAT_RETRY_US,
        };
        Denied { retry_us: retry_us.max(1), why: Why::Exhausted }
    }

    /// How long until so much lies ready in the pool, exactly.
    fn refill_us(&self, now_us: u64, milli: u64) -> u64 {
        if let Some(us) = self.bucket.ready_in_us(now_us, milli) {
            return us;
        }
        // Others hold the room that it would take: they give it up as they use it.
        let Supply::Flow { rate_nano: 1.., .. } = self.supply else { return CUT_RETRY_US };
        let rate = self.bucket.shape().rate_nano;
        let missing = i128::from(milli).saturating_sub(self.bucket.level_milli(now_us).into());
        let missing = u128::try_from(missing).unwrap_or(0).saturating_mul(FINE);
        match missing.checked_div(rate.into()) {
            Some(us) => u64::try_from(us).unwrap_or(u64::MAX),
            None => CUT_RETRY_US,
        }
    }

    fn offer_flow(&mut self, now_us: u64, holder: Holder, credit_milli: u64) {
        let target = self.target(holder);
        let room = self.bucket.shape().cap_milli;
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        let had = loan.confirmed;
        let filled = loan.ready_milli().saturating_add(credit_milli);
        // Running requests may give back what they took: that needs room, too.
        let kept = had.cap_milli.min(loan.ready_milli().saturating_add(loan.told.reserved_milli));
        let cap_milli = target.cap_milli.max(filled).max(kept.saturating_add(credit_milli));
        // Room that others have cannot be had: then only what the credit itself fills.
        let shape = match cap_milli.saturating_sub(had.cap_milli) <= room {
            true => Shape { rate_nano: target.rate_nano, cap_milli },
            false => Shape { rate_nano: had.rate_nano, cap_milli: filled.max(had.cap_milli) },
        };
        // A debt becomes the pool's, which refills.
        let debt = loan.debt_milli().min(room.saturating_sub(credit_milli));
        let due = credit_milli.saturating_add(debt);
        if shape == had && due == 0 && 0 < loan.seq {
            return;
        }
        // What the pool has no room for any more goes along, if the holder has.
        let grows = shape.cap_milli.saturating_sub(had.cap_milli).max(due);
        let level = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        let over = level.saturating_sub(credit_milli).saturating_sub(room.saturating_sub(grows));
        let along = over.min(grows.saturating_sub(due)).min(shape.cap_milli.saturating_sub(filled));
        let credit = due.saturating_add(along);
        loan.offer(now_us, shape, credit);
        if 0 < credit {
            loan.lent_us = now_us;
        }
        self.bucket.debit(now_us, credit);
    }

    fn offer_seats(&mut self, now_us: u64, holder: Holder, entry: &Entry, credit_milli: u64) {
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        let attaches = entry.held.is_none();
        if credit_milli == 0 && !attaches {
            return;
        }
        // Requests that outlived the lease before still have their seats.
        let had = if attaches { entry.reserved_milli } else { loan.confirmed.cap_milli };
        let cap_milli = had.saturating_add(credit_milli);
        loan.offer(now_us, Shape { rate_nano: 0, cap_milli }, credit_milli);
    }

    fn offer_more_seats(&mut self, now_us: u64, holder: Holder, credit_milli: u64) {
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        let cap_milli = loan.confirmed.cap_milli.saturating_add(credit_milli);
        loan.offer(now_us, Shape { rate_nano: 0, cap_milli }, credit_milli);
    }

    /// Takes back what holders have too much of: of the refill when their demand fell, of
    /// anything when the limit was cut.
    pub(in crate::limit::lease) fn trim(&mut self, now_us: u64) {
        let lent = self.charged();
        let (rate_nano, cap_milli) = match self.supply {
            Supply::Flow { rate_nano, burst_milli } => (rate_nano, burst_milli),
            Supply::Seats { total_milli } => (0, total_milli),
            Supply::Window { .. } => return,
        };
        let cut = rate_nano < lent.rate_nano || cap_milli < lent.cap_milli;
        let sharing = |(_, loan): &(&Holder, &Loan)| cut || 0 < loan.confirmed.rate_nano;
        let holders: Vec<_> = self.loans.iter().filter(sharing).map(|(it, _)| *it).collect();
        for holder in holders {
            let much = self.has_too_much(holder);
            let target = self.target(holder);
            let Some(loan) = self.loans.get_mut(&holder).filter(|it| it.sent.is_none()) else {
                continue;
            };
            let had = loan.confirmed;
            let mut shape = if much { target } else { had };
            if much {
                shape.cap_milli = shape.cap_milli.max(loan.ready_milli()).min(had.cap_milli);
            }
            shape.rate_nano = shape.rate_nano.min(part(had.rate_nano, rate_nano, lent.rate_nano));
            shape.cap_milli = shape.cap_milli.min(part(had.cap_milli, cap_milli, lent.cap_milli));
            if let Supply::Seats { .. } = self.supply {
                shape.cap_milli -= shape.cap_milli % MILLI;
            }
            if shape != had {
                loan.offer(now_us, shape, 0);
                self.push(now_us, holder);
            }
        }
    }
}

/// The part of what is had that there is for it, when all have `lent` of `total`.
fn part(had: u64, total: u64, lent: u64) -> u64 {
    if lent <= total {
        return had;
    }
    let part = u128::from(had).saturating_mul(total.into()) / u128::from(lent.max(1));
    u64::try_from(part).unwrap_or(had)
}
