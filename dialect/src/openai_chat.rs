//! OpenAI's chat completions, as callers send them and as providers take them.
//!
//! Knows also what compatible servers make of them: OpenRouter's marks and thoughts,
//! DeepSeek's `reasoning_content`, the signatures of Gemini's compatible path.

mod asked;
mod call;
pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
mod thoughts;
pub(crate) mod wire;

use domain::catalog::Dialect;

/// Whose slots for opaque state these are.
const SLOT: Dialect = Dialect::OpenAi;

#[cfg(test)]
mod tests;
