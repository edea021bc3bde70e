//! Which snapshot requests may see, by how long no control plane was heard.
//!
//! The one writer of the snapshot cell: nothing is served before there is a
//! snapshot, nor from one that is older than the operator allows.

use crate::gateway::SnapshotCell;
use domain::snapshot::Snapshot;
use metrics::{describe_gauge, gauge};
use runtime::readiness::{Readiness, ReadyGuard};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Keeps the snapshot cell and the proxy's readiness.
pub struct Freshness {
    cell: SnapshotCell,
    readiness: Readiness,
    max_age: Option<Duration>,
    state: Mutex<State>,
}

struct State {
    latest: Option<Arc<Snapshot>>,
    connected: bool,
    /// The age at `since`; it grows from there while not connected.
    age_then: Duration,
    since: Instant,
    /// Held while nothing may be served.
    blocked: Option<ReadyGuard>,
    /// Whether the latest snapshot is kept from requests for its age.
    too_old: bool,
}

impl Freshness {
    /// Nothing held, nobody heard: not ready.
    pub fn new(cell: SnapshotCell, readiness: Readiness, max_age: Option<Duration>) -> Self {
        describe_gauge!("sluice_sync_connected", "Whether a control plane is heard: 1 or 0.");
        describe_gauge!("sluice_config_age_seconds", "How long ago a control plane was heard.");
        describe_gauge!("sluice_config_revision", "The catalog revision that is held.");
        let blocked = readiness.guard("no configuration has arrived yet");
        let state = Mutex::new(State {
            latest: None,
            connected: false,
            age_then: Duration::ZERO,
            since: Instant::now(),
            blocked: Some(blocked),
            too_old: false,
        });
        Self { cell, readiness, max_age, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below leaves the state whole: a panic elsewhere cannot have torn it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A snapshot from the disk, when a control plane was heard `age` ago.
    pub fn start_from(&self, snapshot: Arc<Snapshot>, age: Duration) {
        let mut state = self.state();
        state.age_then = age;
        state.since = Instant::now();
        state.latest = Some(snapshot);
        self.settle(&mut state);
    }

    /// A snapshot from the control plane.
    pub fn hold(&self, snapshot: Arc<Snapshot>) {
        let mut state = self.state();
        state.latest = Some(snapshot);
        self.settle(&mut state);
    }

    /// A control plane is heard, and will be until [`Self::lost`].
    pub fn heard(&self) {
        let mut state = self.state();
        state.connected = true;
        self.settle(&mut state);
    }

    /// No control plane is heard from now on.
    pub fn lost(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.connected) {
            state.age_then = Duration::ZERO;
            state.since = Instant::now();
        }
        self.settle(&mut state);
    }

    /// Looks whether the time has passed; call it every second or so.
    pub fn tick(&self) {
        self.settle(&mut self.state());
    }

    /// Whether a control plane is heard now.
    pub fn is_connected(&self) -> bool {
        self.state().connected
    }

    /// How long ago a control plane was heard.
    pub fn age(&self) -> Duration {
        self.state().age()
    }

    fn settle(&self, state: &mut State) {
        let age = state.age();
        let too_old = state.latest.is_some() && self.max_age.is_some_and(|it| age > it);
        if too_old != state.too_old {
            state.too_old = too_old;
            let age_s = age.as_secs();
            if too_old {
                tracing::error!(
                    age_s,
                    "no control plane was heard for too long: requests are refused"
                );
            } else {
                tracing::info!("the control plane is heard again: requests are served");
            }
        }
        let serve = state.latest.clone().filter(|_| !too_old);
        state.blocked = match (&serve, state.blocked.take()) {
            (Some(_), _) => None,
            (None, guard) if !too_old => guard,
            (None, _) => Some(self.readiness.guard(
                "the configuration is older than max-config-age-ms and no control plane is in reach",
            )),
        };
        let unchanged = match (self.cell.load().as_ref(), &serve) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !unchanged {
            self.cell.store(serve);
        }
        gauge!("sluice_sync_connected").set(f64::from(u8::from(state.connected)));
        gauge!("sluice_config_age_seconds").set(age.as_secs_f64());
        let revision = state.latest.as_ref().map_or(0, |it| it.revision());
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 revisions")]
        gauge!("sluice_config_revision").set(revision as f64);
    }
}

impl State {
    fn age(&self) -> Duration {
        if self.connected {
            Duration::ZERO
        } else {
            self.age_then.saturating_add(self.since.elapsed())
        }
    }
}
