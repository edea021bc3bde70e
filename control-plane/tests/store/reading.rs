//! Lists, single items, and the hint that something changed.

use crate::fixture::{Fixture, key, team};
use domain::{catalog::Edit, time::Timestamp};
use sluice_control_plane::store::{Page, StoreError};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

fn page(after: Option<&str>, limit: u32) -> Page {
    Page { after: after.map(str::to_owned), limit }
}

#[tokio::test]
async fn pages_follow_each_other_by_name_without_a_gap() {
    let fixture = Fixture::create().await;
    // In bytewise order, whatever the database's locale.
    let names = ["a", "a-1", "a.1", "a_1", "aa", "b"];
    fixture.put(names.iter().rev().map(|it| Edit::PutKey(key(it))).collect()).await;
    for limit in 1..=7 {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let listing =
                fixture.store.list_keys(&page(after.as_deref(), limit), None).await.unwrap();
            seen.extend(listing.items.iter().map(|it| it.item.name.to_string()));
            after = listing.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, names, "limit {limit}");
    }
}

#[tokio::test]
async fn every_list_and_every_item_can_be_read() {
    let fixture = Fixture::create().await;
    let red = team("red");
    let mut owned = (*key("owned")).clone();
    owned.team = Some(red.id);
    owned.expires_at = Some(Timestamp::from_unix_ms(1_900_000_000_123));
    let owned = Arc::new(owned);
    fixture
        .put(vec![
            Edit::PutTeam(red.clone()),
            Edit::PutKey(owned.clone()),
            Edit::PutKey(key("free")),
        ])
        .await;
    let store = &fixture.store;
    let all = page(None, 1_000);
    let providers = store.list_providers(&all).await.unwrap().items;
    assert_eq!(providers.len(), fixture.base.catalog().providers.len());
    for it in &providers {
        let name = it.item.name.as_str();
        assert_eq!(store.get_provider(name).await.unwrap().as_ref(), Some(it));
    }
    let models = store.list_models(&all).await.unwrap();
    assert_eq!(models.items.len(), fixture.base.catalog().models.len());
    let first = &models.items[0];
    assert_eq!(store.get_model(&first.item.id.to_string()).await.unwrap().as_ref(), Some(first));
    let second = store.list_models(&page(Some(&first.item.id.to_string()), 1)).await.unwrap();
    assert_eq!(second.items[0], models.items[1]);
    let error = store.list_models(&page(Some("nonsense"), 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::BadPage));
    for name in [red.id.to_string(), red.name.to_string()] {
        assert_eq!(store.get_team(&name).await.unwrap().unwrap().item, *red);
    }
    assert_eq!(store.list_teams(&all).await.unwrap().items.len(), 1);
    for name in [owned.id.to_string(), owned.name.to_string()] {
        assert_eq!(store.get_key(&name).await.unwrap().unwrap().item, *owned);
    }
    let team_keys = store.list_keys(&all, Some(red.id)).await.unwrap().items;
    assert_eq!(team_keys.len(), 1);
    assert_eq!(store.list_routes(&all).await.unwrap().items, []);
    assert_eq!(store.get_route("none").await.unwrap(), None);
    assert_eq!(store.get_settings().await.unwrap().revision, 0);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_listener_hears_of_every_revision() {
    let fixture = Fixture::create().await;
    let mut listener = fixture.store.listen();
    // The first time it tells that it listens.
    timeout(Duration::from_secs(10), listener.changed()).await.unwrap();
    for name in ["a", "b", "c"] {
        fixture.put(vec![Edit::PutTeam(team(name))]).await;
        timeout(Duration::from_secs(10), listener.changed()).await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_whose_connection_is_cut_listens_again_and_says_so() {
    let mut fixture = Fixture::create().await;
    let mut listener = fixture.store.listen();
    timeout(Duration::from_secs(10), listener.changed()).await.unwrap();
    let client = fixture.client().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(client.query(cut, &[]).await.unwrap().len(), 1);
    timeout(Duration::from_secs(10), listener.changed()).await.unwrap();
    fixture.put(vec![Edit::PutTeam(team("a"))]).await;
    timeout(Duration::from_secs(10), listener.changed()).await.unwrap();
}
