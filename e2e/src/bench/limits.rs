//! What limits cost, and how much of them is really given out.

use super::report::{Figure, milliseconds, percentile};
use crate::{
    admin::limits::rpm,
    caller::Caller,
    judge::overdrawn,
    load::{Ask, Load},
    stack::{KEY, Stack},
};
use anyhow::{Context, Result};
use futures_util::future::join_all;
use proto::admin::v1::{VirtualKey, edit::Edit};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const MODEL: &str = "demo-limits";
/// How long utilisation is looked at.
const LOOK: Duration = Duration::from_secs(60);
const ACQUIRES: usize = 400;
const MANY_LIMITS: usize = 1_000;
const MANY_PROXIES: usize = 8;
/// Shorter than an unused lease is kept.
const BUSY: Duration = Duration::from_secs(6);
/// Ticks of the processor's time in a second, as Linux tells it to programs.
const TICKS: f64 = 100.0;

/// Utilisation twice, what asking the leader costs, and what many limits cost it.
///
/// # Errors
/// When a stack fails.
pub async fn measure() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    figures.extend(
        utilisation("3 × demand, 1,200 a minute over 4 proxies", 4, 1_200, 3.0, 0.97).await?,
    );
    figures
        .extend(utilisation("1.5 × demand, 60 a minute over 8 proxies", 8, 60, 1.5, 0.99).await?);
    figures.extend(acquires().await?);
    figures.extend(many().await?);
    Ok(figures)
}

/// The share of a limit that callers get while they ask for more than all of it.
async fn utilisation(
    what: &str,
    proxies: usize,
    per_minute: u64,
    factor: f64,
    promised: f64,
) -> Result<Vec<Figure>> {
    let stack = Stack::builder().proxies(proxies).start().await?;
    stack.admin().set_limits(vec![rpm(KEY, per_minute)]).await?;
    stack.settled().await?;
    let callers: Vec<Caller> = (0..proxies).map(|it| stack.caller_of(it)).collect::<Result<_>>()?;
    drain(&callers).await;
    let ask = Ask { model: MODEL.to_owned(), stream: false, max_tokens: None };
    let load = Load::start(callers, ask, per_minute as f64 * factor / 60.0);
    sleep(LOOK / 6).await;
    let before = arrivals(&stack).await?;
    let start = Instant::now();
    sleep(LOOK).await;
    let after = arrivals(&stack).await?;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    drop(load);
    let share = (after.len() - before.len()) as f64 / (per_minute as f64 * minutes);
    let asked = answers(&stack).await? / stack.witness().ledger().await?.len().max(1) as f64;
    Ok(vec![
        Figure {
            what: format!("used share of a limit at {what}"),
            measured: format!("{share:.3}"),
            promised: format!("≥ {promised}"),
            kept: share >= promised,
        },
        Figure::exactly(
            &format!("requests beyond one perfect bucket at {what}"),
            overdrawn(&after, per_minute, per_minute).ceil() as u64,
            0,
        ),
        Figure::aside(
            &format!("the leader's answers per served request at {what}"),
            format!("{asked:.2}"),
        ),
    ])
}

async fn arrivals(stack: &Stack) -> Result<Vec<crate::judge::Arrival>> {
    let entries = stack.witness().ledger().await?;
    Ok(entries.iter().map(|it| crate::judge::Arrival { at_us: it.arrived_us, units: 1 }).collect())
}

async fn drain(callers: &[Caller]) {
    join_all(callers.iter().map(async |caller| {
        let mut refused = 0;
        while refused < 10 {
            let good = caller.chat(MODEL).await.is_ok_and(|it| it.status == 200);
            refused = if good { 0 } else { refused + 1 };
        }
    }))
    .await;
}

/// How many answers about a limit the leader has sent.
async fn answers(stack: &Stack) -> Result<f64> {
    let text = reqwest::get(format!("{}/metrics", stack.control_ops()?)).await?.text().await?;
    let line = text.lines().find(|it| it.starts_with("sluice_control_limit_grants_total"));
    let number =
        line.and_then(|it| it.rsplit(' ').next()).context("the leader counts its answers")?;
    Ok(number.parse()?)
}

/// Requests that have to ask the leader, beside the same of a key without a limit.
async fn acquires() -> Result<Vec<Figure>> {
    let stack = Stack::builder().start().await?;
    let keys = limited_keys(&stack, ACQUIRES, 6_000).await?;
    let caller = stack.caller()?;
    let (mut asking, mut holding) = (Vec::new(), Vec::new());
    for key in &keys {
        for (times, caller) in [(&mut asking, caller.with_key(key)), (&mut holding, caller.clone())]
        {
            let start = Instant::now();
            let answer = caller.chat(MODEL).await?;
            anyhow::ensure!(answer.status == 200, "{}", answer.text());
            times.push(start.elapsed());
        }
    }
    let added = |asking: &mut Vec<Duration>, holding: &mut Vec<Duration>, percent| {
        percentile(asking, percent).saturating_sub(percentile(holding, percent))
    };
    let p50 = added(&mut asking, &mut holding, 50);
    let p99 = added(&mut asking, &mut holding, 99);
    Ok(vec![
        Figure::aside("asking the leader adds to a request, p50", milliseconds(p50)),
        Figure::at_most("asking the leader adds to a request, p99", p99, Duration::from_millis(50)),
    ])
}

async fn limited_keys(stack: &Stack, count: usize, per_minute: u64) -> Result<Vec<String>> {
    let name = |it: usize| format!("limited-{it}");
    let key = |it| VirtualKey { name: name(it), ..VirtualKey::default() };
    let made = stack.admin().apply((0..count).map(|it| Edit::PutKey(key(it))).collect()).await?;
    let limits = (0..count).map(|it| rpm(&name(it), per_minute)).collect();
    stack.admin().set_limits(limits).await?;
    stack.settled().await?;
    Ok(made.created_keys.into_iter().map(|it| it.secret).collect())
}

/// The leader's work with a thousand limits that eight proxies use.
async fn many() -> Result<Vec<Figure>> {
    let mut stack = Stack::builder().proxies(MANY_PROXIES).start().await?;
    let keys = limited_keys(&stack, MANY_LIMITS, 60_000).await?;
    let callers: Vec<Caller> =
        (0..MANY_PROXIES).map(|it| stack.caller_of(it)).collect::<Result<_>>()?;
    // Each key at each proxy once: from then on all of them are renewed.
    for keys in keys.chunks(100) {
        join_all(callers.iter().map(async |caller| {
            for key in keys {
                let _ = caller.with_key(key).chat(MODEL).await;
            }
        }))
        .await;
    }
    let active = stack.admin().limit_status().await?.statuses.len();
    let pid = stack.control().pid();
    let (before, start) = (ticks(pid)?, Instant::now());
    sleep(BUSY).await;
    let busy = (ticks(pid)? - before) / TICKS / start.elapsed().as_secs_f64();
    Ok(vec![Figure::aside(
        &format!("the leader's processor for {active} active limits × {MANY_PROXIES} proxies"),
        format!("{:.1} % of a core", busy * 100.0),
    )])
}

/// What a process has used of the processor, in ticks.
fn ticks(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("a process's state")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let of = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(of(11) + of(12))
}
