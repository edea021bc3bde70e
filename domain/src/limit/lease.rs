//! Pieces of a rate or of seats, lent to proxies and never minted.
//!
//! A limit is one bucket. The leader owns it and moves pieces of it to holders; whatever
//! message is lost, doubled or late, and whoever dies, pieces may be destroyed and never
//! made. So all holders together let through no more than the one bucket would have.
//!
//! - Refills of the pool and of all holders sum up to no more than the limit's, and so do
//!   the amounts that may lie ready, counting for each holder the greater of what it
//!   confirmed and what it was sent.
//! - What is lent leaves the pool before it is sent. What is taken back is lent on when
//!   its holder confirmed, or when its lease is over for certain.
//! - A lease is over at its holder before it is over at the leader: the holder counts
//!   from the sending of its question, the leader from its arrival, and both allow for
//!   clocks that go wrong by half a thousandth.

mod appetite;
pub mod leader;
mod loan;
pub mod message;
pub mod mutant;
pub mod node;
mod pool;
mod ring;
pub mod session;
pub mod status;

use super::supply::{MILLI, Supply};

/// How long a lease lasts without a renewal, in microseconds.
pub const TTL_US: u64 = 8_000_000;
/// How often a holder renews, in microseconds; give or take a tenth.
pub const RENEW_US: u64 = 2_000_000;

const MILLION: u128 = 1_000_000;

/// What of a supply is lent, when `set_aside_ppm` of a flow are kept for proxies that
/// cannot ask. Holder and leader both go by it.
pub fn lendable(supply: Supply, set_aside_ppm: u32) -> Supply {
    match supply {
        Supply::Flow { rate_nano, burst_milli } => Supply::Flow {
            rate_nano: without(rate_nano, set_aside_ppm),
            // Less than one unit would let nothing through, for ever.
            burst_milli: without(burst_milli, set_aside_ppm).max(burst_milli.min(MILLI)),
        },
        Supply::Seats { .. } | Supply::Window { .. } => supply,
    }
}

fn without(amount: u64, ppm: u32) -> u64 {
    let kept = MILLION.saturating_sub(ppm.into());
    u64::try_from(u128::from(amount).saturating_mul(kept) / MILLION).unwrap_or(amount)
}
