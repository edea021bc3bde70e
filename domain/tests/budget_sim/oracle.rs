//! What has to hold after every event, and in the end.

use super::{Node, Outcome, World};
use crate::ledger::signed;
use domain::{catalog::Mode, limit::budget::message::WindowId};

impl World {
    /// What lies at holders and leaders of a window.
    fn lying(&self, window: WindowId) -> (i64, i64, i64) {
        let nodes = self.nodes.values().filter(|node| node.chunk.window() == Some(window));
        let levels = nodes.map(|node| node.chunk.view(self.now + node.clock_us).level_milli).sum();
        let leaders = self.leaders.iter().filter(|it| it.alive && it.fund.window() == Some(window));
        let (blocks, owing) = leaders.fold((0, 0), |(blocks, owing), it| {
            (blocks + signed(it.block_milli), owing + signed(it.owing_milli))
        });
        (levels, blocks, owing)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        for (window, seen) in &self.judge.0 {
            let over = match self.plan.mode {
                Mode::Strict => 0,
                Mode::Availability => seen.lost_owing,
            };
            if seen.most + seen.excess + over < seen.spent {
                return Err(format!("{window:?} is exceeded: {seen:?}"));
            }
            let (levels, blocks, owing) = self.lying(*window);
            // A chunk whose window is over does not tell its debt any more.
            let live = |node: &Node| node.chunk.view(self.now + node.clock_us).live;
            let now_open = *window == self.window().0;
            let debts = match now_open && self.nodes.values().all(live) {
                true => seen.lost_debt,
                false => seen.excess,
            };
            let out = signed(self.rows.granted(*window)) + owing + debts + seen.lost_owing;
            if out < seen.spent + levels + blocks {
                return Err(format!(
                    "{window:?} has more than was drawn: {seen:?}, {levels} and {blocks} of {out}"
                ));
            }
        }
        Ok(())
    }

    /// In the end all that was not lost with somebody is used.
    pub(super) fn check_used_up(&self) -> Result<Outcome, String> {
        let window = self.window().0;
        let seen = self.judge.0[&window];
        let (levels, blocks, owing) = self.lying(window);
        let granted = signed(self.rows.granted(window)) + owing;
        let left = (signed(self.total) - granted).max(0) + levels.max(0) + blocks;
        let little = (signed(self.total) / 100).max(2 * signed(self.largest));
        let stray = self.stray.iter().filter(|((of, _, _), _)| *of == window);
        let stray: i64 = stray.map(|(_, milli)| signed(*milli)).sum();
        let whole = self.plan.fenced && self.plan.rolls;
        if little < left || (whole && seen.spent + little + stray < signed(self.total)) {
            return Err(format!(
                "of {} there is {left} left at the end: {seen:?}, {granted} granted, {levels} at \
                 holders, {blocks} at leaders",
                self.total
            ));
        }
        let spent_milli = u64::try_from(seen.spent).unwrap();
        Ok(Outcome { spent_milli, lost_milli: granted - seen.spent - levels - blocks })
    }
}
