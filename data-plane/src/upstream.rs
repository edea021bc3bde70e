//! The far side: how an account is reached and shown its credential. Knows no caller.

mod client;
mod sign;
mod url;

pub(crate) use client::{Clients, Line, classify};
