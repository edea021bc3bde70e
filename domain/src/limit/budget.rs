//! Chunks of a calendar window or of a grant: counted in the database, lent to proxies.

mod demand;
pub mod fund;
pub mod message;
pub mod node;
