//! The proxies that this control plane has seen, and how they are doing.
//!
//! Knows what sessions report, and asks them how a request was decided. Knows no stream
//! and no database.

mod question;

pub(crate) use question::Question;

use crate::metrics;
use domain::id::ProxyId;
use proto::admin::v1::ExplainRequestResponse;
use question::{Ears, Questions};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};

/// Most proxies that are remembered after they are gone.
const MOST_GONE: usize = 1_000;

/// How a proxy is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where it serves callers, as it says.
    pub(crate) address: String,
    /// Its software version.
    pub(crate) version: String,
    /// Whether its stream is open.
    pub(crate) connected: bool,
    /// The revision that it runs.
    pub(crate) applied_revision: u64,
    /// Why it rejected a newer revision; empty: it did not.
    pub(crate) defects: Vec<String>,
    /// When it connected or was lost, in milliseconds since the Unix epoch.
    pub(crate) since_ms: i64,
    /// When it was last heard of, in milliseconds since the Unix epoch.
    pub(crate) seen_ms: i64,
    /// What it said last.
    pub(crate) load: Load,
}

/// What a proxy says of its work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Requests that it is serving.
    pub(crate) requests_in_flight: u64,
    /// Requests that it served since it started.
    pub(crate) requests_total: u64,
    /// Usage records that it holds and that are not in the database.
    pub(crate) usage_pending: u64,
}

/// How far a revision has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Connected proxies that run it or a newer one.
    pub(crate) applied: u32,
    /// All connected proxies.
    pub(crate) connected: u32,
}

/// Every proxy that was seen since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    members: Mutex<Members>,
    changed: watch::Sender<()>,
    questions: Questions,
}

#[derive(Debug, Default)]
struct Members {
    next_session: u64,
    by_id: BTreeMap<ProxyId, (u64, Member)>,
}

/// A connected proxy; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Seat {
    fleet: Fleet,
    id: ProxyId,
    session: u64,
    _ears: Ears,
}

impl Fleet {
    /// A proxy has connected; it can be asked what is received. A session of it that is
    /// still open is forgotten: the proxy has given it up.
    pub(crate) fn join(
        &self,
        id: ProxyId,
        address: String,
        version: String,
    ) -> (Seat, mpsc::Receiver<Question>) {
        let now = runtime::clock::unix_ms();
        let mut members = self.members();
        let session = members.next_session;
        members.next_session = session.saturating_add(1);
        let member = Member {
            address,
            version,
            connected: true,
            applied_revision: 0,
            defects: Vec::new(),
            since_ms: now,
            seen_ms: now,
            load: Load::default(),
        };
        members.by_id.insert(id, (session, member));
        members.forget_long_gone();
        drop(members);
        self.note_change();
        let (ears, questions) = self.listen(false);
        (Seat { fleet: self.clone(), id, session, _ears: ears }, questions)
    }

    /// Where a proxy serves callers, if it was seen here.
    pub(crate) fn address(&self, id: ProxyId) -> Option<String> {
        self.members().by_id.get(&id).map(|(_, it)| it.address.clone())
    }

    /// Every proxy, sorted by address.
    pub(crate) fn list(&self) -> Vec<(ProxyId, Member)> {
        let members = self.members();
        let mut list: Vec<_> =
            members.by_id.iter().map(|(id, (_, member))| (*id, member.clone())).collect();
        drop(members);
        list.sort_by(|(_, a), (_, b)| a.address.cmp(&b.address));
        list
    }

    /// Waits until every connected proxy runs `revision` or a newer one, or the time is over.
    pub(crate) async fn await_revision(&self, revision: u64, at_most: Duration) -> Reach {
        let deadline = Instant::now() + at_most;
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let reach = self.reach(revision);
            if reach.applied == reach.connected {
                return reach;
            }
            // The sender lives as long as `self`: only the time can end this.
            match timeout_at(deadline, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return self.reach(revision),
            }
        }
    }

    fn reach(&self, revision: u64) -> Reach {
        let members = self.members();
        let connected = members.by_id.values().filter(|(_, it)| it.connected);
        let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let applied = connected.clone().filter(|(_, it)| revision <= it.applied_revision);
        Reach { applied: count(applied.count()), connected: count(connected.count()) }
    }

    fn note_change(&self) {
        let connected = self.members().by_id.values().filter(|(_, it)| it.connected).count();
        metrics::proxies_connected(connected);
        self.0.changed.send_replace(());
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn forget_long_gone(&mut self) {
        let mut gone: Vec<_> = self
            .by_id
            .iter()
            .filter(|(_, (_, it))| !it.connected)
            .map(|(id, (_, it))| (it.since_ms, *id))
            .collect();
        gone.sort_unstable();
        let too_many = gone.len().saturating_sub(MOST_GONE);
        for (_, id) in gone.into_iter().take(too_many) {
            self.by_id.remove(&id);
        }
    }
}

impl Seat {
    /// Whose seat it is.
    pub(crate) const fn id(&self) -> ProxyId {
        self.id
    }

    /// The proxy runs `revision`; `defects` say why it rejected another one.
    pub(crate) fn applied(&self, revision: u64, defects: Vec<String>) {
        self.update(|it| {
            it.applied_revision = revision;
            it.defects = defects;
        });
        self.fleet.note_change();
    }

    /// The proxy says how it is doing.
    pub(crate) fn heartbeat(&self, applied_revision: u64, load: Load) {
        let mut moved = false;
        self.update(|it| {
            moved = it.applied_revision != applied_revision;
            it.applied_revision = applied_revision;
            it.load = load;
        });
        if moved {
            self.fleet.note_change();
        }
    }

    /// The proxy answers a question.
    pub(crate) fn explained(&self, number: u64, record: Option<ExplainRequestResponse>) {
        self.fleet.answered(number, record);
    }

    fn update(&self, change: impl FnOnce(&mut Member)) {
        let mut members = self.fleet.members();
        if let Some((session, member)) = members.by_id.get_mut(&self.id)
            && *session == self.session
        {
            member.seen_ms = runtime::clock::unix_ms();
            change(member);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.update(|it| {
            it.connected = false;
            it.since_ms = it.seen_ms;
            it.load.requests_in_flight = 0;
        });
        self.fleet.note_change();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn join(fleet: &Fleet, id: u128) -> Seat {
        let id = ProxyId::from_uuid(Uuid::from_u128(id));
        fleet.join(id, format!("127.0.0.1:{}", id.uuid().as_u128()), "1".into()).0
    }

    #[tokio::test]
    async fn waits_for_every_connected_proxy() {
        let fleet = Fleet::default();
        let (a, b) = (join(&fleet, 1), join(&fleet, 2));
        a.applied(5, Vec::new());
        let short = Duration::from_millis(5);
        let reach = fleet.await_revision(5, short).await;
        assert_eq!(reach, Reach { applied: 1, connected: 2 });
        let long = Duration::from_secs(60);
        let (reach, ()) = tokio::join!(fleet.await_revision(5, long), async {
            b.applied(6, Vec::new());
        });
        assert_eq!(reach, Reach { applied: 2, connected: 2 });
    }

    #[tokio::test]
    async fn who_leaves_is_not_waited_for() {
        let fleet = Fleet::default();
        let seat = join(&fleet, 1);
        let (reach, ()) =
            tokio::join!(fleet.await_revision(9, Duration::from_secs(60)), async { drop(seat) });
        assert_eq!(reach, Reach { applied: 0, connected: 0 });
        assert!(!fleet.list()[0].1.connected);
    }

    #[test]
    fn a_new_session_of_a_proxy_outlives_its_old_one() {
        let fleet = Fleet::default();
        let old = join(&fleet, 1);
        let new = join(&fleet, 1);
        new.applied(3, Vec::new());
        old.applied(1, vec!["late".into()]);
        drop(old);
        let (_, member) = fleet.list().remove(0);
        assert!(member.connected && member.applied_revision == 3 && member.defects.is_empty());
    }

    #[test]
    fn the_long_gone_are_forgotten() {
        let fleet = Fleet::default();
        for id in 0..1_500 {
            drop(join(&fleet, id));
        }
        assert!(fleet.list().len() <= MOST_GONE + 1);
    }
}
