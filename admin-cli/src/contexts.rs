//! The servers that this user knows, in one TOML file; where tokens lie, never tokens.
//!
//! ```toml
//! current = "local"
//! [contexts.local]
//! server = "http://127.0.0.1:7070"
//! token_file = "/var/lib/sluice/operator.token"
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

use crate::{
    env,
    failure::{CliError, Kind, Outcome},
};

/// One server, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// The control plane's URL.
    pub(crate) server: String,
    /// The file that holds the operator's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    /// A PEM file with the authorities that may vouch for an https server; without it,
    /// the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// Which one is meant when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// Every one, by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Server>,
}

impl Contexts {
    /// The one of this name.
    pub(crate) fn named(&self, name: &str) -> Outcome<&Server> {
        self.contexts.get(name).ok_or_else(|| {
            CliError::new(Kind::NotFound, format!("there is no context `{name}`"))
                .hint("`sluice context list` shows those there are")
        })
    }

    /// The one that is meant when none is named.
    pub(crate) fn current(&self) -> Option<&Server> {
        self.contexts.get(self.current.as_deref()?)
    }
}

/// Reads the file; without one there is nothing in it.
pub(crate) fn load() -> Outcome<Contexts> {
    match env::config_file() {
        Some(path) => read(&path),
        None => Ok(Contexts::default()),
    }
}

/// Changes the file; two that do so at once take turns.
pub(crate) fn change<T>(edit: impl FnOnce(&mut Contexts) -> Outcome<T>) -> Outcome<T> {
    let path = env::config_file().ok_or_else(|| {
        CliError::usage("there is no place for the contexts: neither SLUICE_CONFIG nor HOME is set")
    })?;
    let path = std::path::absolute(&path).with_context(|| path.display().to_string())?;
    let folder = path.parent().ok_or_else(|| anyhow!("{} has no folder", path.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let lock = path.with_extension("lock");
    let turn = File::create(&lock).with_context(|| format!("create {}", lock.display()))?;
    turn.lock().with_context(|| format!("lock {}", lock.display()))?;
    let mut contexts = read(&path)?;
    let before = contexts.clone();
    let answer = edit(&mut contexts)?;
    if contexts != before {
        let text = toml::to_string(&contexts).context("write TOML")?;
        runtime::files::write_atomically(&path, text.as_bytes(), 0o600)
            .context("write the contexts")?;
    }
    Ok(answer)
}

fn read(path: &Path) -> Outcome<Contexts> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| {
            let text = error.to_string();
            CliError::usage(format!("{} is not understood:\n{}", path.display(), text.trim_end()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contexts::default()),
        Err(error) => Err(CliError::failed(format!("read {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_round_trips_and_unknown_fields_are_refused() {
        let text = "current = \"local\"\n\n[contexts.local]\nserver = \"http://127.0.0.1:7070\"\n\
                    token_file = \"/t\"\n";
        let contexts: Contexts = toml::from_str(text).unwrap();
        assert_eq!(contexts.current().unwrap().server, "http://127.0.0.1:7070");
        assert_eq!(toml::to_string(&contexts).unwrap(), text);
        assert!(toml::from_str::<Contexts>("[contexts.a]\nserver = \"x\"\ntoken = \"y\"").is_err());
    }

    #[test]
    fn a_current_one_that_is_gone_is_none() {
        let contexts = Contexts { current: Some("x".into()), ..Contexts::default() };
        assert!(contexts.current().is_none());
        assert_eq!(contexts.named("x").unwrap_err().kind, Kind::NotFound);
    }
}
