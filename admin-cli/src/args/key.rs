//! `sluice key …`

use clap::{Args, Subcommand};

use super::Wait;

/// What to do with virtual keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; its text is shown once
    #[command(alias = "add", after_help = CREATE_EXAMPLES)]
    Create(CreateKey),
    /// List keys
    #[command(visible_alias = "ls")]
    List {
        /// Only of this team
        #[arg(long, value_name = "TEAM")]
        team: Option<String>,
    },
    /// Show one key, without its text
    Show(KeyName),
    /// Change a key; what is not named stays
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(UpdateKey),
    /// Accept a key again
    Enable(KeyChange),
    /// Refuse a key
    #[command(after_help = "Examples:\n  sluice key disable team-a --wait")]
    Disable(KeyChange),
    /// Remove a key for good; its usage stays
    #[command(visible_alias = "rm", alias = "delete")]
    Remove(KeyChange),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  sluice key create --name team-a
  sluice key create --name intern --team research --expires 30d --models 'gpt-4o-mini,claude-*'
  export SLUICE_KEY=$(sluice key create --name ci --wait -o json | jq -r .secret)";

const UPDATE_EXAMPLES: &str = "\
Examples:
  sluice key update intern --expires 90d
  sluice key update intern --expires never --models ''         no end, every model
  sluice key update intern --team ''                           of no team";

/// Which key.
#[derive(Debug, Args)]
pub(crate) struct KeyName {
    /// The key's name or id
    pub(crate) key: String,
}

/// Which key, and whether to wait.
#[derive(Debug, Args)]
pub(crate) struct KeyChange {
    #[command(flatten)]
    pub(crate) name: KeyName,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A new key.
#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// Its name: lowercase letters, digits, `-`, `_`, `.`
    #[arg(long)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) terms: Terms,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// Changes of a key.
#[derive(Debug, Args)]
pub(crate) struct UpdateKey {
    #[command(flatten)]
    pub(crate) name: KeyName,
    #[command(flatten)]
    pub(crate) terms: Terms,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// What a key is good for.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// The team that owns it
    #[arg(long, value_name = "TEAM")]
    pub(crate) team: Option<String>,
    /// When it stops working by itself: in 30d, at 2026-01-31T12:00:00Z, or never
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// What it may write in `model`, exact or with `*`; repeat or use commas; else everything
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) models: Option<Vec<String>>,
}
