//! Why the private cluster does not run, each with the way out.

use std::{io, path::PathBuf};

/// Why the private Postgres cluster cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process has the home.
    #[error("the database in {} is in use by {holder}: stop it first, or choose another home", .folder.display())]
    InUse {
        /// The cluster's folder.
        folder: PathBuf,
        /// The process that holds it, as in `process 1234`.
        holder: String,
    },
    /// There is no Postgres on this machine, or not where it should be.
    #[error(
        "PostgreSQL's server programs (postgres, initdb) were not found{}: install them (Debian, Ubuntu: `apt-get install postgresql`; macOS: `brew install postgresql`), name their folder with SLUICE_PG_BIN, or give a database of your own with DATABASE_URL",
        .folder.as_ref().map_or_else(String::new, |it| format!(" in {}", it.display()))
    )]
    NoBinaries {
        /// The folder that was named, if one was.
        folder: Option<PathBuf>,
    },
    /// The programs cannot be run, or are too old.
    #[error("{} cannot be used: {why}", .program.display())]
    BadBinary {
        /// The program.
        program: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The cluster was made by another major version.
    #[error(
        "the cluster in {} was made by PostgreSQL {made_by}, but the programs in {} are PostgreSQL {have}: name those of {made_by} with SLUICE_PG_BIN, or upgrade the cluster with pg_upgrade",
        .folder.display(), .programs.display()
    )]
    WrongMajor {
        /// The data folder.
        folder: PathBuf,
        /// The major version in its PG_VERSION.
        made_by: u32,
        /// The folder of the programs.
        programs: PathBuf,
        /// Their major version.
        have: u32,
    },
    /// What is there is not a cluster.
    #[error("{} is there but is not a PostgreSQL cluster: move it away, or choose another home", .folder.display())]
    NotACluster {
        /// The data folder.
        folder: PathBuf,
    },
    /// Postgres refuses to run as root, and there is nobody else.
    #[error(
        "PostgreSQL does not run as root, and none of the users {tried} exists: make one (`useradd --system sluice`), or run as an ordinary user"
    )]
    NoUser {
        /// Who was looked for.
        tried: String,
    },
    /// This process's own user has no name.
    #[error("the user with id {uid} has no name on this machine, which PostgreSQL needs: {why}")]
    NamelessUser {
        /// The user's id.
        uid: u32,
        /// What `id` said.
        why: String,
    },
    /// The cluster is another user's.
    #[error("the cluster in {} belongs to the user with id {owner}: run as that user, or choose another home", .folder.display())]
    WrongOwner {
        /// The data folder.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A folder on the way is closed to who runs Postgres.
    #[error(
        "PostgreSQL runs as user `{user}`, who cannot enter {}: choose a home elsewhere, such as /var/lib/sluice, or open it with `chmod o+x {}`",
        .folder.display(), .folder.display()
    )]
    Unreachable {
        /// Who runs Postgres.
        user: String,
        /// The first folder that is closed.
        folder: PathBuf,
    },
    /// Processes of an earlier run do not end.
    #[error("processes {pids:?} still use the cluster in {} and do not end: stop them", .folder.display())]
    Haunted {
        /// The data folder.
        folder: PathBuf,
        /// Who uses it.
        pids: Vec<i32>,
    },
    /// initdb failed.
    #[error("initdb failed: {output}")]
    Initdb {
        /// What it printed last.
        output: String,
    },
    /// Postgres ended instead of becoming ready.
    #[error("postgres did not start ({end}): {log}")]
    DidNotStart {
        /// How it ended.
        end: String,
        /// What it logged last.
        log: String,
    },
    /// It was told to stop before it was ready.
    #[error("stopped before it was ready")]
    Stopped,
    /// The system refused something.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried, as in `write`.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl EmbeddedError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }
}
