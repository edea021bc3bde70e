//! The one way to change the catalog: read, plan, compile and write in one transaction.

use super::{
    Store, StoreError, WriteError,
    catalog::{self, Unwritten},
    item::{self, ItemRef},
    revisions, row, tx,
};
use crate::vault::Vault;
use deadpool_postgres::Transaction;
use domain::{
    catalog::{Catalog, Edit},
    snapshot::Snapshot,
};
use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// How many rows are on the way to Postgres at a time.
const IN_FLIGHT: usize = 256;

/// The channel on which a committed revision is announced.
pub(super) const NOTIFY_CHANNEL: &str = "cfg";

/// Who changes the catalog, for the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// Their name.
    pub name: String,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody with an operator's token.
    Operator,
    /// This program.
    System,
}

impl Actor {
    /// This program itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, name: "sluice".to_owned() }
    }
}

impl ActorKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::System => "system",
        }
    }
}

/// What must hold for a change to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The incarnation that the base was read from. If the database is another one, the
    /// base is not used. `None`: it is the same.
    pub incarnation: Option<Uuid>,
    /// The revision that the catalog must be at; `None`: any.
    pub expected_revision: Option<u64>,
    /// The revision that each of these items must have been written at last. Looked at
    /// after the plan was made, so that an item that is gone is the plan's own error.
    pub etags: Vec<(ItemRef, u64)>,
    /// Does everything but to commit.
    pub dry_run: bool,
}

/// What came of a change.
#[derive(Debug, Clone)]
pub struct Written {
    /// The catalog as it is committed now: of a dry run, without the change.
    pub snapshot: Snapshot,
    /// The database's identity.
    pub incarnation: Uuid,
    /// The snapshot's revision.
    pub revision: u64,
    /// What was written, or would be: each item once, without what was so already.
    pub edits: Vec<Edit>,
    /// What others had written between the base and this change.
    pub caught_up: Vec<Edit>,
    /// Whether the base could not be used: `caught_up` then is the whole catalog before `edits`.
    pub reloaded: bool,
}

impl Store {
    /// Changes the catalog by what `plan` makes of its newest revision, as one revision.
    ///
    /// `base` saves reading the whole catalog: only what changed since is read. With no
    /// edit left, or for a dry run, nothing is written and the revision stays.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is written then. A [`StoreError::Unavailable`] from the
    /// commit itself leaves open whether the change is in: read it to know.
    pub async fn write<E>(
        &self,
        vault: &Vault,
        actor: &Actor,
        request: Request,
        base: &Snapshot,
        plan: impl FnOnce(&Snapshot) -> Result<Vec<Edit>, E> + Send,
    ) -> Result<Written, WriteError<E>> {
        let mut client = self.pool.get().await?;
        let tx = tx::write(&mut client).await?;
        let (incarnation, revision) = revisions::take_next(&tx).await?;
        let same = request.incarnation.is_none_or(|it| it == incarnation);
        let (current, caught_up, reloaded) =
            catch_up(&tx, vault, base, same, revision.saturating_sub(1)).await?;
        let actual = current.revision();
        if let Some(expected) = request.expected_revision.filter(|it| *it != actual) {
            return Err(WriteError::Stale { expected, actual });
        }
        let planned = plan(&current).map_err(WriteError::Plan)?;
        for (item, expected) in request.etags {
            if revision_of(&tx, &item).await? != Some(expected) {
                return Err(WriteError::EtagMismatch { item });
            }
        }
        let edits = item::collapse(planned, current.catalog());
        let nothing_written = |snapshot, edits| Written {
            revision: actual,
            snapshot,
            incarnation,
            edits,
            caught_up: Vec::new(),
            reloaded,
        };
        if edits.is_empty() {
            tx.rollback().await.map_err(StoreError::from)?;
            return Ok(Written { caught_up, ..nothing_written(current, edits) });
        }
        let snapshot = current.amend(edits.clone(), revision).map_err(WriteError::Defects)?;
        write_edits(&tx, vault, &edits, row::signed(revision)).await?;
        let catalogs = (current.catalog(), snapshot.catalog());
        log_change(&tx, actor, &edits, catalogs, row::signed(revision)).await?;
        if request.dry_run {
            tx.rollback().await.map_err(StoreError::from)?;
            return Ok(Written { caught_up, ..nothing_written(current, edits) });
        }
        let notify = "-- notify_revision\nSELECT pg_notify($1, $2)";
        tx::row(&tx, notify, &[&NOTIFY_CHANNEL, &revision.to_string()]).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(Written { snapshot, incarnation, revision, edits, caught_up, reloaded })
    }
}

/// Brings `base` to the revision before ours, which the transaction sees.
async fn catch_up(
    tx: &Transaction<'_>,
    vault: &Vault,
    base: &Snapshot,
    same_incarnation: bool,
    revision: u64,
) -> Result<(Snapshot, Vec<Edit>, bool), StoreError> {
    let usable = same_incarnation && base.revision() <= revision;
    if usable && base.revision() == revision {
        return Ok((base.clone(), Vec::new(), false));
    }
    let after = if usable { row::signed(base.revision()) } else { -1 };
    let edits = catalog::since(tx, vault, after).await?;
    let compiled =
        if usable { base.amend(edits.clone(), revision) } else { compile(edits.clone(), revision) };
    let snapshot = compiled.map_err(|defects| does_not_compile(revision, &defects))?;
    Ok((snapshot, edits, !usable))
}

/// Compiles a whole catalog that was read as edits.
pub(super) fn compile(
    edits: Vec<Edit>,
    revision: u64,
) -> Result<Snapshot, Vec<domain::snapshot::Defect>> {
    let mut catalog = Catalog::default();
    edits.into_iter().for_each(|it| catalog.apply(it));
    Snapshot::build(catalog, revision)
}

pub(super) fn does_not_compile(revision: u64, defects: &[domain::snapshot::Defect]) -> StoreError {
    let all: Vec<_> = defects.iter().map(ToString::to_string).collect();
    StoreError::corrupt(format!("revision {revision} does not compile: {}", all.join("; ")))
}

/// Writes the rows and tombstones of `edits`: removals first, so that a name which
/// changes hands is free.
async fn write_edits<E>(
    tx: &Transaction<'_>,
    vault: &Vault,
    edits: &[Edit],
    revision: i64,
) -> Result<(), WriteError<E>> {
    let (deletes, puts): (Vec<&Edit>, Vec<&Edit>) =
        edits.iter().partition(|it| item::is_delete(it));
    write_rows(tx, vault, &deletes, revision).await?;
    write_rows(tx, vault, &puts, revision).await?;
    let names = |edits: &[&Edit]| -> (Vec<&'static str>, Vec<String>) {
        edits.iter().map(|it| ItemRef::of(it)).map(|it| (it.kind(), it.id())).unzip()
    };
    let (kinds, ids) = names(&puts);
    let lift = "-- lift_tombstones
        DELETE FROM tombstone USING unnest($1::text[], $2::text[]) AS put (kind, id)
        WHERE tombstone.kind = put.kind AND tombstone.id = put.id";
    tx::execute(tx, lift, &[&kinds, &ids]).await.map_err(StoreError::from)?;
    let (kinds, ids) = names(&deletes);
    let lay = "-- lay_tombstones
        INSERT INTO tombstone (kind, id, revision)
        SELECT kind, id, $3 FROM unnest($1::text[], $2::text[]) AS gone (kind, id)
        ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision";
    tx::execute(tx, lay, &[&kinds, &ids, &revision]).await.map_err(StoreError::from)?;
    Ok(())
}

/// Writes many rows without waiting for each: the driver pipelines them.
async fn write_rows<E>(
    tx: &Transaction<'_>,
    vault: &Vault,
    edits: &[&Edit],
    revision: i64,
) -> Result<(), WriteError<E>> {
    let mut known = None;
    for edit in edits {
        // Prepared before the crowd comes, which would otherwise prepare it all at once.
        let sql = catalog::statement(edit);
        if known.replace(sql) != Some(sql) {
            tx.prepare_cached(sql).await.map_err(StoreError::from)?;
        }
    }
    for some in edits.chunks(IN_FLIGHT) {
        let writes = some.iter().map(|it| catalog::write(tx, vault, it, revision));
        let mut refused = None;
        for (edit, result) in some.iter().zip(join_all(writes).await) {
            match result {
                Ok(()) => {}
                // The echo of a refusal among the others, not a reason of its own.
                Err(Unwritten::Refused(error))
                    if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) =>
                {
                    refused = refused.or(Some(WriteError::Store(error.into())));
                }
                Err(error) => return Err(why_unwritten(error, edit)),
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
    }
    Ok(())
}

fn why_unwritten<E>(error: Unwritten, edit: &Edit) -> WriteError<E> {
    match error {
        Unwritten::Sealing(error) => WriteError::Store(StoreError::Seal(error)),
        Unwritten::Refused(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            let unknown = Catalog::default();
            let name = item::name_of(edit, &unknown, &unknown);
            let kind = ItemRef::of(edit).kind();
            WriteError::AlreadyExists { what: format!("{kind} `{name}`") }
        }
        Unwritten::Refused(error) => WriteError::Store(error.into()),
    }
}

async fn log_change(
    tx: &Transaction<'_>,
    actor: &Actor,
    edits: &[Edit],
    (before, after): (&Catalog, &Catalog),
    revision: i64,
) -> Result<(), StoreError> {
    let mut verbs = Vec::with_capacity(edits.len());
    let mut kinds = Vec::with_capacity(edits.len());
    let mut items = Vec::with_capacity(edits.len());
    let mut names = Vec::with_capacity(edits.len());
    for edit in edits {
        let item = ItemRef::of(edit);
        verbs.push(if item::is_delete(edit) { "delete" } else { "put" });
        kinds.push(item.kind());
        items.push(item.id());
        names.push(item::name_of(edit, before, after));
    }
    let sql = "-- log_change
        INSERT INTO change_log (revision, actor_kind, actor, verb, kind, item, name)
        SELECT $1, $2, $3, verb, kind, item, name
        FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) AS edit (verb, kind, item, name)";
    let kind = actor.kind.as_str();
    tx::execute(tx, sql, &[&revision, &kind, &actor.name, &verbs, &kinds, &items, &names]).await?;
    Ok(())
}

/// The revision that last wrote an item; `None`: there is no such item. Settings that
/// nobody has written are of revision 0.
async fn revision_of(tx: &Transaction<'_>, item: &ItemRef) -> Result<Option<u64>, StoreError> {
    let found = match item {
        ItemRef::Provider(name) => {
            let sql = "-- provider_revision\nSELECT revision FROM provider WHERE name = $1";
            tx::row(tx, sql, &[&name.as_str()]).await?
        }
        ItemRef::Account(id) => {
            let sql = "-- account_revision\nSELECT revision FROM account WHERE id = $1";
            tx::row(tx, sql, &[&id.uuid()]).await?
        }
        ItemRef::Model(id) => {
            let sql = "-- model_revision
                SELECT revision FROM model WHERE provider = $1 AND name = $2";
            tx::row(tx, sql, &[&id.provider.as_str(), &id.name.as_str()]).await?
        }
        ItemRef::Route(alias) => {
            let sql = "-- route_revision\nSELECT revision FROM route WHERE alias = $1";
            tx::row(tx, sql, &[&alias.as_str()]).await?
        }
        ItemRef::Team(id) => {
            let sql = "-- team_revision\nSELECT revision FROM team WHERE id = $1";
            tx::row(tx, sql, &[&id.uuid()]).await?
        }
        ItemRef::Pepper(version) => {
            let sql = "-- pepper_revision\nSELECT revision FROM pepper WHERE version = $1";
            tx::row(tx, sql, &[&i64::from(*version)]).await?
        }
        ItemRef::Key(id) => {
            let sql = "-- key_revision\nSELECT revision FROM virtual_key WHERE id = $1";
            tx::row(tx, sql, &[&id.uuid()]).await?
        }
        ItemRef::Limit(id) => {
            let sql = "-- limit_revision\nSELECT revision FROM limit_rule WHERE id = $1";
            tx::row(tx, sql, &[&id.uuid()]).await?
        }
        ItemRef::Settings => {
            let sql = "-- settings_revision
                SELECT coalesce(max(revision), 0) AS revision FROM settings";
            tx::row(tx, sql, &[]).await?
        }
    };
    found.map(|it| row::unsigned(&it, "revision")).transpose()
}
