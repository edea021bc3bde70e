//! Sluice as it runs: real programs over a private Postgres, started for one test and
//! gone with it.

mod builder;
mod postgres;

use crate::{
    admin::Admin, caller::Caller, patience::until, ports::Reserved, program::Program,
    witness::Witness,
};
use anyhow::{Context, Result};
pub use builder::Builder;
use builder::Place;
pub use postgres::Postmaster;
use rustix::process::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A control plane with its database, proxies, and a demo provider with one account.
#[derive(Debug)]
pub struct Stack {
    control: Program,
    control_port: Reserved,
    proxies: Vec<Proxy>,
    demo: Option<Program>,
    witness: Witness,
    admin: Admin,
    builder: Builder,
    key: String,
    /// Last, so that it outlives the programs.
    folder: TempDir,
}

/// One proxy and the place it always comes back to.
#[derive(Debug)]
pub struct Proxy {
    program: Program,
    port: Reserved,
    ops_port: Reserved,
    number: usize,
}

impl Proxy {
    /// Where it serves callers.
    pub fn url(&self) -> String {
        self.port.url()
    }

    /// The program.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub fn ops(&self) -> String {
        self.ops_port.url()
    }
}

/// The name of the account that every stack starts with.
pub const ACCOUNT: &str = "demo-main";

/// The name of the key that every stack starts with.
pub const KEY: &str = "caller";

impl Stack {
    /// What to start; says the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    async fn start(builder: Builder) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sluice-e2e-").tempdir()?;
        open_to_all(folder.path())?;
        let control_port = Reserved::any()?;
        let home = folder.path().join("home");
        let control = builder.start_control(folder.path(), &control_port).await?;
        let demo = builder.start_demo(folder.path()).await?;
        let witness = Witness::new(demo.url("demo")?)?;
        let token =
            fs::read_to_string(home.join("operator.token")).context("read operator.token")?;
        let admin = Admin::new(&control_port.url(), &token)?;
        let mut proxies = Vec::new();
        for number in 1..=builder.proxies {
            let (port, ops_port) = (Reserved::any()?, Reserved::any()?);
            let place = Place { number, port: &port, ops_port: &ops_port, control: &control_port };
            let program = builder.start_proxy(folder.path(), &place).await?;
            proxies.push(Proxy { program, port, ops_port, number });
        }
        let mut stack = Self {
            control,
            control_port,
            proxies,
            demo: Some(demo),
            witness,
            admin,
            builder,
            key: String::new(),
            folder,
        };
        stack.fill().await.map_err(|it| it.context(stack.logs()))?;
        Ok(stack)
    }

    async fn fill(&mut self) -> Result<()> {
        let base_url = self.witness.base_url();
        self.admin.add_demo_account(ACCOUNT, &base_url, "demo-credential").await?;
        self.key = self.admin.add_key(KEY).await?;
        self.settled().await?;
        Ok(())
    }

    /// The operator.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The upstream's witness.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// The text of the key that every stack starts with.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where the control plane serves operators and proxies.
    pub fn control_url(&self) -> String {
        self.control_port.url()
    }

    /// Where the control plane's `/metrics` are.
    ///
    /// # Errors
    /// When it announced no such place.
    pub fn control_ops(&self) -> Result<&str> {
        self.control.url("ops")
    }

    /// The folder of everything this stack writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The control plane's data directory.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The control plane.
    pub fn control(&mut self) -> &mut Program {
        &mut self.control
    }

    /// The proxies, to look at.
    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    /// A proxy, counted from 0.
    pub fn proxy(&mut self, index: usize) -> &mut Proxy {
        &mut self.proxies[index]
    }

    /// A caller of the first proxy with the stack's key.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn caller(&self) -> Result<Caller> {
        self.caller_of(0)
    }

    /// A caller of a proxy, counted from 0, with the stack's key.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn caller_of(&self, index: usize) -> Result<Caller> {
        Caller::new(&self.proxies[index].url(), &self.key)
    }

    /// Waits until every proxy runs the newest revision; gives it.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn settled(&self) -> Result<u64> {
        self.admin.settled(u32::try_from(self.proxies.len())?).await
    }

    /// Starts the control plane again at its old place; it must be down.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart_control(&mut self) -> Result<()> {
        self.control = self.builder.start_control(self.folder.path(), &self.control_port).await?;
        Ok(())
    }

    /// Starts a proxy again at its old place, with its old state; it must be down.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart_proxy(&mut self, index: usize) -> Result<()> {
        let proxy = &mut self.proxies[index];
        let place = Place {
            number: proxy.number,
            port: &proxy.port,
            ops_port: &proxy.ops_port,
            control: &self.control_port,
        };
        proxy.program = self.builder.start_proxy(self.folder.path(), &place).await?;
        Ok(())
    }

    /// The database's main program.
    ///
    /// # Errors
    /// When none is running.
    pub fn postmaster(&self) -> Result<Postmaster> {
        Postmaster::under(&self.home())?.context("no Postgres is running")
    }

    /// Waits until a database is running.
    ///
    /// # Errors
    /// When none comes up.
    pub async fn postmaster_up(&self) -> Result<Postmaster> {
        until("Postgres is running", async || self.postmaster().ok()).await
    }

    /// The ends of all logs, for a message.
    pub fn logs(&self) -> String {
        let programs = [Some(&self.control), self.demo.as_ref()].into_iter().flatten();
        let programs = programs.chain(self.proxies.iter().map(|it| &it.program));
        programs.map(Program::log_end).collect()
    }

    /// Lines in which a program of ours calls something its own error.
    pub fn errors(&self) -> Vec<String> {
        let programs = self.proxies.iter().map(|it| &it.program).chain([&self.control]);
        programs.flat_map(Program::errors).collect()
    }
}

impl Drop for Stack {
    #[expect(clippy::print_stderr, reason = "the logs of a failed test belong to its output")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for proxy in &mut self.proxies {
            proxy.program.kill();
        }
        self.demo = None;
        let postmaster = self.postmaster();
        self.control.kill();
        if let Ok(postmaster) = postmaster {
            // At once: nobody needs this database again.
            postmaster.end(Signal::QUIT);
        }
    }
}

/// As root, the database runs as another user, who must get to its folder.
pub fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
