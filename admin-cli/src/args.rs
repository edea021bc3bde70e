//! What can be typed: commands, flags, and the words of `--help`.
//!
//! Understands the command line and nothing else; what is done with it is in `commands`.

pub(crate) mod account;
pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod key;
pub(crate) mod limit;
pub(crate) mod up;
pub(crate) mod usage;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{client::Wanted, output::Format};

const AFTER_HELP: &str = "\
Examples:
  sluice up                                             run everything on this machine
  sluice account add --provider openai --name main --api-key-env OPENAI_API_KEY
  sluice key create --name team-a
  sluice limit set --key team-a --rpm 60 --budget 500usd
  sluice usage --by key,model --since 24h
  sluice status -o json

Exit codes: 0 done, 1 failed, 2 not understood, 3 not found, 4 refused, 5 not reached or not
let in. `sluice help exit-codes` says more.";

/// Operates Sluice, a gateway to LLM providers.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// How the answer is printed
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// The server to speak to, by the name it has in `sluice context list`
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "server")]
    context: Option<String>,
    /// The control plane's URL [env: SLUICE_CONTROL_URL]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The file that holds the operator's token [env: SLUICE_OPERATOR_TOKEN holds the token]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the authority that vouches for an https server; else the public ones
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Global {
    /// Which server is meant.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            context: self.context.clone(),
            server: self.server.clone(),
            token_file: self.token_file.clone(),
            ca: self.ca.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: database, control plane, proxies
    Up(up::Up),
    /// Stop what `sluice up` runs
    Down(up::Down),
    /// How the control plane and every proxy are doing
    #[command(after_help = "Examples:\n  sluice status\n  sluice status -o json")]
    Status,
    /// Credentialed seats at providers
    #[command(subcommand, alias = "accounts", visible_alias = "upstream", after_help = ACCOUNT)]
    Account(account::AccountCommand),
    /// Virtual keys: what callers authenticate with
    #[command(subcommand, alias = "keys", visible_alias = "apikey", after_help = KEY)]
    Key(key::KeyCommand),
    /// Who used what
    Usage(usage::Usage),
    /// Limits: who may use how much, over all proxies together
    #[command(subcommand, alias = "limits", after_help = LIMIT)]
    Limit(limit::LimitCommand),
    /// How one recent request was decided: its limits and its targets
    Explain(limit::Explain),
    /// Aliases, and the accounts and models that serve them
    #[command(subcommand, alias = "routes", after_help = ROUTE)]
    Route(catalog::RouteCommand),
    /// Companies behind models, built in and added
    #[command(subcommand, alias = "providers", after_help = PROVIDER)]
    Provider(catalog::ProviderCommand),
    /// Models that are listed to callers
    #[command(subcommand, alias = "models", after_help = MODEL)]
    Model(catalog::ModelCommand),
    /// Owners of virtual keys
    #[command(subcommand, alias = "teams", after_help = TEAM)]
    Team(catalog::TeamCommand),
    /// Settings that every proxy follows
    #[command(subcommand, after_help = SETTINGS)]
    Settings(catalog::SettingsCommand),
    /// The whole catalog as a file
    #[command(subcommand, after_help = CONFIG)]
    Config(config::ConfigCommand),
    /// The servers that this sluice knows
    #[command(subcommand, alias = "contexts", after_help = CONTEXT)]
    Context(config::ContextCommand),
    /// Print a completion script for a shell
    #[command(after_help = "Examples:\n  source <(sluice completions bash)\n  \
                            sluice completions zsh > ~/.zfunc/_sluice\n  \
                            sluice completions fish > ~/.config/fish/completions/sluice.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// What the exit codes mean
    #[command(after_help = EXIT_CODES)]
    ExitCodes,
}

const ACCOUNT: &str = "\
Examples:
  sluice account list
  sluice account add --provider openai --name main --api-key-env OPENAI_API_KEY
  sluice account disable main --wait
  sluice account show main -o json";

const KEY: &str = "\
Examples:
  sluice key create --name team-a
  sluice key list --team research
  sluice key disable team-a --wait";

const LIMIT: &str = "\
Examples:
  sluice limit set --key team-a --rpm 60 --tpm 100k
  sluice limit set --team research --budget 500usd
  sluice limit status --watch
  sluice limit reset --key team-a --wait";

const ROUTE: &str = "\
Examples:
  sluice route set chat --tier main/gpt-4o --tier backup/gpt-4o-mini
  sluice route show chat
  sluice route remove chat";

const PROVIDER: &str = "\
Examples:
  sluice provider list
  sluice provider add lab --endpoint openai=https://llm.example/v1 --pattern 'lab-*'
  sluice provider update lab --pattern 'lab-*,exp-*'";

const MODEL: &str = "\
Examples:
  sluice model list --provider openai
  sluice model add lab/embed-1 --operations embeddings
  sluice model update openai/gpt-4o-mini --input-price 0.15 --output-price 0.6";

const TEAM: &str = "\
Examples:
  sluice team add research --description 'The lab'
  sluice team update research --description 'Both labs'
  sluice team list";

const SETTINGS: &str = "\
Examples:
  sluice settings show
  sluice settings set --max-attempts 5";

const CONFIG: &str = "\
Examples:
  sluice config export > catalog.yaml
  sluice config validate -f catalog.yaml
  sluice config apply -f catalog.yaml --wait";

const CONTEXT: &str = "\
Examples:
  sluice context list
  sluice context add prod --server https://sluice.example:7070 --token-file prod.token
  sluice context use prod";

/// What the exit codes mean.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the server or this machine broke something, or it was not finished in time
  2  not understood: a flag, a file or a variable; nothing was sent
  3  not found: what was named does not exist
  4  refused: wrong input, a name that is taken, something that is still in use, somebody else
     was faster; nothing was changed
  5  not reached or not let in: no server, no answer in time, a wrong token";

/// Waiting for proxies.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Wait {
    /// Return only when every connected proxy runs the change
    #[arg(long)]
    pub(crate) wait: bool,
    /// Longest wait
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "wait")]
    #[arg(value_parser = crate::spell::millis)]
    pub(crate) wait_timeout: u32,
}

#[cfg(test)]
mod tests;
