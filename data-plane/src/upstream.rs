//! The far side: how an account is reached and shown its credential, and what it has left.
//! Knows no caller.

mod client;
mod headroom;
mod sign;
mod threshold;
mod url;

pub(crate) use client::{Clients, Line, NoRequest, classify};
pub(crate) use headroom::{Headroom, Need};
pub(crate) use threshold::{Threshold, Thresholds};
pub(crate) use url::Asked;
