//! The data plane: serves callers from a snapshot, reports usage, and never waits
//! for the control plane to answer a request.
//!
//! Two sides meet in [`gateway::Gateway`]: what callers see ([`http`], `flow`,
//! `upstream`) and what the control plane sees ([`sync`], [`snapshot_cache`]).

mod access_log;
pub mod app;
pub mod config;
pub mod explain;
mod flow;
pub mod gateway;
pub mod http;
pub mod meter;
mod metrics;
mod owners;
pub mod snapshot_cache;
pub mod state_dir;
pub mod sync;
mod upstream;
