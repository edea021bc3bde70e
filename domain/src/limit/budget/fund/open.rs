//! One window's account at the leader: what its row says, what is drawn and not yet lent.

use super::{Drawn, Effect};
use crate::{catalog::Mode, limit::budget::message::WindowId};

/// After a draw that failed the database is left alone for so long.
const DRAW_AGAIN_US: u64 = 1_000_000;
/// After a draw that gave nothing, for so long.
const DRAW_EMPTY_US: u64 = 100_000;
/// A row that was found empty is looked at again after so long, and then ever less often.
const LOOK_AGAIN_US: u64 = 3_000_000;
const LOOK_AGAIN_MAX_US: u64 = 60_000_000;

/// An open window. Times are of the leader's clock.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: WindowId,
    /// `u64::MAX`: never.
    pub(super) end_us: u64,
    /// Drawn and not lent, in thousandths.
    pub(super) block_milli: u64,
    /// What stands in the row, as far as is known.
    pub(super) granted_milli: Option<u64>,
    /// Lent or spent beyond the row, which is to be told.
    pub(super) owing_milli: u64,
    /// What the draw that is under way wants; `None`: there is none.
    pub(super) drawing: Option<u64>,
    /// The last draw failed.
    pub(super) away: bool,
    /// No draw before then.
    pub(super) draw_after_us: u64,
    /// While somebody is refused, the row is looked at again then: a leader that was
    /// replaced may have put something back.
    pub(super) look_after_us: u64,
    look_pause_us: u64,
}

impl Open {
    pub(super) const fn new(id: WindowId, end_us: u64) -> Self {
        Self {
            id,
            end_us,
            block_milli: 0,
            granted_milli: None,
            owing_milli: 0,
            drawing: None,
            away: false,
            draw_after_us: 0,
            look_after_us: 0,
            look_pause_us: LOOK_AGAIN_US,
        }
    }

    pub(super) const fn is_over(&self, now_us: u64) -> bool {
        self.end_us <= now_us && self.end_us != u64::MAX
    }

    /// How long it lasts; `None`: for ever.
    pub(super) fn left_us(&self, now_us: u64) -> Option<u64> {
        (self.end_us != u64::MAX).then(|| self.end_us.saturating_sub(now_us))
    }

    /// All that is out: in the row, and beyond it.
    pub(super) fn out_milli(&self) -> Option<u64> {
        Some(self.granted_milli?.saturating_add(self.owing_milli))
    }

    /// What the row would still give; `None`: not known.
    pub(super) fn rest_milli(&self, total_milli: u64) -> Option<u64> {
        Some(total_milli.saturating_sub(self.out_milli()?))
    }

    /// What can be lent at once.
    pub(super) fn ready_milli(&self, total_milli: u64, mode: Mode) -> u64 {
        if self.out_milli().is_some_and(|out| total_milli < out) {
            return 0;
        }
        let beyond = match (mode, self.away) {
            (Mode::Availability, true) => self.rest_milli(total_milli).unwrap_or(0),
            (Mode::Availability, false) | (Mode::Strict, _) => 0,
        };
        self.block_milli.saturating_add(beyond)
    }

    /// What can be lent, at once or after a draw.
    pub(super) fn free_milli(&self, total_milli: u64, mode: Mode) -> u64 {
        let ready = self.ready_milli(total_milli, mode);
        match self.away {
            true => ready,
            false => ready.saturating_add(self.rest_milli(total_milli).unwrap_or(0)),
        }
    }

    /// Takes from the block; what is not there is owed to the row.
    pub(super) const fn owe(&mut self, milli: u64) {
        let beyond = milli.saturating_sub(self.block_milli);
        self.block_milli = self.block_milli.saturating_sub(milli);
        self.owing_milli = self.owing_milli.saturating_add(beyond);
    }

    /// What came back: first it ends what is owed.
    pub(super) const fn give(&mut self, milli: u64) {
        let over = milli.saturating_sub(self.owing_milli);
        self.owing_milli = self.owing_milli.saturating_sub(milli);
        self.block_milli = self.block_milli.saturating_add(over);
    }

    pub(super) fn put_back(&mut self, milli: u64) -> Effect {
        self.block_milli = self.block_milli.saturating_sub(milli);
        self.granted_milli = self.granted_milli.map(|it| it.saturating_sub(milli));
        Effect::PutBack { window: self.id, milli }
    }

    /// Tells the row what it has to know: debts, and what is over the limit.
    pub(super) fn tidy(&mut self, total_milli: u64, effects: &mut Vec<Effect>) {
        // Unknown is not away, but then a draw says first how the database is.
        let Some(out) = self.out_milli().filter(|_| !self.away) else { return };
        if 0 < self.owing_milli {
            effects.push(Effect::Owe { window: self.id, milli: self.owing_milli });
            self.granted_milli = Some(out);
            self.owing_milli = 0;
        }
        let back = out.saturating_sub(total_milli).min(self.block_milli);
        if 0 < back {
            effects.push(self.put_back(back));
        }
    }

    pub(super) fn on_drawn(&mut self, now_us: u64, drawn: Drawn) {
        let wanted_milli = self.drawing.take().unwrap_or(0);
        self.look_pause_us = match drawn {
            Drawn::Got { milli: 1.., .. } => LOOK_AGAIN_US,
            Drawn::Got { .. } | Drawn::Empty { .. } | Drawn::Failed => {
                self.look_pause_us.saturating_mul(2).min(LOOK_AGAIN_MAX_US)
            }
        };
        self.look_after_us = now_us.saturating_add(self.look_pause_us);
        match drawn {
            // The database knows of another total than we, and will know ours soon.
            Drawn::Empty { row_granted_milli } | Drawn::Got { milli: 0, row_granted_milli }
                if 0 < wanted_milli =>
            {
                self.granted_milli = Some(row_granted_milli);
                self.away = false;
                self.draw_after_us = now_us.saturating_add(DRAW_EMPTY_US);
            }
            Drawn::Got { milli, row_granted_milli } => {
                self.block_milli = self.block_milli.saturating_add(milli);
                self.granted_milli = Some(row_granted_milli);
                self.away = false;
            }
            Drawn::Empty { row_granted_milli } => {
                self.granted_milli = Some(row_granted_milli);
                self.away = false;
            }
            Drawn::Failed => {
                self.away = true;
                self.draw_after_us = now_us.saturating_add(DRAW_AGAIN_US);
            }
        }
    }

    pub(super) fn on_owe_failed(&mut self, milli: u64) {
        self.owing_milli = self.owing_milli.saturating_add(milli);
        self.granted_milli = self.granted_milli.map(|it| it.saturating_sub(milli));
        self.away = true;
    }
}
