//! `sluice account …`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use proto::admin::v1;

use super::Wait;
use crate::spell;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account
    #[command(alias = "create", after_help = ADD_EXAMPLES)]
    Add(Box<AddAccount>),
    /// List accounts
    #[command(visible_alias = "ls")]
    List,
    /// Show one account
    Show(AccountName),
    /// Change an account; what is not named stays
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(Box<UpdateAccount>),
    /// Let requests go to an account again
    Enable(AccountChange),
    /// Let no request go to an account
    Disable(AccountChange),
    /// Remove an account and its credential
    #[command(visible_alias = "rm", alias = "delete")]
    Remove(AccountChange),
}

const ADD_EXAMPLES: &str = "\
Examples:
  printenv OPENAI_API_KEY | sluice account add --provider openai --name main --api-key-stdin
  sluice account add --provider anthropic --name claude --api-key-env ANTHROPIC_API_KEY
  sluice account add --provider azure-openai --name eu --api-key-file azure.key \\
         --base-url https://NAME.openai.azure.com/openai/v1
  sluice account add --provider ollama --name local --base-url http://127.0.0.1:11434/v1

The credential comes from stdin, a variable or a file, never from the command line, where
everybody on the machine could read it.";

const UPDATE_EXAMPLES: &str = "\
Examples:
  sluice account update main --api-key-stdin < new.key        another credential
  sluice account update main --idle-timeout 2m --header x-org=research
  sluice account update main --no-base-url                    the provider's own address again";

/// Which account.
#[derive(Debug, Args)]
pub(crate) struct AccountName {
    /// The account's name or id
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
}

/// Which account, and whether to wait.
#[derive(Debug, Args)]
pub(crate) struct AccountChange {
    #[command(flatten)]
    pub(crate) name: AccountName,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// A new account.
#[derive(Debug, Args)]
pub(crate) struct AddAccount {
    /// Whose seat it is; `sluice provider list` shows them
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: String,
    /// Its name: lowercase letters, digits, `-`, `_`, `.` [default: the provider's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) credential: Credential,
    /// Add it, but let no request go to it yet
    #[arg(long)]
    pub(crate) disabled: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
    // Last, as its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) client: ClientFlags,
}

/// Changes of an account.
#[derive(Debug, Args)]
pub(crate) struct UpdateAccount {
    #[command(flatten)]
    pub(crate) name: AccountName,
    #[command(flatten)]
    pub(crate) credential: Credential,
    #[command(flatten)]
    pub(crate) wait: Wait,
    // Last, as its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) client: ClientFlags,
    /// Use the provider's own addresses again
    #[arg(long, conflicts_with = "base_urls")]
    pub(crate) no_base_url: bool,
    /// Send none of the added headers any more
    #[arg(long, conflicts_with = "headers")]
    pub(crate) no_header: bool,
    /// Reach the account without a proxy again
    #[arg(long, conflicts_with = "proxy_env")]
    pub(crate) no_proxy: bool,
}

/// Where the credential is.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("api-key"))]
pub(crate) struct Credential {
    /// Read the provider's credential from stdin
    #[arg(long, group = "api-key", help_heading = "Credential")]
    pub(crate) api_key_stdin: bool,
    /// Read the provider's credential from an environment variable
    #[arg(long, group = "api-key", value_name = "VARIABLE", help_heading = "Credential")]
    pub(crate) api_key_env: Option<String>,
    /// Read the provider's credential from a file
    #[arg(long, group = "api-key", value_name = "FILE", help_heading = "Credential")]
    pub(crate) api_key_file: Option<PathBuf>,
}

/// How the account is spoken to.
#[derive(Debug, Args)]
#[command(next_help_heading = "How it is reached")]
pub(crate) struct ClientFlags {
    /// An address in place of the provider's own, up to where the operation's path starts;
    /// once for each dialect
    #[arg(long = "base-url", value_name = "[DIALECT=]URL", value_parser = spell::base_url)]
    pub(crate) base_urls: Vec<(Option<v1::Dialect>, String)>,
    /// The variable that holds the URL of an http, https or socks5 proxy
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) proxy_env: Option<String>,
    /// A header sent with every request; never a secret
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = spell::pair)]
    pub(crate) headers: Vec<(String, String)>,
    /// Longest wait for a connection [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = spell::millis)]
    pub(crate) connect_timeout: Option<u32>,
    /// Longest wait for the answer's headers [default: 2m]
    #[arg(long, value_name = "DURATION", value_parser = spell::millis)]
    pub(crate) first_byte_timeout: Option<u32>,
    /// Longest silence within an answer [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = spell::millis)]
    pub(crate) idle_timeout: Option<u32>,
    /// Whether streamed OpenAI requests stay as they are, and their usage an estimate
    #[arg(long, value_name = "BOOL")]
    pub(crate) keep_stream_options: Option<bool>,
    /// Whether requests without a maximum of output tokens stay so, though a limit reserves one
    #[arg(long, value_name = "BOOL")]
    pub(crate) keep_output_open: Option<bool>,
}
