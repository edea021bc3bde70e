//! OpenAI's responses, read into the common form of a conversation and written from it,
//! for callers and for providers.
//!
//! Knows items, their events and what an answer has to repeat of its request; knows no
//! tools' other names and no order of blocks but the one it is told.

pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod response;
mod state;
pub(crate) mod stream;
mod wire;
