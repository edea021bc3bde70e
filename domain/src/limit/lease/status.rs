//! How a limit's pool stands, for operators and for proofs.

use crate::limit::{Holder, LeaseOf, bucket::Shape, supply::Supply};

/// How one limit's pool stands at the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// Of what.
    pub of: LeaseOf,
    /// What there is to lend.
    pub supply: Supply,
    /// Whether nothing is lent yet, because a new leader still learns what is lent.
    pub learning: bool,
    /// What lies ready in the pool, in thousandths; negative: a debt.
    pub free_milli: i64,
    /// The pool's own refill and room.
    pub own: Shape,
    /// What is lent at most: refills and rooms of all holders.
    pub granted: Shape,
    /// Let through since the leader began to count, as told, in thousandths.
    pub used_milli: u64,
    /// Held by requests that are not settled, as told, in thousandths.
    pub reserved_milli: u64,
    /// Requests refused since the leader began to count, as told.
    pub denied: u64,
    /// How much of the burst or of the seats is used, in millionths.
    pub used_ppm: u32,
    /// Let through beyond what the limit allows for that time, in thousandths: 0, or
    /// requests used more than they had reserved.
    pub over_milli: u64,
    /// The leases, by holder.
    pub leases: Vec<LeaseStatus>,
}

/// How full a limit is, at a glance: of all of them, many times a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance {
    /// The used part, in millionths.
    pub used_ppm: u32,
    /// Let through beyond what the limit allows, in thousandths.
    pub over_milli: u64,
    /// Who holds something of it.
    pub holders: usize,
}

/// How one lease stands at the leader: as its holder last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Who holds it.
    pub holder: Holder,
    /// Its incarnation.
    pub incarnation: u32,
    /// The last grant that the holder confirmed.
    pub seq: u64,
    /// What it is taken to have: the greater of what is confirmed and what was sent.
    pub charged: Shape,
    /// What was sent and is not confirmed.
    pub sent: Option<Offer>,
    /// What lay ready, in thousandths; negative: a debt.
    pub level_milli: i64,
    /// Demand, refused requests included, in thousandths per second.
    pub demand_milli_per_s: u64,
    /// Let through since the lease began, in thousandths.
    pub spent_milli: u64,
    /// Held by requests that are not settled, in thousandths.
    pub reserved_milli: u64,
    /// Requests refused since the lease began.
    pub denied: u64,
    /// How long until the leader takes it as lost, in microseconds.
    pub left_us: u64,
}

/// A grant on its way. It is sent again as it is until it is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its number.
    pub seq: u64,
    /// The lease's new shape.
    pub shape: Shape,
    /// What comes with it once, in thousandths.
    pub credit_milli: u64,
}
