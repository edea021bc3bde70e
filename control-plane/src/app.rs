//! Builds the control plane, runs it, and takes it apart in the right order.
//!
//! Start: ops port → secrets → control port → database → catalog → lender → ready.
//! End: unready → nothing new → sessions told → lead handed over → usage written → database
//! stopped.

use crate::{
    config::{Config, Tls},
    fleet::Fleet,
    grpc::{self, Desk, PeerDesk, SyncDesk, auth::Gate},
    ledger,
    lender::{self, Lender, Lending, Office, Peers, Terms},
    limit_metrics, listener, metrics,
    publisher::Publisher,
    secrets,
    store::{PoolSettings, Source, Store, StoreError, embedded::Embedded},
    tls,
    vault::Vault,
    web,
};
use anyhow::{Context, bail};
use domain::{secret::Secret, time::Timestamp};
use prost::Message;
use runtime::{Process, backoff::Backoff};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic_health::{ServingStatus, server::HealthReporter};

/// Longest pause between two tries to reach the database at the start.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Connections of the one who lends: to renew the lead, to write, and one to spare. They are
/// its own, so that whatever else is asked of the database does not cost it the lead.
const LENDING_CONNECTIONS: usize = 3;

/// Longest time of a statement of the one who lends, and of its wait for a connection.
const LENDING_MS: u64 = 2_000;

/// How often the days ahead get their partitions.
const UPKEEP: Duration = Duration::from_secs(3_600);

/// A running control plane.
pub struct App {
    /// Where the admin API and the sync service listen, with the port that was taken.
    pub control_addr: SocketAddr,
    /// Where the private port listens.
    pub ops_addr: SocketAddr,
    scheme: &'static str,
    process: Process,
    store: Store,
    lending_store: Store,
    vault: Arc<Vault>,
    publisher: Arc<Publisher>,
    lender: Lender,
    embedded: Option<Embedded>,
    serving: JoinHandle<()>,
    settling: JoinHandle<()>,
    lending: Mutex<Lends>,
}

/// Lends as soon as the database is up to date.
enum Lends {
    Waiting(Box<Office>),
    Begun(Lending),
    Ended,
}

/// Runs until the process drains.
///
/// # Errors
/// Why it cannot start or go on.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    let app = App::start(config, process.clone()).await?;
    let opened = tokio::select! {
        opened = app.open() => opened,
        () = process.shutdown.draining() => Ok(()),
    };
    if opened.is_ok() && !process.shutdown.is_draining() {
        app.announce();
        process.shutdown.draining().await;
    }
    process.shutdown.drain();
    app.stop().await;
    opened
}

impl App {
    /// Listens on both ports, and starts the private database if there is to be one.
    /// Until [`Self::open`] is done, what needs the database is answered `UNAVAILABLE`.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub async fn start(config: Config, process: Process) -> anyhow::Result<Self> {
        metrics::describe();
        // Until the publisher holds a reason of its own.
        let _starting = process.readiness.guard("starting");
        let ops_addr = runtime::ops::serve(&process, config.ops_addr)?;
        make_home(&config.home)?;
        let secrets = secrets::gather(&config)?;
        let tls = tls::acceptor(&config.tls, &config.home).context("prepare TLS")?;
        let control = TcpListener::bind(config.control_addr).await;
        let control = control.with_context(|| format!("listen on {}", config.control_addr))?;
        let control_addr = control.local_addr()?;
        let (source, embedded) = database(&config).await?;
        let store = Store::connect(source.clone(), config.pool)?;
        let lending_store = Store::connect(source, lending_pool(config.pool))?;

        let vault = Arc::new(Vault::new(secrets.master_key));
        let readiness = process.readiness.clone();
        let publisher = Publisher::new(store.clone(), Arc::clone(&vault), readiness);
        let (ledger, books) = ledger::open(store.clone());
        let fleet = Fleet::default();
        let terms = terms(&config, control_addr, &secrets.node_token)?;
        let (lender, office) =
            lender::open(lending_store.clone(), terms, &config.home, fleet.clone());
        let desk = Desk {
            store: store.clone(),
            vault: Arc::clone(&vault),
            publisher: Arc::clone(&publisher),
            fleet: fleet.clone(),
            lender: lender.clone(),
            started_ms: runtime::clock::unix_ms(),
            database: if embedded.is_some() { "embedded" } else { "external" },
        };
        let publisher_of_sync = Arc::clone(&publisher);
        let process_of_sync = process.clone();
        let sync = SyncDesk {
            publisher: publisher_of_sync,
            fleet,
            ledger,
            lender,
            process: process_of_sync,
        };
        let peer = PeerDesk { desk: desk.clone(), process: process.clone() };
        let (reporter, health) = tonic_health::server::health_reporter();
        let services = grpc::routes(&desk, sync, peer, health)?;
        let gate = Gate::new(&secrets.operator_token, &secrets.node_token);
        let router = web::router(services, gate, &config.cors_origins);

        let tasks = &process.tasks;
        tasks.spawn("health", report_health(reporter, Arc::clone(&publisher), process.clone()));
        let settling = tasks.spawn("ledger", books.run(process.shutdown.clone()));
        let serving =
            tasks.spawn("control port", listener::serve(control, tls, router, process.clone()));
        let app = Self {
            control_addr,
            ops_addr,
            scheme: scheme(&config),
            process,
            store,
            lending_store,
            vault,
            publisher,
            lender: desk.lender,
            embedded,
            serving,
            settling,
            lending: Mutex::new(Lends::Waiting(Box::new(office))),
        };
        Ok(app)
    }

    /// Brings the database up to date and loads the catalog. A database that does not
    /// answer is waited for.
    ///
    /// # Errors
    /// What waiting would not heal: a newer schema, another master key, a damaged row.
    pub async fn open(&self) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(100), LONGEST_PAUSE);
        let mut told = false;
        loop {
            match self.try_open().await {
                Ok(()) => break,
                Err(error @ (StoreError::Unavailable(_) | StoreError::Timeout(_))) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "wait for the database");
                    }
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(error) => bail!(error),
            }
        }
        let (tasks, shutdown) = (&self.process.tasks, &self.process.shutdown);
        let publisher = Arc::clone(&self.publisher);
        tasks.spawn("publisher", publisher.run(shutdown.clone()));
        tasks.spawn("upkeep", keep_up(self.store.clone(), self.process.clone()));
        let publisher = Arc::clone(&self.publisher);
        let telling = limit_metrics::tell(self.lender.clone(), publisher, self.process.clone());
        tasks.spawn("limit metrics", telling);
        self.lend();
        Ok(())
    }

    /// Begins to lend, or to run for it.
    fn lend(&self) {
        let mut lending = self.lending.lock().unwrap_or_else(PoisonError::into_inner);
        *lending = match std::mem::replace(&mut *lending, Lends::Ended) {
            Lends::Waiting(office) => {
                Lends::Begun(office.run(Arc::clone(&self.publisher), &self.process))
            }
            other @ (Lends::Begun(_) | Lends::Ended) => other,
        };
    }

    async fn try_open(&self) -> Result<(), StoreError> {
        self.store.migrate().await?;
        self.store.verify_vault(&self.vault).await?;
        self.store.seed_templates(&self.vault).await?;
        self.publisher.refresh().await
    }

    fn announce(&self) {
        let control = format!("{}://{}", self.scheme, self.control_addr);
        let ops = format!("http://{}", self.ops_addr);
        runtime::announce(&self.process, &[("control", control), ("ops", ops)]);
    }

    /// Ends what is begun, and then the private database. To be called while draining.
    pub async fn stop(self) {
        // A task that panicked has ended too.
        let _ = self.serving.await;
        let lending = self.lending.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Lends::Begun(lending) = lending {
            lending.end().await;
        }
        let _ = self.settling.await;
        self.lending_store.close();
        self.store.close();
        if let Some(embedded) = self.embedded {
            let _ = tokio::task::spawn_blocking(move || embedded.stop()).await;
        }
    }
}

const fn scheme(config: &Config) -> &'static str {
    match config.tls {
        Tls::Off => "http",
        Tls::Files { .. } | Tls::SelfSigned(_) => "https",
    }
}

/// How this control plane takes part in lending.
fn terms(config: &Config, control_addr: SocketAddr, token: &Secret) -> anyhow::Result<Terms> {
    let own = || format!("{}://{control_addr}", scheme(config));
    let address = match &config.advertise_url {
        Some(url) => url.clone(),
        // Somebody else cannot call where we listen on every address.
        None if control_addr.ip().is_unspecified() => String::new(),
        None => own(),
    };
    let own_ca = config.home.join("tls").join("ca.pem");
    let ca: Option<PathBuf> = match (&config.peer_ca, &config.tls) {
        (Some(ca), _) => Some(ca.clone()),
        (None, Tls::SelfSigned(_)) => Some(own_ca),
        (None, Tls::Off | Tls::Files { .. }) => None,
    };
    let peers =
        Peers::new(ca.as_deref(), token).context("prepare the way to other control planes")?;
    Ok(Terms { address, without_database: config.lend_without_database, peers })
}

/// The database's own user must be able to pass through.
fn make_home(home: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(home)
        .with_context(|| format!("make the home folder {}", home.display()))
}

fn lending_pool(pool: PoolSettings) -> PoolSettings {
    let bounded = |ms: u64| ms.min(LENDING_MS);
    PoolSettings {
        max_size: LENDING_CONNECTIONS,
        statement_timeout_ms: bounded(pool.statement_timeout_ms),
        acquire_timeout_ms: bounded(pool.acquire_timeout_ms),
    }
}

async fn database(config: &Config) -> anyhow::Result<(Source, Option<Embedded>)> {
    if let Some(url) = &config.database_url {
        return Ok((Source::Url(url.clone()), None));
    }
    let (home, pg_bin) = (config.home.clone(), config.pg_bin.clone());
    let started =
        tokio::task::spawn_blocking(move || Embedded::start(&home, pg_bin.as_deref())).await?;
    let embedded = started.context("start the private database")?;
    Ok((Source::Embedded(embedded.config()), Some(embedded)))
}

/// Makes partitions ahead of their days, and removes windows that ended long ago.
async fn keep_up(store: Store, process: Process) {
    loop {
        let now = Timestamp::from_unix_ms(runtime::clock::unix_ms());
        if let Err(error) = store.prepare_usage_days(now).await {
            tracing::warn!(%error, "prepare the usage table's next days");
        }
        if let Err(error) = store.forget_windows().await {
            tracing::warn!(%error, "forget limits' windows of long ago");
        }
        tokio::select! {
            () = process.shutdown.draining() => return,
            () = tokio::time::sleep(UPKEEP) => {}
        }
    }
}

/// Tells the health service of the database, for every service of the contract.
async fn report_health(reporter: HealthReporter, publisher: Arc<Publisher>, process: Process) {
    let files = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap_or_default();
    let services: Vec<String> = files
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(move |it| (file.package(), it.name())))
        .map(|(package, name)| format!("{package}.{name}"))
        .chain(std::iter::once(String::new()))
        .collect();
    let mut database = publisher.database_ok();
    loop {
        let serves = *database.borrow_and_update() && !process.shutdown.is_draining();
        let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in &services {
            reporter.set_service_status(name, status).await;
        }
        if process.shutdown.is_draining() {
            return;
        }
        tokio::select! {
            () = process.shutdown.draining() => {}
            _ = database.changed() => {}
        }
    }
}
