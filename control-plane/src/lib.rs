//! The control plane: remembers the catalog, publishes it, and settles usage.
//!
//! Knows Postgres and the admin and sync services. Knows no provider's JSON and
//! nothing of how a proxy serves a request.

pub mod app;
mod calendar;
pub mod config;
mod fleet;
mod grpc;
mod ledger;
mod lender;
mod limit_metrics;
mod listener;
mod metrics;
mod named;
mod publisher;
mod secrets;
pub mod store;
mod templates;
mod tls;
pub mod vault;
mod web;
