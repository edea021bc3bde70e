//! What the meter says to the leader, and what it hears: for the session with the control
//! plane, which carries it.

use super::{
    Inner, Meter,
    cell::Cell,
    purse::{Letter, Word},
};
use domain::{
    catalog::Limit,
    id::LimitId,
    limit::{LeaseOf, hold::Head, message::Grants},
    snapshot::Snapshot,
};
use std::sync::{Arc, MutexGuard, PoisonError, atomic::Ordering};

/// Most leases and chunks that one message tells of. Beyond, it is not told in one message
/// what all there is, and a new leader waits until leases are over.
const LETTER_MAX: usize = 8_192;

impl Inner {
    /// Sees that the leader is asked for what is wanted of this limit, if it is time to.
    pub(super) fn ask_for(&self, cell: &Arc<Cell>) {
        let mut state = cell.lock();
        if state.listed || !state.should_ask(self.now_us()) {
            return;
        }
        state.listed = true;
        drop(state);
        self.asking().push(Arc::clone(cell));
        self.asked.notify_one();
    }

    /// A letter was written, and is about to be sent.
    fn told(&self, now_us: u64) {
        self.told_us.fetch_max(now_us, Ordering::AcqRel);
        self.turn.notify_waiters();
    }

    fn asking(&self) -> MutexGuard<'_, Vec<Arc<Cell>>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, head: Head, of: LeaseOf, word: Word<'_>) {
        let Some(cell) = self.cells.of(of.limit).filter(|it| it.of == of) else { return };
        cell.lock().hear(self.now_us(), head, word);
        // It may have to be told at once how the answer was taken.
        self.ask_for(&cell);
    }

    fn forget(&self, cell: &Arc<Cell>) {
        let incarnation = cell.lock().retire();
        self.incarnations.fetch_max(incarnation, Ordering::Relaxed);
        self.cells.forget(cell);
    }
}

impl Meter {
    /// Waits until the leader is to be asked for something.
    pub async fn asked(&self) {
        self.inner.asked.notified().await;
    }

    /// What the leader is to be asked for now.
    pub fn questions(&self) -> Letter {
        let cells = std::mem::take(&mut *self.inner.asking());
        let now_us = self.inner.now_us();
        let mut letter = Letter { told_us: now_us, ..Letter::default() };
        for cell in cells {
            let mut state = cell.lock();
            // Who no longer waits wants nothing: it was told in between, or gave up.
            if state.listed && state.should_ask(now_us) {
                state.tell(now_us, &mut letter);
            }
            state.listed = false;
        }
        self.inner.told(now_us);
        letter
    }

    /// All that is held, in one letter if it fits; nothing at all is told, too. What nobody
    /// has asked for for long is given up by it.
    pub fn renewals(&self) -> Vec<Letter> {
        let inner = &self.inner;
        let now_us = inner.now_us();
        let cells = inner.cells.all();
        inner.metrics.leases(cells.len());
        let whole = cells.len() <= LETTER_MAX;
        let empty = || Letter { whole, told_us: now_us, ..Letter::default() };
        if cells.is_empty() {
            return vec![empty()];
        }
        let mut letters = Vec::new();
        for pieces in cells.chunks(LETTER_MAX) {
            let mut letter = empty();
            for cell in pieces {
                let mut state = cell.lock();
                if state.is_idle(now_us) {
                    state.release();
                }
                state.tell(now_us, &mut letter);
                let spent = state.is_spent(now_us);
                drop(state);
                if spent {
                    inner.forget(cell);
                }
            }
            letters.push(letter);
        }
        inner.told(now_us);
        letters
    }

    /// Gives all that is held back to the leader, and waits until it has taken it: what a
    /// process that ends has still on the way is lost, and the next leader would wait for us.
    /// For the end, when nobody asks any more.
    pub async fn give_back(&self) {
        let cells = self.inner.cells.all();
        if cells.is_empty() || !self.inner.is_connected() {
            return;
        }
        for cell in &cells {
            cell.lock().release();
            self.inner.ask_for(cell);
        }
        loop {
            let turn = self.inner.turn.notified();
            if cells.iter().all(|it| it.lock().is_released()) {
                break;
            }
            turn.await;
        }
        // They are told by now. Not every word of the leader is an answer to that: others
        // are on the way all the time.
        let told_us = self.inner.told_us.load(Ordering::Acquire);
        loop {
            let turn = self.inner.turn.notified();
            if told_us <= self.inner.answered_us.load(Ordering::Acquire) {
                return;
            }
            turn.await;
        }
    }

    /// How many limits are in use here.
    pub fn in_use(&self) -> usize {
        self.inner.cells.len()
    }

    /// How many requests wait for limits here.
    pub fn waiting(&self) -> usize {
        self.inner.cells.all().iter().map(|it| it.lock().waiting()).sum()
    }

    /// A session with a control plane has begun.
    pub fn on_connected(&self) {
        self.inner.connected.store(true, Ordering::Release);
    }

    /// There is no session: nobody can be asked.
    pub fn on_lost(&self) {
        self.inner.connected.store(false, Ordering::Release);
        let now_us = self.inner.now_us();
        for cell in self.inner.cells.all() {
            cell.lock().on_lost(now_us);
        }
    }

    /// There is a new leader.
    pub fn on_epoch(&self, epoch: u64) {
        self.inner.epoch.store(epoch, Ordering::Release);
        let now_us = self.inner.now_us();
        for cell in self.inner.cells.all() {
            cell.lock().on_epoch(now_us, epoch);
        }
    }

    /// What the leader lends; of the present epoch.
    pub fn on_grants(&self, grants: &Grants) {
        let head = Head::of(grants);
        if let Some(told_us) = head.reply_to_us {
            self.inner.answered_us.fetch_max(told_us, Ordering::AcqRel);
        }
        self.inner.turn.notify_waiters();
        for grant in &grants.grants {
            self.inner.hear(head, grant.of, Word::Lease(grant));
        }
        for grant in &grants.chunks {
            self.inner.hear(head, grant.of, Word::Chunk(grant));
        }
    }

    /// Requests go by this snapshot from now on.
    pub fn on_snapshot(&self, snapshot: &Snapshot) {
        let proxies = snapshot.catalog().settings.fallback_proxies;
        self.on_limits(proxies, |id| snapshot.limit(id).cloned());
    }

    /// The limits were changed: what is held of one that is gone, or was reset, is void.
    pub(super) fn on_limits(
        &self,
        fallback_proxies: u32,
        limit: impl Fn(LimitId) -> Option<Arc<Limit>>,
    ) {
        self.inner.proxies.store(fallback_proxies, Ordering::Relaxed);
        for cell in self.inner.cells.all() {
            match limit(cell.of.limit) {
                // Put into its place at once: who still decides by the revision before goes
                // by this one, too.
                Some(limit) if cell.of.generation < limit.generation => {
                    self.inner.cell_of(&limit, self.inner.now_us());
                }
                Some(limit) if cell.lock().adopt(&limit) => {}
                Some(_) | None => self.inner.forget(&cell),
            }
        }
    }
}
