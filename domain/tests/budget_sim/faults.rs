//! What goes wrong.

use super::{Broken, Event, MS, OF, SECOND, World};
use crate::ledger::signed;
use domain::{
    catalog::Mode,
    limit::{Holder, budget::node::Chunk},
};

impl World {
    pub(super) fn chaos(&mut self) {
        if !self.faulty() {
            self.rows.away = false;
            return;
        }
        let holders: Vec<_> = self.nodes.keys().copied().collect();
        let holder = holders[self.chance.next() as usize % holders.len()];
        if self.chance.happens(0.015) {
            self.lose_chunk(holder);
            self.nodes.remove(&holder);
            self.join();
        } else if self.chance.happens(0.03) {
            self.forget(holder);
        }
        if self.chance.happens(0.015) {
            self.replace_leader();
        }
        if self.chance.happens(0.01) {
            self.change_total();
        }
        match self.rows.away {
            false => self.rows.away = self.chance.happens(self.plan.outages),
            true => self.rows.away = !self.chance.happens(0.1),
        }
        self.after(100 * MS, Event::Chaos);
    }

    /// A debt that lies there is lost.
    fn lose_chunk(&mut self, holder: Holder) {
        let node = &self.nodes[&holder];
        let level = node.chunk.view(self.now + node.clock_us).level_milli;
        if let Some(window) = node.chunk.window() {
            self.judge.at(window).lost_debt += (-level).max(0);
        }
    }

    /// Gives a chunk back, and begins another one of the same run.
    fn forget(&mut self, holder: Holder) {
        let node = self.nodes.get_mut(&holder).unwrap();
        node.chunk.release();
        let waiting = std::mem::take(&mut node.waiting);
        waiting.iter().for_each(|(milli, _)| node.chunk.unwant(*milli));
        self.say(holder);
        self.lose_chunk(holder);
        let node = self.nodes.get_mut(&holder).unwrap();
        let from = match self.broken == Broken::NumbersFromZero {
            true => 0,
            false => self.now + node.clock_us,
        };
        node.chunk = Chunk::new(OF(), self.total, from);
    }

    fn replace_leader(&mut self) {
        let leader = self.leaders.len() - 1;
        // Some do not know that they were replaced.
        if self.chance.happens(0.6) || self.plan.mode == Mode::Availability {
            let us = self.now + self.leaders[leader].clock_us;
            let status = self.leaders[leader].fund.status(us);
            if let Some(window) = status.window {
                self.judge.at(window).lost_owing += signed(status.owing_milli);
            }
            match self.chance.happens(0.3) {
                true => self.step_down(leader),
                false => {
                    self.leaders[leader].alive = false;
                    self.leaders[leader].crashed = true;
                }
            }
        }
        self.after(3 * SECOND, Event::StepDown(leader));
        self.elect();
    }

    pub(super) fn step_down(&mut self, leader: usize) {
        if std::mem::take(&mut self.leaders[leader].alive) {
            let effects = self.leaders[leader].fund.close();
            self.carry_out(leader, effects, None);
        }
    }

    fn change_total(&mut self) {
        let units = self.total / 1_000;
        self.total = self.chance.between(units / 2 + self.largest / 1_000, units * 2) * 1_000;
        let (total, mode) = (self.total, self.plan.mode);
        let seen = self.judge.at(self.window().0);
        seen.most = seen.most.max(signed(total));
        self.nodes.values_mut().for_each(|node| node.chunk.set_total(total));
        for leader in 0..self.leaders.len() {
            let us = self.now + self.leaders[leader].clock_us;
            if self.leaders[leader].alive {
                let effects = self.leaders[leader].fund.set_total(us, total, mode);
                self.carry_out(leader, effects, None);
            }
        }
    }
}
