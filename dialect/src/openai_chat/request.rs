//! Requests for chat completions.

mod read;
mod write;

pub(super) use read::{citation, citations};
pub(crate) use read::{max_output, read, sampling, stream_usage};
pub(crate) use write::write;
