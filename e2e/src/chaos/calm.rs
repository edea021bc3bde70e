//! How much of the limits is used while nothing is wrong.

use super::{BUCKET_KEY, OUTPUT, RPM, TOKENS_KEY, TPM, verdict::tokens_of};
use crate::{demo::ledger::Entry, fleet::Fleet, load::Load};
use anyhow::Result;
use std::sync::atomic::Ordering;

/// The least part of what could be used that is.
const LEAST: f64 = 0.95;

/// What clocks may drift is taken off every rate, in millionths.
const DRIFT_PPM: f64 = 500.0;

/// A moment by the upstream's clock, and what was asked until then.
#[derive(Debug)]
pub(super) struct Mark {
    at_us: u64,
    asked: Vec<(&'static str, u64)>,
}

/// How much of one rate was used.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// What was served, in the limit's units.
    pub served: u64,
    /// What the limit allows in that time.
    pub allowed: f64,
    /// What was asked for in that time, by requests that got any answer.
    pub offered: u64,
    /// What one request takes: nothing is measured more finely.
    pub grain: u64,
}

impl Share {
    /// The part of what could be served that was.
    pub fn used(&self) -> f64 {
        self.served as f64 / self.could().max(1.0)
    }

    fn could(&self) -> f64 {
        self.allowed.min(self.offered as f64)
    }

    fn is_enough(&self) -> bool {
        (self.served + self.grain) as f64 >= LEAST * self.could()
    }
}

/// How much of each rate was used.
#[derive(Debug, Clone, Copy)]
pub struct Calm {
    /// Of the requests per minute.
    pub requests: Share,
    /// Of the tokens per minute.
    pub tokens: Share,
}

impl Calm {
    /// What was wasted, in words.
    pub(super) fn wasted(&self) -> Vec<String> {
        let shares = [("requests", self.requests), ("tokens", self.tokens)];
        let wasted = shares.iter().filter(|(_, it)| !it.is_enough());
        wasted
            .map(|(what, it)| format!("only {:.3} of the {what} used: {it:?}", it.used()))
            .collect()
    }
}

pub(super) async fn mark(fleet: &Fleet, loads: &[(&'static str, Load)]) -> Result<Mark> {
    let entries = fleet.witness.ledger().await?;
    let asked = |load: &Load| {
        let tally = &load.tally;
        [&tally.good, &tally.limited, &tally.other]
            .map(|it| it.load(Ordering::Relaxed))
            .iter()
            .sum()
    };
    Ok(Mark {
        at_us: entries.iter().map(|it| it.arrived_us).max().unwrap_or(0),
        asked: loads.iter().map(|(name, load)| (*name, asked(load))).collect(),
    })
}

/// What was used between two marks.
pub(super) async fn between(fleet: &Fleet, from: &Mark, until: &Mark) -> Result<Calm> {
    let entries = fleet.witness.ledger().await?;
    let minutes = until.at_us.saturating_sub(from.at_us) as f64 / 60e6;
    let within = from.at_us + 1..=until.at_us;
    let share = |model: &str, per_minute: u64, units: fn(&Entry) -> u64, grain: u64| {
        let mine = entries.iter().filter(|it| it.model == model);
        let mine = mine.filter(|it| within.contains(&it.arrived_us));
        let asked = |mark: &Mark| mark.asked.iter().find(|it| it.0 == model).map_or(0, |it| it.1);
        Share {
            served: mine.map(units).sum(),
            allowed: per_minute as f64 * minutes / (1.0 + DRIFT_PPM / 1e6),
            offered: asked(until).saturating_sub(asked(from)) * grain,
            grain,
        }
    };
    Ok(Calm {
        requests: share(BUCKET_KEY, RPM, |_| 1, 1),
        tokens: share(TOKENS_KEY, TPM, tokens_of, OUTPUT),
    })
}
