//! One lease at its holder: what requests take from, and what they give back.

mod back;
mod short;
mod talk;

use super::{
    appetite::Appetite,
    message::Return,
    mutant::Rules,
    ring::{Ring, room_milli},
};
pub use crate::limit::hold::{Applied, Head, Short, View};
use crate::limit::{
    LeaseOf,
    bucket::{Bucket, Shape},
    hold::{Hold, Source, Taken},
    message::Why,
    supply::Supply,
};
use std::collections::BTreeMap;

/// A lease that no request asked for so long may be given up: five renewals.
const IDLE_US: u64 = 10_000_000;
const MILLION: u64 = 1_000_000;

/// What is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part of a rate, and of what lies ready.
    Flow,
    /// Some of the seats.
    Seats,
}

impl Kind {
    /// Of a supply.
    pub const fn of(supply: Supply) -> Self {
        match supply {
            Supply::Seats { .. } => Self::Seats,
            Supply::Flow { .. } | Supply::Window { .. } => Self::Flow,
        }
    }
}

/// One lease at its holder. Times are of the holder's clock, but where said.
///
/// While it is live, requests take from its bucket and ask nobody. It is live until its
/// leader has not answered for so long that it may lend the same to others.
#[derive(Debug)]
pub struct Lease<B> {
    of: LeaseOf,
    supply: Supply,
    incarnation: u32,
    epoch: u64,
    seq: u64,
    held: Option<Own<B>>,
    reserved_milli: u64,
    spent_milli: u64,
    denied: u64,
    /// Who waits, by what they want.
    waiting: BTreeMap<u64, u32>,
    appetite: Appetite,
    returned: Vec<Return>,
    fresh: back::Fresh,
    /// What requests give back of what they took, of late, in millionths.
    unused_ppm: u64,
    /// Used beyond what was taken, while there was no bucket to charge.
    owed_milli: u64,
    /// The leader's clock, as last heard; 0: never.
    stamp_us: u64,
    asked_us: Option<u64>,
    /// The smallest request that was asked for.
    asked_milli: u64,
    /// Something is to be told soon, though nobody waits.
    tell: bool,
    refusal: Option<Refusal>,
    free_milli: u64,
    used_ppm: u32,
    last_us: u64,
    told_us: u64,
    leaving: bool,
    released: bool,
    rules: Rules,
}

/// What a lease consists of, once there is one.
#[derive(Debug)]
struct Own<B> {
    bucket: B,
    ring: Ring,
    expires_us: u64,
    /// What the last grant had no room for.
    surplus_milli: u64,
    /// The cap that the leader wants; seats above it go when they are free.
    target_milli: u64,
    /// Nothing ever refilled by itself: what lies ready was never rounded.
    exact: bool,
}

/// The leader said no.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    /// The earliest that the leader has enough.
    until_us: u64,
    /// Not asked again before: refunds of others may come sooner than the refill.
    ask_us: u64,
    /// The smallest request that was refused; less may be had sooner.
    least_milli: u64,
    why: Why,
}

impl<B: Bucket> Own<B> {
    fn before(&mut self, now_us: u64) {
        self.ring.before(now_us, self.room_milli(now_us));
    }

    fn after(&mut self, now_us: u64) {
        self.ring.after(now_us, self.room_milli(now_us));
    }

    fn room_milli(&self, now_us: u64) -> u64 {
        let (cap_milli, level_milli) =
            (self.bucket.shape().cap_milli, self.bucket.level_milli(now_us));
        let rounded = room_milli(cap_milli, level_milli);
        // A thousandth too little is a request too little, where nothing refills.
        if self.exact && level_milli < signed(cap_milli) { rounded + 1 } else { rounded }
    }

    /// Makes the seats fit: as many as the leader wants, but none less than are taken.
    fn fit_seats(&mut self, now_us: u64, reserved_milli: u64) {
        let cap_milli = self.target_milli.max(reserved_milli);
        self.bucket.reshape(now_us, Shape { rate_nano: 0, cap_milli });
        let ready = signed(cap_milli.saturating_sub(reserved_milli));
        let over = self.bucket.level_milli(now_us).saturating_sub(ready);
        match u64::try_from(over) {
            Ok(over) => self.bucket.debit(now_us, over),
            Err(_) => _ = self.bucket.give(now_us, over.unsigned_abs()),
        }
    }
}

impl<B: Bucket> Lease<B> {
    /// Nothing yet of a limit, which requests may take once the leader lent some.
    ///
    /// `supply`: what the leader lends of ([`super::lendable`]). `incarnation` is greater
    /// than that of any lease of this limit that this run of the holder had before: what
    /// is said late about an earlier one must not fit. (A lease counts it up itself; when
    /// one is forgotten, remember [`View::incarnation`].)
    pub fn new(of: LeaseOf, supply: Supply, incarnation: u32, now_us: u64) -> Self {
        Self {
            of,
            supply,
            incarnation,
            epoch: 0,
            seq: 0,
            held: None,
            reserved_milli: 0,
            spent_milli: 0,
            denied: 0,
            waiting: BTreeMap::new(),
            appetite: Appetite::default(),
            returned: Vec::new(),
            fresh: back::Fresh::default(),
            unused_ppm: MILLION,
            owed_milli: 0,
            stamp_us: 0,
            asked_us: None,
            asked_milli: 0,
            tell: false,
            refusal: None,
            free_milli: 0,
            used_ppm: 0,
            last_us: now_us,
            told_us: now_us,
            leaving: false,
            released: false,
            rules: Rules::default(),
        }
    }

    /// Breaks a rule.
    #[cfg(feature = "mutants")]
    pub const fn break_rule(&mut self, rule: Option<super::mutant::Mutant>) {
        self.rules = Rules::without(rule);
    }

    /// Of what it is.
    pub const fn of(&self) -> LeaseOf {
        self.of
    }

    /// The limit was changed. What is held stays until the leader wants it back.
    pub const fn set_supply(&mut self, supply: Supply) {
        self.supply = supply;
        self.refusal = None;
    }

    /// Takes `milli` if so much lies ready, else nothing.
    ///
    /// # Errors
    /// [`Short`], which says whether the leader is to be asked.
    pub fn take(&mut self, now_us: u64, milli: u64) -> Result<Hold, Short> {
        self.last_us = self.last_us.max(now_us);
        self.leaving = false;
        self.released = false;
        let largest_milli = self.supply.largest_milli();
        if largest_milli < milli {
            return Err(Short::TooLarge { largest_milli });
        }
        self.expire(now_us);
        if let Some(own) = &mut self.held {
            own.before(now_us);
            if own.bucket.take(now_us, milli) {
                own.after(now_us);
                self.appetite.add(now_us, milli);
                self.fresh.add(now_us, milli);
                self.reserved_milli = self.reserved_milli.saturating_add(milli);
                let taken = Taken {
                    generation: self.of.generation,
                    incarnation: self.incarnation,
                    epoch: self.epoch,
                    at_us: now_us,
                    since_us: self.stamp_us,
                };
                return Ok(Hold::new(Source::Lease(taken), milli));
            }
        }
        Err(self.short(now_us, milli))
    }

    /// Undoes a take, of this same instant: exactly. Later than that, or when somebody else
    /// came by a later clock, it is settled as unused: in between the bucket may have let in
    /// what it would have had no room for.
    pub fn undo(&mut self, now_us: u64, hold: Hold) {
        let Some(taken) = self.taken(&hold) else { return };
        self.appetite.take_back(taken.at_us, hold.taken_milli());
        let now_us = self.held.as_ref().map_or(now_us, |own| own.ring.last_us().max(now_us));
        if taken.at_us < now_us {
            return self.settle(now_us, hold, 0);
        }
        if self.give_up(now_us, taken, hold.taken_milli())
            && let Some(own) = &mut self.held
        {
            own.bucket.give(now_us, hold.taken_milli());
            own.after(now_us);
        }
    }

    /// Settles what was held with what was really used. What was not used goes back as
    /// far as there was room for it ever since: into the bucket here, the rest to the leader.
    /// What was used beyond is owed. Of seats, all that was taken is free again.
    #[expect(clippy::needless_pass_by_value, reason = "what is held is settled once")]
    pub fn settle(&mut self, now_us: u64, hold: Hold, used_milli: u64) {
        let Some(taken) = self.taken(&hold) else { return };
        self.expire(now_us);
        let ours = self.give_up(now_us, taken, hold.taken_milli());
        if Kind::of(self.supply) == Kind::Seats {
            self.spent_milli = self.spent_milli.saturating_add(used_milli);
            return self.on_seat_left(now_us);
        }
        if ours {
            self.spent_milli = self.spent_milli.saturating_add(used_milli);
        }
        let unused = hold.taken_milli().saturating_sub(used_milli);
        self.learn_unused(unused, hold.taken_milli());
        let left = if ours { self.refund(now_us, taken.at_us, unused) } else { unused };
        self.hand_back(taken, left);
        self.charge(now_us, used_milli.saturating_sub(hold.taken_milli()));
    }

    /// Counts what was let through beside the lease, while the leader could not be asked.
    pub const fn spent_beside(&mut self, milli: u64) {
        self.spent_milli = self.spent_milli.saturating_add(milli);
    }

    /// Counts a request that was refused for want of `milli`.
    pub fn refused(&mut self, now_us: u64, milli: u64) {
        self.last_us = self.last_us.max(now_us);
        self.denied = self.denied.saturating_add(1);
        self.appetite.add(now_us, milli);
    }

    /// A request begins to wait for `milli`.
    pub fn want(&mut self, milli: u64) {
        let count = self.waiting.entry(milli).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// A request that waited for `milli` waits no more.
    pub fn unwant(&mut self, milli: u64) {
        if let Some(count) = self.waiting.get_mut(&milli) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.waiting.remove(&milli);
            }
        }
    }

    /// Whether nobody asked for long: it may be given up, and the next entry does so.
    pub fn is_idle(&self, now_us: u64) -> bool {
        self.waiting.is_empty()
            && self.reserved_milli == 0
            && IDLE_US <= now_us.saturating_sub(self.last_us)
    }

    /// Gives it up with the next entry, unless something is taken of it before.
    pub const fn release(&mut self) {
        self.leaving = true;
        self.tell = true;
    }

    /// Whether it was given up and nobody asked since: it can be forgotten.
    pub const fn released(&self) -> bool {
        self.released && self.reserved_milli == 0
    }

    /// How it stands.
    pub fn view(&self, now_us: u64) -> View {
        let own = self.held.as_ref().filter(|own| now_us < own.expires_us);
        let shape = own.map(|own| own.bucket.shape()).unwrap_or_default();
        View {
            level_milli: own.map_or(0, |own| own.bucket.level_milli(now_us)),
            cap_milli: shape.cap_milli,
            rate_nano: shape.rate_nano,
            reserved_milli: self.reserved_milli,
            spent_milli: self.spent_milli,
            denied: self.denied,
            seq: self.seq,
            epoch: self.epoch,
            incarnation: self.incarnation,
            left_us: own.map_or(0, |own| own.expires_us.saturating_sub(now_us)),
            free_milli: self.free_milli,
            used_ppm: self.used_ppm,
            live: own.is_some(),
        }
    }

    /// Ends the lease if it was not renewed in time. Nobody has to wake up for that: it
    /// is looked at before anything else is done.
    fn expire(&mut self, now_us: u64) {
        if self.held.as_ref().is_some_and(|own| own.expires_us <= now_us) {
            self.void();
        }
    }

    /// Begins anew: whatever was said about the lease so far fits no more. Seats that
    /// are taken stay so; they are told when the next lease is asked for.
    fn void(&mut self) {
        self.held = None;
        self.incarnation = self.incarnation.saturating_add(1);
        self.seq = 0;
        self.spent_milli = 0;
        self.denied = 0;
        self.asked_us = None;
        if Kind::of(self.supply) == Kind::Flow {
            self.reserved_milli = 0;
        }
    }

    /// When it was taken; `None`: before the limit's last reset, which made it void.
    fn taken(&self, hold: &Hold) -> Option<Taken> {
        let Source::Lease(taken) = hold.from() else { return None };
        (taken.generation == self.of.generation).then_some(taken)
    }

    /// Forgets a reservation. Says whether it was of the present lease.
    fn give_up(&mut self, now_us: u64, taken: Taken, milli: u64) -> bool {
        let ours = taken.incarnation == self.incarnation;
        match Kind::of(self.supply) {
            Kind::Flow if !ours => {}
            Kind::Flow => self.reserved_milli = self.reserved_milli.saturating_sub(milli),
            Kind::Seats => {
                self.reserved_milli = self.reserved_milli.saturating_sub(milli);
                if let Some(own) = &mut self.held {
                    own.fit_seats(now_us, self.reserved_milli);
                }
                return false;
            }
        }
        ours
    }
}

/// How long it takes to refill so much, in microseconds, rounded up.
fn refill_us(milli: u64, rate_nano: u64) -> u64 {
    let fine = u128::from(milli).saturating_mul(1_000_000_000_000);
    match rate_nano {
        0 => u64::MAX,
        _ => u64::try_from(fine.div_ceil(rate_nano.into())).unwrap_or(u64::MAX),
    }
}

/// Amounts that no `i64` holds are limits that nobody reaches.
fn signed(milli: u64) -> i64 {
    i64::try_from(milli).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
