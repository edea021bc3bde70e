//! Programs of an earlier run that was killed: waits until they have left.
//!
//! They see the end of their stdin and drain by themselves. A process is only ever
//! signalled when its start time says that it is still the one that was written down.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::output;

/// How long leftovers may drain before they are asked to cut.
const DRAIN: Duration = Duration::from_secs(3);
/// How long leftovers may live before they are killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pid: u32,
    /// When, in the kernel's ticks since boot; `None` where it cannot be known.
    at: Option<u64>,
}

/// The programs of this run, written down for the next.
#[derive(Debug)]
pub(super) struct Register {
    path: PathBuf,
    programs: BTreeMap<String, Started>,
}

fn file(home: &Path) -> PathBuf {
    home.join("children.json")
}

impl Register {
    pub(super) fn new(home: &Path) -> Self {
        Self { path: file(home), programs: BTreeMap::new() }
    }

    /// Writes a program down. Without it only the next start after a crash is slower.
    pub(super) fn add(&mut self, name: &str, pid: u32) {
        self.programs.insert(name.to_owned(), Started { pid, at: started_at(pid) });
        let written = serde_json::to_vec(&self.programs).map_err(Into::into);
        let written =
            written.and_then(|bytes| runtime::files::write_atomically(&self.path, &bytes, 0o600));
        if let Err(error) = written {
            output::remark(&format!("sluice: cannot write down process {pid}: {error}"));
        }
    }
}

/// Waits until every program of an earlier run is gone.
pub(super) async fn wait(home: &Path) {
    let Ok(bytes) = fs::read(file(home)) else { return };
    let programs: BTreeMap<String, Started> = serde_json::from_slice(&bytes).unwrap_or_default();
    let begun = Instant::now();
    let (mut told, mut cut) = (false, false);
    loop {
        let left: Vec<_> = programs.iter().filter(|(_, it)| it.is_alive()).collect();
        if left.is_empty() {
            return forget(home);
        }
        let names: Vec<_> = left.iter().map(|(name, it)| format!("{name} ({})", it.pid)).collect();
        let names = names.join(", ");
        if !told && Duration::from_millis(500) < begun.elapsed() {
            told = true;
            output::remark(&format!("sluice: waiting for programs of an earlier run: {names}"));
        }
        if !cut && DRAIN < begun.elapsed() {
            cut = true;
            left.iter().for_each(|(_, it)| it.signal(Signal::TERM));
        }
        if PATIENCE < begun.elapsed() {
            output::remark(&format!("sluice: killing programs of an earlier run: {names}"));
            left.iter().for_each(|(_, it)| it.signal(Signal::KILL));
            tokio::time::sleep(Duration::from_millis(500)).await;
            return forget(home);
        }
        tokio::time::sleep(super::LOOK_AGAIN).await;
    }
}

/// Nothing is left of this run.
pub(super) fn forget(home: &Path) {
    let _ = fs::remove_file(file(home));
}

impl Started {
    fn pid(self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }

    fn is_alive(self) -> bool {
        match self.at {
            Some(at) => started_at(self.pid) == Some(at),
            None => self.pid().is_some_and(|it| test_kill_process(it).is_ok()),
        }
    }

    fn signal(self, signal: Signal) {
        if let Some(pid) = self.pid().filter(|_| self.at.is_some() && self.is_alive()) {
            // That it has just left is what we want.
            let _ = kill_process(pid, signal);
        }
    }
}

/// When a process started, unless it is gone or only waits to be reaped.
fn started_at(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; state is the first field after it, and
    // the start time the twentieth.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_and_gone_when_it_is_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let alive = Started { pid: child.id(), at: started_at(child.id()) };
        assert!(alive.is_alive());
        if alive.at.is_some() {
            let other = Started { at: alive.at.map(|it| it + 1), ..alive };
            assert!(!other.is_alive(), "another process got its number");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!alive.is_alive());
    }
}
