//! Amazon Bedrock's `Converse` and `ConverseStream`. Only providers speak it: requests are
//! written and answers read, never the other way.

pub(crate) mod error;
mod family;
mod media;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
mod wire;
