//! Limits are changed, begun anew, deleted and made while everything runs.

use super::{
    super::{
        oracle::OLD_LIMIT_US,
        plan::{CONFIG_US, MS},
    },
    Event, World,
};
use domain::{
    id::LimitId,
    limit::{LeaseOf, supply::Supply},
};
use uuid::Uuid;

impl World {
    pub(super) fn change(&mut self, limit: usize, percent: u64) {
        // Of what is set aside, a node that never needed it would have more after a raise.
        if self.gone[limit] || self.plan.rules[limit].aside {
            return;
        }
        let part = |it: u64| (it * percent / 100).max(1);
        let (of, _) = self.limits[limit];
        let supply = match self.plan.rules[limit].supply {
            Supply::Flow { rate_nano, burst_milli } => {
                let largest = self.plan.rules[limit].cost.1;
                Supply::Flow {
                    rate_nano: part(rate_nano),
                    burst_milli: part(burst_milli).max(largest),
                }
            }
            Supply::Seats { total_milli } | Supply::Window { total_milli } => {
                Supply::Seats { total_milli: (part(total_milli) / 1_000).max(1) * 1_000 }
            }
        };
        self.limits[limit] = (of, supply);
        self.oracles[limit].change(self.now_us, supply);
        self.after(OLD_LIMIT_US, Event::Changed { limit });
        self.configure(limit);
    }

    pub(super) fn reset(&mut self, limit: usize) {
        if self.gone[limit] {
            return;
        }
        self.limits[limit].0.generation += 1;
        let (of, supply) = self.limits[limit];
        self.oracles[limit].reset(self.now_us, of, supply);
        self.configure(limit);
    }

    fn configure(&mut self, limit: usize) {
        let (of, supply) = self.limits[limit];
        let (now_us, aside_ppm) = (self.now_us, self.plan.rules[limit].aside_ppm());
        for it in self.chiefs.iter_mut().filter(|it| it.alive && it.renews) {
            it.leader.set(it.clock.at(now_us), of, supply, aside_ppm);
        }
        self.tell(limit);
    }

    /// A limit is deleted; after a while there is another like it.
    pub(super) fn replace(&mut self, limit: usize, for_us: u64) {
        if std::mem::replace(&mut self.gone[limit], true) {
            return;
        }
        let (of, now_us) = (self.limits[limit].0, self.now_us);
        for it in self.chiefs.iter_mut().filter(|it| it.alive && it.renews) {
            it.leader.remove(it.clock.at(now_us), of);
        }
        self.tell(limit);
        let at_us = (now_us + for_us).min(self.plan.calm_us).max(now_us);
        self.at(at_us, Event::Create { limit });
    }

    /// A limit that no leader has seen before: nobody was lent anything of it.
    pub(super) fn create(&mut self, limit: usize) {
        self.gone[limit] = false;
        let next = self.limits[limit].0.limit.uuid().as_u128() + 0x1_0000;
        let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(next)), generation: 1 };
        self.limits[limit].0 = of;
        let (supply, aside_ppm) = (self.limits[limit].1, self.plan.rules[limit].aside_ppm());
        let now_us = self.now_us;
        self.oracles[limit].reset(now_us, of, supply);
        for it in self.chiefs.iter_mut().filter(|it| it.alive && it.renews) {
            it.leader.begin(it.clock.at(now_us), of, supply, aside_ppm);
        }
        self.tell(limit);
    }

    /// The configuration comes to the nodes.
    fn tell(&mut self, limit: usize) {
        let last = self.chiefs.len() - 1;
        self.push(last);
        for node in 0..self.nodes.len() {
            let wait = self.dice.within(MS, CONFIG_US);
            self.after(wait, Event::Configure { node, limit });
        }
    }
}
