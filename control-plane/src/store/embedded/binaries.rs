//! Where Postgres's programs are, and which version they are.

use super::{EmbeddedError, user::bare};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The oldest major version that the migrations and the options work with.
const OLDEST: u32 = 14;

/// Folders that hold one folder for each version, with `bin` in it.
const VERSIONED: [&str; 4] =
    ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

/// A folder with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The named folder's, or the best on this machine: those of the major version that
    /// made the cluster, else the newest.
    pub(super) fn find(named: Option<&Path>, made_by: Option<u32>) -> Result<Self, EmbeddedError> {
        if let Some(folder) = named {
            if !has_programs(folder) {
                return Err(EmbeddedError::NoBinaries { folder: Some(folder.to_owned()) });
            }
            return Self::at(folder.to_owned());
        }
        let mut found = Vec::new();
        let mut failure = EmbeddedError::NoBinaries { folder: None };
        for folder in candidates() {
            match Self::at(folder) {
                Ok(binaries) => found.push(binaries),
                Err(error) => failure = error,
            }
        }
        found.into_iter().max_by_key(|it| (Some(it.major) == made_by, it.major)).ok_or(failure)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn at(folder: PathBuf) -> Result<Self, EmbeddedError> {
        let program = folder.join("postgres");
        let bad = |why: String| EmbeddedError::BadBinary { program: program.clone(), why };
        let output = bare(&program).arg("--version").output().map_err(|it| bad(it.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let major = parse_major(&text)
            .ok_or_else(|| bad(format!("`postgres --version` says `{}`", text.trim())))?;
        if major < OLDEST {
            return Err(bad(format!("it is PostgreSQL {major}: at least {OLDEST} is needed")));
        }
        Ok(Self { folder, major })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 18beta1`, `… 18devel`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|it: char| !it.is_ascii_digit()).unwrap_or(version.len());
    version.get(..digits)?.parse().ok()
}

fn has_programs(folder: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|it| folder.join(it).is_file())
}

fn candidates() -> Vec<PathBuf> {
    let versioned = VERSIONED.iter().filter_map(|it| fs::read_dir(it).ok()).flatten().flatten();
    let versioned = versioned.map(|it| it.path().join("bin"));
    // PATH is how the system finds programs, not a setting of ours.
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).filter_map(|it| {
        // Follows a link such as /usr/bin/postgres to where initdb is too.
        let program = fs::canonicalize(it.join("postgres")).ok()?;
        program.parent().map(Path::to_owned)
    });
    let mut folders: Vec<_> = versioned.chain(on_path).filter(|it| has_programs(it)).collect();
    folders.sort();
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn versions_are_read_as_packagers_write_them() {
        for (text, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 19devel", Some(19)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("postgres (PostgreSQL) ", None),
            ("something else", None),
        ] {
            assert_eq!(parse_major(text), major, "{text}");
        }
    }

    #[test]
    fn the_programs_are_asked_for_their_version_without_our_environment() {
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let script =
            format!("#!/bin/sh\nenv >'{}'\necho 'postgres (PostgreSQL) 15.1'\n", seen.display());
        for name in ["postgres", "initdb"] {
            let program = folder.path().join(name);
            fs::write(&program, &script).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(Binaries::find(Some(folder.path()), None).unwrap().major, 15);
        let seen = fs::read_to_string(seen).unwrap();
        // Cargo has put it into ours.
        assert!(env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert!(!seen.contains("CARGO_MANIFEST_DIR"), "{seen}");
    }

    #[test]
    fn a_named_folder_without_the_programs_is_refused_with_the_ways_out() {
        let folder = tempfile::tempdir().unwrap();
        let error = Binaries::find(Some(folder.path()), None).unwrap_err().to_string();
        assert!(error.contains("apt-get") && error.contains("DATABASE_URL"), "{error}");
    }
}
