//! The one number that a bucket of `governor` is: its theoretical arrival time.
//!
//! We own it, so that it can be given back to, owed from, and kept over a change of shape,
//! none of which the crate's own store can do.

use super::atomic::{AtomicU64, Ordering};
use governor::{
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

/// A theoretical arrival time, in the ticks of whatever clock the limiter is asked by.
#[derive(Debug)]
pub(crate) struct Tat(AtomicU64);

impl Tat {
    pub(crate) fn new(at: u64) -> Self {
        Self(AtomicU64::new(at))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Only for one who has the bucket to themselves: what others write meanwhile is lost.
    pub(crate) fn set(&self, at: u64) {
        self.0.store(at, Ordering::Release);
    }

    /// No earlier than `least`: what flowed in beyond the brim is gone.
    pub(crate) fn raise_to(&self, least: u64) {
        self.change(|at| at.max(least));
    }

    /// Gives `ticks` back, down to `least`.
    pub(crate) fn credit(&self, ticks: u64, least: u64) {
        self.change(|at| at.saturating_sub(ticks).max(least));
    }

    /// Takes `ticks`, whatever there is.
    pub(crate) fn debit(&self, ticks: u64) {
        self.change(|at| at.saturating_add(ticks));
    }

    fn change(&self, to: impl Fn(u64) -> u64) {
        let mut seen = self.get();
        loop {
            let next = to(seen);
            match self.swap(seen, next) {
                Ok(()) => return,
                Err(other) => seen = other,
            }
        }
    }

    fn swap(&self, seen: u64, next: u64) -> Result<(), u64> {
        if seen == next {
            return Ok(());
        }
        self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}

impl StateStore for &Tat {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut seen = self.get();
        loop {
            // Always there: a limiter never begins full of itself.
            let (outcome, next) = decide(Some(seen.into()))?;
            match self.swap(seen, next.as_u64()) {
                Ok(()) => return Ok(outcome),
                Err(other) => seen = other,
            }
        }
    }
}
