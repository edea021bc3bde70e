//! `--detach`: the supervisor goes on in the background, and says when it is ready.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
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
    match line {
        Some(line) => {
            let banner: Banner = serde_json::from_str(&line).context("understand what it says")?;
            banner.print_on(it.output, Ground::Back)
        }
        None => Err(failed(child, &path, before).await),
    }
}

/// Says the banner to the one who launched us; that it has left is no error.
pub(super) fn tell(banner: &Banner) -> Outcome {
    output::json_line(banner)
}

fn open_log(home: &Path) -> Outcome<(File, PathBuf)> {
    let folder = home.join("log");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join("up.log");
    let log = OpenOptions::new().create(true).append(true).open(&path);
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

async fn failed(mut child: Child, log: &Path, before: u64) -> CliError {
    let code = child.wait().await.ok().and_then(|it| it.code());
    let kinds = [Kind::Usage, Kind::NotFound, Kind::Refused, Kind::Unreachable];
    let kind = kinds.into_iter().find(|it| code == Some(it.code().into()));
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
    CliError::new(kind.unwrap_or(Kind::Failed), what)
}
