//! How much is drawn, to whom it is lent, and who is told that there is nothing.

use super::{Borrower, Effect, Fund};
use crate::limit::{
    Holder,
    budget::message::ChunkGrant,
    message::{Denied, Why},
    supply::MILLI,
};

/// A chunk is made for so many seconds of its holder's demand.
const CHUNK_S: u64 = 30;
/// A block is made for so many seconds of all demand.
const BLOCK_S: u64 = 60;
/// No chunk is more than this part of what is left, shared by all who ask; no block is
/// more than this part of what the row has left. So the pieces become smaller towards the
/// end, and little dies with a holder or a leader.
const PART: u64 = 4;
/// Who waits longer is refused: a request waits 50 ms at most.
const WAIT_US: u64 = 40_000;
/// For so long a refusal waits for what was called in.
const CALL_US: u64 = 25_000;
/// A chunk is not called in again before so long.
const CALL_AGAIN_US: u64 = 1_000_000;
/// When there may be something soon: ask again after so long.
const SOON_US: u64 = 100_000;
/// A block that is far too big is put back no more often than this.
const PUT_BACK_US: u64 = 10_000_000;

impl Fund {
    /// Does all that can be done now.
    pub(super) fn work(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let Some(open) = self.open.as_mut().filter(|open| !open.is_over(now_us)) else { return };
        open.tidy(self.total_milli, effects);
        self.serve(now_us, effects);
        self.draw(now_us, effects);
        self.call_in(now_us, effects);
        self.refuse(now_us, effects);
        self.tell_room(now_us, effects);
    }

    /// Lends to those who wait, the longest first.
    fn serve(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        for holder in self.waiting() {
            let Some(wait) = self.borrowers.get(&holder).and_then(|it| it.wait) else { continue };
            let target = self.target_milli(now_us, holder);
            let ready = self.ready_milli();
            if ready < wait.least_milli {
                continue;
            }
            self.lend(now_us, holder, wait.need_milli.max(target).min(ready), effects);
        }
    }

    /// A holder that renews is filled up before it has to ask.
    pub(super) fn top_up(&mut self, now_us: u64, holder: Holder, effects: &mut Vec<Effect>) {
        let over = self.open.as_ref().is_none_or(|open| open.is_over(now_us));
        let free = self.borrowers.get(&holder).is_some_and(|it| {
            it.wait.is_none() && it.unheard_milli.is_none() && it.refused_milli.is_none()
        });
        if over || !free || self.borrowers.values().any(|it| it.wait.is_some()) {
            return;
        }
        let target = self.target_milli(now_us, holder);
        let level = self.borrowers.get(&holder).map_or(0, |it| it.held_milli(now_us));
        // `target` is what is missing; less than half of the whole is not worth a credit.
        if level < target && target <= self.ready_milli() {
            self.lend(now_us, holder, target, effects);
        }
    }

    fn lend(&mut self, now_us: u64, holder: Holder, milli: u64, effects: &mut Vec<Effect>) {
        let (Some(open), Some(borrower)) = (&mut self.open, self.borrowers.get_mut(&holder)) else {
            return;
        };
        open.owe(milli);
        borrower.lend(milli);
        self.send(now_us, holder, None, effects);
    }

    /// What a holder is short of, to have `CHUNK_S` of its demand.
    fn target_milli(&self, now_us: u64, holder: Holder) -> u64 {
        let (Some(open), Some(borrower)) = (&self.open, self.borrowers.get(&holder)) else {
            return 0;
        };
        let active = self.borrowers.values().filter(|it| it.is_active(now_us)).count().max(1);
        let free = open.free_milli(self.total_milli, self.mode);
        let most = free / PART / u64::try_from(active).unwrap_or(u64::MAX);
        let demand = borrower.demand_milli_per_s(now_us).saturating_mul(CHUNK_S);
        whole_units(demand.min(most)).saturating_sub(borrower.held_milli(now_us))
    }

    fn draw(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let need = self.needed_milli();
        let demand = self
            .borrowers
            .values()
            .fold(0u64, |sum, it| sum.saturating_add(it.demand_milli_per_s(now_us)));
        let refused =
            self.borrowers.values().any(|it| it.refused_milli.is_some() && it.is_live(now_us));
        let met = !self.borrowers.is_empty();
        let total_milli = self.total_milli;
        let Some(open) = &mut self.open else { return };
        if open.drawing.is_some() || now_us < open.draw_after_us {
            return;
        }
        let rest = open.rest_milli(total_milli);
        let target = block_milli(demand, rest.unwrap_or(total_milli));
        let ahead = match open.block_milli < target.div_ceil(2) {
            true => target.saturating_sub(open.block_milli),
            false => 0,
        };
        let want_milli = need.max(ahead).min(rest.unwrap_or(u64::MAX));
        let look = match rest {
            None => met,
            Some(_) if open.away => 0 < open.owing_milli || refused,
            Some(_) => refused && open.look_after_us <= now_us,
        };
        if 0 < want_milli || look {
            open.drawing = Some(want_milli);
            effects.push(Effect::Draw { window: open.id, want_milli });
        }
    }

    /// What those who wait need beyond the block, as far as it could be had.
    fn needed_milli(&self) -> u64 {
        let Some(open) = &self.open else { return 0 };
        let ready = self.ready_milli();
        let can_be_had = match open.rest_milli(self.total_milli) {
            Some(rest) => ready.saturating_add(rest),
            None => u64::MAX,
        };
        let waits = self.borrowers.values().filter_map(|it| it.wait);
        waits
            .filter(|wait| ready < wait.least_milli && wait.least_milli <= can_be_had)
            .fold(0u64, |sum, wait| sum.saturating_add(wait.need_milli))
            .saturating_sub(ready)
    }

    /// Calls idle chunks in when there is nothing else, or when too much is out.
    fn call_in(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let Some(open) = &self.open else { return };
        let free = open.free_milli(self.total_milli, self.mode);
        let known = open.granted_milli.is_some() || open.away;
        let over = open.out_milli().is_some_and(|out| self.total_milli < out);
        let short = self.borrowers.values().any(|it| {
            it.refused_milli.is_some_and(|least| free < least)
                || it.wait.is_some_and(|wait| known && free < wait.least_milli)
        });
        if !over && !short {
            return;
        }
        let idle: Vec<_> = self
            .borrowers
            .iter()
            .filter(|(_, it)| 0 < it.idle_milli(now_us) && may_be_called(it, now_us))
            .map(|(holder, _)| *holder)
            .collect();
        for holder in idle {
            if let Some(borrower) = self.borrowers.get_mut(&holder) {
                borrower.called_us = Some(now_us);
                borrower.call_answered = false;
            }
            if let Some(mut grant) = self.grant(now_us, holder, None) {
                grant.call_in = true;
                effects.push(Effect::Send { holder, grant });
            }
        }
    }

    /// Refuses those for whom nothing is on its way.
    fn refuse(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let waiting = self.waiting();
        let Some(open) = &self.open else { return };
        if waiting.is_empty() || open.drawing.is_some() {
            return;
        }
        if open.away && self.free_milli() < self.reach_milli() {
            let retry_us = open.draw_after_us.saturating_sub(now_us).max(SOON_US);
            self.refuse_all(now_us, Denied { retry_us, why: Why::Unavailable }, effects);
            return;
        }
        let called = |within_us: u64| {
            self.borrowers.values().any(|it| {
                let recent = it.called_us.is_some_and(|at| now_us < at.saturating_add(within_us));
                recent && !it.call_answered && it.is_live(now_us)
            })
        };
        if called(CALL_US) {
            return;
        }
        let retry_us = match called(CALL_AGAIN_US) {
            true => SOON_US,
            false => open.left_us(now_us).unwrap_or(u64::MAX),
        };
        self.refuse_all(now_us, Denied { retry_us, why: Why::Exhausted }, effects);
    }

    /// Tells those who were refused when there is room again.
    fn tell_room(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
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
        let denied = Denied { retry_us: SOON_US, why: Why::Unavailable };
        for holder in self.waiting() {
            let since = self.borrowers.get(&holder).and_then(|it| it.wait).map(|it| it.since_us);
            if since.is_some_and(|since| since.saturating_add(WAIT_US) <= now_us) {
                self.refuse_one(now_us, holder, denied, effects);
            }
        }
    }

    /// Puts back what is far more than will be lent soon, so that it does not die with
    /// the leader.
    pub(super) fn put_back_idle(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if now_us < self.put_back_after_us || self.borrowers.values().any(|it| it.wait.is_some()) {
            return;
        }
        let demand = self
            .borrowers
            .values()
            .fold(0u64, |sum, it| sum.saturating_add(it.demand_milli_per_s(now_us)));
        let Some(open) = self.open.as_mut().filter(|open| !open.away && open.drawing.is_none())
        else {
            return;
        };
        let left = open.rest_milli(self.total_milli).unwrap_or(0).saturating_add(open.block_milli);
        let keep = block_milli(demand, left);
        if keep.saturating_mul(2) < open.block_milli {
            let back = open.block_milli.saturating_sub(keep);
            effects.push(open.put_back(back));
            self.put_back_after_us = now_us.saturating_add(PUT_BACK_US);
        }
    }

    /// Says the last credit again to a holder that did not hear it.
    pub(super) fn repeat(&self, now_us: u64, holder: Holder, effects: &mut Vec<Effect>) {
        if self.borrowers.get(&holder).is_some_and(|it| it.unheard_milli.is_some()) {
            self.send(now_us, holder, None, effects);
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
        let left_us = self.open.as_ref().and_then(|open| open.left_us(now_us));
        let denied = borrower.refused_milli.map(|least| match least <= self.reach_milli() {
            true => Denied { retry_us: SOON_US, why: Why::Unavailable },
            false => Denied { retry_us: left_us.unwrap_or(u64::MAX), why: Why::Exhausted },
        });
        self.send(now_us, holder, denied, effects);
    }

    fn refuse_all(&mut self, now_us: u64, denied: Denied, effects: &mut Vec<Effect>) {
        for holder in self.waiting() {
            self.refuse_one(now_us, holder, denied, effects);
        }
    }

    fn refuse_one(
        &mut self,
        now_us: u64,
        holder: Holder,
        denied: Denied,
        effects: &mut Vec<Effect>,
    ) {
        let Some(borrower) = self.borrowers.get_mut(&holder) else { return };
        let Some(wait) = borrower.wait.take() else { return };
        borrower.refused_milli = Some(wait.least_milli);
        self.send(now_us, holder, Some(denied), effects);
    }

    fn send(&self, now_us: u64, holder: Holder, denied: Option<Denied>, effects: &mut Vec<Effect>) {
        if let Some(grant) = self.grant(now_us, holder, denied) {
            effects.push(Effect::Send { holder, grant });
        }
    }

    fn grant(&self, now_us: u64, holder: Holder, denied: Option<Denied>) -> Option<ChunkGrant> {
        let open = self.open.as_ref()?;
        let borrower = self.borrowers.get(&holder)?;
        Some(ChunkGrant {
            of: self.of,
            window: open.id,
            left_us: open.left_us(now_us),
            seq: borrower.seq,
            credit_milli: borrower.unheard_milli.unwrap_or(0),
            denied,
            call_in: false,
            free_milli: self.free_milli(),
            used_ppm: self.used_ppm(now_us),
        })
    }

    /// Who waits, the longest first.
    fn waiting(&self) -> Vec<Holder> {
        let waits = self.borrowers.iter().filter_map(|(holder, it)| Some((it.wait?, *holder)));
        let mut waits: Vec<_> = waits.map(|(wait, holder)| (wait.since_us, holder)).collect();
        waits.sort_unstable();
        waits.into_iter().map(|(_, holder)| holder).collect()
    }

    fn ready_milli(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.ready_milli(self.total_milli, self.mode))
    }

    pub(super) fn free_milli(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.free_milli(self.total_milli, self.mode))
    }

    /// What there would be if the database were not away; `u64::MAX`: nobody knows.
    fn reach_milli(&self) -> u64 {
        let rest = self.open.as_ref().and_then(|open| open.rest_milli(self.total_milli));
        rest.map_or(u64::MAX, |rest| rest.saturating_add(self.ready_milli()))
    }
}

fn may_be_called(borrower: &Borrower, now_us: u64) -> bool {
    let again = borrower.called_us.is_none_or(|at| at.saturating_add(CALL_AGAIN_US) <= now_us);
    again && borrower.unheard_milli.is_none()
}

/// How much a block shall hold.
fn block_milli(demand_milli_per_s: u64, rest_milli: u64) -> u64 {
    whole_units(demand_milli_per_s.saturating_mul(BLOCK_S).min(rest_milli / PART))
}

/// Parts of a unit would lie about where no request can use them.
const fn whole_units(milli: u64) -> u64 {
    milli.saturating_sub(milli % MILLI)
}
