//! Terms for the tests of those who lend.

use super::{Taken, Term};
use domain::{limit::lease::leader::Estate, time::Timestamp};
use std::{collections::BTreeSet, sync::Mutex};
use uuid::Uuid;

impl Term {
    /// One that never ends by itself.
    pub(crate) fn of_a_test(epoch: u64) -> Self {
        let since = Timestamp::from_unix_ms(0);
        let taken = Taken { epoch, since, recorded: BTreeSet::new(), estate: None };
        Self { caught_up: true, ..Self::new(taken, Uuid::nil(), true, 0) }
    }

    /// The same, with what the one before left.
    pub(crate) fn of_an_heir(epoch: u64, estate: Estate) -> Self {
        let term = Self::of_a_test(epoch);
        let recorded = estate.holders.clone();
        Self { recorded, estate: Mutex::new(Some(estate)), ..term }
    }
}
