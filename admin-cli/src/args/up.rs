//! `sluice up` and `sluice down`

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use crate::spell;

/// Where everything is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct HomeFlag {
    /// Where everything is kept [env: SLUICE_HOME] [default: ./.sluice where the database's
    /// user can reach it, else /var/lib/sluice for root, else ~/.local/share/sluice]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) home: Option<PathBuf>,
}

/// How everything is run.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) home: HomeFlag,
    /// Return when everything is ready; `sluice down` stops it
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Run the demo provider too, which answers without any real provider
    #[arg(long)]
    pub(crate) demo: bool,
    /// How many proxies to run, on consecutive ports
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) proxies: u16,
    /// Where the first proxy serves callers; port 0: any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) data_addr: SocketAddr,
    /// The first proxy's private port [default: the port after the last proxy's, on loopback]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) data_ops_addr: Option<SocketAddr>,
    /// Where the control plane listens; port 0: any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    pub(crate) control_addr: SocketAddr,
    /// The control plane's private port [default: the port after --control-addr, on loopback]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) control_ops_addr: Option<SocketAddr>,
    /// Where the demo provider listens [default: any free port on loopback]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", hide_default_value = true)]
    pub(crate) demo_addr: SocketAddr,
    /// The variable that holds the URL of a database to use in place of an own cluster
    #[arg(long, value_name = "VARIABLE", default_value = "DATABASE_URL")]
    pub(crate) database_url_env: String,
    /// How long begun requests may take to finish when it is stopped
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = spell::millis)]
    pub(crate) drain_timeout: u32,
    /// Show what the programs log, not only their warnings
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Marks the process that goes on in the background.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

const EXAMPLES: &str = "\
Examples:
  sluice up                                  until Ctrl-C
  OPENAI_API_KEY=… sluice up --detach        with an account at OpenAI, in the background
  sluice up --demo --proxies 3
  sluice up --home /tmp/try --data-addr 127.0.0.1:0 --control-addr 127.0.0.1:0 -o json

It starts a control plane with a PostgreSQL cluster of its own, and the proxies, and starts
again what dies. The first start makes a virtual key, which is shown once, an account for
every provider whose variable is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, …), and the context
`local`. With no such variable, the demo provider answers.

With -o json the one line on stdout is {\"data\":[…],\"control\":…,\"key\":…,
\"operator_token_file\":…,\"demo\":…,\"home\":…}.";

/// What to stop.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sluice down\n  sluice down --home /tmp/try --timeout 10s")]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) home: HomeFlag,
    /// Longest wait for the end
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = spell::millis)]
    pub(crate) timeout: u32,
}
