//! What a chunk's holder tells the leader, and what it does with the answers.

use super::{Chunk, Leaving, Refusal, end::End, signed};
use crate::limit::{
    budget::message::{ChunkEntry, ChunkGrant},
    hold::{Applied, Head},
    message::{Denied, Why},
};

/// An answer that did not come within so long was lost: the leader is asked again.
pub(super) const ASK_AGAIN_US: u64 = 50_000;
/// After something was given back nothing is said for so long.
const QUIET_US: u64 = 5_000;

impl Chunk {
    /// Whether something is to be said to the leader now, rather than with the next renewal.
    pub fn should_ask(&self, now_us: u64) -> bool {
        self.ask_at_us(now_us).is_some_and(|at_us| at_us <= now_us)
    }

    /// When [`Self::should_ask`] is the case if nothing happens before; `None`: never.
    pub fn ask_at_us(&self, now_us: u64) -> Option<u64> {
        if self.leaving == Leaving::Wanted {
            return Some(now_us);
        }
        // What overtakes what was given back on its way makes it void.
        let quiet_us = self.gave_us.map_or(now_us, |it| it.saturating_add(QUIET_US)).max(now_us);
        if 0 < self.called_in_milli {
            return Some(quiet_us);
        }
        let short = self.least_milli(now_us);
        if self.waiting.is_empty() || short == 0 {
            return None;
        }
        let lost_us = self.asked_us.map_or(now_us, |asked| asked.saturating_add(ASK_AGAIN_US));
        let refused_us = self.refusal_of(now_us, short).map_or(now_us, |it| it.until_us);
        Some(lost_us.max(refused_us).max(quiet_us)).filter(|at_us| *at_us != u64::MAX)
    }

    /// How it stands, for the leader. What is given back is taken out: the entry is to be
    /// sent, or what it gives back is lost.
    pub fn entry(&mut self, now_us: u64) -> ChunkEntry {
        let demand_milli_per_s = self.demand.milli_per_s(now_us);
        let (give_back_milli, owed_milli) = self.take_give_back(now_us);
        let (need_milli, least_milli) = (self.need_milli(now_us), self.least_milli(now_us));
        if 0 < need_milli {
            self.asked_us = Some(now_us);
            self.asked_milli = least_milli;
        }
        ChunkEntry {
            of: self.of,
            window: self.window,
            seq: self.seq,
            level_milli: self.ready_milli(now_us),
            reserved_milli: self.reserved_milli,
            spent_milli: self.spent_milli,
            denied: self.denied,
            demand_milli_per_s,
            need_milli,
            least_milli,
            give_back_seq: self.give_back_seq,
            give_back_milli,
            owed_milli,
        }
    }

    /// Applies what the leader says. Messages of another epoch are left out before.
    pub fn on_grant(&mut self, now_us: u64, head: Head, grant: &ChunkGrant) -> Applied {
        if grant.of != self.of || self.window.is_some_and(|window| grant.window < window) {
            return Applied::Ignored;
        }
        self.on_window(now_us, head, grant);
        let credited = self.seq < grant.seq && 0 < grant.credit_milli;
        if self.seq < grant.seq {
            self.seq = grant.seq;
            self.level_milli = self.level_milli.saturating_add(signed(grant.credit_milli));
        }
        if credited {
            self.asked_us = None;
            self.refusal = None;
        }
        if head.stamp_us < self.told_us {
            return if credited { Applied::Granted } else { Applied::Ignored };
        }
        self.told_us = head.stamp_us;
        (self.free_milli, self.used_ppm) = (grant.free_milli, grant.used_ppm);
        if grant.call_in {
            let milli = if grant.call_in_milli == 0 { u64::MAX } else { grant.call_in_milli };
            self.called_in_milli = self.called_in_milli.max(milli);
        }
        match grant.denied {
            Some(denied) => {
                self.asked_us = None;
                let until_us = self.until(now_us, denied);
                let least_milli = self.asked_milli;
                self.refusal = Some(Refusal { until_us, least_milli, why: denied.why });
            }
            None => self.refusal = None,
        }
        match (credited, grant.denied) {
            (true, _) => Applied::Granted,
            (false, Some(denied)) => Applied::Denied(denied),
            (false, None) => Applied::Unchanged,
        }
    }

    /// Another leader: what it says is counted on, what was said by the one before it is over.
    pub const fn on_epoch(&mut self, now_us: u64, epoch: u64) {
        self.epoch = epoch;
        self.told_us = 0;
        self.on_lost(now_us);
        self.refusal = None;
    }

    /// The session is lost: nothing is on its way any more.
    pub const fn on_lost(&mut self, _now_us: u64) {
        self.asked_us = None;
        self.called_in_milli = 0;
    }

    /// What goes back with this entry, and what it owes.
    fn take_give_back(&mut self, now_us: u64) -> (u64, u64) {
        let called_in = std::mem::take(&mut self.called_in_milli);
        let keep = match self.leaving {
            Leaving::Wanted => 0,
            // Somebody else has asked for it. Those who wait here keep what is about to let
            // them through; what does not suffice for any of them may do there.
            Leaving::No if 0 < called_in && self.least_milli(now_us) == 0 => self.wanted_milli(),
            Leaving::No if 0 < called_in => 0,
            Leaving::No | Leaving::Said => return (0, 0),
        };
        let owed = match self.leaving {
            Leaving::Wanted => {
                self.leaving = Leaving::Said;
                u64::try_from(self.ready_milli(now_us).saturating_neg()).unwrap_or(0)
            }
            Leaving::No | Leaving::Said => 0,
        };
        let over = self.ready_milli(now_us).saturating_sub(signed(keep));
        let most = if self.leaving == Leaving::No { called_in } else { u64::MAX };
        let back = u64::try_from(over).unwrap_or(0).min(most);
        if back == 0 && owed == 0 {
            return (0, 0);
        }
        self.gave_us = Some(now_us);
        self.give_back_seq = self.give_back_seq.saturating_add(1);
        self.level_milli =
            self.level_milli.saturating_sub(signed(back)).saturating_add(signed(owed));
        (back, owed)
    }

    fn on_window(&mut self, now_us: u64, head: Head, grant: &ChunkGrant) {
        let told = End::told(now_us, head.reply_to_us, grant.left_us);
        if self.window != Some(grant.window) {
            self.window = Some(grant.window);
            self.end = told;
            (self.level_milli, self.reserved_milli) = (0, 0);
            (self.spent_milli, self.denied) = (0, 0);
            self.refusal = None;
            return;
        }
        self.end = self.end.nearer(told);
    }

    /// A no for want of anything left ends with the window.
    fn until(&self, now_us: u64, denied: Denied) -> u64 {
        let until_us = now_us.saturating_add(denied.retry_us);
        match denied.why {
            Why::Exhausted | Why::Moving => until_us.min(self.end.sure_us()),
            Why::Learning | Why::Unknown | Why::Unavailable => until_us,
        }
    }
}
