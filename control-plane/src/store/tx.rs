//! Statements and transactions. Every statement is prepared once a connection, bound,
//! and named by a comment in its first line, which Postgres shows in its own logs and views.

use super::{Store, StoreError};
use deadpool_postgres::{Object, Transaction};
use tokio_postgres::{IsolationLevel, Row, types::ToSql};

/// A parameter list, as the driver wants it.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Store {
    /// Whether the database answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached("-- ping\nSELECT 1").await?;
        client.query_one(&statement, &[]).await?;
        Ok(())
    }
}

/// One state of the whole database, for as many statements as it takes.
pub(super) async fn read(client: &mut Object) -> Result<Transaction<'_>, StoreError> {
    let builder = client.build_transaction();
    Ok(builder.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?)
}

/// A transaction that writes. Each statement sees what was committed before it, so that
/// what follows a row lock sees all that the lock's holder before did.
pub(super) async fn write(client: &mut Object) -> Result<Transaction<'_>, StoreError> {
    Ok(client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?)
}

pub(super) async fn rows(
    tx: &Transaction<'_>,
    sql: &str,
    params: Params<'_>,
) -> Result<Vec<Row>, StoreError> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query(&statement, params).await?)
}

pub(super) async fn row(
    tx: &Transaction<'_>,
    sql: &str,
    params: Params<'_>,
) -> Result<Option<Row>, StoreError> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query_opt(&statement, params).await?)
}

/// Runs a statement that gives no rows; says how many it touched. The driver's own error
/// is given, because some callers have to know which constraint refused.
pub(super) async fn execute(
    tx: &Transaction<'_>,
    sql: &str,
    params: Params<'_>,
) -> Result<u64, tokio_postgres::Error> {
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, params).await
}
