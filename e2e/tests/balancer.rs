//! Three proxies behind a real load balancer: one of them may go, gently or not.

use anyhow::Result;
use e2e::{
    balancer::{Balancer, Server},
    caller::{Caller, chat_body, streamed},
    patience::until,
    stack::Stack,
};
use futures_util::future::join_all;
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// haproxy in front of all proxies, once it passes something on.
async fn start(stack: &Stack) -> Result<Balancer> {
    let servers = stack.proxies().iter().map(|it| Server { url: it.url(), ops: it.ops() });
    let servers: Vec<_> = servers.collect();
    let balancer = Balancer::start(&servers, stack.folder()).await?;
    let caller = Caller::new(&balancer.url(), stack.key())?;
    let look = async || caller.chat("gpt-4o-mini").await.ok().filter(|it| it.status == 200);
    until("haproxy serves", look).await?;
    Ok(balancer)
}

#[tokio::test]
async fn a_proxy_may_leave_gently_and_no_request_fails() {
    let mut stack = Stack::builder().proxies(3).start().await.unwrap();
    let balancer = start(&stack).await.unwrap();
    let caller = Caller::new(&balancer.url(), stack.key()).unwrap();
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    stack
        .witness()
        .behave(serde_json::json!({"model": "demo-slow"}), "tokens=40,chunk_ms=20", None)
        .await
        .unwrap();
    let load = (0..4).map(async |index| {
        let caller = caller.clone();
        while !done.load(Ordering::Relaxed) {
            if index % 2 == 0 {
                let answer = caller.chat("gpt-4o-mini").await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
            } else {
                let body = streamed(chat_body("demo-slow", "x"));
                let mut stream = caller.open("/v1/chat/completions", &body).await.unwrap();
                let status = stream.status();
                let ended = stream.rest().await.map(|it| it.last().map(|it| it.data.clone()));
                let raw = String::from_utf8_lossy(stream.raw());
                assert_eq!(ended.ok().flatten().as_deref(), Some("[DONE]"), "{status}: {raw}");
            }
            served.fetch_add(1, Ordering::Relaxed);
        }
    });
    let restart = async {
        for index in 0..3 {
            let before = served.load(Ordering::Relaxed);
            until("some requests went through", async || {
                (served.load(Ordering::Relaxed) > before + 8).then_some(())
            })
            .await
            .unwrap();
            let program = stack.proxy(index).program();
            program.signal(Signal::TERM).unwrap();
            assert!(program.ended().await.unwrap().success());
            stack.restart_proxy(index).await.unwrap();
            stack.settled().await.unwrap();
        }
        done.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(join_all(load), restart).await;
}

#[tokio::test]
async fn a_killed_proxy_is_passed_over() {
    let mut stack = Stack::builder().proxies(3).start().await.unwrap();
    let balancer = start(&stack).await.unwrap();
    let caller = Caller::new(&balancer.url(), stack.key()).unwrap();
    stack.proxy(1).program().kill();
    for _ in 0..60 {
        let answer = caller.chat("gpt-4o-mini").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    stack.restart_proxy(1).await.unwrap();
    stack.settled().await.unwrap();
    let revision = stack.admin().set_key_disabled("caller", true).await.unwrap();
    stack.admin().applied_by(3, revision).await.unwrap();
    let answers = join_all((0..30).map(|_| caller.chat("gpt-4o-mini"))).await;
    let statuses: BTreeSet<u16> = answers.into_iter().map(|it| it.unwrap().status).collect();
    assert_eq!(statuses, BTreeSet::from([403]), "all of them know");
}
