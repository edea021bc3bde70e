//! What a holder gets when it says what it needs, and what is taken back.

use super::Pool;
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

/// What is taken back from a holder that does not need it is here after so long.
const RECLAIM_US: u64 = 20_000;
/// When a seat will be free nobody knows: ask again after so long.
const SEAT_RETRY_US: u64 = 500_000;
/// When more is lent than there is, since the limit was cut: ask again after so long.
const CUT_RETRY_US: u64 = 1_000_000;
/// Who was refused comes first for so long after the time that it was told.
const HUNGRY_US: u64 = 500_000;
/// Who asks gets what it needs in so long besides, in parts of a second, if there is plenty.
const AHEAD_OF_SECOND: u64 = 5;
/// Who is asked to give back keeps what it needs in so long, in parts of a second.
const KEEP_OF_SECOND: u64 = 4;
/// Of what is plenty, each holder gets this part besides what it needs.
const PLENTY: u64 = 4;
/// The pool has little room left when it is less than this part of the burst.
const ROOM_PART: u64 = 4;
const FINE: u128 = 1_000_000_000_000;

/// What a holder gets of what it needs.
#[derive(Debug, Clone, Copy)]
enum Gets {
    Credit(u64),
    Denied(Denied),
}

impl Pool {
    /// Decides what a holder has from here on, and offers it if that is something else than
    /// it has. One offer at a time: until it is confirmed there is no other.
    pub(super) fn decide(&mut self, now_us: u64, holder: Holder, entry: &Entry) -> Option<Denied> {
        if self.loans.get(&holder)?.sent.is_some() {
            return None;
        }
        let (credit, denied) = match self.credit(now_us, holder, entry) {
            Gets::Credit(milli) => (milli, None),
            Gets::Denied(denied) => (0, Some(denied)),
        };
        self.mark(now_us, holder, entry, credit, denied);
        match Kind::of(self.supply) {
            Kind::Flow => self.offer_flow(now_us, holder, credit),
            Kind::Seats => self.offer_seats(holder, entry, credit),
        }
        denied
    }

    /// Remembers who was refused, so that it comes before those who come later.
    fn mark(
        &mut self,
        now_us: u64,
        holder: Holder,
        entry: &Entry,
        credit: u64,
        denied: Option<Denied>,
    ) {
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        if 0 < credit {
            loan.hungry = None;
        }
        let Some(denied) = denied else { return };
        let since_us =
            loan.hungry.filter(|it| now_us < it.until_us).map_or(now_us, |it| it.since_us);
        let until_us = now_us.saturating_add(denied.retry_us).saturating_add(HUNGRY_US);
        loan.hungry = Some(Hungry { least_milli: entry.least_milli, since_us, until_us });
    }

    /// How much of what is needed there is for this holder now.
    fn credit(&mut self, now_us: u64, holder: Holder, entry: &Entry) -> Gets {
        if entry.need_milli == 0 {
            return Gets::Credit(0);
        }
        let least = entry.least_milli.max(1);
        let (ahead, others) = self.ahead(now_us, holder);
        let level = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        let spare = level.saturating_sub(ahead);
        // Where others were refused, nobody takes all that is left.
        let fair = (spare / others.saturating_add(1)).max(least);
        let most = if others == 0 { spare } else { spare.min(fair) };
        if most < least {
            return Gets::Denied(self.deny(now_us, holder, least.saturating_add(ahead)));
        }
        if most < entry.need_milli {
            // A part of a request is of no use.
            let unit = entry.largest_milli.max(1);
            let whole = most.saturating_sub(least) / unit;
            return Gets::Credit(least.saturating_add(whole.saturating_mul(unit)));
        }
        let holders = u64::try_from(self.loans.len()).unwrap_or(u64::MAX).max(1);
        let plenty = most.saturating_sub(entry.need_milli) / holders.saturating_mul(PLENTY);
        let besides = plenty.min(entry.demand_milli_per_s / AHEAD_OF_SECOND);
        let besides = besides.saturating_sub(besides % entry.largest_milli.max(1));
        Gets::Credit(entry.need_milli.saturating_add(besides))
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

    /// Says when there is enough; takes back what others do not need, if that is sooner.
    fn deny(&mut self, now_us: u64, holder: Holder, wanted_milli: u64) -> Denied {
        let level = u64::try_from(self.bucket.level_milli(now_us)).unwrap_or(0);
        let reclaimed = self.reclaim(now_us, holder, wanted_milli.saturating_sub(level));
        self.make_room(now_us, holder);
        let retry_us = match self.supply {
            _ if reclaimed => RECLAIM_US.min(self.refill_us(now_us, wanted_milli)),
            Supply::Flow { .. } => self.refill_us(now_us, wanted_milli),
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

    /// Asks holders for what they do not need soon, if that is enough together. Says
    /// whether something comes back.
    fn reclaim(&mut self, now_us: u64, asker: Holder, missing_milli: u64) -> bool {
        let kind = Kind::of(self.supply);
        let on_its_way = self.loans.iter().any(|(it, loan)| *it != asker && is_called_in(loan));
        let idle: Vec<_> = self
            .loans
            .iter()
            .filter(|(it, loan)| **it != asker && loan.sent.is_none())
            .map(|(it, loan)| (*it, idle_milli(loan)))
            .filter(|(_, idle)| 0 < *idle)
            .collect();
        let all = idle.iter().map(|(_, idle)| *idle).fold(0, u64::saturating_add);
        if all < missing_milli || all == 0 {
            return on_its_way;
        }
        let mut left = missing_milli;
        for (holder, idle) in idle {
            if left == 0 {
                break;
            }
            let Some(loan) = self.loans.get_mut(&holder) else { continue };
            let back = idle.min(if kind == Kind::Seats { left } else { idle });
            let shape = match kind {
                Kind::Flow => Shape {
                    rate_nano: loan.confirmed.rate_nano,
                    cap_milli: loan.ready_milli().saturating_sub(back),
                },
                Kind::Seats => {
                    Shape { rate_nano: 0, cap_milli: loan.confirmed.cap_milli.saturating_sub(back) }
                }
            };
            loan.offer(shape, 0);
            self.push(now_us, holder);
            left = left.saturating_sub(back);
        }
        true
    }

    /// Takes back half of the room that holders keep for what running requests may give
    /// back, when the pool has little left: it could not refill.
    fn make_room(&mut self, now_us: u64, asker: Holder) {
        let Supply::Flow { burst_milli, .. } = self.supply else { return };
        if burst_milli / ROOM_PART <= self.bucket.shape().cap_milli {
            return;
        }
        let holders: Vec<_> = self.loans.keys().copied().filter(|it| *it != asker).collect();
        for holder in holders {
            let Some(loan) = self.loans.get_mut(&holder).filter(|it| it.sent.is_none()) else {
                continue;
            };
            let (had, ready) = (loan.confirmed, loan.ready_milli());
            let kept = had.cap_milli.saturating_sub(ready);
            if had.rate_nano == 0 && 1 < kept {
                loan.offer(Shape { rate_nano: 0, cap_milli: ready.saturating_add(kept / 2) }, 0);
                self.push(now_us, holder);
            }
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
        loan.offer(shape, credit);
        self.bucket.debit(now_us, credit);
    }

    fn offer_seats(&mut self, holder: Holder, entry: &Entry, credit_milli: u64) {
        let Some(loan) = self.loans.get_mut(&holder) else { return };
        let attaches = entry.held.is_none();
        if credit_milli == 0 && !attaches {
            return;
        }
        // Requests that outlived the lease before still have their seats.
        let had = if attaches { entry.reserved_milli } else { loan.confirmed.cap_milli };
        let cap_milli = had.saturating_add(credit_milli);
        loan.offer(Shape { rate_nano: 0, cap_milli }, credit_milli);
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
                loan.offer(shape, 0);
                self.push(now_us, holder);
            }
        }
    }
}

/// Whether a holder was asked to give something back.
fn is_called_in(loan: &Loan) -> bool {
    loan.sent
        .is_some_and(|it| it.credit_milli == 0 && it.shape.cap_milli < loan.confirmed.cap_milli)
}

/// What a holder has and does not need soon, in whole requests.
fn idle_milli(loan: &Loan) -> u64 {
    let keep = loan.told.demand_milli_per_s / KEEP_OF_SECOND;
    let keep = keep.saturating_sub(keep % loan.told.largest_milli.max(1));
    loan.ready_milli().saturating_sub(keep)
}

/// The part of what is had that there is for it, when all have `lent` of `total`.
fn part(had: u64, total: u64, lent: u64) -> u64 {
    if lent <= total {
        return had;
    }
    let part = u128::from(had).saturating_mul(total.into()) / u128::from(lent.max(1));
    u64::try_from(part).unwrap_or(had)
}
