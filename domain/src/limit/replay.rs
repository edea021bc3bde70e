//! What a limit would have done to requests of the past.
//!
//! Replays recorded requests against one perfect central bucket, window or set of seats:
//! what leases can at best come to. What a request used is taken at its beginning, for
//! what was once estimated is not recorded. Nothing is looked up: whoever replays says
//! which window of the calendar a moment belongs to.

use super::{
    budget::message::WindowId,
    supply::{MILLI, Supply, take_milli},
};
use crate::{
    catalog::{Limit, Measure, Rule},
    id::KeyId,
    time::Timestamp,
    tokens::Tokens,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// One request of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it lasted, in milliseconds.
    pub duration_ms: u64,
    /// What it used.
    pub tokens: Tokens,
    /// What it cost, in nano-dollars.
    pub cost_nanousd: u64,
    /// Who asked.
    pub key: KeyId,
}

/// What became of some requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Let through.
    pub admitted: u64,
    /// Refused.
    pub refused: u64,
    /// When the first of them was refused.
    pub first_refused: Option<Timestamp>,
}

impl Tally {
    fn count(&mut self, at: Timestamp, admitted: bool) {
        match admitted {
            true => self.admitted = self.admitted.saturating_add(1),
            false => {
                self.refused = self.refused.saturating_add(1);
                self.first_refused.get_or_insert(at);
            }
        }
    }
}

/// A limit at work on the past. It is fed with requests in the order in which they began;
/// one that is out of order counts as if it had begun with the one before.
#[derive(Debug)]
pub struct Replay<W> {
    store: Store,
    measure: Option<Measure>,
    window_of: W,
    last: Option<Timestamp>,
    all: Tally,
    keys: BTreeMap<KeyId, Tally>,
}

/// What is left at some moment.
#[derive(Debug)]
enum Store {
    /// In 10⁻¹² of a unit, so that a rate of 10⁻⁹ per second is whole in each millisecond.
    Bucket { rate_nano: u64, full: u128, level: u128 },
    /// In thousandths; `rolls`: it is filled again in another window.
    Window { rolls: bool, total_milli: u64, open: Option<WindowId>, left_milli: u64 },
    /// Ends of what runs, in milliseconds since the Unix epoch.
    Seats { most: u64, ends: BinaryHeap<Reverse<i64>> },
    /// Tokens that one request may have.
    Size { most: u64 },
}

/// 10⁻¹² of a unit in a thousandth of it.
const FINE: u128 = 1_000_000_000;

impl<W: FnMut(Timestamp) -> WindowId> Replay<W> {
    /// A limit that nothing was taken from yet. `window_of` is asked only for limits of the
    /// calendar: to which window a moment belongs.
    pub fn new(limit: &Limit, window_of: W) -> Self {
        let store = match Supply::of(limit) {
            Some(Supply::Flow { rate_nano, burst_milli }) => {
                let full = u128::from(burst_milli).saturating_mul(FINE);
                Store::Bucket { rate_nano, full, level: full }
            }
            Some(Supply::Window { total_milli }) => Store::Window {
                rolls: matches!(*limit.rule, Rule::Calendar { .. }),
                total_milli,
                open: None,
                left_milli: total_milli,
            },
            Some(Supply::Seats { total_milli }) => {
                Store::Seats { most: total_milli.div_euclid(MILLI), ends: BinaryHeap::new() }
            }
            None => Store::Size { most: limit.rule.amount().get() },
        };
        let (all, keys) = (Tally::default(), BTreeMap::new());
        Self { store, measure: limit.rule.measure(), window_of, last: None, all, keys }
    }

    /// One request more. Says whether it would have been let through.
    pub fn feed(&mut self, record: &Record) -> bool {
        let at = self.last.map_or(record.started_at, |last| last.max(record.started_at));
        let passed_ms = self.last.map_or(0, |last| at.unix_ms().abs_diff(last.unix_ms()));
        self.last = Some(at);
        let take = self
            .measure
            .map_or(MILLI, |measure| take_milli(measure, record.tokens, record.cost_nanousd));
        let admitted = match &mut self.store {
            Store::Bucket { rate_nano, full, level } => {
                let refill = u128::from(*rate_nano).saturating_mul(passed_ms.into());
                *level = level.saturating_add(refill).min(*full);
                take_of(level, u128::from(take).saturating_mul(FINE))
            }
            Store::Window { rolls, total_milli, open, left_milli } => {
                // A grant has one window, which does not end.
                let window = rolls.then(|| (self.window_of)(at));
                if *open != window {
                    (*open, *left_milli) = (window, *total_milli);
                }
                take_of(left_milli, take)
            }
            Store::Seats { most, ends } => {
                while ends.peek().is_some_and(|Reverse(end)| *end <= at.unix_ms()) {
                    ends.pop();
                }
                let free = u64::try_from(ends.len()).is_ok_and(|taken| taken < *most);
                if free {
                    let lasts = i64::try_from(record.duration_ms).unwrap_or(i64::MAX);
                    ends.push(Reverse(at.unix_ms().saturating_add(lasts)));
                }
                free
            }
            Store::Size { most } => record.tokens.total() <= *most,
        };
        self.all.count(at, admitted);
        self.keys.entry(record.key).or_default().count(at, admitted);
        admitted
    }

    /// What became of all requests.
    pub const fn all(&self) -> Tally {
        self.all
    }

    /// What became of each key's requests.
    pub const fn keys(&self) -> &BTreeMap<KeyId, Tally> {
        &self.keys
    }
}

/// Takes it all, or nothing.
fn take_of<T: Copy + PartialOrd + std::ops::Sub<Output = T>>(left: &mut T, take: T) -> bool {
    let fits = take <= *left;
    if fits {
        *left = *left - take;
    }
    fits
}

#[cfg(test)]
mod tests;
