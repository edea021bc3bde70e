//! All leases of all limits, at the one who lends.
//!
//! Knows neither clock nor wire: it is told the time, and what holders say.

mod estate;

pub use estate::Estate;
use estate::Past;

use super::{
    MILLION, TTL_US,
    message::{Entry, Grant},
    mutant::{Mutant, Rules},
    pool::{LEARNING, Pool, Said},
    status::{Glance, PoolStatus},
};
use crate::{
    id::LimitId,
    limit::{
        DRIFT_PPM, Holder, LeaseOf,
        message::{Denied, Grants, Sync, Why},
        supply::Supply,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// A holder that was silent for so long is forgotten: refunds that it told earlier are too
/// old by now to count a second time.
const FORGET_US: u64 = 70_000_000;
/// The leader may hear of a limit later than a holder does.
const UNKNOWN: Denied = Denied { retry_us: 200_000, why: Why::Unknown };

/// How a leader begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// There never was a leader: nothing is lent.
    Fresh,
    /// There was one, and what it lent is not known.
    Learning {
        /// All holders that it may have lent to. Once all of them told what they have, there
        /// is nothing left to learn.
        recorded: BTreeSet<Holder>,
    },
}

/// What became of what a holder said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The holder knows another leader: it is to adopt this epoch first.
    Hello(Grants),
    /// There is a newer leader: this one has to stop.
    StepDown,
    /// It was heard already, or something later was.
    Duplicate,
    /// The answer.
    Fine(Grants),
}

/// All leases of all limits. Times are of the leader's clock.
#[derive(Debug)]
pub struct Leader {
    epoch: u64,
    ttl_us: u64,
    until_us: u64,
    learning: Option<Learning>,
    /// When the learning ended; `None`: there was nothing to learn, or there still is.
    learned_us: Option<u64>,
    /// What the leader before left, as far as it was not taken yet.
    estate: Option<Estate>,
    pools: BTreeMap<LimitId, Pool>,
    /// Limits that somebody holds a lease of.
    lent: BTreeSet<LimitId>,
    /// Limits of which somebody waits for what comes back.
    awaited: BTreeSet<LimitId>,
    holders: BTreeMap<Holder, Known>,
    pushes: BTreeMap<Holder, Vec<Grant>>,
    rules: Rules,
}

/// What a new leader waits for before it lends.
#[derive(Debug)]
struct Learning {
    /// By then every lease of the leader before is over.
    until_us: u64,
    /// Who has not told yet.
    missing: BTreeSet<Holder>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    number: u64,
    heard_us: u64,
}

impl Leader {
    /// The leader of `epoch`. While it learns it confirms what holders claim, and lends
    /// nothing: until every recorded holder told, or every earlier lease is over.
    pub fn new(now_us: u64, epoch: u64, start: Start) -> Self {
        let learning = match start {
            Start::Fresh => None,
            Start::Learning { recorded } => Some(Learning {
                until_us: now_us.saturating_add(over_us(TTL_US)),
                missing: recorded,
            }),
        };
        Self {
            epoch,
            ttl_us: TTL_US,
            until_us: u64::MAX,
            learning,
            learned_us: None,
            estate: None,
            pools: BTreeMap::new(),
            lent: BTreeSet::new(),
            awaited: BTreeSet::new(),
            holders: BTreeMap::new(),
            pushes: BTreeMap::new(),
            rules: Rules::default(),
        }
    }

    /// Breaks a rule.
    #[cfg(feature = "mutants")]
    pub fn break_rule(&mut self, rule: Option<Mutant>) {
        self.rules = Rules::without(rule);
        if self.rules.lack(Mutant::NoLearning) {
            self.learning = None;
        }
    }

    /// The leader's epoch.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How long leases last, in microseconds.
    pub const fn ttl_us(&self) -> u64 {
        self.ttl_us
    }

    /// Leads until then and no longer, unless told again: when the leadership itself is
    /// only lent. A leader that was paused must not go on where another has begun.
    pub const fn lead_until(&mut self, until_us: u64) {
        self.until_us = until_us;
    }

    /// Sets a limit, or changes it. A raise mints nothing: it only refills more. After a
    /// cut the pool is cut first, and holders are told to give up the rest. With a new
    /// generation the limit begins anew, and leases of the one before are void.
    pub fn set(&mut self, now_us: u64, of: LeaseOf, supply: Supply, set_aside_ppm: u32) {
        self.put(now_us, of, supply, set_aside_ppm, false);
    }

    /// Sets a limit that did not exist, in this generation, when this leader began: nobody
    /// was lent anything of it before, so that it begins full whatever is being learned.
    pub fn begin(&mut self, now_us: u64, of: LeaseOf, supply: Supply, set_aside_ppm: u32) {
        self.put(now_us, of, supply, set_aside_ppm, true);
    }

    fn put(&mut self, now_us: u64, of: LeaseOf, supply: Supply, set_aside_ppm: u32, unheard: bool) {
        if let Supply::Window { .. } = supply {
            return;
        }
        match self.pools.get_mut(&of.limit) {
            Some(pool) if of.generation < pool.of().generation => return,
            Some(pool) if pool.of() == of && pool.is_alike(supply) => {
                pool.set_supply(now_us, supply, set_aside_ppm);
            }
            Some(_) | None => {
                let past = match self.pools.contains_key(&of.limit) {
                    _ if unheard => Past::None,
                    true => Past::Reset,
                    false => Past::Unknown,
                };
                self.remove(now_us, of);
                let pool = self.pool(now_us, of, supply, set_aside_ppm, past);
                self.pools.insert(of.limit, pool);
            }
        }
        self.collect(now_us, of.limit);
    }

    /// There is no such limit any more; neither of this generation nor of an earlier one.
    pub fn remove(&mut self, _now_us: u64, of: LeaseOf) {
        if self.pools.get(&of.limit).is_none_or(|it| of.generation < it.of().generation) {
            return;
        }
        let Some(pool) = self.pools.remove(&of.limit) else { return };
        self.lent.remove(&of.limit);
        self.awaited.remove(&of.limit);
        for (holder, incarnation) in pool.holders() {
            let grant = void(pool.of(), incarnation, None);
            self.pushes.entry(holder).or_default().push(grant);
        }
    }

    /// Takes what a holder says.
    pub fn on_sync(&mut self, now_us: u64, holder: Holder, sync: &Sync) -> Heard {
        let zombie = self.rules.lack(Mutant::Zombie);
        if (self.until_us <= now_us || self.epoch < sync.epoch) && !zombie {
            return Heard::StepDown;
        }
        self.learn(now_us);
        if sync.epoch < self.epoch && !self.rules.lack(Mutant::NoHandshake) {
            return Heard::Hello(self.grants(now_us, Some(sync.sent_us), true, Vec::new()));
        }
        let known = self.holders.entry(holder).or_insert(Known { number: 0, heard_us: now_us });
        known.heard_us = now_us;
        if sync.number <= known.number {
            return Heard::Duplicate;
        }
        known.number = sync.number;
        let answers = sync.entries.iter().filter_map(|it| self.hear(now_us, holder, it)).collect();
        if let Some(learning) = self.learning.as_mut().filter(|_| sync.whole) {
            learning.missing.remove(&holder);
            self.learn(now_us);
        }
        Heard::Fine(self.grants(now_us, Some(sync.sent_us), false, answers))
    }

    /// Ends what is over and takes back what is not needed; gives what is to be said to
    /// holders unasked. To be called every 50 ms.
    pub fn tick(&mut self, now_us: u64) -> Vec<(Holder, Grants)> {
        self.learn(now_us);
        let learning = self.learning.is_some();
        for limit in self.lent.clone() {
            if let Some(pool) = self.pools.get_mut(&limit) {
                pool.expire(now_us);
                if !learning {
                    pool.trim(now_us);
                    pool.serve(now_us, None);
                }
            }
            self.collect(now_us, limit);
        }
        self.holders.retain(|_, it| now_us.saturating_sub(it.heard_us) < FORGET_US);
        self.take_pushes(now_us)
    }

    /// Whether somebody waits for what comes back: call [`Self::hurry`] every few
    /// milliseconds then, or who waits is refused too late.
    pub fn is_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Gives what is to be said to those who wait for what comes back.
    pub fn hurry(&mut self, now_us: u64) -> Vec<(Holder, Grants)> {
        for limit in self.awaited.clone() {
            if let Some(pool) = self.pools.get_mut(&limit) {
                pool.serve(now_us, None);
            }
            self.collect(now_us, limit);
        }
        self.take_pushes(now_us)
    }

    /// What is to be said to holders unasked, without waiting for the next tick: what is
    /// taken back from one who does not need it is sooner there for one who waits.
    pub fn take_pushes(&mut self, now_us: u64) -> Vec<(Holder, Grants)> {
        if self.until_us <= now_us && !self.rules.lack(Mutant::Zombie) {
            self.pushes.clear();
        }
        let pushes = std::mem::take(&mut self.pushes);
        let say = |(holder, grants)| (holder, self.grants(now_us, None, false, grants));
        pushes.into_iter().map(say).collect()
    }

    /// Whether it still learns what the leader before lent.
    pub fn is_learning(&self, now_us: u64) -> bool {
        self.learning.as_ref().is_some_and(|it| now_us < it.until_us && !it.missing.is_empty())
    }

    /// How a limit's pool stands.
    pub fn status(&self, now_us: u64, of: LeaseOf) -> Option<PoolStatus> {
        let pool = self.pools.get(&of.limit).filter(|it| it.of() == of)?;
        Some(pool.status(now_us))
    }

    /// How full a limit's pool is.
    pub fn glance(&self, now_us: u64, of: LeaseOf) -> Option<Glance> {
        let pool = self.pools.get(&of.limit).filter(|it| it.of() == of)?;
        Some(pool.glance(now_us))
    }

    /// The answer to one entry; `None`: it comes later.
    fn hear(&mut self, now_us: u64, holder: Holder, entry: &Entry) -> Option<Grant> {
        let learning = self.learning.is_some();
        let Some(pool) = self.pools.get_mut(&entry.of.limit).filter(|it| it.of() == entry.of)
        else {
            return Some(void(entry.of, entry.incarnation, Some(UNKNOWN)));
        };
        let said = pool.hear(now_us, holder, entry, learning);
        self.collect(now_us, entry.of.limit);
        Some(match said {
            Said::Later => return None,
            Said::Grant(grant) => grant,
            Said::Void => void(entry.of, entry.incarnation, None),
            Said::Learning => {
                Grant { reset: false, ..void(entry.of, entry.incarnation, Some(LEARNING)) }
            }
        })
    }

    /// Collects what a pool wants to say, and remembers whether it lends.
    fn collect(&mut self, now_us: u64, limit: LimitId) {
        let Some(pool) = self.pools.get_mut(&limit) else { return };
        for (holder, grant) in pool.take_pushes(now_us) {
            self.pushes.entry(holder).or_default().push(grant);
        }
        match pool.is_lent() {
            true => self.lent.insert(limit),
            false => self.lent.remove(&limit),
        };
        match pool.is_awaited() {
            true => self.awaited.insert(limit),
            false => self.awaited.remove(&limit),
        };
    }

    /// Ends the learning when there is nothing left to learn. What was refilled until then
    /// may have been spent by those who had not told: it is not counted.
    fn learn(&mut self, now_us: u64) {
        if self.learning.is_some() && !self.is_learning(now_us) {
            self.learning = None;
            self.learned_us = Some(now_us);
            self.pools.values_mut().for_each(|it| it.thaw(now_us));
        }
    }

    const fn grants(
        &self,
        now_us: u64,
        reply_to_us: Option<u64>,
        hello: bool,
        grants: Vec<Grant>,
    ) -> Grants {
        Grants {
            epoch: self.epoch,
            stamp_us: now_us,
            reply_to_us,
            hello,
            ttl_us: self.ttl_us,
            grants,
            chunks: Vec::new(),
        }
    }
}

/// The lease is void, or there is none.
const fn void(of: LeaseOf, incarnation: u32, denied: Option<Denied>) -> Grant {
    Grant {
        of,
        incarnation,
        seq: 0,
        rate_nano: 0,
        cap_milli: 0,
        credit_milli: 0,
        reset: true,
        denied,
        free_milli: 0,
        used_ppm: 0,
    }
}

/// How long until a lease of `ttl_us` is over for certain, whatever clock counts: the
/// holder's may be slow and the leader's fast.
pub(super) fn over_us(ttl_us: u64) -> u64 {
    let slack = u128::from(ttl_us).saturating_mul(u128::from(DRIFT_PPM) * 2).div_ceil(MILLION);
    ttl_us.saturating_add(u64::try_from(slack).unwrap_or(0))
}
