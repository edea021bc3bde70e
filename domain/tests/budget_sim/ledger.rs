//! The rows of the database, and the judge who sees every request.

use domain::limit::budget::{fund::Drawn, message::WindowId};
use std::collections::BTreeMap;

/// What the database holds: one row per window.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    granted: BTreeMap<WindowId, u64>,
    pub(crate) away: bool,
}

impl Rows {
    pub(crate) fn granted(&self, window: WindowId) -> u64 {
        self.granted.get(&window).copied().unwrap_or(0)
    }

    pub(crate) fn draw(&mut self, window: WindowId, want: u64, total: u64) -> Drawn {
        let granted = self.granted.entry(window).or_default();
        let milli = want.min(total.saturating_sub(*granted));
        *granted += milli;
        match milli {
            0 => Drawn::Empty { row_granted_milli: *granted },
            _ => Drawn::Got { milli, row_granted_milli: *granted },
        }
    }

    pub(crate) fn put_back(&mut self, window: WindowId, milli: u64) {
        let granted = self.granted.entry(window).or_default();
        *granted = granted.checked_sub(milli).unwrap();
    }

    pub(crate) fn owe(&mut self, window: WindowId, milli: u64) {
        *self.granted.entry(window).or_default() += milli;
    }
}

/// One window, as the judge saw it. In thousandths.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    /// Held and settled, whoever let it through.
    pub(crate) spent: i64,
    /// Used beyond what was held for it: what an estimate was wrong by.
    pub(crate) excess: i64,
    /// Debts that were lost with their holder, or on their way.
    pub(crate) lost_debt: i64,
    /// What a leader lent beyond the row and took with it.
    pub(crate) lost_owing: i64,
    /// The most that was ever allowed in it.
    pub(crate) most: i64,
}

/// All windows.
#[derive(Debug, Default)]
pub(crate) struct Judge(pub(crate) BTreeMap<WindowId, Seen>);

impl Judge {
    pub(crate) fn at(&mut self, window: WindowId) -> &mut Seen {
        self.0.entry(window).or_default()
    }
}

pub(crate) fn signed(milli: u64) -> i64 {
    i64::try_from(milli).unwrap()
}
