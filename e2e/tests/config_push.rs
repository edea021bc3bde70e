//! A change of configuration on three proxies: whole, soon, and without a dropped request.

use e2e::{admin::route, demo::ledger::Entry, patience::until, stack::Stack};
use futures_util::future::join_all;
use proto::admin::v1::edit::Edit;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

#[tokio::test]
async fn a_disabled_key_is_refused_by_every_proxy_once_the_revision_is_applied() {
    let stack = Stack::builder().proxies(3).start().await.unwrap();
    let other = stack.admin().add_key("other").await.unwrap();
    stack.settled().await.unwrap();
    for disabled in [true, false, true, false, true] {
        let revision = stack.admin().set_key_disabled("other", disabled).await.unwrap();
        stack.admin().applied_by(3, revision).await.unwrap();
        for index in 0..3 {
            let caller = stack.caller_of(index).unwrap();
            let answer = caller.with_key(&other).chat("gpt-4o-mini").await.unwrap();
            assert_eq!(
                answer.status,
                if disabled { 403 } else { 200 },
                "proxy {index}: {}",
                answer.text()
            );
            assert_eq!(caller.chat("gpt-4o-mini").await.unwrap().status, 200);
        }
    }
    let status = stack.admin().status().await.unwrap();
    assert_eq!(status.proxies.len(), 3);
    assert!(status.proxies.iter().all(|it| it.defects.is_empty()), "{status:?}");
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn no_request_is_dropped_or_answered_by_a_mixture_of_revisions() {
    let stack = Stack::builder().proxies(3).start().await.unwrap();
    let admin = stack.admin();
    let base_url = stack.witness().base_url();
    admin.add_demo_account("even", &base_url, "even-credential").await.unwrap();
    admin.add_demo_account("odd", &base_url, "odd-credential").await.unwrap();
    // Account and model change together: one of the one and one of the other would be a mixture.
    let flip = |name: &str| Edit::PutRoute(route("flip", &[&[(name, &format!("demo-{name}"), 1)]]));
    admin.apply(vec![flip("even")]).await.unwrap();
    stack.settled().await.unwrap();

    let done = AtomicBool::new(false);
    let load = (0..6).map(async |index| {
        let caller = stack.caller_of(index % 3).unwrap();
        let mut answers = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let answer = caller.chat("flip").await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let revision: u64 = answer.header("x-sluice-revision").parse().unwrap();
            answers.push((revision, answer.header("x-sluice-account").to_owned()));
        }
        answers
    });
    let change = async {
        let mut revisions = BTreeMap::new();
        for round in 0..40 {
            let name = if round % 2 == 0 { "odd" } else { "even" };
            let revision = admin.apply(vec![flip(name)]).await.unwrap().revision;
            admin.applied_by(3, revision).await.unwrap();
            revisions.insert(revision, name);
        }
        done.store(true, Ordering::Relaxed);
        revisions
    };
    let (answers, revisions) = futures_util::future::join(join_all(load), change).await;
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let first = revisions.keys().next().copied().unwrap();
    for (revision, account) in &answers {
        let expected = revisions.get(revision).copied().unwrap_or("even");
        assert!(
            *revision >= first - 1 && account == expected,
            "revision {revision} went to {account}"
        );
    }
    let entries: Vec<Entry> = until("the ledger holds every request", async || {
        stack.witness().ledger().await.ok().filter(|it| it.len() == answers.len())
    })
    .await
    .unwrap();
    let pairs: std::collections::BTreeSet<_> =
        entries.iter().map(|it| (it.model.clone(), it.credential_hash.clone())).collect();
    assert_eq!(pairs.len(), 2, "a model and a credential always go together: {pairs:?}");
    assert!(answers.len() > 100, "only {} requests were made", answers.len());
}

#[tokio::test]
async fn a_change_that_would_not_compile_is_refused_whole_with_every_defect() {
    let stack = Stack::builder().start().await.unwrap();
    let before = stack.settled().await.unwrap();
    let edits = vec![
        Edit::PutRoute(route("good", &[&[("demo-main", "demo-a", 1)]])),
        Edit::PutRoute(route("bad-one", &[&[("nobody", "demo-a", 1)]])),
        Edit::PutRoute(route("bad-two", &[&[("no-one", "demo-a", 1)]])),
    ];
    let refusal = stack.admin().apply(edits).await.unwrap_err();
    let told = format!("{refusal:?} {}", refusal.message());
    assert!(told.contains("nobody") && told.contains("no-one"), "{told}");
    assert_eq!(stack.admin().revision().await.unwrap(), before, "nothing was written");
    assert_eq!(stack.caller().unwrap().chat("good").await.unwrap().status, 404);
}
