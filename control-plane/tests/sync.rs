//! The sync service in process, over a real Postgres.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "sync/config.rs"]
mod config;
#[path = "support/database.rs"]
mod database;
#[path = "support/plane.rs"]
mod plane;
#[path = "sync/proxy.rs"]
mod proxy;
#[path = "sync/usage.rs"]
mod usage;
