//! Providers' wire formats: bytes in, bytes and facts out.
//!
//! Knows providers' JSON and server-sent events; knows no sockets, no clock and no
//! catalog. Nothing here waits, panics or keeps more memory than it says.
//!
//! A request is looked at by [`peek`] and changed by [`splice`]; its answer goes by
//! a [`relay`]. [`error`] and [`models`] say what we answer ourselves; [`ratelimit`] what
//! is left of limits.
#![warn(missing_docs)]

mod count;
pub mod error;
pub mod models;
pub mod peek;
pub mod ratelimit;
pub mod relay;
mod skim;
pub mod splice;
mod sse;
