//! Requests: a caller's read, a provider's written; and those that only count tokens.

mod count;
mod read;
mod write;

pub(crate) use count::{ask_count, read_count, told_count, write_count};
pub(crate) use read::read;
pub(super) use write::args;
pub(crate) use write::{reads, write};
