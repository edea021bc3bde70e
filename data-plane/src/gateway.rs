//! What every request may borrow: the snapshot, the bounds, what is held of limits, the
//! usage queue, the counters.

use crate::{
    config::HttpConfig,
    explain::{Explainer, KEPT},
    http::body,
    meter::Meter,
    metrics::Metrics,
    owners::Owners,
    sync::usage::UsageQueue,
    upstream::{Clients, Fetcher, Headroom, Thresholds},
};
use arc_swap::ArcSwapOption;
use domain::snapshot::Snapshot;
use runtime::Process;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use crate::upstream::{Bounds as FetchBounds, Reach};

/// What requests are decided by; `None` until the first snapshot has arrived.
pub type SnapshotCell = Arc<ArcSwapOption<Snapshot>>;

/// What all workers of a proxy share.
pub struct Gateway {
    pub(crate) http: HttpConfig,
    pub(crate) usage: UsageQueue,
    pub(crate) process: Process,
    pub(crate) metrics: Metrics,
    pub(crate) meter: Meter,
    /// How recent requests were decided.
    pub explainer: Arc<Explainer>,
    pub(crate) headroom: Headroom,
    pub(crate) thresholds: Thresholds,
    pub(crate) owners: Owners,
    pub(crate) fetcher: Fetcher,
    /// Room for callers' connections.
    pub(crate) connections: Arc<Semaphore>,
    /// Room for request bodies and what is fetched for them, in units of [`body::ROOM_UNIT_BYTES`].
    pub(crate) buffered: Arc<Semaphore>,
    snapshot: SnapshotCell,
    drains: Arc<Semaphore>,
    in_flight: AtomicU64,
    requests: AtomicU64,
}

impl Gateway {
    /// A gateway that serves what `snapshot` holds at the time of each request. `fetching`
    /// bounds what it fetches for callers where the settings let it.
    pub fn new(
        http: HttpConfig,
        fetching: FetchBounds,
        snapshot: SnapshotCell,
        usage: UsageQueue,
        meter: Meter,
        process: Process,
    ) -> Arc<Self> {
        let room = |bound: usize| Arc::new(Semaphore::new(bound.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            connections: room(http.max_connections),
            drains: room(http.max_drains),
            buffered: room(http.max_buffered_bytes / body::ROOM_UNIT_BYTES),
            metrics: Metrics::new(),
            meter,
            explainer: Arc::new(Explainer::new(KEPT, Arc::clone(&snapshot))),
            headroom: Headroom::default(),
            thresholds: Thresholds::default(),
            owners: Owners::default(),
            fetcher: Fetcher::new(fetching),
            in_flight: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            http,
            usage,
            process,
            snapshot,
        })
    }

    /// What requests are limited by: for the side that speaks with the control plane.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Requests that are being answered now.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests since the start, refused ones included.
    pub fn requests_total(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The snapshot of now: ask once a request, and decide all of it by that one.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Whether there is no more time to answer anybody.
    pub(crate) fn is_cut(&self) -> bool {
        self.process.shutdown.is_cut()
    }

    /// Counts a request as in flight for as long as the result lives.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.metrics.in_flight.increment(1.0);
        InFlight(Arc::clone(self))
    }

    /// Leave to listen to an upstream whose caller has gone; `None`: too many do.
    pub(crate) fn begin_drain(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.drains).try_acquire_owned().ok()
    }

    /// Waits until no upstream is listened to any more.
    pub(crate) async fn drains_ended(&self) {
        let all = u32::try_from(self.http.max_drains).unwrap_or(u32::MAX);
        // Fails only on a closed semaphore, and this one is never closed.
        let _ = self.drains.acquire_many(all).await;
    }
}

/// A request that is being answered.
pub(crate) struct InFlight(Arc<Gateway>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.in_flight.decrement(1.0);
    }
}

/// What one worker has for itself besides: its connections to upstreams never change threads.
pub(crate) struct Worker {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clients: Clients,
}

impl Worker {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        let clients = Clients::new(gateway.process.tasks.clone());
        Self { gateway, clients }
    }
}
