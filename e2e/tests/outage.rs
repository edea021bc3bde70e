//! Traffic goes on without the control plane and without its database; nothing is lost meanwhile.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{patience::until, stack::Stack};
use rustix::process::Signal;
use std::time::{Duration, Instant};

async fn status_of(url: &str) -> u16 {
    let client =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    client.get(url).send().await.map(|it| it.status().as_u16()).unwrap_or(0)
}

async fn chats(stack: &Stack, count: usize) -> Vec<String> {
    let caller = stack.caller().unwrap();
    let mut ids = Vec::new();
    for _ in 0..count {
        let answer = caller.chat("gpt-4o-mini").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        ids.push(answer.header("x-request-id").to_owned());
    }
    ids
}

async fn all_in_the_books(stack: &Stack, ids: &[String]) {
    let look = async || {
        let records = stack.admin().usage().await.ok()?;
        let known = |id: &&String| records.iter().filter(|it| it.request_id == **id).count();
        assert!(ids.iter().all(|it| known(&it) <= 1), "a request was counted twice");
        (ids.iter().filter(|it| known(it) == 1).count() == ids.len()).then_some(())
    };
    until("every request is in the usage table, once", look).await.unwrap();
}

#[tokio::test]
async fn a_killed_control_plane_is_not_missed_and_gets_every_record_later() {
    let mut stack = Stack::builder().start().await.unwrap();
    let mut ids = chats(&stack, 5).await;
    stack.control().kill();
    ids.extend(chats(&stack, 20).await);
    let ready = format!("{}/readyz", stack.proxies()[0].ops());
    assert_eq!(status_of(&ready).await, 200, "a proxy is ready without its control plane");
    stack.restart_control().await.unwrap();
    ids.extend(chats(&stack, 5).await);
    stack.settled().await.unwrap();
    all_in_the_books(&stack, &ids).await;
    // The catalog is what it was, and can be changed again.
    let key = stack.admin().add_key("later").await.unwrap();
    stack.settled().await.unwrap();
    let answer = stack.caller().unwrap().with_key(&key).chat("gpt-4o-mini").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_proxy_starts_from_its_cache_when_there_is_no_control_plane() {
    let builder = Stack::builder().proxies(2).proxy_env("SLUICE_LOG", "sluice_data_plane=debug");
    let mut stack = builder.start().await.unwrap();
    // Snapshots are written a moment after they are applied.
    let revision = format!(r#""revision":{},"#, stack.settled().await.unwrap());
    until("the newest snapshot is cached", async || {
        let log = stack.proxies()[0].log();
        let written = |it: &str| it.contains("snapshot cached") && it.contains(&revision);
        log.lines().any(written).then_some(())
    })
    .await
    .unwrap();
    stack.proxy(0).program().kill();
    stack.control().kill();
    let start = Instant::now();
    stack.restart_proxy(0).await.unwrap();
    let ids = chats(&stack, 10).await;
    assert!(start.elapsed() < Duration::from_secs(30), "served after {:?}", start.elapsed());
    let wrong = stack.caller().unwrap().with_key("slc_sk_wrong").chat("gpt-4o-mini").await.unwrap();
    assert_eq!(wrong.status, 401, "it knows its keys");
    stack.restart_control().await.unwrap();
    stack.settled().await.unwrap();
    all_in_the_books(&stack, &ids).await;
}

#[tokio::test]
async fn a_proxy_without_cache_and_control_plane_is_alive_and_not_ready_until_there_is_one() {
    let mut stack = Stack::builder().start().await.unwrap();
    stack.proxy(0).program().kill();
    stack.control().kill();
    let caches = stack.folder().join("proxy-1");
    std::fs::remove_dir_all(&caches).unwrap();
    stack.restart_proxy(0).await.unwrap();
    let ops = stack.proxies()[0].ops();
    assert_eq!(status_of(&format!("{ops}/livez")).await, 200);
    assert_eq!(status_of(&format!("{ops}/readyz")).await, 503);
    let refused = stack.caller().unwrap().chat("gpt-4o-mini").await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    stack.restart_control().await.unwrap();
    let look = async || (status_of(&format!("{ops}/readyz")).await == 200).then_some(());
    until("the proxy is ready", look).await.unwrap();
    chats(&stack, 1).await;
}

#[tokio::test]
async fn a_killed_database_comes_back_and_nothing_is_lost() {
    let stack = Stack::builder().start().await.unwrap();
    let mut ids = chats(&stack, 5).await;
    for _ in 0..2 {
        let postmaster = stack.postmaster_up().await.unwrap();
        postmaster.signal(Signal::KILL);
        ids.extend(chats(&stack, 10).await);
        let look = async || stack.postmaster().ok().filter(|it| it.pid() != postmaster.pid());
        until("another postmaster is running", look).await.unwrap();
        all_in_the_books(&stack, &ids).await;
    }
    let key = until("the catalog can be changed again", async || {
        stack.admin().add_key("later").await.ok()
    })
    .await;
    stack.settled().await.unwrap();
    let answer = stack.caller().unwrap().with_key(&key.unwrap()).chat("gpt-4o-mini").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_frozen_control_plane_holds_up_nobody() {
    let mut stack = Stack::builder().start().await.unwrap();
    stack.control().signal(Signal::STOP).unwrap();
    let ids = chats(&stack, 30).await;
    stack.control().signal(Signal::CONT).unwrap();
    all_in_the_books(&stack, &ids).await;
}

#[tokio::test]
async fn a_killed_proxy_comes_back_under_its_own_name() {
    let mut stack = Stack::builder().start().await.unwrap();
    let before = stack.admin().status().await.unwrap();
    chats(&stack, 3).await;
    for _ in 0..2 {
        stack.proxy(0).program().kill();
        stack.restart_proxy(0).await.unwrap();
        stack.settled().await.unwrap();
        chats(&stack, 3).await;
    }
    let after = stack.admin().status().await.unwrap();
    assert_eq!(after.proxies.len(), 1, "{after:?}");
    assert_eq!(after.proxies[0].id, before.proxies[0].id);
}
