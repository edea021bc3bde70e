//! The control-plane side: one session after another, for as long as the proxy lives.
//!
//! Requests never wait for anything here. What they need from it they find in the
//! snapshot cell; what they leave for it they put into the usage queue.

pub mod config_stream;
pub mod freshness;
pub mod heartbeat;
pub mod link;
mod quota;
mod session;
pub mod usage;

use crate::{
    explain::Explainer,
    gateway::SnapshotCell,
    meter::Meter,
    snapshot_cache::{CacheWriter, Cached, SnapshotCache, keep_written},
};
use config_stream::Held;
use domain::id::ProxyId;
use freshness::Freshness;
use heartbeat::LoadProbe;
use link::{Link, Lost};
use quota::Quota;
use runtime::{Process, backoff::Backoff, shutdown::Shutdown};
use session::ComeBackAt;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use usage::UsageQueue;
use uuid::Uuid;

/// The first wait before connecting again, and the longest; a random part of it is waited.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A session that lasted so long was a good one: after it, the waits begin anew. One that
/// is taken in and thrown out at once must not come back without end.
const LASTING: Duration = Duration::from_secs(5);
/// How often the age of the configuration is looked at.
const LOOK_AT_AGE: Duration = Duration::from_millis(500);
/// How often a control plane that stays away is complained about.
const COMPLAIN: Duration = Duration::from_secs(30);
/// Requests that were cut leave their records at the very end: so long they may take to
/// get home. Shorter than what the process is given after the cut.
const AFTER_CUT: Duration = Duration::from_millis(1_500);

/// How long leases that are given back at the end may take to get home.
const GIVE_BACK: Duration = Duration::from_secs(1);

/// What the control-plane side is made of.
pub struct Setup {
    /// How to reach the control plane.
    pub link: Link,
    /// Who we are.
    pub proxy: ProxyId,
    /// Where callers are served, as it is told to operators.
    pub address: String,
    /// Where requests find their snapshot.
    pub cell: SnapshotCell,
    /// Where requests leave their usage.
    pub usage: UsageQueue,
    /// What requests are limited by.
    pub meter: Meter,
    /// What knows how recent requests were decided.
    pub explainer: Arc<Explainer>,
    /// Where snapshots are kept over restarts.
    pub cache: SnapshotCache,
    /// What was kept there.
    pub cached: Option<Cached>,
    /// What the gateway is doing.
    pub load: LoadProbe,
    /// How old the configuration may get; `None`: any age.
    pub max_age: Option<Duration>,
}

/// The control-plane side, ready to run.
pub struct Sync {
    link: Link,
    side: Side,
    shutdown: Shutdown,
}

/// What outlives sessions.
struct Side {
    proxy: ProxyId,
    /// New with every start.
    boot: Uuid,
    address: String,
    held: Option<Held>,
    usage: UsageQueue,
    quota: Quota,
    explainer: Arc<Explainer>,
    freshness: Arc<Freshness>,
    cache: CacheWriter,
    load: LoadProbe,
}

impl Sync {
    /// Puts the cached snapshot, if there is one, before requests at once, and starts
    /// keeping snapshots on disk. The process is not ready until there is a snapshot.
    pub fn prepare(setup: Setup, process: &Process) -> Self {
        let freshness = Freshness::new(setup.cell, process.readiness.clone(), setup.max_age);
        let freshness = Arc::new(freshness);
        let held = setup.cached.map(|it| {
            // A clock that was turned back must not make anything younger than new.
            let age = SystemTime::now().duration_since(it.heard_at).unwrap_or_default();
            let revision = it.held.revision();
            tracing::info!(revision, age_s = age.as_secs(), "starting from the cached snapshot");
            freshness.start_from(it.held.snapshot.clone(), age);
            setup.meter.on_snapshot(&it.held.snapshot);
            it.held
        });
        let (cache, puts) = CacheWriter::pair();
        let writing = keep_written(setup.cache, puts, freshness.clone());
        process.tasks.spawn("snapshot cache", writing);
        let side = Side {
            proxy: setup.proxy,
            boot: Uuid::now_v7(),
            address: setup.address,
            held,
            usage: setup.usage,
            quota: Quota::new(setup.meter),
            explainer: setup.explainer,
            freshness,
            cache,
            load: setup.load,
        };
        Self { link: setup.link, side, shutdown: process.shutdown.clone() }
    }

    /// Keeps a session up until `finish`, then until all usage is acknowledged and what is
    /// held of limits is given back, or the process is cut.
    pub async fn run(mut self, finish: CancellationToken) {
        let usage = self.side.usage.clone();
        let freshness = self.side.freshness.clone();
        let meter = self.side.quota.meter().clone();
        let done = async {
            finish.cancelled().await;
            usage.emptied().await;
            // What does not get home is over by itself when it is not renewed.
            let _ = timeout(GIVE_BACK, meter.give_back()).await;
        };
        let overdue = async {
            self.shutdown.cut().await;
            sleep(AFTER_CUT).await;
        };
        tokio::select! {
            () = sessions(&mut self.side, &self.link) => {}
            () = look_at_age(&freshness) => {}
            () = done => {}
            () = overdue => {}
        }
        let left = usage.pending();
        if left > 0 {
            tracing::error!(left, "usage records are lost: no control plane took them in time");
        }
    }
}

async fn look_at_age(freshness: &Freshness) {
    let mut looks = interval(LOOK_AT_AGE);
    loop {
        looks.tick().await;
        freshness.tick();
    }
}

/// One session after another, for ever.
async fn sessions(side: &mut Side, link: &Link) {
    let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1);
    let mut complained: Option<Instant> = None;
    loop {
        let mut welcome: Option<Instant> = None;
        let parted = session::run(side, link, || welcome = Some(Instant::now())).await;
        side.freshness.lost();
        side.quota.end();
        link.turn();
        if welcome.is_some_and(|it| it.elapsed() >= LASTING) {
            backoff.reset();
            complained = None;
        }
        match parted {
            Ok(ComeBackAt(at)) => sleep_until(at).await,
            Err(lost) => {
                complain(&lost, &mut complained);
                sleep(backoff.next()).await;
            }
        }
    }
}

/// A random part of a time, so that proxies do not come back all at once.
fn random_part(whole: Duration) -> Duration {
    // Without entropy, half is as good as any other part.
    let dice = getrandom::u32().unwrap_or(u32::MAX / 2);
    whole.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

/// Says once that the control plane is lost, and why; then only now and then.
fn complain(lost: &Lost, complained: &mut Option<Instant>) {
    if complained.is_some_and(|it| it.elapsed() < COMPLAIN) {
        tracing::debug!(%lost, "no session with the control plane");
    } else {
        tracing::warn!(%lost, "no session with the control plane: trying on");
        *complained = Some(Instant::now());
    }
}
