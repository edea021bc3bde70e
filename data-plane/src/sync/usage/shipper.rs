//! What of the log to send on one session, and when: in order, in batches, never more
//! on the way than the control plane wants, and again from where it lost the thread.
//!
//! The control plane answers every batch once, in the order in which they came, with how
//! far the log is in the database by then.

use super::UsageQueue;
use prost::Message;
use proto::{
    convert::usage::record_to,
    sync::v1::{UsageAck, UsageBatch},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Most records in a batch.
const BATCH: u64 = 500;
/// Most bytes in a batch, unless its one record is larger.
const BATCH_BYTES: usize = 1 << 20;
/// How long a record may wait for others before it is sent.
const GATHER: Duration = Duration::from_millis(20);
/// Most batches whose answers are kept track of.
const MOST_UNANSWERED: usize = 10_000;

/// When there will be something to send. All of it may also change with an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) enum When {
    /// A batch is due.
    Now,
    /// At this time.
    At(Instant),
    /// When a record arrives.
    OnArrival,
    /// When something is acknowledged: all that may be on the way is.
    OnAck,
}

/// The state of shipping on one session.
pub(in crate::sync) struct Shipper {
    queue: UsageQueue,
    /// Most records on the way.
    window: u64,
    /// The next number to send.
    next: u64,
    /// The last number of each batch that was sent and not answered; `None` where it was
    /// sent again since, and its answer says nothing any more.
    unanswered: VecDeque<Option<u64>>,
    /// The highest number that was acknowledged on this session.
    acknowledged: Option<u64>,
    /// When the oldest unsent record has waited long enough.
    flush_at: Option<Instant>,
}

impl Shipper {
    /// Starts with the first record that is not acknowledged, wherever that was sent before.
    pub(in crate::sync) fn new(queue: UsageQueue, window: u32) -> Self {
        let next = queue.log().first;
        Self {
            queue,
            window: u64::from(window.max(1)),
            next,
            unanswered: VecDeque::new(),
            acknowledged: None,
            flush_at: None,
        }
    }

    /// Waits for a record to arrive.
    pub(in crate::sync) async fn arrival(&self) {
        self.queue.0.arrived.notified().await;
    }

    /// When to ask for the next batch.
    pub(in crate::sync) fn when(&mut self, now: Instant) -> When {
        let (first, end) = {
            let log = self.queue.log();
            (log.first, log.end())
        };
        let unsent = end.saturating_sub(self.next);
        let room = self.window.saturating_sub(self.next.saturating_sub(first));
        if unsent == 0 || room == 0 {
            self.flush_at = None;
            return if unsent == 0 { When::OnArrival } else { When::OnAck };
        }
        let flush_at = *self.flush_at.get_or_insert(now + GATHER);
        if unsent >= BATCH || now >= flush_at { When::Now } else { When::At(flush_at) }
    }

    /// The next batch, if there is anything that may be sent.
    pub(in crate::sync) fn batch(&mut self) -> Option<UsageBatch> {
        let log = self.queue.log();
        let room = self.window.saturating_sub(self.next.saturating_sub(log.first));
        let skip = usize::try_from(self.next.saturating_sub(log.first)).ok()?;
        let most = usize::try_from(room.min(BATCH)).ok()?;
        let records: Vec<_> = log.records.iter().skip(skip).take(most).map(Arc::clone).collect();
        let wal_id = log.wal.as_bytes().to_vec();
        drop(log);
        let mut bytes = 0_usize;
        let mut batch = UsageBatch { wal_id, first_seq: self.next, records: Vec::new() };
        for record in records.iter().map(|it| record_to(it)) {
            bytes = bytes.saturating_add(record.encoded_len());
            if bytes > BATCH_BYTES && !batch.records.is_empty() {
                break;
            }
            batch.records.push(record);
        }
        self.flush_at = None;
        if batch.records.is_empty() {
            return None;
        }
        self.next = self.next.saturating_add(batch.records.len() as u64);
        if self.unanswered.len() < MOST_UNANSWERED {
            self.unanswered.push_back(Some(self.next.saturating_sub(1)));
        }
        Some(batch)
    }

    /// Takes note of what is in the database.
    pub(in crate::sync) fn on_ack(&mut self, ack: &UsageAck, now: Instant) {
        let answered = self.unanswered.pop_front().flatten();
        let (wal, first, end) = {
            let log = self.queue.log();
            (log.wal, log.first, log.end())
        };
        if ack.wal_id != wal.as_bytes() {
            tracing::debug!("an acknowledgement of another log is passed over");
            return;
        }
        if ack.durable_seq >= end {
            let durable_seq = ack.durable_seq;
            tracing::error!(durable_seq, end, "usage is acknowledged that was never sent");
        }
        let durable = ack.durable_seq.min(end.saturating_sub(1));
        let forgotten = first.saturating_sub(1);
        if durable < forgotten {
            self.on_lower(durable, forgotten, now);
            return;
        }
        self.acknowledged = self.acknowledged.max(Some(durable));
        self.queue.forget(durable);
        let from = durable.saturating_add(1);
        self.next = self.next.max(from);
        if answered.is_some_and(|it| it > durable) {
            tracing::info!(from, "usage did not get into the database: sending it again");
            self.go_back(from, now);
        }
    }

    /// Less is in the database than was acknowledged before.
    fn on_lower(&mut self, durable: u64, forgotten: u64, now: Instant) {
        if self.acknowledged.is_some() {
            // Overtaken by a later one of this session.
            return;
        }
        // The database is another one, or was restored to an earlier state. It would wait
        // for ever for records that are gone: the rest begins anew, in a log of its own.
        tracing::warn!(
            durable,
            acknowledged = forgotten,
            "the database has less usage than it had acknowledged: starting a new log"
        );
        self.queue.renumber();
        self.go_back(1, now);
    }

    fn go_back(&mut self, from: u64, now: Instant) {
        self.next = from;
        self.unanswered.iter_mut().for_each(|it| *it = None);
        self.flush_at = Some(now);
    }
}
