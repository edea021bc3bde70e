//! One file a noun: what is typed → calls of the admin API → an answer.

mod account;
mod completions;
mod config;
mod context;
mod down;
mod explain;
mod key;
mod limit;
mod model;
mod provider;
mod route;
mod settings;
mod status;
mod team;
mod up;
mod usage;

use proto::admin::v1;
use serde_json::json;
use tonic::Request;

use crate::{
    args::{Cli, Command, Global, Wait},
    client::Client,
    failure::{CliError, Outcome},
    output::Output,
};

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Outcome {
    let it = Session { output: Output { format: cli.global.output }, global: cli.global };
    match cli.command {
        Command::Up(args) => Box::pin(up::run(&it, args)).await,
        Command::Down(args) => down::run(&it, &args).await,
        Command::Status => status::run(&it).await,
        Command::Account(args) => account::run(&it, args).await,
        Command::Key(args) => key::run(&it, args).await,
        Command::Usage(args) => usage::run(&it, args).await,
        Command::Limit(args) => Box::pin(limit::run(&it, args)).await,
        Command::Explain(args) => explain::run(&it, args).await,
        Command::Route(args) => route::run(&it, args).await,
        Command::Provider(args) => provider::run(&it, args).await,
        Command::Model(args) => model::run(&it, args).await,
        Command::Team(args) => team::run(&it, args).await,
        Command::Settings(args) => settings::run(&it, args).await,
        Command::Config(args) => config::run(&it, args).await,
        Command::Context(args) => context::run(&it, args),
        Command::Completions { shell } => completions::run(shell),
        Command::ExitCodes => completions::exit_codes(),
    }
}

/// What every command is given.
struct Session {
    global: Global,
    output: Output,
}

impl Session {
    async fn client(&self) -> Outcome<Client> {
        Client::connect(&self.global.wanted()).await
    }

    /// Says that something is gone, and waits until it is gone everywhere.
    async fn removed(
        &self,
        client: &Client,
        what: &str,
        revision: u64,
        wait: Option<Wait>,
    ) -> Outcome {
        let text = || format!("removed {what}, revision {revision}\n");
        self.output.either(&json!({ "removed": what, "revision": revision }), text)?;
        self.applied(client, wait, revision).await
    }

    /// Waits, if that was asked for, until every connected proxy runs a revision.
    async fn applied(&self, client: &Client, wait: Option<Wait>, revision: u64) -> Outcome {
        let Some(wait) = wait.filter(|it| it.wait) else { return Ok(()) };
        let (applied, text) = await_revision(client, revision, wait.wait_timeout).await?;
        if applied {
            return self.output.done(&text);
        }
        Err(CliError::failed(text).hint("it is stored and will be applied; see `sluice status`"))
    }
}

/// Waits until every connected proxy runs a revision; says whether they do, in words.
async fn await_revision(
    client: &Client,
    revision: u64,
    timeout_ms: u32,
) -> Outcome<(bool, String)> {
    let mut request = Request::new(v1::AwaitRevisionRequest { revision, timeout_ms });
    // The server answers at its deadline; ours only guards against silence.
    let ms = u64::from(timeout_ms).saturating_add(5_000);
    request.set_timeout(std::time::Duration::from_millis(ms));
    let it = client.system().await_revision(request).await?.into_inner();
    let (applied, connected, ms) = (it.applied, it.connected, it.waited_ms);
    Ok((applied == connected, format!("applied on {applied}/{connected} proxies in {ms} ms")))
}

/// Reads every page of a list.
async fn pages<T>(
    mut page: impl AsyncFnMut(String) -> Outcome<(Vec<T>, String)>,
) -> Outcome<Vec<T>> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let (items, next) = page(token).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}

/// Items in one page of a list.
const PAGE: u32 = 1000;

/// An answer's part that the contract promises.
fn part<T>(part: Option<T>) -> Outcome<T> {
    part.ok_or_else(|| CliError::failed("the server's answer is empty: it is of another version"))
}

/// A field mask.
fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() })
}

/// Refuses an update that names nothing.
fn something(paths: &[&str]) -> Outcome {
    match paths.is_empty() {
        false => Ok(()),
        true => Err(CliError::usage("there is nothing to change").hint("see --help for the flags")),
    }
}
