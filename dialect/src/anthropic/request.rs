//! Requests: a caller's are read, a provider's are written.

mod read;
mod write;

pub(crate) use read::{read, read_count};
pub(crate) use write::{write, write_count};
