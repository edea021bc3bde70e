//! Takes what comes by turns: what proxies say, what the clerk has done, the time.
//!
//! While this control plane lends, the book answers; while another does, everything is
//! forwarded there. Whether the term still lasts is asked after a message was received and
//! before it is answered: never the other way round.

use super::{
    Input, Marker, Peers, Standing, Via, Wanted,
    book::{Book, Figures, Now, Out},
    clerk::{Clerk, Done, Errand},
    election::{Rival, Said, Term},
    link::Link,
};
use crate::{fleet::Fleet, metrics, publisher::Published, store::Store};
use domain::limit::{
    Holder,
    message::{Grants, Sync},
};
use runtime::Process;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};

/// How often what is lent is looked at without a message.
const TICK: Duration = Duration::from_millis(50);

/// How often while somebody waits for what was called in: it is answered within the 50 ms
/// that a request waits.
const HURRY: Duration = Duration::from_millis(5);

/// After so many ticks, routes that lead nowhere are forgotten.
const TICKS_OF_A_SWEEP: u32 = 200;

/// Longest wait for the clerk at the end.
const LAST_ERRANDS: Duration = Duration::from_secs(3);

/// What a teller is made of.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) marker: Marker,
    pub(super) fleet: Fleet,
    pub(super) said: Arc<Said>,
    pub(super) peers: Peers,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) inbox: mpsc::Receiver<Input>,
    pub(super) own_inbox: mpsc::Sender<Input>,
    pub(super) catalog: watch::Receiver<Option<Arc<Published>>>,
    pub(super) process: Process,
}

/// The one task that lends or forwards.
pub(super) struct Teller {
    parts: Parts,
    role: Role,
    /// By which way each holder spoke last.
    routes: HashMap<Holder, Via>,
    ticks: u32,
}

enum Role {
    Idle,
    Leading(Box<Leading>),
    Following(Link),
}

struct Leading {
    book: Book,
    errands: mpsc::UnboundedSender<Errand>,
    done: mpsc::UnboundedReceiver<Done>,
}

impl Teller {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, role: Role::Idle, routes: HashMap::new(), ticks: 0 }
    }

    /// Works until the election is over. While the process drains, only for those who
    /// lend: whoever is still here is brought to the next one.
    pub(super) async fn run(mut self) {
        let shutdown = self.parts.process.shutdown.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hurry = interval(HURRY);
        hurry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut draining = false;
        self.take_standing();
        loop {
            tokio::select! {
                () = shutdown.draining(), if !draining => {
                    draining = true;
                    self.hand_over().await;
                }
                changed = self.parts.standing.changed() => match changed {
                    Ok(()) => self.take_standing(),
                    Err(_) => return self.step_down(),
                },
                Some(done) = self.role.done() => self.lead(|book, now, out| book.done(now, done, out)),
                Some(input) = self.parts.inbox.recv() => self.take(input),
                Ok(()) = self.parts.catalog.changed() => self.take_catalog(),
                _ = tick.tick() => self.tick(),
                _ = hurry.tick(), if self.role.is_awaited() => self.lead(Book::hurry),
            }
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            // A message goes one step at most, and so does the way back: two that take each
            // other for the one that lends would send it to and fro.
            Input::Attached { forwarded: true, .. } | Input::Heard { forwarded: true, .. }
                if matches!(self.role, Role::Following(_)) => {}
            Input::Attached { holder, via, .. } => {
                self.routes.insert(holder, via);
                match &self.role {
                    Role::Idle => {}
                    Role::Following(link) => link.attached(vec![holder]),
                    Role::Leading(_) => {
                        self.lead(|book, now, out| book.greet(now, holder, out));
                    }
                }
            }
            Input::Heard { holder, sync, via, .. } => {
                let known = self.routes.get(&holder).is_some_and(|it| it.same_channel(&via));
                if !known {
                    self.routes.insert(holder, via);
                }
                match &self.role {
                    Role::Leading(_) => self.hear(holder, sync),
                    Role::Following(link) => link.heard(holder, &sync),
                    Role::Idle => {}
                }
            }
            Input::Answered(holder, grants) => self.send(holder, grants),
            Input::Linked => {
                if let Role::Following(link) = &self.role {
                    link.attached(self.here());
                }
            }
            Input::Asked(wanted, reply) => self.show(&wanted, reply),
        }
    }

    fn hear(&mut self, holder: Holder, sync: Sync) {
        let Role::Leading(leading) = &self.role else { return };
        if leading.book.is_unrecorded(holder)
            && let Err(error) = self.parts.marker.set()
        {
            tracing::warn!(%error, "nothing is lent to a new proxy: this cannot be noted in the home folder");
            return;
        }
        metrics::sync_heard();
        self.lead(|book, now, out| book.hear(now, holder, sync, out));
    }

    /// Lets the book do something, if we lend at this very moment, and does what it wants.
    fn lead(&mut self, act: impl FnOnce(&mut Book, Now, &mut Out)) {
        let Role::Leading(leading) = &mut self.role else { return };
        let now = Now::read();
        if !leading.book.term().lasts(now.us) {
            // Over is over, even if a renewal comes through at this moment.
            leading.book.term().end();
            return self.step_down();
        }
        let mut out = Out::default();
        act(&mut leading.book, now, &mut out);
        for errand in out.errands {
            // The clerk lives as long as we lend.
            let _ = leading.errands.send(errand);
        }
        if let Some(epoch) = out.surpassed {
            self.parts.said.surpassed(leading.book.term(), epoch);
        }
        for (holder, grants) in out.sends {
            self.send(holder, grants);
        }
    }

    fn send(&mut self, holder: Holder, grants: Grants) {
        let Some(via) = self.routes.get(&holder) else { return };
        metrics::grants_sent(grants.grants.len().saturating_add(grants.chunks.len()));
        let rates = grants.grants.iter().filter_map(|it| it.denied);
        let windows = grants.chunks.iter().filter_map(|it| it.denied);
        rates.chain(windows).for_each(|it| metrics::limit_denied(it.why));
        // Whoever reads too slowly speaks again: what was lent and not confirmed is sent once
        // more with the answer.
        if via.try_send((holder, grants)).is_err() {
            metrics::grants_dropped();
        }
    }

    fn take_standing(&mut self) {
        let standing = self.parts.standing.borrow_and_update().clone();
        match standing {
            Standing::Nobody => self.step_down(),
            Standing::Other(rival) => self.follow(&rival),
            Standing::Own(term) => self.step_up(&term),
        }
    }

    fn step_up(&mut self, term: &Arc<Term>) {
        let same = |leading: &Leading| Arc::ptr_eq(leading.book.term(), term);
        if matches!(&self.role, Role::Leading(leading) if same(leading)) {
            return;
        }
        if !term.lasts(Now::read().us) {
            return;
        }
        let Some(catalog) = self.parts.catalog.borrow_and_update().clone() else {
            // It comes before anybody leads; if not, this is looked at again with it.
            return;
        };
        let (errands, theirs) = mpsc::unbounded_channel();
        let (ours, done) = mpsc::unbounded_channel();
        let clerk = Clerk {
            store: self.parts.store.clone(),
            claim: term.claim,
            errands: theirs,
            done: ours,
        };
        self.parts.process.tasks.spawn("clerk", clerk.run());
        let unrecorded = self.parts.marker.is_set();
        let book = Book::open(Now::read(), Arc::clone(term), catalog, unrecorded);
        metrics::leading(Some((term.claim.epoch, term.since)));
        self.role = Role::Leading(Box::new(Leading { book, errands, done }));
        for holder in self.here() {
            self.lead(|book, now, out| book.greet(now, holder, out));
        }
    }

    /// Whose streams are open: one who is gone would be waited for by the next leader.
    fn here(&self) -> Vec<Holder> {
        self.routes.iter().filter(|(_, via)| !via.is_closed()).map(|(it, _)| *it).collect()
    }

    fn step_down(&mut self) {
        if !matches!(self.role, Role::Idle) {
            metrics::leading(None);
            self.role = Role::Idle;
        }
    }

    fn follow(&mut self, rival: &Rival) {
        self.step_down();
        if rival.address.is_empty() {
            return;
        }
        let parts = &self.parts;
        match Link::open(&parts.peers, rival, &parts.fleet, parts.own_inbox.clone(), &parts.process)
        {
            Ok(link) => self.role = Role::Following(link),
            Err(error) => {
                tracing::error!(%error, address = rival.address, "the control plane that lends cannot be reached")
            }
        }
    }

    fn take_catalog(&mut self) {
        let catalog = self.parts.catalog.borrow_and_update().clone();
        if matches!(self.role, Role::Idle) {
            return self.take_standing();
        }
        if let Some(catalog) = catalog {
            self.lead(|book, now, out| book.take(now, catalog, out));
        }
    }

    fn tick(&mut self) {
        self.lead(Book::tick);
        if let Role::Leading(leading) = &self.role
            && self.parts.marker.is_set()
            && leading.book.has_everybody_recorded()
        {
            self.parts.marker.clear();
        }
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS_OF_A_SWEEP) {
            self.routes.retain(|_, via| !via.is_closed());
        }
    }

    fn show(&self, wanted: &Wanted, reply: oneshot::Sender<Figures>) {
        let Role::Leading(leading) = &self.role else { return };
        // Whoever asked may be gone.
        let _ = reply.send(leading.book.figures(Now::read(), wanted));
    }

    /// The planned end: what is drawn and not lent goes back, and then the lead may go.
    async fn hand_over(&mut self) {
        let mut left = None;
        if let Role::Leading(mut leading) = std::mem::replace(&mut self.role, Role::Idle) {
            left = leading.book.leave(Now::read());
            let closing = timeout(LAST_ERRANDS, leading.close());
            if closing.await.is_err() {
                tracing::info!(
                    "what was drawn of limits and not used could not be put back in time"
                );
            }
            metrics::leading(None);
        }
        self.parts.said.enough(left);
    }
}

impl Role {
    /// Whether somebody waits for what others were asked to give back.
    fn is_awaited(&self) -> bool {
        matches!(self, Self::Leading(leading) if leading.book.is_awaited())
    }

    /// The next thing that the clerk has done.
    async fn done(&mut self) -> Option<Done> {
        match self {
            Self::Leading(leading) => leading.done.recv().await,
            Self::Idle | Self::Following(_) => std::future::pending().await,
        }
    }
}

impl Leading {
    async fn close(mut self) {
        let mut out = Out::default();
        self.book.close(Now::read(), &mut out);
        // What was ordered before comes back, and then its return is ordered.
        for _ in 0..2 {
            let (told, flushed) = oneshot::channel();
            out.errands.push(Errand::Flush(told));
            for errand in out.errands.drain(..) {
                // The clerk lives as long as we do.
                let _ = self.errands.send(errand);
            }
            // An error: the clerk is gone, and nothing more can be done.
            let _ = flushed.await;
            while let Ok(done) = self.done.try_recv() {
                self.book.done(Now::read(), done, &mut out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{PoolSettings, Source};
    use domain::{id::ProxyId, secret::Secret};
    use uuid::Uuid;

    fn teller() -> (Teller, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let pool = PoolSettings { max_size: 1, statement_timeout_ms: 1, acquire_timeout_ms: 1 };
        let nowhere = Source::Embedded(tokio_postgres::Config::new());
        let (own_inbox, inbox) = mpsc::channel(1);
        let parts = Parts {
            store: Store::connect(nowhere, pool).unwrap(),
            marker: Marker::in_folder(home.path()),
            fleet: Fleet::default(),
            said: Arc::default(),
            peers: Peers::new(None, &Secret::new("none".to_owned())).unwrap(),
            standing: watch::Sender::new(Standing::Nobody).subscribe(),
            inbox,
            own_inbox,
            catalog: watch::Sender::new(None).subscribe(),
            process: Process::alone(),
        };
        (Teller::new(parts), home)
    }

    fn holder(number: u128) -> Holder {
        Holder { proxy: ProxyId::from_uuid(Uuid::from_u128(number)), boot: Uuid::nil() }
    }

    #[tokio::test]
    async fn what_was_forwarded_is_not_forwarded_again_and_does_not_turn_the_way_back() {
        let (mut teller, _home) = teller();
        let (link, mut said) = Link::of_a_test(&teller.parts.process);
        teller.role = Role::Following(link);
        let (here, _grants) = mpsc::channel(1);
        let (there, _more) = mpsc::channel(1);
        let attached = |it, via: &Via, forwarded| Input::Attached {
            holder: holder(it),
            via: via.clone(),
            forwarded,
        };
        teller.take(attached(1, &here, false));
        assert!(said.try_recv().is_ok());
        // Who forwards to us takes us for the one that lends, as we take it.
        teller.take(attached(1, &there, true));
        teller.take(attached(2, &there, true));
        let (holder, sync) = (holder(1), Sync::default());
        teller.take(Input::Heard { holder, sync, via: there, forwarded: true });
        assert!(said.try_recv().is_err());
        assert_eq!(teller.routes.len(), 1);
        assert!(teller.routes[&holder].same_channel(&here));
        assert_eq!(teller.here(), [holder]);
        drop((here, _grants));
        assert_eq!(teller.here(), []);
    }
}
