//! The far side: how an account is reached and shown its credential, and what it has left.
//! Knows no caller, but for
//! what one names for us to fetch.

mod client;
mod fetch;
mod headroom;
mod sign;
mod threshold;
mod url;

pub(crate) use client::{Clients, Line, NoRequest, classify};
pub(crate) use fetch::{AT_ONCE, Allowance, Fetcher, MAX_PLACES, NotFetched};
pub use fetch::{Bounds, Reach};
pub(crate) use headroom::{Headroom, Need};
pub(crate) use threshold::{Threshold, Thresholds};
pub(crate) use url::Asked;
