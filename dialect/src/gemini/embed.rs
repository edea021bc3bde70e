//! Embeddings between OpenAI's form and Google's, both ways. Texts only; the numbers are
//! carried as they were written.

mod from_openai;
mod to_openai;
mod vector;

pub(crate) use from_openai::{Asked, answer_to_openai, from_openai};
pub(crate) use to_openai::{Wanted, answer_from_openai, to_openai};

#[cfg(test)]
mod tests;
