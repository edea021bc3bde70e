//! Anthropic's messages, from callers and to providers.
//!
//! Knows the JSON and the events of the Messages API and what they mean in the common
//! form of [`crate::chat`]; knows no other dialect. The metering of answers that are
//! passed on as they are is [`crate::relay`]'s.

pub(crate) mod error;
mod media;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
mod usage;
mod wire;

#[cfg(test)]
mod tests;
