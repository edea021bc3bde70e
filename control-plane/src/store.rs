//! The room with the only SQL: what the control plane remembers, in Postgres.
//!
//! Knows rows and transactions. Knows no gRPC, no wire type and no provider's JSON:
//! it takes and gives values of `domain`.

mod catalog;
pub mod embedded;
mod error;
mod item;
mod keys;
mod limits;
mod listen;
mod migrate;
mod pool;
mod quota;
mod read;
mod revisions;
mod row;
mod seed;
mod tx;
mod usage;
mod usage_query;
mod usage_replay;
mod write;

pub use error::{StoreError, WriteError};
pub use item::ItemRef;
pub use listen::Listener;
pub use pool::{PoolSettings, Source};
pub use quota::{Claim, QuotaLeader, Taken, WindowKey, WindowOrder, WindowState};
pub use read::{Listing, Page, Stored, StoredAccount};
pub use revisions::Loaded;
pub use usage::{Batch, Durable};
pub use usage_query::{UsageDimension, UsageEntry, UsageQuery, UsageSummary, UsageSums};
pub use usage_replay::Replayed;
pub use write::{Actor, ActorKind, Request, Written};

/// The database. Cheap to clone; connections are made when they are needed.
#[derive(Debug, Clone)]
pub struct Store {
    pool: pool::Pool,
}
