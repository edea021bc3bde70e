//! Google's generateContent, as AI Studio and Vertex speak it: callers and providers.
//!
//! Neither the model nor whether the answer is streamed stands in a body: both are told by
//! the path, and whoever reads a request fills them in.

pub(crate) mod embed;
pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
mod wire;

/// How AI Studio names a model in a body.
pub(crate) fn full_name(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

#[cfg(test)]
mod tests;
