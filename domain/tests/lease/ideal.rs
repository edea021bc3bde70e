//! The one bucket that all leases together must never outdo.
//!
//! It is charged at the moment of each admission, and when a request is settled, as if
//! the right amount had been taken in the first place: everything since is computed anew.
//! What was used beyond that is a debt from when it is known, until it is paid or lost with
//! who had it.

use std::collections::VecDeque;

/// Parts of a thousandth of a unit: a billionth of a unit, a microsecond and a millionth, for
/// drifting clocks.
const FINE: i128 = 1_000_000_000_000_000_000;
const MILLION: i128 = 1_000_000;
/// The published rate is that of the slowest clock: clocks may be faster by so much.
const DRIFT: i128 = 500;
/// Settlements come sooner, and nobody asks how much was used before.
const KEEP_US: u64 = 400_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) rate_nano: u64,
    pub(crate) burst_milli: u64,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    at_us: u64,
    id: u64,
    /// Negative: a debt that is forgiven.
    milli: i64,
    line: Line,
    /// Afterwards.
    level: i128,
}

#[derive(Debug, Clone)]
pub(crate) struct Ideal {
    steps: VecDeque<Step>,
}

impl Ideal {
    /// A full one.
    pub(crate) fn new(now_us: u64, line: Line) -> Self {
        let level = i128::from(line.burst_milli) * FINE;
        Self { steps: VecDeque::from([Step { at_us: now_us, id: 0, milli: 0, line, level }]) }
    }

    pub(crate) fn line(&self) -> Line {
        self.steps.back().unwrap().line
    }

    /// What it holds, in thousandths, rounded up.
    pub(crate) fn level_milli(&self, now_us: u64) -> i128 {
        let level = refilled(self.steps.back().unwrap(), now_us);
        -((-level).div_euclid(FINE))
    }

    pub(crate) fn charge(&mut self, now_us: u64, id: u64, milli: u64) {
        let (line, milli) = (self.line(), milli as i64);
        self.push(Step { at_us: now_us, id, milli, line, level: 0 });
    }

    /// What was used beyond what was taken is charged when that is known.
    pub(crate) fn owe(&mut self, now_us: u64, milli: u64) {
        self.charge(now_us, 0, milli);
    }

    /// A debt is lost with who had it.
    pub(crate) fn forgive(&mut self, now_us: u64, milli: u64) {
        let (line, milli) = (self.line(), -(milli as i64));
        self.push(Step { at_us: now_us, id: 0, milli, line, level: 0 });
    }

    pub(crate) fn change(&mut self, now_us: u64, line: Line) {
        self.push(Step { at_us: now_us, id: 0, milli: 0, line, level: 0 });
    }

    /// A request took less than it was charged.
    pub(crate) fn settle(&mut self, id: u64, used_milli: u64) {
        let Some(at) = self.steps.iter().rposition(|it| it.id == id) else { return };
        if self.steps[at].milli <= used_milli as i64 {
            return;
        }
        self.steps[at].milli = used_milli as i64;
        for index in at.max(1)..self.steps.len() {
            self.steps[index].level = after(&self.steps[index - 1], &self.steps[index]);
        }
    }

    /// All that was charged since a moment, in thousandths.
    pub(crate) fn charged_since(&self, since_us: u64) -> u64 {
        let since = self.steps.iter().rev().take_while(|it| since_us <= it.at_us);
        since.map(|it| u64::try_from(it.milli).unwrap_or(0)).sum()
    }

    fn push(&mut self, mut step: Step) {
        step.level = after(self.steps.back().unwrap(), &step);
        self.steps.push_back(step);
        while 2 < self.steps.len() && self.steps[1].at_us + KEEP_US < step.at_us {
            self.steps.pop_front();
        }
    }
}

fn after(before: &Step, step: &Step) -> i128 {
    let refilled = refilled(before, step.at_us);
    refilled.min(i128::from(step.line.burst_milli) * FINE) - i128::from(step.milli) * FINE
}

fn refilled(step: &Step, now_us: u64) -> i128 {
    let elapsed = i128::from(now_us - step.at_us);
    let refill = i128::from(step.line.rate_nano) * elapsed * (MILLION + DRIFT);
    (step.level + refill).min(i128::from(step.line.burst_milli) * FINE)
}
