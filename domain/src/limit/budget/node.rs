//! A chunk at its holder: part of a window's amount, to be spent until the window is over.
//!
//! What a chunk holds was taken from the database before it came here, so that it needs no
//! renewal. It may be lost, never doubled: credits and what is given back are numbered, the
//! numbers only go up, and a chunk begins with a number that no chunk of the same limit had
//! in this run of the holder.

mod end;
mod talk;

use self::end::End;
use super::{demand::Demand, message::WindowId};
use crate::limit::{
    LeaseOf,
    hold::{Hold, Short, Source, View},
    message::Why,
};
use std::collections::BTreeMap;

/// A chunk that was not asked for so long may be given back: five renewals.
const IDLE_US: u64 = 10_000_000;

/// Part of a window's amount, at its holder. Times are of the holder's clock.
#[derive(Debug)]
pub struct Chunk {
    of: LeaseOf,
    total_milli: u64,
    window: Option<WindowId>,
    end: End,
    level_milli: i64,
    reserved_milli: u64,
    spent_milli: u64,
    denied: u64,
    seq: u64,
    give_back_seq: u64,
    /// Who waits, by what they want.
    waiting: BTreeMap<u64, u32>,
    demand: Demand,
    asked_us: Option<u64>,
    /// The least that was missing when it was asked for.
    asked_milli: u64,
    refusal: Option<Refusal>,
    /// How much the leader wants back; `u64::MAX`: all.
    called_in_milli: u64,
    gave_us: Option<u64>,
    leaving: Leaving,
    free_milli: u64,
    used_ppm: u32,
    epoch: u64,
    told_us: u64,
    last_us: u64,
}

/// The leader said no.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    until_us: u64,
    /// Less than this may still be had.
    least_milli: u64,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    Wanted,
    Said,
}

impl Chunk {
    /// Nothing yet, of a limit of `total_milli` per window.
    pub fn new(of: LeaseOf, total_milli: u64, now_us: u64) -> Self {
        Self {
            of,
            total_milli,
            window: None,
            end: End::UNKNOWN,
            level_milli: 0,
            reserved_milli: 0,
            spent_milli: 0,
            denied: 0,
            // Fewer than one credit comes in a microsecond: an earlier chunk of this run
            // counted less far, so that a late credit of its is not taken for one of ours.
            seq: now_us,
            give_back_seq: now_us,
            waiting: BTreeMap::new(),
            demand: Demand::new(now_us),
            asked_us: None,
            asked_milli: 0,
            refusal: None,
            called_in_milli: 0,
            gave_us: None,
            leaving: Leaving::No,
            free_milli: 0,
            used_ppm: 0,
            epoch: 0,
            told_us: 0,
            last_us: now_us,
        }
    }

    /// Takes another amount per window, in thousandths. What is held stays until the leader
    /// calls it in.
    pub const fn set_total(&mut self, total_milli: u64) {
        self.total_milli = total_milli;
        self.refusal = None;
    }

    /// Takes `milli` if so much lies ready, else nothing.
    ///
    /// # Errors
    /// [`Short`], which says whether the leader is to be asked.
    pub fn take(&mut self, now_us: u64, milli: u64) -> Result<Hold, Short> {
        self.last_us = self.last_us.max(now_us);
        self.look(now_us, milli)?;
        // Only what is live lets anything through, and what is live has a window.
        let Some(window) = self.window else { return Err(Short::Ask) };
        self.demand.add(now_us, milli);
        self.leaving = Leaving::No;
        self.level_milli = self.level_milli.saturating_sub(signed(milli));
        self.reserved_milli = self.reserved_milli.saturating_add(milli);
        Ok(Hold::new(self.source(window), milli))
    }

    /// What [`Self::take`] would say, without taking: nobody has asked by that.
    ///
    /// # Errors
    /// [`Short`], as `take`.
    pub fn look(&self, now_us: u64, milli: u64) -> Result<(), Short> {
        let ready = self.ready_milli(now_us);
        match self.total_milli < milli {
            true => Err(Short::TooLarge { largest_milli: self.total_milli }),
            false if self.is_live(now_us) && signed(milli) <= ready => Ok(()),
            false => Err(self.short(now_us, milli, ready)),
        }
    }

    /// Undoes a take of this same instant.
    #[expect(clippy::needless_pass_by_value, reason = "a hold is settled or undone once")]
    pub fn undo(&mut self, now_us: u64, hold: Hold) {
        self.last_us = self.last_us.max(now_us);
        self.demand.take_back(hold.taken_milli());
        self.put(&hold, 0);
    }

    /// Settles what was held with what was really used. A hold of an earlier window, or of
    /// before a reset, changes nothing any more: it was spent there.
    #[expect(clippy::needless_pass_by_value, reason = "a hold is settled or undone once")]
    pub fn settle(&mut self, now_us: u64, hold: Hold, used_milli: u64) {
        self.last_us = self.last_us.max(now_us);
        self.put(&hold, used_milli);
    }

    /// Counts a request that was refused for want of `milli`.
    pub fn refused(&mut self, now_us: u64, milli: u64) {
        self.last_us = self.last_us.max(now_us);
        self.denied = self.denied.saturating_add(1);
        self.demand.add(now_us, milli);
    }

    /// A request begins to wait for `milli`.
    pub fn want(&mut self, milli: u64) {
        let count = self.waiting.entry(milli).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// A request that waited for `milli` waits no more.
    pub fn unwant(&mut self, milli: u64) {
        if let Some(count) = self.waiting.get_mut(&milli) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.waiting.remove(&milli);
            }
        }
    }

    /// Whether nobody asked for long: it may be given back.
    pub fn is_idle(&self, now_us: u64) -> bool {
        self.waiting.is_empty()
            && self.reserved_milli == 0
            && IDLE_US <= now_us.saturating_sub(self.last_us)
    }

    /// Gives all that is left back with the next entry. A request that comes before undoes it.
    pub fn release(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Wanted;
        }
    }

    /// Whether all was given back since [`Chunk::release`]: it can be forgotten.
    pub fn released(&self) -> bool {
        self.leaving == Leaving::Said && self.level_milli == 0
    }

    /// The window that it spends from.
    pub const fn window(&self) -> Option<WindowId> {
        self.window
    }

    /// How it stands.
    pub fn view(&self, now_us: u64) -> View {
        let live = self.is_live(now_us);
        View {
            level_milli: self.ready_milli(now_us),
            cap_milli: self.total_milli,
            rate_nano: 0,
            reserved_milli: self.reserved_milli,
            spent_milli: self.spent_milli,
            denied: self.denied,
            // Counted from the holder's clock; as long as nothing was heard it says nothing.
            seq: if self.window.is_some() { self.seq } else { 0 },
            epoch: self.epoch,
            incarnation: 0,
            left_us: if live { self.end.left_us(now_us) } else { 0 },
            free_milli: self.free_milli,
            used_ppm: self.used_ppm,
            live,
        }
    }

    const fn source(&self, window: WindowId) -> Source {
        Source::Chunk { generation: self.of.generation, window }
    }

    const fn is_live(&self, now_us: u64) -> bool {
        self.window.is_some() && 0 < self.end.left_us(now_us)
    }

    /// What lies ready: nothing once the window is over, and no debt either.
    const fn ready_milli(&self, now_us: u64) -> i64 {
        if self.is_live(now_us) { self.level_milli } else { 0 }
    }

    fn short(&self, now_us: u64, milli: u64, ready_milli: i64) -> Short {
        match self.refusal_of(now_us, missing(milli, ready_milli)) {
            Some(Refusal { until_us, why, .. }) => Short::Denied { until_us, why },
            None => Short::Ask,
        }
    }

    /// The leader's no, as far as it is about `missing`: what still is may be asked for.
    fn refusal_of(&self, now_us: u64, missing: u64) -> Option<Refusal> {
        let refusal = self.refusal.filter(|it| now_us < it.until_us)?;
        match refusal.why {
            Why::Exhausted | Why::Moving => {
                let less = missing < refusal.least_milli || missing <= self.free_milli;
                (!less).then_some(refusal)
            }
            Why::Learning | Why::Unknown | Why::Unavailable => Some(refusal),
        }
    }

    /// What all want who wait.
    fn wanted_milli(&self) -> u64 {
        let all = self.waiting.iter().map(|(milli, count)| milli.saturating_mul((*count).into()));
        all.fold(0, u64::saturating_add)
    }

    /// What is missing for all who wait, a debt included.
    fn need_milli(&self, now_us: u64) -> u64 {
        missing(self.wanted_milli(), self.ready_milli(now_us))
    }

    /// What is missing for the one of them who wants least; where nobody waits, a debt is
    /// paid with whatever comes.
    fn least_milli(&self, now_us: u64) -> u64 {
        match self.waiting.first_key_value() {
            None => self.need_milli(now_us).min(1),
            Some((least, _)) => missing(*least, self.ready_milli(now_us)),
        }
    }

    fn put(&mut self, hold: &Hold, used_milli: u64) {
        let taken = hold.taken_milli();
        if self.window.map(|window| self.source(window)) != Some(hold.from()) {
            return;
        }
        self.reserved_milli = self.reserved_milli.saturating_sub(taken);
        self.spent_milli = self.spent_milli.saturating_add(used_milli);
        let over = signed(taken).saturating_sub(signed(used_milli));
        self.level_milli = self.level_milli.saturating_add(over);
    }
}

/// What `ready_milli` lacks of `milli`.
fn missing(milli: u64, ready_milli: i64) -> u64 {
    u64::try_from(signed(milli).saturating_sub(ready_milli)).unwrap_or(0)
}

/// Amounts that no `i64` holds are limits that nobody reaches.
fn signed(milli: u64) -> i64 {
    i64::try_from(milli).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
