//! Where everything is kept, and why there.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rustix::{fs::Access, process::geteuid};

use crate::{
    env,
    failure::{CliError, Outcome},
};

/// Why the home is where it is, when it was named on the command line.
pub(crate) const HOME_FLAG: &str = "--home";

/// The home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// Why it is this one, for people.
    pub(crate) because: &'static str,
}

impl Home {
    /// The flag, else SLUICE_HOME, else `./.sluice` where the database's user can reach
    /// it, else the system's place.
    pub(crate) fn choose(flag: Option<&Path>) -> Outcome<Self> {
        let here = std::env::current_dir().context("find the current folder")?;
        let home = choose(&Surroundings {
            flag: flag.map(Path::to_owned),
            var: env::path("SLUICE_HOME"),
            here,
            is_root: geteuid().is_root(),
            user_data: env::user_data(),
            writable,
            passable,
        });
        home.ok_or_else(|| {
            CliError::usage("there is no place for the home folder").hint("give one with --home")
        })
    }
}

struct Surroundings {
    flag: Option<PathBuf>,
    var: Option<PathBuf>,
    here: PathBuf,
    is_root: bool,
    user_data: Option<PathBuf>,
    writable: fn(&Path) -> bool,
    passable: fn(&Path) -> bool,
}

fn choose(around: &Surroundings) -> Option<Home> {
    let home = |path: PathBuf, because| Some(Home { path: around.here.join(path), because });
    if let Some(path) = &around.flag {
        return home(path.clone(), HOME_FLAG);
    }
    if let Some(path) = &around.var {
        return home(path.clone(), "SLUICE_HOME");
    }
    let local = around.here.join(".sluice");
    // Root's database runs as another user, who must get there as well.
    if (around.writable)(&local) && (!around.is_root || (around.passable)(&local)) {
        return home(local, ".sluice in the current folder");
    }
    if around.is_root {
        return home(
            "/var/lib/sluice".into(),
            "the database's user cannot reach the current folder",
        );
    }
    home(around.user_data.clone()?.join("sluice"), "the current folder is not writable")
}

/// Whether we can make or use a folder there.
fn writable(path: &Path) -> bool {
    let nearest = path.ancestors().find(|it| it.is_dir());
    nearest.is_some_and(|it| rustix::fs::access(it, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// Whether a user who is nobody special can pass through every folder on the way.
fn passable(path: &Path) -> bool {
    let open = |it: &Path| fs::metadata(it).is_ok_and(|it| it.mode() & 0o001 != 0);
    path.ancestors().filter(|it| it.is_dir()).all(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn check(change: impl FnOnce(&mut Surroundings), path: &str) {
        let mut around = Surroundings {
            flag: None,
            var: None,
            here: "/here".into(),
            is_root: false,
            user_data: Some("/home/u/.local/share".into()),
            writable: |_| true,
            passable: |_| false,
        };
        change(&mut around);
        assert_eq!(choose(&around).map(|it| it.path), Some(path.into()));
    }

    #[test]
    fn the_nearest_word_decides() {
        check(|_| (), "/here/.sluice");
        check(|it| it.var = Some("/srv/s".into()), "/srv/s");
        check(|it| (it.flag, it.var) = (Some("h".into()), Some("/srv/s".into())), "/here/h");
        check(|it| it.writable = |_| false, "/home/u/.local/share/sluice");
        check(|it| it.is_root = true, "/var/lib/sluice");
        check(|it| (it.is_root, it.passable) = (true, it.writable), "/here/.sluice");
    }

    #[test]
    fn a_folder_that_others_cannot_pass_is_no_place_for_roots_database() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let home = inner.join(".sluice");
        assert!(writable(&home) && !passable(&home));
    }
}
