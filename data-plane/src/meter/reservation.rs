//! What one request took of its limits, and what it was told when it could not.

use super::{
    Inner,
    cell::{Cell, Taken},
};
use domain::{catalog::Limit, limit::hold::View};
use std::{sync::Arc, time::Duration};

/// One limit that a request is to be let through by.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The limit.
    pub limit: &'a Arc<Limit>,
    /// What the request takes of it at most, in thousandths of the limit's unit.
    pub milli: u64,
}

/// How one limit answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It let the request through.
    Passed,
    /// It did, from what is set aside for a proxy that can ask nobody.
    Fallback,
    /// It only reports, and would not have let it through.
    WouldRefuse,
    /// It only reports, and nobody could say at once: what it used is counted at its end, if
    /// somebody can then.
    Unknown,
    /// It did not let it through.
    Refused,
}

/// One limit that was asked.
#[derive(Debug)]
pub struct Part {
    /// The limit.
    pub limit: Arc<Limit>,
    /// What it was asked for, in thousandths.
    pub asked_milli: u64,
    /// What is held of it here, just before.
    pub before: View,
    /// And just after.
    pub after: View,
    /// How long the request had waited until then, for whichever limit, in milliseconds.
    pub waited_ms: u32,
    /// What it said.
    pub verdict: Verdict,
    pub(super) taken: Option<(Arc<Cell>, Taken)>,
    /// It went on before anybody could say: it is counted at its end.
    pub(super) late: Option<Arc<Cell>>,
}

/// What a request holds of all its limits. It is settled once; dropped, all of it counts
/// as used, and nothing stays reserved.
#[derive(Debug)]
#[must_use = "dropped at once, everything that was taken counts as used"]
pub struct Reservation {
    inner: Arc<Inner>,
    parts: Vec<Part>,
}

impl Reservation {
    pub(super) fn new(inner: Arc<Inner>, parts: Vec<Part>) -> Self {
        Self { inner, parts }
    }

    /// The limits that were asked, in the order in which they were.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Limits on trial that would have refused the request.
    pub fn would_refuse(&self) -> impl Iterator<Item = &Arc<Limit>> {
        let refused = self.parts.iter().filter(|it| it.verdict == Verdict::WouldRefuse);
        refused.map(|it| &it.limit)
    }

    /// Settles with what was really used of each limit, in thousandths of its unit.
    pub fn settle(self, used_milli: impl Fn(&Limit) -> u64) {
        self.charge(|limit, _| used_milli(limit));
    }

    /// Settles with what each limit is charged that was asked for so much, in thousandths.
    pub fn charge(mut self, charged_milli: impl Fn(&Limit, u64) -> u64) {
        self.settle_all(|part| charged_milli(&part.limit, part.asked_milli));
    }

    /// Gives everything back: nothing was used.
    pub fn undo(self) {
        self.settle(|_| 0);
    }

    fn settle_all(&mut self, used_milli: impl Fn(&Part) -> u64) {
        let now_us = self.inner.now_us();
        for part in &mut self.parts {
            if let Some((cell, taken)) = part.taken.take() {
                let used_milli = used_milli(part);
                cell.lock().settle(now_us, taken, used_milli);
            }
            if let Some(cell) = part.late.take() {
                let used_milli = used_milli(part);
                if 0 < used_milli && cell.lock().count_late(now_us, used_milli) {
                    self.inner.metrics.would_refuse();
                }
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.parts.iter().any(|it| it.taken.is_some() || it.late.is_some()) {
            self.inner.metrics.unsettled();
            self.settle_all(|part| part.asked_milli);
        }
    }
}

/// Why a request was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShortWhy {
    /// The limit is used up for now.
    Exhausted,
    /// What is left of it is held by others: it is on its way back, or reserved by requests
    /// that may not use all of it.
    Moving,
    /// Nobody can be asked how much is left, and the limit is strict.
    Disconnected,
    /// Somebody can be asked, and was, and did not answer in time.
    Unanswered,
    /// Too many requests wait for it here already.
    Crowded,
    /// A new leader learns what the one before it lent.
    Learning,
    /// The leader cannot say: it does not know the limit, or not reach its database.
    Unavailable,
    /// The request is larger than the limit ever lets through.
    TooLarge {
        /// The most that it does, in thousandths.
        largest_milli: u64,
    },
}

/// The limit that did not let a request through.
#[derive(Debug)]
pub struct Shortage {
    /// The limit.
    pub limit: Arc<Limit>,
    /// Why.
    pub why: ShortWhy,
    /// What the request needed of it, in thousandths.
    pub asked_milli: u64,
    /// What is held of it here.
    pub view: View,
    /// When it can be tried again; `None`: never.
    pub retry_after: Option<Duration>,
    /// The limits that were asked, this one last. Nothing of them is held.
    pub parts: Vec<Part>,
}
