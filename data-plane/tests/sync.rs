//! The control-plane side of a proxy, in process, against a control plane that says
//! what each test wants it to say.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "sync/explain.rs"]
mod explain;
#[path = "sync/fake.rs"]
mod fake;

use domain::{
    catalog::{Catalog, Limit, Rule},
    id::ProxyId,
    key::{KeyKind, mint},
    secret::Secret,
};
use fake::{Book, Control, PATIENCE, Peer, account, catalog, delta, full, key, record, token};
use proto::sync::v1::{
    Drain, LeaseGrant, QuotaGrants, QuotaSync, session_request::Message as Said,
    session_response::Message as Say,
};
use runtime::Process;
use sluice_data_plane::{
    config::HttpConfig,
    gateway::{FetchBounds, Gateway, SnapshotCell},
    meter::{Meter, Priority, Want},
    snapshot_cache::SnapshotCache,
    sync::{Setup, Sync, heartbeat::Load, link::Link, usage::UsageQueue},
};
use std::{collections::HashSet, fs, num::NonZeroU64, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The control-plane side of a proxy, running.
struct Proxy {
    cell: SnapshotCell,
    usage: UsageQueue,
    meter: Meter,
    gateway: Arc<Gateway>,
    process: Process,
    finish: CancellationToken,
    running: JoinHandle<()>,
}

impl Proxy {
    fn start(dir: &TempDir, url: &str) -> Self {
        Self::start_with(dir.path(), url, &token(1), None)
    }

    fn start_with(dir: &Path, url: &str, token: &Secret, max_age: Option<Duration>) -> Self {
        Self::start_at(dir, &[url.to_owned()], token, max_age)
    }

    fn start_at(dir: &Path, urls: &[String], token: &Secret, max_age: Option<Duration>) -> Self {
        let process = Process::alone();
        let (cell, usage) = (SnapshotCell::default(), UsageQueue::new(5_000));
        let meter = Meter::new(Arc::new(runtime::clock::steady_us));
        let http = HttpConfig::default();
        let fetching = FetchBounds::default();
        let (usage_of_it, meter_of_it) = (usage.clone(), meter.clone());
        let gateway =
            Gateway::new(http, fetching, cell.clone(), usage_of_it, meter_of_it, process.clone());
        let (cache, cached) = SnapshotCache::open(dir, token).unwrap();
        let setup = Setup {
            link: Link::new(urls, None, token).unwrap(),
            proxy: ProxyId::from_uuid(Uuid::from_u128(5)),
            address: "http://127.0.0.1:1".into(),
            cell: cell.clone(),
            usage: usage.clone(),
            meter: meter.clone(),
            explainer: Arc::clone(&gateway.explainer),
            cache,
            cached,
            load: Arc::new(|| Load { in_flight: 3, total: 9 }),
            max_age,
        };
        let sync = Sync::prepare(setup, &process);
        let finish = CancellationToken::new();
        let running = process.tasks.spawn("sync", sync.run(finish.clone()));
        Self { cell, usage, meter, gateway, process, finish, running }
    }

    fn revision(&self) -> Option<u64> {
        self.cell.load().as_ref().map(|it| it.revision())
    }

    fn runs(&self, revision: u64, catalog: &Catalog) {
        assert_eq!(self.revision(), Some(revision));
        assert_eq!(self.cell.load().as_ref().unwrap().catalog(), catalog);
    }

    fn use_up(&self, requests: std::ops::Range<u128>) {
        for number in requests {
            self.usage.reserve().unwrap().put(record(number));
        }
    }

    /// Ends it as a drain does: all usage acknowledged, the cache written.
    async fn stop(self) {
        self.finish.cancel();
        timeout(PATIENCE, self.running).await.unwrap().unwrap();
        timeout(PATIENCE, self.process.tasks.wait()).await.unwrap();
    }
}

/// A proxy that runs revision 4 of [`catalog`], and its session.
async fn settled(control: &mut Control, dir: &TempDir) -> (Proxy, Peer, Catalog) {
    let proxy = Proxy::start(dir, &control.url());
    let (mut peer, _) = control.welcomed().await;
    for piece in full(&catalog(), 4) {
        peer.publish(piece).await;
    }
    peer.applied(4).await;
    (proxy, peer, catalog())
}

async fn resync(peer: &mut Peer) {
    let verdict = peer.verdict().await;
    assert!(matches!(verdict, Said::ConfigResync(_)), "{verdict:?}");
}

#[tokio::test]
async fn a_full_catalog_then_a_delta_are_applied_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let proxy = Proxy::start(&dir, &control.url());
    assert_eq!(proxy.process.readiness.blockers().len(), 1);
    let (mut peer, register) = control.welcomed().await;
    assert_eq!(peer.shown, format!("Bearer {}", token(1).expose()));
    assert_eq!((register.revision, register.incarnation.len(), register.protocol), (0, 0, 1));
    let mut catalog = catalog();
    for piece in full(&catalog, 4) {
        assert_eq!(proxy.revision(), None, "no part of a revision is ever seen");
        peer.publish(piece).await;
    }
    peer.applied(4).await;
    proxy.runs(4, &catalog);
    assert!(proxy.process.readiness.is_ready());
    peer.publish(delta(&mut catalog, 5, vec![key(1, 1), account(2)])).await;
    peer.applied(5).await;
    proxy.runs(5, &catalog);
    proxy.stop().await;

    let proxy = Proxy::start(&dir, &control.url());
    proxy.runs(5, &catalog);
    let (_peer, again) = control.welcomed().await;
    assert_eq!((again.revision, again.snapshot_hash), (5, fake::hash(&catalog)));
    assert_ne!(again.boot_id, register.boot_id);
    proxy.stop().await;
}

#[tokio::test]
async fn a_wrong_hash_or_base_asks_for_the_whole_catalog_and_then_accepts_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let (proxy, mut peer, mut catalog) = settled(&mut control, &dir).await;
    let before = catalog.clone();
    let good = delta(&mut catalog, 5, vec![account(2)]);
    let mut wrong = good.clone();
    wrong.snapshot_hash = vec![0; 32];
    peer.publish(wrong).await;
    resync(&mut peer).await;
    let mut gap = good;
    gap.base_revision = Some(3);
    peer.publish(gap).await;
    resync(&mut peer).await;
    proxy.runs(4, &before);

    for piece in full(&catalog, 5) {
        peer.publish(piece).await;
    }
    peer.applied(5).await;
    proxy.runs(5, &catalog);
    proxy.stop().await;
}

#[tokio::test]
async fn a_whole_catalog_that_stays_wrong_is_rejected_rather_than_asked_for_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let (proxy, mut peer, catalog) = settled(&mut control, &dir).await;
    let publish_wrong = async |peer: &Peer| {
        for mut piece in full(&catalog, 5) {
            if piece.last {
                piece.snapshot_hash = vec![0; 32];
            }
            peer.publish(piece).await;
        }
    };
    publish_wrong(&peer).await;
    resync(&mut peer).await;
    publish_wrong(&peer).await;
    let ack = peer.ack().await;
    assert_eq!((ack.revision, ack.defects.len(), ack.applied_revision), (5, 1, 4));
    proxy.runs(4, &catalog);
    proxy.stop().await;
}

#[tokio::test]
async fn a_bad_revision_is_rejected_with_every_defect_and_the_next_good_one_applies() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let (proxy, mut peer, good) = settled(&mut control, &dir).await;
    let mut bad = good.clone();
    peer.publish(delta(&mut bad, 5, vec![key(1, 8), key(2, 9), account(2)])).await;
    let ack = peer.ack().await;
    assert_eq!((ack.revision, ack.applied_revision), (5, 4));
    assert_eq!(ack.defects.len(), 2, "{:?}", ack.defects);
    proxy.runs(4, &good);

    // What was rejected left no trace in what the next one builds on.
    let mut catalog = good;
    let mut next = delta(&mut catalog, 5, vec![key(1, 1)]);
    next.revision = 6;
    peer.publish(next).await;
    peer.applied(6).await;
    proxy.runs(6, &catalog);
    proxy.stop().await;
}

#[tokio::test]
async fn usage_gets_home_once_over_broken_sessions_lost_batches_and_lost_acknowledgements() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let proxy = Proxy::start(&dir, &control.url());
    let mut book = Book::default();

    // Entered, but the acknowledgement is lost with the session.
    let (mut peer, _) = control.welcomed().await;
    proxy.use_up(1..1_001);
    let batch = peer.usage().await.unwrap();
    assert_eq!(batch.first_seq, 1);
    book.enter(&batch);
    drop(peer);

    // Lost as a whole.
    let (mut peer, _) = control.welcomed().await;
    assert_eq!(peer.usage().await.unwrap().first_seq, 1);
    drop(peer);

    // Dropped by a control plane that goes on.
    let (mut peer, _) = control.welcomed().await;
    let batch = peer.usage().await.unwrap();
    let durable = book.enter(&batch);
    peer.acknowledge(&batch, durable).await;
    proxy.use_up(1_001..1_501);
    let dropped = peer.usage().await.unwrap();
    assert_eq!(dropped.first_seq, durable + 1);
    peer.acknowledge(&dropped, durable).await;

    let finish = proxy.finish.clone();
    finish.cancel();
    while let Some(batch) = peer.usage().await {
        let durable = book.enter(&batch);
        peer.acknowledge(&batch, durable).await;
    }
    assert_eq!(proxy.usage.pending(), 0);
    let distinct: HashSet<_> = book.requests.iter().collect();
    assert_eq!((distinct.len(), book.requests.len()), (1_500, 1_500));
    proxy.stop().await;
}

#[tokio::test]
async fn no_more_usage_is_on_the_way_than_the_window_allows() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let proxy = Proxy::start(&dir, &control.url());
    proxy.use_up(1..4_001);
    let (mut peer, _) = control.welcomed().await;
    let mut last = None;
    for first_seq in [1, 501, 1_001, 1_501] {
        let batch = peer.usage().await.unwrap();
        assert_eq!((batch.first_seq, batch.records.len()), (first_seq, 500));
        last = Some(batch);
    }
    // Two heartbeats later there is still nothing more.
    for _ in 0..2 {
        let mut said = peer.hear().await.unwrap();
        while matches!(said, Said::Quota(_)) {
            said = peer.hear().await.unwrap();
        }
        let Said::Heartbeat(beat) = said else { panic!("beyond the window: {said:?}") };
        assert_eq!((beat.requests_in_flight, beat.requests_total), (3, 9));
        assert_eq!(beat.usage_pending, 4_000);
    }
    peer.acknowledge(&last.unwrap(), 2_000).await;
    assert_eq!(peer.usage().await.unwrap().first_seq, 2_001);
    proxy.process.shutdown.cut_now();
    timeout(PATIENCE, proxy.running).await.unwrap().unwrap();
    assert_eq!(proxy.usage.pending(), 2_000);
}

#[tokio::test]
async fn a_full_queue_refuses_until_the_control_plane_has_taken_something() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let proxy = Proxy::start(&dir, &control.url());
    proxy.use_up(1..5_001);
    assert!(proxy.usage.reserve().is_none());
    let (mut peer, _) = control.welcomed().await;
    let batch = peer.usage().await.unwrap();
    peer.acknowledge(&batch, 5_000).await;
    timeout(PATIENCE, proxy.usage.emptied()).await.unwrap();
    let place = proxy.usage.reserve().unwrap();
    drop(place);
    assert_eq!(proxy.usage.pending(), 0);
    proxy.stop().await;
}

/// A state directory in which revisions 4 and 5 were cached.
async fn with_two_generations() -> (TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let (proxy, _peer, _) = settled(&mut control, &dir).await;
    proxy.stop().await;
    let proxy = Proxy::start(&dir, &control.url());
    let (mut peer, _) = control.welcomed().await;
    let mut catalog = catalog();
    peer.publish(delta(&mut catalog, 5, vec![key(1, 1)])).await;
    peer.applied(5).await;
    proxy.stop().await;
    (dir, catalog)
}

/// Nothing listens there: the port was free a moment ago, and is closed again.
async fn nowhere() -> String {
    Control::start().await.url()
}

#[tokio::test]
async fn a_proxy_serves_from_its_disk_without_any_control_plane() {
    let (dir, catalog) = with_two_generations().await;
    let proxy = Proxy::start(&dir, &nowhere().await);
    proxy.runs(5, &catalog);
    assert!(proxy.process.readiness.is_ready());
    proxy.stop().await;
}

#[tokio::test]
async fn a_damaged_newest_generation_is_passed_over_and_the_control_plane_mends_it() {
    let (dir, newest) = with_two_generations().await;
    for slot in ["snapshot.0", "snapshot.1"] {
        let path = dir.path().join(slot);
        let good = fs::read(&path).unwrap();
        let mut damaged = good.clone();
        damaged[good.len() / 2] ^= 0x40;
        fs::write(&path, damaged).unwrap();
        let proxy = Proxy::start(&dir, &nowhere().await);
        let revision = proxy.revision().unwrap();
        assert_eq!(slot == "snapshot.1", revision == 4, "{slot} was damaged");
        proxy.stop().await;
        if slot == "snapshot.0" {
            fs::write(&path, good).unwrap();
        }
    }
    let mut control = Control::start().await;
    let proxy = Proxy::start(&dir, &control.url());
    let (mut peer, register) = control.welcomed().await;
    assert_eq!(register.revision, 4);
    peer.publish(delta(&mut catalog(), 5, vec![key(1, 1)])).await;
    peer.applied(5).await;
    proxy.stop().await;
    let proxy = Proxy::start(&dir, &nowhere().await);
    proxy.runs(5, &newest);
    proxy.stop().await;
}

#[tokio::test]
async fn a_cache_of_another_node_token_is_discarded() {
    let (dir, _) = with_two_generations().await;
    let proxy = Proxy::start_with(dir.path(), &nowhere().await, &token(2), None);
    assert_eq!(proxy.revision(), None);
    assert!(!proxy.process.readiness.is_ready());
    proxy.stop().await;
}

#[tokio::test]
async fn a_configuration_that_got_too_old_is_not_served_until_a_control_plane_is_heard() {
    let (dir, catalog) = with_two_generations().await;
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
    for slot in ["snapshot.0", "snapshot.1"] {
        let file = fs::File::options().write(true).open(dir.path().join(slot)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let mut control = Control::start().await;
    let max_age = Some(Duration::from_secs(600));
    let proxy = Proxy::start_with(dir.path(), &control.url(), &token(1), max_age);
    assert_eq!(proxy.revision(), None);
    assert!(proxy.process.readiness.blockers()[0].contains("max-config-age-ms"));
    let (mut peer, register) = control.welcomed().await;
    assert_eq!(register.revision, 5);
    while !matches!(peer.hear().await.unwrap(), Said::Heartbeat(_)) {}
    proxy.runs(5, &catalog);
    assert!(proxy.process.readiness.is_ready());
    proxy.stop().await;
}

#[tokio::test]
async fn a_control_plane_that_drains_is_left_and_come_back_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let (proxy, mut peer, catalog) = settled(&mut control, &dir).await;
    peer.say(Say::Drain(Drain { reconnect_within_ms: 50 })).await;
    while peer.hear().await.is_some() {}
    let (_peer, register) = control.welcomed().await;
    assert_eq!(register.revision, 4);
    proxy.runs(4, &catalog);
    proxy.stop().await;
}

#[tokio::test]
async fn a_proxy_that_loses_a_control_plane_goes_to_the_next_replica() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (Control::start().await, Control::start().await);
    let urls = [nowhere().await, first.url(), second.url()];
    let proxy = Proxy::start_at(dir.path(), &urls, &token(1), None);
    let (peer, _) = first.welcomed().await;
    peer.say(Say::Drain(Drain { reconnect_within_ms: 10 })).await;
    let (peer, _) = second.welcomed().await;
    drop((peer, second));
    first.welcomed().await;
    proxy.stop().await;
}

/// What the proxy says of limits next.
async fn quota(peer: &mut Peer) -> Option<QuotaSync> {
    loop {
        if let Said::Quota(sync) = peer.hear().await? {
            return Some(sync);
        }
    }
}

fn lends(reply_to: &QuotaSync, grants: Vec<LeaseGrant>) -> Say {
    Say::Quota(QuotaGrants {
        epoch: 3,
        stamp_us: 1_000_000,
        reply_to_us: Some(reply_to.sent_us),
        ttl_us: 8_000_000,
        grants,
        ..QuotaGrants::default()
    })
}

#[tokio::test]
async fn limits_are_asked_for_when_needed_renewed_and_given_back_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut control = Control::start().await;
    let proxy = Proxy::start(&dir, &control.url());
    let (mut peer, _) = control.welcomed().await;
    let first = quota(&mut peer).await.unwrap();
    assert!(first.whole && first.epoch == 0 && first.entries.is_empty(), "{first:?}");
    let Say::Quota(hello) = lends(&first, vec![]) else { unreachable!() };
    peer.say(Say::Quota(QuotaGrants { hello: true, ..hello })).await;
    assert_eq!(quota(&mut peer).await.unwrap().epoch, 3);

    let limit = fake::limit();
    let wants = [Want { limit: &limit, milli: 1_000 }];
    let lend = async {
        let mut asked = quota(&mut peer).await.unwrap();
        while asked.entries.first().is_none_or(|it| it.need_milli == 0) {
            asked = quota(&mut peer).await.unwrap();
        }
        let entry = &asked.entries[0];
        let grant = LeaseGrant {
            of: entry.of.clone(),
            incarnation: entry.incarnation,
            seq: 1,
            cap_milli: 5_000,
            credit_milli: 5_000,
            ..LeaseGrant::default()
        };
        peer.say(lends(&asked, vec![grant])).await;
    };
    let (reserved, ()) = tokio::join!(proxy.meter.reserve(&wants, Priority::Normal), lend);
    reserved.unwrap().settle(|_| 1_000);
    let again = proxy.meter.reserve(&wants, Priority::Normal).await.unwrap();
    assert_eq!(again.parts()[0].waited_ms, 0, "what is held asks nobody");
    again.settle(|_| 1_000);

    let renewed = quota(&mut peer).await.unwrap();
    assert_eq!(renewed.entries[0].held.as_ref().unwrap().level_milli, 3_000);
    assert_eq!(renewed.entries[0].spent_milli, 2_000);
    let given_back = async {
        loop {
            let sync = quota(&mut peer).await.unwrap();
            peer.say(lends(&sync, vec![])).await;
            if sync.entries.iter().any(|it| it.release) {
                return;
            }
        }
    };
    tokio::join!(proxy.stop(), given_back);
}
