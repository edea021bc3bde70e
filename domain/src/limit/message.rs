//! What a holder and the leader say to each other.
//!
//! Every message may be lost, doubled, late or out of order.

use super::{
    budget::message::{ChunkEntry, ChunkGrant},
    lease::message::{Entry, Grant},
};

/// What a holder says: the state of leases, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sync {
    /// The leader's epoch as the holder knows it; 0: none yet.
    pub epoch: u64,
    /// Counts the holder's messages of this kind, from 1.
    pub number: u64,
    /// The holder's clock at sending; comes back in the answer.
    pub sent_us: u64,
    /// Whether every lease and chunk that the holder has is told here.
    pub whole: bool,
    /// One for each lease that is told of.
    pub entries: Vec<Entry>,
    /// One for each chunk that is told of.
    pub chunks: Vec<ChunkEntry>,
}

/// What the leader says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The leader's epoch.
    pub epoch: u64,
    /// The leader's clock at sending.
    pub stamp_us: u64,
    /// The holder's clock in the message that this answers; `None`: nobody asked.
    pub reply_to_us: Option<u64>,
    /// The holder shall adopt the epoch, and then say what it has.
    pub hello: bool,
    /// How long leases last from the sending of what this answers, in microseconds.
    pub ttl_us: u64,
    /// One for each lease that is told of.
    pub grants: Vec<Grant>,
    /// One for each chunk that is told of.
    pub chunks: Vec<ChunkGrant>,
}

/// Why there is nothing, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// Ask again after so long, in microseconds.
    pub retry_us: u64,
    /// Why.
    pub why: Why,
}

/// Why the leader gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is used up.
    Exhausted,
    /// What is left of it is held by others: it is on its way back, or reserved by requests
    /// that may not use all of it.
    Moving,
    /// A new leader still learns what the one before it lent.
    Learning,
    /// There is no such limit (any more).
    Unknown,
    /// The database that counts it cannot be reached.
    Unavailable,
}
