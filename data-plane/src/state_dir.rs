//! The directory that a proxy owns: its lock, and the identity that it keeps.
//!
//! Knows files; knows nothing of what else is kept there.

use domain::id::ProxyId;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How often a taken lock is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another proxy uses it.
    #[error("{dir} belongs to another running proxy ({holder}): stop it, or set another state-dir")]
    Held {
        /// The directory.
        dir: String,
        /// Who holds it, in words.
        holder: String,
    },
    /// The proxy's identity is there but cannot be read.
    #[error(
        "{path} does not hold a proxy's id: remove the file, and the proxy takes a new identity"
    )]
    BadIdentity {
        /// The file.
        path: String,
    },
    /// The file system refuses.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// A state directory that this process holds, for as long as the value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// The lock is on the open file: it goes away with the process, however that ends.
    _lock: File,
}

impl StateDir {
    /// Takes `path`, waiting up to `patience` for a dying predecessor to leave it.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written to.
    pub fn take(path: &Path, patience: Duration) -> Result<Self, StateDirError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| failed("create", path, error))?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|error| failed("open", &lock_path, error))?;
        let give_up = Instant::now() + patience;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    thread::sleep(TRY_AGAIN);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // Who holds it is only told; not knowing it changes nothing.
                    let _ = lock.read_to_string(&mut holder);
                    let holder = holder.trim().to_owned();
                    return Err(StateDirError::Held { dir: path.display().to_string(), holder });
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path, error)),
            }
        }
        let holder = format!("process {}\n", process::id());
        lock.set_len(0)
            .and_then(|()| lock.seek(SeekFrom::Start(0)))
            .and_then(|_| lock.write_all(holder.as_bytes()))
            .map_err(|error| failed("write", &lock_path, error))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The proxy's identity: made on the first start, the same ever after.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn proxy_id(&self) -> Result<ProxyId, StateDirError> {
        let path = self.path.join("proxy-id");
        match fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| StateDirError::BadIdentity { path: path.display().to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = ProxyId::from_uuid(Uuid::now_v7());
                runtime::files::write_atomically(&path, format!("{id}\n").as_bytes(), 0o600)
                    .map_err(|error| failed("write", &path, error))?;
                Ok(id)
            }
            Err(error) => Err(failed("read", &path, error)),
        }
    }
}

fn failed(verb: &'static str, path: &Path, source: io::Error) -> StateDirError {
    StateDirError::Io { verb, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_refused_and_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::take(dir.path(), Duration::ZERO).unwrap();
        let refused = StateDir::take(dir.path(), Duration::ZERO).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", process::id())), "{refused}");
        drop(first);
        StateDir::take(dir.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_successor_waits_for_its_predecessor_to_leave() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::take(dir.path(), Duration::ZERO).unwrap();
        let path = dir.path().to_owned();
        let second =
            thread::spawn(move || StateDir::take(&path, Duration::from_secs(30)).map(drop));
        drop(first);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn the_identity_stays_over_starts_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::take(dir.path(), Duration::ZERO).unwrap();
        let id = state.proxy_id().unwrap();
        assert_eq!(state.proxy_id().unwrap(), id);
        fs::write(dir.path().join("proxy-id"), "nonsense").unwrap();
        assert!(state.proxy_id().unwrap_err().to_string().contains("remove the file"));
    }
}
