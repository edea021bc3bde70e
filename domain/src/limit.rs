//! How limits hold across proxies: sums and state machines, without clock and wire.
//!
//! Amounts in this module are in thousandths of a limit's unit (`_milli`): of a request,
//! of a token, of a micro-dollar. Rates are in billionths of a unit per second (`_nano`).
//! Times are microseconds (`_us`) of a clock that only goes forward; whose clock it is
//! stands with each.

pub mod bucket;
pub mod budget;
pub mod demand;
pub mod fallback;
pub mod hold;
pub mod lease;
pub mod message;
pub mod replay;
pub mod supply;
pub mod words;

use crate::id::{LimitId, ProxyId};
use uuid::Uuid;

/// What a lease is of: a limit between two of its resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseOf {
    /// The limit.
    pub limit: LimitId,
    /// Its generation.
    pub generation: u32,
}

/// Who holds leases: one run of a proxy. A proxy that starts again is another holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The proxy.
    pub proxy: ProxyId,
    /// Its start.
    pub boot: Uuid,
}

/// How far two clocks may drift apart, in millionths: generous for any quartz.
pub const DRIFT_PPM: u64 = 500;
