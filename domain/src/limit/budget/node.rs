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
    waiting_milli: u64,
    least_waiting_milli: u64,
    demand: Demand,
    asked_us: Option<u64>,
    refusal: Option<Refusal>,
    called_in: bool,
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
            waiting_milli: 0,
            least_waiting_milli: 0,
            demand: Demand::new(now_us),
            asked_us: None,
            refusal: None,
            called_in: false,
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
        if self.total_milli < milli {
            return Err(Short::TooLarge { largest_milli: self.total_milli });
        }
        let ready = self.ready_milli(now_us);
        let (Some(window), true) = (self.window, self.is_live(now_us) && signed(milli) <= ready)
        else {
            return Err(self.short(now_us, milli, ready));
        };
        self.demand.add(now_us, milli);
        self.leaving = Leaving::No;
        self.level_milli = self.level_milli.saturating_sub(signed(milli));
        self.reserved_milli = self.reserved_milli.saturating_add(milli);
        Ok(Hold::new(self.source(window), milli))
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
    pub const fn want(&mut self, milli: u64) {
        let first = self.waiting_milli == 0 || milli < self.least_waiting_milli;
        if first {
            self.least_waiting_milli = milli;
        }
        self.waiting_milli = self.waiting_milli.saturating_add(milli);
    }

    /// A request that waited for `milli` waits no more.
    pub const fn unwant(&mut self, milli: u64) {
        self.waiting_milli = self.waiting_milli.saturating_sub(milli);
    }

    /// Whether nobody asked for long: it may be given back.
    pub const fn is_idle(&self, now_us: u64) -> bool {
        self.waiting_milli == 0
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
            Some(Refusal { until_us, why }) => Short::Denied { until_us, why },
            None => Short::Ask,
        }
    }

    /// The leader's no, as far as it is about `missing`: what still is may be asked for.
    fn refusal_of(&self, now_us: u64, missing: u64) -> Option<Refusal> {
        let refusal = self.refusal.filter(|it| now_us < it.until_us)?;
        match refusal.why {
            Why::Exhausted => (self.free_milli < missing).then_some(refusal),
            Why::Learning | Why::Unknown | Why::Unavailable => Some(refusal),
        }
    }

    /// What is missing for all who wait, a debt included.
    fn need_milli(&self, now_us: u64) -> u64 {
        missing(self.waiting_milli, self.ready_milli(now_us))
    }

    /// What is missing for one who waits; a debt is paid with whatever comes.
    fn least_milli(&self, now_us: u64) -> u64 {
        match self.waiting_milli {
            0 => self.need_milli(now_us).min(1),
            _ => missing(self.least_waiting_milli, self.ready_milli(now_us)),
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
