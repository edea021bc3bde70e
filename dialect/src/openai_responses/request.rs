//! Requests: a caller's is read, a provider's is written.

mod read;
mod write;

pub(crate) use read::read;
pub(in crate::openai_responses) use read::{citation, citations};
pub(crate) use write::write;
