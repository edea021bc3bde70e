//! Whole answers to chat completions.

mod read;
mod write;

pub(crate) use read::read;
pub(super) use read::{Piece, pieces, stop};
pub(in crate::openai_chat) use write::known_tier;
pub(crate) use write::write;
