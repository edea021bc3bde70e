//! `sluice provider|model|route|team|settings …`

use clap::{Args, Subcommand};
use proto::admin::v1;

use super::Wait;
use crate::spell;

/// What to do with providers.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// List providers
    #[command(visible_alias = "ls")]
    List,
    /// Show one provider
    Show(ProviderName),
    /// Add a provider, such as a server of your own
    #[command(alias = "create", after_help = PROVIDER_EXAMPLES)]
    Add(ProviderFlags),
    /// Change a provider; what is not named stays
    Update(ProviderFlags),
    /// Remove a provider that nothing refers to
    #[command(visible_alias = "rm", alias = "delete")]
    Remove(ProviderName),
}

const PROVIDER_EXAMPLES: &str = "\
Examples:
  sluice provider add lab --endpoint openai=https://llm.example/v1 --pattern 'lab-*'
  sluice provider add proxy --title 'Our proxy' --endpoint openai=https://p.example/v1 \\
         --auth header:api-key --aggregator";

/// Which provider.
#[derive(Debug, Args)]
pub(crate) struct ProviderName {
    /// The provider's name
    #[arg(value_name = "PROVIDER")]
    pub(crate) name: String,
}

/// What is known of a provider.
#[derive(Debug, Args)]
pub(crate) struct ProviderFlags {
    /// The provider's name: lowercase letters, digits, `-`, `_`, `.`
    #[arg(value_name = "PROVIDER")]
    pub(crate) name: String,
    /// Its name for people
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Where it speaks a dialect; without `=URL` every account brings its own address
    #[arg(long = "endpoint", value_name = "DIALECT[=URL]", value_parser = endpoint)]
    pub(crate) endpoints: Vec<(v1::Dialect, String)>,
    /// How its credential is shown: `bearer`, `header:NAME`, `none`, `sigv4:SERVICE[@REGION]`,
    /// `google:SCOPE` or `entra:TOKEN_URL SCOPE`
    #[arg(long, value_name = "STYLE", value_parser = spell::auth)]
    pub(crate) auth: Option<v1::AuthStyle>,
    /// In which field its chat requests take their maximum of output tokens; '' is `max_tokens`
    #[arg(long, value_name = "FIELD")]
    pub(crate) output_cap_field: Option<String>,
    /// How its endpoints differ from what their dialects usually do, such as `developer_role`;
    /// repeat or use commas, '' is not at all
    #[arg(long = "quirk", value_name = "QUIRK", value_delimiter = ',', value_parser = quirk)]
    pub(crate) quirks: Vec<String>,
    /// The variable that usually holds its credential
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) env_var: Option<String>,
    /// Which model names are its own, `*` for any run of characters; repeat or use commas
    #[arg(long = "pattern", value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) patterns: Vec<String>,
    /// Whether it only passes requests on to others' models
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) aggregator: Option<bool>,
    /// Where its API is documented
    #[arg(long, value_name = "URL")]
    pub(crate) docs_url: Option<String>,
}

fn quirk(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { spell::quirk(text) }
}

fn endpoint(text: &str) -> Result<(v1::Dialect, String), String> {
    if text.contains('=') {
        let (dialect, url) = spell::base_url(text)?;
        return dialect
            .map(|it| (it, url))
            .ok_or_else(|| format!("`{text}` is not written DIALECT[=URL]"));
    }
    Ok((spell::dialect(text)?, String::new()))
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List models
    #[command(visible_alias = "ls")]
    List {
        /// Only of this provider
        #[arg(long, value_name = "PROVIDER")]
        provider: Option<String>,
    },
    /// Show one model
    Show(ModelName),
    /// Add a model that is listed to callers
    #[command(alias = "create", after_help = MODEL_ADD_EXAMPLES)]
    Add(ModelFlags),
    /// Change a model; what is not named stays
    #[command(alias = "set", after_help = MODEL_UPDATE_EXAMPLES)]
    Update(ModelChange),
    /// Remove a model from the list
    #[command(visible_alias = "rm", alias = "delete")]
    Remove(ModelName),
}

const MODEL_ADD_EXAMPLES: &str = "\
Examples:
  sluice model add openai/gpt-5-mini --input-price 0.25 --output-price 2
  sluice model add lab/embed-1 --operations embeddings";

const MODEL_UPDATE_EXAMPLES: &str = "\
Examples:
  sluice model update openai/gpt-4o-mini --input-price 0.15 --cached-input-price 0.075 \\
         --output-price 0.6 --max-output-tokens 16384 --context-tokens 128k
  sluice model update lab/embed-1 --operations embeddings
  sluice model update lab/embed-1 --no-price                   not known again

A limit in money refuses requests to models without a price. Limits reserve a request's
maximum of output tokens, and the model's where the request says none.";

/// Which model.
#[derive(Debug, Args)]
pub(crate) struct ModelName {
    /// The model
    #[arg(value_name = "PROVIDER/MODEL")]
    pub(crate) model: String,
}

/// What is known of a model.
#[derive(Debug, Args)]
pub(crate) struct ModelFlags {
    #[command(flatten)]
    pub(crate) name: ModelName,
    /// What it can be asked: chat, embeddings, count_tokens; repeat or use commas
    #[arg(long, value_name = "OPERATION", value_delimiter = ',', default_value = "chat")]
    #[arg(value_parser = spell::operation)]
    pub(crate) operations: Vec<v1::Operation>,
    #[command(flatten)]
    pub(crate) price: PriceFlags,
}

/// Changes of a model.
#[derive(Debug, Args)]
pub(crate) struct ModelChange {
    #[command(flatten)]
    pub(crate) name: ModelName,
    /// What it can be asked: chat, embeddings, count_tokens; repeat or use commas
    #[arg(long, value_name = "OPERATION", value_delimiter = ',')]
    #[arg(value_parser = spell::operation)]
    pub(crate) operations: Vec<v1::Operation>,
    #[command(flatten)]
    pub(crate) price: PriceFlags,
    /// Its price is not known any more
    #[arg(long, conflicts_with_all = ["input_price", "cached_input_price"])]
    #[arg(conflicts_with_all = ["cache_write_price", "output_price"])]
    pub(crate) no_price: bool,
}

/// What its tokens cost, and how many it takes and gives.
#[derive(Debug, Args)]
#[command(next_help_heading = "Price, in dollars per million tokens")]
pub(crate) struct PriceFlags {
    /// Of input
    #[arg(long, value_name = "PRICE", value_parser = spell::price)]
    pub(crate) input_price: Option<u64>,
    /// Of input read from the provider's prompt cache [default: as input]
    #[arg(long, value_name = "PRICE", value_parser = spell::price)]
    pub(crate) cached_input_price: Option<u64>,
    /// Of input written to the provider's prompt cache [default: as input]
    #[arg(long, value_name = "PRICE", value_parser = spell::price)]
    pub(crate) cache_write_price: Option<u64>,
    /// Of output, reasoning included
    #[arg(long, value_name = "PRICE", value_parser = spell::price)]
    pub(crate) output_price: Option<u64>,
    /// The most output tokens that it can give to one request; 0: not known
    #[arg(long, value_name = "TOKENS", value_parser = spell::count_or_none)]
    pub(crate) max_output_tokens: Option<u64>,
    /// The most tokens that input and output of one request may have together; 0: not known
    #[arg(long, value_name = "TOKENS", value_parser = spell::count_or_none)]
    pub(crate) context_tokens: Option<u64>,
}

/// What to do with routes.
#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// Say what happens with an alias: add its route or replace it
    #[command(alias = "add", alias = "create", after_help = ROUTE_EXAMPLES)]
    Set(SetRoute),
    /// List routes
    #[command(visible_alias = "ls")]
    List,
    /// Show one route
    Show(RouteName),
    /// Serve an alias again
    Enable(RouteChange),
    /// Refuse an alias
    Disable(RouteChange),
    /// Remove a route; its alias is then looked up as any model's name
    #[command(visible_alias = "rm", alias = "delete")]
    Remove(RouteChange),
}

const ROUTE_EXAMPLES: &str = "\
Examples:
  sluice route set chat --tier main/gpt-4o
  sluice route set chat --tier main/gpt-4o@3,eu/gpt-4o@1 --tier backup/gpt-4o-mini
  sluice route set 'gpt-*' --tier azure            the model stays what the caller wrote
  sluice route set exact --tier claude --translation strict

Each --tier holds targets of equal standing, ACCOUNT[/MODEL][@WEIGHT], separated by commas;
requests are shared out by weight (1 if not said). When every target of a tier has failed,
the next --tier is asked.";

/// A route as a whole.
#[derive(Debug, Args)]
pub(crate) struct SetRoute {
    #[command(flatten)]
    pub(crate) name: RouteName,
    /// Targets of equal standing; the next --tier is asked when all of them failed
    #[arg(long = "tier", required = true, value_name = "TARGET,…", value_parser = tier)]
    pub(crate) tiers: Vec<v1::Tier>,
    /// Refuse the alias for now
    #[arg(long)]
    pub(crate) disabled: bool,
    /// Whether a request may be adapted for a provider of another dialect (lenient, which
    /// names each change in `x-sluice-adapted`), or goes only where it can be said to the
    /// letter (strict)
    #[arg(long, value_name = "HOW", default_value = "lenient")]
    #[arg(value_parser = spell::TRANSLATION.parser())]
    pub(crate) translation: v1::Translation,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

fn tier(text: &str) -> Result<v1::Tier, String> {
    let targets = text.split(',').map(|it| spell::target(it.trim()));
    Ok(v1::Tier { targets: targets.collect::<Result<_, _>>()? })
}

/// Which route.
#[derive(Debug, Args)]
pub(crate) struct RouteName {
    /// What callers write in `model`: exact, or with `*` for any run of characters
    pub(crate) alias: String,
}

/// Which route, and whether to wait.
#[derive(Debug, Args)]
pub(crate) struct RouteChange {
    #[command(flatten)]
    pub(crate) name: RouteName,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// What to do with teams.
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// Add a team
    #[command(visible_alias = "create")]
    #[command(after_help = "Examples:\n  sluice team add research --description 'The lab'")]
    Add(TeamFlags),
    /// List teams
    #[command(visible_alias = "ls")]
    List,
    /// Show one team
    Show(TeamName),
    /// Change a team
    Update(TeamFlags),
    /// Remove a team that owns no keys
    #[command(visible_alias = "rm", alias = "delete")]
    Remove(TeamName),
}

/// Which team.
#[derive(Debug, Args)]
pub(crate) struct TeamName {
    /// The team's name or id
    pub(crate) team: String,
}

/// What is known of a team.
#[derive(Debug, Args)]
pub(crate) struct TeamFlags {
    #[command(flatten)]
    pub(crate) name: TeamName,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings
    #[command(alias = "list")]
    Show,
    /// Change settings; what is not named stays
    #[command(alias = "update")]
    #[command(
        after_help = "Examples:\n  sluice settings set --max-attempts 5 --hide-route true\n  \
                          sluice settings set --fetch-addresses on"
    )]
    Set(SetSettings),
}

/// Changes of the settings.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("setting").required(true).multiple(true))]
pub(crate) struct SetSettings {
    /// Most attempts of one request, over all its targets: 1 to 20
    #[arg(long, group = "setting", value_name = "NUMBER")]
    pub(crate) max_attempts: Option<u32>,
    /// No new attempt starts later than this after the request came
    #[arg(long, group = "setting", value_name = "DURATION", value_parser = spell::millis)]
    pub(crate) attempt_deadline: Option<u32>,
    /// Whether answers go without the `x-sluice-*` headers
    #[arg(long, group = "setting", value_name = "BOOL")]
    pub(crate) hide_route: Option<bool>,
    /// What limits reserve for the output of a request that says no maximum, where the model's
    /// own is not known
    #[arg(long, group = "setting", value_name = "TOKENS", value_parser = spell::count)]
    pub(crate) default_output_tokens: Option<u64>,
    /// For how many proxies limits in availability mode set a share aside: 1 to 1000
    #[arg(long, group = "setting", value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) fallback_proxies: Option<u32>,
    /// Whether proxies fetch a picture or a file at an https address themselves, for providers
    /// that read no addresses
    #[arg(long, group = "setting", value_name = "on|off")]
    #[arg(value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) fetch_addresses: Option<bool>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}
