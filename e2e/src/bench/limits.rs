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
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const MODEL: &str = "demo-limits";
/// How long utilisation is looked at, where a limit allows much,
const LOOK: Duration = Duration::from_secs(60);
/// and where it allows little: one request more or less is a three-hundredth then.
const LONG_LOOK: Duration = Duration::from_secs(300);
const ACQUIRES: usize = 400;
const MANY_LIMITS: usize = 1_000;
const MANY_PROXIES: usize = 8;
/// How long its work is looked at.
const BUSY: Duration = Duration::from_secs(20);
/// Requests a second meanwhile: each proxy asks of each limit every ten seconds, which is as
/// long as an unused lease is kept.
const BUSY_RATE: f64 = (MANY_LIMITS * MANY_PROXIES / 10) as f64;
/// Ticks of the processor's time in a second, as Linux tells it to programs.
const TICKS: f64 = 100.0;

/// Utilisation twice, what asking the leader costs, and what many limits cost it.
///
/// # Errors
/// When a stack fails.
pub async fn measure() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    figures.extend(
        utilisation("3 × demand, 1,200 a minute over 4 proxies", 4, (1_200, LOOK), 3.0, 0.97)
            .await?,
    );
    figures.extend(
        utilisation("1.5 × demand, 60 a minute over 8 proxies", 8, (60, LONG_LOOK), 1.5, 0.99)
            .await?,
    );
    figures.extend(acquires().await?);
    figures.extend(many().await?);
    Ok(figures)
}

/// The share of a limit that callers get while they ask for more than all of it.
async fn utilisation(
    what: &str,
    proxies: usize,
    (per_minute, look): (u64, Duration),
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
    let (before, said) = (arrivals(&stack).await?, messages(&stack).await?);
    let start = Instant::now();
    sleep(look).await;
    let after = arrivals(&stack).await?;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let said = messages(&stack).await? - said;
    drop(load);
    let served = after.len() - before.len();
    let share = served as f64 / (per_minute as f64 * minutes);
    let grain = 1.0 / (per_minute as f64 * minutes);
    Ok(vec![
        Figure {
            what: format!("used share of a limit at {what}"),
            measured: format!("{share:.3} ± {grain:.3}"),
            promised: format!("≥ {promised}"),
            // No look of this length tells more finely.
            kept: share + grain >= promised,
        },
        Figure::exactly(
            &format!("requests beyond one perfect bucket at {what}"),
            overdrawn(&after, per_minute, per_minute).ceil() as u64,
            0,
        ),
        Figure::aside(
            &format!("messages from and to the leader per served request at {what}"),
            format!("{:.2}", said / served.max(1) as f64),
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

/// How many messages about limits the leader has heard and sent.
async fn messages(stack: &Stack) -> Result<f64> {
    let text = reqwest::get(format!("{}/metrics", stack.control_ops()?)).await?.text().await?;
    let lines = text.lines().filter(|it| it.starts_with("sluice_control_limit_messages_total"));
    let numbers = lines.filter_map(|it| it.rsplit(' ').next()?.parse::<f64>().ok());
    let sum: f64 = numbers.sum();
    anyhow::ensure!(sum > 0.0, "the leader counts no messages");
    Ok(sum)
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
    // Proxies take turns with each key, so that no lease is given up meanwhile.
    let turns = keys.iter().flat_map(|key| callers.iter().map(|it| it.with_key(key)));
    let ask = Ask { model: MODEL.to_owned(), stream: false, max_tokens: None };
    let load = Load::start(turns.collect(), ask, BUSY_RATE);
    sleep(BUSY / 4).await;
    let pid = stack.control().pid();
    let good = load.tally.good.load(Ordering::Relaxed);
    let (before, said, start) = (ticks(pid)?, messages(&stack).await?, Instant::now());
    sleep(BUSY).await;
    let seconds = start.elapsed().as_secs_f64();
    let busy = (ticks(pid)? - before) / TICKS / seconds;
    let said = (messages(&stack).await? - said) / seconds;
    let served = (load.tally.good.load(Ordering::Relaxed) - good) as f64 / seconds;
    let active = stack.admin().limit_status().await?.statuses.len();
    drop(load);
    let what =
        format!("{active} active limits × {MANY_PROXIES} proxies, {served:.0} requests a second");
    Ok(vec![
        Figure::aside(
            &format!("the leader's processor at {what}"),
            format!("{:.1} % of a core", busy * 100.0),
        ),
        Figure::aside(&format!("the leader's messages a second at {what}"), format!("{said:.0}")),
    ])
}

/// What a process has used of the processor, in ticks.
fn ticks(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("a process's state")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let of = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(of(11) + of(12))
}
