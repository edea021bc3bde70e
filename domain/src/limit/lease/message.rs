//! What a holder and the leader say to each other about one lease.

use crate::limit::{LeaseOf, message::Denied};

/// One lease, as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of what.
    pub of: LeaseOf,
    /// Counts the holder's leases of this limit: what is meant for an earlier one is void.
    pub incarnation: u32,
    /// What is held; `None`: nothing, a lease is asked for.
    pub held: Option<Held>,
    /// Demand of late, refused requests included, in thousandths per second.
    pub demand_milli_per_s: u64,
    /// The greatest single request of late, in thousandths.
    pub largest_milli: u64,
    /// Let through since the incarnation began, after settling, in thousandths.
    pub spent_milli: u64,
    /// Held by requests that are not settled, in thousandths.
    pub reserved_milli: u64,
    /// Requests refused since the incarnation began.
    pub denied: u64,
    /// Wanted at once, beyond what lies ready, in thousandths; 0: nothing.
    pub need_milli: u64,
    /// Less than this of it is of no use, in thousandths.
    pub least_milli: u64,
    /// What settled requests did not use and the holder's own bucket had no room for.
    pub returned: Vec<Return>,
    /// The holder gives the lease up, with what is left.
    pub release: bool,
}

/// What is held of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The last grant that was applied.
    pub seq: u64,
    /// What lies ready, in thousandths; negative: a debt.
    pub level_milli: i64,
    /// Refill, in billionths of a unit per second.
    pub rate_nano: u64,
    /// Most that may lie ready, in thousandths.
    pub cap_milli: u64,
    /// How long it lasts without a renewal, by the holder's clock, in microseconds.
    pub left_us: u64,
    /// What was over when grant `seq` made the cap smaller, in thousandths.
    pub surplus_milli: u64,
}

/// What one settled request did not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Return {
    /// The leader's clock, as the holder last knew it before the request was let through:
    /// not later than that moment.
    pub since_us: u64,
    /// In thousandths.
    pub unused_milli: u64,
}

/// One lease, as the leader wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Of what.
    pub of: LeaseOf,
    /// The holder's count of its leases of this limit.
    pub incarnation: u32,
    /// +1 for every change; the same again changes nothing.
    pub seq: u64,
    /// Refill, in billionths of a unit per second.
    pub rate_nano: u64,
    /// Most that may lie ready, in thousandths.
    pub cap_milli: u64,
    /// Put in once, when `seq` is applied, in thousandths.
    pub credit_milli: u64,
    /// The lease is void: begin anew.
    pub reset: bool,
    /// What was needed cannot be had before so long; `None`: it was not refused.
    pub denied: Option<Denied>,
    /// What lies ready at the leader for anybody, in thousandths.
    pub free_milli: u64,
    /// How much of the burst or of the seats is used, in millionths, over all proxies.
    pub used_ppm: u32,
}
