//! Lending over a real Postgres: who lends, what is counted, and what proxies are told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "quota/away.rs"]
mod away;
#[path = "quota/borrower.rs"]
mod borrower;
#[path = "support/database.rs"]
mod database;
#[path = "quota/estate.rs"]
mod estate;
#[path = "quota/lending.rs"]
mod lending;
#[path = "support/plane.rs"]
mod plane;
#[path = "quota/replicas.rs"]
mod replicas;
#[path = "quota/rows.rs"]
mod rows;
