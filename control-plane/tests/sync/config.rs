//! The catalog on its way down.

use crate::{
    database::connect,
    plane::Plane,
    proxy::{Proxy, Session},
};
use proto::{
    admin::v1::{
        catalog_service_client::CatalogServiceClient, edit::Edit as One,
        system_service_client::SystemServiceClient, *,
    },
    sync::v1::{Heartbeat, session_request::Message},
};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::Code;

async fn apply(plane: &Plane, edits: Vec<One>) -> ApplyChangeResponse {
    let mut catalog = CatalogServiceClient::new(plane.admin().await);
    let edits = edits.into_iter().map(|it| Edit { edit: Some(it) }).collect();
    let request = ApplyChangeRequest { edits, ..ApplyChangeRequest::default() };
    catalog.apply_change(request).await.unwrap().into_inner()
}

fn key(name: &str) -> One {
    One::PutKey(VirtualKey { name: name.to_owned(), ..VirtualKey::default() })
}

fn account(name: &str) -> One {
    let credential = "sk-canary-1".to_owned();
    let (name, provider) = (name.to_owned(), "openai".to_owned());
    One::PutAccount(Account { name, provider, credential, ..Account::default() })
}

fn keys(count: usize) -> Vec<One> {
    (0..count).map(|at| key(&format!("k-{at}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_the_whole_then_only_what_changed() {
    let plane = Plane::start().await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    assert_eq!(session.welcome.incarnation.len(), 16);
    assert!(0 < session.welcome.usage_window && 0 < session.welcome.heartbeat_ms);
    let first = proxy.update(&mut session).await;
    assert!(first.base.is_none() && !proxy.catalog.providers.is_empty());
    assert!(!proxy.catalog.peppers.is_empty());

    let begun = Instant::now();
    let made = apply(&plane, vec![account("main"), key("k")]).await;
    let delta = proxy.update(&mut session).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "a local write goes out at once");
    assert_eq!((delta.base.is_some(), delta.items, proxy.revision), (true, 2, made.revision));
    let account = proxy.catalog.account_named("main").unwrap();
    assert_eq!(account.credential.as_ref().unwrap().expose(), "sk-canary-1");
    let pepper = proxy.catalog.peppers.values().next_back().unwrap();
    let fingerprint = pepper.fingerprint(&made.created_keys[0].secret);
    assert_eq!(proxy.catalog.keys.find(&fingerprint).unwrap().name.as_str(), "k");

    let gone = vec![One::DeleteKey("k".to_owned()), One::DeleteAccount("main".to_owned())];
    apply(&plane, gone).await;
    let delta = proxy.update(&mut session).await;
    assert_eq!((delta.items, proxy.catalog.keys.len()), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_catalog_comes_in_pieces() {
    let plane = Plane::start().await;
    apply(&plane, keys(2_500)).await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    let whole = proxy.update(&mut session).await;
    assert!(whole.base.is_none() && 2 < whole.pieces, "{} pieces", whole.pieces);
    assert_eq!(proxy.catalog.keys.len(), 2_500);
    let disabled = (0..2_500).map(|at| {
        let name = format!("k-{at}");
        One::PutKey(VirtualKey { name, disabled: true, ..VirtualKey::default() })
    });
    apply(&plane, disabled.collect()).await;
    let delta = proxy.update(&mut session).await;
    assert_eq!((delta.items, delta.pieces), (2_500, 3));
    assert!(proxy.catalog.keys.iter().all(|it| !it.enabled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_gets_the_difference_if_what_it_holds_is_known() {
    let plane = Plane::start().await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    proxy.update(&mut session).await;
    apply(&plane, vec![key("a")]).await;
    proxy.update(&mut session).await;
    drop(session);
    for name in ["b", "c", "d"] {
        apply(&plane, vec![key(name)]).await;
    }
    let mut session = proxy.connect(&plane).await;
    let delta = proxy.update(&mut session).await;
    assert_eq!((delta.base.is_some(), delta.items), (true, 3));
    drop(session);

    // Nothing has changed: that is told, too.
    let mut session = proxy.connect(&plane).await;
    let delta = proxy.update(&mut session).await;
    assert_eq!((delta.base, delta.items), (Some(proxy.revision), 0));
    drop(session);

    // Another hash, another database, a revision of nowhere: the whole.
    for change in 0..3 {
        let mut register = proxy.register();
        match change {
            0 => register.snapshot_hash = vec![7; 32],
            1 => register.incarnation = vec![7; 16],
            _ => register.revision += 1_000,
        }
        let mut session = Session::open(&plane, Message::Register(register)).await.unwrap();
        assert_eq!(proxy.update(&mut session).await.base, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_the_whole_gets_it() {
    let plane = Plane::start().await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    proxy.update(&mut session).await;
    session.resync().await;
    assert_eq!(proxy.update(&mut session).await.base, None);
    apply(&plane, vec![key("a")]).await;
    assert!(proxy.update(&mut session).await.base.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fleet_is_seen_in_the_status() {
    let plane = Plane::start().await;
    let mut system = SystemServiceClient::new(plane.admin().await);
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    proxy.update(&mut session).await;
    let revision = proxy.revision;
    let wait = AwaitRevisionRequest { revision, timeout_ms: 10_000 };
    let reach = system.await_revision(wait).await.unwrap().into_inner();
    assert_eq!((reach.applied, reach.connected), (1, 1));
    let wait = AwaitRevisionRequest { revision: revision + 1, timeout_ms: 10 };
    let reach = system.await_revision(wait).await.unwrap().into_inner();
    assert_eq!((reach.applied, reach.connected), (0, 1));
    let wait = AwaitRevisionRequest { revision, timeout_ms: 60_001 };
    assert_eq!(system.await_revision(wait).await.unwrap_err().code(), Code::InvalidArgument);

    session.ack(revision + 1, revision, &["route `x` has no tier"]).await;
    session.heartbeat(revision, 3).await;
    let seen = status(&mut system, |it| it.usage_pending == 3).await;
    assert_eq!(seen.state(), ProxyState::Connected);
    assert_eq!(seen.defects, ["route `x` has no tier"]);
    assert_eq!((seen.applied_revision, seen.version.as_str()), (revision, "0.0.0-test"));
    assert!(seen.id.starts_with("prx_") && seen.address == "http://127.0.0.1:1");
    drop(session);
    let seen = status(&mut system, |it| it.state() == ProxyState::Gone).await;
    assert_eq!(seen.applied_revision, revision);
}

/// The only proxy's status, once it is as wanted.
async fn status(
    system: &mut SystemServiceClient<crate::plane::Authorized>,
    wanted: impl Fn(&ProxyStatus) -> bool,
) -> ProxyStatus {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let status = system.get_status(GetStatusRequest {}).await.unwrap().into_inner();
        let proxy = status.proxies.into_iter().next().unwrap();
        if wanted(&proxy) {
            return proxy;
        }
        assert!(Instant::now() < deadline, "{proxy:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_control_plane_writes_comes_too() {
    let here = Plane::start().await;
    let there = Plane::beside(&here).await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&here).await;
    proxy.update(&mut session).await;
    let begun = Instant::now();
    for name in ["a", "b", "c"] {
        let made = apply(&there, vec![key(name)]).await;
        while proxy.revision < made.revision {
            assert!(proxy.update(&mut session).await.base.is_some());
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // A proxy may move from one to the other: both publish the same.
    drop(session);
    let mut session = proxy.connect(&there).await;
    let update = proxy.update(&mut session).await;
    assert_eq!((update.base, update.items), (Some(proxy.revision), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_another_ones_place_is_sent_whole() {
    let plane = Plane::start().await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    proxy.update(&mut session).await;
    apply(&plane, vec![key("a")]).await;
    proxy.update(&mut session).await;
    let (incarnation, revision) = (proxy.incarnation.clone(), proxy.revision);

    let mut tasks = JoinSet::new();
    let sql = connect(&plane.database.as_ref().unwrap().config, &mut tasks).await;
    sql.batch_execute("UPDATE config_meta SET incarnation = gen_random_uuid()").await.unwrap();
    assert_eq!(proxy.update(&mut session).await.base, None);
    assert!(proxy.incarnation != incarnation && proxy.revision == revision);

    // An older backup of the same database: noticed as well, and the last word is its.
    let backup = "DELETE FROM virtual_key; UPDATE config_meta SET revision = revision - 1";
    sql.batch_execute(backup).await.unwrap();
    assert_eq!(proxy.update(&mut session).await.base, None);
    assert_eq!((proxy.revision, proxy.catalog.keys.len()), (revision - 1, 0));
    // And it goes on from there.
    apply(&plane, vec![key("b")]).await;
    assert!(proxy.update(&mut session).await.base.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_gets_an_incarnation_of_its_own_or_proxies_would_refuse_it() {
    let plane = Plane::start().await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    proxy.update(&mut session).await;
    let first = proxy.incarnation.clone();

    // Put in place while a control plane runs.
    let mut tasks = JoinSet::new();
    let sql = connect(&plane.database.as_ref().unwrap().config, &mut tasks).await;
    apply(&plane, vec![key("a")]).await;
    proxy.update(&mut session).await;
    let backup = "DELETE FROM virtual_key; UPDATE config_meta SET revision = revision - 1";
    sql.batch_execute(backup).await.unwrap();
    assert_eq!(proxy.update(&mut session).await.base, None);
    let second = proxy.incarnation.clone();
    assert_ne!(first, second);
    drop(session);

    // Put in place while none ran: only a proxy still knows of what came after.
    let later = proto::sync::v1::Register { revision: proxy.revision + 5, ..proxy.register() };
    let mut session = Session::open(&plane, Message::Register(later)).await.unwrap();
    assert_eq!(proxy.update(&mut session).await.base, None);
    assert_ne!(second, proxy.incarnation);
    assert_eq!(session.welcome.incarnation, proxy.incarnation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_spoken_with_is_told_why() {
    let plane = Plane::start().await;
    let proxy = Proxy::new();
    let refused = |it: Result<Session, tonic::Status>| it.err().unwrap();
    let register = proto::sync::v1::Register { protocol: 2, ..proxy.register() };
    let status = refused(Session::open(&plane, Message::Register(register)).await);
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("version 2"), "{status}");
    let register = proto::sync::v1::Register { proxy_id: vec![1], ..proxy.register() };
    let status = refused(Session::open(&plane, Message::Register(register)).await);
    assert_eq!(status.code(), Code::InvalidArgument);
    let first = Message::Heartbeat(Heartbeat::default());
    let status = refused(Session::open(&plane, first).await);
    assert_eq!(status.code(), Code::FailedPrecondition);
    let mut session = proxy.connect(&plane).await;
    session.say(Message::Register(proxy.register())).await;
    assert_eq!(session.end().await.unwrap().code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_is_told_and_the_stream_ends() {
    let plane = Plane::start().await;
    let mut proxy = Proxy::new();
    let mut session = proxy.connect(&plane).await;
    proxy.update(&mut session).await;
    plane.process.shutdown.drain();
    assert!(0 < session.drain().await.reconnect_within_ms);
    assert!(session.end().await.is_none());
    drop(session);
    plane.app.stop().await;
}
