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

/// What limits are charged for a request, or for one attempt at it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Charge {
    /// Nobody has even heard of it.
    Nothing,
    /// What it used.
    Used(Tokens),
    /// It was sent, and nobody knows what it used: all that was reserved. Charged less, who
    /// always hangs up before the answer would use a provider and no limit.
    Reserved,
}

/// What a request holds. Each reservation is settled once: it is taken out for that.
pub(super) struct Held {
    passage: Option<Passage>,
    /// For the attempt that is being made.
    turn: Turn,
    /// Of an attempt that failed it is not known what it used.
    unknown: bool,
    record: Arc<Record>,
}

impl Held {
    pub(super) fn new(passage: Option<Passage>, record: Arc<Record>) -> Self {
        Self { passage, turn: Turn::default(), unknown: false, record }
    }

    /// What was asked of the caller's limits.
    pub(super) fn demand(&self) -> Option<&Demand> {
        self.passage.as_ref().map(|it| &it.demand)
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// The attempt is over, and no answer came of it. Its account is charged for it alone.
    pub(super) fn failed(&mut self, charge: Charge) {
        self.unknown |= matches!(charge, Charge::Reserved);
        self.end_attempt(charge);
    }

    fn end_attempt(&mut self, charge: Charge) {
        let Some(reservation) = self.turn.reservation.take() else { return };
        let charged = charged(charge, self.turn.price);
        self.record.charged_target(&charged);
        reservation.charge(charged);
    }

    /// The request is over. `failed`: no attempt at it was answered.
    pub(super) fn end(&mut self, status: u16, charge: Charge, failed: bool) {
        self.end_attempt(charge);
        self.record.ended(status);
        let unknown = failed && self.unknown;
        self.end_caller(if unknown { Charge::Reserved } else { charge });
    }

    /// The request goes nowhere.
    pub(super) fn withdraw(&mut self) {
        self.end_caller(Charge::Nothing);
    }

    fn end_caller(&mut self, charge: Charge) {
        let Some(Passage { reservation, demand: _ }) = self.passage.take() else { return };
        let charged = charged(charge, self.turn.price);
        self.record.charged_caller(&charged);
        reservation.charge(charged);
    }

    pub(super) fn became(&self, verdict: LookVerdict) {
        self.record.became(verdict);
    }
}

/// What each limit is charged that was asked for so much, in thousandths of its unit.
fn charged(charge: Charge, price: Option<Price>) -> impl Fn(&Limit, u64) -> u64 {
    move |limit, asked_milli| match charge {
        Charge::Nothing => 0,
        Charge::Used(tokens) => used_milli(limit, tokens, price),
        // Of seats and of tokens of one request nothing is ever used up.
        Charge::Reserved => limit.rule.measure().map_or(0, |_| asked_milli),
    }
}
