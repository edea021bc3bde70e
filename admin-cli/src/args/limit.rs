//! `sluice limit …` and `sluice explain`

use clap::{Args, Subcommand};
use proto::admin::v1::{LimitMode, LimitPeriod, LimitProfile, TokenWeights};

use super::Wait;
use crate::spell;

/// What to do with limits.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitCommand {
    /// Say how much somebody may use: add limits, or replace those that count the same
    #[command(alias = "add", alias = "create", alias = "update", after_help = SET_EXAMPLES)]
    #[command(allow_negative_numbers = true)]
    Set(Box<SetLimit>),
    /// List limits
    #[command(visible_alias = "ls")]
    #[command(after_help = "Examples:\n  sluice limit list\n  sluice limit list --team research")]
    List(SubjectFlags),
    /// Show limits whole, and what can happen at worst under them
    #[command(after_help = "Examples:\n  sluice limit show --key team-a\n  \
                            sluice limit show --account free-1 -o json")]
    Show(Which),
    /// Begin limits anew, as if nothing had been used: at once on every proxy
    #[command(after_help = "Examples:\n  sluice limit reset --key team-a --wait")]
    Reset(WhichChange),
    /// Say what a limit would have refused, from recorded usage; nothing is written
    #[command(after_help = SIMULATE_EXAMPLES, allow_negative_numbers = true)]
    Simulate(Box<Simulate>),
    /// How much of each limit is used, and which proxies hold the rest
    #[command(after_help = STATUS_EXAMPLES)]
    Status(LimitStatus),
    /// Remove limits
    #[command(visible_alias = "rm", alias = "delete")]
    #[command(after_help = "Examples:\n  sluice limit remove --team research --wait\n\n\
        Of a key or an account all limits are removed, those on one of its aliases or models\n\
        too; `--key ci --alias chat` removes only those on both. An id removes one.")]
    Remove(WhichChange),
}

const SET_EXAMPLES: &str = "\
Examples:
  sluice limit set --key team-a --rpm 60 --tpm 100k --rpd 1000 --max-tokens-per-request 4000
  sluice limit set --account free-1 --tokens 1M --per month          a provider's free quota
  sluice limit set --team research --budget 500usd --timezone Asia/Shanghai --warn 80%
  sluice limit set --key ci --alias chat --rpm 10 --queue 500ms
  sluice limit set --account main --model gpt-4o --tpm 2M --weights cached=10
  sluice limit set --key team-a --rpm 30 --shadow                    only count and report

All that one command says is set together or not at all. A limit replaces the one of the same
subject that counts the same per the same time. Several limits have to agree; one in shadow
stands beside the one that is enforced, and one by the calendar beside one that is not.

Profiles: `bucket` refills steadily and starts full, so twice the amount may pass in the worst
minute; `window-strict` never lets more than the amount through in any stretch of its length;
`calendar` counts from reset to reset. Usual are `bucket` per minute and hour, `calendar` per
day, week and month. Of an account, a calendar or a grant for ever has --threshold 99% unless
another is said: from there on it is asked only when nothing else is left.";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  sluice limit simulate --since 7d --key team-a --rpm 30
  sluice limit simulate --since 30d --team research --budget 200usd --timezone Asia/Shanghai
  sluice limit simulate --id lim_0192 --requests 30                  another amount for a limit";

const STATUS_EXAMPLES: &str = "\
Examples:
  sluice limit status
  sluice limit status --watch --key team-a
  sluice limit status --leases --account free-1
  sluice limit status --watch -o json                                one line of JSON a second

USED is since the window began for calendars and grants, and since the leader began to count
for others; its percentage is how full the limit is now. LENT is what proxies hold ready.
OVER is what was let through beyond the promise: it should be 0.";

/// Whom limits count.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Who")]
pub(crate) struct SubjectFlags {
    /// A virtual key; with --alias: its use of that alias
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// All keys of a team together
    #[arg(long, value_name = "TEAM")]
    pub(crate) team: Option<String>,
    /// What callers write in `model`, whoever they are; with --key: only that key's use of it
    #[arg(long, value_name = "ALIAS")]
    pub(crate) alias: Option<String>,
    /// All accounts at a provider together
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: Option<String>,
    /// An account; with --model: its use of that model
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// A model as the provider calls it; only together with --account
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// All requests of the installation
    #[arg(long)]
    pub(crate) everything: bool,
}

/// How much.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How much (any number of them)")]
pub(crate) struct Amounts {
    /// Requests per minute
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) rpm: Option<u64>,
    /// Requests per hour
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) rph: Option<u64>,
    /// Requests per day
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) rpd: Option<u64>,
    /// Tokens per minute
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) tpm: Option<u64>,
    /// Tokens per hour
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) tph: Option<u64>,
    /// Tokens per day
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) tpd: Option<u64>,
    /// Tokens of one request, its prompt and its greatest output together
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) max_tokens_per_request: Option<u64>,
    /// Requests at the same time
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) max_in_flight: Option<u64>,
    /// Requests --per some time
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) requests: Option<u64>,
    /// Tokens --per some time
    #[arg(long, value_name = "AMOUNT", value_parser = spell::count)]
    pub(crate) tokens: Option<u64>,
    /// Money --per some time, by the prices of models, such as 500usd
    #[arg(long, value_name = "MONEY", value_parser = spell::money)]
    pub(crate) budget: Option<u64>,
    /// Per which time --requests, --tokens and --budget count [default for --budget: month]
    #[arg(long, value_name = "PERIOD", value_parser = spell::PERIOD.parser())]
    pub(crate) per: Option<LimitPeriod>,
}

/// How firmly.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How")]
pub(crate) struct TermFlags {
    /// How the period is meant: refilled steadily, never more in any stretch, or by the calendar
    #[arg(long, value_name = "PROFILE", value_parser = spell::PROFILE.parser())]
    pub(crate) profile: Option<LimitProfile>,
    /// The time zone of a calendar's days [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// When a calendar's days, weeks and months begin, such as 08:00 [default: 00:00]
    #[arg(long, value_name = "TIME", value_parser = spell::clock)]
    pub(crate) reset_at: Option<u32>,
    /// What a proxy does that cannot ask how much is left: refuse, or go on with a share that
    /// is set aside for that [default: strict]
    #[arg(long, value_name = "MODE", value_parser = spell::MODE.parser())]
    pub(crate) mode: Option<LimitMode>,
    /// Refuse nothing: only count and report
    #[arg(long)]
    pub(crate) shadow: bool,
    /// Report it as nearly used from this share on, such as 80%
    #[arg(long, value_name = "PERCENT", value_parser = spell::percent)]
    pub(crate) warn: Option<u32>,
    /// From this used share on, ask an account only when nothing else is left; `none`: never
    #[arg(long, value_name = "PERCENT", value_parser = spell::percent)]
    pub(crate) threshold: Option<u32>,
    /// Longest wait for room instead of a refusal, such as 500ms; at most 60s
    #[arg(long, value_name = "DURATION", value_parser = spell::wait)]
    pub(crate) queue: Option<u32>,
    /// What each kind of token counts, in percent: input, cached, cache-write, output
    /// [default: 100 each]
    #[arg(long, value_name = "KIND=PERCENT,…", value_parser = spell::weights)]
    pub(crate) weights: Option<TokenWeights>,
}

/// Limits to set.
#[derive(Debug, Args)]
pub(crate) struct SetLimit {
    #[command(flatten)]
    pub(crate) wait: Wait,
    // Last, as their headings hold for all that follows.
    #[command(flatten)]
    pub(crate) subject: SubjectFlags,
    #[command(flatten)]
    pub(crate) amounts: Amounts,
    #[command(flatten)]
    pub(crate) terms: TermFlags,
}

/// Which limits: some by their ids, or all of a subject.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Limits' ids, as `sluice limit list` shows them
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) subject: SubjectFlags,
}

/// Which limits, and whether to wait.
#[derive(Debug, Args)]
pub(crate) struct WhichChange {
    #[command(flatten)]
    pub(crate) wait: Wait,
    // Last, as its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) which: Which,
}

/// What to replay, and against what.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// From here: 7d ago, 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub(crate) since: String,
    /// Up to here, excluded [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// A limit that there is, with what else is said changed
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    // Last, as their headings hold for all that follows.
    #[command(flatten)]
    pub(crate) subject: SubjectFlags,
    #[command(flatten)]
    pub(crate) amounts: Amounts,
    #[command(flatten)]
    pub(crate) terms: TermFlags,
}

/// What to show of limits' use.
#[derive(Debug, Args)]
pub(crate) struct LimitStatus {
    /// Show it again and again: in place on a terminal, else line by line
    #[arg(long)]
    pub(crate) watch: bool,
    /// How often
    #[arg(long, value_name = "DURATION", default_value = "1s", requires = "watch")]
    #[arg(value_parser = spell::millis)]
    pub(crate) interval: u32,
    /// Also limits that nobody uses now
    #[arg(long)]
    pub(crate) all: bool,
    /// What each proxy holds, too
    #[arg(long)]
    pub(crate) leases: bool,
    // Last, as its heading holds for all that follows.
    #[command(flatten)]
    pub(crate) subject: SubjectFlags,
}

/// Which request.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// The request's id, as in its answer's `x-request-id`
    #[arg(value_name = "REQUEST_ID")]
    pub(crate) request: String,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  sluice explain req_01920000000000000000000000000000
  sluice explain req_01920000000000000000000000000000 -o json

Proxies keep a record of their recent requests only.";
