//! The environment: the only place that reads it.

use std::{ffi::OsString, io::IsTerminal as _, path::PathBuf};

/// A variable as text; an empty one counts as not set, as does one that is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place; this program has no settings file")]
pub(crate) fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}

/// A variable as a path; an empty one counts as not set.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|it: &OsString| !it.is_empty()).map(PathBuf::from)
}

/// Whether colours are welcome on stdout.
pub(crate) fn colour_on_stdout() -> bool {
    colours_wanted() && std::io::stdout().is_terminal()
}

/// Whether colours are welcome on stderr.
pub(crate) fn colour_on_stderr() -> bool {
    colours_wanted() && std::io::stderr().is_terminal()
}

fn colours_wanted() -> bool {
    var("NO_COLOR").is_none() && var("TERM").as_deref() != Some("dumb")
}

/// Where this user's configuration of this program lies.
pub(crate) fn config_file() -> Option<PathBuf> {
    path("SLUICE_CONFIG").or_else(|| {
        let base = path("XDG_CONFIG_HOME").or_else(|| Some(path("HOME")?.join(".config")))?;
        Some(base.join("sluice/config.toml"))
    })
}

/// Where this user's data lies.
pub(crate) fn user_data() -> Option<PathBuf> {
    path("XDG_DATA_HOME").or_else(|| Some(path("HOME")?.join(".local/share")))
}
