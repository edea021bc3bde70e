//! `sluice config …` and `sluice context …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Wait;

/// What to do with the whole catalog.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Bring about what a file describes; what is not in it stays
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(Apply),
    /// Print the catalog as a file that applies again
    #[command(after_help = "Examples:\n  sluice config export > catalog.yaml\n  \
                            sluice config export --without-keys -o json")]
    Export {
        /// Leave virtual keys out
        #[arg(long)]
        without_keys: bool,
        /// Include what ships with Sluice
        #[arg(long)]
        with_built_in: bool,
    },
    /// Say what is wrong with a file, or what it would change
    Validate {
        #[command(flatten)]
        file: ManifestFile,
        /// Only read the file; ask no server
        #[arg(long)]
        offline: bool,
    },
}

/// Examples, and what a manifest looks like.
pub(crate) const APPLY_EXAMPLES: &str = "\
Examples:
  sluice config apply -f catalog.yaml --dry-run
  sluice config apply -f catalog.yaml --wait
  sluice config export | sed s/gpt-4o/gpt-4.1/ | sluice config apply -f -

A file, YAML or JSON, looks like this; every part may be left out:

  providers:
    - {name: lab, endpoints: [{dialect: openai, base_url: 'https://llm.example/v1'}],
       model_patterns: ['lab-*']}
  accounts:
    - {name: main, provider: openai, credential_env: OPENAI_API_KEY}
    - {name: eu, provider: openai, credential_file: eu.key,
       base_urls: [{dialect: openai, url: 'https://eu.api.openai.com/v1'}]}
  models:
    - {provider: lab, name: lab-embed, operations: [embeddings], price: {input: 0.02, output: 0}}
  routes:
    - {alias: chat, tiers: [[main/gpt-4o@3, eu/gpt-4o], [main/gpt-4o-mini]]}
  teams:
    - {name: research, description: The lab}
  keys:
    - {name: intern, team: research, expires_at: 2026-01-31T00:00:00Z,
       allowed_models: ['gpt-*']}
  limits:
    - {key: intern, requests: 60, per: minute}
    - {team: research, budget: 500usd, per: month, timezone: Asia/Shanghai, warn: 80%}
    - {account: eu, model: gpt-4o, tokens: 1M, per: forever, threshold: 99%}
  settings: {max_attempts: 3, attempt_deadline_ms: 60000, hide_route: false}

All of it is one revision, or none of it. An account without credential_env and
credential_file keeps the credential it has. The text of a new key is shown once. A limit has
the fields that `sluice limit set` has as flags.";

/// A manifest's file.
#[derive(Debug, Args)]
pub(crate) struct ManifestFile {
    /// The file, YAML or JSON; `-` for stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// A manifest to bring about.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) file: ManifestFile,
    /// Only check, and say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse if the catalog is not at this revision
    #[arg(long, value_name = "NUMBER")]
    pub(crate) expected_revision: Option<u64>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// What to do with the known servers.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// List the servers
    #[command(visible_alias = "ls")]
    List,
    /// Make a server the one that is meant when none is named
    Use {
        /// Its name
        name: String,
    },
    /// Add a server, or replace the one of its name
    #[command(alias = "create")]
    #[command(
        after_help = "Examples:\n  sluice context add prod --server https://sluice.example:7070 \
                            --token-file ~/prod.token --ca ca.pem\n\nThe address, the token's file \
                            and the authority are taken from --server, --token-file and --ca."
    )]
    Add {
        /// Its name
        name: String,
        /// Make it the current one
        #[arg(long)]
        current: bool,
    },
    /// Forget a server
    #[command(visible_alias = "rm", alias = "delete")]
    Remove {
        /// Its name
        name: String,
    },
}
