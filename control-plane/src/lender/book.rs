//! What is lent in one term: the leases of all proxies, and the funds of windows.
//!
//! Drives the machines of `domain::limit`; knows the catalog. Does nothing itself: what is
//! to be sent, and what is wanted of the database, is gathered in [`Out`]. Only limits that
//! somebody has asked for hold state here.

mod figures;
mod papers;
mod shelf;
mod threshold;
mod window;

pub(crate) use figures::{Figures, HeldFigures, LimitFigures};

use super::{
    clerk::{Done, Errand},
    election::Term,
};
use crate::publisher::Published;
use domain::{
    catalog::Limit,
    id::LimitId,
    limit::{
        Holder, LeaseOf,
        lease::leader::{Estate, Heard, Leader, Start},
        message::{Grants, Sync},
    },
};
use papers::Papers;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use threshold::Crossed;
use window::Windowed;

/// How often thresholds and figures are looked at, in microseconds.
const LOOK_US: u64 = 1_000_000;

/// How often state that nobody needs is looked for, in microseconds.
const SWEEP_US: u64 = 10_000_000;

/// A limit of which nobody has spoken for so long may be forgotten, in microseconds.
const IDLE_US: u64 = 20_000_000;

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// The steady clock, in microseconds: for everything but the calendar.
    pub(super) us: u64,
    /// The wall clock, in milliseconds since the Unix epoch: for the calendar.
    pub(super) unix_ms: i64,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { us: runtime::clock::steady_us(), unix_ms: runtime::clock::unix_ms() }
    }
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// To be sent to holders.
    pub(super) sends: Vec<(Holder, Grants)>,
    /// To be done in the database.
    pub(super) errands: Vec<Errand>,
    /// A holder knows of this later leader.
    pub(super) surpassed: Option<u64>,
}

/// What is lent in one term.
pub(super) struct Book {
    term: Arc<Term>,
    leader: Leader,
    catalog: Arc<Published>,
    /// The catalog that there was when this leader began: what is not in it, nobody was lent.
    /// `None`: it may have been an older one.
    first: Option<Arc<Published>>,
    active: BTreeMap<LimitId, Active>,
    /// When the windows of active limits end, in milliseconds since the Unix epoch.
    ends: BTreeSet<(i64, LimitId)>,
    /// Limits of whose windows somebody waits for something.
    awaited: BTreeSet<LimitId>,
    papers: Papers,
    learning: bool,
    next_look_us: u64,
    next_sweep_us: u64,
}

/// A limit that somebody has asked for.
struct Active {
    limit: Arc<Limit>,
    of: LeaseOf,
    lent: Lent,
    crossed: Crossed,
    heard_us: u64,
}

/// How it is lent.
enum Lent {
    /// By the leader's leases.
    Lease,
    /// In chunks of its windows.
    Window(Box<Windowed>),
}

impl Book {
    pub(super) fn open(
        now: Now,
        term: Arc<Term>,
        catalog: Arc<Published>,
        unrecorded: bool,
    ) -> Self {
        let epoch = term.claim.epoch;
        let start = if epoch == 1 && !unrecorded {
            Start::Fresh
        } else {
            let mut recorded = term.recorded.clone();
            if unrecorded {
                // Who was lent something without being recorded cannot be waited for by
                // name: one who never speaks makes us learn until every lease is over.
                recorded.insert(papers::nobody());
            }
            Start::Learning { recorded }
        };
        let mut leader = Leader::new(now.us, epoch, start);
        let estate = term.take_estate();
        let left: Vec<_> = estate.iter().flat_map(|it| it.levels.keys().copied()).collect();
        if let Some(estate) = estate {
            leader.inherit(estate);
        }
        let mut book = Self {
            learning: leader.is_learning(now.us),
            first: term.is_caught_up().then(|| Arc::clone(&catalog)),
            term,
            leader,
            catalog,
            active: BTreeMap::new(),
            ends: BTreeSet::new(),
            awaited: BTreeSet::new(),
            papers: Papers::default(),
            next_look_us: now.us.saturating_add(LOOK_US),
            next_sweep_us: now.us.saturating_add(SWEEP_US),
        };
        // They refill from now on, and are forgotten when they are full.
        for of in left {
            book.activate(now, of, &mut Out::default());
        }
        book
    }

    pub(super) const fn term(&self) -> &Arc<Term> {
        &self.term
    }

    /// A holder is there: it shall be recorded before it asks, and say what it has.
    pub(super) fn greet(&mut self, now: Now, holder: Holder, out: &mut Out) {
        // Even where there is no limit yet: the first request under the first one is not to
        // wait until its proxy is recorded.
        if self.papers.knows(holder) {
            return;
        }
        self.papers.heard(now.us, holder);
        if self.papers.ask(holder, None) {
            out.errands.push(Errand::Record(holder));
        }
        let grants = Grants {
            epoch: self.term.claim.epoch,
            stamp_us: now.us,
            hello: true,
            ttl_us: self.leader.ttl_us(),
            ..Grants::default()
        };
        out.sends.push((holder, grants));
    }

    /// Whether the holder would have to be lent something before it is recorded.
    pub(super) fn is_unrecorded(&self, holder: Holder) -> bool {
        self.term.may_lend_unrecorded() && !self.papers.is_recorded(holder)
    }

    /// A holder speaks.
    pub(super) fn hear(&mut self, now: Now, holder: Holder, sync: Sync, out: &mut Out) {
        self.papers.heard(now.us, holder);
        if !self.papers.is_recorded(holder) {
            if !self.term.may_lend_unrecorded() {
                if self.papers.ask(holder, Some(sync)) {
                    out.errands.push(Errand::Record(holder));
                }
                return;
            }
            self.papers.waive(holder);
        }
        self.answer(now, holder, &sync, out);
    }

    fn answer(&mut self, now: Now, holder: Holder, sync: &Sync, out: &mut Out) {
        let entries = sync.entries.iter().map(|it| it.of);
        for of in entries.chain(sync.chunks.iter().map(|it| it.of)) {
            self.activate(now, of, out);
        }
        match self.leader.on_sync(now.us, holder, sync) {
            Heard::Hello(grants) => out.sends.push((holder, grants)),
            Heard::StepDown => out.surpassed = Some(sync.epoch),
            Heard::Duplicate => {}
            Heard::Fine(mut grants) => {
                for entry in &sync.chunks {
                    let Some(active) = self.active.get_mut(&entry.of.limit) else {
                        grants.chunks.push(window::unknown(entry));
                        continue;
                    };
                    let of = active.of;
                    if of != entry.of {
                        grants.chunks.push(window::unknown(entry));
                        continue;
                    }
                    let Lent::Window(windowed) = &mut active.lent else { continue };
                    windowed.hear(now, holder, entry);
                    self.settle(now, of.limit, Some((holder, &mut grants.chunks)), out);
                }
                out.sends.push((holder, grants));
                // What others are to give up for this one does not wait for the next tick.
                out.sends.extend(self.leader.take_pushes(now.us));
            }
        }
    }

    /// The clerk has done something.
    pub(super) fn done(&mut self, now: Now, done: Done, out: &mut Out) {
        match done {
            Done::Recorded(holders) => {
                for holder in holders {
                    if let Some(sync) = self.papers.recorded(holder) {
                        self.answer(now, holder, &sync, out);
                    }
                }
            }
            Done::NotRecorded(holders) => {
                for holder in holders {
                    // Who asks again may be lucky; until then it is lent nothing.
                    self.papers.not_recorded(holder);
                }
            }
            Done::Drawn(order, state) => {
                let id = order.key.limit;
                if let Some(Active { of, lent: Lent::Window(windowed), .. }) =
                    self.active.get_mut(&id)
                    && of.generation == order.key.generation
                {
                    windowed.drawn(now, &order, state);
                    self.settle(now, id, None, out);
                } else if let Some(state) = state {
                    // Nobody is there any more who could use it.
                    out.errands.extend(window::put_back(&order, state.got_milli));
                }
            }
            Done::NotOwed(order) => {
                let (limit, generation) = (order.key.limit, order.key.generation);
                self.activate(now, LeaseOf { limit, generation }, out);
                if let Some(Active { of, lent: Lent::Window(windowed), .. }) =
                    self.active.get_mut(&limit)
                    && of.generation == generation
                {
                    windowed.not_owed(&order);
                }
            }
            Done::Void => self.term.end(),
        }
    }

    /// Time passes: to be called every 50 ms.
    pub(super) fn tick(&mut self, now: Now, out: &mut Out) {
        out.sends.extend(self.leader.tick(now.us));
        while let Some((end, id)) = self.ends.first().copied()
            && end <= now.unix_ms
        {
            self.ends.remove(&(end, id));
            self.roll(now, id, out);
        }
        let windowed = self.active.iter_mut().filter_map(|(id, it)| match &mut it.lent {
            Lent::Window(windowed) => windowed.tick(now).then_some(*id),
            Lent::Lease => None,
        });
        let restless: Vec<_> = windowed.collect();
        for id in restless {
            self.settle(now, id, None, out);
        }
        if self.learning && !self.leader.is_learning(now.us) {
            self.learning = false;
            tracing::info!(epoch = self.term.claim.epoch, "what was lent before is known");
            // Who has not spoken by now holds nothing any more.
            out.errands.push(Errand::Forget { holders: Vec::new(), earlier: true });
        }
        if self.next_look_us <= now.us {
            self.next_look_us = now.us.saturating_add(LOOK_US);
            self.look(now);
            if self.term.database_ok() {
                out.errands.extend(self.papers.catch_up().into_iter().map(Errand::Record));
            }
        }
        if self.next_sweep_us <= now.us {
            self.next_sweep_us = now.us.saturating_add(SWEEP_US);
            self.sweep(now, out);
        }
    }

    /// Whether [`Self::hurry`] is to be called every few milliseconds: somebody waits for what
    /// others were asked to give back.
    pub(super) fn is_awaited(&self) -> bool {
        self.leader.is_awaited() || !self.awaited.is_empty()
    }

    /// Answers those whom nothing came for in time.
    pub(super) fn hurry(&mut self, now: Now, out: &mut Out) {
        out.sends.extend(self.leader.hurry(now.us));
        for id in std::mem::take(&mut self.awaited) {
            if let Some(Active { lent: Lent::Window(windowed), .. }) = self.active.get_mut(&id) {
                windowed.tick(now);
                self.settle(now, id, None, out);
            }
        }
    }

    /// Forgets what nobody needs any more.
    fn sweep(&mut self, now: Now, out: &mut Out) {
        let gone = self.papers.forget_silent(now.us, self.leader.ttl_us());
        if !gone.is_empty() {
            out.errands.push(Errand::Forget { holders: gone, earlier: false });
        }
        let silent =
            self.active.iter().filter(|(_, it)| it.heard_us.saturating_add(IDLE_US) < now.us);
        let at_rest = |active: &Active| match &active.lent {
            Lent::Window(windowed) => windowed.is_at_rest(now),
            Lent::Lease => figures::is_at_rest(&self.leader, now, active.of),
        };
        let idle: Vec<_> = silent.filter(|(_, it)| at_rest(it)).map(|(id, _)| *id).collect();
        for id in idle {
            self.forget(now, id, out);
        }
    }

    /// The planned end: what is left to the next one. Nothing may be lent any more.
    pub(super) fn leave(&mut self, now: Now) -> Option<Estate> {
        let epoch = self.term.claim.epoch;
        let nobody = Start::Learning { recorded: BTreeSet::from([papers::nobody()]) };
        std::mem::replace(&mut self.leader, Leader::new(now.us, epoch, nobody)).leave(now.us)
    }

    /// The planned end: what is not lent goes back.
    pub(super) fn close(&mut self, now: Now, out: &mut Out) {
        let ids: Vec<_> = self.active.keys().copied().collect();
        for id in ids {
            if let Some(Active { lent: Lent::Window(windowed), .. }) = self.active.get_mut(&id) {
                windowed.close();
                self.settle(now, id, None, out);
            }
        }
        out.errands.extend(self.papers.catch_up().into_iter().map(Errand::Record));
    }

    /// Whether everybody who may hold something is recorded.
    pub(super) fn has_everybody_recorded(&self) -> bool {
        !self.learning && !self.papers.has_waived()
    }
}

#[cfg(test)]
mod tests;
