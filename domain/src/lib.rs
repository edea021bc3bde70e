//! The vocabulary and the sums that both planes must agree on.
//!
//! Knows no sockets, no clock, no chance, no environment, no wire format and no
//! provider's JSON: time, entropy and settings are told to it.
#![warn(missing_docs)]

pub mod catalog;
pub mod fault;
#[cfg(test)]
mod fixture;
pub mod id;
pub mod key;
pub mod limit;
pub mod name;
pub mod pattern;
pub mod routing;
pub mod secret;
pub mod snapshot;
pub mod time;
pub mod tokens;
pub mod usage;
