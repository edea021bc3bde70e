//! The snapshots that a proxy keeps on disk, to start from without a control plane:
//! the newest two, sealed. Knows nothing of sessions and streams.

mod seal;
mod writer;

pub use writer::{CacheWriter, Puts, keep_written};

use crate::sync::config_stream::Held;
use domain::{secret::Secret, snapshot::Snapshot};
use seal::{Header, Seal};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};
use uuid::Uuid;

/// Where the generations lie, in turns.
const SLOTS: [&str; 2] = ["snapshot.0", "snapshot.1"];

/// Why a cached snapshot cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refuses.
    #[error("cannot reach the file: {0}")]
    Io(#[from] io::Error),
    /// The file starts like something else.
    #[error("it is damaged: it does not start like a cached snapshot")]
    NotASnapshot,
    /// The file is from a version of the program that came after this one.
    #[error(
        "a newer version of Sluice wrote it, in format {found}, and this one knows formats up to {known}: run the newer version, or let the control plane send the configuration again"
    )]
    Newer {
        /// The format of the file.
        found: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// The seal does not open.
    #[error("it is damaged, or was sealed under another node token")]
    Unopenable,
    /// It opened, but its content does not make a catalog in this version.
    #[error("its content is not usable here: {}", .0.join("; "))]
    Outdated(Vec<String>),
    /// The system gave no random numbers, or the catalog is beyond any size.
    #[error("it cannot be sealed")]
    Unsealable,
}

/// What was found on disk at the start.
#[derive(Debug)]
pub struct Cached {
    /// The snapshot.
    pub held: Held,
    /// When a control plane was last known to be in reach.
    pub heard_at: SystemTime,
}

/// The two generations in a state directory.
pub struct SnapshotCache {
    dir: PathBuf,
    seal: Seal,
    /// Which slot holds the newest good generation.
    newest: usize,
    /// That generation's number; 0: there is none.
    generation: u64,
}

impl SnapshotCache {
    /// Opens the cache in `dir` and reads the newest snapshot that can be used.
    /// What cannot be used is told in the log and passed over.
    ///
    /// # Errors
    /// [`CacheError::Unsealable`], when no key can be derived.
    pub fn open(dir: &Path, token: &Secret) -> Result<(Self, Option<Cached>), CacheError> {
        let mut cache =
            Self { dir: dir.to_owned(), seal: Seal::new(token)?, newest: 1, generation: 0 };
        let mut found: Vec<_> =
            (0..SLOTS.len()).filter_map(|slot| Some((slot, cache.read(slot)?))).collect();
        found.sort_by_key(|(_, (generation, _))| std::cmp::Reverse(*generation));
        for (slot, (_, bytes)) in found {
            let opened = cache.seal.open(bytes).and_then(|(header, held)| {
                Ok((header, Cached { held, heard_at: fs::metadata(cache.path(slot))?.modified()? }))
            });
            match opened {
                Ok((header, cached)) => {
                    cache.newest = slot;
                    cache.generation = header.generation;
                    return Ok((cache, Some(cached)));
                }
                Err(error) => cache.discard(slot, &error),
            }
        }
        Ok((cache, None))
    }

    /// A slot's bytes, and the generation that they claim to be.
    fn read(&self, slot: usize) -> Option<(u64, Vec<u8>)> {
        let bytes = match fs::read(self.path(slot)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.discard(slot, &error.into());
                return None;
            }
        };
        match Header::read(&bytes) {
            Ok(header) => Some((header.generation, bytes)),
            Err(error) => {
                self.discard(slot, &error);
                None
            }
        }
    }

    fn discard(&self, slot: usize, error: &CacheError) {
        let path = self.path(slot);
        tracing::error!(path = %path.display(), %error, "a cached snapshot is discarded");
    }

    fn path(&self, slot: usize) -> PathBuf {
        self.dir.join(SLOTS.get(slot).copied().unwrap_or("snapshot.0"))
    }

    /// Writes a snapshot in place of the older generation. Blocks: seals, writes and
    /// waits for the disk.
    ///
    /// # Errors
    /// When it cannot be written; the generations that were there stay.
    pub fn write(&mut self, incarnation: Uuid, snapshot: &Snapshot) -> Result<(), CacheError> {
        let slot = 1_usize.saturating_sub(self.newest);
        let generation = self.generation.saturating_add(1);
        let bytes = self.seal.close(generation, incarnation, snapshot)?;
        runtime::files::write_atomically(&self.path(slot), &bytes, 0o600)?;
        self.newest = slot;
        self.generation = generation;
        Ok(())
    }

    /// Notes that a control plane is in reach now: the newest generation is not stale.
    ///
    /// # Errors
    /// When the file's time cannot be set.
    pub fn touch(&self) -> io::Result<()> {
        if self.generation == 0 {
            return Ok(());
        }
        File::options().write(true).open(self.path(self.newest))?.set_modified(SystemTime::now())
    }
}

#[cfg(test)]
mod tests;
