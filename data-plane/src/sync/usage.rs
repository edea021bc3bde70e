//! Usage records on their way home: numbered, kept until acknowledged, sent again when lost.
//!
//! A record's place is taken before its request goes upstream, so that nothing is used
//! that cannot be told. Knows no sockets; the `Shipper` says what to send and when.

mod shipper;

pub(super) use shipper::{Shipper, When};

use domain::usage::UsageRecord;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;
use uuid::Uuid;

/// Longest text of a record, in bytes: callers choose what they write in `model`.
const LONGEST_TEXT: usize = 512;

/// The queue between requests and the control plane. Clones share it.
#[derive(Clone)]
pub struct UsageQueue(Arc<Shared>);

struct Shared {
    bound: u64,
    /// Places taken: reserved, or holding a record that is not acknowledged.
    taken: AtomicU64,
    log: Mutex<Log>,
    arrived: Notify,
    emptied: Notify,
}

/// The numbered records that are not acknowledged.
struct Log {
    /// Names the log in which the records are numbered.
    wal: Uuid,
    /// The number of the first record, or of the next one when there is none.
    first: u64,
    records: VecDeque<Arc<UsageRecord>>,
}

impl Log {
    /// The number that the next record will get.
    fn end(&self) -> u64 {
        self.first.saturating_add(self.records.len() as u64)
    }
}

impl UsageQueue {
    /// A queue with `bound` places, and a log that begins at 1.
    pub fn new(bound: u64) -> Self {
        let log = Log { wal: Uuid::now_v7(), first: 1, records: VecDeque::new() };
        Self(Arc::new(Shared {
            bound,
            taken: AtomicU64::new(0),
            log: Mutex::new(log),
            arrived: Notify::new(),
            emptied: Notify::new(),
        }))
    }

    /// Takes a place for the record of a request that is about to go upstream.
    /// `None`: all are taken, the request must be refused.
    pub fn reserve(&self) -> Option<UsageSlot> {
        let bound = self.0.bound;
        let more = |taken: u64| taken.checked_add(1).filter(|it| *it <= bound);
        let taken = self.0.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| UsageSlot(Some(self.clone())))
    }

    /// How many records are not acknowledged.
    pub fn pending(&self) -> u64 {
        self.log().records.len() as u64
    }

    /// The records that are not acknowledged, the oldest first.
    pub fn unacknowledged(&self) -> Vec<Arc<UsageRecord>> {
        self.log().records.iter().cloned().collect()
    }

    /// Waits until every record is acknowledged.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.pending() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Every change leaves the log whole: a panic elsewhere cannot have torn it.
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut record: UsageRecord) {
        clip(&mut record.alias);
        clip(&mut record.model);
        let record = Arc::new(record);
        self.log().records.push_back(record);
        self.0.arrived.notify_one();
    }

    fn free(&self, places: u64) {
        self.0.taken.fetch_sub(places, Ordering::Relaxed);
    }

    /// Forgets every record up to number `durable`: they are in the database.
    fn forget(&self, durable: u64) {
        let mut log = self.log();
        let done = durable.saturating_add(1).saturating_sub(log.first);
        let done = usize::try_from(done).unwrap_or(usize::MAX).min(log.records.len());
        let gone = log.records.drain(..done).len() as u64;
        log.first = log.first.saturating_add(gone);
        let empty = log.records.is_empty();
        drop(log);
        self.free(gone);
        if empty {
            self.0.emptied.notify_waiters();
        }
    }

    /// Starts a new log with the records that are left, numbered from 1.
    fn renumber(&self) {
        let mut log = self.log();
        log.wal = Uuid::now_v7();
        log.first = 1;
    }
}

/// A place in the queue. Dropped without a record, it is free again.
#[must_use = "dropped at once, it reserves nothing"]
pub struct UsageSlot(Option<UsageQueue>);

impl UsageSlot {
    /// Fills the place: the record is kept until it is acknowledged.
    pub fn put(mut self, record: UsageRecord) {
        if let Some(queue) = self.0.take() {
            queue.push(record);
        }
    }
}

impl Drop for UsageSlot {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.free(1);
        }
    }
}

/// Makes a caller's text one that any database takes.
fn clip(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    }
    if text.contains(char::is_control) {
        *text = text.replace(char::is_control, "\u{fffd}");
    }
}

#[cfg(test)]
mod tests;
