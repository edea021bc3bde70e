//! Who still uses a cluster's folder: processes of a run whose owner is gone.
//!
//! Postgres's processes have the data folder as their working directory. The id in
//! `postmaster.pid` alone says little: it may be a zombie that nobody reaps (as in a
//! container without an init), or have been given to another process.

use rustix::process::Pid;
use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// The processes, without zombies, that work in `folder`.
#[cfg(target_os = "linux")]
pub(super) fn working_in(folder: &Path) -> Vec<Pid> {
    let Ok(folder) = fs::metadata(folder) else { return Vec::new() };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|it| it.file_name().to_str()?.parse::<i32>().ok());
    // A zombie has no working directory any more. Others' processes cannot be looked
    // into, nor can they use a folder that is closed to them.
    let here = |pid: &i32| {
        fs::metadata(format!("/proc/{pid}/cwd"))
            .is_ok_and(|it| (it.dev(), it.ino()) == (folder.dev(), folder.ino()))
    };
    pids.filter(here).filter_map(Pid::from_raw).collect()
}

/// The postmaster that `postmaster.pid` names, if it runs: there is no /proc to know more.
#[cfg(not(target_os = "linux"))]
pub(super) fn working_in(folder: &Path) -> Vec<Pid> {
    let runs = |pid: &Pid| {
        let mut ps = super::user::bare("ps");
        ps.args(["-o", "stat=,comm=", "-p", &pid.as_raw_nonzero().to_string()]);
        ps.output().is_ok_and(|it| {
            let text = String::from_utf8_lossy(&it.stdout).trim().to_owned();
            !text.starts_with('Z') && text.contains("postgres")
        })
    };
    postmaster_of(folder).filter(runs).into_iter().collect()
}

/// The first line of `postmaster.pid`: negative for a single-user backend.
pub(super) fn postmaster_of(pgdata: &Path) -> Option<Pid> {
    let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    Pid::from_raw(pid.checked_abs()?)
}
