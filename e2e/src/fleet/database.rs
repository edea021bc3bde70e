//! The fleet's one database, seen from outside.

use anyhow::{Context, Result};
use sluice_control_plane::store::embedded::Embedded;
use std::path::{Path, PathBuf};

/// As control planes are told it.
pub(super) fn url(postgres: &Embedded) -> Result<String> {
    let config = postgres.config();
    let Some(tokio_postgres::config::Host::Unix(folder)) = config.get_hosts().first() else {
        anyhow::bail!("the private cluster listens on a socket");
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let name = config.get_dbname().context("a database name")?;
    let user = config.get_user().context("a user")?;
    Ok(format!("postgres:///{name}?host={}&port={port}&user={user}", folder.display()))
}

/// The processes whose command line or parent's names this folder.
pub(super) fn processes_with(folder: &Path) -> Vec<rustix::process::Pid> {
    let place = folder.to_string_lossy().into_owned();
    let pids: Vec<i32> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|it| it.file_name().to_str()?.parse().ok())
        .collect();
    let read = |pid: i32, file: &str| {
        std::fs::read(PathBuf::from(format!("/proc/{pid}/{file}"))).unwrap_or_default()
    };
    let main: Vec<i32> = pids
        .iter()
        .copied()
        .filter(|it| {
            let words = String::from_utf8_lossy(&read(*it, "cmdline")).into_owned();
            words.contains("postgres") && words.contains(&place)
        })
        .collect();
    let parent = |pid: i32| {
        let stat = String::from_utf8_lossy(&read(pid, "stat")).into_owned();
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.split(' ').nth(1)?.parse::<i32>().ok()
    };
    let ours = |it: &i32| main.contains(it) || parent(*it).is_some_and(|up| main.contains(&up));
    pids.into_iter().filter(ours).filter_map(rustix::process::Pid::from_raw).collect()
}
