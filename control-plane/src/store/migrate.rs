//! Brings the schema to what this program knows: embedded SQL, under a lock, checked for drift.

use super::{Store, StoreError, row, tx};
use deadpool_postgres::Transaction;
use domain::time::Timestamp;
use sha2::{Digest, Sha256};
use tracing::info;

/// One file of `migrations/`.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $name, ".sql")),
        }),*]
    };
}

/// Append only: see `migrations/README.md`.
const MIGRATIONS: &[Migration] = migrations![
    1 "0001_revisions",
    2 "0002_catalog",
    3 "0003_keys",
    4 "0004_usage",
    5 "0005_limits",
    6 "0006_translation",
    7 "0007_models",
    8 "0008_fetch",
];

/// Any number that nobody else uses for an advisory lock in this database.
const MIGRATION_LOCK: i64 = 7_310_032;

/// Longest time that migrating may take, in milliseconds: the statement timeout of a
/// request is too short for it, and for waiting until another control plane is done.
const TIMEOUT_MS: u32 = 600_000;

impl Store {
    /// Applies the migrations that the database does not have yet, all or none. Any
    /// number of control planes may do so at once.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] and [`StoreError::Drift`], or when the database fails.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        let timeout = "-- migration_timeout\nSELECT set_config('statement_timeout', $1, true)";
        tx::row(&tx, timeout, &[&TIMEOUT_MS.to_string()]).await?;
        let lock = "-- migration_lock\nSELECT pg_advisory_xact_lock($1)";
        tx::row(&tx, lock, &[&MIGRATION_LOCK]).await?;
        if !has_table(&tx).await? {
            tx::execute(&tx, CREATE_TABLE, &[]).await?;
        }
        let applied = check(&tx, MIGRATIONS).await?;
        for migration in MIGRATIONS.iter().filter(|it| it.version > applied) {
            apply(&tx, migration).await?;
        }
        tx.commit().await?;
        self.prepare_usage_days(Timestamp::from_unix_ms(runtime::clock::unix_ms())).await
    }
}

const CREATE_TABLE: &str = "-- create_schema_migration
    CREATE TABLE schema_migration (
        version    int         PRIMARY KEY,
        name       text        NOT NULL,
        sha256     bytea       NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )";

async fn has_table(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let sql = "-- has_schema_migration
        SELECT to_regclass('schema_migration') IS NOT NULL AS found";
    tx::row(tx, sql, &[]).await?.map_or(Ok(false), |it| row::column(&it, "found"))
}

/// Compares what was applied with what this program has; gives the newest version applied.
async fn check(tx: &Transaction<'_>, known: &[Migration]) -> Result<i32, StoreError> {
    let sql = "-- applied_migrations
        SELECT version, name, sha256 FROM schema_migration ORDER BY version";
    let newest = known.last().map_or(0, |it| it.version);
    let applied = tx::rows(tx, sql, &[]).await?;
    let found = applied.last().map_or(Ok(0), |it| row::column(it, "version"))?;
    if found > newest {
        return Err(StoreError::SchemaTooNew { found, known: newest });
    }
    for it in &applied {
        let version: i32 = row::column(it, "version")?;
        let sum: &[u8] = row::column(it, "sha256")?;
        let own = known.iter().find(|it| it.version == version);
        if own.is_none_or(|it| sum != sha256(it).as_slice()) {
            let name = own.map_or_else(|| row::column(it, "name"), |it| Ok(it.name.to_owned()))?;
            return Err(StoreError::Drift { version, name });
        }
    }
    Ok(found)
}

async fn apply(tx: &Transaction<'_>, migration: &Migration) -> Result<(), StoreError> {
    // A file has many statements: they cannot be prepared as one, and take no parameter.
    tx.batch_execute(migration.sql).await.map_err(|error| {
        let error = StoreError::from(error);
        if let StoreError::Refused(why) = &error {
            return StoreError::Refused(format!("migration {}: {why}", migration.name));
        }
        error
    })?;
    let sql = "-- record_migration
        INSERT INTO schema_migration (version, name, sha256) VALUES ($1, $2, $3)";
    let sum = sha256(migration);
    tx::execute(tx, sql, &[&migration.version, &migration.name, &sum.as_slice()]).await?;
    info!(version = migration.version, name = migration.name, "applied a migration");
    Ok(())
}

fn sha256(migration: &Migration) -> [u8; 32] {
    Sha256::digest(migration.sql.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_in_a_row_and_every_file_is_listed() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version), Ok(at + 1));
            assert!(migration.name.starts_with(&format!("{:04}_", migration.version)));
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .filter(|it| it.as_ref().unwrap().path().extension().is_some_and(|it| it == "sql"));
        assert_eq!(files.count(), MIGRATIONS.len());
    }
}
