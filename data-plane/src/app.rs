//! Builds the program from its parts, runs it, and takes it down in order:
//! unready, no new connections, requests in flight, usage, exit.

use crate::{
    config::Config,
    gateway::{FetchBounds, Gateway, SnapshotCell},
    http::listener,
    meter::Meter,
    snapshot_cache::{Cached, SnapshotCache},
    state_dir::StateDir,
    sync::{Setup, Sync, heartbeat::Load, link::Link, usage::UsageQueue},
};
use anyhow::Context;
use domain::id::ProxyId;
use runtime::{Failure, Process};
use std::{net::TcpListener, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

mod bind;

/// What a worker's blocking calls (name look-ups) may still take at its end.
const LAST_CALLS: Duration = Duration::from_millis(100);
/// How often gauges are set that no request sets.
const GAUGES: Duration = Duration::from_secs(1);

/// Runs the proxy until it is told to stop and has drained.
///
/// # Errors
/// What kept it from starting, or from going on.
pub async fn run(config: Config, process: Process) -> Result<(), Failure> {
    serve(config, process).await.map_err(Into::into)
}

async fn serve(config: Config, process: Process) -> anyhow::Result<()> {
    let starting = process.readiness.guard("starting");
    let ops = runtime::ops::serve(&process, config.ops_addr)?;
    let Some(kept) = take_state(&config, &process).await? else { return Ok(()) };
    let link = Link::new(&config.control_urls, config.control_ca.as_deref(), &config.node_token)?;
    let cell = SnapshotCell::default();
    let usage = UsageQueue::new(config.usage_queue_max);
    let meter = Meter::new(Arc::new(runtime::clock::steady_us));
    let fetching = FetchBounds::default();
    let gateway =
        Gateway::new(config.http, fetching, cell.clone(), usage.clone(), meter, process.clone());
    let (address, listeners) = bind::listen(config.data_addr, config.workers)
        .with_context(|| format!("listen on {} for callers", config.data_addr))?;
    let data = format!("http://{address}");

    let load = {
        let gateway = gateway.clone();
        move || Load { in_flight: gateway.in_flight(), total: gateway.requests_total() }
    };
    let sync = Sync::prepare(
        Setup {
            link,
            proxy: kept.proxy,
            address: data.clone(),
            cell,
            usage,
            meter: gateway.meter().clone(),
            explainer: Arc::clone(&gateway.explainer),
            cache: kept.cache,
            cached: kept.cached,
            load: Arc::new(load),
            max_age: config.max_config_age_ms.map(Duration::from_millis),
        },
        &process,
    );
    process.tasks.spawn_until_exit("gauges", keep_gauges(gateway.clone()));
    let finish = CancellationToken::new();
    // However this ends, that side must not go on without us.
    let _finish = finish.clone().drop_guard();
    let mut sync = process.tasks.spawn("sync", sync.run(finish.clone()));
    let mut workers = start_workers(listeners, &gateway, &process)?;
    drop(starting);
    runtime::announce(&process, &[("data", data), ("ops", format!("http://{ops}"))]);

    tokio::select! {
        () = process.shutdown.draining() => {}
        // It ends only when it is finished below: this is a panic.
        ended = &mut sync => {
            process.shutdown.drain();
            workers.recv().await;
            return ended.context("the control-plane side broke off");
        }
    }
    // Ends when the last worker has: with its last request, or with the cut.
    workers.recv().await;
    tracing::debug!("every request has ended");
    finish.cancel();
    sync.await.context("the control-plane side broke off")
}

/// Tells the metrics what changes without a request.
async fn keep_gauges(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(GAUGES);
    loop {
        ticks.tick().await;
        gateway.metrics.usage_pending(gateway.usage.pending());
    }
}

/// What a proxy keeps over restarts.
struct Kept {
    proxy: ProxyId,
    cache: SnapshotCache,
    cached: Option<Cached>,
    /// Held to the end: no other proxy may use the directory meanwhile.
    _dir: StateDir,
}

/// Takes the state directory and reads what is in it. `None`: told to stop meanwhile.
async fn take_state(config: &Config, process: &Process) -> anyhow::Result<Option<Kept>> {
    let (path, token) = (config.state_dir.clone(), config.node_token.clone());
    let patience = Duration::from_millis(config.startup_wait_ms);
    let taking = spawn_blocking(move || -> anyhow::Result<Kept> {
        let dir = StateDir::take(&path, patience)?;
        let proxy = dir.proxy_id()?;
        let (cache, cached) = SnapshotCache::open(dir.path(), &token)
            .with_context(|| format!("open the cached snapshots in {}", path.display()))?;
        Ok(Kept { proxy, cache, cached, _dir: dir })
    });
    tokio::select! {
        taken = taking => Ok(Some(taken.context("reading the state broke off")??)),
        () = process.shutdown.draining() => Ok(None),
    }
}

/// Starts one worker for each listener; the receiver ends when the last worker has.
fn start_workers(
    listeners: Vec<TcpListener>,
    gateway: &Arc<Gateway>,
    process: &Process,
) -> anyhow::Result<mpsc::Receiver<()>> {
    let (alive, workers) = mpsc::channel(1);
    for listener in listeners {
        let (gateway, process, alive) = (gateway.clone(), process.clone(), alive.clone());
        let tasks = process.tasks.clone();
        tasks
            .spawn_thread("worker", move || {
                work(listener, gateway, &process);
                drop(alive);
            })
            .context("start a worker")?;
    }
    Ok(workers)
}

/// A worker: one thread, one tokio runtime, its own upstream connections.
fn work(listener: TcpListener, gateway: Arc<Gateway>, process: &Process) {
    let tokio = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => {
            process.shutdown.fail(format!("cannot start a worker: {error}"));
            return;
        }
    };
    tokio.block_on(async {
        tokio::select! {
            () = listener::serve(listener, gateway, process.clone()) => {}
            () = process.shutdown.cut() => tracing::warn!("requests in flight are cut"),
        }
    });
    // Drops what is left of the requests: each leaves its usage record while it goes.
    tokio.shutdown_timeout(LAST_CALLS);
}
