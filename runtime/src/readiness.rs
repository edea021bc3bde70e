//! May this process take traffic? Not while any guard is held.
//!
//! Knows the guards' reasons as text, and nothing of what they guard.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Whether this process is ready, and what it is waiting for.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    reasons: BTreeMap<u64, String>,
}

impl Readiness {
    /// Not ready from here on, until the guard is dropped.
    #[must_use = "dropped at once, it guards nothing"]
    pub fn guard(&self, why: impl Into<String>) -> ReadyGuard {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = held.next;
        held.next += 1;
        held.reasons.insert(number, why.into());
        ReadyGuard { number, readiness: self.clone() }
    }

    /// Whether nothing is waited for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reasons.is_empty()
    }

    /// What is waited for, oldest first.
    #[must_use]
    pub fn blockers(&self) -> Vec<String> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.reasons.values().cloned().collect()
    }
}

/// Keeps the process unready while it lives.
#[derive(Debug)]
pub struct ReadyGuard {
    number: u64,
    readiness: Readiness,
}

impl Drop for ReadyGuard {
    fn drop(&mut self) {
        let mut held = self.readiness.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.reasons.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_guard_is_gone() {
        let readiness = Readiness::default();
        assert!(readiness.is_ready());
        let first = readiness.guard("the first");
        let second = readiness.guard("the second");
        assert_eq!(readiness.blockers(), ["the first", "the second"]);
        drop(first);
        assert_eq!(readiness.blockers(), ["the second"]);
        assert!(!readiness.is_ready());
        drop(second);
        assert!(readiness.is_ready());
    }
}
