//! Streamed answers to chat completions, chunk by chunk.

mod calls;
mod read;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::{Writer, event};

/// The data of the last event, which is no JSON.
pub(crate) const DONE: &str = "[DONE]";

#[cfg(test)]
mod tests;
