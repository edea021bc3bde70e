//! One limit's windows at the leader: draws from the database and lends to holders.
//!
//! Nothing is lent that was not drawn before, but in availability mode while the database
//! is away. What is drawn and not lent is the block; it dies with the leader. All events
//! give the effects to be carried out, in order.

mod borrower;
mod lend;
mod open;
mod refuse;
mod status;

pub use status::{Borrowed, FundStatus};

use self::{borrower::Borrower, open::Open};
use super::message::{ChunkEntry, ChunkGrant, WindowId};
use crate::{
    catalog::Mode,
    limit::{Holder, LeaseOf},
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map::Entry as Slot},
};

/// What is to be done for a fund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell a holder.
    Send {
        /// Whom.
        holder: Holder,
        /// What.
        grant: ChunkGrant,
    },
    /// Add to the window's row up to `want_milli`, as far as the limit's total allows, and
    /// say what came of it with [`Fund::on_drawn`]: also when nothing did. 0: only look.
    /// Not to be repeated: if nobody knows what became of it, it failed.
    Draw {
        /// Of which window.
        window: WindowId,
        /// In thousandths.
        want_milli: u64,
    },
    /// Take this off the window's row. Not to be repeated: what nobody knows of is lost.
    PutBack {
        /// Of which window.
        window: WindowId,
        /// In thousandths.
        milli: u64,
    },
    /// Add this to the window's row, whatever the limit's total: it is spent or lent
    /// already. If it failed, say so with [`Fund::on_owe_failed`].
    Owe {
        /// Of which window.
        window: WindowId,
        /// In thousandths.
        milli: u64,
    },
}

/// What came of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// So much was added to the row.
    Got {
        /// What was added, in thousandths.
        milli: u64,
        /// What stands in the row now, in thousandths.
        row_granted_milli: u64,
    },
    /// Nothing could be added.
    Empty {
        /// What stands in the row, in thousandths.
        row_granted_milli: u64,
    },
    /// The database cannot be reached, or did not say what came of it.
    Failed,
}

/// One limit's windows, at the leader. Times are of the leader's clock.
#[derive(Debug)]
pub struct Fund {
    of: LeaseOf,
    total_milli: u64,
    mode: Mode,
    open: Option<Open>,
    /// What earlier windows' rows are still to be told.
    owing_before: BTreeMap<WindowId, u64>,
    borrowers: BTreeMap<Holder, Borrower>,
    put_back_after_us: u64,
    closed: bool,
    /// Requests use all that they reserve.
    returns_nothing: bool,
}

impl Fund {
    /// Nothing open yet, of a limit of `total_milli` per window.
    pub const fn new(of: LeaseOf, total_milli: u64, mode: Mode) -> Self {
        Self {
            of,
            total_milli,
            mode,
            open: None,
            owing_before: BTreeMap::new(),
            borrowers: BTreeMap::new(),
            put_back_after_us: 0,
            closed: false,
            returns_nothing: false,
        }
    }

    /// Says that requests use all that they reserve: nothing is hoped for from those that run.
    pub const fn returns_nothing(&mut self) {
        self.returns_nothing = true;
    }

    /// Whether somebody waits: call [`Self::tick`] every few milliseconds then, or who waits
    /// is answered too late.
    pub fn is_awaited(&self) -> bool {
        self.borrowers.values().any(|it| it.wait.is_some())
    }

    /// Takes another amount or mode. Less than what is out already: nothing more is lent, and
    /// what lies idle is called in. More: it is there at once.
    pub fn set_total(&mut self, now_us: u64, total_milli: u64, mode: Mode) -> Vec<Effect> {
        self.total_milli = total_milli;
        self.mode = mode;
        let mut effects = Vec::new();
        self.work(now_us, &mut effects);
        effects
    }

    /// A window is open, for `left_us` more or for ever. One later than before takes its
    /// place; what was drawn for that and not lent is put back. An earlier one is not heard.
    pub fn open(&mut self, now_us: u64, window: WindowId, left_us: Option<u64>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let end_us = left_us.map_or(u64::MAX, |left| now_us.saturating_add(left));
        match self.open.as_ref().map(|open| window.cmp(&open.id)) {
            Some(Ordering::Less) => return effects,
            Some(Ordering::Equal) => {
                if let Some(open) = &mut self.open {
                    open.end_us = end_us;
                }
            }
            Some(Ordering::Greater) | None => {
                if let Some(before) = self.open.replace(Open::new(window, end_us)) {
                    self.leave(&before, &mut effects);
                }
                self.borrowers.retain(|_, it| it.is_live(now_us));
                self.borrowers.values_mut().for_each(Borrower::on_window);
            }
        }
        self.work(now_us, &mut effects);
        effects
    }

    /// A holder says how its chunk stands.
    pub fn on_entry(&mut self, now_us: u64, holder: Holder, entry: &ChunkEntry) -> Vec<Effect> {
        let mut effects = Vec::new();
        if entry.of != self.of || self.closed {
            return effects;
        }
        let current = self.open.as_ref().map(|open| open.id);
        if current.is_some() && current < entry.window {
            // The holder knows a later window: this leader will, too.
            return effects;
        }
        let borrower = match self.borrowers.entry(holder) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => slot.insert(Borrower::meet(entry)),
        };
        let same_window = current.is_some() && current == entry.window;
        let (gave_milli, owed_milli) =
            if same_window { borrower.given_back(entry) } else { (0, 0) };
        if let Some(open) = &mut self.open {
            open.give(gave_milli);
            open.owe(owed_milli);
        }
        if borrower.hear(now_us, entry, same_window) {
            self.repeat(now_us, holder, &mut effects);
            self.top_up(now_us, holder, &mut effects);
        }
        self.work(now_us, &mut effects);
        self.reply(now_us, holder, &mut effects);
        effects
    }

    /// The database answered a [`Effect::Draw`], or did not.
    pub fn on_drawn(&mut self, now_us: u64, window: WindowId, drawn: Drawn) -> Vec<Effect> {
        let mut effects = Vec::new();
        let answered = match drawn {
            Drawn::Got { .. } | Drawn::Empty { .. } => true,
            Drawn::Failed => false,
        };
        if answered {
            for (window, milli) in std::mem::take(&mut self.owing_before) {
                effects.push(Effect::Owe { window, milli });
            }
        }
        match self.open.as_mut().filter(|open| open.id == window && !self.closed) {
            Some(open) => open.on_drawn(now_us, drawn),
            None => {
                if let Drawn::Got { milli: milli @ 1.., .. } = drawn {
                    effects.push(Effect::PutBack { window, milli });
                }
            }
        }
        self.work(now_us, &mut effects);
        effects
    }

    /// An [`Effect::Owe`] could not be carried out: it is said again when the database is back.
    pub fn on_owe_failed(&mut self, window: WindowId, milli: u64) {
        match self.open.as_mut().filter(|open| open.id == window) {
            Some(open) => open.on_owe_failed(milli),
            None => {
                let owing = self.owing_before.entry(window).or_default();
                *owing = owing.saturating_add(milli);
            }
        }
    }

    /// Time passed; call it every 50 ms, whether anything is borrowed or not.
    pub fn tick(&mut self, now_us: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.borrowers.retain(|_, it| !it.is_forgotten(now_us));
        self.put_back_idle(now_us, &mut effects);
        self.work(now_us, &mut effects);
        self.refuse_who_waited(now_us, &mut effects);
        effects
    }

    /// The planned end: what is not lent is put back. Nothing is lent after it.
    pub fn close(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.closed = true;
        if let Some(open) = self.open.take() {
            self.leave(&open, &mut effects);
        }
        for (window, milli) in std::mem::take(&mut self.owing_before) {
            effects.push(Effect::Owe { window, milli });
        }
        effects
    }

    /// The window that is open.
    pub fn window(&self) -> Option<WindowId> {
        self.open.as_ref().map(|open| open.id)
    }

    /// When the open window is over, by the leader's clock; `None`: never, or none is open.
    pub fn end_us(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.end_us).filter(|end| *end != u64::MAX)
    }

    fn leave(&mut self, open: &Open, effects: &mut Vec<Effect>) {
        if 0 < open.block_milli {
            effects.push(Effect::PutBack { window: open.id, milli: open.block_milli });
        }
        if 0 < open.owing_milli {
            let owing = self.owing_before.entry(open.id).or_default();
            *owing = owing.saturating_add(open.owing_milli);
        }
    }
}

#[cfg(test)]
mod tests;
