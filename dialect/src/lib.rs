//! Providers' wire formats: bytes in, bytes and facts out.
//!
//! Knows providers' JSON and server-sent events; knows no sockets, no clock and no
//! catalog. Nothing here waits, panics or keeps more memory than it says.
//!
//! Where both sides speak alike, a request is looked at by [`peek`] and changed by
//! [`splice`]; its answer goes by a [`relay`]. Where they do not, [`translate`] reads the
//! one into the common form of [`chat`] and writes the other. [`error`] and [`models`] say
//! what we answer ourselves; [`ratelimit`] what is left of limits.
#![warn(missing_docs)]

mod anthropic;
pub mod anthropic_hosted;
pub mod aws_stream;
mod bedrock;
pub mod chat;
mod count;
pub mod error;
mod gemini;
mod inline;
pub mod json;
pub mod models;
mod openai_chat;
mod openai_completions;
mod openai_responses;
mod openai_thinkers;
pub mod peek;
pub mod ratelimit;
pub mod relay;
mod skim;
pub mod splice;
mod sse;
pub mod translate;
