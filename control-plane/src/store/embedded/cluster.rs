//! The cluster on disk: made once, whole or not at all, and guarded against what does
//! not fit it.

use super::{
    EmbeddedError,
    binaries::Binaries,
    processes,
    user::{RunAs, bare},
};
use runtime::files::write_atomically;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Output,
    thread::sleep,
    time::{Duration, Instant},
};
use tracing::{info, warn};
use uuid::Uuid;

/// The cluster's only role.
pub(super) const SUPERUSER: &str = "sluice";

/// What the folder of a cluster in the making starts with.
const UNFINISHED: &str = "pgdata.new-";

/// How long what is left of an earlier run gets for a fast shutdown, an immediate one, and
/// to be gone after it was killed.
const PATIENCE: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(20)),
    (Signal::QUIT, Duration::from_secs(5)),
    (Signal::KILL, Duration::from_secs(5)),
];

/// A cluster that can be started.
#[derive(Debug)]
pub(super) struct Cluster {
    /// `home/pg`.
    pub(super) folder: PathBuf,
    pub(super) run_as: RunAs,
    pub(super) binaries: Binaries,
}

/// The folder of `home`'s cluster, made if it is not there: ours, and open enough that
/// Postgres's user can pass through it.
pub(super) fn folder(home: &Path) -> Result<PathBuf, EmbeddedError> {
    fs::create_dir_all(home).map_err(|error| EmbeddedError::io("make", home, error))?;
    let home = fs::canonicalize(home).map_err(|error| EmbeddedError::io("find", home, error))?;
    let folder = home.join("pg");
    match fs::create_dir(&folder) {
        Ok(()) => fs::set_permissions(&folder, Permissions::from_mode(0o755))
            .map_err(|error| EmbeddedError::io("open", &folder, error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(EmbeddedError::io("make", folder, error)),
    }
    Ok(folder)
}

impl Cluster {
    /// Makes the cluster of `folder` if there is none, and checks that it can be run.
    pub(super) fn prepare(folder: PathBuf, pg_bin: Option<&Path>) -> Result<Self, EmbeddedError> {
        let pgdata = folder.join("pgdata");
        let owner = match fs::symlink_metadata(&pgdata) {
            Ok(it) => Some(it.uid()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(EmbeddedError::io("look at", pgdata, error)),
        };
        let run_as = RunAs::choose(&pgdata, owner)?;
        check_reachable(&folder, &run_as)?;
        let made_by = owner.is_some().then(|| version_of(&pgdata)).transpose()?;
        let binaries = Binaries::find(pg_bin, made_by)?;
        let cluster = Self { folder, run_as, binaries };
        match made_by {
            None => cluster.make()?,
            Some(made_by) if made_by != cluster.binaries.major => {
                return Err(EmbeddedError::WrongMajor {
                    folder: pgdata,
                    made_by,
                    programs: cluster.binaries.folder,
                    have: cluster.binaries.major,
                });
            }
            Some(_) => {}
        }
        cluster.write_access_files()?;
        Ok(cluster)
    }

    pub(super) fn pgdata(&self) -> PathBuf {
        self.folder.join("pgdata")
    }

    pub(super) fn hba_file(&self) -> PathBuf {
        self.folder.join("pg_hba.conf")
    }

    pub(super) fn ident_file(&self) -> PathBuf {
        self.folder.join("pg_ident.conf")
    }

    /// Makes the cluster beside its place and moves it there when it is whole and on
    /// disk: who breaks off on the way leaves nothing that looks like a cluster.
    fn make(&self) -> Result<(), EmbeddedError> {
        self.clear_unfinished();
        // A name of its own: an initdb that outlived a killed owner cleans up after itself,
        // and would do so in here.
        let new = self.folder.join(format!("{UNFINISHED}{}", Uuid::now_v7().simple()));
        let failed = |error| EmbeddedError::io("make", &new, error);
        DirBuilder::new().mode(0o700).create(&new).map_err(failed)?;
        if self.run_as.switches {
            chown(&new, Some(self.run_as.uid), Some(self.run_as.gid)).map_err(failed)?;
        }
        let mut initdb = self.run_as.command(self.binaries.program("initdb"));
        initdb.arg("-D").arg(&new).arg("-U").arg(SUPERUSER);
        // A minimal system knows no other locale. Synced once, below, instead of file by file.
        initdb.args([
            "--locale=C",
            "--encoding=UTF8",
            "--auth=peer",
            "--no-sync",
            "--no-instructions",
        ]);
        let output =
            initdb.output().map_err(|error| EmbeddedError::io("run initdb in", &new, error))?;
        if !output.status.success() {
            return Err(EmbeddedError::Initdb { output: last_words(&output) });
        }
        sync(&new)?;
        let pgdata = self.pgdata();
        fs::rename(&new, &pgdata).map_err(|error| EmbeddedError::io("rename", &new, error))?;
        File::open(&self.folder)
            .and_then(|it| it.sync_all())
            .map_err(|error| EmbeddedError::io("sync", &self.folder, error))?;
        info!(folder = %pgdata.display(), version = self.binaries.major, user = self.run_as.name, "made a database cluster");
        Ok(())
    }

    /// Removes what broke off on the way. What does not go yet is no harm.
    fn clear_unfinished(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let unfinished = |it: &fs::DirEntry| {
            it.file_name().to_str().is_some_and(|it| it.starts_with(UNFINISHED))
        };
        for folder in entries.filter(unfinished).map(|it| it.path()) {
            let removed = end_all_in(&folder).and_then(|()| {
                fs::remove_dir_all(&folder)
                    .map_err(|error| EmbeddedError::io("remove", &folder, error))
            });
            if let Err(error) = removed {
                warn!(%error, "an unfinished cluster stays for now");
            }
        }
    }

    /// Who may connect: the system's word for who somebody is, and no password to keep.
    /// The files are ours, so that the database's own user cannot let others in.
    fn write_access_files(&self) -> Result<(), EmbeddedError> {
        let mut ident = String::new();
        for user in [&self.run_as.ours, &self.run_as.name] {
            ident.push_str(&format!("sluice \"{user}\" {SUPERUSER}\n"));
        }
        for (path, text) in [
            (self.hba_file(), "local all all peer map=sluice\n"),
            (self.ident_file(), ident.as_str()),
        ] {
            write_atomically(&path, text.as_bytes(), 0o644)
                .map_err(|error| EmbeddedError::io("write", path, error))?;
        }
        Ok(())
    }

    /// Ends what is left of an earlier run, whose owner is gone: we hold its lock. Only
    /// when nobody uses the shared memory any more may a new postmaster start; then the
    /// old one's file goes, since a zombie of its id would keep the new one from starting.
    pub(super) fn clear_leftovers(&self) -> Result<(), EmbeddedError> {
        let pgdata = self.pgdata();
        end_all_in(&pgdata)?;
        let file = pgdata.join("postmaster.pid");
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(EmbeddedError::io("remove", file, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Waits until no process works in `folder`, and says so to those that do, ever louder.
fn end_all_in(folder: &Path) -> Result<(), EmbeddedError> {
    for (signal, patience) in PATIENCE {
        let mut pids = processes::working_in(folder);
        if pids.is_empty() {
            return Ok(());
        }
        warn!(?signal, pids = ?raw(&pids), "ending what an earlier run left behind");
        // An orphaned backend ends by itself; to a postmaster INT means a fast shutdown,
        // and to a backend it would only mean to cancel a statement.
        let postmaster = processes::postmaster_of(folder);
        for pid in &pids {
            if signal != Signal::INT || Some(*pid) == postmaster {
                let _ = kill_process(*pid, signal);
            }
        }
        let deadline = Instant::now() + patience;
        while !pids.is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
            pids = processes::working_in(folder);
        }
    }
    let pids = processes::working_in(folder);
    if pids.is_empty() {
        return Ok(());
    }
    Err(EmbeddedError::Haunted { folder: folder.to_owned(), pids: raw(&pids) })
}

fn raw(pids: &[Pid]) -> Vec<i32> {
    pids.iter().map(|it| it.as_raw_nonzero().get()).collect()
}

fn version_of(pgdata: &Path) -> Result<u32, EmbeddedError> {
    let text = fs::read_to_string(pgdata.join("PG_VERSION")).unwrap_or_default();
    text.trim().parse().map_err(|_| EmbeddedError::NotACluster { folder: pgdata.to_owned() })
}

/// Names the first folder on the way that Postgres's user cannot enter.
fn check_reachable(folder: &Path, run_as: &RunAs) -> Result<(), EmbeddedError> {
    if !run_as.switches || run_as.can_enter(folder) {
        return Ok(());
    }
    let way: Vec<_> = folder.ancestors().collect();
    let closed = way.into_iter().rev().find(|it| !run_as.can_enter(it)).unwrap_or(folder);
    Err(EmbeddedError::Unreachable { user: run_as.name.clone(), folder: closed.to_owned() })
}

/// Puts a folder's file system on disk; where `sync` takes no path, everything.
fn sync(folder: &Path) -> Result<(), EmbeddedError> {
    let failed = |error| EmbeddedError::io("sync", folder, error);
    let one = bare("sync").arg("-f").arg(folder).output().map_err(failed)?;
    if !one.status.success() {
        bare("sync").output().map_err(failed)?;
    }
    Ok(())
}

fn last_words(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join(" | ")
}
