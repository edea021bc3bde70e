//! A fleet, its leaders and the net between, event by event.

mod config;
mod look;

use super::{
    dice::Dice,
    node::{Clock, Node, Waiting, cost_of},
    oracle::Oracle,
    plan::{Fault, MS, Plan, S},
};
use domain::limit::{
    DRIFT_PPM, Holder, LeaseOf,
    lease::{
        leader::{Estate, Heard, Leader, Start},
        lendable,
        mutant::Mutant,
    },
    message::{Grants, Sync},
    supply::Supply,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// A leader leads so long after the database last said so.
const LEAD_US: u64 = 3 * S;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask { limit: usize },
    WaitOver { node: usize, boot: u64, id: u64 },
    Settle { node: usize, boot: u64, id: u64 },
    Renew { node: usize, boot: u64 },
    Speak { node: usize, boot: u64 },
    Up { chief: usize, node: usize, holder: Holder, message: usize },
    Down { node: usize, holder: Holder, message: usize },
    Tick { chief: usize },
    Fault { index: usize },
    Start { node: usize },
    Elect,
    Configure { node: usize, limit: usize },
    Changed { limit: usize },
    Create { limit: usize },
}

/// A control plane that leads, led, or believes that it does.
#[derive(Debug)]
pub(crate) struct Chief {
    pub(crate) leader: Leader,
    pub(crate) clock: Clock,
    alive: bool,
    /// It reaches the database.
    renews: bool,
    until_us: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now_us: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) chiefs: Vec<Chief>,
    pub(crate) oracles: Vec<Oracle>,
    /// What the configuration says.
    pub(crate) limits: Vec<(LeaseOf, Supply)>,
    /// Which of them there are not, for now.
    gone: Vec<bool>,
    recorded: BTreeSet<Holder>,
    /// What the last leader left, if it ended as planned.
    estate: Option<Estate>,
    asks: BTreeMap<u64, Vec<(usize, u64)>>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    ups: Vec<Sync>,
    downs: Vec<Grants>,
    dice: Dice,
    /// Who gets how much of the requests.
    weights: Vec<u64>,
    count: u64,
    mutant: Option<Mutant>,
    /// Nobody asks any more.
    pub(crate) closed: bool,
    pub(crate) messages: u64,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
}

impl World {
    pub(crate) fn new(plan: Plan, mutant: Option<Mutant>) -> Self {
        let mut dice = Dice::new(plan.seed ^ 0xABCD);
        let limits: Vec<_> = plan.rules.iter().map(|it| (it.of, it.supply)).collect();
        let nodes: Vec<_> =
            (0..plan.nodes).map(|it| Node::new(it, Clock::of(&mut dice), mutant)).collect();
        let oracles = plan.rules.iter().map(|it| Oracle::new(it.of, it.supply, it.aside)).collect();
        let weights = vec![1; plan.nodes];
        let mut world = Self {
            plan,
            now_us: 0,
            nodes,
            chiefs: Vec::new(),
            oracles,
            gone: vec![false; limits.len()],
            limits,
            recorded: BTreeSet::new(),
            estate: None,
            asks: BTreeMap::new(),
            events: BinaryHeap::new(),
            ups: Vec::new(),
            downs: Vec::new(),
            dice,
            weights,
            count: 0,
            mutant,
            closed: false,
            messages: 0,
            admitted: 0,
            refused: 0,
        };
        world.elect();
        (0..world.nodes.len()).for_each(|it| world.start(it));
        (0..world.limits.len()).for_each(|it| world.ask_later(it));
        for index in 0..world.plan.faults.len() {
            let at_us = world.plan.faults[index].0;
            world.at(at_us, Event::Fault { index });
        }
        world.shift();
        world
    }

    /// Runs until a moment; `Err`: what an oracle saw.
    pub(crate) fn run_until(&mut self, end_us: u64) -> Result<(), String> {
        while let Some(Reverse((at_us, _, _))) = self.events.peek() {
            if end_us < *at_us {
                break;
            }
            let Some(Reverse((at_us, _, event))) = self.events.pop() else { break };
            self.now_us = at_us;
            self.step(event);
            self.look().map_err(|it| format!("at {at_us} µs, after {event:?}: {it}"))?;
        }
        self.now_us = end_us;
        Ok(())
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at_us, self.count, event)));
    }

    fn after(&mut self, us: u64, event: Event) {
        self.at(self.now_us + us, event);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Ask { limit } => self.ask(limit),
            Event::WaitOver { node, boot, id } => self.wait_over(node, boot, id),
            Event::Settle { node, boot, id } => self.settle(node, boot, id),
            Event::Renew { node, boot } => self.renew(node, boot),
            Event::Speak { node, boot } => self.speak(node, boot),
            Event::Up { chief, node, holder, message } => self.up(chief, node, holder, message),
            Event::Down { node, holder, message } => self.down(node, holder, message),
            Event::Tick { chief } => self.tick(chief),
            Event::Fault { index } => self.fault(self.plan.faults[index].1),
            Event::Start { node } => self.start(node),
            Event::Elect => self.elect(),
            Event::Configure { node, limit } => {
                if !self.gone[limit] {
                    let (of, supply) = self.lent(limit);
                    self.nodes[node].configure(self.now_us, limit, of, supply);
                }
            }
            Event::Create { limit } => self.create(limit),
            Event::Changed { limit } => {
                if !self.oracles[limit].change_is_over(self.now_us) {
                    self.after(500 * MS, Event::Changed { limit });
                }
            }
        }
    }

    /// A node that stands still does everything later.
    fn is_paused(&mut self, node: usize, event: Event) -> bool {
        let until_us = self.nodes[node].paused_until_us;
        let paused = self.now_us < until_us;
        if paused {
            self.at(until_us, event);
        }
        paused
    }

    fn is_calm(&self) -> bool {
        self.plan.calm_us <= self.now_us
    }

    /// What of a limit is lent.
    fn lent(&self, limit: usize) -> (LeaseOf, Supply) {
        let (of, supply) = self.limits[limit];
        (of, lendable(supply, self.plan.rules[limit].aside_ppm()))
    }

    // Requests.

    fn ask_later(&mut self, limit: usize) {
        let demand = match self.plan.saturated && self.is_calm() {
            // Three times what there is, or as much as it was.
            true => self.plan.rules[limit].demand_millihertz.max(self.thrice(limit)),
            false => self.plan.rules[limit].demand_millihertz,
        };
        let wait = self.dice.wait(1_000_000_000 / demand.max(1));
        self.after(wait, Event::Ask { limit });
    }

    fn thrice(&self, limit: usize) -> u64 {
        let rule = &self.plan.rules[limit];
        let Supply::Flow { rate_nano, .. } = self.limits[limit].1 else { return 0 };
        let mean =
            (rule.cost.0 + rule.cost.1) / 2 * (rule.used_percent.0 + rule.used_percent.1) / 200;
        (rate_nano / 1_000 * 3 / mean.max(1)).min(60_000)
    }

    fn ask(&mut self, limit: usize) {
        if self.closed {
            return;
        }
        self.ask_later(limit);
        let total: u64 = self.weights.iter().sum();
        let mut at = self.dice.within(0, total - 1);
        let node = self.weights.iter().position(|it| {
            let here = at < *it;
            at = at.saturating_sub(*it);
            here
        });
        let node = node.unwrap_or(0);
        if !self.nodes[node].up || self.now_us < self.nodes[node].paused_until_us {
            return;
        }
        if self.gone[limit] {
            return;
        }
        let mut limits = vec![limit];
        if self.plan.joined && !self.is_calm() && self.dice.chance(300_000) {
            limits.push((limit + 1) % self.limits.len());
            limits.retain(|it| !self.gone[*it]);
            limits.sort_unstable();
            limits.dedup();
        }
        let asks = limits.into_iter().map(|it| {
            let largest = self.limits[it].1.largest_milli();
            (it, cost_of(&mut self.dice, &self.plan.rules[it], largest))
        });
        let asks: Vec<_> = asks.collect();
        self.count += 1;
        self.try_ask(node, Waiting { id: self.count, asks, short: 0, until_us: 0 }, None);
    }

    /// Tries all limits; waits for the one that is short, or gives up.
    /// `alone`: of this one it takes what the node has for itself.
    fn try_ask(&mut self, node: usize, mut waiting: Waiting, alone: Option<usize>) {
        let now_us = self.now_us;
        let boot = self.nodes[node].boot;
        let alone = alone.map(|it| (it, self.limits[it].1, self.plan.proxies()));
        match self.nodes[node].ask(now_us, waiting.id, &waiting.asks, alone) {
            Ok(parts) => {
                self.admitted += 1;
                for (limit, of, incarnation, milli) in &parts {
                    self.oracles[*limit].admit(
                        now_us,
                        waiting.id,
                        node,
                        (*of, *incarnation),
                        *milli,
                    );
                }
                let rule = &self.plan.rules[parts[0].0];
                let lasts = self.dice.within(rule.lasts_us.0, rule.lasts_us.1);
                self.asks.insert(waiting.id, parts.iter().map(|it| (it.0, it.3)).collect());
                self.after(lasts, Event::Settle { node, boot, id: waiting.id });
            }
            Err((short, why)) => {
                let first = waiting.until_us == 0;
                waiting.short = short;
                let asks = first || now_us < waiting.until_us;
                if !matches!(why, domain::limit::hold::Short::Ask) && first || !asks {
                    self.refuse(node, &waiting);
                    return;
                }
                if first {
                    waiting.until_us = now_us + 50 * MS;
                    self.after(50 * MS, Event::WaitOver { node, boot, id: waiting.id });
                }
                self.nodes[node].wait(waiting);
                self.speak_later(node);
            }
        }
    }

    fn refuse(&mut self, node: usize, it: &Waiting) {
        self.refused += 1;
        for (limit, milli) in it.asks.iter().filter(|(limit, _)| *limit == it.short) {
            self.nodes[node].refuse(self.now_us, *limit, *milli);
        }
    }

    fn wait_over(&mut self, node: usize, boot: u64, id: u64) {
        if self.nodes[node].boot != boot || !self.nodes[node].up {
            return;
        }
        if self.is_paused(node, Event::WaitOver { node, boot, id }) {
            return;
        }
        if let Some(index) = self.nodes[node].waiting.iter().position(|it| it.id == id) {
            let it = self.nodes[node].stop_waiting(index);
            // Nobody answered: what a node has for itself is for that.
            match self.plan.rules[it.short].aside {
                true => self.try_ask(node, it.clone(), Some(it.short)),
                false => self.refuse(node, &it),
            }
        }
    }

    fn retry(&mut self, node: usize) {
        let waiting: Vec<_> =
            (0..self.nodes[node].waiting.len()).map(|_| self.nodes[node].stop_waiting(0)).collect();
        for it in waiting {
            self.try_ask(node, it, None);
        }
    }

    fn settle(&mut self, node: usize, boot: u64, id: u64) {
        if self.nodes[node].boot != boot || !self.nodes[node].up {
            return;
        }
        if self.is_paused(node, Event::Settle { node, boot, id }) {
            return;
        }
        let rules = &self.plan.rules;
        let draw: Vec<_> =
            rules.iter().map(|it| self.dice.within(it.used_percent.0, it.used_percent.1)).collect();
        let used = |limit: usize, milli: u64| milli * draw[limit] / 100;
        self.nodes[node].settle(self.now_us, id, used);
        let local = self.nodes[node].clock.at(self.now_us);
        for (limit, milli) in self.asks.remove(&id).unwrap_or_default() {
            let charged = self.nodes[node].leases[limit].view(local).live;
            self.oracles[limit].settle(self.now_us, id, used(limit, milli), charged);
        }
    }

    // Talk.

    fn renew(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot || !self.nodes[node].up {
            return;
        }
        if self.is_paused(node, Event::Renew { node, boot }) {
            return;
        }
        let wait = self.dice.within(1_800 * MS, 2_200 * MS);
        self.after(wait, Event::Renew { node, boot });
        self.say(node, true);
    }

    fn speak_later(&mut self, node: usize) {
        let boot = self.nodes[node].boot;
        let Some(us) = self.nodes[node].says_in_us(self.now_us) else { return };
        let at_us = self.now_us + us.max(MS);
        let due_us = self.nodes[node].speaks_at_us;
        if due_us <= self.now_us || at_us < due_us {
            self.nodes[node].speaks_at_us = at_us;
            self.at(at_us, Event::Speak { node, boot });
        }
    }

    fn speak(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot || !self.nodes[node].up {
            return;
        }
        if !self.is_paused(node, Event::Speak { node, boot }) {
            self.say(node, false);
            self.speak_later(node);
        }
    }

    fn say(&mut self, node: usize, whole: bool) {
        let Some(sync) = self.nodes[node].say(self.now_us, whole) else { return };
        let (holder, chief) = (self.nodes[node].holder, self.nodes[node].chief);
        self.speak_later(node);
        let cut = self.now_us < self.nodes[node].no_up_until_us;
        self.ups.push(sync);
        let message = self.ups.len() - 1;
        self.send(cut, Event::Up { chief, node, holder, message });
    }

    /// Sends a message: it may come once, twice, late or never.
    fn send(&mut self, cut: bool, event: Event) {
        self.messages += 1;
        let (net, calm) = (self.plan.net, self.is_calm());
        if cut || (!calm && self.dice.chance(net.lost_ppm)) {
            return;
        }
        let copies = if !calm && self.dice.chance(net.twice_ppm) { 2 } else { 1 };
        for _ in 0..copies {
            let slow = !calm && self.dice.chance(net.slow_ppm);
            let wait = if slow {
                self.dice.within(MS, net.slow_us.max(MS))
            } else {
                self.dice.within(MS, 4 * MS)
            };
            self.after(wait, event);
        }
    }

    fn up(&mut self, chief: usize, node: usize, holder: Holder, message: usize) {
        let newest = self.chiefs.len() - 1;
        let zombie = self.mutant == Some(Mutant::Zombie);
        if !self.chiefs[chief].alive {
            self.nodes[node].chief = newest;
            return;
        }
        // A holder is recorded before anything is lent to it, which only the newest can do.
        if chief == newest {
            self.recorded.insert(holder);
        } else if !self.recorded.contains(&holder) && !zombie {
            self.nodes[node].chief = newest;
            return;
        }
        let local = self.chiefs[chief].clock.at(self.now_us);
        match self.chiefs[chief].leader.on_sync(local, holder, &self.ups[message]) {
            Heard::Hello(grants) | Heard::Fine(grants) => self.answer(node, holder, grants),
            Heard::Duplicate => {}
            Heard::StepDown => self.nodes[node].chief = newest,
        }
        self.push(chief);
    }

    fn push(&mut self, chief: usize) {
        let local = self.chiefs[chief].clock.at(self.now_us);
        for (holder, grants) in self.chiefs[chief].leader.take_pushes(local) {
            if let Some(node) = self.nodes.iter().position(|it| it.holder == holder) {
                self.answer(node, holder, grants);
            }
        }
    }

    fn answer(&mut self, node: usize, holder: Holder, grants: Grants) {
        let cut = self.now_us < self.nodes[node].no_down_until_us;
        self.downs.push(grants);
        let message = self.downs.len() - 1;
        self.send(cut, Event::Down { node, holder, message });
    }

    fn down(&mut self, node: usize, holder: Holder, message: usize) {
        if self.nodes[node].holder != holder || !self.nodes[node].up {
            return;
        }
        if self.is_paused(node, Event::Down { node, holder, message }) {
            return;
        }
        let (granted, whole) = self.nodes[node].hear(self.now_us, &self.downs[message]);
        if granted {
            self.retry(node);
        }
        if whole {
            self.say(node, true);
        }
        self.speak_later(node);
    }

    // Leaders.

    fn tick(&mut self, chief: usize) {
        if !self.chiefs[chief].alive {
            return;
        }
        self.after(50 * MS, Event::Tick { chief });
        let local = self.chiefs[chief].clock.at(self.now_us);
        if self.chiefs[chief].renews {
            // A second's rhythm would do; the bound is what counts.
            self.chiefs[chief].until_us = self.now_us + LEAD_US;
            self.chiefs[chief].leader.lead_until(local + LEAD_US - LEAD_US * DRIFT_PPM / 1_000_000);
        }
        for (holder, grants) in self.chiefs[chief].leader.tick(local) {
            if let Some(node) = self.nodes.iter().position(|it| it.holder == holder) {
                self.answer(node, holder, grants);
            }
        }
    }

    fn elect(&mut self) {
        let epoch = self.chiefs.len() as u64 + 1;
        let clock = Clock::of(&mut self.dice);
        let local = clock.at(self.now_us);
        let start = match self.chiefs.is_empty() {
            true => Start::Fresh,
            false => Start::Learning { recorded: self.recorded.clone() },
        };
        let mut leader = Leader::new(local, epoch, start);
        break_leader(&mut leader, self.mutant);
        self.estate.take().into_iter().for_each(|it| leader.inherit(it));
        for (limit, (of, supply)) in self.limits.iter().enumerate() {
            if !self.gone[limit] {
                leader.set(local, *of, *supply, self.plan.rules[limit].aside_ppm());
            }
        }
        let chief =
            Chief { leader, clock, alive: true, renews: true, until_us: self.now_us + LEAD_US };
        self.chiefs.push(chief);
        let chief = self.chiefs.len() - 1;
        self.after(0, Event::Tick { chief });
    }

    /// The leader that may lend, if there is one.
    pub(crate) fn chief(&self) -> Option<&Chief> {
        self.chiefs.last().filter(|it| it.alive && self.now_us < it.until_us)
    }

    // Faults.

    fn start(&mut self, node: usize) {
        let lent: Vec<_> = (0..self.limits.len()).map(|it| self.lent(it)).collect();
        self.nodes[node].start(self.now_us, node, &lent);
        self.nodes[node].chief = self.chiefs.len() - 1;
        let boot = self.nodes[node].boot;
        let wait = self.dice.within(0, 500 * MS);
        self.after(wait, Event::Renew { node, boot });
    }

    fn shift(&mut self) {
        for it in &mut self.weights {
            *it = self.dice.within(0, 3).pow(2);
        }
        let any = self.dice.within(0, self.weights.len() as u64 - 1) as usize;
        self.weights[any] += 2;
    }

    fn fault(&mut self, fault: Fault) {
        let calm_us = self.plan.calm_us;
        let until = |now_us: u64, for_us: u64| (now_us + for_us).min(calm_us);
        let now_us = self.now_us;
        match fault {
            Fault::Crash { node, for_us } => {
                if self.nodes[node].up {
                    self.nodes[node].up = false;
                    self.oracles.iter_mut().for_each(|it| it.crash(node));
                    self.at(until(now_us, for_us).max(now_us), Event::Start { node });
                }
            }
            Fault::Pause { node, for_us } => {
                self.nodes[node].paused_until_us = until(now_us, for_us);
            }
            Fault::Cut { node, up: true, for_us } => {
                self.nodes[node].no_up_until_us = until(now_us, for_us);
            }
            Fault::Cut { node, up: false, for_us } => {
                self.nodes[node].no_down_until_us = until(now_us, for_us);
            }
            Fault::LeaderCrash { for_us }
            | Fault::LeaderLeaves { for_us }
            | Fault::LeaderCut { for_us } => {
                let last = self.chiefs.last_mut().unwrap();
                if last.alive && last.renews {
                    last.renews = false;
                    last.alive = matches!(fault, Fault::LeaderCut { .. });
                    if let Fault::LeaderLeaves { .. } = fault {
                        let local = last.clock.at(now_us);
                        let gone = Leader::new(local, last.leader.epoch(), Start::Fresh);
                        self.estate = std::mem::replace(&mut last.leader, gone).leave(local);
                        if let Some(estate) = &self.estate {
                            self.recorded.clone_from(&estate.holders);
                        }
                    }
                    self.after(for_us, Event::Elect);
                }
            }
            Fault::Change { limit, percent } => self.change(limit, percent),
            Fault::Reset { limit } => self.reset(limit),
            Fault::Replace { limit, for_us } => self.replace(limit, for_us),
            Fault::Shift => self.shift(),
        }
    }
}

#[cfg(feature = "mutants")]
fn break_leader(leader: &mut Leader, mutant: Option<Mutant>) {
    leader.break_rule(mutant);
}

#[cfg(not(feature = "mutants"))]
fn break_leader(_: &mut Leader, _: Option<Mutant>) {}
