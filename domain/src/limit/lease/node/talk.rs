//! What a lease's holder tells the leader, and what it does with the answers.

use super::{Applied, Head, Kind, Lease, MILLION, Own, Refusal, refill_us, signed};
use crate::limit::{
    DRIFT_PPM,
    bucket::{Bucket, Shape},
    lease::{
        message::{Entry, Grant, Held},
        mutant::Mutant,
        ring::Ring,
    },
    message::Denied,
    supply::{MILLI, Supply},
};

/// An answer that did not come within so long was lost: the leader is asked again.
const LOST_US: u64 = 50_000;
/// Between two questions while the leader says no: a quarter of the time that it names,
/// but not less and not more than these.
const RETRY_LEAST_US: u64 = 100_000;
const RETRY_MOST_US: u64 = 1_000_000;
/// No more than this part of all seats lies idle at one holder.
const IDLE_SEATS_PART: u64 = 64;
/// A holder whose bucket is full says so, but not more often than this.
const FULL_US: u64 = 500_000;

impl<B: Bucket> Lease<B> {
    /// Whether something is to be said to the leader now, rather than with the next renewal.
    pub fn should_ask(&self, now_us: u64) -> bool {
        self.ask_at_us(now_us).is_some_and(|at_us| at_us <= now_us)
    }

    /// When [`Self::should_ask`] is the case if nothing happens before; `None`: never.
    pub fn ask_at_us(&self, now_us: u64) -> Option<u64> {
        if self.tell {
            return Some(now_us);
        }
        let full_us = self.full_at_us(now_us);
        let Some((least, _)) =
            self.waiting.first_key_value().filter(|_| 0 < self.need_milli(now_us))
        else {
            return full_us;
        };
        let lost_us = self.asked_us.map_or(now_us, |it| it.saturating_add(LOST_US));
        let refused_us = self.refusal_of(now_us, *least).map_or(now_us, |it| it.ask_us);
        Some(lost_us.max(refused_us))
    }

    /// When a bucket with a refill of its own is full: what it refills from then on is lost
    /// to all, so that the leader should know before the next renewal.
    fn full_at_us(&self, now_us: u64) -> Option<u64> {
        let own = self.held.as_ref().filter(|own| now_us < own.expires_us)?;
        let shape = own.bucket.shape();
        if shape.rate_nano == 0 {
            return None;
        }
        let missing = self.missing_milli(now_us, shape.cap_milli);
        let full_us = now_us.saturating_add(refill_us(missing, shape.rate_nano));
        Some(full_us.max(self.told_us.saturating_add(FULL_US)))
    }

    /// How it stands, for the leader. Refunds are taken out: the entry is to be sent, or
    /// they are lost.
    ///
    /// An idle lease is given up by this: nothing can be taken of it any more.
    pub fn entry(&mut self, now_us: u64) -> Entry {
        self.expire(now_us);
        self.shed(now_us);
        let (need_milli, least_milli) = (self.need_milli(now_us), self.least_milli(now_us));
        if 0 < need_milli {
            self.asked_us = Some(now_us);
            self.asked_milli = self.waiting.first_key_value().map_or(0, |(milli, _)| *milli);
        }
        self.tell = false;
        let leaving = self.leaving && self.waiting.is_empty() && self.reserved_milli == 0;
        // Once given up it stays so until somebody asks: a renewal must not begin it anew.
        let release = leaving || self.released || self.is_idle(now_us);
        let entry = Entry {
            of: self.of,
            incarnation: self.incarnation,
            held: self.held.as_ref().map(|own| self.told(now_us, own)),
            demand_milli_per_s: self.appetite.milli_per_s(now_us),
            largest_milli: self.appetite.largest_milli(now_us),
            spent_milli: self.spent_milli,
            reserved_milli: self.reserved_milli,
            denied: self.denied,
            need_milli,
            least_milli,
            returned: std::mem::take(&mut self.returned),
            release,
        };
        if release {
            self.void();
            self.leaving = false;
            self.released = true;
        }
        entry
    }

    /// Applies what the leader says. Messages that [`super::super::session::Session`]
    /// finds stale are left out before.
    pub fn on_grant(&mut self, now_us: u64, head: Head, grant: &Grant) -> Applied {
        self.expire(now_us);
        if grant.of != self.of || grant.incarnation != self.incarnation || !self.is_of(head) {
            return Applied::Ignored;
        }
        self.stamp_us = self.stamp_us.max(head.stamp_us);
        if let (Some(asked), Some(sent)) = (self.asked_us, head.reply_to_us)
            && asked <= sent
        {
            self.asked_us = None;
        }
        if grant.reset {
            self.void();
            self.refuse(now_us, grant.denied);
            return Applied::Reset;
        }
        self.free_milli = grant.free_milli;
        self.used_ppm = grant.used_ppm;
        let granted = self.is_next(head, grant);
        if granted {
            self.apply(now_us, grant);
            self.refusal = None;
        } else if head.reply_to_us.is_none() && grant.denied.is_none() {
            self.on_asked_how(grant);
        }
        self.extend(now_us, head);
        match grant.denied {
            Some(denied) => {
                self.refuse(now_us, grant.denied);
                Applied::Denied(denied)
            }
            None if granted => Applied::Granted,
            None => Applied::Unchanged,
        }
    }

    /// The leader says unasked what is known here: it wants to hear how the lease stands, or
    /// has seats again for one whom it refused.
    const fn on_asked_how(&mut self, grant: &Grant) {
        self.tell = true;
        if 0 < grant.free_milli && matches!(Kind::of(self.supply), Kind::Seats) {
            self.refusal = None;
        }
    }

    /// There is a new leader. What is held stays as it is, to be claimed; what the leader
    /// before still has on the way is void, for grants are numbered anew.
    pub fn on_epoch(&mut self, now_us: u64, epoch: u64) {
        self.expire(now_us);
        if epoch <= self.epoch {
            return;
        }
        self.epoch = epoch;
        self.seq = 0;
        // Of another clock.
        self.stamp_us = 0;
        self.returned.clear();
        self.asked_us = None;
        self.refusal = None;
        if let Some(own) = &mut self.held {
            own.surplus_milli = 0;
        }
    }

    /// The session is lost: nothing is on its way any more.
    pub const fn on_lost(&mut self, _now_us: u64) {
        self.asked_us = None;
    }

    /// Whether a message is of our epoch. A lease that never heard a leader takes the
    /// first: the session has adopted it.
    fn is_of(&mut self, head: Head) -> bool {
        let follows =
            self.epoch < head.epoch && (self.epoch == 0 || self.rules.lack(Mutant::NoHandshake));
        if follows {
            self.epoch = head.epoch;
        }
        head.epoch == self.epoch || self.rules.lack(Mutant::Zombie)
    }

    /// Whether a grant is the one that comes next. The first needs a question that it
    /// answers: a lease lasts from there.
    fn is_next(&self, head: Head, grant: &Grant) -> bool {
        let next = grant.seq == self.seq.saturating_add(1);
        let twice = self.rules.lack(Mutant::TwiceApplied) && grant.seq == self.seq && 0 < grant.seq;
        (next || twice) && (self.held.is_some() || head.reply_to_us.is_some())
    }

    fn apply(&mut self, now_us: u64, grant: &Grant) {
        self.seq = grant.seq;
        let shape = Shape { rate_nano: grant.rate_nano, cap_milli: grant.cap_milli };
        let coarse = match self.supply {
            Supply::Flow { rate_nano, .. } => rate_nano,
            Supply::Seats { .. } | Supply::Window { .. } => 0,
        };
        let reserved_milli = self.reserved_milli;
        // Taken seats beyond what the leader wants are charged as long as they are taken,
        // but not to be had again: by then they may be lent to others.
        let wanted = self.held.as_ref().map_or(0, |own| own.target_milli);
        let target_milli = grant.cap_milli.min(wanted.saturating_add(grant.credit_milli));
        let (kind, rules) = (Kind::of(self.supply), self.rules);
        let own = self.held.get_or_insert_with(|| Own {
            bucket: B::empty(shape, coarse, now_us),
            ring: Ring::new(now_us),
            expires_us: 0,
            surplus_milli: 0,
            target_milli: 0,
            exact: true,
        });
        own.target_milli = target_milli;
        own.exact &= shape.rate_nano == 0;
        if kind == Kind::Seats {
            // What is called in is not lent on before it is told that it was given up.
            self.tell |= grant.cap_milli < own.bucket.shape().cap_milli;
            own.fit_seats(now_us, reserved_milli);
            return;
        }
        own.before(now_us);
        let (had, level) = (own.bucket.shape(), own.bucket.level_milli(now_us));
        // The level stays: a greater bucket is not a fuller one.
        let clipped = own.bucket.reshape(now_us, shape);
        if rules.lack(Mutant::FullOnResize) {
            own.bucket.give(now_us, u64::MAX);
        }
        if rules.lack(Mutant::RatioFill) && 0 < had.cap_milli {
            let full = i128::from(level) * i128::from(shape.cap_milli) / i128::from(had.cap_milli);
            let more = full - i128::from(own.bucket.level_milli(now_us));
            own.bucket.give(now_us, u64::try_from(more).unwrap_or(0));
        }
        let given = own.bucket.give(now_us, grant.credit_milli);
        own.surplus_milli = clipped.saturating_add(grant.credit_milli.saturating_sub(given));
        // Until it is confirmed, what a smaller shape frees is nobody's.
        self.tell |= 0 < own.surplus_milli || shape.rate_nano < had.rate_nano;
        own.bucket.debit(now_us, std::mem::take(&mut self.owed_milli));
        own.after(now_us);
    }

    /// An answer renews the lease, from when its question was sent: the leader counts
    /// from later, so that the lease ends here first, however long either was on its way.
    /// A push says nothing about when we were last heard, so it renews nothing.
    fn extend(&mut self, now_us: u64, head: Head) {
        let rules = self.rules;
        let from_us = match head.reply_to_us {
            Some(_) if rules.lack(Mutant::WallClock) => Some(head.stamp_us),
            Some(_) if rules.lack(Mutant::FromReceipt) => Some(now_us),
            None if rules.lack(Mutant::PushExtends) => Some(now_us),
            other => other,
        };
        let Some((own, from_us)) = self.held.as_mut().zip(from_us) else { return };
        let slack_us = (head.ttl_us / MILLION).saturating_add(1).saturating_mul(DRIFT_PPM);
        let until_us = from_us.saturating_add(head.ttl_us.saturating_sub(slack_us));
        own.expires_us = own.expires_us.max(until_us);
    }

    fn refuse(&mut self, now_us: u64, denied: Option<Denied>) {
        let Some(denied) = denied else { return };
        let pause_us = (denied.retry_us / 4).clamp(RETRY_LEAST_US, RETRY_MOST_US);
        self.refusal = Some(Refusal {
            until_us: now_us.saturating_add(denied.retry_us),
            ask_us: now_us.saturating_add(pause_us.min(denied.retry_us)),
            least_milli: self.asked_milli,
            why: denied.why,
        });
    }

    /// Gives up room that nothing will fill: without a refill of its own, a bucket needs no
    /// more than what lies in it, and what running requests may give back: those that were
    /// just let through all of it, for they may not be sent in the end. The leader may lend
    /// the rest at once, for it is told after it was given up.
    fn shed(&mut self, now_us: u64) {
        if Kind::of(self.supply) == Kind::Seats {
            return self.shed_seats(now_us);
        }
        let fresh = self.fresh.milli(now_us).min(self.reserved_milli);
        let expected = self.expected_milli().max(fresh);
        let Some(own) = &mut self.held else { return };
        let had = own.bucket.shape();
        if had.rate_nano != 0 {
            return;
        }
        own.before(now_us);
        let ready = u64::try_from(own.bucket.level_milli(now_us)).unwrap_or(0);
        let cap_milli = had.cap_milli.min(ready.saturating_add(expected));
        own.bucket.reshape(now_us, Shape { rate_nano: 0, cap_milli });
        own.after(now_us);
    }

    /// Gives up seats on which nobody sits, but for a few.
    fn shed_seats(&mut self, now_us: u64) {
        let most = self.reserved_milli.saturating_add(self.idle_seats_milli());
        let Some(own) = self.held.as_mut().filter(|_| self.waiting.is_empty()) else { return };
        own.target_milli = own.target_milli.min(most);
        own.fit_seats(now_us, self.reserved_milli);
    }

    /// How many seats may lie idle here, in thousandths.
    const fn idle_seats_milli(&self) -> u64 {
        let part = self.supply.largest_milli() / IDLE_SEATS_PART;
        part - part % MILLI
    }

    /// A seat became free. If nobody here waits for it, the leader shall have it at once:
    /// who comes next may come to another proxy.
    pub(super) fn on_seat_left(&mut self, now_us: u64) {
        let idle = self.held.as_ref().map_or(0, |own| own.bucket.level_milli(now_us));
        self.tell |= self.waiting.is_empty() && signed(self.idle_seats_milli()) < idle;
    }

    fn told(&self, now_us: u64, own: &Own<B>) -> Held {
        let shape = own.bucket.shape();
        Held {
            seq: self.seq,
            level_milli: own.bucket.level_milli(now_us),
            rate_nano: shape.rate_nano,
            cap_milli: shape.cap_milli,
            left_us: own.expires_us.saturating_sub(now_us),
            surplus_milli: own.surplus_milli,
        }
    }

    /// What is missing for all who wait.
    fn need_milli(&self, now_us: u64) -> u64 {
        let all = self.waiting.iter().map(|(milli, count)| milli.saturating_mul((*count).into()));
        self.missing_milli(now_us, all.fold(0, u64::saturating_add))
    }

    /// What is missing for the one of them who wants least; 0: nobody waits in vain.
    fn least_milli(&self, now_us: u64) -> u64 {
        let need = self.need_milli(now_us);
        let Some((least, _)) = self.waiting.first_key_value().filter(|_| 0 < need) else {
            return 0;
        };
        // One of them may find enough, and then the next does not.
        self.missing_milli(now_us, *least).max(need.min(1))
    }
}
