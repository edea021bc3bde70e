//! Which holders are recorded in the database. Nobody is lent anything before, so that the
//! next leader knows whom to wait for.

use domain::{
    id::ProxyId,
    limit::{Holder, message::Sync},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is known of the holders that have spoken in this term.
#[derive(Debug, Default)]
pub(super) struct Papers(BTreeMap<Holder, Paper>);

#[derive(Debug)]
struct Paper {
    state: State,
    /// When it was heard last; of the steady clock, in microseconds.
    heard_us: u64,
    /// What it said last while it was not recorded.
    waiting: Option<Sync>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    /// The clerk is at it.
    Asked,
    Recorded,
    /// It was lent something all the same, and is to be recorded when that can be done.
    Waived,
}

/// A holder that never speaks.
pub(super) fn nobody() -> Holder {
    Holder { proxy: ProxyId::from_uuid(Uuid::nil()), boot: Uuid::nil() }
}

impl Papers {
    /// Whether it was met in this term.
    pub(super) fn knows(&self, holder: Holder) -> bool {
        self.0.contains_key(&holder)
    }

    /// Whether it may be lent something.
    pub(super) fn is_recorded(&self, holder: Holder) -> bool {
        let state = self.0.get(&holder).map(|it| it.state);
        matches!(state, Some(State::Recorded | State::Waived))
    }

    pub(super) fn heard(&mut self, now_us: u64, holder: Holder) {
        self.paper(holder).heard_us = now_us;
    }

    /// It shall be recorded; `said` is kept until then, in the place of what it said before:
    /// of messages that wait only the newest is of use. Whether the clerk is to be asked.
    pub(super) fn ask(&mut self, holder: Holder, said: Option<Sync>) -> bool {
        let paper = self.paper(holder);
        if said.is_some() {
            paper.waiting = said;
        }
        let to_ask = paper.state == State::Missing;
        if to_ask {
            paper.state = State::Asked;
        }
        to_ask
    }

    /// It is lent something although it is not recorded.
    pub(super) fn waive(&mut self, holder: Holder) {
        let paper = self.paper(holder);
        paper.waiting = None;
        paper.state = State::Waived;
    }

    /// It is recorded. What it said meanwhile is to be answered now.
    pub(super) fn recorded(&mut self, holder: Holder) -> Option<Sync> {
        // Who was forgotten meanwhile is not brought back.
        let paper = self.0.get_mut(&holder)?;
        paper.state = State::Recorded;
        paper.waiting.take()
    }

    /// It could not be recorded.
    pub(super) fn not_recorded(&mut self, holder: Holder) {
        if let Some(paper) = self.0.get_mut(&holder)
            && paper.state == State::Asked
        {
            paper.state = State::Missing;
            paper.waiting = None;
        }
    }

    /// Those that were waived and are to be recorded now.
    pub(super) fn catch_up(&self) -> Vec<Holder> {
        // They stay waived until it is done: they go on being lent to.
        self.0.iter().filter(|(_, it)| it.state == State::Waived).map(|(it, _)| *it).collect()
    }

    pub(super) fn has_waived(&self) -> bool {
        self.0.values().any(|it| it.state == State::Waived)
    }

    /// Forgets, and gives, those that were silent for so long that no lease of theirs is
    /// left: `ttl_us` is how long one lasts.
    pub(super) fn forget_silent(&mut self, now_us: u64, ttl_us: u64) -> Vec<Holder> {
        // Twice: clocks drift, and an answer takes its time.
        let silence = ttl_us.saturating_mul(2);
        let silent =
            |it: &Paper| it.heard_us.saturating_add(silence) < now_us && it.state != State::Asked;
        let gone: Vec<_> = self.0.iter().filter(|(_, it)| silent(it)).map(|(it, _)| *it).collect();
        for holder in &gone {
            self.0.remove(holder);
        }
        gone
    }

    fn paper(&mut self, holder: Holder) -> &mut Paper {
        let new = || Paper { state: State::Missing, heard_us: 0, waiting: None };
        self.0.entry(holder).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(number: u128) -> Holder {
        Holder { proxy: ProxyId::from_uuid(Uuid::from_u128(number)), boot: Uuid::nil() }
    }

    fn said(number: u64) -> Sync {
        Sync { number, ..Sync::default() }
    }

    #[test]
    fn only_the_newest_word_waits_and_the_clerk_is_asked_once() {
        let mut papers = Papers::default();
        assert!(papers.ask(holder(1), Some(said(1))));
        assert!(!papers.ask(holder(1), Some(said(2))));
        assert!(!papers.is_recorded(holder(1)));
        assert_eq!(papers.recorded(holder(1)), Some(said(2)));
        assert!(papers.is_recorded(holder(1)));
        assert_eq!(papers.recorded(holder(1)), None);
    }

    #[test]
    fn who_could_not_be_recorded_is_asked_for_again() {
        let mut papers = Papers::default();
        assert!(papers.ask(holder(1), Some(said(1))));
        papers.not_recorded(holder(1));
        assert!(!papers.is_recorded(holder(1)));
        assert!(papers.ask(holder(1), Some(said(2))));
    }

    #[test]
    fn who_was_waived_is_recorded_later() {
        let mut papers = Papers::default();
        papers.waive(holder(1));
        assert!(papers.is_recorded(holder(1)) && papers.has_waived());
        assert_eq!(papers.catch_up(), [holder(1)]);
        assert_eq!(papers.recorded(holder(1)), None);
        assert!(!papers.has_waived());
    }

    #[test]
    fn the_silent_are_forgotten_and_late_papers_do_not_bring_them_back() {
        let mut papers = Papers::default();
        papers.heard(1_000, holder(1));
        papers.heard(50_000, holder(2));
        assert_eq!(papers.forget_silent(50_001, 20_000), [holder(1)]);
        assert_eq!(papers.recorded(holder(1)), None);
        assert!(!papers.knows(holder(1)) && papers.knows(holder(2)));
    }
}
