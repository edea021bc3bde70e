//! What is taken back from holders that do not need it, for one that does.
//!
//! What a holder has is known as it told last. Where that may be more by now, it is asked
//! to tell: what one proxy has let go is not to be refused at another.

use super::Pool;
use crate::limit::{
    Holder,
    bucket::{Bucket, Shape},
    lease::{
        loan::{Loan, Nudge},
        node::Kind,
    },
    supply::Supply,
};

/// What is taken back from a holder that does not need it is here after so long.
pub(super) const RECLAIM_US: u64 = 20_000;
/// Who is asked to give back keeps what it needs in so long, in parts of a second.
const KEEP_OF_SECOND: u64 = 4;
/// The pool has little room left when it is less than this part of the burst.
const ROOM_PART: u64 = 4;
/// Who was just lent something may still undo requests that were not sent in the end, and
/// needs the room for them: so long it is left to it.
const UNDO_US: u64 = 1_000_000;
/// A holder is not asked again how it stands before so long: of seats, and of a rate.
const ASK_SEATS_AGAIN_US: u64 = 10_000;
const ASK_RATE_AGAIN_US: u64 = 100_000;
/// What refills sooner than this is waited for, instead of asking everybody.
const SLOW_US: u64 = 250_000;
/// For so long an answer is waited for.
const ANSWER_US: u64 = 25_000;

impl Pool {
    /// Asks holders for what they do not need soon, if that is enough together. Says
    /// whether something comes back.
    pub(super) fn reclaim(
        &mut self,
        now_us: u64,
        asker: Holder,
        missing_milli: u64,
        refill_us: u64,
    ) -> bool {
        let on_its_way =
            self.loans.iter().any(|(it, loan)| *it != asker && self.comes_back(now_us, loan));
        let idle: Vec<_> = self
            .loans
            .iter()
            .filter(|(it, loan)| **it != asker && loan.sent.is_none())
            .map(|(it, loan)| (*it, idle_milli(loan)))
            .filter(|(_, idle)| 0 < *idle)
            .collect();
        let all = idle.iter().map(|(_, idle)| *idle).fold(0, u64::saturating_add);
        if all < missing_milli || all == 0 {
            if SLOW_US <= refill_us {
                self.ask_how(now_us, asker, ASK_RATE_AGAIN_US, may_have_more);
            }
            return on_its_way;
        }
        let mut left = missing_milli;
        for (holder, idle) in idle {
            if left == 0 {
                break;
            }
            let Some(loan) = self.loans.get_mut(&holder) else { continue };
            let cap_milli = loan.ready_milli().saturating_sub(idle);
            loan.offer(now_us, Shape { rate_nano: loan.confirmed.rate_nano, cap_milli }, 0);
            self.push(now_us, holder);
            left = left.saturating_sub(idle);
        }
        true
    }

    /// Takes back seats that are known to be free, and asks for those that may be. Says
    /// whether some come back.
    pub(super) fn recall_seats(&mut self, now_us: u64, asker: Holder, missing_milli: u64) -> bool {
        let mut left = missing_milli;
        let mut comes =
            self.loans.iter().any(|(it, loan)| *it != asker && self.comes_back(now_us, loan));
        for holder in self.others(asker) {
            let Some(loan) = self.loans.get_mut(&holder).filter(|it| it.sent.is_none()) else {
                continue;
            };
            let back = loan.ready_milli().min(left);
            if 0 < back {
                let cap_milli = loan.confirmed.cap_milli.saturating_sub(back);
                loan.offer(now_us, Shape { rate_nano: 0, cap_milli }, 0);
                self.push(now_us, holder);
                left = left.saturating_sub(back);
                comes = true;
            }
        }
        if 0 < left {
            self.ask_how(now_us, asker, ASK_SEATS_AGAIN_US, has_any);
        }
        comes
    }

    /// Whether what others were asked for, or to tell, may still come in time.
    pub(super) fn is_due_back(&self, now_us: u64, asker: Holder) -> bool {
        let seats = Kind::of(self.supply) == Kind::Seats;
        self.loans.iter().filter(|(it, _)| **it != asker).any(|(_, loan)| {
            let asked = loan
                .nudge
                .is_some_and(|it| !it.answered && now_us < it.at_us.saturating_add(ANSWER_US));
            // Seats come back at any moment, whenever a request ends.
            asked || self.comes_back(now_us, loan) || (seats && has_any(loan))
        })
    }

    /// Takes back half of the room that holders keep for what running requests may give
    /// back, when the pool has little left: it could not refill.
    pub(super) fn make_room(&mut self, now_us: u64, asker: Holder) {
        let Supply::Flow { burst_milli, .. } = self.supply else { return };
        if burst_milli / ROOM_PART <= self.bucket.shape().cap_milli {
            return;
        }
        for holder in self.others(asker) {
            let Some(loan) = self.loans.get_mut(&holder).filter(|it| it.sent.is_none()) else {
                continue;
            };
            if now_us < loan.lent_us.saturating_add(UNDO_US) {
                continue;
            }
            let (had, ready) = (loan.confirmed, loan.ready_milli());
            let kept = had.cap_milli.saturating_sub(ready);
            if had.rate_nano == 0 && 1 < kept {
                loan.offer(
                    now_us,
                    Shape { rate_nano: 0, cap_milli: ready.saturating_add(kept / 2) },
                    0,
                );
                self.push(now_us, holder);
            }
        }
    }

    /// Says to others what they know already, unasked: they answer how they stand.
    fn ask_how(&mut self, now_us: u64, asker: Holder, again_us: u64, whom: fn(&Loan) -> bool) {
        for holder in self.others(asker) {
            let Some(loan) = self.loans.get_mut(&holder).filter(|it| whom(it)) else { continue };
            if loan.nudge.is_some_and(|it| now_us < it.at_us.saturating_add(again_us)) {
                continue;
            }
            if !is_called_in(loan) {
                loan.nudge = Some(Nudge { at_us: now_us, answered: false });
                self.push(now_us, holder);
            }
        }
    }

    /// Whether something that lay ready at a holder may be on its way back: it was asked for
    /// so lately that the answer takes no longer.
    fn comes_back(&self, now_us: u64, loan: &Loan) -> bool {
        let Some(sent) = loan.sent.filter(|_| is_called_in(loan)) else { return false };
        // Room that nothing lies in brings nothing.
        let ready = match Kind::of(self.supply) {
            Kind::Flow => loan.ready_milli().saturating_sub(sent.shape.cap_milli),
            Kind::Seats => loan.ready_milli(),
        };
        0 < ready && now_us < loan.sent_us.saturating_add(ANSWER_US)
    }

    fn others(&self, asker: Holder) -> Vec<Holder> {
        self.loans.keys().copied().filter(|it| *it != asker).collect()
    }
}

/// Whether a holder was asked to give something back, and did not say that it has.
fn is_called_in(loan: &Loan) -> bool {
    loan.sent
        .is_some_and(|it| it.credit_milli == 0 && it.shape.cap_milli < loan.confirmed.cap_milli)
}

/// Whether a holder may have more of a rate by now than it told: a credit that it did not
/// confirm, or what running requests gave back.
fn may_have_more(loan: &Loan) -> bool {
    loan.sent.is_some_and(|it| 0 < it.credit_milli) || 0 < loan.told.reserved_milli
}

fn has_any(loan: &Loan) -> bool {
    0 < loan.charged().cap_milli
}

/// What a holder has and does not need soon, in whole requests.
fn idle_milli(loan: &Loan) -> u64 {
    let keep = loan.told.demand_milli_per_s / KEEP_OF_SECOND;
    let keep = keep.saturating_sub(keep % loan.told.largest_milli.max(1));
    loan.ready_milli().saturating_sub(keep)
}
