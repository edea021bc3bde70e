//! Answers that come as a stream: a provider's are read event by event, a caller's are
//! written step by step.

mod reader;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

#[cfg(test)]
mod tests;
