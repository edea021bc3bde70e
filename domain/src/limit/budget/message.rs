//! What a holder and the leader say to each other about chunks.
//!
//! A chunk's amount is taken from the window's row in the database before it is lent, so
//! that it needs no renewal: whatever is lost or doubled, no more than the row says is spent.

use crate::limit::{LeaseOf, message::Denied};

/// Tells the windows of one limit apart: its start, in seconds since the Unix epoch; 0 for
/// a grant without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowId(pub i64);

/// One limit's chunk, as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkEntry {
    /// Of what.
    pub of: LeaseOf,
    /// The window that the holder spends from; `None`: none yet.
    pub window: Option<WindowId>,
    /// The last credit of that window that was applied.
    pub seq: u64,
    /// What lies ready, in thousandths; negative: a debt.
    pub level_milli: i64,
    /// Held by requests that are not settled, in thousandths.
    pub reserved_milli: u64,
    /// Let through in this window, after settling, in thousandths.
    pub spent_milli: u64,
    /// Requests refused in this window.
    pub denied: u64,
    /// Demand of late, refused requests included, in thousandths per second.
    pub demand_milli_per_s: u64,
    /// Wanted at once, beyond what lies ready, in thousandths; 0: nothing.
    pub need_milli: u64,
    /// Less than this of it is of no use, in thousandths.
    pub least_milli: u64,
    /// Counts what the holder gave back in this window; with `give_back_milli` above 0 it is
    /// one more than before.
    pub give_back_seq: u64,
    /// Given back now and no longer held, in thousandths. Said once: lost is lost.
    pub give_back_milli: u64,
    /// A debt that the holder will not pay from its chunk any more, in thousandths. Said once,
    /// under `give_back_seq`.
    pub owed_milli: u64,
}

/// One limit's chunk, as the leader wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkGrant {
    /// Of what.
    pub of: LeaseOf,
    /// For which window.
    pub window: WindowId,
    /// How long the window still lasts, in microseconds from the sending; `None`: for ever.
    pub left_us: Option<u64>,
    /// +1 for every credit of this holder in this window; the same again changes nothing.
    pub seq: u64,
    /// Put in once, when `seq` is applied, in thousandths.
    pub credit_milli: u64,
    /// What was needed cannot be had before so long; `None`: it was not refused.
    pub denied: Option<Denied>,
    /// The holder shall give back what it does not need at once.
    pub call_in: bool,
    /// No more than this of it, in thousandths; 0: all.
    pub call_in_milli: u64,
    /// What nobody has been lent yet, in thousandths.
    pub free_milli: u64,
    /// How much of the window's amount is used, in millionths, over all proxies.
    pub used_ppm: u32,
}
