//! The admin API in process, over a real Postgres.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "admin/auth.rs"]
mod auth;
#[path = "admin/changes.rs"]
mod changes;
#[path = "support/database.rs"]
mod database;
#[path = "admin/frozen.rs"]
mod frozen;
#[path = "admin/limits.rs"]
mod limits;
#[path = "admin/nouns.rs"]
mod nouns;
#[path = "admin/outage.rs"]
mod outage;
#[path = "support/plane.rs"]
mod plane;
#[path = "admin/program.rs"]
mod program;
#[path = "admin/secrets.rs"]
mod secrets;
#[path = "admin/simulate.rs"]
mod simulate;
#[path = "admin/web.rs"]
mod web;
