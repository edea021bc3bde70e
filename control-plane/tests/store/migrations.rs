//! The schema: applied once, by one at a time, and never to a database that is not ours.

use crate::{
    database::Database,
    fixture::{Fixture, store},
};
use futures_util::future::join_all;
use sluice_control_plane::store::StoreError;

#[tokio::test]
async fn many_may_migrate_at_once() {
    let database = Database::create().await;
    let stores: Vec<_> = (0..6).map(|_| store(&database)).collect();
    for result in join_all(stores.iter().map(|it| it.migrate())).await {
        result.unwrap();
    }
    assert_eq!(stores[0].incarnation_and_revision().await.unwrap().1, 0);
}

#[tokio::test]
async fn migrating_and_seeding_again_changes_nothing() {
    let fixture = Fixture::create().await;
    let before = fixture.revision().await;
    assert_eq!(before, 1);
    fixture.store.migrate().await.unwrap();
    assert_eq!(fixture.store.seed_templates(&fixture.vault).await.unwrap(), before);
    assert_eq!(fixture.revision().await, before);
}

#[tokio::test]
async fn an_edited_migration_is_refused_by_name() {
    let mut fixture = Fixture::create().await;
    let client = fixture.client().await;
    client
        .batch_execute("UPDATE schema_migration SET sha256 = '\\x00' WHERE version = 2")
        .await
        .unwrap();
    let error = fixture.store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Drift { version: 2, .. }), "{error}");
    assert!(error.to_string().contains("0002_catalog"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_both_versions_are_named() {
    let mut fixture = Fixture::create().await;
    let client = fixture.client().await;
    let newer =
        "INSERT INTO schema_migration (version, name, sha256) VALUES (9999, '9999_later', '')";
    client.batch_execute(newer).await.unwrap();
    let error = fixture.store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaTooNew { found: 9999, .. }), "{error}");
    assert!(error.to_string().contains("9999"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable() {
    let mut database = Database::create().await;
    database.config.dbname("nowhere");
    let error = store(&database).migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}
