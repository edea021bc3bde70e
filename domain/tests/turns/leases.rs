//! Proxies with a lease each, their leader, and two milliseconds between them.

use domain::{
    id::{LimitId, ProxyId},
    limit::{
        Holder, LeaseOf,
        bucket::Plain,
        hold::{Head, Hold, Short},
        lease::{
            leader::{Heard, Leader, Start},
            node::Lease,
            session::{Session, Verdict},
        },
        message::{Grants, Sync},
        supply::Supply,
    },
};
use uuid::Uuid;

const MS: u64 = 1_000;
/// One way, in milliseconds; the one millisecond in which questions are gathered included.
const WAY: u64 = 2;
/// So long a request waits for an answer, in milliseconds.
const ANSWER: u64 = 50;

struct Node {
    holder: Holder,
    session: Session,
    lease: Lease<Plain>,
    renew_ms: u64,
}

enum Message {
    Up(usize, Sync),
    Down(usize, Grants),
}

pub(crate) struct Fleet {
    now_ms: u64,
    leader: Leader,
    nodes: Vec<Node>,
    /// What is on the way, and when it is there.
    way: Vec<(u64, Message)>,
}

impl Fleet {
    pub(crate) fn new(supply: Supply, count: u128) -> Self {
        let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(7)), generation: 1 };
        let now_ms = 1_000_000;
        let node = |it: u128| {
            let boot = Uuid::from_u128(it + 1);
            Node {
                holder: Holder { proxy: ProxyId::from_uuid(boot), boot },
                session: Session::new(),
                lease: Lease::new(of, supply, 1, now_ms * MS),
                renew_ms: now_ms + 7 * u64::try_from(it).unwrap(),
            }
        };
        let mut leader = Leader::new(now_ms * MS, 1, Start::Fresh);
        leader.set(now_ms * MS, of, supply, 0);
        let mut fleet =
            Self { now_ms, leader, nodes: (0..count).map(node).collect(), way: Vec::new() };
        fleet.pass_ms(50);
        fleet
    }

    fn now_us(&self) -> u64 {
        self.now_ms * MS
    }

    /// Asks as a request does: it waits for the leader's answer, but not for ever.
    pub(crate) fn ask(&mut self, node: usize, milli: u64) -> Result<Hold, Short> {
        let now_us = self.now_us();
        let first = self.nodes[node].lease.take(now_us, milli);
        if first != Err(Short::Ask) {
            return first;
        }
        self.nodes[node].lease.want(milli);
        let mut last = Err(Short::Ask);
        for _ in 0..ANSWER {
            self.pass_ms(1);
            let now_us = self.now_us();
            last = self.nodes[node].lease.take(now_us, milli);
            if last != Err(Short::Ask) {
                break;
            }
        }
        self.nodes[node].lease.unwant(milli);
        if last.is_err() {
            let now_us = self.now_us();
            self.nodes[node].lease.refused(now_us, milli);
        }
        last
    }

    pub(crate) fn settle(&mut self, node: usize, hold: Hold, used_milli: u64) {
        let now_us = self.now_us();
        self.nodes[node].lease.settle(now_us, hold, used_milli);
    }

    pub(crate) fn undo(&mut self, node: usize, hold: Hold) {
        let now_us = self.now_us();
        self.nodes[node].lease.undo(now_us, hold);
    }

    /// Undoes what was taken some time ago.
    pub(crate) fn undo_later(&mut self, node: usize, hold: Hold) {
        self.settle(node, hold, 0);
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        (0..ms).for_each(|_| self.pass());
    }

    fn pass(&mut self) {
        self.now_ms += 1;
        let now_us = self.now_us();
        for at in 0..self.nodes.len() {
            let renews = self.nodes[at].renew_ms <= self.now_ms;
            if renews {
                self.nodes[at].renew_ms = self.now_ms + 2_000;
            }
            if renews || self.nodes[at].lease.should_ask(now_us) {
                self.say(at);
            }
        }
        let (there, way) =
            std::mem::take(&mut self.way).into_iter().partition(|(at, _)| *at <= self.now_ms);
        self.way = way;
        for (_, message) in there {
            self.arrive(message);
        }
        let pushes = match self.now_ms {
            it if it.is_multiple_of(50) => self.leader.tick(now_us),
            it if it.is_multiple_of(5) && self.leader.is_awaited() => self.leader.hurry(now_us),
            _ => self.leader.take_pushes(now_us),
        };
        for (holder, grants) in pushes {
            let node = self.nodes.iter().position(|it| it.holder == holder).unwrap();
            self.way.push((self.now_ms + WAY, Message::Down(node, grants)));
        }
    }

    fn say(&mut self, at: usize) {
        let now_us = self.now_us();
        let node = &mut self.nodes[at];
        let entry = node.lease.entry(now_us);
        let sync = node.session.next(now_us, true, vec![entry], Vec::new());
        self.way.push((self.now_ms + WAY, Message::Up(at, sync)));
    }

    fn arrive(&mut self, message: Message) {
        let now_us = self.now_us();
        match message {
            Message::Up(at, sync) => {
                let heard = self.leader.on_sync(now_us, self.nodes[at].holder, &sync);
                if let Heard::Fine(grants) | Heard::Hello(grants) = heard {
                    self.way.push((self.now_ms + WAY, Message::Down(at, grants)));
                }
            }
            Message::Down(at, grants) => {
                let node = &mut self.nodes[at];
                match node.session.on_grants(&grants) {
                    Verdict::Stale => {}
                    Verdict::Hello(epoch) => {
                        node.lease.on_epoch(now_us, epoch);
                        self.say(at);
                    }
                    Verdict::Current => {
                        for grant in &grants.grants {
                            let _ = node.lease.on_grant(now_us, Head::of(&grants), grant);
                        }
                    }
                }
            }
        }
    }
}
