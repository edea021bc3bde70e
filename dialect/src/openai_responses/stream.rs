//! Streamed answers: a provider's is read, a caller's is written.

mod read;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::Writer;
