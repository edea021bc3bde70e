//! One program under test: started, listened to, stopped hard or gently, never left behind.

use crate::patience;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
};
use tokio::sync::oneshot;

/// Variables of the outside that programs under test get to see. All others would make
/// tests depend on who runs them.
const INHERITED: [&str; 7] =
    ["PATH", "HOME", "TMPDIR", "LANG", "USER", "SLUICE_PG_BIN", "RUST_BACKTRACE"];

/// Where cargo put the programs: beside the test or the tool that is running.
///
/// # Errors
/// When that folder cannot be told.
pub fn folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where this program is")?;
    let folder = own.parent().context("this program is in no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}

/// The built program of this name.
///
/// # Errors
/// When it is not built.
pub fn path(name: &str) -> Result<PathBuf> {
    let path = folder()?.join(name);
    if !path.is_file() {
        bail!(
            "{} is missing: run `cargo build --workspace` first (`make test` does)",
            path.display()
        );
    }
    Ok(path)
}

/// A command for a built program, with a clean environment.
///
/// # Errors
/// When it is not built.
pub fn command(name: &str) -> Result<Command> {
    let mut command = Command::new(path(name)?);
    clean(&mut command);
    Ok(command)
}

/// Leaves of the environment only what does not change what is tested.
pub fn clean(command: &mut Command) {
    command.env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| INHERITED.iter().any(|it| name == it)));
}

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    /// Its end is how a supervised program learns that the test is gone.
    _stdin: Option<ChildStdin>,
    log: PathBuf,
    places: BTreeMap<String, String>,
}

impl Program {
    /// Starts `command` and waits until it announces where it listens. What it writes
    /// goes to `log`, at whose end it is continued.
    ///
    /// # Errors
    /// When it does not start, or ends or stays silent instead of announcing.
    pub async fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.env("SLUICE_ANNOUNCE", "true").env("SLUICE_SUPERVISED", "true");
        command.env("SLUICE_LOG_FORMAT", "json");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("start {name}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("no stdout")?;
        let mut program = Self {
            name: name.to_owned(),
            child,
            _stdin: stdin,
            log: log.to_owned(),
            places: BTreeMap::new(),
        };
        let announced = listen(stdout, file)?;
        match tokio::time::timeout(patience::LONG, announced).await {
            Ok(Ok(places)) => program.places = places,
            Ok(Err(_)) => bail!("{name} ended before it was ready:\n{}", program.log_end()),
            Err(_) => {
                bail!("{name} is not ready after {:?}:\n{}", patience::LONG, program.log_end())
            }
        }
        Ok(program)
    }

    /// The URL that it announced under this name.
    ///
    /// # Errors
    /// When it announced none.
    pub fn url(&self, place: &str) -> Result<&str> {
        let url = self.places.get(place);
        url.map(String::as_str).with_context(|| format!("{} announced no `{place}`", self.name))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Ends it as a power cut would: SIGKILL, then reaps it.
    pub fn kill(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not after a long while.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let name = self.name.clone();
        let child = &mut self.child;
        patience::until(&format!("{name} ends"), async || child.try_wait().ok().flatten()).await
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of what it has written.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(60);
        format!("--- {} ({})\n{}\n", self.name, self.log.display(), lines[from..].join("\n"))
    }

    /// The lines of its log that it considers errors of its own.
    pub fn errors(&self) -> Vec<String> {
        let log = self.log();
        let lines = log
            .lines()
            .filter(|it| it.contains(r#""level":"ERROR""#) || it.contains("panicked at"));
        lines.map(|it| format!("{}: {it}", self.name)).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Copies stdout to the log on a thread of its own, and picks the announcement out of it.
fn listen(
    stdout: ChildStdout,
    mut log: File,
) -> Result<oneshot::Receiver<BTreeMap<String, String>>> {
    let (tell, told) = oneshot::channel();
    let mut tell = Some(tell);
    thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { break };
            // A lost line of a log is no reason to stop reading: the program would block.
            let _ = writeln!(log, "{line}");
            if let Some(places) = announcement(&line)
                && let Some(tell) = tell.take()
            {
                let _ = tell.send(places);
            }
        }
    })?;
    Ok(told)
}

fn announcement(line: &str) -> Option<BTreeMap<String, String>> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    serde_json::from_value(line.get("ready")?.clone()).ok()
}
