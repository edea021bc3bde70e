//! The database goes and comes.

use crate::plane::{Plane, url};
use proto::admin::v1::{
    catalog_service_client::CatalogServiceClient, system_service_client::SystemServiceClient,
    team_service_client::TeamServiceClient, *,
};
use sluice_control_plane::store::embedded::Embedded;
use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tonic::Code;

async fn postgres(home: &Path) -> Embedded {
    let home: PathBuf = home.to_owned();
    tokio::task::spawn_blocking(move || Embedded::start(&home, None).unwrap()).await.unwrap()
}

async fn stop(embedded: Embedded) {
    tokio::task::spawn_blocking(move || embedded.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_it_lives_and_says_so_and_recovers_by_itself() {
    let home = tempfile::tempdir().unwrap();
    set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    let database = postgres(home.path()).await;
    let url = url(&database.config());
    stop(database).await;

    // Absent at the start: alive, not ready, and every call that needs it says so.
    let plane = Plane::over(url).await;
    let channel = plane.admin().await;
    let mut system = SystemServiceClient::new(channel.clone());
    let mut teams = TeamServiceClient::new(channel.clone());
    let mut catalog = CatalogServiceClient::new(channel.clone());
    assert!(!plane.process.readiness.is_ready());
    let status = system.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    assert!(!status.control_plane.unwrap().database_ok);
    let refused = teams.list_teams(ListTeamsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);

    let (opened, database) = tokio::join!(plane.app.open(), postgres(home.path()));
    opened.unwrap();
    assert!(plane.process.readiness.is_ready());
    teams.list_teams(ListTeamsRequest::default()).await.unwrap();

    // Gone in the middle: told within three seconds, reads and writes alike.
    stop(database).await;
    let begun = Instant::now();
    let refused = teams.list_teams(ListTeamsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    let team = Team { name: "team-a".to_owned(), ..Team::default() };
    let create = CreateTeamRequest { team: Some(team) };
    let refused = teams.create_team(create.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    let refused = catalog.export_catalog(ExportCatalogRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());

    let database = postgres(home.path()).await;
    let made = retried(&mut teams, create).await;
    assert!(0 < made.revision);
    drop(plane);
    stop(database).await;
}

/// Tries until the database is back.
async fn retried(
    teams: &mut TeamServiceClient<crate::plane::Authorized>,
    create: CreateTeamRequest,
) -> Team {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match teams.create_team(create.clone()).await {
            Ok(made) => return made.into_inner().team.unwrap(),
            Err(status) if status.code() == Code::Unavailable && Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            Err(status) => panic!("{status}"),
        }
    }
}
