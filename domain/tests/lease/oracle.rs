//! What must hold at every moment, of one limit.

use super::{
    ideal::{Ideal, Line},
    plan::{CONFIG_US, line},
    world::World,
};
use domain::limit::{
    DRIFT_PPM, LeaseOf,
    bucket::Plain,
    fallback::Fallback,
    lease::{TTL_US, lendable, status::PoolStatus},
    supply::Supply,
};
use std::collections::BTreeMap;

/// After a cut what was lent may still be used for so long: until the configuration has
/// come to everybody, and what was lent by then is over. Counted from when there is a leader
/// that knows what is lent: one that still learns confirms what it is told.
pub(crate) const OLD_LIMIT_US: u64 = TTL_US + TTL_US * DRIFT_PPM / 500_000 + CONFIG_US;

/// One limit's ideal, and who runs what.
#[derive(Debug)]
pub(crate) struct Oracle {
    of: LeaseOf,
    kind: Kind,
    ideal: Ideal,
    /// Whether a share of it is set aside.
    aside: bool,
    /// Who owed how much when it was last looked.
    debts: BTreeMap<Debtor, u64>,
    /// What the configuration says; after a cut, the ideal follows it later.
    wanted: Line,
    changed_us: Option<u64>,
    /// From then on nobody may take by the limit before.
    cut_us: u64,
    /// What runs.
    running: BTreeMap<u64, Runs>,
}

/// A request that runs: on which node, by which lease, since when.
#[derive(Debug, Clone, Copy)]
struct Runs {
    node: usize,
    incarnation: u32,
    milli: u64,
    since_us: u64,
}

/// Who may owe something of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Debtor {
    /// A node in one of its runs, by one of its leases.
    Node { node: usize, boot: u64, incarnation: u32 },
    /// The leader of an epoch.
    Leader(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flow,
    Seats,
}

impl Oracle {
    pub(crate) fn new(of: LeaseOf, supply: Supply, aside: bool) -> Self {
        let kind = match supply {
            Supply::Seats { .. } => Kind::Seats,
            Supply::Flow { .. } | Supply::Window { .. } => Kind::Flow,
        };
        let wanted = line(supply);
        Self {
            of,
            kind,
            ideal: Ideal::new(0, wanted),
            aside,
            debts: BTreeMap::new(),
            wanted,
            changed_us: None,
            cut_us: 0,
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
            self.running.insert(id, Runs { node, incarnation, milli, since_us: now_us });
        }
    }

    /// `charged`: whoever settled it has a bucket that is charged with what was used beyond.
    pub(crate) fn settle(&mut self, now_us: u64, id: u64, used_milli: u64, charged: bool) {
        let Some(it) = self.running.remove(&id) else { return };
        self.ideal.settle(id, used_milli);
        if charged && self.kind == Kind::Flow && it.milli < used_milli {
            self.ideal.owe(now_us, used_milli - it.milli);
        }
    }

    /// Looks who owes what, and forgives what was lost with who owed it. (What a leader had
    /// heard of it, it takes over all the same: then less than all is spent.)
    pub(crate) fn watch(&mut self, now_us: u64, levels: &BTreeMap<Debtor, i64>) {
        for (who, milli) in std::mem::take(&mut self.debts) {
            if !levels.contains_key(&who) {
                self.ideal.forgive(now_us, milli);
            }
        }
        let owing = levels.iter().filter(|it| *it.1 < 0);
        self.debts = owing.map(|(who, level)| (*who, level.unsigned_abs())).collect();
    }

    pub(crate) const fn of(&self) -> LeaseOf {
        self.of
    }

    /// What runs on a node dies with it.
    pub(crate) fn crash(&mut self, node: usize) {
        self.running.retain(|_, it| it.node != node);
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

    /// Nobody can tell holders of a cut now: no leader is there, or it still learns.
    pub(crate) fn nobody_tells(&mut self, now_us: u64) {
        self.changed_us = self.changed_us.map(|_| now_us);
    }

    /// Whether a change is known to everybody by now.
    pub(crate) fn change_is_over(&mut self, now_us: u64) -> bool {
        if self.changed_us.is_some_and(|it| it + OLD_LIMIT_US <= now_us) {
            self.ideal.change(now_us, self.wanted);
            self.cut_us = now_us;
            self.changed_us = None;
        }
        self.changed_us.is_none()
    }

    pub(crate) fn reset(&mut self, now_us: u64, of: LeaseOf, supply: Supply) {
        *self =
            Self { ideal: Ideal::new(now_us, line(supply)), ..Self::new(of, supply, self.aside) };
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
    /// and that is in debt only as far as somebody is known to owe it.
    fn unspent(
        &self,
        world: &World,
        limit: usize,
        pool: Option<&PoolStatus>,
    ) -> Result<(), String> {
        let ideal = self.ideal.level_milli(world.now_us);
        let owed: i128 = self.debts.values().map(|it| i128::from(*it)).sum();
        if ideal + owed < 0 {
            return Err(format!("limit {limit}: {} let through beyond the ideal", -ideal));
        }
        let mut unspent = pool.map_or(0, |it| i128::from(it.free_milli));
        unspent += self.alone(world, limit);
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
            unspent += level;
        }
        if ideal < unspent {
            return Err(format!("limit {limit}: {unspent} unspent, the ideal has {ideal}"));
        }
        Ok(())
    }

    /// What nodes have for themselves of what is set aside: those that are up, and those
    /// that are still to come.
    fn alone(&self, world: &World, limit: usize) -> i128 {
        if !self.aside {
            return 0;
        }
        let (supply, proxies) = (world.limits[limit].1, world.plan.proxies());
        let cost = world.plan.rules[limit].cost.1;
        let whole = Fallback::<Plain>::new(supply, proxies, cost, 0);
        let whole = whole.map_or(0, |it| i128::from(it.level_milli(0)));
        let runs: u64 = world.nodes.iter().map(|it| it.boot).sum();
        let to_come = i128::from(proxies - runs) * whole;
        let up = world.nodes.iter().filter(|it| it.up).map(|node| {
            let mine =
                node.fallbacks[limit].as_ref().filter(|_| node.leases[limit].of() == self.of);
            mine.map_or(whole, |it| it.level_milli(node.clock.at(world.now_us)).into())
        });
        to_come + up.sum::<i128>()
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
        let mut line = self.ideal.line();
        if self.aside {
            let Line { rate_nano, burst_milli } = line;
            let ppm = world.plan.rules[limit].aside_ppm();
            line = super::plan::line(lendable(Supply::Flow { rate_nano, burst_milli }, ppm));
        }
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
    /// is not among them; after a cut, what began before it may end, and nothing begins.
    fn seats(&self, world: &World, limit: usize) -> Result<(), String> {
        let runs = |it: &&Runs| {
            let node = &world.nodes[it.node];
            let view = node.leases[limit].view(node.clock.at(world.now_us));
            node.up && view.live && view.incarnation == it.incarnation
        };
        let taken: u64 = self.running.values().filter(runs).map(|it| it.milli).sum();
        let began_us = self.running.values().filter(runs).map(|it| it.since_us).max();
        let seats = self.ideal.line().burst_milli;
        if seats < taken && began_us.is_some_and(|it| self.cut_us <= it) {
            return Err(format!("limit {limit}: {taken} taken of {seats} seats"));
        }
        Ok(())
    }
}

fn chief_epoch(world: &World) -> u64 {
    world.chief().map_or(0, |it| it.leader.epoch())
}
