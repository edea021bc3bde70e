//! Answers that come whole: a provider's read, a caller's written. What an answer is made
//! of is the same in a stream.

pub(super) mod logprobs;
pub(super) mod piece;
mod read;
pub(super) mod sources;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
pub(super) use {
    read::{blocked, parts, stop, usage},
    write::{call, finish},
};

#[cfg(test)]
mod tests;
