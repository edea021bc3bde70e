//! A private Postgres cluster, for a control plane that was given no database.
//!
//! Knows processes and files. Knows no SQL. One thread owns the postmaster for life: it
//! makes the cluster, starts Postgres, starts it again when it dies, and stops it at the
//! end. If this process is killed, Postgres stops by itself (see [`Lifeline`]); whatever
//! is left over, the next start clears away.
//!
//! In `home/pg`, which is ours: `lock`, `pg_hba.conf`, `pg_ident.conf`; and, owned by the
//! user that runs Postgres, `pgdata` and `socket`.

mod binaries;
mod cluster;
mod error;
mod lock;
mod postmaster;
mod processes;
mod socket;
mod user;

pub use error::EmbeddedError;
pub use postmaster::Lifeline;

use cluster::Cluster;
use lock::Lock;
use postmaster::Postmaster;
use rustix::process::{Pid, Signal, kill_process};
use socket::Socket;
use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};
use tracing::{error, info, warn};

/// How long a predecessor that is about to end may still hold the home.
const PREDECESSOR: Duration = Duration::from_secs(5);
/// How long Postgres may take for a fast shutdown, then for an immediate one.
const FAST: Duration = Duration::from_secs(30);
const IMMEDIATE: Duration = Duration::from_secs(10);
/// A postmaster that lived this long was well: the next start need not wait.
const WELL: Duration = Duration::from_secs(10);

/// A running cluster. Stops when it is dropped.
#[derive(Debug)]
pub struct Embedded {
    config: tokio_postgres::Config,
    shared: Arc<Shared>,
    stop: Sender<()>,
    ended: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the owning thread and the one that stops it both see.
#[derive(Debug, Default)]
struct Shared {
    /// The postmaster, from its start until just before its id may be given to another.
    postmaster: Mutex<Option<Pid>>,
    stopping: AtomicBool,
}

impl Shared {
    fn set(&self, pid: Option<Pid>) {
        *self.postmaster.lock().unwrap_or_else(PoisonError::into_inner) = pid;
    }

    fn signal(&self, signal: Signal) {
        let pid = self.postmaster.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *pid {
            // It may have ended in this moment: then there is nothing to stop.
            let _ = kill_process(pid, signal);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

impl Embedded {
    /// Makes the cluster in `home/pg` if there is none, and starts it. Blocks until it
    /// takes connections. `pg_bin` is the folder of `postgres` and `initdb`; `None`: they
    /// are looked for.
    ///
    /// # Errors
    /// [`EmbeddedError`], which says what to do.
    pub fn start(home: &Path, pg_bin: Option<&Path>) -> Result<Self, EmbeddedError> {
        Self::start_with(home, pg_bin, None)
    }

    /// Like [`Self::start`], with a chosen lifeline; `None`: the best that there is.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn start_with(
        home: &Path,
        pg_bin: Option<&Path>,
        lifeline: Option<Lifeline>,
    ) -> Result<Self, EmbeddedError> {
        let folder = cluster::folder(home)?;
        let lock = Lock::acquire(&folder, PREDECESSOR)?;
        let cluster = Cluster::prepare(folder, pg_bin)?;
        let socket = Socket::make(&cluster)?;
        let lifeline = lifeline.unwrap_or_else(|| Lifeline::best(&cluster));
        let mut config = tokio_postgres::Config::new();
        config.host_path(socket.folder()).port(socket::PORT);
        config.user(cluster::SUPERUSER).dbname("postgres").application_name("sluice");
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = channel();
        let (end, ended) = sync_channel(1);
        let (started, start) = sync_channel(1);
        let owner =
            Owner { cluster, socket, lifeline, shared: Arc::clone(&shared), stopped, _lock: lock };
        let thread = Builder::new()
            .name("postgres-owner".to_owned())
            .spawn(move || {
                owner.run(&started);
                // Nobody may be left to hear it.
                let _ = end.send(());
            })
            .map_err(|error| EmbeddedError::io("start a thread for", "postgres", error))?;
        let embedded =
            Self { config, shared, stop, ended: Mutex::new(ended), thread: Some(thread) };
        match start.recv() {
            Ok(Ok(())) => Ok(embedded),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EmbeddedError::Stopped),
        }
    }

    /// How to connect to it. Stays the same when Postgres is started again.
    pub fn config(&self) -> tokio_postgres::Config {
        self.config.clone()
    }

    /// Stops the cluster: clients are cut off, what they committed is kept. Blocks until
    /// no process of it is left. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The owner may have ended already.
        let _ = self.stop.send(());
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
            self.shared.signal(signal);
            if ended.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
                let _ = thread.join();
                return;
            }
            warn!(?signal, "postgres does not stop");
        }
        self.shared.signal(Signal::KILL);
        let _ = thread.join();
    }
}

/// Everything that lives as long as the cluster runs. Fields are dropped in order: the
/// lock last.
struct Owner {
    cluster: Cluster,
    socket: Socket,
    lifeline: Lifeline,
    shared: Arc<Shared>,
    stopped: Receiver<()>,
    _lock: Lock,
}

impl Owner {
    fn run(&self, started: &SyncSender<Result<(), EmbeddedError>>) {
        let mut postmaster = match self.begin() {
            Ok(postmaster) => {
                let _ = started.send(Ok(()));
                postmaster
            }
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        loop {
            let since = Instant::now();
            let end = postmaster.wait(&self.shared);
            if self.shared.is_stopping() {
                return;
            }
            warn!(%end, "postgres died: starting it again");
            let wait =
                if since.elapsed() < WELL { Duration::from_millis(500) } else { Duration::ZERO };
            match self.begin_again(wait) {
                Some(next) => postmaster = next,
                None => return,
            }
        }
    }

    /// Starts Postgres until it works; `None`: it is to stop.
    fn begin_again(&self, mut wait: Duration) -> Option<Postmaster> {
        loop {
            match self.stopped.recv_timeout(wait) {
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            match self.begin() {
                Ok(postmaster) => {
                    info!("postgres is back");
                    return Some(postmaster);
                }
                Err(EmbeddedError::Stopped) => return None,
                Err(failure) => error!(error = %failure, "postgres does not start"),
            }
            wait = (wait * 2).clamp(Duration::from_millis(200), Duration::from_secs(5));
        }
    }

    fn begin(&self) -> Result<Postmaster, EmbeddedError> {
        self.cluster.clear_leftovers()?;
        self.socket.clear_leftovers();
        Postmaster::start(&self.cluster, &self.socket, self.lifeline, &self.shared)
    }
}
