//! How a service changes the catalog: plan, write, publish.

use super::{
    Desk,
    draft::{Draft, KeyNames, MadeKey},
    refusal::{Kind, Refusal},
    status,
};
use crate::{
    publisher::Published,
    store::{Actor, ActorKind, ItemRef, Request, StoreError, Stored, Written},
};
use domain::{
    catalog::{Catalog, ModelId},
    id::{AccountId, KeyId, LimitId, TeamId},
    name::Name,
    pattern::Pattern,
    snapshot::Snapshot,
    time::Timestamp,
};
use proto::convert::catalog::model_id_from;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tonic::Status;

/// Longest time of a write, once the database answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// An item as callers name it, with the etag that they believe it has.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// Its id or name.
    pub(super) name: String,
    /// `r<revision>`; empty: any.
    pub(super) etag: String,
}

impl Expected {
    pub(super) fn new(kind: Kind, name: &str, etag: &str) -> Self {
        Self { kind, name: name.to_owned(), etag: etag.to_owned() }
    }
}

/// What must hold for a write.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) etags: Vec<Expected>,
    pub(super) expected_revision: Option<u64>,
    pub(super) dry_run: bool,
}

impl Terms {
    /// One item must be as the caller has read it.
    pub(super) fn of(expected: Expected) -> Self {
        Self { etags: vec![expected], ..Self::default() }
    }
}

/// What came of a write.
pub(super) struct Done<T> {
    /// What the plan gave.
    pub(super) item: T,
    /// The catalog as it is stored now.
    pub(super) snapshot: Snapshot,
    /// Its revision.
    pub(super) revision: u64,
    /// The keys that were made.
    pub(super) made: Vec<MadeKey>,
}

impl<T> Done<T> {
    /// An item as it was just written.
    pub(super) fn stored_now<I>(&self, item: I) -> Stored<I> {
        let created_at = Timestamp::from_unix_ms(runtime::clock::unix_ms());
        Stored { item, revision: self.revision, created_at }
    }
}

/// How an item is named that may be named by both.
pub(super) fn id_or_name<'a>(id: &'a str, name: &'a str) -> &'a str {
    if id.is_empty() { name } else { id }
}

/// The etag of an item that `revision` last wrote.
pub(super) fn etag(revision: u64) -> String {
    format!("r{revision}")
}

impl Desk {
    /// Changes the catalog by what `plan` drafts, and publishes it.
    pub(super) async fn write<T: Send>(
        &self,
        terms: Terms,
        plan: impl FnOnce(&mut Draft) -> Result<T, Refusal> + Send,
    ) -> Result<Done<T>, Status> {
        // A database that is gone is told of quickly; a write may take its time.
        self.read(self.store.ping()).await?;
        let etags = self.resolve(&terms.etags).await?;
        let base = self.newest()?;
        let request = Request {
            incarnation: Some(base.incarnation),
            expected_revision: terms.expected_revision,
            etags,
            dry_run: terms.dry_run,
        };
        let mut drafted = None;
        let planned = |current: &Snapshot| {
            let mut draft = Draft::of(current);
            let item = plan(&mut draft)?;
            let (edits, made) = draft.finish();
            drafted = Some((item, made));
            Ok(edits)
        };
        let actor = Actor { kind: ActorKind::Operator, name: "operator".to_owned() };
        let written = self.store.write(&self.vault, &actor, request, &base.snapshot, planned);
        let written = match timeout(PATIENCE, Box::pin(written)).await {
            Ok(written) => written.map_err(status::of_write)?,
            Err(_) => {
                tracing::warn!("a write of the catalog took too long");
                return Err(status::write_uncertain());
            }
        };
        // The store calls the plan whenever it writes.
        let (item, made) = drafted.ok_or_else(status::write_uncertain)?;
        let (snapshot, revision) = (written.snapshot.clone(), written.revision);
        if !terms.dry_run {
            self.tell(&base, written);
        }
        Ok(Done { item, snapshot, revision, made })
    }

    fn tell(&self, base: &Published, written: Written) {
        let edits = written.edits.len();
        let revision = written.revision;
        self.publisher.take(base, written);
        if 0 < edits {
            tracing::info!(revision, edits, "changed the catalog");
        }
    }

    /// What was just written, as the store has it now; if it cannot be asked, as it was
    /// written: a key's text must not get lost because a read failed.
    pub(super) async fn stored<T>(
        &self,
        read: impl Future<Output = Result<Option<T>, StoreError>>,
        written: impl FnOnce() -> Option<T>,
    ) -> Result<T, Status> {
        let read = self.read(read).await.ok().flatten();
        read.or_else(written).ok_or_else(status::unavailable)
    }

    /// Turns names and etags into what the store compares.
    async fn resolve(&self, expected: &[Expected]) -> Result<Vec<(ItemRef, u64)>, Status> {
        let mut newest: Arc<Published> = self.newest()?;
        let mut fresh = false;
        let mut keys = KeyNames::default();
        let mut resolved = Vec::new();
        for it in expected.iter().filter(|it| !it.etag.is_empty()) {
            let revision = it.etag.strip_prefix('r').and_then(|it| it.parse().ok());
            let revision = revision.ok_or_else(|| {
                let name = it.name.chars().take(200).collect();
                status::of_refusal(Refusal::EtagMismatch { kind: it.kind, name })
            })?;
            let mut found = item_ref(newest.snapshot.catalog(), &mut keys, it);
            if found.is_none() && !fresh {
                // Another control plane may have made it a moment ago.
                self.read(self.publisher.refresh()).await?;
                newest = self.newest()?;
                fresh = true;
                keys = KeyNames::default();
                found = item_ref(newest.snapshot.catalog(), &mut keys, it);
            }
            // What is not there has no etag. A plain name that is wrong is the plan's to tell.
            let found =
                found.ok_or_else(|| status::of_refusal(Refusal::not_found(it.kind, &it.name)))?;
            resolved.push((found, revision));
        }
        Ok(resolved)
    }
}

fn item_ref(catalog: &Catalog, keys: &mut KeyNames, expected: &Expected) -> Option<ItemRef> {
    let name = expected.name.as_str();
    match expected.kind {
        Kind::Provider => {
            let name: Name = name.parse().ok()?;
            catalog.providers.contains_key(&name).then_some(ItemRef::Provider(name))
        }
        Kind::Account => {
            let id: Option<AccountId> = name.parse().ok();
            let id = id.filter(|id| catalog.accounts.contains_key(id));
            id.or_else(|| catalog.account_named(name).map(|it| it.id)).map(ItemRef::Account)
        }
        Kind::Model => {
            let id: ModelId = model_id_from("model", name).ok()?;
            catalog.models.contains_key(&id).then_some(ItemRef::Model(id))
        }
        Kind::Route => {
            let alias: Pattern = name.parse().ok()?;
            catalog.routes.contains_key(&alias).then_some(ItemRef::Route(alias))
        }
        Kind::Team => {
            let id: Option<TeamId> = name.parse().ok();
            let id = id.filter(|id| catalog.teams.contains_key(id));
            id.or_else(|| catalog.team_named(name).map(|it| it.id)).map(ItemRef::Team)
        }
        Kind::Key => {
            let id: Option<KeyId> = name.parse().ok();
            let id = id.filter(|id| catalog.keys.get(*id).is_some());
            id.or_else(|| keys.find(catalog, name)).map(ItemRef::Key)
        }
        Kind::Limit => {
            let id: LimitId = name.parse().ok()?;
            catalog.limits.get(id).map(|it| ItemRef::Limit(it.id))
        }
        Kind::Settings => Some(ItemRef::Settings),
    }
}
