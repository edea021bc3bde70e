//! Where Postgres is spoken to: a folder that only its user and root may enter, with a
//! path that fits into a socket's address.

use super::{EmbeddedError, cluster::Cluster, user::RunAs};
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, chown},
    },
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Part of the socket's name; nothing listens on it.
pub(super) const PORT: u16 = 5432;
const SOCKET: &str = ".s.PGSQL.5432";
const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";

/// The longest path that a socket's address holds: 108 bytes with the NUL on Linux, 104
/// elsewhere.
const MAX_PATH_LEN: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where a short folder may be made; the first is not swept by clean-up jobs.
const SHORT: [&str; 2] = ["/run", "/tmp"];

/// The socket's folder; a short one is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    folder: PathBuf,
    short: bool,
}

impl Socket {
    pub(super) fn make(cluster: &Cluster) -> Result<Self, EmbeddedError> {
        let record = cluster.folder.join("socket-folder");
        remove_recorded(&record, cluster.run_as.uid);
        let own = cluster.folder.join("socket");
        if fits(&own) {
            match make_folder(&own, &cluster.run_as) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(EmbeddedError::io("make", own, error)),
            }
            return Ok(Self { folder: own, short: false });
        }
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for place in SHORT {
            // Random, and made anew: nobody can have put something there before us.
            let folder = Path::new(place).join(format!("sluice-{}", Uuid::now_v7().simple()));
            match make_folder(&folder, &cluster.run_as) {
                Ok(()) => {
                    let socket = Self { folder, short: true };
                    // Who is killed cannot clean up: the next start reads it here.
                    fs::write(&record, socket.folder.as_os_str().as_bytes())
                        .map_err(|error| EmbeddedError::io("write", record, error))?;
                    return Ok(socket);
                }
                Err(error) => failure = error,
            }
        }
        Err(EmbeddedError::io("make a short socket folder for", own, failure))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what a killed postmaster left: nobody else uses the folder, and the lock
    /// file would keep the next one from starting when its process is a zombie.
    pub(super) fn clear_leftovers(&self) {
        for name in [SOCKET, SOCKET_LOCK] {
            // Mostly there is none.
            let _ = fs::remove_file(self.folder.join(name));
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.short {
            self.clear_leftovers();
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Whether the socket's path fits its address, and Postgres's list of folders.
fn fits(folder: &Path) -> bool {
    let bytes = folder.as_os_str().as_bytes();
    let len = bytes.len().saturating_add(1).saturating_add(SOCKET.len());
    len <= MAX_PATH_LEN && !bytes.iter().any(|it| matches!(it, b',' | b'"' | b'\''))
}

fn make_folder(folder: &Path, run_as: &RunAs) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    if run_as.switches {
        chown(folder, Some(run_as.uid), Some(run_as.gid))?;
    }
    Ok(())
}

/// Removes the short folder of a run that was killed: only if it is what we made.
fn remove_recorded(record: &Path, uid: u32) {
    let Ok(text) = fs::read_to_string(record) else { return };
    let folder = Path::new(&text);
    let ours =
        folder.file_name().and_then(|it| it.to_str()).is_some_and(|it| it.starts_with("sluice-"))
            && SHORT.iter().any(|it| folder.parent() == Some(Path::new(it)))
            && fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && it.uid() == uid);
    if ours {
        Socket { folder: folder.to_owned(), short: true }.clear_leftovers();
        let _ = fs::remove_dir(folder);
    }
    let _ = fs::remove_file(record);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_up_to_the_last_byte() {
        let longest = MAX_PATH_LEN - 1 - SOCKET.len();
        assert!(fits(Path::new(&format!("/{}", "a".repeat(longest - 1)))));
        assert!(!fits(Path::new(&format!("/{}", "a".repeat(longest)))));
        assert!(!fits(Path::new("/a,b")));
    }
}
