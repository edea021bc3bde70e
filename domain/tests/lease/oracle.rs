//! What must hold at every moment, of one limit.

use super::{
    ideal::{Ideal, Line},
    plan::line,
    world::World,
};
use domain::limit::{LeaseOf, lease::status::PoolStatus, supply::Supply};
use std::collections::BTreeMap;

/// One limit's ideal, and who runs what.
#[derive(Debug)]
pub(crate) struct Oracle {
    of: LeaseOf,
    kind: Kind,
    ideal: Ideal,
    /// What the configuration says; after a cut, the ideal follows it later.
    wanted: Line,
    changed_us: Option<u64>,
    /// What runs: on which node, by which lease.
    running: BTreeMap<u64, (usize, u32, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flow,
    Seats,
}

impl Oracle {
    pub(crate) fn new(of: LeaseOf, supply: Supply) -> Self {
        let kind = match supply {
            Supply::Seats { .. } => Kind::Seats,
            Supply::Flow { .. } | Supply::Window { .. } => Kind::Flow,
        };
        let wanted = line(supply);
        Self {
            of,
            kind,
            ideal: Ideal::new(0, wanted),
            wanted,
            changed_us: None,
            running: BTreeMap::new(),
        }
    }

    pub(crate) fn admit(
        &mut self,
        now_us: u64,
        id: u64,
        node: usize,
        (of, incarnation): (LeaseOf, u32),
        milli: u64,
    ) {
        if of == self.of {
            self.ideal.charge(now_us, id, milli);
            self.running.insert(id, (node, incarnation, milli));
        }
    }

    pub(crate) fn settle(&mut self, id: u64, used_milli: u64) {
        if self.running.remove(&id).is_some() {
            self.ideal.settle(id, used_milli);
        }
    }

    /// What runs on a node dies with it.
    pub(crate) fn crash(&mut self, node: usize) {
        self.running.retain(|_, it| it.0 != node);
    }

    /// A raise counts at once. After a cut, what is lent may still be used for a while.
    pub(crate) fn change(&mut self, now_us: u64, supply: Supply) {
        self.wanted = line(supply);
        self.changed_us = Some(now_us);
        let now = self.ideal.line();
        let line = Line {
            rate_nano: now.rate_nano.max(self.wanted.rate_nano),
            burst_milli: now.burst_milli.max(self.wanted.burst_milli),
        };
        self.ideal.change(now_us, line);
    }

    pub(crate) fn change_is_over(&mut self, now_us: u64) {
        if self.changed_us.is_some_and(|it| it + 30_000_000 <= now_us) {
            self.ideal.change(now_us, self.wanted);
            self.changed_us = None;
        }
    }

    pub(crate) fn reset(&mut self, now_us: u64, of: LeaseOf, supply: Supply) {
        *self = Self { ideal: Ideal::new(now_us, line(supply)), ..Self::new(of, supply) };
    }

    pub(crate) fn charged_since(&self, since_us: u64) -> u64 {
        self.ideal.charged_since(since_us)
    }

    /// All that must hold.
    pub(crate) fn look(&self, world: &World, limit: usize) -> Result<(), String> {
        let chief = world.chief();
        let pool = chief.and_then(|it| it.leader.status(it.clock.at(world.now_us), self.of));
        let pool = pool.filter(|it| !it.learning);
        self.owned(
            world,
            limit,
            pool.as_ref(),
            chief.is_some_and(|it| it.leader.is_learning(it.clock.at(world.now_us))),
        )?;
        match self.kind {
            Kind::Flow => {
                self.sums(world, limit, pool.as_ref())?;
                self.unspent(world, limit, pool.as_ref())
            }
            Kind::Seats => self.seats(world, limit),
        }
    }

    /// Oracles 1 and 3: all that is unspent together is no more than the one bucket has,
    /// and that is never in debt.
    fn unspent(
        &self,
        world: &World,
        limit: usize,
        pool: Option<&PoolStatus>,
    ) -> Result<(), String> {
        let ideal = self.ideal.level_milli(world.now_us);
        if ideal < 0 {
            return Err(format!("limit {limit}: {} let through beyond the ideal", -ideal));
        }
        let mut unspent = pool.map_or(0, |it| i128::from(it.free_milli));
        for node in world.nodes.iter().filter(|it| it.up) {
            let lease = &node.leases[limit];
            let view = lease.view(node.clock.at(world.now_us));
            if lease.of() != self.of || !view.live {
                continue;
            }
            let mut level = i128::from(view.level_milli);
            let sent = pool.and_then(|pool| {
                let known = |it: &&domain::limit::lease::status::LeaseStatus| {
                    it.holder == node.holder && it.incarnation == view.incarnation
                };
                let loan = pool.leases.iter().find(known)?;
                loan.sent.filter(|it| {
                    it.seq == view.seq + 1 && node.session.epoch() == chief_epoch(world)
                })
            });
            level += sent.map_or(0, |it| i128::from(it.credit_milli));
            unspent += level.max(0);
        }
        if ideal < unspent {
            return Err(format!("limit {limit}: {unspent} unspent, the ideal has {ideal}"));
        }
        Ok(())
    }

    /// Oracle 2: refills and rooms together are no more than the limit's.
    fn sums(&self, world: &World, limit: usize, pool: Option<&PoolStatus>) -> Result<(), String> {
        let (mut rate, mut cap) = pool.map_or((0, 0), |it| (it.own.rate_nano, it.own.cap_milli));
        for node in world.nodes.iter().filter(|it| it.up) {
            let lease = &node.leases[limit];
            let view = lease.view(node.clock.at(world.now_us));
            if lease.of() == self.of && view.live {
                rate += view.rate_nano;
                cap += view.cap_milli;
            }
        }
        let line = self.ideal.line();
        if line.rate_nano < rate || line.burst_milli < cap {
            return Err(format!("limit {limit}: rates {rate}, caps {cap} of {line:?}"));
        }
        Ok(())
    }

    /// What a node holds is lent to it, unless the leader does not know yet.
    fn owned(
        &self,
        world: &World,
        limit: usize,
        pool: Option<&PoolStatus>,
        learning: bool,
    ) -> Result<(), String> {
        let Some(pool) = pool.filter(|_| !learning) else { return Ok(()) };
        for (index, node) in world.nodes.iter().enumerate().filter(|(_, it)| it.up) {
            let lease = &node.leases[limit];
            let view = lease.view(node.clock.at(world.now_us));
            if lease.of() != self.of || !view.live {
                continue;
            }
            let loan = pool.leases.iter().find(|it| it.holder == node.holder);
            let lent = loan.filter(|it| it.incarnation == view.incarnation).map(|it| it.charged);
            let Some(lent) = lent else {
                return Err(format!(
                    "limit {limit}: node {index} holds what nobody lent: {view:?}"
                ));
            };
            if lent.rate_nano < view.rate_nano || lent.cap_milli < view.cap_milli {
                return Err(format!("limit {limit}: node {index} has {view:?}, lent is {lent:?}"));
            }
        }
        Ok(())
    }

    /// No more requests run under leases than there are seats. What outlived its lease
    /// is not among them.
    fn seats(&self, world: &World, limit: usize) -> Result<(), String> {
        let runs = |(node, incarnation, milli): &(usize, u32, u64)| {
            let node = &world.nodes[*node];
            let view = node.leases[limit].view(node.clock.at(world.now_us));
            let counts = node.up && view.live && view.incarnation == *incarnation;
            if counts { *milli } else { 0 }
        };
        let taken: u64 = self.running.values().map(runs).sum();
        let seats = self.ideal.line().burst_milli;
        if seats < taken {
            return Err(format!("limit {limit}: {taken} taken of {seats} seats"));
        }
        Ok(())
    }
}

fn chief_epoch(world: &World) -> u64 {
    world.chief().map_or(0, |it| it.leader.epoch())
}
