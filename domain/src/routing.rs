//! Decides where a request may go. Knows no sockets, no clock, no provider's JSON.

mod pick;
mod plan;
mod retry;
mod speech;

pub use plan::{Ask, Attempt, Plan, Unroutable, plan};
pub use retry::{Failure, Next, after};
pub use speech::speech;
