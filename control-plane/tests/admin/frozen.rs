//! A database that neither answers nor hangs up: the worst kind of outage.

use crate::{
    database::Database,
    plane::{Plane, url},
};
use futures_util::future::join_all;
use proto::admin::v1::{
    system_service_client::SystemServiceClient, team_service_client::TeamServiceClient, *,
};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
    task::JoinSet,
};
use tokio_postgres::config::Host;
use tonic::Code;

/// Connections made before this moment pass nothing on; `None`: all do.
type Frozen = watch::Receiver<Option<Instant>>;

/// Passes bytes on between TCP and the database's socket, except while it is frozen.
async fn wire(database: &Database, frozen: Frozen) -> (String, JoinSet<()>) {
    let Some(Host::Unix(folder)) = database.config.get_hosts().first() else {
        panic!("the private cluster listens on a socket");
    };
    let port = database.config.get_ports().first().copied().unwrap_or(5432);
    let socket = folder.join(format!(".s.PGSQL.{port}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut wires = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            let (mut up, mut down) = tcp.into_split();
            let (mut from, mut to) = UnixStream::connect(&socket).await.unwrap().into_split();
            let (a, b) = (frozen.clone(), frozen.clone());
            let born = Instant::now();
            wires.spawn(async move {
                tokio::join!(pass(&mut up, &mut to, a, born), pass(&mut from, &mut down, b, born))
            });
        }
    });
    let direct = url(&database.config);
    let (_, params) = direct.split_once('?').unwrap();
    let user = params.rsplit_once("user=").unwrap().1;
    let name = database.config.get_dbname().unwrap();
    (format!("postgres://{user}@{at}/{name}"), tasks)
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut frozen: Frozen,
    born: Instant,
) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let passes = frozen.wait_for(|it| it.is_none_or(|it| it < born)).await.is_ok();
        if !passes || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_told_of_within_three_seconds() {
    let database = Database::create().await;
    let (freeze, frozen) = watch::channel(None);
    let (url, _wire) = wire(&database, frozen).await;
    let plane = Plane::over(url).await;
    plane.app.open().await.unwrap();
    let channel = plane.admin().await;
    let mut teams = TeamServiceClient::new(channel.clone());
    teams.list_teams(ListTeamsRequest::default()).await.unwrap();

    freeze.send(Some(Instant::now() + Duration::from_secs(3_600))).unwrap();
    let team = Team { name: "team-a".to_owned(), ..Team::default() };
    let create = CreateTeamRequest { team: Some(team) };
    let begun = Instant::now();
    let status = teams.list_teams(ListTeamsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let begun = Instant::now();
    let status = teams.create_team(create.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // What needs no database still answers, and tells of it.
    let mut system = SystemServiceClient::new(channel);
    let status = system.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    assert!(!status.control_plane.unwrap().database_ok);
    assert!(!plane.process.readiness.is_ready());

    freeze.send(None).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while teams.create_team(create.clone()).await.is_err() {
        assert!(Instant::now() < deadline, "it stays away");
    }
    drop(plane);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_never_answer_again_are_given_up() {
    let database = Database::create().await;
    let (freeze, frozen) = watch::channel(None);
    let (url, _wire) = wire(&database, frozen).await;
    let plane = Plane::over(url).await;
    plane.app.open().await.unwrap();
    let teams = TeamServiceClient::new(plane.admin().await);
    let ask = || {
        let mut teams = teams.clone();
        async move { teams.list_teams(ListTeamsRequest::default()).await }
    };
    // As many connections as the pool has places.
    for asked in join_all((0..100).map(|_| ask())).await {
        asked.unwrap();
    }

    // The server is gone without a word, and another one has taken its address.
    freeze.send(Some(Instant::now())).unwrap();
    let deadline = Instant::now() + Duration::from_secs(25);
    while ask().await.is_err() {
        assert!(Instant::now() < deadline, "it stays away");
    }
    drop(plane);
}
