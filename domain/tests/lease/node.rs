//! A proxy in the simulator: the production leases, requests, and nothing else.

use super::{dice::Dice, plan::Rule};
use domain::{
    id::ProxyId,
    limit::{
        Holder, LeaseOf,
        bucket::Plain,
        fallback::Fallback,
        hold::{Applied, Head, Hold, Short},
        lease::{
            mutant::Mutant,
            node::Lease,
            session::{Session, Verdict},
        },
        message::{Grants, Sync},
        supply::Supply,
    },
};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// A clock that goes wrong by so much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    offset_us: u64,
    drift_ppm: i64,
}

impl Clock {
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let drift_ppm = dice.within(0, 1_000) as i64 - 500;
        Self { offset_us: 1_000_000_000 + dice.within(0, 10_000_000), drift_ppm }
    }

    /// What it shows at a true time.
    pub(crate) fn at(self, true_us: u64) -> u64 {
        let drift = i128::from(true_us) * i128::from(self.drift_ppm) / 1_000_000;
        (i128::from(self.offset_us) + i128::from(true_us) + drift) as u64
    }
}

/// What a running request holds, of which limits.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) parts: Vec<(usize, Held, u64)>,
}

/// What was taken, and from where.
#[derive(Debug)]
pub(crate) enum Held {
    Lease(Hold),
    Fallback,
}

/// A request that waits for the leader.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) asks: Vec<(usize, u64)>,
    /// The limit that was short, and by which lease it was asked for.
    pub(crate) short: usize,
    pub(crate) until_us: u64,
}

/// What was taken: of which limit, by which lease, how much.
pub(crate) type Taken = (usize, LeaseOf, u32, u64);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) holder: Holder,
    pub(crate) boot: u64,
    pub(crate) clock: Clock,
    pub(crate) up: bool,
    pub(crate) paused_until_us: u64,
    pub(crate) no_up_until_us: u64,
    pub(crate) no_down_until_us: u64,
    /// Which leader it talks to.
    pub(crate) chief: usize,
    /// When it is to look whether it has something to say.
    pub(crate) speaks_at_us: u64,
    pub(crate) session: Session,
    pub(crate) leases: Vec<Lease<Plain>>,
    /// What each has for itself when it can ask nobody, from when it first needed it.
    pub(crate) fallbacks: Vec<Option<Fallback<Plain>>>,
    pub(crate) running: BTreeMap<u64, Running>,
    pub(crate) waiting: VecDeque<Waiting>,
    mutant: Option<Mutant>,
}

impl Node {
    pub(crate) fn new(index: usize, clock: Clock, mutant: Option<Mutant>) -> Self {
        Self {
            holder: holder(index, 0),
            boot: 0,
            clock,
            up: true,
            paused_until_us: 0,
            no_up_until_us: 0,
            no_down_until_us: 0,
            chief: 0,
            speaks_at_us: 0,
            session: Session::new(),
            leases: Vec::new(),
            fallbacks: Vec::new(),
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            mutant,
        }
    }

    /// Starts anew, with nothing.
    pub(crate) fn start(&mut self, now_us: u64, index: usize, limits: &[(LeaseOf, Supply)]) {
        let boot = self.boot + 1;
        let chief = self.chief;
        *self = Self::new(index, self.clock, self.mutant);
        self.boot = boot;
        self.chief = chief;
        self.holder = holder(index, boot);
        break_session(&mut self.session, self.mutant);
        let local = self.clock.at(now_us);
        self.leases = limits.iter().map(|it| lease(*it, 1, local, self.mutant)).collect();
        self.fallbacks = limits.iter().map(|_| None).collect();
    }

    /// The configuration changed.
    pub(crate) fn configure(&mut self, now_us: u64, limit: usize, of: LeaseOf, supply: Supply) {
        let local = self.clock.at(now_us);
        let before = self.leases[limit].of();
        if before != of {
            self.waiting.retain(|it| it.short != limit);
            if before.limit != of.limit {
                // What runs under a limit that is gone is settled with nobody.
                let parts = self.running.values_mut().map(|it| &mut it.parts);
                parts.for_each(|it| it.retain(|part| part.0 != limit));
            }
            self.fallbacks[limit] = None;
            self.leases[limit] = lease((of, supply), 1, local, self.mutant);
        } else {
            self.leases[limit].set_supply(supply);
        }
    }

    /// Takes of all limits or of none, in their order. `alone`: of this one what the node
    /// has for itself, of a supply for so many proxies.
    pub(crate) fn ask(
        &mut self,
        now_us: u64,
        id: u64,
        asks: &[(usize, u64)],
        alone: Option<(usize, Supply, u64)>,
    ) -> Result<Vec<Taken>, (usize, Short)> {
        let local = self.clock.at(now_us);
        let mut parts: Vec<(usize, Held, u64)> = Vec::new();
        for (limit, milli) in asks {
            let taken = match alone.filter(|it| it.0 == *limit) {
                Some((_, supply, proxies)) => {
                    self.take_alone(local, *limit, supply, proxies, *milli)
                }
                None => self.leases[*limit].take(local, *milli).map(Held::Lease),
            };
            match taken {
                Ok(held) => parts.push((*limit, held, *milli)),
                Err(short) => {
                    for (limit, held, milli) in parts.into_iter().rev() {
                        self.undo(local, limit, held, milli);
                    }
                    return Err((*limit, short));
                }
            }
        }
        let told = parts.iter().map(|(limit, _, milli)| {
            let lease = &self.leases[*limit];
            (*limit, lease.of(), lease.view(local).incarnation, *milli)
        });
        let told = told.collect();
        self.running.insert(id, Running { parts });
        Ok(told)
    }

    fn take_alone(
        &mut self,
        local_us: u64,
        limit: usize,
        supply: Supply,
        proxies: u64,
        milli: u64,
    ) -> Result<Held, Short> {
        let fallback = &mut self.fallbacks[limit];
        if fallback.is_none() {
            *fallback = Fallback::new(supply, proxies, milli, local_us);
        }
        let fallback = fallback.as_mut().ok_or(Short::Ask)?;
        let taken = fallback.take(supply, proxies, milli, local_us);
        taken.map(|()| Held::Fallback).map_err(|_| Short::Ask)
    }

    fn undo(&mut self, local_us: u64, limit: usize, held: Held, milli: u64) {
        match (held, &mut self.fallbacks[limit]) {
            (Held::Lease(hold), _) => self.leases[limit].undo(local_us, hold),
            (Held::Fallback, Some(it)) => it.undo(milli, local_us),
            (Held::Fallback, None) => {}
        }
    }

    pub(crate) fn wait(&mut self, it: Waiting) {
        let milli = want_of(&it);
        self.leases[it.short].want(milli);
        self.waiting.push_back(it);
    }

    pub(crate) fn stop_waiting(&mut self, index: usize) -> Waiting {
        let it = self.waiting.remove(index).unwrap();
        self.leases[it.short].unwant(want_of(&it));
        it
    }

    pub(crate) fn refuse(&mut self, now_us: u64, limit: usize, milli: u64) {
        let local = self.clock.at(now_us);
        self.leases[limit].refused(local, milli);
    }

    pub(crate) fn settle(
        &mut self,
        now_us: u64,
        id: u64,
        used: impl Fn(usize, u64) -> u64,
    ) -> Vec<(usize, LeaseOf, u64)> {
        let local = self.clock.at(now_us);
        let Some(running) = self.running.remove(&id) else { return Vec::new() };
        let settle = |(limit, held, milli): (usize, Held, u64)| {
            let used = used(limit, milli);
            let of = self.leases[limit].of();
            match (held, &mut self.fallbacks[limit]) {
                (Held::Lease(hold), _) => self.leases[limit].settle(local, hold, used),
                (Held::Fallback, Some(it)) => it.settle(milli, used, local),
                (Held::Fallback, None) => {}
            }
            (limit, of, used)
        };
        running.parts.into_iter().map(settle).collect()
    }

    /// A message to the leader: of all leases, or of those that need something now.
    pub(crate) fn say(&mut self, now_us: u64, whole: bool) -> Option<Sync> {
        let local = self.clock.at(now_us);
        let tells = |it: &Lease<Plain>| match whole {
            true => it.view(local).live || it.should_ask(local),
            false => it.should_ask(local),
        };
        let entries: Vec<_> =
            self.leases.iter_mut().filter(|it| tells(it)).map(|it| it.entry(local)).collect();
        if !whole && entries.is_empty() {
            return None;
        }
        Some(self.session.next(local, whole, entries, Vec::new()))
    }

    /// When it has something to say, in true time from now.
    pub(crate) fn says_in_us(&self, now_us: u64) -> Option<u64> {
        let local = self.clock.at(now_us);
        let at = self.leases.iter().filter_map(|it| it.ask_at_us(local)).min()?;
        Some(at.saturating_sub(local))
    }

    /// Takes what the leader says; gives whether something may be had now, and whether all
    /// is to be told.
    pub(crate) fn hear(&mut self, now_us: u64, grants: &Grants) -> (bool, bool) {
        let local = self.clock.at(now_us);
        match self.session.on_grants(grants) {
            Verdict::Stale => (false, false),
            Verdict::Hello(epoch) => {
                self.leases.iter_mut().for_each(|it| it.on_epoch(local, epoch));
                (false, true)
            }
            Verdict::Current => {
                let mut granted = false;
                for grant in &grants.grants {
                    for lease in self.leases.iter_mut().filter(|it| it.of() == grant.of) {
                        granted |=
                            lease.on_grant(local, Head::of(grants), grant) == Applied::Granted;
                    }
                }
                (granted, false)
            }
        }
    }
}

fn want_of(it: &Waiting) -> u64 {
    it.asks.iter().find(|(limit, _)| *limit == it.short).map_or(0, |(_, milli)| *milli)
}

fn holder(index: usize, boot: u64) -> Holder {
    let proxy = ProxyId::from_uuid(Uuid::from_u128(index as u128 + 1));
    Holder { proxy, boot: Uuid::from_u128(u128::from(boot) + 1) }
}

fn lease(
    (of, supply): (LeaseOf, Supply),
    incarnation: u32,
    local_us: u64,
    mutant: Option<Mutant>,
) -> Lease<Plain> {
    let mut lease = Lease::new(of, supply, incarnation, local_us);
    break_lease(&mut lease, mutant);
    lease
}

#[cfg(feature = "mutants")]
fn break_lease(lease: &mut Lease<Plain>, mutant: Option<Mutant>) {
    lease.break_rule(mutant);
}

#[cfg(not(feature = "mutants"))]
fn break_lease(_: &mut Lease<Plain>, _: Option<Mutant>) {}

#[cfg(feature = "mutants")]
fn break_session(session: &mut Session, mutant: Option<Mutant>) {
    session.break_rule(mutant);
}

#[cfg(not(feature = "mutants"))]
fn break_session(_: &mut Session, _: Option<Mutant>) {}

/// A request of a limit as the plan has it.
pub(crate) fn cost_of(dice: &mut Dice, rule: &Rule, largest_milli: u64) -> u64 {
    let milli = dice.within(rule.cost.0, rule.cost.1);
    let milli = if milli < 1_000 || milli == rule.cost.0 { milli } else { milli / 10 * 10 };
    milli.min(largest_milli)
}
