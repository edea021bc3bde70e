//! One run of Postgres, from its start to its end.

use super::{
    EmbeddedError, Shared,
    cluster::Cluster,
    socket::{PORT, Socket},
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use tracing::{debug, info, warn};

/// Recovery after a crash may have much to replay.
const READY_WITHIN: Duration = Duration::from_secs(300);
const LOG_LINES: usize = 20;

/// What stops Postgres when this process is killed and cannot stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifeline {
    /// The kernel: `setpriv --pdeathsig` has it send SIGINT when the thread that started
    /// Postgres ends, which is why that thread does nothing else. Linux with util-linux.
    Setpriv,
    /// A small shell: it waits for the end of a pipe that only we hold, then sends SIGINT.
    Watchdog,
}

impl Lifeline {
    /// The kernel where it can.
    pub(super) fn best(cluster: &Cluster) -> Self {
        let mut probe = cluster.run_as.command("setpriv");
        probe.args(["--pdeathsig", "INT", "--", "true"]).stderr(Stdio::null());
        let works = cfg!(target_os = "linux") && probe.status().is_ok_and(|it| it.success());
        if works { Self::Setpriv } else { Self::Watchdog }
    }
}

/// A running postmaster: this process's child.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    pid: Pid,
    watchdog: Option<Child>,
    log: Log,
}

impl Postmaster {
    /// Starts Postgres and waits until it takes connections. To be called by the thread
    /// that owns it for life.
    pub(super) fn start(
        cluster: &Cluster,
        socket: &Socket,
        lifeline: Lifeline,
        shared: &Shared,
    ) -> Result<Self, EmbeddedError> {
        let began = Instant::now();
        let mut command = command(cluster, socket, lifeline);
        let program = cluster.binaries.program("postgres");
        let failed = |error| EmbeddedError::io("run", &program, error);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let pid = Pid::from_child(&child);
        let log = Log::follow(child.stderr.take());
        let mut postmaster = Self { child, pid, watchdog: None, log };
        shared.set(Some(pid));
        if lifeline == Lifeline::Watchdog {
            match watchdog(cluster, pid) {
                Ok(it) => postmaster.watchdog = Some(it),
                Err(error) => {
                    postmaster.end(shared);
                    return Err(failed(error));
                }
            }
        }
        postmaster.await_ready(cluster, shared)?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(pid = pid.as_raw_nonzero().get(), took_ms, "postgres is ready");
        Ok(postmaster)
    }

    /// Blocks until it ends; says how.
    pub(super) fn wait(&mut self, shared: &Shared) -> String {
        // First without reaping: as long as it is a zombie its id is nobody else's, and
        // who stops us may still send it a signal.
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        shared.set(None);
        let end = self.child.wait().map_or_else(|error| error.to_string(), |it| it.to_string());
        self.dismiss_watchdog();
        end
    }

    /// Ready is what `postmaster.pid` says of *this* process: a file left by one that was
    /// killed says `ready` too.
    fn await_ready(&mut self, cluster: &Cluster, shared: &Shared) -> Result<(), EmbeddedError> {
        let file = cluster.pgdata().join("postmaster.pid");
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if shared.is_stopping() {
                self.end(shared);
                return Err(EmbeddedError::Stopped);
            }
            if is_ready(&file, self.pid) {
                return Ok(());
            }
            let end = if self.has_ended() {
                self.wait(shared)
            } else if Instant::now() < deadline {
                sleep(Duration::from_millis(5));
                continue;
            } else {
                self.end(shared);
                format!("not ready after {} s", READY_WITHIN.as_secs())
            };
            return Err(EmbeddedError::DidNotStart { end, log: self.log.last_lines() });
        }
    }

    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(self.pid), look), Ok(Some(_)))
    }

    fn end(&mut self, shared: &Shared) {
        let _ = kill_process(self.pid, Signal::INT);
        self.wait(shared);
    }

    fn dismiss_watchdog(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
    }
}

/// Line 1 is the process, line 8 its state.
fn is_ready(file: &Path, pid: Pid) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.as_raw_nonzero().to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn command(cluster: &Cluster, socket: &Socket, lifeline: Lifeline) -> Command {
    let program = cluster.binaries.program("postgres");
    let mut command = match lifeline {
        Lifeline::Setpriv => {
            let mut command = cluster.run_as.command("setpriv");
            command.args(["--pdeathsig", "INT", "--"]).arg(program);
            command
        }
        Lifeline::Watchdog => cluster.run_as.command(program),
    };
    command.arg("-D").arg(cluster.pgdata());
    let mut set = |name: &str, value: &OsStr| {
        let mut text = OsString::from(name);
        text.push("=");
        text.push(value);
        command.arg("-c").arg(text);
    };
    set("hba_file", cluster.hba_file().as_os_str());
    set("ident_file", cluster.ident_file().as_os_str());
    set("unix_socket_directories", socket.folder().as_os_str());
    set("port", OsStr::new(&PORT.to_string()));
    for (name, value) in [
        // Reached only through the socket, and only by who may enter its folder.
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("cluster_name", "sluice"),
        ("max_connections", "100"),
        ("shared_buffers", "64MB"),
        // Short statements only: compiling one takes longer than to run it.
        ("jit", "off"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("log_line_prefix", ""),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ] {
        set(name, OsStr::new(value));
    }
    if cfg!(target_os = "linux") {
        // Else recovery after a crash syncs every file, one by one.
        set("recovery_init_sync_method", OsStr::new("syncfs"));
    }
    command
}

fn watchdog(cluster: &Cluster, pid: Pid) -> std::io::Result<Child> {
    let mut command = cluster.run_as.command("/bin/sh");
    command.args(["-c", "read -r _; kill -INT \"$1\"", "sh"]);
    command.arg(pid.as_raw_nonzero().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// What Postgres writes to stderr: into our log, and the last lines kept for an error.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    fn follow(stderr: Option<ChildStderr>) -> Self {
        let log = Self::default();
        let Some(stderr) = stderr else { return log };
        let lines = log.clone();
        // Ends with the last process that holds the other end.
        let follower = thread::Builder::new().name("postgres-log".to_owned()).spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.push(line);
            }
        });
        if let Err(error) = follower {
            warn!(%error, "postgres's log is not followed");
        }
        log
    }

    fn push(&self, line: String) {
        let dire = line.starts_with("PANIC:") || line.starts_with("FATAL:");
        if dire {
            warn!(target: "postgres", "{line}")
        } else {
            debug!(target: "postgres", "{line}")
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn last_lines(&self) -> String {
        // The process has ended; its last lines may still be on the way.
        sleep(Duration::from_millis(50));
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(lines.iter().map(|it| it.trim())).join(" | ")
    }
}
