//! Proxies with a chunk each, the fund that they come from, and a row that answers in five
//! milliseconds.

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
use uuid::Uuid;

const MS: u64 = 1_000;
/// One way, in milliseconds; the one millisecond in which questions are gathered included.
const WAY: u64 = 2;
/// How long the database takes, in milliseconds.
const ROW: u64 = 5;
/// So long a request waits for an answer, in milliseconds.
const ANSWER: u64 = 50;
const WINDOW: WindowId = WindowId(1);
pub(crate) const DAY_US: u64 = 86_400_000_000;

struct Node {
    holder: Holder,
    chunk: Chunk,
    renew_ms: u64,
}

enum Message {
    Up(usize, u64, ChunkEntry),
    Down(usize, Head, ChunkGrant),
    Drawn(Drawn),
}

pub(crate) struct Treasury {
    now_ms: u64,
    total_milli: u64,
    row_milli: u64,
    fund: Fund,
    nodes: Vec<Node>,
    way: Vec<(u64, Message)>,
}

impl Treasury {
    pub(crate) fn new(total: u64, count: u128) -> Self {
        let of = LeaseOf { limit: LimitId::from_uuid(Uuid::from_u128(7)), generation: 1 };
        let (now_ms, total_milli) = (1_000_000, total * 1_000);
        let node = |it: u128| {
            let boot = Uuid::from_u128(it + 1);
            Node {
                holder: Holder { proxy: ProxyId::from_uuid(boot), boot },
                chunk: Chunk::new(of, total_milli, now_ms * MS),
                renew_ms: now_ms + 7 * u64::try_from(it).unwrap(),
            }
        };
        let mut fund = Fund::new(of, total_milli, Mode::Strict);
        let _ = fund.open(now_ms * MS, WINDOW, Some(DAY_US));
        let nodes = (0..count).map(node).collect();
        Self { now_ms, total_milli, row_milli: 0, fund, nodes, way: Vec::new() }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.now_ms * MS
    }

    /// Asks as a request does: it waits for the leader's answer, but not for ever.
    pub(crate) fn ask(&mut self, node: usize, units: u64) -> Result<Hold, Short> {
        let (milli, now_us) = (units * 1_000, self.now_us());
        let first = self.nodes[node].chunk.take(now_us, milli);
        if first != Err(Short::Ask) {
            return first;
        }
        self.nodes[node].chunk.want(milli);
        let mut last = Err(Short::Ask);
        for _ in 0..ANSWER {
            self.pass_ms(1);
            let now_us = self.now_us();
            last = self.nodes[node].chunk.take(now_us, milli);
            if last != Err(Short::Ask) {
                break;
            }
        }
        self.nodes[node].chunk.unwant(milli);
        if last.is_err() {
            let now_us = self.now_us();
            self.nodes[node].chunk.refused(now_us, milli);
        }
        last
    }

    pub(crate) fn settle(&mut self, node: usize, hold: Hold, used_units: u64) {
        let now_us = self.now_us();
        self.nodes[node].chunk.settle(now_us, hold, used_units * 1_000);
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        (0..ms).for_each(|_| self.pass());
    }

    fn pass(&mut self) {
        self.now_ms += 1;
        let (now_ms, now_us) = (self.now_ms, self.now_us());
        for (at, node) in self.nodes.iter_mut().enumerate() {
            let renews = node.renew_ms <= now_ms;
            if renews {
                node.renew_ms = now_ms + 2_000;
            }
            if renews || node.chunk.should_ask(now_us) {
                let entry = node.chunk.entry(now_us);
                self.way.push((now_ms + WAY, Message::Up(at, now_us, entry)));
            }
        }
        let (there, way) =
            std::mem::take(&mut self.way).into_iter().partition(|(at, _)| *at <= now_ms);
        self.way = way;
        for (_, message) in there {
            match message {
                Message::Up(at, sent_us, entry) => {
                    let holder = self.nodes[at].holder;
                    let effects = self.fund.on_entry(now_us, holder, &entry);
                    self.carry_out(effects, Some((holder, sent_us)));
                }
                Message::Down(at, head, grant) => {
                    let _ = self.nodes[at].chunk.on_grant(now_us, head, &grant);
                }
                Message::Drawn(drawn) => {
                    let effects = self.fund.on_drawn(now_us, WINDOW, drawn);
                    self.carry_out(effects, None);
                }
            }
        }
        if now_ms.is_multiple_of(50) || (now_ms.is_multiple_of(5) && self.fund.is_awaited()) {
            let effects = self.fund.tick(now_us);
            self.carry_out(effects, None);
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, reply: Option<(Holder, u64)>) {
        for effect in effects {
            match effect {
                Effect::Send { holder, grant } => {
                    let at = self.nodes.iter().position(|it| it.holder == holder).unwrap();
                    let reply_to_us = reply.filter(|(to, _)| *to == holder).map(|(_, us)| us);
                    let head = Head { epoch: 1, stamp_us: self.now_us(), reply_to_us, ttl_us: 0 };
                    self.way.push((self.now_ms + WAY, Message::Down(at, head, grant)));
                }
                Effect::Draw { want_milli, .. } => {
                    let milli = want_milli.min(self.total_milli - self.row_milli);
                    self.row_milli += milli;
                    let drawn = Drawn::Got { milli, row_granted_milli: self.row_milli };
                    self.way.push((self.now_ms + ROW, Message::Drawn(drawn)));
                }
                Effect::PutBack { milli, .. } => self.row_milli -= milli,
                Effect::Owe { milli, .. } => self.row_milli += milli,
            }
        }
    }
}
