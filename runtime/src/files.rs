//! Files that must be whole or absent, and files that only their owner may read.
//!
//! Knows modes and renames, not what is in the files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Longest secret that is read, bytes.
const SECRET_MAX: u64 = 64 * 1024;

/// The secret in `path`, without the white space around it; made with `make` and
/// written with mode 0600 when there is no such file. Says whether it was made now.
/// Of several processes that make it at once, one wins and all get its secret.
///
/// # Errors
///
/// When the file is empty, or readable by others than its owner, or when reading or
/// writing fails; the text names the file.
pub fn read_or_create_secret(
    path: &Path,
    make: impl FnOnce() -> String,
) -> io::Result<(String, bool)> {
    match read_secret(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map(|secret| (secret, false)),
    }
    let secret = make();
    let temporary = write_beside(path, format!("{secret}\n").as_bytes(), 0o600)?;
    // Unlike a rename, a link never replaces what another process has made meanwhile.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(path).map(|()| (secret, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read_secret(path).map(|secret| (secret, false))
        }
        Err(error) => Err(named(path, &error)),
    }
}

/// The secret in `path`, without the white space around it.
///
/// # Errors
///
/// When the file is absent, empty, longer than 64 KiB, not UTF-8, or readable by
/// others than its owner; the text names the file.
pub fn read_secret(path: &Path) -> io::Result<String> {
    let read = || {
        let file = File::open(path)?;
        check_private(&file)?;
        let mut text = String::new();
        file.take(SECRET_MAX).read_to_string(&mut text)?;
        match text.trim() {
            "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
            secret => Ok(secret.to_owned()),
        }
    };
    read().map_err(|error: io::Error| named(path, &error))
}

/// Replaces `path` by `bytes` with `mode`: after a crash there is the old file or
/// the new one, never a part. The folder must exist.
///
/// # Errors
///
/// When writing, syncing or renaming fails; the text names the file, and the old
/// file is still there.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = write_beside(path, bytes, mode)?;
    fs::rename(&temporary, path).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        named(path, &error)
    })?;
    sync_folder(path)
}

/// Refuses a file that its group or others can read or write.
pub(crate) fn check_private(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("others can read the file (mode {mode:04o}); chmod it to 0600"),
        )),
    }
}

/// Writes a new, synced file next to `path`, under a name of its own.
fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let dice = getrandom::u64().map_err(|error| named(path, &io::Error::other(error)))?;
    let temporary = path.with_file_name(format!(".{name}.{dice:016x}.tmp"));
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        // The mode at opening is narrowed by the umask; this one is not.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        named(path, &error)
    })?;
    Ok(temporary)
}

/// A new name is only kept over a power cut once its folder is synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let first = read_or_create_secret(&path, || "s3cret".into()).unwrap();
        assert_eq!(first, ("s3cret".to_owned(), true));
        assert_eq!(mode(&path), 0o600);
        let second = read_or_create_secret(&path, || "another".into()).unwrap();
        assert_eq!(second, ("s3cret".to_owned(), false));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn of_many_who_make_it_at_once_one_wins_and_all_agree() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let path = path.as_path();
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    scope.spawn(move || read_or_create_secret(path, || format!("n{n}")).unwrap())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|(_, created)| *created).count(), 1);
        assert!(made.iter().all(|(secret, _)| *secret == made[0].0));
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_empty_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let check = |bytes: &[u8], mode, expected: &str| {
            write_atomically(&path, bytes, mode).unwrap();
            let error = read_or_create_secret(&path, || "new".into()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("key"), "{error}");
        };
        check(b"s3cret", 0o644, "mode 0644");
        check(b"s3cret", 0o640, "mode 0640");
        check(b" \n", 0o600, "empty");
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        write_atomically(&path, b"a long first version", 0o600).unwrap();
        write_atomically(&path, b"second", 0o644).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_atomically(&dir.path().join("no/state"), b"", 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("no/state"));
    }
}
