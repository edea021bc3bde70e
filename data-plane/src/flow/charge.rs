//! What a request holds of limits, and what they are charged in the end: the caller's for
//! the request, an account's for each attempt at it.

use super::passage::{Passage, Turn};
use crate::explain::{LookVerdict, Record};
use domain::{
    catalog::{Limit, Price},
    limit::demand::{Demand, used_milli},
    tokens::Tokens,
};
use std::sync::Arc;

/// What a request holds. Each reservation is settled once: it is taken out for that.
pub(super) struct Held {
    passage: Option<Passage>,
    /// For the attempt that is being made.
    turn: Turn,
    record: Arc<Record>,
}

impl Held {
    pub(super) fn new(passage: Option<Passage>, record: Arc<Record>) -> Self {
        Self { passage, turn: Turn::default(), record }
    }

    /// What was asked of the caller's limits.
    pub(super) fn demand(&self) -> Option<&Demand> {
        self.passage.as_ref().map(|it| &it.demand)
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// The attempt is over, and used `tokens` of the account. `None`: the account has not
    /// even heard of it.
    pub(super) fn end_attempt(&mut self, tokens: Option<Tokens>) {
        let Some(reservation) = self.turn.reservation.take() else { return };
        let used = used(tokens, self.turn.price);
        self.record.charged_target(&used);
        reservation.settle(used);
    }

    /// The request is over, and used `tokens`. `None`: nobody was asked, which uses nothing.
    pub(super) fn end(&mut self, status: u16, tokens: Option<Tokens>) {
        self.end_attempt(tokens);
        self.record.ended(status);
        self.end_caller(tokens);
    }

    /// The request goes nowhere.
    pub(super) fn withdraw(&mut self) {
        self.end_caller(None);
    }

    fn end_caller(&mut self, tokens: Option<Tokens>) {
        let Some(Passage { reservation, demand: _ }) = self.passage.take() else { return };
        let used = used(tokens, self.turn.price);
        self.record.charged_caller(&used);
        reservation.settle(used);
    }

    pub(super) fn became(&self, verdict: LookVerdict) {
        self.record.became(verdict);
    }
}

fn used(tokens: Option<Tokens>, price: Option<Price>) -> impl Fn(&Limit) -> u64 {
    move |limit| tokens.map_or(0, |it| used_milli(limit, it, price))
}
