//! What can go wrong in the store, told apart as far as a caller can act on it.

use super::ItemRef;
use crate::vault::VaultError;
use deadpool_postgres::PoolError;
use domain::snapshot::Defect;
use std::error::Error;
use tokio_postgres::error::SqlState;

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or broke off. Trying again later may work.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A statement took longer than the statement timeout, or no connection became free
    /// within the acquire timeout.
    #[error("the database took too long: {0}")]
    Timeout(String),
    /// A row holds what this program never writes.
    #[error("the database holds what cannot be read: {what}")]
    Corrupt {
        /// Which row, and what is wrong with it; never a secret.
        what: String,
    },
    /// The master key is not the one under which the database's secrets were sealed.
    #[error(
        "the master key does not open the secrets in this database: give the key that was used before (SLUICE_MASTER_KEY or master.key in the home folder)"
    )]
    WrongMasterKey,
    /// A newer program was here.
    #[error(
        "the database has schema {found}, but this program knows only up to {known}: run the newer program"
    )]
    SchemaTooNew {
        /// The newest migration in the database.
        found: i32,
        /// The newest that this program has.
        known: i32,
    },
    /// A migration that was applied differs from this program's.
    #[error(
        "migration {version} ({name}) in the database is not the one that this program has: the files under migrations/ must never be edited once applied"
    )]
    Drift {
        /// The migration's number.
        version: i32,
        /// Its name in this program, or in the database where this program has none.
        name: String,
    },
    /// The page to go on from is not one that a list gave out.
    #[error("not a page token of this list")]
    BadPage,
    /// The database URL cannot be used.
    #[error("the database URL cannot be used: {0}")]
    BadUrl(String),
    /// Sealing failed.
    #[error("a secret cannot be sealed")]
    Seal(#[source] VaultError),
    /// Anything else that Postgres refused.
    #[error("the database refused a statement: {0}")]
    Refused(String),
}

/// Why a change of the catalog was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The plan itself gave up.
    #[error("the change cannot be planned")]
    Plan(E),
    /// The catalog would not compile.
    #[error("the catalog would not compile: {} defects", .0.len())]
    Defects(Vec<Defect>),
    /// The catalog is at another revision than the caller thinks.
    #[error("the catalog is at revision {actual}, not {expected}")]
    Stale {
        /// What the caller thinks.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// An item was written since the caller read it.
    #[error("{item} was changed in the meantime")]
    EtagMismatch {
        /// The item.
        item: ItemRef,
    },
    /// Another item has the name already.
    #[error("{what} already exists")]
    AlreadyExists {
        /// The item that is in the way, as in ``key `team-a` ``.
        what: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreError {
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            // Without an answer of the server, the way to it is broken. The outermost
            // text alone says little ("error communicating with the server").
            return Self::Unavailable(with_sources(&error));
        };
        let text = format!("{} ({})", refusal.message(), refusal.code().code());
        let class = refusal.code().code().get(..2).unwrap_or("");
        if *refusal.code() == SqlState::QUERY_CANCELED
            || *refusal.code() == SqlState::LOCK_NOT_AVAILABLE
        {
            return Self::Timeout(text);
        }
        // Connection exceptions, too many connections or no memory, shutdown and
        // recovery, deadlocks; wrong user or database too, which an operator may put
        // right. A standby only reads until it is promoted.
        let reads_only = *refusal.code() == SqlState::READ_ONLY_SQL_TRANSACTION;
        if reads_only || matches!(class, "08" | "53" | "57" | "28" | "3D" | "40") {
            return Self::Unavailable(text);
        }
        Self::Refused(text)
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(_) => Self::Timeout("no connection became free".to_owned()),
            PoolError::Backend(error) => error.into(),
            PoolError::Closed => Self::Unavailable("the pool is closed".to_owned()),
            PoolError::NoRuntimeSpecified => {
                Self::Unavailable("the pool has no runtime".to_owned())
            }
            PoolError::PostCreateHook(error) => Self::Unavailable(error.to_string()),
        }
    }
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(it) = source {
        text.push_str(": ");
        text.push_str(&it.to_string());
        source = it.source();
    }
    text
}
