//! Brings usage of many proxies into the database, few transactions for many batches.
//!
//! Knows batches and the store. Acknowledges nothing that is not in the database:
//! while that is away, batches wait here, in bounded number, and sessions with them.

use crate::{
    metrics,
    store::{Batch, Durable, Store, StoreError},
};
use runtime::{backoff::Backoff, shutdown::Shutdown};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

/// Most records in one transaction, but for a larger single batch.
const MOST_RECORDS: usize = 5_000;

/// How long a transaction waits for more batches.
const LINGER: Duration = Duration::from_millis(4);

/// Most records that wait here, of all proxies: about 100 MB.
const MOST_WAITING: usize = 400_000;

/// Longest time for one transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a batch will not be acknowledged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The database refuses this very batch.
    #[error("the database refuses the usage records")]
    Refused,
    /// The process ends.
    #[error("the control plane is stopping")]
    Stopping,
}

type Reply = oneshot::Sender<Result<Durable, LedgerError>>;

struct Submitted {
    batch: Batch,
    reply: Reply,
    /// The batch's place among those that wait; given back with the answer.
    _place: OwnedSemaphorePermit,
}

/// The way into the ledger. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    sender: mpsc::UnboundedSender<Submitted>,
    places: Arc<Semaphore>,
}

/// The ledger's own work: [`Self::run`] it.
pub(crate) struct Books {
    receiver: mpsc::UnboundedReceiver<Submitted>,
    store: Store,
}

/// A ledger, and the work that serves it.
pub(crate) fn open(store: Store) -> (Ledger, Books) {
    // Bounded by the places, of which every batch holds as many as it has records.
    let (sender, receiver) = mpsc::unbounded_channel();
    let places = Arc::new(Semaphore::new(MOST_WAITING));
    (Ledger { sender, places }, Books { receiver, store })
}

impl Ledger {
    /// Hands a batch over, waiting while too many are here already. The answer says how
    /// far its log is in the database, and comes once it is there.
    pub(crate) async fn submit(
        &self,
        batch: Batch,
    ) -> oneshot::Receiver<Result<Durable, LedgerError>> {
        let (reply, answer) = oneshot::channel();
        let wanted = batch.records.len().clamp(1, MOST_WAITING);
        let places = u32::try_from(wanted).unwrap_or(u32::MAX);
        // An error here is a closed semaphore, which ours never is, or a ledger that has
        // ended: then the answer never comes, which its receiver sees.
        if let Ok(place) = Arc::clone(&self.places).acquire_many_owned(places).await {
            let _ = self.sender.send(Submitted { batch, reply, _place: place });
        }
        answer
    }
}

impl Books {
    /// Writes until nobody can hand over batches any more, or there is no more time.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        while let Some(first) = self.receiver.recv().await {
            let together = self.gather(first).await;
            tokio::select! {
                () = self.settle(together) => {}
                () = shutdown.cut() => return,
            }
        }
    }

    async fn gather(&mut self, first: Submitted) -> Vec<Submitted> {
        let until = Instant::now() + LINGER;
        let mut records = first.batch.records.len();
        let mut together = vec![first];
        while records < MOST_RECORDS {
            match timeout_at(until, self.receiver.recv()).await {
                Ok(Some(next)) => {
                    records = records.saturating_add(next.batch.records.len());
                    together.push(next);
                }
                Ok(None) | Err(_) => break,
            }
        }
        together
    }

    /// Writes batches and answers them. Goes on until the database takes them, or
    /// refuses them one by one.
    async fn settle(&self, together: Vec<Submitted>) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut told = false;
        let (batches, replies): (Vec<_>, Vec<_>) =
            together.into_iter().map(|it| (it.batch, (it.reply, it._place))).unzip();
        loop {
            match self.write(batches.clone()).await {
                Ok(durable) => {
                    for (batch, (reply, _)) in batches.iter().zip(replies) {
                        let found = durable.iter().find(|it| it.wal_id == batch.wal_id);
                        let _ = reply.send(found.copied().ok_or(LedgerError::Refused));
                    }
                    return;
                }
                Err(StoreError::Unavailable(why) | StoreError::Timeout(why)) => {
                    metrics::usage_retried();
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%why, "usage waits for the database");
                    }
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(error) if batches.len() == 1 => {
                    tracing::error!(%error, "usage records are refused: their proxy keeps them");
                    for (reply, _) in replies {
                        let _ = reply.send(Err(LedgerError::Refused));
                    }
                    return;
                }
                Err(error) => {
                    // One of them is at fault, and must not keep the others out.
                    tracing::warn!(%error, batches = batches.len(), "write batches one by one");
                    for (batch, (reply, _place)) in batches.into_iter().zip(replies) {
                        let alone = Submitted { batch, reply, _place };
                        Box::pin(self.settle(vec![alone])).await;
                    }
                    return;
                }
            }
        }
    }

    async fn write(&self, batches: Vec<Batch>) -> Result<Vec<Durable>, StoreError> {
        let records = batches.iter().map(|it| it.records.len()).sum();
        let begun = Instant::now();
        let written = timeout(PATIENCE, self.store.ingest_usage(batches)).await;
        let durable =
            written.map_err(|_| StoreError::Timeout("write usage records".to_owned()))??;
        metrics::usage_written(records, begun.elapsed());
        Ok(durable)
    }
}
