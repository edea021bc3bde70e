//! What proves Sluice from outside: the demo provider, the harness that starts real
//! programs, and the figures.
//!
//! Nobody leans on this crate.

pub mod admin;
pub mod balancer;
pub mod bench;
pub mod caller;
pub mod chaos;
pub mod crossing;
pub mod demo;
pub mod fleet;
pub mod house;
pub mod judge;
pub mod load;
pub mod patience;
pub mod ports;
pub mod program;
pub mod sdk;
pub mod speak;
pub mod stack;
pub mod wire;
pub mod witness;
