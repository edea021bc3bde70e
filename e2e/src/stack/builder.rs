//! What a stack is made of, and how each program is started.

use super::Stack;
use crate::{
    ports::Reserved,
    program::{self, Program},
};
use anyhow::Result;
use std::path::Path;

/// What to start.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(super) proxies: usize,
    proxy_env: Vec<(String, String)>,
    control_env: Vec<(String, String)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { proxies: 1, proxy_env: Vec::new(), control_env: Vec::new() }
    }
}

impl Builder {
    /// So many proxies; without: one.
    #[must_use]
    pub fn proxies(mut self, count: usize) -> Self {
        self.proxies = count;
        self
    }

    /// A setting of every proxy, by its environment variable.
    #[must_use]
    pub fn proxy_env(mut self, name: &str, value: &str) -> Self {
        self.proxy_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A setting of the control plane, by its environment variable.
    #[must_use]
    pub fn control_env(mut self, name: &str, value: &str) -> Self {
        self.control_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts all of it, and waits until a caller would be served.
    ///
    /// # Errors
    /// When something is not built or does not start.
    pub async fn start(self) -> Result<Stack> {
        Stack::start(self).await
    }

    pub(super) async fn start_control(&self, folder: &Path, port: &Reserved) -> Result<Program> {
        let mut command = program::command("sluice-control-plane")?;
        command.arg("--control-addr").arg(port.address().to_string());
        command.args(["--ops-addr", "127.0.0.1:0"]).arg("--home").arg(folder.join("home"));
        command.envs(self.control_env.iter().map(|(name, value)| (name, value)));
        Program::start("control-plane", command, &folder.join("control.log")).await
    }

    pub(super) async fn start_demo(&self, folder: &Path) -> Result<Program> {
        let mut command = program::command("sluice-demo-provider")?;
        command.args(["--listen-addr", "127.0.0.1:0"]);
        Program::start("demo-provider", command, &folder.join("demo.log")).await
    }

    pub(super) async fn start_proxy(&self, folder: &Path, place: &Place<'_>) -> Result<Program> {
        let number = place.number;
        let mut command = program::command("sluice-data-plane")?;
        command.arg("--data-addr").arg(place.port.address().to_string());
        command.arg("--ops-addr").arg(place.ops_port.address().to_string());
        command.arg("--control-url").arg(place.control.url());
        command.arg("--node-token-file").arg(folder.join("home/node.token"));
        command.arg("--state-dir").arg(folder.join(format!("proxy-{number}")));
        command.envs(self.proxy_env.iter().map(|(name, value)| (name, value)));
        let log = folder.join(format!("proxy-{number}.log"));
        Program::start(&format!("proxy-{number}"), command, &log).await
    }
}

/// Which proxy it is, and where it and what it needs are found.
pub(super) struct Place<'a> {
    pub(super) number: usize,
    pub(super) port: &'a Reserved,
    pub(super) ops_port: &'a Reserved,
    pub(super) control: &'a Reserved,
}
