//! Lends limits to proxies, or brings what they say of them to the control plane that does.
//!
//! One control plane lends at a time: `election` says which. There, one task (`teller`) owns
//! all that is lent (`book`), and a `clerk` does its work in the database. Everywhere else
//! the teller forwards over a `link`. Whatever is lost on these ways was allowed to be lost.

mod book;
mod clerk;
mod election;
mod link;
mod marker;
mod teller;

pub(crate) use book::{Figures, HeldFigures, LimitFigures};
pub(crate) use link::Peers;

use crate::{fleet::Fleet, publisher::Publisher, store::Store};
use domain::{
    id::LimitId,
    limit::{
        Holder,
        message::{Grants, Sync},
    },
};
use election::{Election, Said, Standing};
use marker::Marker;
use runtime::Process;
use std::{path::Path, sync::Arc};
use teller::Teller;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

/// Most messages that wait for the teller; what comes beyond is dropped, and said again.
const MOST_WAITING: usize = 4_096;

/// Where answers to a holder go.
pub(crate) type Via = mpsc::Sender<(Holder, Grants)>;

/// How this control plane takes part in lending.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Where other control planes reach this one; empty: nowhere.
    pub(crate) address: String,
    /// Whether it lends while the database is away: right only where it is alone.
    pub(crate) without_database: bool,
    /// How others are reached.
    pub(crate) peers: Peers,
}

/// What the teller is given.
enum Input {
    /// A holder's stream is here. `forwarded`: at another control plane, which thinks that
    /// we lend.
    Attached { holder: Holder, via: Via, forwarded: bool },
    /// A holder speaks. `forwarded`: to another control plane, which thinks that we lend.
    Heard { holder: Holder, sync: Sync, via: Via, forwarded: bool },
    /// The one that lends speaks to a holder whose stream is here.
    Answered(Holder, Grants),
    /// The way to the one that lends is open.
    Linked,
    /// How are limits doing? Of these, or of all that are in use.
    Asked(Wanted, oneshot::Sender<Figures>),
}

/// Which limits' figures are wanted.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Of all that are in use, only which they are.
    Ids,
    /// These.
    Of(Vec<LimitId>),
    /// So many of those in use, the fullest.
    Fullest(usize),
}

/// Where proxies' messages about limits are handed in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lender {
    inbox: mpsc::Sender<Input>,
    standing: watch::Receiver<Standing>,
    peers: Peers,
    address: Arc<str>,
}

/// Who lends, seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Nobody that we know of.
    Nobody,
    /// This control plane.
    Here,
    /// The one at this address, with its epoch; empty: it says none.
    There(String, u64),
}

/// What lends, until it is run: it needs a database that is up to date.
pub(crate) struct Office {
    store: Store,
    terms: Terms,
    marker: Marker,
    fleet: Fleet,
    inbox: mpsc::Receiver<Input>,
    own_inbox: mpsc::Sender<Input>,
    standing: watch::Sender<Standing>,
}

/// What lends, while it is run.
pub(crate) struct Lending {
    said: Arc<Said>,
    running: JoinHandle<()>,
}

/// A lender, and what has to be run for it.
pub(crate) fn open(store: Store, terms: Terms, home: &Path, fleet: Fleet) -> (Lender, Office) {
    let (own_inbox, inbox) = mpsc::channel(MOST_WAITING);
    let standing = watch::Sender::new(Standing::Nobody);
    let lender = Lender {
        inbox: own_inbox.clone(),
        standing: standing.subscribe(),
        peers: terms.peers.clone(),
        address: terms.address.as_str().into(),
    };
    let marker = Marker::in_folder(home);
    (lender, Office { store, terms, marker, fleet, inbox, own_inbox, standing })
}

impl Lender {
    /// A holder's stream is open: it may be told who lends by `via` from now on.
    pub(crate) fn attach(&self, holder: Holder, via: Via) {
        // If there is no room, its first word makes up for it.
        let _ = self.inbox.try_send(Input::Attached { holder, via, forwarded: false });
    }

    /// The same of a stream that is at another control plane, which says that we lend.
    pub(crate) fn attach_forwarded(&self, holder: Holder, via: Via) {
        let _ = self.inbox.try_send(Input::Attached { holder, via, forwarded: true });
    }

    /// A holder speaks; answers go to `via`, if there are any.
    pub(crate) fn hear(&self, holder: Holder, sync: Sync, via: Via) {
        // Whoever gets no answer asks again.
        let _ = self.inbox.try_send(Input::Heard { holder, sync, via, forwarded: false });
    }

    /// A holder speaks to another control plane, which says that we lend.
    pub(crate) fn hear_forwarded(&self, holder: Holder, sync: Sync, via: Via) {
        let _ = self.inbox.try_send(Input::Heard { holder, sync, via, forwarded: true });
    }

    /// Who lends.
    pub(crate) fn leads(&self) -> Leads {
        match &*self.standing.borrow() {
            Standing::Nobody => Leads::Nobody,
            Standing::Own(_) => Leads::Here,
            Standing::Other(rival) => Leads::There(rival.address.clone(), rival.epoch),
        }
    }

    /// The figures of limits; `None`: we do not lend.
    pub(crate) async fn figures(&self, wanted: Wanted) -> Option<Figures> {
        let (reply, figures) = oneshot::channel();
        self.inbox.send(Input::Asked(wanted, reply)).await.ok()?;
        figures.await.ok()
    }

    /// Where other control planes reach this one; empty: nowhere.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How other control planes are reached.
    pub(crate) const fn peers(&self) -> &Peers {
        &self.peers
    }
}

impl Office {
    /// Begins to run for the lead, and to lend or to forward.
    pub(crate) fn run(self, publisher: Arc<Publisher>, process: &Process) -> Lending {
        let catalog = publisher.watch();
        let Self { store, terms, marker, fleet, inbox, own_inbox, standing } = self;
        let receiver = standing.subscribe();
        let election = Election::new(
            store.clone(),
            terms.address,
            terms.without_database,
            standing,
            publisher,
        );
        let said = election.said();
        let teller = Teller::new(teller::Parts {
            store,
            marker,
            fleet,
            said: Arc::clone(&said),
            peers: terms.peers,
            standing: receiver,
            inbox,
            own_inbox,
            catalog,
            process: process.clone(),
        });
        process.tasks.spawn("lender", teller.run());
        let running = process.tasks.spawn("election", election.run(process.shutdown.clone()));
        Lending { said, running }
    }
}

impl Lending {
    /// Ends it, once it has let go of the lead. To be called while draining, when no proxy's
    /// stream is left.
    pub(crate) async fn end(self) {
        self.said.over();
        // A task that panicked has ended too.
        let _ = self.running.await;
    }
}
