//! Holders, leaders, a network and a database, in a time of their own.

#[path = "faults.rs"]
mod faults;
#[path = "oracle.rs"]
mod oracle;

use crate::{
    chance::Chance,
    ledger::{Judge, Rows, signed},
};
use domain::{
    catalog::Mode,
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        budget::{
            fund::{Drawn, Effect, Fund},
            message::{ChunkEntry, ChunkGrant, WindowId},
            node::Chunk,
        },
        hold::{Head, Hold, Short},
    },
};
use std::collections::BTreeMap;
use uuid::Uuid;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
const NODES: usize = 4;
/// How long a window lasts, where they roll over.
const WINDOW_US: u64 = 10 * SECOND;
/// From here on nothing goes wrong any more: a window begins.
const CALM_US: u64 = 20 * SECOND;
const END_US: u64 = 38 * SECOND;

/// What is tried.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    /// Whether messages of another epoch are left out.
    pub(crate) fenced: bool,
    /// Whether windows roll over; else it is a grant without end.
    pub(crate) rolls: bool,
    pub(crate) faults: bool,
    /// How probable it is in 100 ms that the database goes away.
    pub(crate) outages: f64,
    /// Which share of requests uses more than it held.
    pub(crate) excess: f64,
}

impl Default for Plan {
    fn default() -> Self {
        let mode = Mode::Strict;
        Self { mode, fenced: true, rolls: true, faults: true, outages: 0.004, excess: 0.0 }
    }
}

/// Which rule is broken, to see whether it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// A credit that comes twice is applied twice.
    CreditTwice,
    /// What is given back counts each time that it is heard.
    GiveBackTwice,
    /// A new chunk of the same run counts from 0 again.
    NumbersFromZero,
    /// The answer to a draw counts each time that it is heard.
    DrawnTwice,
    /// A draw that failed is taken for one that succeeded.
    FailedIsGot,
    /// What was lent beyond the row is never told to it.
    NothingOwed,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) spent_milli: u64,
    /// Of the last window: drawn, and neither spent nor anywhere.
    pub(crate) lost_milli: i64,
}

enum Event {
    Request(Holder),
    Settle(Holder, u64),
    Look(Holder),
    Renew(Holder),
    ToLeader { leader: usize, from: Holder, epoch: u64, sent_us: u64, entry: ChunkEntry },
    ToNode { to: Holder, head: Head, grant: ChunkGrant, hello: bool },
    Database { leader: usize, effect: Effect },
    Drawn { leader: usize, window: WindowId, drawn: Drawn },
    OweFailed { leader: usize, window: WindowId, milli: u64 },
    Tick(usize),
    Roll(usize, WindowId),
    StepDown(usize),
    Chaos,
}

struct Node {
    chunk: Chunk,
    epoch: u64,
    clock_us: u64,
    held: BTreeMap<u64, (WindowId, Hold)>,
    /// When what it said last arrives.
    arrives_us: u64,
    /// What waits, and until when.
    waiting: Vec<(u64, u64)>,
}

struct Leader {
    fund: Fund,
    epoch: u64,
    clock_us: u64,
    /// Neither crashed nor stepped down.
    alive: bool,
    crashed: bool,
    /// When what was heard last was sent, by its holder's clock.
    newest_us: BTreeMap<Holder, u64>,
    block_milli: u64,
    owing_milli: u64,
}

pub(crate) struct World {
    now: u64,
    count: u64,
    queue: BTreeMap<(u64, u64), Event>,
    chance: Chance,
    plan: Plan,
    broken: Broken,
    total: u64,
    /// Greatest request, in thousandths; 1,000: all are one request.
    largest: u64,
    nodes: BTreeMap<Holder, Node>,
    leaders: Vec<Leader>,
    rows: Rows,
    judge: Judge,
    /// What was lent to holders that were gone, or by leaders that were.
    stray: BTreeMap<(WindowId, Holder, u64), u64>,
}

const OF: fn() -> LeaseOf =
    || LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(1)), generation: 0 };

impl World {
    /// Runs one seed to its end.
    pub(crate) fn run(seed: u64, plan: &Plan, broken: Broken) -> Result<Outcome, String> {
        let mut chance = Chance::new(seed);
        let requests = chance.between(40, 200);
        let largest = if chance.happens(0.5) { 1_000 } else { chance.between(2, 40) * 1_000 };
        let total = requests * (largest + 1_000) / 2;
        let mut world = Self {
            now: 0,
            count: 0,
            queue: BTreeMap::new(),
            chance,
            plan: plan.clone(),
            broken,
            total,
            largest,
            nodes: BTreeMap::new(),
            leaders: Vec::new(),
            rows: Rows::default(),
            judge: Judge::default(),
            stray: BTreeMap::new(),
        };
        (0..NODES).for_each(|_| world.join());
        world.elect();
        if plan.faults {
            world.at(100 * MS, Event::Chaos);
        }
        while let Some(((now, _), event)) = world.queue.pop_first() {
            if END_US < now {
                break;
            }
            world.now = now;
            world.step(event);
            world.check().map_err(|wrong| format!("at {now} us: {wrong}"))?;
        }
        world.check_used_up()
    }

    fn after(&mut self, us: u64, event: Event) {
        self.at(self.now + us, event);
    }

    fn at(&mut self, us: u64, event: Event) {
        self.count += 1;
        self.queue.insert((us, self.count), event);
    }

    fn faulty(&self) -> bool {
        self.plan.faults && self.now < CALM_US
    }

    fn window(&self) -> (WindowId, Option<u64>) {
        if !self.plan.rolls {
            return (WindowId(0), None);
        }
        // The last window is long enough to be used up.
        let (number, end) = match self.now / WINDOW_US {
            number @ 0..2 => (number, (number + 1) * WINDOW_US),
            _ => (2, 2 * END_US),
        };
        (WindowId(i64::try_from(number).unwrap() + 1), Some(end - self.now))
    }

    fn join(&mut self) {
        let boot = Uuid::from_u128(u128::from(self.chance.next()));
        let holder = Holder { proxy: ProxyId::from_uuid(boot), boot };
        let clock_us = self.chance.between(1, 1_000 * SECOND);
        let chunk = Chunk::new(OF(), self.total, self.now + clock_us);
        let (held, waiting) = (BTreeMap::new(), Vec::new());
        let node = Node { chunk, epoch: 0, clock_us, held, arrives_us: 0, waiting };
        self.nodes.insert(holder, node);
        self.after(1, Event::Request(holder));
        self.after(2 * SECOND, Event::Renew(holder));
    }

    fn elect(&mut self) {
        let epoch = self.leaders.len() as u64 + 1;
        let clock_us = self.chance.between(1, 1_000 * SECOND);
        let fund = Fund::new(OF(), self.total, self.plan.mode);
        let newest_us = BTreeMap::new();
        let (alive, crashed, block_milli, owing_milli) = (true, false, 0, 0);
        self.leaders.push(Leader {
            fund,
            epoch,
            clock_us,
            alive,
            crashed,
            newest_us,
            block_milli,
            owing_milli,
        });
        let leader = self.leaders.len() - 1;
        self.after(1, Event::Roll(leader, self.window().0));
        self.after(1, Event::Tick(leader));
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Request(holder) => self.request(holder),
            Event::Settle(holder, number) => self.settle(holder, number),
            Event::Look(holder) => self.look(holder),
            Event::Renew(holder) => {
                if self.nodes.contains_key(&holder) {
                    self.say(holder);
                    let jitter = self.chance.between(0, 400 * MS);
                    self.after(1_800 * MS + jitter, Event::Renew(holder));
                }
            }
            Event::ToLeader { leader, from, epoch, sent_us, entry } => {
                self.hear(leader, from, epoch, sent_us, entry);
            }
            Event::ToNode { to, head, grant, hello } => self.apply(to, head, grant, hello),
            Event::Database { leader, effect } => self.database(leader, &effect),
            Event::Drawn { leader, window, drawn } => {
                let us = self.now + self.leaders[leader].clock_us;
                if !self.leaders[leader].crashed {
                    let effects = self.leaders[leader].fund.on_drawn(us, window, drawn);
                    self.carry_out(leader, effects, None);
                }
            }
            Event::OweFailed { leader, window, milli } => {
                if self.leaders[leader].alive {
                    self.leaders[leader].fund.on_owe_failed(window, milli);
                    self.weigh(leader);
                }
            }
            Event::Tick(leader) => {
                if self.leaders[leader].alive {
                    let us = self.now + self.leaders[leader].clock_us;
                    let effects = self.leaders[leader].fund.tick(us);
                    self.carry_out(leader, effects, None);
                    self.after(50 * MS, Event::Tick(leader));
                }
            }
            Event::Roll(leader, window) => self.roll(leader, window),
            Event::StepDown(leader) => self.step_down(leader),
            Event::Chaos => self.chaos(),
        }
    }

    fn roll(&mut self, leader: usize, asked: WindowId) {
        let (window, left) = self.window();
        if !self.leaders[leader].alive || window < asked {
            return;
        }
        let most = signed(self.total);
        let seen = self.judge.at(window);
        seen.most = seen.most.max(most);
        let us = self.now + self.leaders[leader].clock_us;
        let before = self.leaders[leader].fund.status(us);
        if let Some(before_window) = before.window.filter(|it| *it != window) {
            self.judge.at(before_window).lost_owing += signed(before.owing_milli);
        }
        let effects = self.leaders[leader].fund.open(us, window, left);
        self.carry_out(leader, effects, None);
        if let Some(left) = left {
            let late = self.chance.between(0, 100 * MS);
            self.after(left + late, Event::Roll(leader, WindowId(window.0 + 1)));
        }
    }

    fn request(&mut self, holder: Holder) {
        let milli = self.chance.between(1, self.largest / 1_000) * 1_000;
        let milli = if self.largest == 1_000 { 1_000 } else { milli };
        if !self.nodes.contains_key(&holder) {
            return;
        }
        match self.take(holder, milli) {
            Ok(()) => {}
            Err(Short::Ask) => {
                let node = self.nodes.get_mut(&holder).unwrap();
                node.chunk.want(milli);
                node.waiting.push((milli, self.now + 50 * MS));
                self.after(50 * MS, Event::Look(holder));
            }
            Err(Short::Denied { .. } | Short::TooLarge { .. }) => {
                let node = self.nodes.get_mut(&holder).unwrap();
                node.chunk.refused(self.now + node.clock_us, milli);
            }
        }
        self.look(holder);
        // About twice what there is, in seven seconds.
        let requests = self.total * 2 / (self.largest + 1_000);
        let pause = self.chance.between(1, 7 * SECOND * NODES as u64 / requests);
        self.after(pause, Event::Request(holder));
    }

    fn take(&mut self, holder: Holder, milli: u64) -> Result<(), Short> {
        let node = self.nodes.get_mut(&holder).unwrap();
        let hold = node.chunk.take(self.now + node.clock_us, milli)?;
        let window = node.chunk.window().unwrap();
        self.judge.at(window).spent += signed(milli);
        self.count += 1;
        let number = self.count;
        node.held.insert(number, (window, hold));
        let lasts = self.chance.between(5 * MS, 2 * SECOND);
        self.after(lasts, Event::Settle(holder, number));
        Ok(())
    }

    fn settle(&mut self, holder: Holder, number: u64) {
        let Some(node) = self.nodes.get_mut(&holder) else { return };
        let Some((window, hold)) = node.held.remove(&number) else { return };
        let taken = hold.taken_milli();
        let used = match () {
            () if self.chance.happens(self.plan.excess) => taken * 2,
            () if self.largest == 1_000 => taken,
            () => self.chance.between(taken / 4, taken),
        };
        let seen = self.judge.at(window);
        seen.spent += signed(used) - signed(taken);
        seen.excess += signed(used.saturating_sub(taken));
        if node.chunk.window() != Some(window) {
            seen.lost_debt += signed(used.saturating_sub(taken));
        }
        let us = self.now + node.clock_us;
        match used {
            0 => node.chunk.undo(us, hold),
            _ => node.chunk.settle(us, hold, used),
        }
        self.look(holder);
    }

    /// Lets go on who waits, gives up who waited too long, and asks if that is due.
    fn look(&mut self, holder: Holder) {
        let Some(node) = self.nodes.get_mut(&holder) else { return };
        for (milli, until) in std::mem::take(&mut node.waiting) {
            let node = self.nodes.get_mut(&holder).unwrap();
            node.chunk.unwant(milli);
            match self.take(holder, milli) {
                Ok(()) => {}
                Err(Short::Ask) if self.now < until => {
                    let node = self.nodes.get_mut(&holder).unwrap();
                    node.chunk.want(milli);
                    node.waiting.push((milli, until));
                }
                Err(_) => {
                    let node = self.nodes.get_mut(&holder).unwrap();
                    node.chunk.refused(self.now + node.clock_us, milli);
                }
            }
        }
        let node = self.nodes.get_mut(&holder).unwrap();
        if node.chunk.should_ask(self.now + node.clock_us) {
            self.say(holder);
        }
    }

    fn say(&mut self, holder: Holder) {
        let node = self.nodes.get_mut(&holder).unwrap();
        let us = self.now + node.clock_us;
        let entry = node.chunk.entry(us);
        if let Some(window) = entry.window {
            self.judge.at(window).lost_debt += signed(entry.owed_milli);
        }
        let epoch = node.epoch;
        // Without fences some still speak with a leader that was replaced.
        let newest = self.leaders.len() - 1;
        let older = !self.plan.fenced && 0 < newest && self.chance.happens(0.2);
        let leader = if older { newest - 1 } else { newest };
        for delay in self.ways() {
            let entry = entry.clone();
            let event = Event::ToLeader { leader, from: holder, epoch, sent_us: us, entry };
            // Where nothing goes wrong, nothing is overtaken on its way.
            let node = self.nodes.get_mut(&holder).unwrap();
            let first_us = if self.plan.faults { 0 } else { node.arrives_us };
            node.arrives_us = first_us.max(self.now + delay);
            let at_us = node.arrives_us;
            self.at(at_us, event);
        }
    }

    /// How long a message is on its way: not at all if it is lost, twice if it is doubled.
    fn ways(&mut self) -> Vec<u64> {
        let count = match () {
            () if self.faulty() && self.chance.happens(0.05) => 0,
            () if self.plan.faults && self.chance.happens(0.08) => 2,
            () => 1,
        };
        let way = |world: &mut Self| match world.faulty() && world.chance.happens(0.04) {
            true => world.chance.between(0, 9 * SECOND),
            false => world.chance.between(300, 4 * MS),
        };
        (0..count).map(|_| way(self)).collect()
    }

    fn hear(&mut self, leader: usize, from: Holder, epoch: u64, sent_us: u64, entry: ChunkEntry) {
        let here = &mut self.leaders[leader];
        if !here.alive {
            return;
        }
        let us = self.now + here.clock_us;
        if self.plan.fenced && here.epoch < epoch {
            self.step_down(leader);
            return;
        }
        if self.plan.fenced && epoch < here.epoch {
            let head = Head { epoch: here.epoch, stamp_us: us, reply_to_us: None, ttl_us: 0 };
            let grant = nothing();
            for delay in self.ways() {
                let grant = grant.clone();
                self.after(delay, Event::ToNode { to: from, head, grant, hello: true });
            }
            return;
        }
        // The session numbers what a holder says; what is older than the newest is left out.
        let newest = here.newest_us.entry(from).or_default();
        if self.plan.fenced && sent_us < *newest {
            return;
        }
        *newest = sent_us;
        let mut entry = entry;
        if self.broken == Broken::GiveBackTwice && 0 < entry.give_back_milli {
            self.count += 1;
            entry.give_back_seq += self.count * 1_000_000_000;
        }
        let effects = here.fund.on_entry(us, from, &entry);
        self.carry_out(leader, effects, Some((from, sent_us)));
    }

    fn carry_out(&mut self, leader: usize, effects: Vec<Effect>, reply: Option<(Holder, u64)>) {
        let stamp_us = self.now + self.leaders[leader].clock_us;
        let epoch = self.leaders[leader].epoch;
        self.weigh(leader);
        for effect in effects {
            match effect {
                Effect::Send { holder, grant } => {
                    let reply_to_us = reply.filter(|(to, _)| *to == holder).map(|(_, us)| us);
                    let head = Head { epoch, stamp_us, reply_to_us, ttl_us: 0 };
                    for delay in self.ways() {
                        let grant = grant.clone();
                        self.after(delay, Event::ToNode { to: holder, head, grant, hello: false });
                    }
                }
                Effect::Owe { .. } if self.broken == Broken::NothingOwed => {}
                effect @ (Effect::Draw { .. } | Effect::PutBack { .. } | Effect::Owe { .. }) => {
                    if let Effect::Owe { window, milli } = effect {
                        self.judge.at(window).lost_owing += signed(milli);
                    }
                    let delay = self.chance.between(MS, 6 * MS);
                    self.after(delay, Event::Database { leader, effect });
                }
            }
        }
    }

    /// Looks at what a leader has, when that may have changed.
    fn weigh(&mut self, leader: usize) {
        let here = &mut self.leaders[leader];
        let status = here.fund.status(self.now + here.clock_us);
        (here.block_milli, here.owing_milli) = (status.block_milli, status.owing_milli);
    }

    fn database(&mut self, leader: usize, effect: &Effect) {
        let silent = self.rows.away || (self.faulty() && self.chance.happens(0.03));
        let done = !self.rows.away && (!silent || self.chance.happens(0.5));
        let delay = self.chance.between(MS, 6 * MS);
        match *effect {
            Effect::Draw { window, want_milli } => {
                let mut drawn = match done {
                    true => self.rows.draw(window, want_milli, self.total),
                    false => Drawn::Failed,
                };
                let row_granted_milli = self.rows.granted(window);
                match (silent, self.broken) {
                    (true, Broken::FailedIsGot) => {
                        drawn = Drawn::Got { milli: want_milli, row_granted_milli };
                    }
                    (true, _) => drawn = Drawn::Failed,
                    (false, _) => {}
                }
                let times = if self.broken == Broken::DrawnTwice { 2 } else { 1 };
                for _ in 0..times {
                    self.after(delay, Event::Drawn { leader, window, drawn });
                }
            }
            Effect::PutBack { window, milli } => {
                // Twice broken is not tried: the row would go below nothing.
                if done && milli <= self.rows.granted(window) {
                    self.rows.put_back(window, milli);
                }
            }
            Effect::Owe { window, milli } => {
                if done {
                    self.rows.owe(window, milli);
                    self.judge.at(window).lost_owing -= signed(milli);
                }
                if silent {
                    self.after(delay, Event::OweFailed { leader, window, milli });
                }
            }
            Effect::Send { .. } => {}
        }
    }

    fn apply(&mut self, to: Holder, head: Head, grant: ChunkGrant, hello: bool) {
        let Some(node) = self.nodes.get_mut(&to) else {
            // Somebody who is gone asked late.
            self.stray.insert((grant.window, to, grant.seq), grant.credit_milli);
            return;
        };
        let us = self.now + node.clock_us;
        if hello {
            if node.epoch < head.epoch {
                node.epoch = head.epoch;
                node.chunk.on_epoch(us, head.epoch);
                self.say(to);
            }
            return;
        }
        if self.plan.fenced && node.epoch != head.epoch {
            // So did somebody who asked a leader that was replaced.
            self.stray.insert((grant.window, to, grant.seq), grant.credit_milli);
            return;
        }
        let mut grant = grant;
        let again = grant.seq <= node.chunk.view(us).seq;
        if self.broken == Broken::CreditTwice && again && 0 < grant.credit_milli {
            grant.seq = node.chunk.view(us).seq + 1;
        }
        let _ = node.chunk.on_grant(us, head, &grant);
        self.look(to);
    }
}

/// What is said by a leader that only wants its epoch to be adopted.
fn nothing() -> ChunkGrant {
    ChunkGrant {
        of: OF(),
        window: WindowId(i64::MIN),
        left_us: None,
        seq: 0,
        credit_milli: 0,
        denied: None,
        call_in: false,
        call_in_milli: 0,
        free_milli: 0,
        used_ppm: 0,
    }
}
