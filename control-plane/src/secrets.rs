//! The secrets that the control plane is started with, or makes on its first start.
//!
//! Knows files of the home folder. They are made with mode 0600 and refused with
//! any other that lets somebody else read them.

use crate::{
    config::Config,
    vault::{MasterKey, VaultError},
};
use domain::{
    key::{KeyKind, MalformedKey, check_form, mint},
    secret::Secret,
};
use std::{io, path::Path};
use zeroize::Zeroizing;

/// Why the secrets cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// A file cannot be read or made; the text names it.
    #[error(transparent)]
    File(#[from] io::Error),
    /// A file holds something else.
    #[error("{file} in the home folder is {why}")]
    Malformed {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        why: MalformedKey,
    },
    /// The master key is unusable.
    #[error("master key: {0}")]
    MasterKey(#[from] VaultError),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoEntropy,
}

/// What opens the vault and the doors.
pub(crate) struct Secrets {
    pub(crate) master_key: MasterKey,
    pub(crate) operator_token: Secret,
    pub(crate) node_token: Secret,
}

/// The secrets that `config` gives, and for the others those of the home folder.
///
/// # Errors
/// When a file cannot be read or made, is open to others, or holds something else.
pub(crate) fn gather(config: &Config) -> Result<Secrets, SecretsError> {
    let home = &config.home;
    let master_key = match &config.master_key {
        Some(given) => MasterKey::from_base64(given.expose())?,
        None => master_key(&home.join("master.key"))?,
    };
    let operator_token = match &config.operator_token {
        Some(given) => given.clone(),
        None => token(home, "operator.token", KeyKind::Operator)?,
    };
    let node_token = match &config.node_token {
        Some(given) => given.clone(),
        None => token(home, "node.token", KeyKind::Proxy)?,
    };
    Ok(Secrets { master_key, operator_token, node_token })
}

fn master_key(path: &Path) -> Result<MasterKey, SecretsError> {
    let fresh = MasterKey::generate()?.to_base64();
    let (text, made) = runtime::files::read_or_create_secret(path, || fresh.expose().to_owned())?;
    if made {
        tracing::info!(path = %path.display(), "made a master key: without it, stored credentials are lost");
    }
    Ok(MasterKey::from_base64(&Zeroizing::new(text))?)
}

fn token(home: &Path, file: &'static str, kind: KeyKind) -> Result<Secret, SecretsError> {
    let mut entropy = Zeroizing::new([0; 32]);
    getrandom::fill(entropy.as_mut_slice()).map_err(|_| SecretsError::NoEntropy)?;
    let fresh = mint(kind, &entropy);
    let path = home.join(file);
    let (text, made) = runtime::files::read_or_create_secret(&path, || fresh.expose().to_owned())?;
    if made {
        tracing::info!(path = %path.display(), "made a token");
    }
    let token = Secret::new(text);
    check_form(kind, token.expose()).map_err(|why| SecretsError::Malformed { file, why })?;
    Ok(token)
}
