//! Keeps the newest catalog compiled, and tells everyone who runs it.
//!
//! Knows the store and the wire form of items. Knows no proxy: sessions watch.
//! The store is looked at on every hint and every two seconds: a lost hint costs
//! seconds, not correctness.

mod ring;

pub(crate) use ring::Delta;

use crate::{
    metrics,
    store::{Loaded, Store, StoreError, Written},
    vault::Vault,
};
use domain::{
    catalog::{Catalog, Edit},
    snapshot::Snapshot,
};
use proto::convert::snapshot::{CatalogHash, Wire, items, wire_of};
use ring::{Ring, Step};
use runtime::{
    readiness::{Readiness, ReadyGuard},
    shutdown::Shutdown,
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

/// How often the store is looked at without a hint.
const POLL: Duration = Duration::from_secs(2);

/// Longest wait for one look at the store; a large catalog takes a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest wait for the answer whether anything changed.
const PATIENCE_FOR_REVISION: Duration = Duration::from_millis(2_500);

/// A catalog as it is published.
#[derive(Debug)]
pub(crate) struct Published {
    /// The database's identity: revisions of another one cannot be compared.
    pub(crate) incarnation: Uuid,
    /// The compiled catalog.
    pub(crate) snapshot: Snapshot,
    /// The hash of all its items.
    pub(crate) hash: [u8; 32],
}

/// The newest catalog, and how it came to be.
struct State {
    published: Arc<Published>,
    hash: CatalogHash,
    ring: Ring,
}

/// Keeps the newest catalog.
pub(crate) struct Publisher {
    store: Store,
    vault: Arc<Vault>,
    state: Mutex<Option<State>>,
    newest: watch::Sender<Option<Arc<Published>>>,
    /// One look at the store at a time.
    turn: tokio::sync::Mutex<()>,
    wake: Notify,
    database_ok: watch::Sender<bool>,
    readiness: Readiness,
    unready: Mutex<Option<ReadyGuard>>,
}

impl Publisher {
    pub(crate) fn new(store: Store, vault: Arc<Vault>, readiness: Readiness) -> Arc<Self> {
        let unready = readiness.guard("the catalog is not loaded yet");
        Arc::new(Self {
            store,
            vault,
            state: Mutex::new(None),
            newest: watch::Sender::new(None),
            turn: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            database_ok: watch::Sender::new(false),
            readiness,
            unready: Mutex::new(Some(unready)),
        })
    }

    /// The newest catalog; `None` until the database answered for the first time.
    pub(crate) fn newest(&self) -> Option<Arc<Published>> {
        self.newest.borrow().clone()
    }

    /// Tells of each newest catalog; a slow listener misses those between.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.newest.subscribe()
    }

    /// Whether the database answered last, and how that changes.
    pub(crate) fn database_ok(&self) -> watch::Receiver<bool> {
        self.database_ok.subscribe()
    }

    /// The newest catalog, with what leads to it from a revision that somebody holds.
    /// `hash`, if given, must be what the catalog hashed to there. Without a delta
    /// the whole catalog is needed.
    pub(crate) fn since(
        &self,
        incarnation: Uuid,
        revision: u64,
        hash: Option<&[u8]>,
    ) -> Option<(Arc<Published>, Option<Delta>)> {
        let state = self.state();
        let state = state.as_ref()?;
        let published = Arc::clone(&state.published);
        if incarnation != published.incarnation {
            return Some((published, None));
        }
        if revision == published.snapshot.revision() {
            let same = hash.is_none_or(|it| it == published.hash);
            return Some((published, same.then(Delta::default)));
        }
        let delta = state.ring.since(revision, hash);
        Some((published, delta))
    }

    /// Takes over what was just committed here, so that it goes out at once.
    pub(crate) fn take(&self, base: &Published, written: Written) {
        let fits = !written.reloaded && written.incarnation == base.incarnation;
        if fits && !written.edits.is_empty() {
            let edits = written.caught_up.into_iter().chain(written.edits).collect();
            if self.advance(base, edits, Some(written.snapshot), written.revision) {
                return;
            }
        }
        self.wake.notify_one();
    }

    /// Looks at the store now.
    ///
    /// # Errors
    /// When it does not answer, or holds what cannot be read.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let turn = self.turn.lock().await;
        let result = match timeout(PATIENCE, self.look()).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Timeout("read the catalog".to_owned())),
        };
        drop(turn);
        self.note_health(&result);
        result
    }

    /// Somebody holds `revision` of `incarnation`. If that is more than we publish, finds
    /// out who is behind: we, or the database, because a backup has taken its place.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn heed(&self, incarnation: Uuid, revision: u64) -> Result<(), StoreError> {
        let ahead = || {
            let ours = self.newest();
            ours.is_some_and(|it| {
                it.incarnation == incarnation && it.snapshot.revision() < revision
            })
        };
        if ahead() {
            self.refresh().await?;
        }
        if ahead() && self.begin_anew(incarnation, revision).await? {
            self.refresh().await?;
        }
        Ok(())
    }

    async fn begin_anew(&self, incarnation: Uuid, seen: u64) -> Result<bool, StoreError> {
        let asked = timeout(PATIENCE_FOR_REVISION, self.store.begin_anew(incarnation, seen)).await;
        let anew = asked.map_err(|_| StoreError::Timeout("begin anew".to_owned()))??;
        if anew {
            tracing::error!(seen, %incarnation, "the database went back in time: it gets a new incarnation, and every proxy the whole of it");
        }
        Ok(anew)
    }

    /// Follows the store until the process drains.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut listener = self.store.listen();
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Made once for many rounds: a poll must not break off a connection in the making.
            let mut heard = pin!(listener.changed());
            let hint = loop {
                tokio::select! {
                    () = shutdown.draining() => return,
                    () = &mut heard => break true,
                    _ = poll.tick() => {}
                    () = self.wake.notified() => {}
                }
                // An error is told by `note_health`, once.
                let _ = self.refresh().await;
            };
            if hint {
                let _ = self.refresh().await;
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let asked = timeout(PATIENCE_FOR_REVISION, self.store.incarnation_and_revision()).await;
        let (incarnation, revision) =
            asked.map_err(|_| StoreError::Timeout("read the revision".to_owned()))??;
        let Some(ours) = self.newest().filter(|it| it.incarnation == incarnation) else {
            return self.load().await;
        };
        let at = ours.snapshot.revision();
        if revision < at {
            // A commit of ours may have been published while this was read. If not, a
            // backup took the database's place.
            let anew = self.begin_anew(incarnation, at).await?;
            return if anew { self.load().await } else { Ok(()) };
        }
        if revision == at {
            return Ok(());
        }
        let changes = self.store.changes_since(&self.vault, at).await?;
        let fits = !changes.whole && changes.incarnation == incarnation;
        if fits && self.advance(&ours, changes.edits, None, changes.revision) {
            return Ok(());
        }
        self.load().await
    }

    /// Reads the whole catalog and puts it in the place of ours.
    async fn load(&self) -> Result<(), StoreError> {
        let before = self.newest();
        let loaded = self.store.load(&self.vault).await?;
        // Compiling and hashing 100,000 items takes a good part of a second.
        let compiled = tokio::task::spawn_blocking(move || compile(loaded)).await;
        let state = compiled.map_err(|error| StoreError::Corrupt { what: error.to_string() })??;
        let mut ours = self.state();
        let moved_on = match (ours.as_ref(), before) {
            (Some(ours), Some(before)) => !Arc::ptr_eq(&ours.published, &before),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        if !moved_on {
            tracing::info!(
                revision = state.published.snapshot.revision(),
                incarnation = %state.published.incarnation,
                keys = state.published.snapshot.catalog().keys.len(),
                "publish the whole catalog"
            );
            self.publish(&mut ours, state);
        }
        Ok(())
    }

    /// Goes from ours on to `revision` by `edits`, which lead there from `base` or from
    /// any revision after it. False: they do not fit ours, which has to be read anew.
    fn advance(
        &self,
        base: &Published,
        edits: Vec<Edit>,
        compiled: Option<Snapshot>,
        revision: u64,
    ) -> bool {
        let mut ours = self.state();
        let Some(State { published, mut hash, mut ring }) = ours.take() else { return false };
        let at = published.snapshot.revision();
        let put_back = |ours: &mut Option<State>, hash, ring, published| {
            *ours = Some(State { published, hash, ring });
        };
        if published.incarnation != base.incarnation || at < base.snapshot.revision() {
            put_back(&mut ours, hash, ring, published);
            return false;
        }
        if revision <= at {
            // Somebody was faster; what they published contains this.
            put_back(&mut ours, hash, ring, published);
            return true;
        }
        let wires: Vec<_> = edits.iter().map(wire_of).collect();
        let compiled = compiled.map_or_else(|| published.snapshot.amend(edits, revision), Ok);
        let snapshot = match compiled {
            Ok(snapshot) => snapshot,
            Err(defects) => {
                tracing::error!(
                    revision,
                    ?defects,
                    "a stored revision does not compile: keep ours"
                );
                put_back(&mut ours, hash, ring, published);
                return false;
            }
        };
        for wire in &wires {
            match wire {
                Wire::Upsert(item) => hash.upsert(item),
                Wire::Removed(key) => hash.remove(key),
            }
        }
        ring.push(Step { base: at, base_hash: published.hash, revision, edits: wires });
        let published =
            Published { incarnation: published.incarnation, snapshot, hash: hash.value() };
        self.publish(&mut ours, State { published: Arc::new(published), hash, ring });
        true
    }

    /// Under the lock, so that listeners see revisions in their order.
    fn publish(&self, ours: &mut Option<State>, state: State) {
        metrics::revision(state.published.snapshot.revision());
        self.newest.send_replace(Some(Arc::clone(&state.published)));
        *ours = Some(state);
    }

    fn note_health(&self, result: &Result<(), StoreError>) {
        let ok = result.is_ok();
        let changed = self.database_ok.send_if_modified(|it| {
            let before = std::mem::replace(it, ok);
            before != ok
        });
        let mut unready = self.unready.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => {
                *unready = None;
                if changed {
                    tracing::info!("the database answers");
                }
            }
            Err(error) => {
                if unready.is_none() {
                    *unready = Some(self.readiness.guard("the database does not answer"));
                }
                if changed {
                    tracing::warn!(%error, "the database does not answer: reads and writes of the catalog fail, proxies go on");
                }
            }
        }
        metrics::database_ok(ok);
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compile(loaded: Loaded) -> Result<State, StoreError> {
    let mut catalog = Catalog::default();
    loaded.edits.into_iter().for_each(|it| catalog.apply(it));
    let snapshot = Snapshot::build(catalog, loaded.revision).map_err(|defects| {
        let all: Vec<_> = defects.iter().map(ToString::to_string).collect();
        let what = format!("revision {} does not compile: {}", loaded.revision, all.join("; "));
        StoreError::Corrupt { what }
    })?;
    let hash = CatalogHash::of(items(snapshot.catalog()));
    let published = Published { incarnation: loaded.incarnation, snapshot, hash: hash.value() };
    Ok(State { published: Arc::new(published), hash, ring: Ring::default() })
}
