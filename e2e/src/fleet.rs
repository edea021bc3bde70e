//! Several control planes and proxies over one Postgres, with a wire between each proxy
//! and the control planes that can be cut: what limits have to survive.

mod database;

use crate::{
    admin::Admin,
    balancer::{Balancer, Server},
    caller::Caller,
    demo::ledger::Entry,
    judge::Arrival,
    patience::until,
    ports::Reserved,
    program::{self, Program},
    stack::{Postmaster, open_to_all},
    wire::Wire,
    witness::Witness,
};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::key::{KeyKind, mint};
use rustix::process::Signal;
use sluice_control_plane::store::embedded::Embedded;
use std::path::Path;
use tempfile::TempDir;

/// What to start.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Control planes over the one database.
    pub controls: usize,
    /// Proxies; their wires prefer the control planes in turn.
    pub proxies: usize,
}

/// A fleet that runs. Ends with its test.
pub struct Fleet {
    /// The control planes.
    pub controls: Vec<Control>,
    /// The proxies.
    pub proxies: Vec<Member>,
    /// The operator, at whichever control plane is there.
    pub admin: Admin,
    /// The upstream's witness.
    pub witness: Witness,
    _admin_wire: Wire,
    _demo: Program,
    balancer: Option<Balancer>,
    secrets: Secrets,
    database_url: String,
    postgres: Option<Embedded>,
    folder: TempDir,
}

/// A control plane and the place it always comes back to.
pub struct Control {
    /// The program.
    pub program: Program,
    port: Reserved,
    number: usize,
}

/// A proxy, and its wire to the control planes.
pub struct Member {
    /// The program.
    pub program: Program,
    /// The way to the control planes.
    pub wire: Wire,
    port: Reserved,
    ops_port: Reserved,
    number: usize,
}

impl Member {
    async fn start(folder: &Path, number: usize, wire: Wire, secrets: &Secrets) -> Result<Self> {
        let (port, ops_port) = (Reserved::any()?, Reserved::any()?);
        let program = start_proxy(folder, number, [&port, &ops_port], &wire, secrets).await?;
        Ok(Self { program, wire, port, ops_port, number })
    }

    /// At its old place with its old state.
    async fn restart(&mut self, folder: &Path, secrets: &Secrets) -> Result<()> {
        let ports = [&self.port, &self.ops_port];
        self.program = start_proxy(folder, self.number, ports, &self.wire, secrets).await?;
        Ok(())
    }

    /// Where it serves callers.
    pub fn url(&self) -> String {
        self.port.url()
    }
}

async fn start_proxy(
    folder: &Path,
    number: usize,
    [port, ops_port]: [&Reserved; 2],
    wire: &Wire,
    secrets: &Secrets,
) -> Result<Program> {
    let mut command = program::command("sluice-data-plane")?;
    command.arg("--data-addr").arg(port.address().to_string());
    command.arg("--ops-addr").arg(ops_port.address().to_string());
    command.arg("--control-url").arg(wire.url());
    command.env("SLUICE_NODE_TOKEN", &secrets.node);
    command.arg("--state-dir").arg(folder.join(format!("proxy-{number}")));
    let log = folder.join(format!("proxy-{number}.log"));
    Program::start(&format!("proxy-{number}"), command, &log).await
}

impl Control {
    /// Where it serves operators and proxies.
    pub fn url(&self) -> String {
        self.port.url()
    }
}

struct Secrets {
    master_key: String,
    operator: String,
    node: String,
}

impl Secrets {
    fn make() -> Result<Self> {
        let mut dice = [[0; 32]; 3];
        for it in &mut dice {
            getrandom::fill(it)?;
        }
        let [key, operator, node] = dice;
        let text = |kind, dice: &[u8; 32]| mint(kind, dice).expose().to_owned();
        Ok(Self {
            master_key: STANDARD.encode(key),
            operator: text(KeyKind::Operator, &operator),
            node: text(KeyKind::Proxy, &node),
        })
    }
}

/// The account that a fleet starts with.
pub const ACCOUNT: &str = "demo-main";

impl Fleet {
    /// Starts all of it, and waits until every proxy runs the newest catalog.
    ///
    /// # Errors
    /// When something is not built or does not start.
    pub async fn start(size: Size) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sluice-fleet-").tempdir()?;
        open_to_all(folder.path())?;
        let home = folder.path().join("database");
        std::fs::create_dir(&home)?;
        open_to_all(&home)?;
        let postgres = tokio::task::spawn_blocking(move || Embedded::start(&home, None)).await??;
        let database_url = database::url(&postgres)?;
        let secrets = Secrets::make()?;
        let mut controls = Vec::new();
        for number in 1..=size.controls {
            let port = Reserved::any()?;
            let program =
                start_control(folder.path(), number, &port, &secrets, &database_url).await?;
            controls.push(Control { program, port, number });
        }
        let mut command = program::command("sluice-demo-provider")?;
        command.args(["--listen-addr", "127.0.0.1:0"]);
        let demo =
            Program::start("demo-provider", command, &folder.path().join("demo.log")).await?;
        let witness = Witness::new(demo.url("demo")?)?;
        let addresses: Vec<_> = controls.iter().map(|it| it.port.address()).collect();
        let admin_wire = Wire::to(addresses.clone()).await?;
        let admin = Admin::new(&admin_wire.url(), &secrets.operator)?;
        let mut proxies = Vec::new();
        for number in 1..=size.proxies {
            let mut order = addresses.clone();
            order.rotate_left((number - 1) % addresses.len().max(1));
            let wire = Wire::to(order).await?;
            proxies.push(Member::start(folder.path(), number, wire, &secrets).await?);
        }
        let mut fleet = Self {
            controls,
            proxies,
            admin,
            witness,
            _admin_wire: admin_wire,
            _demo: demo,
            balancer: None,
            secrets,
            database_url,
            postgres: Some(postgres),
            folder,
        };
        fleet.fill().await.map_err(|it| it.context(fleet.logs()))?;
        Ok(fleet)
    }

    async fn fill(&mut self) -> Result<()> {
        let base_url = self.witness.base_url();
        let made = async || {
            // A standby that is not up yet is no reason to give up.
            self.admin.add_demo_account(ACCOUNT, &base_url, "demo-credential").await.ok()
        };
        until("an account can be made", made).await?;
        self.settled().await
    }

    /// Waits until every control plane has told every proxy the newest catalog.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn settled(&self) -> Result<()> {
        let look = async || self.admin.revision().await.ok().filter(|it| *it > 0);
        let newest = until("the control plane knows its revision", look).await?;
        let wanted = self.proxies.len();
        let look = async || {
            let mut applied = 0;
            for control in &self.controls {
                let admin = Admin::new(&control.port.url(), &self.secrets.operator).ok()?;
                let status = admin.status().await.ok()?;
                let up = |it: &&proto::admin::v1::ProxyStatus| {
                    it.state() == proto::admin::v1::ProxyState::Connected
                        && it.applied_revision >= newest
                };
                applied += status.proxies.iter().filter(up).count();
            }
            (applied >= wanted).then_some(())
        };
        until(&format!("{wanted} proxies run revision {newest}"), look).await
    }

    /// A caller of one proxy, counted from 0.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn caller(&self, proxy: usize, key: &str) -> Result<Caller> {
        Caller::new(&self.proxies[proxy].url(), key)
    }

    /// What reached the upstream for `model`, each request as one unit.
    ///
    /// # Errors
    /// When the demo provider does not answer.
    pub async fn arrivals(&self, model: &str) -> Result<Vec<Arrival>> {
        self.arrivals_in(model, |_| 1).await
    }

    /// What reached the upstream for `model`, each request in `units`.
    ///
    /// # Errors
    /// When the demo provider does not answer.
    pub async fn arrivals_in(
        &self,
        model: &str,
        units: impl Fn(&Entry) -> u64,
    ) -> Result<Vec<Arrival>> {
        let entries = self.witness.ledger().await?;
        let mine = entries.iter().filter(|it| it.model == model);
        Ok(mine.map(|it| Arrival { at_us: it.arrived_us, units: units(it) }).collect())
    }

    /// Starts a control plane again at its old place; it must be down.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart_control(&mut self, index: usize) -> Result<()> {
        let it = &mut self.controls[index];
        let (folder, secrets, url) = (self.folder.path(), &self.secrets, &self.database_url);
        it.program = start_control(folder, it.number, &it.port, secrets, url).await?;
        Ok(())
    }

    /// Starts a proxy again at its old place with its old state; it must be down.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart_proxy(&mut self, index: usize) -> Result<()> {
        self.proxies[index].restart(self.folder.path(), &self.secrets).await
    }

    /// Adds proxies beside those there are.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn join(&mut self, count: usize) -> Result<()> {
        let addresses: Vec<_> = self.controls.iter().map(|it| it.port.address()).collect();
        for _ in 0..count {
            let number = self.proxies.len() + 1;
            let wire = Wire::to(addresses.clone()).await?;
            let member = Member::start(self.folder.path(), number, wire, &self.secrets).await?;
            self.proxies.push(member);
        }
        Ok(())
    }

    /// Every process of the database: a postmaster that is stopped alone stops nothing.
    pub fn signal_database(&self, signal: Signal) {
        for pid in database::processes_with(&self.folder.path().join("database")) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Kills the database's main program as a power cut would, and waits until it is back.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn kill_database(&self) -> Result<()> {
        let home = self.folder.path().join("database");
        let killed = Postmaster::under(&home)?.context("no Postgres is running")?;
        killed.signal(Signal::KILL);
        let look = async || Postmaster::under(&home).ok()?.filter(|it| it.pid() != killed.pid());
        until("Postgres runs again", look).await?;
        until("a control plane reads it", async || self.admin.revision().await.ok()).await?;
        Ok(())
    }

    /// Puts a real balancer in front of the proxies that there are.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn balance(&mut self) -> Result<()> {
        let server = |it: &Member| Server { url: it.url(), ops: it.ops_port.url() };
        let servers: Vec<_> = self.proxies.iter().map(server).collect();
        self.balancer = Some(Balancer::start(&servers, self.folder.path()).await?);
        Ok(())
    }

    /// Where the balancer listens, if there is one.
    pub fn balancer_url(&self) -> Option<String> {
        self.balancer.as_ref().map(Balancer::url)
    }

    /// The ends of all logs, for a message.
    pub fn logs(&self) -> String {
        let controls = self.controls.iter().map(|it| &it.program);
        let programs = controls.chain(self.proxies.iter().map(|it| &it.program));
        programs.map(Program::log_end).collect()
    }

    /// Lines in which a program of ours calls something its own error.
    pub fn errors(&self) -> Vec<String> {
        let controls = self.controls.iter().map(|it| &it.program);
        let programs = controls.chain(self.proxies.iter().map(|it| &it.program));
        programs.flat_map(Program::errors).collect()
    }
}

impl Drop for Fleet {
    #[expect(clippy::print_stderr, reason = "the logs of a failed test belong to its output")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        // A database that sleeps cannot be stopped.
        self.signal_database(Signal::CONT);
        for it in &mut self.proxies {
            it.program.kill();
        }
        for it in &mut self.controls {
            it.program.kill();
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop();
        }
    }
}

async fn start_control(
    folder: &Path,
    number: usize,
    port: &Reserved,
    secrets: &Secrets,
    database_url: &str,
) -> Result<Program> {
    let mut command = program::command("sluice-control-plane")?;
    command.arg("--control-addr").arg(port.address().to_string());
    command.args(["--ops-addr", "127.0.0.1:0"]);
    command.arg("--home").arg(folder.join(format!("control-{number}")));
    command.env("DATABASE_URL", database_url);
    command.env("SLUICE_MASTER_KEY", &secrets.master_key);
    command.env("SLUICE_OPERATOR_TOKEN", &secrets.operator);
    command.env("SLUICE_NODE_TOKEN", &secrets.node);
    let log = folder.join(format!("control-{number}.log"));
    Program::start(&format!("control-{number}"), command, &log).await
}
