//! Remembers, while the database is away, that somebody was lent something unrecorded.
//!
//! A file in the home folder: whoever lends without a database is alone, so that the next
//! leader finds it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

const NAME: &str = "lent-unrecorded";

/// The file, and whether it is there.
#[derive(Debug)]
pub(super) struct Marker {
    path: PathBuf,
    is_set: bool,
}

impl Marker {
    pub(super) fn in_folder(home: &Path) -> Self {
        let path = home.join(NAME);
        Self { is_set: path.exists(), path }
    }

    pub(super) const fn is_set(&self) -> bool {
        self.is_set
    }

    /// Puts it there, for certain. A small file, and seldom: nobody is kept waiting for it.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(super) fn set(&mut self) -> io::Result<()> {
        if !self.is_set {
            runtime::files::write_atomically(&self.path, b"", 0o600)?;
            self.is_set = true;
        }
        Ok(())
    }

    /// Takes it away: everybody is recorded.
    pub(super) fn clear(&mut self) {
        // If it stays, the next leader learns for longer than it had to.
        if self.is_set && fs::remove_file(&self.path).is_ok() {
            self.is_set = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_outlives_the_process_until_it_is_cleared() {
        let home = tempfile::tempdir().unwrap();
        let mut marker = Marker::in_folder(home.path());
        assert!(!marker.is_set());
        marker.set().unwrap();
        marker.set().unwrap();
        let mut next = Marker::in_folder(home.path());
        assert!(next.is_set());
        next.clear();
        assert!(!next.is_set() && !Marker::in_folder(home.path()).is_set());
    }
}
