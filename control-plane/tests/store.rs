//! The store against a real Postgres.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/database.rs"]
mod database;
#[path = "store/fixture.rs"]
mod fixture;
#[path = "store/limits.rs"]
mod limits;
#[path = "store/migrations.rs"]
mod migrations;
#[path = "store/reading.rs"]
mod reading;
#[path = "store/secrets.rs"]
mod secrets;
#[path = "store/usage.rs"]
mod usage;
#[path = "store/writing.rs"]
mod writing;
