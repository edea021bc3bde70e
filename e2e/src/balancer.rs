//! A real load balancer in front of proxies: haproxy, as an operator would set it up.

use crate::{patience::until, ports::Reserved, program};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::net::TcpStream;

/// haproxy in the foreground; ends with the test.
#[derive(Debug)]
pub struct Balancer {
    child: Child,
    port: Reserved,
}

/// A proxy behind it.
#[derive(Debug)]
pub struct Server {
    /// Where it serves callers, without a path.
    pub url: String,
    /// Where its `/readyz` is.
    pub ops: String,
}

impl Balancer {
    /// Starts it in `folder`, in front of `servers`.
    ///
    /// # Errors
    /// When haproxy is missing or does not start.
    pub async fn start(servers: &[Server], folder: &Path) -> Result<Self> {
        let port = Reserved::any()?;
        let file = folder.join("haproxy.cfg");
        fs::write(&file, config(servers, &port)?)?;
        let mut command = Command::new(haproxy()?);
        program::clean(&mut command);
        let log = fs::File::create(folder.join("haproxy.log"))?;
        command
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut balancer = Self { child: command.spawn()?, port };
        let address = balancer.port.address();
        let ready = until("haproxy listens", async || {
            if let Ok(Some(status)) = balancer.child.try_wait() {
                return Some(Err(status));
            }
            TcpStream::connect(address).await.ok().map(|_| Ok(()))
        });
        if let Err(status) = ready.await? {
            bail!("haproxy ended: {status}\n{}", fs::read_to_string(folder.join("haproxy.log"))?);
        }
        Ok(balancer)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.port.url()
    }
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
fn config(servers: &[Server], port: &Reserved) -> Result<String> {
    let mut lines = String::new();
    for (index, server) in servers.iter().enumerate() {
        let (address, ops) = (server.url.replace("http://", ""), server.ops.replace("http://", ""));
        let (host, ops_port) = ops.rsplit_once(':').context("a port")?;
        lines += &format!(
            "  server proxy{index} {address} check addr {host} port {ops_port} inter 200ms fall 2 rise 1\n"
        );
    }
    Ok(format!(
        "defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  \
         retries 3\n  option redispatch 1\n  retry-on conn-failure empty-response\n\
         frontend in\n  bind {}\n  default_backend proxies\n\
         backend proxies\n  balance roundrobin\n  option httpchk GET /readyz\n{lines}",
        port.address()
    ))
}
