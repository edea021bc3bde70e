//! Asks limits for room: the caller's when a request is let in, an account's when it is
//! that account's turn.

use super::{receive::Ask, toll::Toll};
use crate::{
    explain::{LookVerdict, Reason, Record, Reluctance, Said},
    gateway::Gateway,
    http::{
        headers,
        refusal::{Refusal, Shortfall, Uncounted},
        standing::left_milli,
    },
    meter::{Priority, Reservation, ShortWhy, Shortage, Want},
};
use domain::{
    catalog::{Limit, Price},
    limit::demand::{Demand, Unfit},
    routing::Attempt,
};
use std::{sync::Arc, time::Duration};

/// When to come back where nobody knows it: a new leader is found within so long.
const LATER: Duration = Duration::from_secs(2);
const LOW: &[u8] = b"low";

/// What the caller's limits let through.
pub(super) struct Passage {
    pub(super) demand: Demand,
    pub(super) reservation: Reservation,
}

/// Takes what the request may use of the caller's limits; `None` without limits.
///
/// # Errors
/// [`Refusal`] that names the limit. Then nothing is taken of any.
pub(super) async fn of_caller(
    gateway: &Gateway,
    toll: &Toll<'_>,
    ask: &Ask<'_>,
    record: &Record,
) -> Result<Option<Passage>, Refusal> {
    if toll.caller.is_empty() {
        return Ok(None);
    }
    let demand = toll.of_caller().map_err(|unfit| {
        record.sized(toll.input_tokens(), 0);
        record.said(never(&toll.caller, unfit));
        toll.refusal(unfit)
    })?;
    record.sized(toll.input_tokens(), demand.output_tokens);
    let wants = wants(&toll.caller, &demand);
    match gateway.meter.reserve(&wants, priority(ask)).await {
        Ok(reservation) => {
            record.said(reservation.parts().iter().map(Said::of).collect());
            Ok(Some(Passage { demand, reservation }))
        }
        Err(shortage) => {
            record.said(said(&shortage));
            Err(refusal(*shortage))
        }
    }
}

/// Somebody who may be asked.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// The number of the attempt in the plan.
    pub(super) at: usize,
    pub(super) attempt: &'a Attempt,
    /// Whether nobody comes after.
    pub(super) is_last: bool,
}

/// A turn at an account.
#[derive(Default)]
pub(super) struct Turn {
    /// What is held of the account's own limits.
    pub(super) reservation: Option<Reservation>,
    pub(super) demand: Option<Demand>,
    /// What tokens cost there.
    pub(super) price: Option<Price>,
}

impl Turn {
    /// Does without it: others come first.
    pub(super) fn give_back(self, record: &Record) {
        record.became(LookVerdict::KeptForLast(Reluctance::Threshold));
        if let Some(reservation) = self.reservation {
            record.charged_target(|_, _| 0);
            reservation.undo();
        }
    }
}

impl Turn {
    /// Does without it: what is asked cannot be said there.
    pub(super) fn does_not_fit(self, record: &Record) {
        record.became(LookVerdict::Unsayable);
        if let Some(reservation) = self.reservation {
            record.charged_target(|_, _| 0);
            reservation.undo();
        }
    }
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// There is, after so long.
    Later(Duration),
    /// Nobody knows, and why.
    Uncounted(&'static str, Duration),
    /// There is none, however long one waits.
    Never,
    /// The request is larger than the account takes.
    TooLarge,
}

/// Takes what the request may use of a target's limits. It stands in line there only
/// when nobody else is left: before, the next one may have room at once.
///
/// # Errors
/// [`NoTurn`]: on to the next target.
pub(super) async fn of_target(
    gateway: &Gateway,
    toll: &Toll<'_>,
    ask: &Ask<'_>,
    target: Target<'_>,
    record: &Record,
) -> Result<Turn, NoTurn> {
    let Target { at, attempt, is_last } = target;
    let (limits, price) = (toll.target(at), toll.price(attempt));
    if limits.is_empty() {
        record.looked(attempt, LookVerdict::Asked, Vec::new());
        return Ok(Turn { price, ..Turn::default() });
    }
    let demand = match toll.of_target(at, attempt) {
        Ok(demand) => demand,
        Err(unfit) => {
            record.looked(attempt, LookVerdict::NoHeadroom, never(limits, unfit));
            return Err(match unfit {
                Unfit::Unpriced { .. } => NoTurn::Never,
                Unfit::TooManyTokens { .. } | Unfit::NeverFits { .. } => NoTurn::TooLarge,
            });
        }
    };
    let (wants, priority) = (wants(limits, &demand), priority(ask));
    let reserved = match is_last {
        true => gateway.meter.reserve(&wants, priority).await,
        false => gateway.meter.reserve_now(&wants, priority).await,
    };
    match reserved {
        Ok(reservation) => {
            let said = reservation.parts().iter().map(Said::of).collect();
            record.looked(attempt, LookVerdict::Asked, said);
            Ok(Turn { reservation: Some(reservation), demand: Some(demand), price })
        }
        Err(shortage) => {
            record.looked(attempt, LookVerdict::NoHeadroom, said(&shortage));
            Err(match (shortage.why, shortage.retry_after) {
                (ShortWhy::TooLarge { .. }, _) => NoTurn::TooLarge,
                (ShortWhy::Exhausted, None) => NoTurn::Never,
                (ShortWhy::Exhausted, Some(after)) => NoTurn::Later(after),
                (ShortWhy::Moving, after) => NoTurn::Later(after.unwrap_or(LATER)),
                (why, after) => NoTurn::Uncounted(because(why), after.unwrap_or(LATER)),
            })
        }
    }
}

fn wants<'a>(limits: &[&'a Arc<Limit>], demand: &Demand) -> Vec<Want<'a>> {
    let wants = limits.iter().zip(&demand.asks);
    wants.map(|(limit, milli)| Want { limit, milli: *milli }).collect()
}

/// A caller may put its own request behind others, never before them.
fn priority(ask: &Ask<'_>) -> Priority {
    let said = ask.asked.head.headers.get(headers::PRIORITY);
    let low = said.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(LOW));
    if low { Priority::Low } else { Priority::Normal }
}

fn refusal(shortage: Shortage) -> Refusal {
    let Shortage { limit, why, asked_milli, view, retry_after, parts: _ } = shortage;
    let moving = why == ShortWhy::Moving;
    match why {
        // A program that hears of a budget that is used up gives up: not for a moment's want.
        ShortWhy::Moving if Shortfall::is_budget(&limit.rule) => uncounted(limit, why, retry_after),
        ShortWhy::Exhausted | ShortWhy::Moving => {
            // What the leader was last heard to have may be gone: there was less than asked.
            let left_milli = left_milli(&limit, &view).min(asked_milli.saturating_sub(1));
            let short = Shortfall { limit, asked_milli, left_milli, retry_after, moving };
            Refusal::Limited(Box::new(short))
        }
        ShortWhy::TooLarge { largest_milli } => {
            Refusal::never_fits(limit, largest_milli, asked_milli)
        }
        ShortWhy::Disconnected
        | ShortWhy::Unanswered
        | ShortWhy::Crowded
        | ShortWhy::Learning
        | ShortWhy::Unavailable => uncounted(limit, why, retry_after),
    }
}

fn uncounted(limit: Arc<Limit>, why: ShortWhy, retry_after: Option<Duration>) -> Refusal {
    let (limit, retry_after) = (Some(limit), retry_after.unwrap_or(LATER));
    Refusal::Uncounted(Box::new(Uncounted { limit, why: because(why), retry_after }))
}

/// Why a limit cannot be counted, in words.
const fn because(why: ShortWhy) -> &'static str {
    match why {
        ShortWhy::Moving => {
            "what is left of it is held by other proxies or reserved by running requests"
        }
        ShortWhy::Disconnected => "the control plane cannot be reached",
        ShortWhy::Unanswered => "the control plane did not answer in time",
        ShortWhy::Crowded => "too many requests wait for it already",
        ShortWhy::Learning => "the control plane has just started and learns what is in use",
        ShortWhy::Exhausted | ShortWhy::Unavailable | ShortWhy::TooLarge { .. } => {
            "the control plane cannot reach what counts it"
        }
    }
}

/// What was said when one limit said no: of those before it nothing was taken in the end.
fn said(shortage: &Shortage) -> Vec<Said> {
    let mut said: Vec<_> = shortage.parts.iter().map(Said::of).collect();
    let no = said.pop();
    said.iter_mut().for_each(Said::skip);
    said.extend(no.map(|it| it.refused(Reason::of(shortage.why))));
    said
}

/// The one limit that can never let the request through.
fn never(limits: &[&Arc<Limit>], unfit: Unfit) -> Vec<Said> {
    let (at, asked_milli, reason) = match unfit {
        Unfit::TooManyTokens { limit, .. } => (limit, 0, Reason::TooLarge),
        Unfit::NeverFits { limit, asked_milli, .. } => (limit, asked_milli, Reason::TooLarge),
        Unfit::Unpriced { limit } => (limit, 0, Reason::Unpriced),
    };
    let limit = limits.get(at).map(|it| Arc::clone(it));
    limit.map(|limit| Said::never(limit, asked_milli, reason)).into_iter().collect()
}
