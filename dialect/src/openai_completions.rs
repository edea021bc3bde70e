//! OpenAI's legacy completions, which only callers speak: a prompt that is one user turn.
//!
//! Errors are those of [`crate::openai_chat::error`].

pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
mod wire;
