//! What a request holds of a limit until it is settled, and what it is told when there
//! is too little.

use super::{
    budget::message::WindowId,
    message::{Denied, Grants, Why},
};

/// What one request took of one limit. It is settled by value: once, or (dropped) never,
/// and what was never settled counts as used.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is held has to be settled or undone"]
pub struct Hold {
    source: Source,
    taken_milli: u64,
}

/// What a hold was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A lease.
    Lease(Taken),
    /// A window's chunk.
    Chunk {
        /// The limit's generation: what was taken before a reset is void.
        generation: u32,
        /// Which window.
        window: WindowId,
    },
}

/// When something was taken from which lease: what its refund needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// The limit's generation: what was taken before a reset is void.
    pub(super) generation: u32,
    /// The lease's incarnation.
    pub(super) incarnation: u32,
    /// The leader's epoch.
    pub(super) epoch: u64,
    /// The holder's clock.
    pub(super) at_us: u64,
    /// The leader's clock as last heard, so not later than `at_us`; 0: never heard.
    pub(super) since_us: u64,
}

impl Hold {
    pub(super) const fn new(source: Source, taken_milli: u64) -> Self {
        Self { source, taken_milli }
    }

    /// What was taken, in thousandths of the limit's unit.
    pub const fn taken_milli(&self) -> u64 {
        self.taken_milli
    }

    pub(super) const fn from(&self) -> Source {
        self.source
    }
}

/// What the leader's message says of itself, for each grant in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The leader's epoch.
    pub epoch: u64,
    /// The leader's clock at sending.
    pub stamp_us: u64,
    /// The holder's clock in the message that this answers; `None`: nobody asked.
    pub reply_to_us: Option<u64>,
    /// How long leases last from the sending of what this answers, in microseconds.
    pub ttl_us: u64,
}

impl Head {
    /// Of a message.
    pub const fn of(grants: &Grants) -> Self {
        Self {
            epoch: grants.epoch,
            stamp_us: grants.stamp_us,
            reply_to_us: grants.reply_to_us,
            ttl_us: grants.ttl_us,
        }
    }
}

/// What a grant did at its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The lease changed: who waits may try again.
    Granted,
    /// There is nothing for now.
    Denied(Denied),
    /// The lease is void: it begins anew.
    Reset,
    /// It was meant for another lease, epoch or time.
    Ignored,
    /// It said nothing new, though it may have renewed the lease.
    Unchanged,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// There is too little here, or nothing yet: ask the leader.
    Ask,
    /// The leader said no.
    Denied {
        /// Until then, by the holder's clock: the earliest that so much can lie ready.
        until_us: u64,
        /// Why.
        why: Why,
    },
    /// It can never be let through.
    TooLarge {
        /// The most that one request can be let through with, in thousandths.
        largest_milli: u64,
    },
}

/// How a lease or a chunk stands at its holder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// What lies ready, in thousandths; negative: a debt.
    pub level_milli: i64,
    /// Most that may lie ready, in thousandths.
    pub cap_milli: u64,
    /// Refill, in billionths of a unit per second.
    pub rate_nano: u64,
    /// Held by requests that are not settled, in thousandths.
    pub reserved_milli: u64,
    /// Let through since the incarnation began, after settling, in thousandths.
    pub spent_milli: u64,
    /// Requests refused since the incarnation began.
    pub denied: u64,
    /// The last grant that was applied.
    pub seq: u64,
    /// The leader's epoch.
    pub epoch: u64,
    /// Which of the holder's leases of this limit it is.
    pub incarnation: u32,
    /// How long it still lasts without a renewal, in microseconds; 0: it is not live.
    pub left_us: u64,
    /// What lay ready at the leader for anybody, as last heard, in thousandths.
    pub free_milli: u64,
    /// How much of the limit is used over all proxies, as last heard, in millionths.
    pub used_ppm: u32,
    /// Whether requests can be let through with it.
    pub live: bool,
}
