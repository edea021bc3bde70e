//! `sluice usage …`

use clap::{Args, Subcommand, ValueEnum};
use proto::admin::v1::UsageDimension;

/// What is asked about usage.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = false, after_help = EXAMPLES)]
pub(crate) struct Usage {
    #[command(subcommand)]
    pub(crate) command: Option<UsageCommand>,
    /// What to tell apart by; repeat or use commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "DIMENSION")]
    pub(crate) by: Vec<By>,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

const EXAMPLES: &str = "\
Examples:
  sluice usage                                    everything of the last 24 hours
  sluice usage --by key,model --since 7d
  sluice usage --by account --since 2026-01-01 --until 2026-02-01 -o json
  sluice usage list --key team-a --limit 20       single requests, the newest first

Input holds cached input and cache writes, output holds reasoning: they are parts, not
additions.";

/// Other views of usage.
#[derive(Debug, Subcommand)]
pub(crate) enum UsageCommand {
    /// List single requests, the newest first
    #[command(visible_alias = "ls")]
    List {
        /// Most requests to list
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
    },
}

/// Which usage.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// From here: 24h ago, 2026-01-31, 2026-01-31T12:00:00Z, or `all`
    #[arg(long, value_name = "TIME", default_value = "24h", global = true)]
    pub(crate) since: String,
    /// Up to here, excluded [default: now]
    #[arg(long, value_name = "TIME", global = true)]
    pub(crate) until: Option<String>,
    /// Only of this key
    #[arg(long, value_name = "KEY", global = true)]
    pub(crate) key: Option<String>,
    /// Only of this team
    #[arg(long, value_name = "TEAM", global = true)]
    pub(crate) team: Option<String>,
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT", global = true)]
    pub(crate) account: Option<String>,
    /// Only of this model, as the provider calls it
    #[arg(long, value_name = "MODEL", global = true)]
    pub(crate) model: Option<String>,
}

/// What usage can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Key,
    Model,
    Account,
    Team,
    Alias,
    Provider,
}

impl By {
    /// Its number on the wire.
    pub(crate) const fn wire(self) -> UsageDimension {
        match self {
            Self::Key => UsageDimension::Key,
            Self::Model => UsageDimension::Model,
            Self::Account => UsageDimension::Account,
            Self::Team => UsageDimension::Team,
            Self::Alias => UsageDimension::Alias,
            Self::Provider => UsageDimension::Provider,
        }
    }

    /// Its name in answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::Account => "account",
            Self::Team => "team",
            Self::Alias => "alias",
            Self::Provider => "provider",
        }
    }
}
