//! May we, here and now: what this proxy holds of limits, and who waits for it.
//!
//! A request takes of all its limits or of none. What is held here lets it through without
//! asking anybody; where it does not suffice, the leader is asked, once for all who wait,
//! and not waited for longer than `waiting` says. Knows of requests only what they take.

mod atomic {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}
mod cell;
mod cells;
mod gate;
mod inflow;
mod mail;
mod purse;
mod queue;
mod reservation;
mod reserve;
mod tat;
mod waiting;

pub use purse::Letter;
pub use queue::Priority;
pub use reservation::{Part, Reservation, ShortWhy, Shortage, Verdict, Want};

use crate::metrics::limits::LimitMetrics;
use cell::Cell;
use cells::Cells;
use domain::{
    catalog::Limit,
    id::LimitId,
    limit::{hold::View, supply::Supply},
};
use reserve::{Asking, Found};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// Microseconds of a clock that goes on while the process is stopped, and never back.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Proxies that share what is set aside, until the settings say how many.
const FALLBACK_PROXIES: u32 = 16;

/// What this proxy holds of limits. Clones share it.
#[derive(Clone, Debug)]
pub struct Meter {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    cells: Cells,
    /// What the next questions are about.
    asking: Mutex<Vec<Arc<Cell>>>,
    asked: Notify,
    /// Something was told to the leader, or heard from it.
    turn: Notify,
    connected: AtomicBool,
    epoch: AtomicU64,
    /// When the leader was last told something, and the latest such time that it answered.
    told_us: AtomicU64,
    answered_us: AtomicU64,
    /// No lease that was here and is forgotten had a greater one.
    incarnations: AtomicU32,
    proxies: AtomicU32,
    metrics: LimitMetrics,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("limits", &self.cells.len()).finish_non_exhaustive()
    }
}

impl Meter {
    /// Holds nothing, and can ask nobody yet.
    pub fn new(clock: Clock) -> Self {
        let inner = Inner {
            clock,
            cells: Cells::new(),
            asking: Mutex::default(),
            asked: Notify::new(),
            turn: Notify::new(),
            connected: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            told_us: AtomicU64::new(0),
            answered_us: AtomicU64::new(0),
            incarnations: AtomicU32::new(0),
            proxies: AtomicU32::new(FALLBACK_PROXIES),
            metrics: LimitMetrics::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes of all limits, or of none. Each may be asked for once.
    ///
    /// Asks nobody where what is held suffices. Else it waits for the leader at most 50 ms,
    /// and for room as long as the limit's `queue_ms` says. Dropped, it leaves no trace.
    ///
    /// # Errors
    /// [`Shortage`]: which limit does not let it through, and until when. Nothing is held.
    pub async fn reserve(
        &self,
        wants: &[Want<'_>],
        priority: Priority,
    ) -> Result<Reservation, Box<Shortage>> {
        self.reserve_by(wants, priority, true).await
    }

    /// The same for who has somewhere else to go: it waits for the leader's answer, but for
    /// no room, whatever `queue_ms` says.
    ///
    /// # Errors
    /// [`Shortage`], as above.
    pub async fn reserve_now(
        &self,
        wants: &[Want<'_>],
        priority: Priority,
    ) -> Result<Reservation, Box<Shortage>> {
        self.reserve_by(wants, priority, false).await
    }

    async fn reserve_by(
        &self,
        wants: &[Want<'_>],
        priority: Priority,
        queues: bool,
    ) -> Result<Reservation, Box<Shortage>> {
        let now_us = self.inner.now_us();
        let found = Found::default();
        let asking = Asking { wants, priority, waited_ms: 0, found, place: None };
        match self.inner.take_all(now_us, &asking) {
            Ok(parts) => {
                self.inner.count_trials(now_us, &parts);
                Ok(Reservation::new(Arc::clone(&self.inner), parts))
            }
            Err(stopped) => Box::pin(self.wait_for_all(wants, priority, queues, stopped)).await,
        }
    }

    /// How these limits stand here. One that nobody has asked for yet is left out.
    pub fn standing(&self, limits: &[&Arc<Limit>]) -> Vec<(Arc<Limit>, View)> {
        let now_us = self.inner.now_us();
        let view = |limit: &&Arc<Limit>| {
            let cell = self.inner.cells.of(limit.id)?;
            let view = cell.lock().view(now_us);
            Some((Arc::clone(limit), view))
        };
        limits.iter().filter_map(view).collect()
    }

    /// How much of a limit is used over all proxies, in millionths, as last heard.
    pub fn used_ppm(&self, limit: LimitId, generation: u32) -> Option<u32> {
        let cell = self.inner.cells.of(limit).filter(|it| it.of.generation == generation)?;
        let view = cell.lock().view(self.inner.now_us());
        (view.seq > 0).then_some(view.used_ppm)
    }
}

impl Inner {
    fn now_us(&self) -> u64 {
        (self.clock)()
    }

    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    fn fallback_proxies(&self) -> u64 {
        self.proxies.load(Ordering::Relaxed).into()
    }

    /// The cell of a limit; `None` for one that looks at each request alone. Who decides by
    /// an older revision goes by the newer limit.
    fn cell_of(&self, limit: &Arc<Limit>, now_us: u64) -> Option<Arc<Cell>> {
        let suits = |cell: &Cell| limit.generation <= cell.of.generation;
        match self.cells.of(limit.id) {
            Some(cell) if suits(&cell) => Some(cell),
            Some(_) | None => self.open(limit, now_us, suits),
        }
    }

    #[cold]
    fn open(
        &self,
        limit: &Arc<Limit>,
        now_us: u64,
        suits: impl Fn(&Cell) -> bool,
    ) -> Option<Arc<Cell>> {
        let supply = Supply::of(limit)?;
        let make = |old: Option<&Arc<Cell>>| {
            if let Some(old) = old {
                let incarnation = old.lock().retire();
                self.incarnations.fetch_max(incarnation, Ordering::Relaxed);
            }
            let incarnation = self.incarnations.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            let cell = Cell::new(Arc::clone(limit), supply, incarnation, now_us);
            cell.lock().on_epoch(now_us, self.epoch.load(Ordering::Acquire));
            Arc::new(cell)
        };
        Some(self.cells.open(limit.id, suits, make))
    }
}

// Here and not in `gate`, so that the model checker can take that file as it is.
#[cfg(test)]
#[path = "meter/gate/tests.rs"]
mod gate_tests;

#[cfg(test)]
mod tests;
