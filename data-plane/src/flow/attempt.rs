//! Walks the plan until an answer begins. After that there is no way back.

use super::{
    exchange::{self, Answer, Failed},
    fetched::Fetched,
    order::Order,
    passage::{self, NoTurn, Target},
    receive::Ask,
    settle::Settlement,
    toll::Toll,
    words::{self, Manner, Words},
};
use crate::{
    explain::LookVerdict,
    gateway::Worker,
    http::refusal::{Refusal, Uncounted},
};
use dialect::translate::Reading;
use domain::{
    catalog::Translation,
    routing::{self, Attempt, Failure, Next, Plan},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Why no answer began.
pub(super) enum NoAnswer {
    /// All attempts failed.
    Failed(Failed),
    /// Nobody was asked: no account has room.
    NoRoom(Refusal),
}

/// Makes the attempts of `plan`, until one begins to answer or there is no use in going
/// on. An account whose limits have no room is passed over: that is no attempt.
///
/// # Errors
/// [`NoAnswer`]: how the last attempt went wrong, or that there was none.
pub(super) async fn first_to_begin(
    worker: &Worker,
    settlement: &mut Settlement,
    toll: &Toll<'_>,
    ask: &Ask<'_>,
    plan: &Plan,
) -> Result<Answer, NoAnswer> {
    let record = Arc::clone(settlement.record());
    let mut last = None;
    let mut passed = PassedOver::default();
    let mut order = Order::of(&worker.gateway, toll, plan, &record);
    let mut fetched = Fetched::new(&worker.gateway, ask);
    while let Some((at, is_last)) = order.next() {
        let Some(attempt) = plan.attempts.get(at) else { continue };
        // Before its limits are asked, so that nothing of them is held for strangers.
        let filled = match fetched.to(settlement, toll, plan, attempt).await {
            Ok(filled) => filled,
            Err(refusal) => {
                record.looked(attempt, LookVerdict::Unsayable, Vec::new());
                passed.unsayable.get_or_insert(refusal);
                continue;
            }
        };
        let target = Target { at, attempt, is_last };
        let turn = passage::of_target(&worker.gateway, toll, ask, target, &record).await;
        let turn = match turn {
            Ok(turn) => turn,
            Err(why) => {
                passed.note(why);
                continue;
            }
        };
        if order.put_off(&worker.gateway, (at, is_last), toll.target(at), attempt) {
            turn.give_back(&record);
            continue;
        }
        let cap = toll.output_cap(attempt, settlement.demand(), turn.demand.as_ref());
        let words = match sayable(toll, ask, plan, attempt, (cap, filled)) {
            Ok(words) => words,
            Err(refusal) => {
                turn.does_not_fit(&record);
                passed.unsayable.get_or_insert(refusal);
                continue;
            }
        };
        settlement.asking(attempt, turn);
        let begin = Instant::now();
        let tried = exchange::with(worker, toll.snapshot, ask, attempt, words).await;
        let waited = begin.elapsed();
        match tried {
            Ok(answer) => {
                settlement.begun(waited, answer.response.status(), answer.streamed);
                return Ok(answer);
            }
            Err(failed) => {
                settlement.failed(waited, failed.failure);
                let next = after(settlement, toll, ask, attempt, failed.failure);
                last = Some(failed);
                match next {
                    Next::Failover => {}
                    Next::GiveUp => break,
                }
            }
        }
    }
    Err(last.map_or_else(|| NoAnswer::NoRoom(passed.refusal()), NoAnswer::Failed))
}

/// Whether to go on after an attempt that failed.
fn after(
    settlement: &Settlement,
    toll: &Toll<'_>,
    ask: &Ask<'_>,
    attempt: &Attempt,
    failure: Failure,
) -> Next {
    let made = settlement.attempts();
    let elapsed_ms = u64::try_from(settlement.elapsed().as_millis()).unwrap_or(u64::MAX);
    let next = routing::after(failure, made, elapsed_ms, &toll.snapshot.catalog().settings);
    tracing::debug!(
        request_id = %ask.request, attempt = made,
        account = %attempt.seat.account.name, model = &*attempt.model,
        ?failure, ?next, "attempt failed"
    );
    next
}

/// What to tell the target of `attempt`, if it can be told, and the route lets it be told
/// so.
fn sayable(
    toll: &Toll<'_>,
    ask: &Ask<'_>,
    plan: &Plan,
    attempt: &Attempt,
    (cap, filled): (Option<u64>, Option<&Reading>),
) -> Result<Words, Refusal> {
    let words = words::to(ask, attempt, toll.snapshot, cap, filled).map_err(Refusal::Unsayable)?;
    if let (Translation::Strict, Manner::Translated(it)) = (plan.translation, &words.manner)
        && !it.1.is_empty()
    {
        return Err(Refusal::NotFaithful { route: plan.route.clone(), notes: it.1.clone() });
    }
    Ok(words)
}

/// Accounts that had no room.
#[derive(Default)]
struct PassedOver {
    /// When the first of them has some.
    soonest: Option<Duration>,
    /// Why nobody knows of one whether it has room, and when to ask again.
    uncounted: Option<(&'static str, Duration)>,
    /// Whether one of them would take a smaller request, but never this one.
    too_large: bool,
    /// Why the request cannot be said in the dialect of one of them, or not to the letter.
    unsayable: Option<Refusal>,
}

impl PassedOver {
    fn note(&mut self, why: NoTurn) {
        match why {
            NoTurn::Later(after) => {
                self.soonest = Some(self.soonest.map_or(after, |it| it.min(after)));
            }
            NoTurn::Uncounted(why, after) => self.uncounted = Some((why, after)),
            NoTurn::TooLarge => self.too_large = true,
            NoTurn::Never => {}
        }
    }

    fn refusal(self) -> Refusal {
        let has_room_later = self.soonest.is_some() || self.uncounted.is_some();
        if let Some(refusal) = self.unsayable.filter(|_| !has_room_later) {
            return refusal;
        }
        match (self.soonest, self.uncounted) {
            (None, Some((why, retry_after))) => {
                Refusal::Uncounted(Box::new(Uncounted { limit: None, why, retry_after }))
            }
            (None, None) if self.too_large => Refusal::TooLargeForAll,
            (retry_after, _) => Refusal::NoHeadroom { retry_after },
        }
    }
}
