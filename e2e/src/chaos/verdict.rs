//! What the demo provider saw, held against what was promised.

use super::{
    BUCKET_KEY, CALENDAR, CALENDAR_KEY, CHANGING_KEY, RPM, SEATS, SEATS_KEY, STRICT, STRICT_KEY,
    TOKENS_KEY, TPM, faults::Schedule,
};
use crate::{
    demo::ledger::Entry,
    fleet::Fleet,
    judge::{Arrival, most_within, overdrawn},
};
use anyhow::Result;
use std::collections::BTreeMap;

/// Threads of a proxy that can stand between a decision and its first byte when it is stopped.
const THREADS: u64 = 2;
const MINUTE_US: u64 = 60_000_000;
/// A request that was let through at a window's end arrives a little later.
const ON_THE_WAY_MS: i64 = 1_000;

/// What came of a run.
#[derive(Debug)]
pub struct Verdict {
    /// Promises that were broken, each in words.
    pub broken: Vec<String>,
    /// Used share of the bucket, of the tokens and of the changing limit while nothing was wrong.
    pub calm: Calm,
    /// Requests that reached the upstream.
    pub served: usize,
    /// What went wrong, in order.
    pub faults: Vec<String>,
    /// What the leader itself found to be too much, in thousandths of units.
    pub over_milli: u64,
}

/// A moment by the upstream's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(u64);

/// How much of each rate was used while nothing was wrong.
#[derive(Debug, Clone, Copy)]
pub struct Calm {
    /// Of the requests per minute.
    pub requests: f64,
    /// Of the tokens per minute.
    pub tokens: f64,
}

pub(super) async fn mark(fleet: &Fleet) -> Result<Mark> {
    let entries = fleet.witness.ledger().await?;
    Ok(Mark(entries.iter().map(|it| it.arrived_us).max().unwrap_or(0)))
}

fn tokens_of(it: &Entry) -> u64 {
    it.input_tokens + it.output_tokens
}

pub(super) async fn calm(fleet: &Fleet, since: Mark) -> Result<Calm> {
    let until = mark(fleet).await?.0;
    let minutes = until.saturating_sub(since.0) as f64 / MINUTE_US as f64;
    let share = |arrivals: &[Arrival], per_minute: u64| {
        let within = arrivals.iter().filter(|it| it.at_us > since.0 && it.at_us <= until);
        within.map(|it| it.units).sum::<u64>() as f64 / (per_minute as f64 * minutes)
    };
    Ok(Calm {
        requests: share(&fleet.arrivals(BUCKET_KEY).await?, RPM),
        tokens: share(&fleet.arrivals_in(TOKENS_KEY, tokens_of).await?, TPM),
    })
}

pub(super) async fn judge(fleet: &Fleet, schedule: &Schedule, calm: Calm) -> Result<Verdict> {
    let excused = (schedule.pauses * THREADS) as f64;
    let mut broken = Vec::new();
    let mut hold = |what: &str, found: f64, most: f64| {
        if found > most + 1e-6 {
            broken.push(format!("{what}: {found:.2}, and at most {most:.2} is promised"));
        }
    };
    let bucket = fleet.arrivals(BUCKET_KEY).await?;
    hold("requests beyond the bucket", overdrawn(&bucket, RPM, RPM), excused);
    let changing = fleet.arrivals(CHANGING_KEY).await?;
    hold("requests beyond the greater of the two limits", overdrawn(&changing, RPM, RPM), excused);
    let tokens = fleet.arrivals_in(TOKENS_KEY, tokens_of).await?;
    let largest = tokens.iter().map(|it| it.units).max().unwrap_or(0) as f64;
    hold("tokens beyond the bucket", overdrawn(&tokens, TPM, TPM), excused * largest);
    let strict = fleet.arrivals(STRICT_KEY).await?;
    let most = most_within(&strict, MINUTE_US) as f64;
    hold("requests in some minute", most, STRICT as f64 + excused);
    let entries = fleet.witness.ledger().await?;
    for (minute, count) in by_minute(&entries) {
        hold(&format!("requests in minute {minute}"), count as f64, CALENDAR as f64 + excused);
    }
    let seats = SEATS + schedule.cut_off * SEATS + schedule.pauses * THREADS;
    hold("requests at the same time", most_at_once(&entries) as f64, seats as f64);
    let status = fleet.admin.limit_status().await?;
    Ok(Verdict {
        broken,
        calm,
        served: entries.len(),
        faults: schedule.log.clone(),
        over_milli: status.statuses.iter().map(|it| it.over_milli).sum(),
    })
}

/// Requests of the calendar's key in each minute, without those that may still belong to
/// the minute before.
fn by_minute(entries: &[Entry]) -> BTreeMap<i64, u64> {
    let mut minutes = BTreeMap::new();
    for it in entries.iter().filter(|it| it.model == CALENDAR_KEY) {
        if it.at_ms.rem_euclid(60_000) >= ON_THE_WAY_MS {
            *minutes.entry(it.at_ms.div_euclid(60_000)).or_insert(0) += 1;
        }
    }
    minutes
}

fn most_at_once(entries: &[Entry]) -> u64 {
    let mine = entries.iter().filter(|it| it.model == SEATS_KEY);
    // An end comes before a beginning of the same microsecond.
    let mut steps: Vec<(u64, bool)> =
        mine.flat_map(|it| [(it.arrived_us, true), (it.ended_us, false)]).collect();
    steps.sort_unstable();
    let (mut now, mut most) = (0u64, 0);
    for (_, begins) in steps {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}
