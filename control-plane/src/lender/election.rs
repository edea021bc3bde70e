//! Which control plane lends: whoever has the row, as long as its time lasts.
//!
//! The database's clock is the only one that says when a leader's time is over. A leader
//! counts its own from the *sending* of its last renewal that worked, shortened by what
//! clocks may drift: so it stops before another one can begin.

#[cfg(test)]
mod rehearsal;
mod said;

pub(crate) use said::Said;

use crate::{
    publisher::Publisher,
    store::{Claim, QuotaLeader, Store, StoreError, Taken},
};
use domain::{
    limit::{DRIFT_PPM, Holder, lease::leader::Estate},
    time::Timestamp,
};
use runtime::{clock::steady_us, shutdown::Shutdown};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use uuid::Uuid;

/// How long the row is a leader's after a renewal.
const TERM: Duration = Duration::from_secs(3);

/// How often a leader renews.
const RENEW: Duration = Duration::from_secs(1);

/// When one that failed is tried again: two more have to fit into the term.
const RENEW_AGAIN: Duration = Duration::from_millis(200);

/// How often the others look whether the row is free.
const LOOK: Duration = Duration::from_millis(500);

/// How often one that has let go looks who is next.
const LOOK_FOR_NEXT: Duration = Duration::from_millis(200);

/// Longest wait for the database, so that a renewal can be tried again within the term.
const PATIENCE: Duration = Duration::from_millis(700);

/// Longest wait for the database at the planned end: there is more to be written, and
/// nothing that has to be in time.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Who lends, as far as is known here.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Nobody that we know of.
    Nobody,
    /// Another control plane.
    Other(Rival),
    /// This one.
    Own(Arc<Term>),
}

/// Another control plane that lends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rival {
    /// Where it is reached; empty: nowhere.
    pub(crate) address: String,
    /// Its count.
    pub(crate) epoch: u64,
}

/// The time in which this control plane lends.
#[derive(Debug)]
pub(crate) struct Term {
    /// What it writes under.
    pub(crate) claim: Claim,
    /// When it began, by the database's clock.
    pub(crate) since: Timestamp,
    /// To whom those before have lent.
    pub(crate) recorded: BTreeSet<Holder>,
    /// What the one before left, until it is taken.
    estate: Mutex<Option<Estate>>,
    /// Whether it goes on while the database is away.
    alone: bool,
    /// When it is over unless it is renewed; of this process's clock, in microseconds.
    until_us: AtomicU64,
    over: AtomicBool,
    database_ok: AtomicBool,
    caught_up: bool,
}

impl Term {
    fn new(taken: Taken, holder: Uuid, alone: bool, sent_us: u64) -> Self {
        Self {
            claim: Claim { holder, epoch: taken.epoch },
            since: taken.since,
            recorded: taken.recorded,
            estate: Mutex::new(taken.estate),
            alone,
            until_us: AtomicU64::new(until(sent_us)),
            over: AtomicBool::new(false),
            database_ok: AtomicBool::new(true),
            caught_up: false,
        }
    }

    /// Whether the catalog was read after the term began, and so has every limit of which
    /// anything was lent before.
    pub(crate) const fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// What the one before left: given once, for it is there once.
    pub(crate) fn take_estate(&self) -> Option<Estate> {
        self.estate.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether something may be lent at this moment. To be asked after what is answered
    /// was received, and not before.
    pub(crate) fn lasts(&self, now_us: u64) -> bool {
        let backed = now_us < self.until_us.load(Ordering::Acquire);
        (backed || self.alone) && !self.over.load(Ordering::Acquire)
    }

    /// Whether the last renewal worked.
    pub(crate) fn database_ok(&self) -> bool {
        self.database_ok.load(Ordering::Relaxed)
    }

    /// Whether somebody may be lent something before it is recorded: when that cannot be
    /// done, and nobody else can lead meanwhile.
    pub(crate) fn may_lend_unrecorded(&self) -> bool {
        self.alone && !self.database_ok()
    }

    /// Lends no more, whatever the row says.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }
}

/// When a term ends that was renewed by a message sent at `sent_us`.
fn until(sent_us: u64) -> u64 {
    let term = u64::try_from(TERM.as_micros()).unwrap_or(u64::MAX);
    let drift = term.saturating_mul(DRIFT_PPM) / 1_000_000;
    sent_us.saturating_add(term.saturating_sub(drift))
}

/// Runs for the lead.
pub(crate) struct Election {
    store: Store,
    /// This run of the control plane.
    me: Uuid,
    address: String,
    alone: bool,
    standing: watch::Sender<Standing>,
    publisher: Arc<Publisher>,
    said: Arc<Said>,
}

impl Election {
    pub(crate) fn new(
        store: Store,
        address: String,
        alone: bool,
        standing: watch::Sender<Standing>,
        publisher: Arc<Publisher>,
    ) -> Self {
        let said = Arc::default();
        Self { store, me: Uuid::now_v7(), address, alone, standing, publisher, said }
    }

    /// The way to tell it something.
    pub(crate) fn said(&self) -> Arc<Said> {
        Arc::clone(&self.said)
    }

    /// Runs until it is told that it is enough; then it lets the row go, and looks who has
    /// it next until that is over too, or the process is cut.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut unreachable = false;
        loop {
            if self.said.enough.load(Ordering::Acquire) {
                self.leave().await;
                return self.follow(&shutdown).await;
            }
            let own = self.own();
            let pause = match own {
                Some(term) => {
                    self.renew(&term).await;
                    if term.database_ok() { RENEW } else { RENEW_AGAIN }
                }
                None => {
                    let looked = self.look(&shutdown).await;
                    note_reach(&looked, &mut unreachable);
                    LOOK
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.said.wake.notified() => {}
                () = shutdown.cut() => return,
            }
        }
    }

    fn own(&self) -> Option<Arc<Term>> {
        match &*self.standing.borrow() {
            Standing::Own(term) => Some(Arc::clone(term)),
            Standing::Nobody | Standing::Other(_) => None,
        }
    }

    async fn renew(&self, term: &Arc<Term>) {
        if term.over.load(Ordering::Acquire) {
            return self.retire(term, "another control plane has lent later").await;
        }
        let sent_us = steady_us();
        let renewed = timeout(PATIENCE, self.store.renew_quota_lead(term.claim, TERM)).await;
        match renewed {
            Ok(Ok(true)) => {
                if !term.lasts(steady_us()) {
                    // It was over before the answer came, and may have been noticed.
                    return self.retire(term, "the renewal took too long").await;
                }
                term.until_us.store(until(sent_us), Ordering::Release);
                if !term.database_ok.swap(true, Ordering::Relaxed) {
                    tracing::info!(
                        epoch = term.claim.epoch,
                        "the lead is backed by the database again"
                    );
                }
            }
            Ok(Ok(false)) => self.step_down(term, "another control plane has taken over"),
            Ok(Err(_)) | Err(_) => {
                if term.database_ok.swap(false, Ordering::Relaxed) {
                    tracing::warn!(
                        epoch = term.claim.epoch,
                        goes_on = term.alone,
                        "the lead cannot be renewed: the database does not answer"
                    );
                }
                if !term.lasts(steady_us()) {
                    self.step_down(term, "the database did not renew the lead in time");
                }
            }
        }
    }

    /// Steps down, and lets the row go: nobody has to wait for its end, ourselves first.
    async fn retire(&self, term: &Term, why: &'static str) {
        self.step_down(term, why);
        // If this fails, it ends by itself.
        let _ = timeout(PATIENCE, self.store.give_up_quota_lead(term.claim, None)).await;
    }

    fn step_down(&self, term: &Term, why: &'static str) {
        term.end();
        tracing::warn!(epoch = term.claim.epoch, why, "lend no more");
        self.standing.send_replace(Standing::Nobody);
    }

    /// Takes the row if it is free; else notes whose it is.
    async fn look(&self, shutdown: &Shutdown) -> Result<(), StoreError> {
        let found = answered(self.store.quota_leader()).await?;
        let free = found.as_ref().is_none_or(|it| !it.current);
        if free && !shutdown.is_draining() {
            let sent_us = steady_us();
            let beyond = self.said.beyond.load(Ordering::Acquire);
            let take = self.store.take_quota_lead(self.me, &self.address, TERM, beyond);
            if let Some(taken) = answered(take).await? {
                tracing::info!(epoch = taken.epoch, recorded = taken.recorded.len(), "lend limits");
                let mut term = Term::new(taken, self.me, self.alone, sent_us);
                // What was lent until now is in the catalog by now: what that does not have
                // is younger than this term.
                term.caught_up = self.publisher.refresh().await.is_ok();
                self.standing.send_replace(Standing::Own(Arc::new(term)));
                return Ok(());
            }
        }
        // A term of ours that we have ended is nobody's.
        self.note(found.filter(|it| it.current && it.holder != self.me));
        Ok(())
    }

    fn note(&self, found: Option<QuotaLeader>) {
        let rival = found.map(|it| Rival { address: it.address, epoch: it.epoch });
        self.standing.send_if_modified(|standing| {
            let same = match (&*standing, &rival) {
                (Standing::Other(before), Some(rival)) => before == rival,
                (Standing::Nobody, None) => true,
                _ => false,
            };
            if same {
                return false;
            }
            *standing = rival.map_or(Standing::Nobody, |rival| {
                tracing::info!(epoch = rival.epoch, address = rival.address, "another control plane lends");
                if rival.address.is_empty() {
                    tracing::warn!("it says no address: give it an advertise-url, or proxies of this control plane get no leases");
                }
                Standing::Other(rival)
            });
            true
        });
    }

    /// Proxies that are still here are brought to whoever lends next.
    async fn follow(&self, shutdown: &Shutdown) {
        while !self.said.over.load(Ordering::Acquire) {
            // Who cannot be asked is asked again.
            let _ = self.look(shutdown).await;
            tokio::select! {
                () = sleep(LOOK_FOR_NEXT) => {}
                () = self.said.wake.notified() => {}
                () = shutdown.cut() => return,
            }
        }
    }

    /// Lets the row go, if it is ours.
    async fn leave(&self) {
        let Some(term) = self.own() else { return };
        term.end();
        let estate = self.said.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        let giving_up = self.store.give_up_quota_lead(term.claim, estate.as_ref());
        let left = timeout(LAST_PATIENCE, giving_up).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::info!("the lead could not be handed over: it ends by itself");
        }
        self.standing.send_replace(Standing::Nobody);
    }
}

async fn answered<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Timeout("who lends".to_owned());
    timeout(PATIENCE, asked).await.map_err(late)?
}

/// Said once for each time that it is away.
fn note_reach(looked: &Result<(), StoreError>, unreachable: &mut bool) {
    match looked {
        Ok(()) => *unreachable = false,
        Err(error) => {
            if !std::mem::replace(unreachable, true) {
                tracing::warn!(%error, "who lends limits cannot be read");
            }
        }
    }
}
