//! Whole answers: a provider's is read, a caller's is written.

mod read;
mod usage;
mod write;

pub(crate) use read::read;
pub(in crate::openai_responses) use read::{id_and_model, incomplete, said};
pub(in crate::openai_responses) use usage::usage;
pub(crate) use write::write;
pub(in crate::openai_responses) use write::{Ids, Outcome, reasoning, tier};

#[cfg(test)]
mod tests;
