//! How soon `sluice up` is ready, the first time and after.

use super::report::Figure;
use crate::{program, stack::open_to_all};
use anyhow::{Context, Result, ensure};
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

/// Starts everything twice in a new home.
///
/// # Errors
/// When it does not start or does not stop.
pub async fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::Builder::new().prefix("sluice-bench-").tempdir()?;
    open_to_all(folder.path())?;
    let up = [
        "up",
        "--demo",
        "--detach",
        "-o",
        "json",
        "--data-addr",
        "127.0.0.1:0",
        "--control-addr",
        "127.0.0.1:0",
    ];
    let mut times = Vec::new();
    for _ in 0..2 {
        let start = Instant::now();
        let started = sluice(folder.path(), &up).await;
        times.push(start.elapsed());
        let stopped = sluice(folder.path(), &["down"]).await;
        started.and(stopped)?;
    }
    Ok(vec![
        Figure::at_most("`sluice up` to ready, the first time", times[0], Duration::from_secs(10)),
        Figure::at_most("`sluice up` to ready, after", times[1], Duration::from_secs(5)),
    ])
}

async fn sluice(folder: &Path, args: &[&str]) -> Result<()> {
    let mut command = program::command("sluice")?;
    command.args(args).arg("--home").arg(folder.join("home"));
    command.env("SLUICE_CONFIG", folder.join("cli.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let log = std::fs::File::create(folder.join("stderr.log"))?;
    command.stderr(log);
    let status = tokio::process::Command::from(command).status().await.context("run sluice")?;
    let log = std::fs::read_to_string(folder.join("stderr.log")).unwrap_or_default();
    ensure!(status.success(), "sluice {args:?}: {status}\n{log}");
    Ok(())
}
