//! Many edits as one revision, and the catalog as edits.

use crate::{
    nouns::{account, add_team},
    plane::{Authorized, Plane},
};
use proto::admin::v1::{
    catalog_service_client::CatalogServiceClient, edit::Edit as One,
    key_service_client::KeyServiceClient, team_service_client::TeamServiceClient, *,
};
use std::time::{Duration, Instant};
use tonic::Code;
use tonic_types::StatusExt;

fn change(edits: Vec<One>) -> ApplyChangeRequest {
    let edits = edits.into_iter().map(|it| Edit { edit: Some(it) }).collect();
    ApplyChangeRequest { edits, ..ApplyChangeRequest::default() }
}

fn key(name: &str, team: &str) -> VirtualKey {
    VirtualKey { name: name.to_owned(), team: team.to_owned(), ..VirtualKey::default() }
}

fn route(alias: &str, account: &str) -> Route {
    let target = Target { account: account.to_owned(), ..Target::default() };
    let tiers = vec![Tier { targets: vec![target] }];
    Route { alias: alias.to_owned(), tiers, ..Route::default() }
}

fn client(channel: &Authorized) -> CatalogServiceClient<Authorized> {
    CatalogServiceClient::new(channel.clone()).max_decoding_message_size(64 << 20)
}

#[tokio::test]
async fn later_edits_may_name_what_earlier_ones_made() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut catalog = client(&channel);
    let edits = vec![
        One::PutTeam(Team { name: "team-a".to_owned(), ..Team::default() }),
        One::PutAccount(account("main")),
        One::PutRoute(route("smart", "main")),
        One::PutKey(key("k", "team-a")),
    ];
    let applied = catalog.apply_change(change(edits.clone())).await.unwrap().into_inner();
    let [created] = applied.created_keys.as_slice() else { panic!("{applied:?}") };
    assert!(created.secret.starts_with("slc_sk_"));
    let made = created.key.clone().unwrap();
    assert_eq!((made.team.as_str(), made.revision), ("team-a", applied.revision));
    assert!(created.secret.ends_with(&made.hint));

    // Again: nothing changes, and the key keeps its text.
    let again = catalog.apply_change(change(edits)).await.unwrap().into_inner();
    assert_eq!((again.revision, again.created_keys.len()), (applied.revision, 0));
    let mut changed = key("k", "");
    changed.disabled = true;
    let after = catalog.apply_change(change(vec![One::PutKey(changed)])).await.unwrap();
    assert!(after.into_inner().created_keys.is_empty());
    let mut keys = KeyServiceClient::new(channel);
    let found = keys.get_key(GetKeyRequest { key: "k".to_owned() }).await.unwrap();
    let found = found.into_inner().key.unwrap();
    assert!(found.disabled && found.team.is_empty() && found.id == made.id);
    assert_eq!((found.hint, found.created_at.is_some()), (made.hint, true));
}

#[tokio::test]
async fn all_is_written_or_nothing_and_every_wrong_edit_is_named() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut catalog = client(&channel);
    let before = catalog.export_catalog(ExportCatalogRequest::default()).await.unwrap();
    let edits = vec![
        One::PutTeam(Team { name: "good".to_owned(), ..Team::default() }),
        One::PutTeam(Team { name: "B A D".to_owned(), ..Team::default() }),
        One::PutRoute(route("smart", "nobody")),
        One::DeleteKey("none".to_owned()),
        One::DeleteProvider("openai".to_owned()),
    ];
    let status = catalog.apply_change(change(edits)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let fields: Vec<_> =
        details.bad_request().unwrap().field_violations.iter().map(|it| it.field.clone()).collect();
    let expected = [
        "edits[1].put_team.name",
        "edits[2].put_route.tiers[0].targets[0].account",
        "edits[3].delete_key",
        "edits[4].delete_provider",
    ];
    assert_eq!(fields, expected);

    // What compiles to defects is told with every one of them, too.
    let mut poor = account("poor");
    poor.credential.clear();
    let mut lost = account("lost");
    lost.provider = "nobody".to_owned();
    let edits = vec![One::PutAccount(poor), One::PutAccount(lost)];
    let status = catalog.apply_change(change(edits)).await.unwrap_err();
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations.len(), 2, "{status}");
    let after = catalog.export_catalog(ExportCatalogRequest::default()).await.unwrap();
    assert_eq!(before.into_inner(), after.into_inner());
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_a_stale_change_is_aborted() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut catalog = client(&channel);
    let made = add_team(&channel, "team-a").await;
    let mut request = change(vec![One::PutKey(key("k", "team-a"))]);
    request.dry_run = true;
    request.expected_revision = Some(made.revision);
    let tried = catalog.apply_change(request.clone()).await.unwrap().into_inner();
    assert_eq!((tried.revision, tried.created_keys.len()), (made.revision, 0));
    let mut keys = KeyServiceClient::new(channel);
    let missing = keys.get_key(GetKeyRequest { key: "k".to_owned() }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);

    request.expected_revision = Some(made.revision - 1);
    let status = catalog.apply_change(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "REVISION_MISMATCH");
    let mut stale = made.clone();
    stale.description = "x".to_owned();
    stale.etag = "r1".to_owned();
    let status = catalog.apply_change(change(vec![One::PutTeam(stale)])).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    let empty = catalog.apply_change(change(Vec::new())).await.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_refers_may_go_in_the_same_change_in_any_order() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut catalog = client(&channel);
    let edits = vec![One::PutAccount(account("main")), One::PutRoute(route("smart", "main"))];
    catalog.apply_change(change(edits)).await.unwrap();
    let alone = change(vec![One::DeleteAccount("main".to_owned())]);
    let status = catalog.apply_change(alone).await.unwrap_err();
    assert!(status.message().contains("smart"), "{status}");
    let both = vec![One::DeleteAccount("main".to_owned()), One::DeleteRoute("smart".to_owned())];
    catalog.apply_change(change(both)).await.unwrap();
}

#[tokio::test]
async fn an_export_applied_again_changes_nothing() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut catalog = client(&channel);
    let edits = vec![
        One::PutTeam(Team { name: "team-a".to_owned(), ..Team::default() }),
        One::PutAccount(Account { proxy: "http://u:p@h:1".to_owned(), ..account("main") }),
        One::PutRoute(route("smart", "main")),
        One::PutKey(key("k", "team-a")),
    ];
    let applied = catalog.apply_change(change(edits)).await.unwrap().into_inner();
    for with_built_in in [false, true] {
        let request = ExportCatalogRequest { without_keys: false, with_built_in };
        let export = catalog.export_catalog(request).await.unwrap().into_inner();
        assert_eq!(export.revision, applied.revision);
        assert_eq!(5 < export.edits.len(), with_built_in, "{}", export.edits.len());
        let request = ApplyChangeRequest { edits: export.edits, ..Default::default() };
        let again = catalog.apply_change(request).await.unwrap().into_inner();
        assert_eq!((again.revision, again.created_keys.len()), (applied.revision, 0));
    }
    let request = ExportCatalogRequest { without_keys: true, with_built_in: false };
    let export = catalog.export_catalog(request).await.unwrap().into_inner();
    assert_eq!(export.edits.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_control_planes_write_side_by_side_and_lose_nothing() {
    let here = Plane::start().await;
    let there = Plane::beside(&here).await;
    let write = async |plane: &Plane, prefix: &str| {
        let channel = plane.admin().await;
        for at in 0..20 {
            add_team(&channel, &format!("{prefix}-{at}")).await;
        }
    };
    tokio::join!(write(&here, "a"), write(&there, "b"));
    for plane in [&here, &there] {
        let request = ListTeamsRequest { page_size: 1_000, ..ListTeamsRequest::default() };
        let mut teams = TeamServiceClient::new(plane.admin().await);
        let page = teams.list_teams(request).await.unwrap().into_inner();
        assert_eq!(page.teams.len(), 40);
    }
    // What was just made there can be written here under its etag.
    let made = add_team(&there.admin().await, "late").await;
    let mut teams = TeamServiceClient::new(here.admin().await);
    let team = Team { description: "x".to_owned(), ..made };
    let request = UpdateTeamRequest { team: Some(team.clone()), update_mask: None };
    teams.update_team(request.clone()).await.unwrap();
    assert_eq!(teams.update_team(request).await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn a_thousand_keys_are_one_quick_change() {
    let plane = Plane::start().await;
    let channel = plane.admin().await;
    let mut catalog = client(&channel);
    let keys = |disabled: bool| {
        let named = (0..1_000).map(|at| VirtualKey { disabled, ..key(&format!("k-{at}"), "") });
        change(named.map(One::PutKey).collect())
    };
    let begun = Instant::now();
    let applied = catalog.apply_change(keys(false)).await.unwrap().into_inner();
    let made = begun.elapsed();
    assert_eq!(applied.created_keys.len(), 1_000);
    let begun = Instant::now();
    let changed = catalog.apply_change(keys(true)).await.unwrap().into_inner();
    let updated = begun.elapsed();
    assert_eq!((changed.revision, changed.created_keys.len()), (applied.revision + 1, 0));
    // Generous, because tests are built without optimisation and run beside each other.
    let bound = Duration::from_secs(10);
    assert!(made < bound && updated < bound, "{made:?} {updated:?}");

    let mut keys = KeyServiceClient::new(channel);
    let request = ListKeysRequest { page_size: 1_000, ..ListKeysRequest::default() };
    let page = keys.list_keys(request).await.unwrap().into_inner();
    assert!(page.keys.len() == 1_000 && page.keys.iter().all(|it| it.disabled));
}
