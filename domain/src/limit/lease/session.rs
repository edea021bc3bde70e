//! A holder's side of the talk with the leader: numbers what it says, and adopts epochs.

use super::mutant::{Mutant, Rules};
use crate::limit::{
    budget::message::ChunkEntry,
    lease::message::Entry,
    message::{Grants, Sync},
};

/// What to do with a message of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is of another epoch than ours.
    Stale,
    /// There is a new leader, and this is its epoch, adopted by now. Tell every lease and
    /// chunk, and then say all that is held ([`Sync::whole`]).
    Hello(u64),
    /// Its grants are to be applied.
    Current,
}

/// A holder's numbering and the epoch that it knows.
///
/// An epoch is adopted by a hello and by nothing else. What was said before it is then void
/// on both sides: the holder drops grants of the leader before, and the new leader
/// takes no claim that was not sent after the hello. Without that, a late message of the
/// time before could be taken for an answer to the new leader's grants.
#[derive(Debug, Clone, Default)]
pub struct Session {
    epoch: u64,
    number: u64,
    rules: Rules,
}

impl Session {
    /// Of a holder that never heard of a leader.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks a rule.
    #[cfg(feature = "mutants")]
    pub const fn break_rule(&mut self, rule: Option<Mutant>) {
        self.rules = Rules::without(rule);
    }

    /// The leader's epoch as adopted; 0: none yet.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The next message. `whole`: these are all leases and chunks that the holder has.
    pub const fn next(
        &mut self,
        now_us: u64,
        whole: bool,
        entries: Vec<Entry>,
        chunks: Vec<ChunkEntry>,
    ) -> Sync {
        self.number = self.number.saturating_add(1);
        Sync { epoch: self.epoch, number: self.number, sent_us: now_us, whole, entries, chunks }
    }

    /// What to do with what a leader says.
    pub fn on_grants(&mut self, grants: &Grants) -> Verdict {
        if grants.hello && self.epoch < grants.epoch {
            self.epoch = grants.epoch;
            return Verdict::Hello(grants.epoch);
        }
        if self.epoch < grants.epoch && self.rules.lack(Mutant::NoHandshake) {
            self.epoch = grants.epoch;
        }
        let current = grants.epoch == self.epoch || self.rules.lack(Mutant::Zombie);
        if current { Verdict::Current } else { Verdict::Stale }
    }
}
