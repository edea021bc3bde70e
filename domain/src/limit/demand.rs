//! From an estimate to what each limit is asked, and from what was used to what each
//! is charged.
//!
//! What is asked is never less than what is charged, as long as the estimate of the
//! input holds and the provider keeps to the maximum of output that it is told.

use super::{
    lease::lendable,
    supply::{MILLI, Supply, take_milli},
};
use crate::{
    catalog::{Action, Limit, Measure, Mode, Price, Rule, Weights},
    tokens::Tokens,
};

/// The part of a rate in availability mode that is never lent, in millionths: what
/// proxies that cannot ask go on with.
pub const SET_ASIDE_PPM: u32 = 100_000;

/// Prices are for a million tokens.
const PARTS: u128 = 1_000_000;

/// A percent of a token is ten thousandths of it.
const MILLI_OF_PERCENT: u64 = 10;

/// What is known of a request before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the prompt, as guessed.
    pub input_tokens: u64,
    /// The maximum of output tokens that the caller stated, for all choices together.
    pub asked_output: Option<u64>,
    /// The dearest prices of the models that may be asked; `None`: one is not known.
    pub price: Option<Price>,
    /// The most output tokens that the model gives, if that is known.
    pub model_output: Option<u64>,
    /// Output tokens to reserve where nothing better is known.
    pub default_output: u64,
    /// Whether there is output to pay for: a conversation has, an embedding has not.
    pub takes_output: bool,
}

/// What a request asks of its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Output tokens that are reserved.
    pub output_tokens: u64,
    /// The maximum of output tokens to tell the provider, where the caller stated none
    /// and a limit counts on it.
    pub inject_output: Option<u64>,
    /// What each limit is asked, in thousandths of its unit and in the order of the
    /// limits. Of tokens per request nothing is used up, but a shadow has to be asked.
    pub asks: Vec<u64>,
}

/// Why a request can never be let through as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is estimated at more tokens than one request may have.
    TooManyTokens {
        /// Which limit says so: its place in the list.
        limit: usize,
        /// Tokens that one request may have.
        most: u64,
        /// Tokens that this one may take.
        estimated: u64,
    },
    /// It needs more than a limit ever has ready.
    NeverFits {
        /// Which limit: its place in the list.
        limit: usize,
        /// The most that it lets through at once, in thousandths of its unit.
        largest_milli: u64,
        /// What the request needs, in thousandths of its unit.
        asked_milli: u64,
    },
    /// It is limited in money, and what it costs is not known.
    Unpriced {
        /// Which limit: its place in the list.
        limit: usize,
    },
}

/// What a request of this estimate asks of `limits`.
///
/// A maximum of output that the caller did not state is made small enough to fit the
/// tightest of them, though never less than one token. Shadow limits change nothing of
/// a request: what they are asked is what they would be asked if they were enforced.
///
/// # Errors
/// [`Unfit`] when waiting would not help: of several reasons, that of the first limit.
pub fn demand(limits: &[&Limit], estimate: &Estimate) -> Result<Demand, Unfit> {
    let meters: Vec<_> = limits.iter().map(|it| Meter::of(it, estimate)).collect();
    let enforced = || limits.iter().zip(&meters).filter(|(it, _)| it.action == Action::Enforce);
    let stated = if estimate.takes_output { estimate.asked_output } else { Some(0) };
    let output_tokens = stated.unwrap_or_else(|| {
        let usual = estimate.model_output.unwrap_or(estimate.default_output);
        enforced().filter_map(|(_, it)| it.room).fold(usual, u64::min).max(1)
    });
    for (at, (limit, meter)) in limits.iter().zip(&meters).enumerate() {
        if limit.action == Action::Enforce {
            meter.fits(at, output_tokens)?;
        }
    }
    let asks = meters.iter().map(|it| {
        let room = it.room.filter(|_| stated.is_none());
        it.ask(room.map_or(output_tokens, |room| output_tokens.min(room).max(1)))
    });
    let counts_output = enforced().any(|(_, it)| it.room.is_some());
    let inject_output = (stated.is_none() && counts_output).then_some(output_tokens);
    Ok(Demand { output_tokens, inject_output, asks: asks.collect() })
}

/// What a request really used of a limit, in thousandths of its unit. Of what runs at
/// the same time nothing is used up, and neither is it of tokens per request. Without a
/// price, money cannot be counted and is 0 here: only a limit on trial lets that through.
pub fn used_milli(limit: &Limit, tokens: Tokens, price: Option<Price>) -> u64 {
    let cost = price.map_or(0, |it| it.cost_nanousd(tokens));
    limit.rule.measure().map_or(0, |it| take_milli(it, tokens, cost))
}

/// The most that one request can ever take of a limit at once, in thousandths of its
/// unit; `None` for tokens per request.
pub fn largest_milli(limit: &Limit) -> Option<u64> {
    let supply = Supply::of(limit)?;
    Some(match limit.mode {
        Mode::Strict => supply.largest_milli(),
        Mode::Availability => lendable(supply, SET_ASIDE_PPM).largest_milli(),
    })
}

/// The most that so many tokens can count under these weights, in thousandths.
pub fn most_milli(weights: Weights, tokens: u64) -> u64 {
    let output = u64::from(weights.output).saturating_mul(MILLI_OF_PERCENT);
    tokens.saturating_mul(dearest_input(weights).max(output))
}

/// How a limit counts one estimated request.
struct Meter {
    by: By,
    /// What it counts of the input: tokens of one request as such, amounts in `parts` of
    /// a thousandth of the limit's unit.
    input: u128,
    /// What it counts for each token of output, likewise.
    each_output: u64,
    /// The most output that fits; `None`: output does not count, or has no bound.
    room: Option<u64>,
}

/// What a limit looks at.
#[derive(Clone, Copy)]
enum By {
    /// That there is a request.
    Request,
    /// Its tokens, of which there may be so many.
    TokensOfOne { most: u64 },
    /// What it takes of what lies ready, which is never more than `largest` thousandths.
    Amount { largest: u64, parts: u128 },
    /// Money, but nobody knows how much.
    Unpriced,
}

impl Meter {
    fn of(limit: &Limit, estimate: &Estimate) -> Self {
        // Somebody who sends nothing that can be estimated still sends something.
        let tokens = u128::from(estimate.input_tokens.max(1));
        let (by, each_input, each_output) = match (&*limit.rule, limit.rule.measure()) {
            (Rule::TokensPerRequest { most }, _) => (By::TokensOfOne { most: most.get() }, 1, 1),
            (_, None | Some(Measure::Requests)) => (By::Request, 0, 0),
            (_, Some(Measure::Tokens(weights))) => {
                let by = By::Amount { largest: largest_milli(limit).unwrap_or(0), parts: 1 };
                (
                    by,
                    dearest_input(weights),
                    u64::from(weights.output).saturating_mul(MILLI_OF_PERCENT),
                )
            }
            (_, Some(Measure::Cost)) => match estimate.price {
                Some(it) => {
                    let largest = largest_milli(limit).unwrap_or(0);
                    let input = it.input.max(it.cached_input).max(it.cache_write);
                    (By::Amount { largest, parts: PARTS }, input, it.output)
                }
                None => (By::Unpriced, 0, 0),
            },
        };
        let input = tokens.saturating_mul(each_input.into());
        let most = match by {
            By::TokensOfOne { most } => u128::from(most),
            By::Amount { largest, parts } => u128::from(largest).saturating_mul(parts),
            By::Request | By::Unpriced => 0,
        };
        let room = most.saturating_sub(input).checked_div(each_output.into());
        let room = room.map(|it| u64::try_from(it).unwrap_or(u64::MAX));
        Self { by, input, each_output, room }
    }

    /// What is counted for the request with so much output.
    fn count(&self, output: u64) -> u128 {
        u128::from(output).saturating_mul(self.each_output.into()).saturating_add(self.input)
    }

    /// What it is asked for the request with so much output, in thousandths.
    fn ask(&self, output: u64) -> u64 {
        match self.by {
            By::Request => MILLI,
            By::Amount { parts, .. } => {
                u64::try_from(self.count(output).div_ceil(parts)).unwrap_or(u64::MAX)
            }
            By::TokensOfOne { .. } => {
                let tokens = u64::try_from(self.count(output)).unwrap_or(u64::MAX);
                tokens.saturating_mul(MILLI)
            }
            By::Unpriced => 0,
        }
    }

    /// Whether the request with so much output can be let through at all.
    fn fits(&self, limit: usize, output: u64) -> Result<(), Unfit> {
        let asked_milli = self.ask(output);
        match self.by {
            By::TokensOfOne { most } if self.count(output) > u128::from(most) => {
                let estimated = u64::try_from(self.count(output)).unwrap_or(u64::MAX);
                Err(Unfit::TooManyTokens { limit, most, estimated })
            }
            By::Amount { largest, .. } if asked_milli > largest => {
                Err(Unfit::NeverFits { limit, largest_milli: largest, asked_milli })
            }
            By::Unpriced => Err(Unfit::Unpriced { limit }),
            By::Request | By::TokensOfOne { .. } | By::Amount { .. } => Ok(()),
        }
    }
}

/// What the dearest kind of input counts for each token, in thousandths.
fn dearest_input(weights: Weights) -> u64 {
    let percent = weights.input.max(weights.cached_input).max(weights.cache_write);
    u64::from(percent).saturating_mul(MILLI_OF_PERCENT)
}

#[cfg(test)]
mod tests;
