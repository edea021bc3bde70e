//! Does the leader's paper work: holders into the book, windows' amounts out of the ledger.
//!
//! Knows the store. One task, so that what is ordered first is done first; what waits is
//! done together, in few transactions. Whoever orders goes on meanwhile.

use crate::{
    metrics,
    store::{Claim, Store, WindowKey, WindowOrder, WindowState},
};
use domain::limit::Holder;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Most errands in one go.
const MOST_TOGETHER: usize = 512;

/// Longest time of one transaction: who waits for it is told that it failed, and tries again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the leader wants of the database.
#[derive(Debug)]
pub(super) enum Errand {
    /// Record this holder before anything is lent to it.
    Record(Holder),
    /// Forget these holders, whose leases are over; and all of earlier leaders.
    Forget {
        /// These.
        holders: Vec<Holder>,
        /// And all that only earlier leaders have recorded.
        earlier: bool,
    },
    /// Draw from a window, put back, or count what was used beyond.
    Window(WindowOrder, Sort),
    /// Say when all that was ordered before is done.
    Flush(oneshot::Sender<()>),
}

/// Which of the three an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A draw, maybe of nothing: then only to see the row.
    Draw,
    /// What was drawn and not used goes back.
    PutBack,
    /// What was used and not drawn.
    Owe,
}

/// What became of an errand.
#[derive(Debug)]
pub(super) enum Done {
    /// These holders are recorded.
    Recorded(Vec<Holder>),
    /// These could not be.
    NotRecorded(Vec<Holder>),
    /// A draw; `None`: it failed.
    Drawn(WindowOrder, Option<WindowState>),
    /// What was used beyond could not be counted, or nobody knows whether it was.
    NotOwed(WindowOrder),
    /// The claim is void: another one leads.
    Void,
}

/// The clerk of one term.
pub(super) struct Clerk {
    pub(super) store: Store,
    pub(super) claim: Claim,
    pub(super) errands: mpsc::UnboundedReceiver<Errand>,
    pub(super) done: mpsc::UnboundedSender<Done>,
}

/// Errands of one go.
#[derive(Default)]
struct Heap {
    record: BTreeSet<Holder>,
    forget: BTreeSet<Holder>,
    forget_earlier: bool,
    orders: Vec<(WindowOrder, Sort)>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Clerk {
    /// Works until nobody has errands any more.
    pub(super) async fn run(mut self) {
        let mut together = Vec::new();
        while self.errands.recv_many(&mut together, MOST_TOGETHER).await > 0 {
            let heap = Heap::of(together.drain(..));
            self.holders(&heap).await;
            for batch in apart(heap.orders) {
                self.windows(batch).await;
            }
            for flush in heap.flushes {
                // Whoever does not wait any more need not know.
                let _ = flush.send(());
            }
        }
    }

    async fn holders(&self, heap: &Heap) {
        if heap.forget_earlier || !heap.forget.is_empty() {
            let holders: Vec<_> = heap.forget.iter().copied().collect();
            let forgotten =
                self.store.forget_quota_holders(self.claim, &holders, heap.forget_earlier);
            // Who is not forgotten is at worst waited for by the next leader.
            let _ = timeout(PATIENCE, forgotten).await;
        }
        if heap.record.is_empty() {
            return;
        }
        let holders: Vec<_> = heap.record.iter().copied().collect();
        let recorded =
            timeout(PATIENCE, self.store.record_quota_holders(self.claim, &holders)).await;
        self.tell(match recorded {
            Ok(Ok(true)) => Done::Recorded(holders),
            Ok(Ok(false)) => Done::Void,
            Ok(Err(_)) | Err(_) => Done::NotRecorded(holders),
        });
    }

    async fn windows(&self, batch: Vec<(WindowOrder, Sort)>) {
        let orders: Vec<_> = batch.iter().map(|(order, _)| *order).collect();
        let ordered = timeout(PATIENCE, self.store.order_windows(self.claim, &orders)).await;
        let states = match ordered {
            Ok(Ok(Some(states))) => Some(states),
            Ok(Ok(None)) => return self.tell(Done::Void),
            Ok(Err(error)) => {
                tracing::debug!(%error, orders = orders.len(), "order windows");
                None
            }
            Err(_) => None,
        };
        if states.is_none() {
            metrics::window_orders_failed(orders.len());
        }
        for (order, sort) in batch {
            let state = states.as_ref().and_then(|it| it.get(&order.key)).copied();
            match (sort, state) {
                (Sort::Draw, state) => self.tell(Done::Drawn(order, state)),
                // To count it twice is safe, not to count it is not.
                (Sort::Owe, None) => self.tell(Done::NotOwed(order)),
                // To put back twice is not safe: what may be lost is given up.
                (Sort::Owe, Some(_)) | (Sort::PutBack, _) => {}
            }
        }
    }

    fn tell(&self, done: Done) {
        // Nobody listens any more: the term is over.
        let _ = self.done.send(done);
    }
}

impl Heap {
    fn of(errands: impl Iterator<Item = Errand>) -> Self {
        let mut heap = Self::default();
        for errand in errands {
            match errand {
                Errand::Record(holder) => {
                    heap.record.insert(holder);
                }
                Errand::Forget { holders, earlier } => {
                    heap.forget_earlier |= earlier;
                    heap.forget.extend(holders);
                }
                Errand::Window(order, sort) => heap.orders.push((order, sort)),
                Errand::Flush(told) => heap.flushes.push(told),
            }
        }
        heap
    }
}

/// Orders in batches, in which no window comes twice, and each window's in their order.
fn apart(orders: Vec<(WindowOrder, Sort)>) -> Vec<Vec<(WindowOrder, Sort)>> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut seen: BTreeMap<WindowKey, usize> = BTreeMap::new();
    for order in orders {
        let turn = seen.entry(order.0.key).or_default();
        match batches.get_mut(*turn) {
            Some(batch) => batch.push(order),
            None => batches.push(vec![order]),
        }
        *turn += 1;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::LimitId;
    use uuid::Uuid;

    fn order(limit: u128, want_milli: u64) -> (WindowOrder, Sort) {
        let limit = LimitId::from_uuid(Uuid::from_u128(limit));
        let order = WindowOrder {
            key: WindowKey { limit, generation: 0, start: 0 },
            total_milli: 10,
            ends_at: None,
            want_milli,
            back_milli: 0,
            owe_milli: 0,
        };
        (order, Sort::Draw)
    }

    #[test]
    fn a_window_comes_once_in_a_batch_and_in_its_order() {
        let batches = apart(vec![order(1, 1), order(2, 2), order(1, 3), order(1, 4), order(2, 5)]);
        let wants: Vec<Vec<_>> =
            batches.iter().map(|it| it.iter().map(|(it, _)| it.want_milli).collect()).collect();
        assert_eq!(wants, [vec![1, 2], vec![3, 5], vec![4]]);
    }
}
