//! The database that a control plane runs for itself, seen from outside.

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How deep below the home the cluster is looked for.
const DEPTH: usize = 4;

/// The main program of a running cluster.
#[derive(Debug, Clone, Copy)]
pub struct Postmaster(Pid);

impl Postmaster {
    /// The one whose cluster lies under `home`, if it is running.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn under(home: &Path) -> Result<Option<Self>> {
        let mut files = Vec::new();
        find(home, DEPTH, &mut files);
        let mut running = files.iter().filter_map(|it| {
            let text = fs::read_to_string(it).ok()?;
            let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
            // The file outlives a killed postmaster, and its number may be another's by now.
            is_postgres_of(pid, it.parent()?).then_some(Self(pid))
        });
        Ok(running.next_back())
    }

    /// Its process id.
    pub fn pid(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    /// Sends it a signal; that it is gone is as well.
    pub fn signal(self, signal: Signal) {
        let _ = kill_process(self.0, signal);
    }

    /// Sends it a signal and waits until it is gone; after a while, kills it.
    pub fn end(self, signal: Signal) {
        self.signal(signal);
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(5));
        }
        if self.is_running() {
            self.signal(Signal::KILL);
        }
    }

    /// Whether it is there and no zombie.
    pub fn is_running(self) -> bool {
        is_alive(self.pid())
    }
}

/// Whether the process is there and no zombie.
pub(super) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // `pid (name) state …`, where the name may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, it)| it.chars().next());
    state.is_some_and(|it| it != 'Z' && it != 'X')
}

fn is_postgres_of(pid: Pid, cluster: &Path) -> bool {
    let pid = pid.as_raw_nonzero().get();
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    is_alive(pid) && words.contains("postgres") && words.contains(&*cluster.to_string_lossy())
}

fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name() == "postmaster.pid" {
            found.push(path);
        } else if depth > 0 && entry.file_type().is_ok_and(|it| it.is_dir()) {
            find(&path, depth - 1, found);
        }
    }
}
