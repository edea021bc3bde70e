//! Two nodes, one limit, and every message in the hand of the test.

use super::{ideal::Ideal, plan::line};
use domain::{
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        bucket::Plain,
        hold::{Applied, Head, Hold},
        lease::{
            leader::{Heard, Leader, Start},
            mutant::Mutant,
            node::Lease,
            session::{Session, Verdict},
        },
        message::{Grants, Sync},
        supply::Supply,
    },
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// One node.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) holder: Holder,
    pub(crate) session: Session,
    pub(crate) lease: Lease<Plain>,
}

/// All clocks show the same.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) now_us: u64,
    pub(crate) of: LeaseOf,
    pub(crate) supply: Supply,
    pub(crate) leader: Leader,
    pub(crate) nodes: Vec<Seat>,
    pub(crate) ideal: Ideal,
    pushes: Vec<(Holder, Grants)>,
    mutant: Option<Mutant>,
    count: u64,
}

impl Bench {
    pub(crate) fn new(supply: Supply, mutant: Option<Mutant>) -> Self {
        let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(7)), generation: 1 };
        let now_us = 1_000_000_000;
        let seat = |it: u128| {
            let proxy = ProxyId::from_uuid(Uuid::from_u128(it));
            let holder = Holder { proxy, boot: Uuid::from_u128(it) };
            let mut session = Session::new();
            let mut lease = Lease::new(of, supply, 1, now_us);
            break_node(&mut session, &mut lease, mutant);
            Seat { holder, session, lease }
        };
        let mut bench = Self {
            now_us,
            of,
            supply,
            leader: Leader::new(now_us, 1, Start::Fresh),
            nodes: vec![seat(1), seat(2)],
            ideal: Ideal::new(now_us, line(supply)),
            pushes: Vec::new(),
            mutant,
            count: 0,
        };
        break_leader(&mut bench.leader, mutant);
        bench.leader.set(now_us, of, supply, 0);
        bench
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let end_us = self.now_us + ms * 1_000;
        while self.now_us < end_us {
            self.now_us = end_us.min(self.now_us + 50_000);
            self.pushes.extend(self.leader.tick(self.now_us));
        }
    }

    /// The leader dies, and another begins.
    pub(crate) fn elect(&mut self) {
        let recorded: BTreeSet<_> = self.nodes.iter().map(|it| it.holder).collect();
        let epoch = self.leader.epoch() + 1;
        self.leader = Leader::new(self.now_us, epoch, Start::Learning { recorded });
        break_leader(&mut self.leader, self.mutant);
        self.leader.set(self.now_us, self.of, self.supply, 0);
    }

    pub(crate) fn say(&mut self, node: usize) -> Sync {
        let it = &mut self.nodes[node];
        let entry = it.lease.entry(self.now_us);
        it.session.next(self.now_us, true, vec![entry], Vec::new())
    }

    pub(crate) fn up(&mut self, node: usize, sync: &Sync) -> Heard {
        self.leader.on_sync(self.now_us, self.nodes[node].holder, sync)
    }

    pub(crate) fn down(&mut self, node: usize, grants: &Grants) -> Option<Applied> {
        let it = &mut self.nodes[node];
        match it.session.on_grants(grants) {
            Verdict::Stale => None,
            Verdict::Hello(epoch) => {
                it.lease.on_epoch(self.now_us, epoch);
                None
            }
            Verdict::Current => {
                let grant = grants.grants.first()?;
                Some(it.lease.on_grant(self.now_us, Head::of(grants), grant))
            }
        }
    }

    /// A question and its answer, at once; a hello is followed by another.
    pub(crate) fn talk(&mut self, node: usize) -> Option<Applied> {
        let sync = self.say(node);
        match self.up(node, &sync) {
            Heard::Fine(grants) => self.down(node, &grants),
            Heard::Hello(grants) => {
                self.down(node, &grants);
                self.talk(node)
            }
            Heard::StepDown | Heard::Duplicate => None,
        }
    }

    /// What the leader pushes to a node.
    pub(crate) fn push(&mut self, node: usize) -> Option<Grants> {
        self.pushes.extend(self.leader.take_pushes(self.now_us));
        let holder = self.nodes[node].holder;
        let at = self.pushes.iter().position(|(it, _)| *it == holder)?;
        Some(self.pushes.remove(at).1)
    }

    /// Asks the leader until so much lies ready, at most so often.
    pub(crate) fn fetch(&mut self, node: usize, milli: u64, times: u64) {
        self.nodes[node].lease.want(milli);
        for _ in 0..times {
            self.talk(node);
        }
        self.nodes[node].lease.unwant(milli);
    }

    pub(crate) fn take(&mut self, node: usize, milli: u64) -> Option<Hold> {
        let hold = self.nodes[node].lease.take(self.now_us, milli).ok()?;
        self.count += 1;
        self.ideal.charge(self.now_us, self.count, milli);
        Some(hold)
    }

    /// How much was let through beyond the one bucket, in thousandths.
    pub(crate) fn over_milli(&self) -> i128 {
        (-self.ideal.level_milli(self.now_us)).max(0)
    }
}

#[cfg(feature = "mutants")]
fn break_node(session: &mut Session, lease: &mut Lease<Plain>, mutant: Option<Mutant>) {
    session.break_rule(mutant);
    lease.break_rule(mutant);
}

#[cfg(not(feature = "mutants"))]
fn break_node(_: &mut Session, _: &mut Lease<Plain>, _: Option<Mutant>) {}

#[cfg(feature = "mutants")]
fn break_leader(leader: &mut Leader, mutant: Option<Mutant>) {
    leader.break_rule(mutant);
}

#[cfg(not(feature = "mutants"))]
fn break_leader(_: &mut Leader, _: Option<Mutant>) {}
