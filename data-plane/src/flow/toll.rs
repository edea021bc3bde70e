//! What a request asks of the limits that it meets, in numbers.

use super::receive::Ask;
use crate::{
    http::refusal::{Refusal, TooManyTokens},
    upstream::Need,
};
use domain::{
    catalog::{Action, Dialect, Limit, Measure, Operation, Price, Rule, VirtualKey},
    limit::demand::{Demand, Estimate, Unfit, demand},
    routing::{Attempt, Plan},
    snapshot::Snapshot,
};
use std::sync::Arc;

/// The limits that a request meets, and what it is taken for.
pub(super) struct Toll<'a> {
    pub(super) snapshot: &'a Snapshot,
    ask: &'a Ask<'a>,
    /// Those on who asks.
    pub(super) caller: Vec<&'a Arc<Limit>>,
    /// Those on who is asked, by the plan's attempts.
    targets: Vec<Vec<&'a Arc<Limit>>>,
    estimate: Estimate,
}

impl<'a> Toll<'a> {
    /// Looks up the limits. Where there are none, this is all that they cost.
    pub(super) fn of(
        snapshot: &'a Snapshot,
        key: &VirtualKey,
        ask: &'a Ask<'a>,
        plan: &Plan,
    ) -> Self {
        let met = |mut limits: Vec<&'a Arc<Limit>>| {
            limits.retain(|it| is_met(it, ask.operation));
            limits
        };
        let mut toll = Self {
            snapshot,
            ask,
            caller: Vec::new(),
            targets: Vec::new(),
            estimate: Estimate {
                input_tokens: 0,
                asked_output: ask.peek.asked_output(),
                price: None,
                model_output: None,
                default_output: 0,
                takes_output: takes_output(ask.operation),
            },
        };
        if snapshot.catalog().limits.is_empty() {
            return toll;
        }
        toll.caller = met(snapshot.limits_of_caller(key, &ask.peek.model));
        let of = |it: &Attempt| met(snapshot.limits_of_target(&it.seat, &it.model));
        toll.targets = plan.attempts.iter().map(of).collect();
        let mut all = toll.caller.iter().chain(toll.targets.iter().flatten());
        if all.any(|it| counts_size(it)) {
            toll.size(&plan.attempts);
        }
        toll
    }

    /// Those on the plan's attempt of this number.
    pub(super) fn target(&self, at: usize) -> &[&'a Arc<Limit>] {
        self.targets.get(at).map_or(&[], Vec::as_slice)
    }

    /// Whether an account that may be asked has limits.
    pub(super) const fn limits_targets(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Input tokens, as they were guessed.
    pub(super) const fn input_tokens(&self) -> u64 {
        self.estimate.input_tokens
    }

    /// What an account may have to give; guessed cheaply, because it refuses nobody.
    pub(super) fn need(&self) -> Need {
        let input_tokens = self.ask.body.len() as u64 / 4;
        Need { input_tokens, output_tokens: self.estimate.asked_output.unwrap_or(0) }
    }

    /// What the request asks of the caller's limits.
    ///
    /// # Errors
    /// [`Unfit`] if it can never be let through.
    pub(super) fn of_caller(&self) -> Result<Demand, Unfit> {
        let limits: Vec<&Limit> = self.caller.iter().map(|it| &***it).collect();
        demand(&limits, &self.estimate)
    }

    /// What it asks of the limits of the plan's attempt of this number.
    ///
    /// # Errors
    /// [`Unfit`] if it can never go there.
    pub(super) fn of_target(&self, at: usize, attempt: &Attempt) -> Result<Demand, Unfit> {
        let limits: Vec<&Limit> = self.target(at).iter().map(|it| &***it).collect();
        let price = self.price(attempt);
        demand(&limits, &Estimate { price, ..self.estimate })
    }

    /// What tokens cost there.
    pub(super) fn price(&self, attempt: &Attempt) -> Option<Price> {
        self.snapshot.price(&attempt.seat.provider, &attempt.model)
    }

    /// The bound to tell the provider for each of its answers, when what is reserved
    /// counts on `caller` and `target`, all answers together.
    pub(super) fn output_cap(
        &self,
        attempt: &Attempt,
        caller: Option<&Demand>,
        target: Option<&Demand>,
    ) -> Option<u64> {
        // Anthropic's requests all have a bound.
        let may = takes_output(self.ask.operation)
            && self.ask.spoken != Dialect::Anthropic
            && !attempt.seat.account.client.keep_output_open;
        let bounds = [caller, target].into_iter().flatten().filter_map(|it| it.inject_output);
        // A bound under a name that chats do not know bounds nothing; the provider is told
        // it under the right one.
        let stated = || self.ask.peek.asked_output().filter(|_| self.counts_size());
        let together = bounds.min().or_else(stated).filter(|_| may)?;
        let each = (together / self.ask.peek.output.answers()).max(1);
        // More than its model gives would be refused there.
        Some(self.most_output(attempt).map_or(each, |it| each.min(it)))
    }

    fn counts_size(&self) -> bool {
        let mut all = self.caller.iter().chain(self.targets.iter().flatten());
        all.any(|it| it.action == Action::Enforce && counts_size(it))
    }

    /// Guesses what the request may take, for whoever of `attempts` answers it.
    fn size(&mut self, attempts: &[Attempt]) {
        let answers = self.ask.peek.output.answers();
        let usual = self.snapshot.catalog().settings.default_output_tokens;
        let of_model = attempts.iter().filter_map(|it| self.most_output(it)).max();
        let mut prices = attempts.iter().map(|it| self.price(it));
        let first = prices.next().flatten();
        let price = prices.fold(first, |dearest, it| Some(dearest?.dearest(it?)));
        self.estimate = Estimate {
            input_tokens: match self.ask.operation {
                Operation::Chat | Operation::Completions | Operation::Embeddings => {
                    self.ask.peek.input_reserve_estimate()
                }
                Operation::CountTokens => 0,
            },
            price,
            model_output: of_model.map(|it| it.saturating_mul(answers)),
            default_output: usual.saturating_mul(answers),
            ..self.estimate
        };
    }

    /// The most output that the model of an attempt gives to one answer.
    fn most_output(&self, attempt: &Attempt) -> Option<u64> {
        self.snapshot.max_output(&attempt.seat.provider, &attempt.model)
    }

    /// Says so to the caller, of whose limits one can never let the request through.
    pub(super) fn refusal(&self, unfit: Unfit) -> Refusal {
        let limit = |at: usize| self.caller.get(at).map(|it| Arc::clone(it));
        let refusal = match unfit {
            Unfit::TooManyTokens { limit: at, most, estimated } => limit(at).map(|limit| {
                let input = self.estimate.input_tokens;
                Refusal::TooManyTokens(Box::new(TooManyTokens { limit, most, estimated, input }))
            }),
            Unfit::NeverFits { limit: at, largest_milli, asked_milli } => {
                limit(at).map(|limit| Refusal::never_fits(limit, largest_milli, asked_milli))
            }
            Unfit::Unpriced { limit: at } => limit(at).map(|limit| Refusal::Unpriced {
                limit,
                alias: self.ask.peek.model.clone().into_owned(),
            }),
        };
        // It is one of those that were asked.
        refusal.unwrap_or(Refusal::Panicked)
    }
}

/// Whether what is asked for is written, and so can be bounded.
const fn takes_output(operation: Operation) -> bool {
    match operation {
        Operation::Chat | Operation::Completions => true,
        Operation::Embeddings | Operation::CountTokens => false,
    }
}

/// Whether a request for `operation` meets the limit at all. To count tokens costs none,
/// and no money; it is a request all the same.
fn is_met(limit: &Limit, operation: Operation) -> bool {
    let free = operation == Operation::CountTokens;
    match limit.rule.measure() {
        Some(Measure::Requests) => true,
        Some(Measure::Tokens(_) | Measure::Cost) => !free,
        None => !free || matches!(*limit.rule, Rule::InFlight { .. }),
    }
}

/// Whether it matters to the limit how large a request is.
fn counts_size(limit: &Limit) -> bool {
    match limit.rule.measure() {
        Some(Measure::Requests) => false,
        Some(Measure::Tokens(_) | Measure::Cost) => true,
        None => matches!(*limit.rule, Rule::TokensPerRequest { .. }),
    }
}
