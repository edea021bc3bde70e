//! Writes snapshots behind the session's back: the newest one wins, seldom enough
//! that a busy operator does not keep the disk busy, and once more at the end.

use super::SnapshotCache;
use crate::sync::freshness::Freshness;
use domain::snapshot::Snapshot;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

/// Shortest time between two writes.
const BETWEEN: Duration = Duration::from_secs(1);
/// A write of a large catalog takes long: this many times longer passes before the next.
const REST: u32 = 9;
/// How often it is noted that a control plane is in reach.
const TOUCH: Duration = Duration::from_secs(10);

/// A snapshot and the database that its revision is of.
#[derive(Debug, Clone)]
struct Put {
    incarnation: Uuid,
    snapshot: Arc<Snapshot>,
}

/// What was put last, for [`keep_written`].
pub struct Puts(watch::Receiver<Option<Put>>);

/// Where the session leaves what is to be written. Dropping it lets the writing end.
pub struct CacheWriter(watch::Sender<Option<Put>>);

impl CacheWriter {
    /// The place, and what [`keep_written`] takes from it.
    pub fn pair() -> (Self, Puts) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Puts(receiver))
    }

    /// Has a snapshot written soon, in place of what was waiting.
    pub fn put(&self, incarnation: Uuid, snapshot: Arc<Snapshot>) {
        self.0.send_replace(Some(Put { incarnation, snapshot }));
    }
}

/// Writes what is put, until the [`CacheWriter`] is dropped and its last is written.
pub async fn keep_written(cache: SnapshotCache, puts: Puts, freshness: Arc<Freshness>) {
    let Puts(mut puts) = puts;
    let mut cache = Some(cache);
    let mut next_write = Instant::now();
    loop {
        let touch_at = Instant::now() + TOUCH;
        tokio::select! {
            changed = puts.changed() => if changed.is_err() { break },
            () = sleep_until(touch_at) => {
                if freshness.is_connected() {
                    cache = touch(cache).await;
                }
                continue;
            }
        }
        // Lets further changes come in; the end does not wait.
        while Instant::now() < next_write {
            tokio::select! {
                () = sleep_until(next_write) => {}
                changed = puts.changed() => if changed.is_err() { break },
            }
        }
        let Some(put) = puts.borrow_and_update().clone() else { continue };
        let started = Instant::now();
        cache = write(cache, put).await;
        let took = started.elapsed();
        next_write = Instant::now() + BETWEEN.max(took * REST);
    }
    if freshness.is_connected() {
        touch(cache).await;
    }
}

async fn write(cache: Option<SnapshotCache>, put: Put) -> Option<SnapshotCache> {
    let mut cache = cache?;
    let written = spawn_blocking(move || {
        let result = cache.write(put.incarnation, &put.snapshot);
        (cache, put.snapshot.revision(), result)
    });
    let (cache, revision, result) = written.await.ok()?;
    match result {
        Ok(()) => tracing::debug!(revision, "snapshot cached"),
        Err(error) => tracing::error!(revision, %error, "cannot cache the snapshot"),
    }
    Some(cache)
}

async fn touch(cache: Option<SnapshotCache>) -> Option<SnapshotCache> {
    let cache = cache?;
    let touched = spawn_blocking(move || {
        let result = cache.touch();
        (cache, result)
    });
    let (cache, result) = touched.await.ok()?;
    if let Err(error) = result {
        tracing::warn!(%error, "cannot note on the cached snapshot that it is fresh");
    }
    Some(cache)
}
