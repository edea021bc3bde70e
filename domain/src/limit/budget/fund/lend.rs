//! How much is drawn, and to whom it is lent.

use super::{Effect, Fund};
use crate::limit::{Holder, budget::message::ChunkGrant, message::Denied, supply::MILLI};

/// A chunk is made for so many seconds of its holder's demand.
const CHUNK_S: u64 = 30;
/// A block is made for so many seconds of all demand.
const BLOCK_S: u64 = 60;
/// No chunk is more than this part of what is left, shared by all who ask; no block is
/// more than this part of what the row has left. So the pieces become smaller towards the
/// end, and little dies with a holder or a leader.
const PART: u64 = 4;
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
        let level = self.borrowers.get(&holder).map_or(0, |it| it.ready_milli(now_us));
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
        whole_units(demand.min(most)).saturating_sub(borrower.ready_milli(now_us))
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

    pub(super) fn send(
        &self,
        now_us: u64,
        holder: Holder,
        denied: Option<Denied>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(grant) = self.grant(now_us, holder, denied) {
            effects.push(Effect::Send { holder, grant });
        }
    }

    pub(super) fn grant(
        &self,
        now_us: u64,
        holder: Holder,
        denied: Option<Denied>,
    ) -> Option<ChunkGrant> {
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
            call_in_milli: 0,
            free_milli: self.free_milli(),
            used_ppm: self.used_ppm(now_us),
        })
    }

    /// Who waits, the longest first.
    pub(super) fn waiting(&self) -> Vec<Holder> {
        let waits = self.borrowers.iter().filter_map(|(holder, it)| Some((it.wait?, *holder)));
        let mut waits: Vec<_> = waits.map(|(wait, holder)| (wait.since_us, holder)).collect();
        waits.sort_unstable();
        waits.into_iter().map(|(_, holder)| holder).collect()
    }

    pub(super) fn ready_milli(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.ready_milli(self.total_milli, self.mode))
    }

    pub(super) fn free_milli(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.free_milli(self.total_milli, self.mode))
    }

    /// What there would be if the database were not away; `u64::MAX`: nobody knows.
    pub(super) fn reach_milli(&self) -> u64 {
        let rest = self.open.as_ref().and_then(|open| open.rest_milli(self.total_milli));
        rest.map_or(u64::MAX, |rest| rest.saturating_add(self.ready_milli()))
    }
}

/// How much a block shall hold.
fn block_milli(demand_milli_per_s: u64, rest_milli: u64) -> u64 {
    whole_units(demand_milli_per_s.saturating_mul(BLOCK_S).min(rest_milli / PART))
}

/// Parts of a unit would lie about where no request can use them.
const fn whole_units(milli: u64) -> u64 {
    milli.saturating_sub(milli % MILLI)
}
