//! What is called in from holders that do not need it, and who is told that there is nothing.
//!
//! Nobody is told that a window is used up as long as others hold what would do: what is
//! neither spent nor reserved is collected first.

use super::{Borrower, Effect, Fund, borrower::Wait};
use crate::limit::{
    Holder,
    message::{Denied, Why},
};
use std::cmp::Reverse;

/// Who waits longer is refused: a request waits 50 ms at most.
const WAIT_US: u64 = 40_000;
/// For so long a refusal waits for what was called in.
const CALL_US: u64 = 25_000;
/// A chunk that did not come is called in again after so long; and while more is out than
/// there may be, one that came.
const CALL_AGAIN_US: u64 = 100_000;
const CALL_OVER_US: u64 = 1_000_000;
/// When there may be something soon: ask again after so long.
const SOON_US: u64 = 100_000;
/// When what running requests have reserved may do, if they use less: nobody knows when.
const RESERVED_US: u64 = 1_000_000;

impl Fund {
    /// Calls chunks in when others need what lies ready in them, or when too much is out.
    pub(super) fn call_in(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let Some(open) = &self.open else { return };
        let over = open.out_milli().is_some_and(|out| self.total_milli < out);
        let known = open.granted_milli.is_some() || open.away;
        let called = match self.first_short(now_us).filter(|_| known) {
            Some((asker, wait)) => self.called_for(now_us, asker, wait),
            None if over => self.called_for_all(now_us),
            None => return,
        };
        for (holder, milli) in called {
            if let Some(borrower) = self.borrowers.get_mut(&holder) {
                borrower.called_us = Some(now_us);
                borrower.call_answered = false;
            }
            if let Some(mut grant) = self.grant(now_us, holder, None) {
                (grant.call_in, grant.call_in_milli) = (true, milli);
                effects.push(Effect::Send { holder, grant });
            }
        }
    }

    /// The first of those who wait for more than is free, but not for more than others may
    /// have.
    fn first_short(&self, now_us: u64) -> Option<(Holder, Wait)> {
        let free = self.free_milli();
        let waiting = self.waiting().into_iter();
        let mut waits = waiting.filter_map(|it| Some((it, self.borrowers.get(&it)?.wait?)));
        waits.find(|(holder, wait)| {
            let others = self.collectable_milli(now_us, *holder);
            let most = others.saturating_add(self.reserved_milli(now_us, Some(*holder)));
            free < wait.least_milli && wait.least_milli <= most
        })
    }

    /// Who is called in for one who is short, and for how much: who has most first.
    fn called_for(&self, now_us: u64, asker: Holder, wait: Wait) -> Vec<(Holder, u64)> {
        let mut left = wait.need_milli.saturating_sub(self.free_milli());
        let others = self.borrowers.iter().filter(|(holder, _)| **holder != asker);
        let mut others: Vec<_> =
            others.map(|(holder, it)| (it.ready_milli(now_us), *holder, it)).collect();
        others.sort_by_key(|(ready, holder, _)| (Reverse(*ready), *holder));
        let mut called = Vec::new();
        for (ready, holder, it) in others {
            // Requests may have ended there since it told.
            let maybe = ready == 0 && it.is_live(now_us) && 0 < it.reserved_milli;
            let may = match maybe {
                true => it.was_called_before(wait.since_us),
                false => 0 < ready && may_be_called(it, now_us, 0),
            };
            if may && 0 < left {
                called.push((holder, if maybe { left } else { ready.min(left) }));
            }
            left = left.saturating_sub(ready);
        }
        called
    }

    /// Who is called in while more is out than there may be.
    fn called_for_all(&self, now_us: u64) -> Vec<(Holder, u64)> {
        let ready = self.borrowers.iter().filter(|(_, it)| 0 < it.ready_milli(now_us));
        let called = ready.filter(|(_, it)| may_be_called(it, now_us, CALL_OVER_US));
        called.map(|(holder, _)| (*holder, 0)).collect()
    }

    /// What there would be for a holder if all others gave back what lies ready.
    fn collectable_milli(&self, now_us: u64, asker: Holder) -> u64 {
        let others = self.borrowers.iter().filter(|(holder, _)| **holder != asker);
        let ready = others.map(|(_, it)| it.ready_milli(now_us));
        ready.fold(self.free_milli(), u64::saturating_add)
    }

    /// What running requests hold, but for those of one holder.
    fn reserved_milli(&self, now_us: u64, but: Option<Holder>) -> u64 {
        let others = self.borrowers.iter().filter(|(holder, _)| Some(**holder) != but);
        let live = others.filter(|(_, it)| it.is_live(now_us));
        live.map(|(_, it)| it.reserved_milli).fold(0, u64::saturating_add)
    }

    /// Why a holder does not get so much, and when it may: used up is only what is spent.
    fn shortage(&self, now_us: u64, holder: Holder, least_milli: u64) -> Denied {
        let left_us = self.open.as_ref().and_then(|open| open.left_us(now_us));
        let left_us = left_us.unwrap_or(u64::MAX);
        let others = self.collectable_milli(now_us, holder);
        let moving = |retry_us: u64| Denied { retry_us: retry_us.min(left_us), why: Why::Moving };
        if least_milli <= others {
            return moving(SOON_US);
        }
        let most = others.saturating_add(self.reserved_milli(now_us, None));
        if least_milli <= most && !self.returns_nothing {
            return moving(RESERVED_US);
        }
        Denied { retry_us: left_us, why: Why::Exhausted }
    }

    /// Refuses those for whom nothing is on its way.
    pub(super) fn refuse(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let waiting = self.waiting();
        let Some(open) = &self.open else { return };
        if waiting.is_empty() || open.drawing.is_some() {
            return;
        }
        if open.away && self.free_milli() < self.reach_milli() {
            let retry_us = open.draw_after_us.saturating_sub(now_us).max(SOON_US);
            let denied = Denied { retry_us, why: Why::Unavailable };
            waiting.into_iter().for_each(|it| self.refuse_one(now_us, it, Some(denied), effects));
            return;
        }
        let called = self.borrowers.values().any(|it| {
            let recent = it.called_us.is_some_and(|at| now_us < at.saturating_add(CALL_US));
            recent && !it.call_answered && it.is_live(now_us)
        });
        if !called {
            waiting.into_iter().for_each(|it| self.refuse_one(now_us, it, None, effects));
        }
    }

    /// Tells those who were refused when there is room again.
    pub(super) fn tell_room(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let Some(open) = &self.open else { return };
        // What a draw is under way for is not there before it ends.
        let free = match open.drawing {
            Some(_) => self.ready_milli(),
            None => self.free_milli(),
        };
        let fits: Vec<_> = self
            .borrowers
            .iter()
            .filter(|(_, it)| it.refused_milli.is_some_and(|least| least <= free))
            .map(|(holder, _)| *holder)
            .collect();
        for holder in fits {
            if let Some(borrower) = self.borrowers.get_mut(&holder) {
                borrower.refused_milli = None;
            }
            self.send(now_us, holder, None, effects);
        }
    }

    /// Refuses those who waited as long as a request waits: for the database, or for the
    /// next window.
    pub(super) fn refuse_who_waited(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let away = Denied { retry_us: SOON_US, why: Why::Unavailable };
        let draws = self.open.as_ref().is_none_or(|it| it.drawing.is_some() || it.is_over(now_us));
        for holder in self.waiting() {
            let since = self.borrowers.get(&holder).and_then(|it| it.wait).map(|it| it.since_us);
            if since.is_some_and(|since| since.saturating_add(WAIT_US) <= now_us) {
                self.refuse_one(now_us, holder, draws.then_some(away), effects);
            }
        }
    }

    /// Answers an entry that was not answered otherwise, unless its holder waits.
    pub(super) fn reply(&self, now_us: u64, holder: Holder, effects: &mut Vec<Effect>) {
        let answered =
            effects.iter().any(|it| matches!(it, Effect::Send { holder: to, .. } if *to == holder));
        let Some(borrower) = self.borrowers.get(&holder).filter(|it| it.wait.is_none()) else {
            return;
        };
        if answered {
            return;
        }
        let denied = borrower.refused_milli.map(|least| match least <= self.reach_milli() {
            true => Denied { retry_us: SOON_US, why: Why::Unavailable },
            false => self.shortage(now_us, holder, least),
        });
        self.send(now_us, holder, denied, effects);
    }

    /// `None`: as it stands with what others have.
    fn refuse_one(
        &mut self,
        now_us: u64,
        holder: Holder,
        denied: Option<Denied>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(borrower) = self.borrowers.get_mut(&holder) else { return };
        let Some(wait) = borrower.wait.take() else { return };
        borrower.refused_milli = Some(wait.least_milli);
        let denied = denied.unwrap_or_else(|| self.shortage(now_us, holder, wait.least_milli));
        self.send(now_us, holder, Some(denied), effects);
    }
}

/// Whether a chunk may be called in: one that was and came may be again after `again_us`.
fn may_be_called(borrower: &Borrower, now_us: u64, again_us: u64) -> bool {
    let pause_us = if borrower.call_answered { again_us } else { CALL_AGAIN_US };
    borrower.called_us.is_none_or(|at| at.saturating_add(pause_us) <= now_us)
}
