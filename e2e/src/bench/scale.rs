//! A large catalog: how soon a proxy has it, how soon it hears of one change, what it weighs.

use super::report::{Figure, milliseconds, percentile};
use crate::{
    admin::route,
    patience::until,
    stack::{ACCOUNT, Stack},
};
use anyhow::{Context, Result};
use proto::admin::v1::{VirtualKey, edit::Edit};
use std::{
    fs,
    time::{Duration, Instant},
};

const KEYS: usize = 100_000;
const ROUTES: usize = 1_000;
const BATCH: usize = 10_000;
const CHANGES: usize = 100;

/// Fills the catalog, then measures one proxy against it.
///
/// # Errors
/// When something fails that should not.
pub async fn measure() -> Result<Vec<Figure>> {
    let mut stack = Stack::builder().start().await?;
    let filled = fill(&stack).await?;
    stack.settled().await?;
    let deltas = deltas(&stack).await?;
    let cold = restart(&mut stack, true).await?;
    let resident_cold = resident_mib(stack.proxy(0).program().pid())?;
    let warm = restart(&mut stack, false).await?;
    let more = self::deltas(&stack).await?;
    let (mut whole, mut after): (Vec<_>, Vec<_>) = deltas.into_iter().chain(more).unzip();
    let resident = resident_mib(stack.proxy(0).program().pid())?.max(resident_cold);
    Ok(vec![
        Figure::aside("writing 100,000 keys and 1,000 routes", milliseconds(filled)),
        Figure::at_most("proxy cold start with them, nothing cached", cold, Duration::from_secs(3)),
        Figure::at_most("proxy cold start with them, from its cache", warm, Duration::from_secs(3)),
        Figure::at_most(
            "one-key change → applied, p99 after the write returned",
            percentile(&mut after, 99),
            Duration::from_millis(50),
        ),
        Figure::aside("the same, p50", milliseconds(percentile(&mut after, 50))),
        Figure::aside(
            "from the write's start to the proxy's acknowledgement, p99",
            milliseconds(percentile(&mut whole, 99)),
        ),
        Figure {
            what: "proxy memory (RSS)".to_owned(),
            measured: format!("{resident} MiB"),
            promised: "≤ 200 MiB".to_owned(),
            kept: resident <= 200,
        },
    ])
}

async fn fill(stack: &Stack) -> Result<Duration> {
    let start = Instant::now();
    let key = |it: usize| VirtualKey { name: format!("many-{it}"), ..VirtualKey::default() };
    let keys = (0..KEYS).map(|it| Edit::PutKey(key(it)));
    let routes = (0..ROUTES)
        .map(|it| Edit::PutRoute(route(&format!("route-{it}"), &[&[(ACCOUNT, "demo-a", 1)]])));
    let mut edits: Vec<Edit> = routes.chain(keys).collect();
    while !edits.is_empty() {
        let rest = edits.split_off(edits.len().min(BATCH));
        stack.admin().apply(std::mem::replace(&mut edits, rest)).await?;
    }
    Ok(start.elapsed())
}

/// From the write's start, and from its return, to the proxy's acknowledgement, for single keys.
async fn deltas(stack: &Stack) -> Result<Vec<(Duration, Duration)>> {
    let mut times = Vec::new();
    for index in 0..CHANGES {
        let start = Instant::now();
        let revision =
            stack.admin().set_key_disabled(&format!("many-{index}"), index % 2 == 0).await?;
        let written = Instant::now();
        stack.admin().applied_by(1, revision).await?;
        times.push((start.elapsed(), written.elapsed()));
    }
    Ok(times)
}

/// Kills the proxy and starts it again; from its start to the first good answer.
async fn restart(stack: &mut Stack, without_cache: bool) -> Result<Duration> {
    stack.proxy(0).program().kill();
    if without_cache {
        fs::remove_dir_all(stack.folder().join("proxy-1"))?;
    }
    let start = Instant::now();
    stack.restart_proxy(0).await?;
    let caller = stack.caller()?;
    let look = async || caller.chat("route-7").await.ok().filter(|it| it.status == 200);
    until("the proxy serves", look).await?;
    Ok(start.elapsed())
}

/// The memory that a process has in use, in MiB.
fn resident_mib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib.div_ceil(1024))
}
