//! Which revision the catalog is at, and what changed since another one.

use super::{Store, StoreError, catalog, row, tx};
use crate::vault::Vault;
use deadpool_postgres::Transaction;
use domain::catalog::Edit;
use uuid::Uuid;

/// What was read of the catalog, all of it at one revision.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The database's identity: revisions of another one cannot be compared.
    pub incarnation: Uuid,
    /// The revision that was read.
    pub revision: u64,
    /// Whether `edits` is the whole catalog, not a difference.
    pub whole: bool,
    /// Each item once, in no order that matters.
    pub edits: Vec<Edit>,
}

impl Store {
    /// The database's identity and the catalog's revision.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn incarnation_and_revision(&self) -> Result<(Uuid, u64), StoreError> {
        let row = self.row(META, &[]).await?;
        meta(row.as_ref())
    }

    /// Gives the database a new identity if it is `incarnation` and has not come as far as
    /// `seen`, a revision that it once had: a backup has taken its place. Who follows an
    /// incarnation goes only forward, and would refuse what was restored. Says whether it did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_anew(&self, incarnation: Uuid, seen: u64) -> Result<bool, StoreError> {
        // A writer that is at it is waited for: the row is looked at again after its commit.
        let sql = "-- begin_anew
            UPDATE config_meta SET incarnation = gen_random_uuid()
            WHERE id = 1 AND incarnation = $1 AND revision < $2 RETURNING incarnation";
        Ok(self.row(sql, &[&incarnation, &row::signed(seen)]).await?.is_some())
    }

    /// The whole catalog.
    ///
    /// # Errors
    /// When the database fails, or a secret does not open.
    pub async fn load(&self, vault: &Vault) -> Result<Loaded, StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::read(&mut client).await?;
        let (incarnation, revision) = current(&tx).await?;
        let edits = catalog::since(&tx, vault, -1).await?;
        Ok(Loaded { incarnation, revision, whole: true, edits })
    }

    /// What was written and removed after `revision`; the whole catalog if the database
    /// is at an older revision than that (a backup was restored). It is for the caller to
    /// compare the incarnation, and to call [`Self::load`] when it is another one.
    ///
    /// # Errors
    /// When the database fails, or a secret does not open.
    pub async fn changes_since(&self, vault: &Vault, revision: u64) -> Result<Loaded, StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::read(&mut client).await?;
        let (incarnation, current) = current(&tx).await?;
        let whole = current < revision;
        let edits = if current == revision {
            Vec::new()
        } else {
            let after = if whole { -1 } else { row::signed(revision) };
            catalog::since(&tx, vault, after).await?
        };
        Ok(Loaded { incarnation, revision: current, whole, edits })
    }
}

const META: &str = "-- config_meta\nSELECT incarnation, revision FROM config_meta WHERE id = 1";

async fn current(tx: &Transaction<'_>) -> Result<(Uuid, u64), StoreError> {
    meta(tx::row(tx, META, &[]).await?.as_ref())
}

/// Takes the next revision. From here to the end of the transaction every other writer
/// waits, so that revisions are in the order of the commits.
pub(super) async fn take_next(tx: &Transaction<'_>) -> Result<(Uuid, u64), StoreError> {
    let sql = "-- take_next_revision
        UPDATE config_meta SET revision = revision + 1 WHERE id = 1
        RETURNING incarnation, revision";
    meta(tx::row(tx, sql, &[]).await?.as_ref())
}

fn meta(row: Option<&tokio_postgres::Row>) -> Result<(Uuid, u64), StoreError> {
    let row = row.ok_or_else(|| StoreError::corrupt("config_meta has no row"))?;
    Ok((row::column(row, "incarnation")?, row::unsigned(row, "revision")?))
}
