//! `--detach`: the supervisor goes on in the background, and says when it is ready.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{
    Signals,
    banner::{Banner, Ground},
};
use crate::{
    commands::Session,
    failure::{CliError, Kind, Outcome},
    output,
};

/// How much of the log is shown when a start fails, in lines.
const TAIL: usize = 20;

/// What the one in the background says, on one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// Everything is ready.
    Ready(Banner),
    /// It did not start.
    Failed {
        /// The exit code.
        code: u8,
        what: String,
        hint: Option<String>,
    },
}

impl Told {
    pub(super) fn failed(error: &CliError) -> Self {
        let (what, hint) = (error.what.clone(), error.hint.clone());
        Self::Failed { code: error.kind.code(), what, hint }
    }
}

/// Starts this program again, in the background, and waits for its banner.
pub(super) async fn launch(it: &Session, home: &Path) -> Outcome {
    let (log, path) = open_log(home)?;
    let before = log.metadata().context("read the log's size")?.len();
    let program = std::env::current_exe().context("find this program")?;
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg("--detached")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("start in the background")?;
    let mut signals = Signals::new()?;
    let stdout = child.stdout.take().context("read what it says")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::select! {
        line = lines.next_line() => line.context("read what it says")?,
        () = signals.recv() => return called_off(child).await,
    };
    let Some(line) = line else { return Err(crashed(child, &path, before).await) };
    match serde_json::from_str(&line).context("understand what it says")? {
        Told::Ready(banner) => banner.print(it.output, Ground::Back),
        Told::Failed { code, what, hint } => {
            let _ = child.wait().await;
            let hint = hint.unwrap_or_else(|| format!("what happened is in {}", path.display()));
            Err(CliError::new(kind_of(code.into()), what).hint(hint))
        }
    }
}

/// Says it to the one who launched us; that it has left is no error.
#[expect(clippy::needless_pass_by_value, reason = "it is made to be told")]
pub(super) fn tell(told: Told) -> Outcome {
    output::json_line(&told)
}

fn kind_of(code: i32) -> Kind {
    let kinds = [Kind::Usage, Kind::NotFound, Kind::Refused, Kind::Unreachable];
    kinds.into_iter().find(|it| code == i32::from(it.code())).unwrap_or(Kind::Failed)
}

fn open_log(home: &Path) -> Outcome<(File, PathBuf)> {
    let folder = home.join("log");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join("up.log");
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    Ok((log.with_context(|| format!("open {}", path.display()))?, path))
}

async fn called_off(mut child: Child) -> Outcome {
    let pid = child.id().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = child.wait().await;
    Err(CliError::failed("called off before it was ready"))
}

async fn crashed(mut child: Child, log: &Path, before: u64) -> CliError {
    let code = child.wait().await.ok().and_then(|it| it.code());
    let read = || {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(before))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map(|_| text)
    };
    let text = read().unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n  ");
    let what = format!("it did not start; the end of {}:\n  {tail}", log.display());
    CliError::new(kind_of(code.unwrap_or(1)), what)
}
