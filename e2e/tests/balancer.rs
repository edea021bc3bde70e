//! Three proxies behind a real load balancer: one of them may go, gently or not.

use anyhow::{Context, Result, bail};
use e2e::{
    caller::{Caller, chat_body, streamed},
    patience::until,
    ports::Reserved,
    program,
    stack::Stack,
};
use futures_util::future::join_all;
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// haproxy in the foreground; ends with the test.
struct Balancer {
    child: Child,
    port: Reserved,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn haproxy() -> Result<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/sbin/haproxy")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path).map(|it| it.join("haproxy")));
    places
        .into_iter()
        .find(|it| it.is_file())
        .context("haproxy is missing: `make test` installs it")
}

/// What an operator would write: checks on the private port, and another server when one refuses.
fn config(stack: &Stack, port: &Reserved) -> Result<String> {
    let mut servers = String::new();
    for (index, proxy) in stack.proxies().iter().enumerate() {
        let (address, ops) =
            (proxy.url().replace("http://", ""), proxy.ops().replace("http://", ""));
        let (host, ops_port) = ops.rsplit_once(':').context("a port")?;
        servers += &format!(
            "  server proxy{index} {address} check addr {host} port {ops_port} inter 200ms fall 2 rise 1\n"
        );
    }
    Ok(format!(
        "defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  \
         retries 3\n  option redispatch 1\n  retry-on conn-failure empty-response\n\
         frontend in\n  bind {}\n  default_backend proxies\n\
         backend proxies\n  balance roundrobin\n  option httpchk GET /readyz\n{servers}",
        port.address()
    ))
}

async fn start(stack: &Stack, folder: &Path) -> Result<Balancer> {
    let port = Reserved::any()?;
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config(stack, &port)?)?;
    let mut command = Command::new(haproxy()?);
    program::clean(&mut command);
    let log = fs::File::create(folder.join("haproxy.log"))?;
    command
        .args(["-db", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut balancer = Balancer { child: command.spawn()?, port };
    let caller = Caller::new(&balancer.port.url(), stack.key())?;
    let ready = until("haproxy serves", async || {
        if let Ok(Some(status)) = balancer.child.try_wait() {
            return Some(Err(status));
        }
        caller.chat("gpt-4o-mini").await.ok().filter(|it| it.status == 200).map(|_| Ok(()))
    });
    if let Err(status) = ready.await? {
        bail!("haproxy ended: {status}\n{}", fs::read_to_string(folder.join("haproxy.log"))?);
    }
    Ok(balancer)
}

#[tokio::test]
async fn a_proxy_may_leave_gently_and_no_request_fails() {
    let mut stack = Stack::builder().proxies(3).start().await.unwrap();
    let balancer = start(&stack, stack.folder()).await.unwrap();
    let caller = Caller::new(&balancer.port.url(), stack.key()).unwrap();
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
    let balancer = start(&stack, stack.folder()).await.unwrap();
    let caller = Caller::new(&balancer.port.url(), stack.key()).unwrap();
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
