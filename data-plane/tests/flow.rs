//! The data plane's http side in process: a scripted upstream on one end, callers on
//! the other, and every sentence about what happens in between as a test.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "flow/accounts.rs"]
mod accounts;
#[path = "flow/crossings.rs"]
mod crossings;
#[path = "flow/disconnects.rs"]
mod disconnects;
#[path = "flow/failover.rs"]
mod failover;
#[path = "flow/faithful.rs"]
mod faithful;
#[path = "flow/fetching.rs"]
mod fetching;
#[path = "flow/hosted.rs"]
mod hosted;
#[path = "flow/keys.rs"]
mod keys;
#[path = "flow/lender.rs"]
mod lender;
#[path = "flow/lifecycle.rs"]
mod lifecycle;
#[path = "flow/limits.rs"]
mod limits;
#[path = "flow/limits_of_accounts.rs"]
mod limits_of_accounts;
#[path = "flow/peers.rs"]
mod peers;
#[path = "flow/peers_limits.rs"]
mod peers_limits;
#[path = "flow/refusals.rs"]
mod refusals;
#[path = "flow/reservations.rs"]
mod reservations;
#[path = "flow/stage.rs"]
mod stage;
#[path = "flow/streams.rs"]
mod streams;
#[path = "flow/translate.rs"]
mod translate;
#[path = "flow/upstream.rs"]
mod upstream;
