//! A home of `sluice up`, and the programs that run for it.

use crate::{
    patience::{self, until},
    program,
    stack::open_to_all,
};
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// Whose user everything runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Who runs the test.
    Myself,
    /// A user without rights; only root can become it.
    Nobody,
}

/// The user and the group without rights, everywhere.
const NOBODY: u32 = 65_534;

/// Flags that let several homes live on one machine.
const ANY_PORTS: [&str; 4] = ["--data-addr", "127.0.0.1:0", "--control-addr", "127.0.0.1:0"];

/// A home in a folder of its own. When dropped, whatever still runs for it is killed.
#[derive(Debug)]
pub struct House {
    folder: TempDir,
    home: PathBuf,
    programs: PathBuf,
    who: Who,
}

/// A process that runs for a home.
#[derive(Debug, Clone)]
pub struct Resident {
    /// Its process id.
    pub pid: Pid,
    /// Its program's file name.
    pub program: String,
    /// Its command line.
    pub words: String,
}

impl House {
    /// A home at this path below a new folder. Nothing runs yet.
    ///
    /// # Errors
    /// When the folder cannot be made, or the programs are not built.
    pub fn new(who: Who, path: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sluice-up-").tempdir()?;
        open_to_all(folder.path())?;
        let mut programs = program::folder()?;
        program::path("sluice")?;
        if who == Who::Nobody {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
            if !may_pass(&programs)? {
                programs = copy_programs(&programs, folder.path())?;
            }
        }
        Ok(Self { home: folder.path().join(path), folder, programs, who })
    }

    /// The home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The CLI with these arguments, and an environment of nobody in particular.
    pub fn sluice(&self, args: &[&str]) -> Command {
        let program = self.programs.join("sluice");
        let mut command = match self.who {
            Who::Myself => Command::new(program),
            Who::Nobody => {
                let mut command = Command::new("setpriv");
                let id = NOBODY.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program);
                command
            }
        };
        program::clean(&mut command);
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs the CLI to its end.
    ///
    /// # Errors
    /// When it cannot be run, or does not end.
    pub async fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = tokio::process::Command::from(self.sluice(args));
        let output = command.kill_on_drop(true).output();
        let output = tokio::time::timeout(patience::LONG, output).await;
        output
            .with_context(|| format!("sluice {args:?} does not end\n{}", self.log()))?
            .context("run sluice")
    }

    /// Runs the CLI, which must succeed; gives its output.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn ok(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args).await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "sluice {args:?}: {}\n{errors}\n{}",
            output.status,
            self.log()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The arguments that start everything here, without the manner.
    pub fn up_args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let home = self.home.to_str().unwrap_or_default();
        let mut args = vec!["up", "--demo", "-o", "json", "--home", home];
        args.extend(ANY_PORTS);
        args.extend(more);
        args
    }

    /// `sluice up --detach`; gives its banner.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn up(&self, more: &[&str]) -> Result<Value> {
        let mut args = self.up_args(more);
        args.push("--detach");
        let banner = self.ok(&args).await?;
        serde_json::from_str(&banner).with_context(|| format!("the banner is no JSON: {banner}"))
    }

    /// `sluice down`.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn down(&self) -> Result<String> {
        self.ok(&["down", "--home", self.home.to_str().unwrap_or_default()]).await
    }

    /// What the detached programs wrote.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.home.join("log/up.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(80)..].join("\n")
    }

    /// Everything that runs for this home, by the path of its folder in its command line,
    /// environment or working folder.
    pub fn residents(&self) -> Vec<Resident> {
        let home = self.folder.path().to_string_lossy().into_owned();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let residents = all.filter_map(|it| resident(&it.path(), &it.file_name(), &home));
        residents.collect()
    }

    /// Those that run this program.
    pub fn residents_of(&self, program: &str) -> Vec<Resident> {
        let mut all = self.residents();
        all.retain(|it| it.program == program);
        all
    }

    /// The database's main process.
    pub fn postmaster(&self) -> Option<Resident> {
        let mut all = self.residents_of("postgres");
        // Its children call themselves `postgres: …`.
        all.retain(|it| !it.words.starts_with("postgres:"));
        all.pop()
    }

    /// Waits until nothing runs for this home.
    ///
    /// # Errors
    /// When something goes on.
    pub async fn empty(&self) -> Result<()> {
        let left = async || self.residents().is_empty().then_some(());
        let waited = until("every process of the home is gone", left).await;
        waited.with_context(|| format!("{:?}\n{}", self.residents(), self.log()))
    }
}

impl Resident {
    /// Sends it a signal; that it is gone is as well.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }
}

impl Drop for House {
    #[expect(clippy::print_stderr, reason = "the log of a failed test belongs to its output")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        for resident in self.residents() {
            resident.signal(Signal::KILL);
        }
    }
}

fn resident(proc: &Path, name: &OsStr, home: &str) -> Option<Resident> {
    let pid = Pid::from_raw(name.to_str()?.parse().ok()?)?;
    let read = |name: &str| {
        let bytes = fs::read(proc.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    // A zombie has no program any more, and is its parent's to bury.
    let program = fs::read_link(proc.join("exe")).ok()?;
    let words = read("cmdline");
    let folder = fs::read_link(proc.join("cwd")).ok();
    let lives_here = folder.is_some_and(|it| it.starts_with(home));
    let is = lives_here || words.contains(home) || read("environ").contains(home);
    let program = program.file_name()?.to_str()?.trim_end_matches(" (deleted)").to_owned();
    (is && pid != rustix::process::getpid()).then_some(Resident { pid, program, words })
}

/// Whether everybody may go into the folder.
fn may_pass(folder: &Path) -> Result<bool> {
    for folder in folder.ancestors() {
        if fs::metadata(folder)?.mode() & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_programs(from: &Path, to: &Path) -> Result<PathBuf> {
    let to = to.join("bin");
    fs::create_dir(&to)?;
    for name in ["sluice", "sluice-control-plane", "sluice-data-plane", "sluice-demo-provider"] {
        fs::copy(from.join(name), to.join(name)).with_context(|| format!("copy {name}"))?;
    }
    Ok(to)
}
