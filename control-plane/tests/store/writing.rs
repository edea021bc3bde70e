//! The write path: one order of revisions, all or nothing, nothing lost.

use crate::fixture::{Fixture, account, actor, catalog, key, snapshot, store, team};
use domain::{
    catalog::{Edit, Route, Settings, Target, Tier, Translation},
    id::{AccountId, KeyId},
};
use futures_util::future::join_all;
use sluice_control_plane::store::{ItemRef, Request, StoreError, WriteError};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

#[tokio::test]
async fn concurrent_writers_make_revisions_without_gaps_and_lose_nothing() {
    const WRITERS: usize = 4;
    const WRITES: usize = 15;
    let mut fixture = Fixture::create().await;
    let first = fixture.revision().await + 1;
    let stores: Vec<_> = (0..WRITERS).map(|_| store(&fixture.database)).collect();
    let writers = stores.iter().enumerate().map(|(writer, store)| {
        let mut base = fixture.base.clone();
        let vault = &fixture.vault;
        async move {
            let mut revisions = Vec::new();
            for at in 0..WRITES {
                let edits = vec![Edit::PutKey(key(&format!("key-{writer}-{at}")))];
                let written = store
                    .write(vault, &actor(), Request::default(), &base, |_| Ok::<_, ()>(edits))
                    .await
                    .unwrap();
                revisions.push(written.revision);
                // Every other time from an old base, as a slow publisher would have.
                if at % 2 == 0 {
                    base = written.snapshot;
                }
            }
            (revisions, base)
        }
    });
    let (revisions, _): (Vec<_>, Vec<_>) = join_all(writers).await.into_iter().unzip();
    let all: BTreeSet<u64> = revisions.into_iter().flatten().collect();
    let last = first + (WRITERS * WRITES) as u64 - 1;
    assert_eq!(all, (first..=last).collect());
    assert_eq!(fixture.revision().await, last);
    assert_eq!(catalog(fixture.load().await.unwrap()).keys.len(), WRITERS * WRITES);
    let client = fixture.client().await;
    let logged = client
        .query_one("SELECT count(DISTINCT revision), max(revision) FROM change_log", &[])
        .await
        .unwrap();
    assert_eq!(logged.get::<_, i64>(0), i64::try_from(last).unwrap());
    assert_eq!(logged.get::<_, i64>(1), i64::try_from(last).unwrap());
}

#[tokio::test]
async fn a_write_from_an_old_base_gives_what_a_full_load_gives() {
    let fixture = Fixture::create().await;
    let (a, b) = (key("a"), key("b"));
    let first = fixture.put(vec![Edit::PutKey(a.clone()), Edit::PutTeam(team("red"))]).await;
    assert!(first.caught_up.is_empty());
    // The fixture's base is older than both.
    let second = fixture.put(vec![Edit::PutKey(b), Edit::DeleteKey(a.id)]).await;
    assert_eq!(second.caught_up.len(), 2);
    assert!(!second.reloaded);
    let loaded = snapshot(fixture.load().await.unwrap());
    assert_eq!(second.snapshot.catalog(), loaded.catalog());
    assert_eq!(second.revision, loaded.revision());
}

#[tokio::test]
async fn the_whole_catalog_is_the_sum_of_its_changes() {
    let fixture = Fixture::create().await;
    let mut sum = fixture.base.catalog().clone();
    let mut at = fixture.revision().await;
    let (main, spare) = (account("main", "sk-1"), account("spare", "sk-2"));
    let red = team("red");
    let route = |account: AccountId| {
        let target = Target { account, model: Some("gpt-4o".parse().unwrap()), weight: 3 };
        Edit::PutRoute(Arc::new(Route {
            alias: "fast".parse().unwrap(),
            tiers: vec![Tier { targets: vec![target] }],
            enabled: true,
            translation: Translation::Strict,
        }))
    };
    let mut owned = (*key("owned")).clone();
    owned.team = Some(red.id);
    let owned = Arc::new(owned);
    let changes = [
        vec![Edit::PutAccount(main.clone()), Edit::PutTeam(red.clone())],
        vec![route(main.id), Edit::PutKey(owned.clone()), Edit::PutAccount(spare.clone())],
        vec![Edit::DeleteRoute("fast".parse().unwrap()), Edit::DeleteAccount(main.id)],
        vec![route(spare.id)],
        vec![Edit::DeleteKey(owned.id), Edit::DeleteTeam(red.id)],
        vec![Edit::PutSettings(Settings { max_attempts: 7, ..Settings::default() })],
        // The same name again, in the same revision in which its owner goes.
        vec![Edit::PutKey(key("other"))],
    ];
    for change in changes {
        let written = fixture.put(change).await;
        let since = fixture.store.changes_since(&fixture.vault, at).await.unwrap();
        assert!(!since.whole);
        assert_eq!(since.revision, written.revision);
        at = since.revision;
        since.edits.into_iter().for_each(|it| sum.apply(it));
        assert_eq!(sum, catalog(fixture.load().await.unwrap()), "at {at}");
        assert_eq!(&sum, written.snapshot.catalog(), "at {at}");
    }
    let from_the_start = fixture.store.changes_since(&fixture.vault, 1).await.unwrap();
    let mut again = fixture.base.catalog().clone();
    from_the_start.edits.into_iter().for_each(|it| again.apply(it));
    assert_eq!(again, sum);
}

#[tokio::test]
async fn a_name_may_change_hands_within_one_revision() {
    let fixture = Fixture::create().await;
    let (old, new) = (key("same"), key("same"));
    fixture.put(vec![Edit::PutKey(old.clone())]).await;
    fixture.put(vec![Edit::PutKey(new.clone()), Edit::DeleteKey(old.id)]).await;
    let found = fixture.store.get_key("same").await.unwrap().unwrap();
    assert_eq!(found.item, *new);
}

#[tokio::test]
async fn an_older_database_makes_the_whole_catalog_be_read_anew() {
    let fixture = Fixture::create().await;
    let since = fixture.store.changes_since(&fixture.vault, 1_000).await.unwrap();
    assert!(since.whole);
    assert_eq!(catalog(since), *fixture.base.catalog());
    let other = Request { incarnation: Some(Uuid::now_v7()), ..Request::default() };
    let written = fixture.write(other, vec![Edit::PutTeam(team("red"))]).await.unwrap();
    assert!(written.reloaded);
    assert_eq!(*written.snapshot.catalog(), catalog(fixture.load().await.unwrap()));
}

#[tokio::test]
async fn a_stale_revision_or_etag_writes_nothing() {
    let fixture = Fixture::create().await;
    let red = team("red");
    fixture.put(vec![Edit::PutTeam(red.clone())]).await;
    let mut renamed = (*red).clone();
    renamed.description = "changed".to_owned();
    let edits = vec![Edit::PutTeam(Arc::new(renamed))];
    let stale = Request { expected_revision: Some(1), ..Request::default() };
    let error = fixture.write(stale, edits.clone()).await.unwrap_err();
    assert!(matches!(error, WriteError::Stale { expected: 1, actual: 2 }), "{error}");
    let item = ItemRef::Team(red.id);
    let request =
        |revision| Request { etags: vec![(item.clone(), revision)], ..Request::default() };
    let error = fixture.write(request(1), edits.clone()).await.unwrap_err();
    assert!(matches!(&error, WriteError::EtagMismatch { item: it } if *it == item), "{error}");
    let gone = ItemRef::Key(KeyId::from_uuid(Uuid::now_v7()));
    let absent = Request { etags: vec![(gone, 2)], ..Request::default() };
    fixture.write(absent, edits.clone()).await.unwrap_err();
    assert_eq!(fixture.revision().await, 2);
    let right = Request { expected_revision: Some(2), ..request(2) };
    assert_eq!(fixture.write(right, edits).await.unwrap().revision, 3);
}

#[tokio::test]
async fn every_kind_of_item_has_an_etag() {
    let fixture = Fixture::create().await;
    let loaded = fixture.load().await.unwrap();
    let mut all = loaded.edits;
    let settings = Settings { max_attempts: 5, ..Settings::default() };
    let more = vec![
        Edit::PutAccount(account("main", "sk-1")),
        Edit::PutTeam(team("red")),
        Edit::PutKey(key("a")),
        Edit::PutSettings(settings),
    ];
    let untouched = Request { etags: vec![(ItemRef::Settings, 0)], ..Request::default() };
    fixture.write(untouched, more.clone()).await.unwrap();
    let revision_of = |edit: &Edit| if more.contains(edit) { 2 } else { 1 };
    all.extend(more.clone());
    let etags = all.iter().map(|it| (ItemRef::of(it), revision_of(it))).collect();
    let request = Request { etags, ..Request::default() };
    fixture.write(request, vec![Edit::PutTeam(team("blue"))]).await.unwrap();
}

#[tokio::test]
async fn defects_are_told_all_at_once_and_write_nothing() {
    let fixture = Fixture::create().await;
    let mut orphan = (*account("orphan", "sk-1")).clone();
    orphan.provider = "nobody".parse().unwrap();
    let mut lost = (*key("lost")).clone();
    lost.pepper_version = 99;
    let edits = vec![
        Edit::PutAccount(Arc::new(orphan)),
        Edit::PutKey(Arc::new(lost)),
        Edit::PutTeam(team("red")),
    ];
    let error = fixture.write(Request::default(), edits).await.unwrap_err();
    let WriteError::Defects(defects) = error else { panic!("{error}") };
    assert_eq!(defects.len(), 2, "{defects:?}");
    assert_eq!(fixture.revision().await, 1);
    assert_eq!(fixture.store.get_team("red").await.unwrap(), None);
}

#[tokio::test]
async fn a_taken_name_is_told_apart_from_other_failures_even_in_a_crowd() {
    let fixture = Fixture::create().await;
    fixture.put(vec![Edit::PutKey(key("taken"))]).await;
    let mut crowd: Vec<_> = (0..600).map(|it| Edit::PutKey(key(&format!("key-{it}")))).collect();
    crowd.insert(300, Edit::PutKey(key("taken")));
    for dry_run in [true, false] {
        let request = Request { dry_run, ..Request::default() };
        let error = fixture.write(request, crowd.clone()).await.unwrap_err();
        assert!(
            matches!(&error, WriteError::AlreadyExists { what } if what == "key `taken`"),
            "{error:?}"
        );
    }
    assert_eq!(fixture.revision().await, 2);
    assert_eq!(catalog(fixture.load().await.unwrap()).keys.len(), 1);
}

#[tokio::test]
async fn a_failed_plan_a_dry_run_and_an_empty_difference_leave_no_trace() {
    let fixture = Fixture::create().await;
    let red = team("red");
    let error = fixture
        .store
        .write(&fixture.vault, &actor(), Request::default(), &fixture.base, |_| Err("no"))
        .await
        .unwrap_err();
    assert!(matches!(error, WriteError::Plan("no")), "{error}");
    let dry = Request { dry_run: true, ..Request::default() };
    let written = fixture.write(dry, vec![Edit::PutTeam(red.clone())]).await.unwrap();
    assert_eq!(written.edits, [Edit::PutTeam(red.clone())]);
    assert_eq!((written.revision, written.snapshot.revision()), (1, 1));
    assert_eq!(fixture.store.get_team("red").await.unwrap(), None);
    fixture.put(vec![Edit::PutTeam(red.clone())]).await;
    let same = fixture.put(vec![Edit::PutTeam(red)]).await;
    assert!(same.edits.is_empty());
    assert_eq!((same.revision, fixture.revision().await), (2, 2));
}

#[tokio::test]
async fn ten_thousand_edits_are_one_revision() {
    let fixture = Fixture::create().await;
    let edits: Vec<_> = (0..10_000).map(|it| Edit::PutKey(key(&format!("key-{it}")))).collect();
    let written = fixture.put(edits).await;
    assert_eq!(written.revision, 2);
    assert_eq!(catalog(fixture.load().await.unwrap()), *written.snapshot.catalog());
}

#[tokio::test]
async fn what_does_not_compile_any_more_is_named() {
    let mut fixture = Fixture::create().await;
    fixture.put(vec![Edit::PutAccount(account("main", "sk-1"))]).await;
    let client = fixture.client().await;
    let harm = "UPDATE account SET sealed_credential = NULL, revision = 2 WHERE name = 'main'";
    client.batch_execute(harm).await.unwrap();
    let error =
        fixture.write(Request::default(), vec![Edit::PutTeam(team("red"))]).await.unwrap_err();
    let WriteError::Store(StoreError::Corrupt { what }) = error else { panic!("{error}") };
    assert!(what.contains("main"), "{what}");
}

#[tokio::test]
async fn a_database_that_went_back_is_told_from_one_that_was_read_a_moment_ago() {
    let fixture = Fixture::create().await;
    let (incarnation, revision) = fixture.store.incarnation_and_revision().await.unwrap();
    assert!(!fixture.store.begin_anew(incarnation, revision).await.unwrap());
    assert!(!fixture.store.begin_anew(Uuid::nil(), revision + 1).await.unwrap());
    assert!(fixture.store.begin_anew(incarnation, revision + 1).await.unwrap());
    assert!(!fixture.store.begin_anew(incarnation, revision + 1).await.unwrap());
    let (anew, same) = fixture.store.incarnation_and_revision().await.unwrap();
    assert!(anew != incarnation && same == revision);
}

#[tokio::test]
async fn a_database_that_only_reads_for_now_is_waited_for() {
    let mut fixture = Fixture::create().await;
    let name = fixture.database.config.get_dbname().unwrap().to_owned();
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    fixture.client().await.batch_execute(&read_only).await.unwrap();
    let fresh = store(&fixture.database);
    let edits = vec![Edit::PutKey(key("a"))];
    let refused = fresh
        .write(&fixture.vault, &actor(), Request::default(), &fixture.base, |_| Ok::<_, ()>(edits))
        .await
        .unwrap_err();
    assert!(matches!(refused, WriteError::Store(StoreError::Unavailable(_))), "{refused:?}");
}
