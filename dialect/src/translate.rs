//! From one dialect to another, by the common form: what a caller says is read into
//! [`crate::chat`] and written for the provider, and the answer goes the other way.
//!
//! Each thing that a target cannot say is either said differently, which [`Notes`] name,
//! or [`Refused`]. Nothing is dropped in silence unless it has no effect on the answer.

mod notes;
mod opaque;
mod target;
mod thread;

pub use notes::{How, Note, Notes, Refused};
pub use opaque::{open, seal};
pub use target::Target;
pub use thread::{Names, Original, Thread};
