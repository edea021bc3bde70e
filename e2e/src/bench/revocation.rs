//! How soon a disabled key is refused by every proxy, after the CLI has returned.

use super::report::{Figure, percentile};
use crate::{admin::route, caller::Caller, program, stack::Stack};
use anyhow::{Context, Result, ensure};
use futures_util::future::{join, join_all, try_join_all};
use proto::admin::v1::edit::Edit;
use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

const CHANGES: usize = 200;
const PROXIES: usize = 3;
const PROMISED: Duration = Duration::from_millis(100);

/// Disables two hundred keys one after the other, under load.
///
/// # Errors
/// When something fails that should not.
pub async fn measure() -> Result<Vec<Figure>> {
    let stack = Stack::builder().proxies(PROXIES).start().await?;
    let base_url = stack.witness().base_url();
    for name in ["even", "odd"] {
        stack.admin().add_demo_account(name, &base_url, &format!("{name}-credential")).await?;
    }
    stack.admin().apply(vec![flip(0)]).await?;
    let mut keys = Vec::new();
    for index in 0..CHANGES {
        keys.push(stack.admin().add_key(&format!("key-{index}")).await?);
    }
    stack.settled().await?;
    let (done, good, bad) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let load = join_all((0..PROXIES).map(|index| load(&stack, index, &done, &good, &bad)));
    let changes = async {
        let changes = change(&stack, &keys).await;
        done.store(true, Ordering::Relaxed);
        changes
    };
    let (_, changes) = join(load, changes).await;
    let (mut after, mut whole) = changes?;
    let mixed = mixtures(&stack).await?;
    Ok(vec![
        Figure::at_most(
            "key disable → refused on 3/3 proxies, p99 after the CLI returned",
            percentile(&mut after, 99),
            PROMISED,
        ),
        Figure::aside("the same, p50", super::report::milliseconds(percentile(&mut after, 50))),
        Figure::aside(
            "from the CLI's start to the last refusal, p99",
            super::report::milliseconds(percentile(&mut whole, 99)),
        ),
        Figure::exactly("requests dropped meanwhile", bad.load(Ordering::Relaxed), 0),
        Figure::exactly("requests answered by a mixture of revisions", mixed, 0),
        Figure::aside("requests served meanwhile", good.load(Ordering::Relaxed).to_string()),
    ])
}

/// A route whose account and model change together.
fn flip(round: usize) -> Edit {
    let name = if round.is_multiple_of(2) { "even" } else { "odd" };
    Edit::PutRoute(route("flip", &[&[(name, &format!("demo-{name}"), 1)]]))
}

async fn load(
    stack: &Stack,
    index: usize,
    done: &AtomicBool,
    good: &AtomicU64,
    bad: &AtomicU64,
) -> Result<()> {
    let caller = stack.caller_of(index)?;
    while !done.load(Ordering::Relaxed) {
        let answered = caller.chat("flip").await;
        let counter = if answered.is_ok_and(|it| it.status == 200) { good } else { bad };
        counter.fetch_add(1, Ordering::Relaxed);
        // Some load beside the measurement, not a race for the two cores with it.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Times after the CLI returned, and from its start.
async fn change(stack: &Stack, keys: &[String]) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut after, mut whole) = (Vec::new(), Vec::new());
    for (index, key) in keys.iter().enumerate() {
        let callers: Vec<Caller> =
            (0..PROXIES).map(|it| Ok(stack.caller_of(it)?.with_key(key))).collect::<Result<_>>()?;
        // Connections are open, and the key works, before it is disabled.
        for caller in &callers {
            ensure!(caller.chat("gpt-4o-mini").await?.status == 200, "key {index} does not work");
        }
        let start = Instant::now();
        cli(stack.folder(), &stack.control_url(), &["key", "disable", &format!("key-{index}")])
            .await?;
        let returned = Instant::now();
        try_join_all(callers.iter().map(refused)).await?;
        after.push(returned.elapsed());
        whole.push(start.elapsed());
        stack.admin().apply(vec![flip(index + 1)]).await?;
    }
    Ok((after, whole))
}

async fn refused(caller: &Caller) -> Result<()> {
    let start = Instant::now();
    while caller.chat("gpt-4o-mini").await?.status != 403 {
        ensure!(start.elapsed() < Duration::from_secs(10), "the key still works");
    }
    Ok(())
}

/// Runs the CLI as an operator would.
async fn cli(folder: &Path, control_url: &str, args: &[&str]) -> Result<()> {
    let token = fs::read_to_string(folder.join("home/operator.token"))?;
    let mut command = program::command("sluice")?;
    command
        .args(args)
        .env("SLUICE_CONTROL_URL", control_url)
        .env("SLUICE_OPERATOR_TOKEN", token.trim());
    command.env("SLUICE_CONFIG", folder.join("cli.toml")).stdin(Stdio::null());
    let output = tokio::process::Command::from(command).output().await.context("run the CLI")?;
    ensure!(
        output.status.success(),
        "sluice {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Requests for `flip` whose model and credential do not belong together.
async fn mixtures(stack: &Stack) -> Result<u64> {
    let entries = stack.witness().ledger().await?;
    let mut pairs = std::collections::BTreeMap::new();
    for entry in entries.iter().filter(|it| it.model == "demo-even" || it.model == "demo-odd") {
        *pairs.entry((&entry.model, &entry.credential_hash)).or_insert(0u64) += 1;
    }
    let mut by_count: Vec<u64> = pairs.into_values().collect();
    by_count.sort_unstable_by(|a, b| b.cmp(a));
    Ok(by_count.iter().skip(2).sum())
}
