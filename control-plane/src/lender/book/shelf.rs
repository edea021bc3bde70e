//! Limits come into the book when somebody asks for them, follow the catalog, and leave it
//! when nobody needs them any more.

use super::{Active, Book, Lent, Now, Out, window::Windowed};
use crate::{lender::clerk::Errand, publisher::Published};
use domain::{
    catalog::{Limit, Mode},
    id::LimitId,
    limit::{
        Holder, LeaseOf, budget::message::ChunkGrant, demand::SET_ASIDE_PPM, message::Grants,
        supply::Supply,
    },
};
use std::sync::Arc;

impl Book {
    /// Makes sure that a limit that somebody asks for has its state.
    pub(super) fn activate(&mut self, now: Now, of: LeaseOf, out: &mut Out) {
        if let Some(active) = self.active.get_mut(&of.limit) {
            active.heard_us = now.us;
            return;
        }
        let Some(limit) = self.catalog.snapshot.limit(of.limit).cloned() else { return };
        // What is asked of another generation is answered by whoever knows this one.
        self.set(now, limit, out);
    }

    /// Takes a limit as it is in the catalog now.
    fn set(&mut self, now: Now, limit: Arc<Limit>, out: &mut Out) {
        let id = limit.id;
        let Some(supply) = Supply::of(&limit) else { return self.forget(now, id, out) };
        let of = LeaseOf { limit: id, generation: limit.generation };
        self.part(now, of, supply, out);
        let before = self.active.remove(&id);
        let crossed = before.as_ref().filter(|it| it.of == of).map(|it| it.crossed);
        let kept = before.filter(|it| it.of == of).map(|it| it.lent);
        let lent = match supply {
            Supply::Flow { .. } | Supply::Seats { .. } => {
                let aside = if limit.mode == Mode::Availability { SET_ASIDE_PPM } else { 0 };
                let before = self.first.as_ref().map(|it| it.snapshot.limit(id));
                if before.is_some_and(|it| it.is_none_or(|it| it.generation < of.generation)) {
                    self.leader.begin(now.us, of, supply, aside);
                } else {
                    self.leader.set(now.us, of, supply, aside);
                }
                Lent::Lease
            }
            Supply::Window { total_milli } => match kept {
                Some(Lent::Window(mut windowed)) => {
                    windowed.set_total(now, total_milli, limit.mode);
                    Lent::Window(windowed)
                }
                Some(Lent::Lease) | None => {
                    Lent::Window(Box::new(Windowed::new(of, total_milli, limit.mode)))
                }
            },
        };
        let crossed = crossed.unwrap_or_default();
        self.active.insert(id, Active { limit, of, lent, crossed, heard_us: now.us });
        self.roll(now, id, out);
    }

    /// Parts from how a limit was lent before, where that does not go on: what was lent in
    /// the other way is void, and nobody is to be lent more of it.
    fn part(&mut self, now: Now, of: LeaseOf, supply: Supply, out: &mut Out) {
        let Some(before) = self.active.get(&of.limit) else { return };
        let over = match (&before.lent, supply) {
            (Lent::Lease, Supply::Window { .. }) => true,
            // From one bucket to the next is the leader's own business.
            (Lent::Lease, Supply::Flow { .. } | Supply::Seats { .. }) => false,
            (Lent::Window(_), Supply::Window { .. }) => before.of != of,
            (Lent::Window(_), Supply::Flow { .. } | Supply::Seats { .. }) => true,
        };
        if over {
            self.forget(now, of.limit, out);
        }
    }

    /// Opens the window in which a limit is now.
    pub(super) fn roll(&mut self, now: Now, id: LimitId, out: &mut Out) {
        let Some(Active { limit, lent: Lent::Window(windowed), .. }) = self.active.get_mut(&id)
        else {
            return;
        };
        if let Some(end) = windowed.ends_ms() {
            self.ends.remove(&(end, id));
        }
        windowed.roll(now, &limit.rule);
        if let Some(end) = windowed.ends_ms() {
            self.ends.insert((end, id));
        }
        self.settle(now, id, None, out);
    }

    /// Carries out what a fund wants. What is for who is being answered goes into the answer.
    pub(super) fn settle(
        &mut self,
        now: Now,
        id: LimitId,
        mut answer: Option<(Holder, &mut Vec<ChunkGrant>)>,
        out: &mut Out,
    ) {
        let Some(Active { lent: Lent::Window(windowed), .. }) = self.active.get_mut(&id) else {
            return;
        };
        let wanted = windowed.wanted();
        match windowed.is_awaited() {
            true => self.awaited.insert(id),
            false => self.awaited.remove(&id),
        };
        let orders = wanted.orders.into_iter();
        out.errands.extend(orders.map(|(order, sort)| Errand::Window(order, sort)));
        for (holder, grant) in wanted.sends {
            match &mut answer {
                Some((asker, chunks)) if *asker == holder => chunks.push(grant),
                Some(_) | None => out.sends.push((holder, self.push(now, grant))),
            }
        }
    }

    /// A chunk for somebody who has not just asked.
    fn push(&self, now: Now, grant: ChunkGrant) -> Grants {
        Grants {
            epoch: self.term.claim.epoch,
            stamp_us: now.us,
            ttl_us: self.leader.ttl_us(),
            chunks: vec![grant],
            ..Grants::default()
        }
    }

    /// The catalog has changed.
    pub(in crate::lender) fn take(&mut self, now: Now, catalog: Arc<Published>, out: &mut Out) {
        self.catalog = catalog;
        let ids: Vec<_> = self.active.keys().copied().collect();
        for id in ids {
            let limit = self.catalog.snapshot.limit(id).cloned();
            let same = self.active.get(&id).zip(limit.as_ref());
            if same.is_some_and(|(active, limit)| Arc::ptr_eq(&active.limit, limit)) {
                continue;
            }
            match limit {
                Some(limit) => self.set(now, limit, out),
                None => self.forget(now, id, out),
            }
        }
        out.sends.extend(self.leader.take_pushes(now.us));
    }

    pub(super) fn forget(&mut self, now: Now, id: LimitId, out: &mut Out) {
        if let Some(Active { lent: Lent::Window(windowed), .. }) = self.active.get_mut(&id) {
            windowed.close();
            self.settle(now, id, None, out);
        }
        match self.active.remove(&id) {
            Some(Active { lent: Lent::Window(windowed), .. }) => {
                if let Some(end) = windowed.ends_ms() {
                    self.ends.remove(&(end, id));
                }
            }
            Some(Active { of, lent: Lent::Lease, .. }) => self.leader.remove(now.us, of),
            None => {}
        }
    }
}
