//! Who runs Postgres: it refuses to be root.

use super::EmbeddedError;
use rustix::process::{getegid, geteuid};
use std::{
    env,
    ffi::OsStr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

/// The best first. `_postgres` is what macOS calls it.
const CANDIDATES: [&str; 4] = ["sluice", "postgres", "_postgres", "nobody"];

/// The user that runs Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunAs {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
    /// Our own user's name, which connects.
    pub(super) ours: String,
    /// Whether it is another than we are.
    pub(super) switches: bool,
}

impl RunAs {
    /// Chooses the user: of a cluster that exists, its owner.
    pub(super) fn choose(pgdata: &Path, owner: Option<u32>) -> Result<Self, EmbeddedError> {
        let uid = geteuid().as_raw();
        let ours = name_of(uid)?;
        let wrong = |owner| EmbeddedError::WrongOwner { folder: pgdata.to_owned(), owner };
        if uid != 0 {
            if let Some(owner) = owner.filter(|it| *it != uid) {
                return Err(wrong(owner));
            }
            let gid = getegid().as_raw();
            return Ok(Self { uid, gid, name: ours.clone(), ours, switches: false });
        }
        let name = match owner {
            Some(0) => return Err(wrong(0)),
            Some(owner) => name_of(owner)?,
            None => CANDIDATES
                .into_iter()
                .find(|it| ask("-u", it).is_ok())
                .ok_or_else(|| EmbeddedError::NoUser { tried: CANDIDATES.join(", ") })?
                .to_owned(),
        };
        let number = |what| {
            let nameless =
                |why: String| EmbeddedError::NamelessUser { uid: owner.unwrap_or(0), why };
            let text = ask(what, &name).map_err(nameless)?;
            text.parse::<u32>().map_err(|error| nameless(error.to_string()))
        };
        let (uid, gid) = (number("-u")?, number("-g")?);
        if uid == 0 {
            return Err(wrong(0));
        }
        Ok(Self { uid, gid, name, ours, switches: true })
    }

    /// A command that runs as this user, in a process group of its own, so that Ctrl-C in
    /// a terminal ends only us, who then end it in order.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = bare(program);
        command.current_dir("/").process_group(0);
        if self.switches {
            // The standard library drops supplementary groups with the user.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Whether this user can enter `folder`: asked of the system, which knows about
    /// groups and access lists.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        let mut command = self.command("/bin/sh");
        command.args(["-c", "cd \"$1\"", "sh"]).arg(folder).stderr(Stdio::null());
        command.status().is_ok_and(|it| it.success())
    }
}

/// A command that gets none of our environment, in which secrets may be, but for what
/// finds programs and their libraries.
pub(super) fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn name_of(uid: u32) -> Result<String, EmbeddedError> {
    ask("-un", &uid.to_string()).map_err(|why| EmbeddedError::NamelessUser { uid, why })
}

/// Asks `id`, which knows users from wherever the system has them.
fn ask(what: &str, user: &str) -> Result<String, String> {
    let output = bare("id").args([what, user]).output().map_err(|it| it.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
