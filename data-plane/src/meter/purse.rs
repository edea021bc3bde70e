//! What this proxy holds of one limit: a lease or a chunk, and how it is spoken of.

use super::gate::GovernorBucket;
use domain::limit::{
    LeaseOf,
    budget::{
        message::{ChunkEntry, ChunkGrant},
        node::Chunk,
    },
    hold::{Applied, Head, Hold, Short, View},
    lease::{
        message::{Entry, Grant},
        node::Lease,
    },
    supply::Supply,
};

/// A piece of one limit.
#[derive(Debug)]
pub(super) enum Purse {
    /// Of a rate or of seats.
    Lease(Lease<GovernorBucket>),
    /// Of a window.
    Chunk(Chunk),
}

/// What one message tells of leases and chunks.
#[derive(Debug, Default)]
pub struct Letter {
    /// Of leases.
    pub entries: Vec<Entry>,
    /// Of chunks.
    pub chunks: Vec<ChunkEntry>,
    /// Whether all that is held is told.
    pub whole: bool,
    /// When it was written, by the meter's clock.
    pub told_us: u64,
}

impl Letter {
    /// How many pieces it tells of.
    pub fn len(&self) -> usize {
        self.entries.len().saturating_add(self.chunks.len())
    }

    /// Whether it tells of nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the leader says of one limit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'a> {
    Lease(&'a Grant),
    Chunk(&'a ChunkGrant),
}

macro_rules! either {
    ($purse:expr, $it:ident => $call:expr) => {
        match $purse {
            Purse::Lease($it) => $call,
            Purse::Chunk($it) => $call,
        }
    };
}

impl Purse {
    pub(super) fn new(of: LeaseOf, supply: Supply, incarnation: u32, now_us: u64) -> Self {
        match supply {
            Supply::Flow { .. } | Supply::Seats { .. } => {
                Self::Lease(Lease::new(of, supply, incarnation, now_us))
            }
            Supply::Window { total_milli } => Self::Chunk(Chunk::new(of, total_milli, now_us)),
        }
    }

    /// Takes another supply over. Says whether it could: a lease does not become a chunk.
    pub(super) fn set_supply(&mut self, supply: Supply) -> bool {
        match (self, supply) {
            (Self::Lease(lease), Supply::Flow { .. } | Supply::Seats { .. }) => {
                lease.set_supply(supply);
                true
            }
            (Self::Chunk(chunk), Supply::Window { total_milli }) => {
                chunk.set_total(total_milli);
                true
            }
            (Self::Lease(_) | Self::Chunk(_), _) => false,
        }
    }

    pub(super) fn take(&mut self, now_us: u64, milli: u64) -> Result<Hold, Short> {
        either!(self, it => it.take(now_us, milli))
    }

    pub(super) fn look(&self, now_us: u64, milli: u64) -> Result<(), Short> {
        either!(self, it => it.look(now_us, milli))
    }

    pub(super) fn undo(&mut self, now_us: u64, hold: Hold) {
        either!(self, it => it.undo(now_us, hold));
    }

    pub(super) fn settle(&mut self, now_us: u64, hold: Hold, used_milli: u64) {
        either!(self, it => it.settle(now_us, hold, used_milli));
    }

    /// Of a window nothing is set aside to be spent beside it.
    pub(super) const fn spent_beside(&mut self, milli: u64) {
        match self {
            Self::Lease(lease) => lease.spent_beside(milli),
            Self::Chunk(_) => {}
        }
    }

    pub(super) fn refused(&mut self, now_us: u64, milli: u64) {
        either!(self, it => it.refused(now_us, milli));
    }

    pub(super) fn want(&mut self, milli: u64) {
        either!(self, it => it.want(milli));
    }

    pub(super) fn unwant(&mut self, milli: u64) {
        either!(self, it => it.unwant(milli));
    }

    pub(super) fn should_ask(&self, now_us: u64) -> bool {
        either!(self, it => it.should_ask(now_us))
    }

    /// Writes how it stands into `letter`, which has to be sent.
    pub(super) fn tell(&mut self, now_us: u64, letter: &mut Letter) {
        match self {
            Self::Lease(lease) => letter.entries.push(lease.entry(now_us)),
            Self::Chunk(chunk) => letter.chunks.push(chunk.entry(now_us)),
        }
    }

    pub(super) fn hear(&mut self, now_us: u64, head: Head, word: Word<'_>) -> Applied {
        match (self, word) {
            (Self::Lease(lease), Word::Lease(grant)) => lease.on_grant(now_us, head, grant),
            (Self::Chunk(chunk), Word::Chunk(grant)) => chunk.on_grant(now_us, head, grant),
            (Self::Lease(_), Word::Chunk(_)) | (Self::Chunk(_), Word::Lease(_)) => Applied::Ignored,
        }
    }

    pub(super) fn on_epoch(&mut self, now_us: u64, epoch: u64) {
        either!(self, it => it.on_epoch(now_us, epoch));
    }

    pub(super) fn on_lost(&mut self, now_us: u64) {
        either!(self, it => it.on_lost(now_us));
    }

    pub(super) fn is_idle(&self, now_us: u64) -> bool {
        either!(self, it => it.is_idle(now_us))
    }

    /// Gives up what is left, with the next letter; what is taken meanwhile undoes it.
    pub(super) fn release(&mut self) {
        either!(self, it => it.release());
    }

    /// When [`Self::should_ask`] is the case if nothing happens before.
    pub(super) fn ask_at_us(&self, now_us: u64) -> Option<u64> {
        either!(self, it => it.ask_at_us(now_us))
    }

    pub(super) fn released(&self) -> bool {
        either!(self, it => it.released())
    }

    pub(super) fn view(&self, now_us: u64) -> View {
        either!(self, it => it.view(now_us))
    }
}
