//! One limit on this proxy: what is held of it, and who waits for it.
//!
//! Its lock is held for some tens of nanoseconds and never while anything is waited for.

use super::{
    gate::GovernorBucket,
    purse::{Letter, Purse, Word},
    queue::{Priority, Queue},
};
use domain::{
    catalog::{Action, Limit, Mode},
    limit::{
        LeaseOf,
        demand::SET_ASIDE_PPM,
        fallback::Fallback,
        hold::{Applied, Head, Hold, Short, View},
        lease::lendable,
        message::Why,
        supply::Supply,
    },
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// One limit on this proxy, between two of its resets.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) of: LeaseOf,
    state: Mutex<State>,
}

/// What the lock of a cell guards.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limit: Arc<Limit>,
    pub(super) supply: Supply,
    purse: Purse,
    /// Made when somebody waits for the first time.
    queue: Option<Box<Queue>>,
    fallback: Option<Box<Fallback<GovernorBucket>>>,
    /// Whether the next letter tells of it.
    pub(super) listed: bool,
    /// Another cell has taken its place.
    pub(super) gone: bool,
}

/// Why one limit did not let a request through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Too little, says what is held of it.
    Short(Short),
    /// Others wait already.
    Behind,
    /// What is set aside for the time without a leader does not suffice either.
    Fallback(Option<Duration>),
}

/// How somebody stands to those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It just came.
    New(Priority),
    /// It waits, with this number.
    Number(u64),
    /// It has waited, for this limit or another of its own.
    Had,
}

/// What was taken, and from where.
#[derive(Debug)]
pub(super) enum Taken {
    /// From the lease or the chunk.
    Hold(Hold),
    /// From what is set aside, in thousandths.
    Fallback(u64),
}

/// What of a limit its leader lends.
fn lent(limit: &Limit, supply: Supply) -> Supply {
    match limit.mode {
        Mode::Strict => supply,
        Mode::Availability => lendable(supply, SET_ASIDE_PPM),
    }
}

/// Whether it is a no that the limit itself says: not that nobody knows.
pub(super) const fn is_no(short: Short) -> bool {
    match short {
        Short::Denied { why, .. } => matches!(why, Why::Exhausted | Why::Moving),
        Short::TooLarge { .. } => true,
        Short::Ask => false,
    }
}

impl Cell {
    pub(super) fn new(limit: Arc<Limit>, supply: Supply, incarnation: u32, now_us: u64) -> Self {
        let of = LeaseOf { limit: limit.id, generation: limit.generation };
        let purse = Purse::new(of, lent(&limit, supply), incarnation, now_us);
        let state =
            State { limit, supply, purse, queue: None, fallback: None, listed: false, gone: false };
        Self { of, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change leaves the state whole: a panic elsewhere cannot have torn it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn view(&self, now_us: u64) -> View {
        self.purse.view(now_us)
    }

    /// Whether nobody who was before would be overtaken.
    fn is_turn(&self, turn: Turn) -> bool {
        let Some(queue) = &self.queue else { return true };
        match turn {
            Turn::New(priority) => !queue.is_before(priority),
            Turn::Number(number) => queue.is_turn(number),
            Turn::Had => true,
        }
    }

    pub(super) fn take(&mut self, now_us: u64, milli: u64, turn: Turn) -> Result<Taken, Stop> {
        if !self.is_turn(turn) {
            return Err(Stop::Behind);
        }
        self.purse.take(now_us, milli).map(Taken::Hold).map_err(Stop::Short)
    }

    pub(super) fn take_fallback(
        &mut self,
        now_us: u64,
        milli: u64,
        proxies: u64,
    ) -> Result<Taken, Stop> {
        if self.fallback.is_none() {
            let fresh = Fallback::new(self.supply, proxies, milli, now_us);
            self.fallback = fresh.map(Box::new);
        }
        let Some(fallback) = &mut self.fallback else { return Err(Stop::Fallback(None)) };
        let taken = fallback.take(self.supply, proxies, milli, now_us);
        taken.map(|()| Taken::Fallback(milli)).map_err(Stop::Fallback)
    }

    pub(super) fn undo(&mut self, now_us: u64, taken: Taken) {
        match taken {
            Taken::Hold(hold) => {
                self.purse.undo(now_us, hold);
                self.call(now_us);
            }
            Taken::Fallback(milli) => {
                if let Some(fallback) = &mut self.fallback {
                    fallback.undo(milli, now_us);
                }
            }
        }
    }

    pub(super) fn settle(&mut self, now_us: u64, taken: Taken, used_milli: u64) {
        match taken {
            Taken::Hold(hold) => {
                self.purse.settle(now_us, hold, used_milli);
                self.call(now_us);
            }
            Taken::Fallback(milli) => {
                if let Some(fallback) = &mut self.fallback {
                    fallback.settle(milli, used_milli, now_us);
                }
                // The leader hears of it when it is there again.
                self.purse.spent_beside(used_milli);
            }
        }
    }

    /// What the leader said about `milli` of it, if it said no.
    pub(super) fn refusal(&self, now_us: u64, milli: u64) -> Option<(u64, Why)> {
        match self.purse.look(now_us, milli) {
            Err(Short::Denied { until_us, why }) => Some((until_us, why)),
            Ok(()) | Err(Short::Ask | Short::TooLarge { .. }) => None,
        }
    }

    /// When so much will lie ready here if nobody takes or lends any; `None`: never.
    pub(super) fn ready_at_us(&self, now_us: u64, milli: u64) -> Option<u64> {
        let view = self.purse.view(now_us);
        let missing = i128::from(milli).saturating_sub(view.level_milli.into());
        let missing = u128::try_from(missing).unwrap_or(0);
        if !view.live || view.cap_milli < milli || view.rate_nano == 0 {
            return None;
        }
        // Thousandths, by billionths of a unit per second, in microseconds.
        let wait_us = missing.saturating_mul(1_000_000_000_000).div_ceil(view.rate_nano.into());
        Some(now_us.saturating_add(u64::try_from(wait_us).unwrap_or(u64::MAX)))
    }

    pub(super) fn refused(&mut self, now_us: u64, milli: u64) {
        self.purse.refused(now_us, milli);
    }

    /// Stands in the queue; gives the number there. `None`: it is too long.
    pub(super) fn join(
        &mut self,
        priority: Priority,
        milli: u64,
        wake: Arc<Notify>,
    ) -> Option<u64> {
        let queue = self.queue.get_or_insert_default();
        let number = queue.join(priority, milli, wake)?;
        self.purse.want(milli);
        // Something may have come since it was looked: who is first looks once more.
        queue.call_first();
        Some(number)
    }

    /// So much is wanted for a request that does not wait for it.
    pub(super) fn wish(&mut self, milli: u64) {
        if self.queue.get_or_insert_default().wish(milli) {
            self.purse.want(milli);
        }
    }

    /// What is wanted for those who did not wait was answered, or nobody can be asked.
    fn forget_wishes(&mut self) {
        let Some(queue) = &mut self.queue else { return };
        for milli in queue.take_wishes() {
            self.purse.unwant(milli);
        }
        if queue.is_idle() {
            self.queue = None;
        }
    }

    /// Counts what a request used that went on before anybody could say, as if it came now.
    /// Says whether it would be refused now.
    pub(super) fn count_late(&mut self, now_us: u64, milli: u64) -> bool {
        if self.gone {
            return false;
        }
        match self.purse.take(now_us, milli) {
            Ok(hold) => {
                self.purse.settle(now_us, hold, milli);
                false
            }
            Err(short) if is_no(short) => {
                self.purse.refused(now_us, milli);
                true
            }
            Err(_) => false,
        }
    }

    /// Tried in vain, and waits on.
    pub(super) fn missed(&mut self, number: u64) {
        if let Some(queue) = &mut self.queue {
            queue.missed(number);
        }
    }

    pub(super) fn leave(&mut self, now_us: u64, number: u64, milli: u64) {
        self.purse.unwant(milli);
        if let Some(queue) = &mut self.queue {
            queue.leave(number);
            if queue.is_idle() {
                self.queue = None;
                return;
            }
            queue.call_first();
        }
        self.call(now_us);
    }

    /// Calls who can share what lies ready.
    fn call(&mut self, now_us: u64) {
        if let Some(queue) = &mut self.queue {
            queue.call(self.purse.view(now_us).level_milli);
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.as_ref().map_or(0, |it| it.len())
    }

    /// Whether the leader is to be asked now.
    pub(super) fn should_ask(&self, now_us: u64) -> bool {
        !self.gone && self.purse.should_ask(now_us)
    }

    /// When it is, if nothing happens before.
    pub(super) fn ask_at_us(&self, now_us: u64) -> Option<u64> {
        self.purse.ask_at_us(now_us)
    }

    pub(super) fn tell(&mut self, now_us: u64, letter: &mut Letter) {
        self.listed = false;
        self.purse.tell(now_us, letter);
    }

    /// Applies what the leader says.
    pub(super) fn hear(&mut self, now_us: u64, head: Head, word: Word<'_>) {
        let applied = self.purse.hear(now_us, head, word);
        match applied {
            Applied::Granted | Applied::Denied(_) | Applied::Reset => self.forget_wishes(),
            Applied::Unchanged | Applied::Ignored => {}
        }
        match applied {
            Applied::Granted => {
                self.call(now_us);
                self.call_first();
            }
            Applied::Denied(_) | Applied::Reset | Applied::Unchanged => self.call_first(),
            Applied::Ignored => {}
        }
    }

    fn call_first(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.call_first();
        }
    }

    pub(super) fn on_epoch(&mut self, now_us: u64, epoch: u64) {
        self.purse.on_epoch(now_us, epoch);
    }

    /// No leader is heard: who waits for its answer need not.
    pub(super) fn on_lost(&mut self, now_us: u64) {
        self.purse.on_lost(now_us);
        self.forget_wishes();
        if let Some(queue) = &mut self.queue {
            queue.call_all();
        }
    }

    /// Takes an edited limit over. Says whether it could; else the cell is to be replaced.
    pub(super) fn adopt(&mut self, limit: &Arc<Limit>) -> bool {
        if Arc::ptr_eq(&self.limit, limit) {
            return true;
        }
        let Some(supply) = Supply::of(limit) else { return false };
        let now_lent = lent(limit, supply);
        if now_lent != lent(&self.limit, self.supply) && !self.purse.set_supply(now_lent) {
            return false;
        }
        self.limit = Arc::clone(limit);
        self.supply = supply;
        self.call_first();
        true
    }

    /// Gives up what is held, with the next letter.
    pub(super) fn release(&mut self) {
        self.forget_wishes();
        self.purse.release();
    }

    /// Whether nobody has asked for it for long.
    pub(super) fn is_idle(&self, now_us: u64) -> bool {
        self.waiting() == 0 && self.purse.is_idle(now_us)
    }

    /// Whether all was given up.
    pub(super) fn is_released(&self) -> bool {
        self.gone || self.purse.released()
    }

    /// Whether it can be forgotten, and nothing is given away by that.
    pub(super) fn is_spent(&self, now_us: u64) -> bool {
        self.waiting() == 0
            && self.purse.released()
            && self.fallback.as_ref().is_none_or(|it| it.is_full(now_us))
    }

    /// Makes room for another cell; who waits here is called to look there.
    pub(super) fn retire(&mut self) -> u32 {
        self.gone = true;
        if let Some(queue) = &mut self.queue {
            queue.call_all();
        }
        self.purse.view(0).incarnation
    }

    pub(super) fn is_shadow(&self) -> bool {
        self.limit.action == Action::Shadow
    }

    /// Whether there is something to go on with when nobody can be asked.
    pub(super) fn has_fallback(&self) -> bool {
        self.limit.mode == Mode::Availability && !matches!(self.supply, Supply::Window { .. })
    }
}
