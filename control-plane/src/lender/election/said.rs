//! What the election is told by who lends.

use super::Term;
use domain::limit::lease::leader::Estate;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// Nothing counts so far: who says so is broken.
const MOST: u64 = 1 << 62;

/// What the election is told by who lends.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// A holder has seen this epoch: ours has to be greater.
    pub(super) beyond: AtomicU64,
    /// Something is to be looked at now.
    pub(super) wake: Notify,
    /// No more terms are wanted: the process ends.
    pub(super) enough: AtomicBool,
    /// Nobody is left here who wants to know who lends.
    pub(super) over: AtomicBool,
    /// What is left to the next one.
    pub(super) left: Mutex<Option<Estate>>,
}

impl Said {
    /// Somebody knows of a later leader than the one of `term`.
    pub(crate) fn surpassed(&self, term: &Term, epoch: u64) {
        if MOST <= epoch {
            return tracing::warn!(epoch, "no leader ever counted so far: that is not believed");
        }
        tracing::warn!(epoch, "a proxy knows of a later leader");
        self.beyond.fetch_max(epoch, Ordering::AcqRel);
        term.end();
        self.wake.notify_one();
    }

    /// No more terms: everything is put back, and the row may go, with what is left to
    /// the next one. Nothing is lent any more.
    pub(crate) fn enough(&self, left: Option<Estate>) {
        if left.is_some() {
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
        }
        self.enough.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Nobody is left here who wants to know who lends.
    pub(crate) fn over(&self) {
        self.over.store(true, Ordering::Release);
        self.enough(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_leader_ends_the_term_and_an_epoch_that_cannot_be_does_not() {
        let (said, term) = (Said::default(), Term::of_a_test(3));
        for broken in [MOST, u64::MAX] {
            said.surpassed(&term, broken);
            assert!(term.lasts(0), "{broken}");
            assert_eq!(said.beyond.load(Ordering::Acquire), 0);
        }
        said.surpassed(&term, 9);
        assert!(!term.lasts(0));
        assert_eq!(said.beyond.load(Ordering::Acquire), 9);
    }
}
