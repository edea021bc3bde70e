//! Answers that come as a stream: a provider's chunks read, a caller's written.

mod reader;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

#[cfg(test)]
mod tests;
