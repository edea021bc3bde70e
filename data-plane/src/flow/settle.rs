//! What a request used, written down exactly once: by whoever sees its end, or by the
//! drop of the guard when nobody does.

use super::{
    admit::Admission,
    charge::{Charge, Held},
    passage::Turn,
    receive::Ask,
};
use crate::{
    access_log::{self, millis},
    explain::{LookVerdict, Record},
    gateway::Gateway,
    owners::Owner,
    sync::usage::UsageSlot,
};
use bytes::Bytes;
use dialect::{peek, relay::Seen};
use domain::{
    catalog::{Dialect, Operation},
    fault::Fault,
    id::{KeyId, RequestId, TeamId},
    limit::demand::Demand,
    routing::{Attempt, Failure},
    snapshot::{Seat, Snapshot},
    time::Timestamp,
    tokens::Tokens,
    usage::{Outcome, UsageRecord},
};
use http::StatusCode;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Bodies up to this are kept until somebody has counted the request's tokens, so that
/// the guess is made only if nobody does. Longer ones are guessed at once and let go.
const KEPT_BODY_BYTES: usize = 64 * 1024;
/// For a request that ended before it had a status (as nginx writes it).
const NO_STATUS: u16 = 499;

/// Opens the settlement of a request that is about to be sent on.
pub(super) fn open(
    gateway: &Arc<Gateway>,
    snapshot: &Snapshot,
    admission: Admission,
    ask: &Ask<'_>,
) -> Settlement {
    let draft = Draft {
        slot: admission.slot,
        held: Held::new(admission.passage, Arc::clone(&admission.record)),
        stage: Stage::Planned,
        request: ask.request,
        started: ask.received,
        started_at: ask.received_at,
        first_content: None,
        waited: Duration::ZERO,
        key: admission.key.id,
        team: admission.key.team,
        alias: ask.peek.model.clone().into_owned(),
        asked: None,
        dialect: ask.asked.dialect,
        operation: ask.operation,
        streamed: ask.peek.stream,
        input: Guess::of(ask),
        attempts: 0,
        revision: snapshot.revision(),
    };
    let gateway = Arc::clone(gateway);
    Settlement { gateway, record: admission.record, draft: Some(draft) }
}

/// Owes one usage record, and gives limits back what was not used, when it is settled or
/// else when it is dropped. A request for which no attempt was made owes nothing.
#[must_use = "dropped at once, it settles at once"]
pub(super) struct Settlement {
    gateway: Arc<Gateway>,
    record: Arc<Record>,
    draft: Option<Draft>,
}

struct Draft {
    slot: UsageSlot,
    held: Held,
    stage: Stage,
    request: RequestId,
    started: Instant,
    started_at: Timestamp,
    first_content: Option<Duration>,
    waited: Duration,
    key: KeyId,
    team: Option<TeamId>,
    alias: String,
    asked: Option<(Arc<Seat>, Arc<str>)>,
    dialect: Dialect,
    operation: Operation,
    streamed: bool,
    input: Guess,
    attempts: u32,
    revision: u64,
}

/// How far a request has got: decides what it owes if nobody sees its end.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// No attempt has been made.
    Planned,
    /// An upstream has been asked and has not answered.
    Asking,
    /// The last attempt failed.
    Failed,
    /// An answer with this status has begun.
    Begun(StatusCode),
}

/// What a request used.
#[derive(Debug, Clone, Copy)]
pub(super) enum Used {
    /// No upstream took the request on.
    Nothing,
    /// An upstream was asked, and what it did is not known.
    Unknown,
    /// What was seen of its answer.
    Seen(Seen),
}

impl Settlement {
    pub(super) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// How the request is decided.
    pub(super) const fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// What was asked of the caller's limits.
    pub(super) fn demand(&self) -> Option<&Demand> {
        self.draft.as_ref()?.held.demand()
    }

    /// An attempt is being made.
    pub(super) fn asking(&mut self, attempt: &Attempt, turn: Turn) {
        if let Some(draft) = &mut self.draft {
            draft.held.begin(turn);
            draft.stage = Stage::Asking;
            draft.attempts = draft.attempts.saturating_add(1);
            draft.asked = Some((Arc::clone(&attempt.seat), Arc::clone(&attempt.model)));
        }
    }

    /// The attempt is over, so much later, and no answer began. Its account is charged
    /// for it alone.
    pub(super) fn failed(&mut self, waited: Duration, failure: Failure) {
        if let Some(draft) = &mut self.draft {
            draft.stage = Stage::Failed;
            draft.waited = draft.waited.saturating_add(waited);
            draft.held.became(LookVerdict::Failed(failure));
            draft.held.failed(match failure {
                // It has not even heard of the request.
                Failure::Connect => Charge::Nothing,
                Failure::Status(_) => Charge::Used(Tokens::default()),
                Failure::FirstByteTimeout | Failure::Broken => {
                    charge(draft.operation, Used::Unknown, Tokens::default())
                }
            });
        }
    }

    /// An answer began, so much later.
    pub(super) fn begun(&mut self, waited: Duration, status: StatusCode, streamed: bool) {
        let Some(draft) = &mut self.draft else { return };
        draft.stage = Stage::Begun(status);
        draft.held.became(LookVerdict::Answered(status.as_u16()));
        draft.streamed = streamed;
        draft.waited = draft.waited.saturating_add(waited);
        let overhead = draft.started.elapsed().saturating_sub(draft.waited);
        self.gateway.metrics.overhead.record(overhead);
    }

    /// So long was waited for what was fetched before anybody could be asked.
    pub(super) fn fetched(&mut self, waited: Duration) {
        if let Some(draft) = &mut self.draft {
            draft.waited = draft.waited.saturating_add(waited);
        }
    }

    /// The provider calls its answer so, and may be asked to go on from it.
    pub(super) fn owns(&self, id: &str) {
        let Some(draft) = &self.draft else { return };
        let Some((seat, _)) = &draft.asked else { return };
        let owner = Owner { account: seat.account.id, key: draft.key, team: draft.team };
        self.gateway.owners.note(id, owner);
    }

    /// Content is going to the caller; only the first time counts.
    pub(super) fn content(&mut self) {
        let Some(draft) = &mut self.draft else { return };
        if draft.first_content.is_none() {
            let after = draft.started.elapsed();
            draft.first_content = Some(after);
            self.gateway.metrics.first_content(draft.dialect, after);
        }
    }

    /// How many attempts were made so far.
    pub(super) fn attempts(&self) -> u32 {
        self.draft.as_ref().map_or(0, |it| it.attempts)
    }

    /// How long ago the request had been received.
    pub(super) fn elapsed(&self) -> Duration {
        self.draft.as_ref().map_or(Duration::ZERO, |it| it.started.elapsed())
    }

    /// Writes the record. `status` is what the caller got.
    pub(super) fn settle(mut self, status: StatusCode, outcome: Outcome, used: Used) {
        self.write(status.as_u16(), outcome, used);
    }

    /// The request goes nowhere, so that nothing is used of anything.
    pub(super) fn withdraw(mut self) {
        if let Some(mut draft) = self.draft.take() {
            draft.held.withdraw();
        }
    }

    /// How a request ends that nobody sees the end of.
    pub(super) fn unseen_end(&self) -> Outcome {
        let ours = self.gateway.is_cut() || std::thread::panicking();
        if ours { Outcome::Interrupted } else { Outcome::CallerGone }
    }

    fn write(&mut self, status: u16, outcome: Outcome, used: Used) {
        let Some(mut draft) = self.draft.take() else { return };
        let Some((seat, model)) = draft.asked else { return };
        let duration = draft.started.elapsed();
        let (tokens, estimated) = tokens(draft.operation, used, &draft.input);
        let failed = matches!(used, Used::Nothing);
        draft.held.end(status, charge(draft.operation, used, tokens), failed);
        let record = UsageRecord {
            request: draft.request,
            started_at: draft.started_at,
            duration_ms: millis(duration.as_millis()),
            ttft_ms: draft.first_content.map(|it| millis(it.as_millis())),
            key: draft.key,
            team: draft.team,
            alias: draft.alias,
            model: model.as_ref().to_owned(),
            account: seat.account.id,
            provider: seat.provider.clone(),
            dialect: draft.dialect,
            operation: draft.operation,
            streamed: draft.streamed,
            status,
            outcome,
            tokens,
            estimated,
            attempts: draft.attempts,
            revision: draft.revision,
        };
        let fault = fault(outcome, status);
        let class = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let metrics = &self.gateway.metrics;
        metrics.request(draft.dialect, Some(draft.operation), class, fault, duration);
        access_log::settled(&record, seat.account.name.as_str(), fault);
        draft.slot.put(record);
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        let outcome = self.unseen_end();
        match self.draft.as_ref().map(|it| it.stage) {
            None => {}
            Some(Stage::Planned) => {
                if let Some(mut draft) = self.draft.take() {
                    draft.held.withdraw();
                }
            }
            Some(Stage::Asking) => self.write(NO_STATUS, outcome, Used::Unknown),
            Some(Stage::Failed) => self.write(NO_STATUS, outcome, Used::Nothing),
            Some(Stage::Begun(status)) => self.write(status.as_u16(), outcome, Used::Unknown),
        }
    }
}

fn tokens(operation: Operation, used: Used, input: &Guess) -> (Tokens, bool) {
    match (operation, used) {
        // Counting is free of charge, and an attempt that failed used nothing.
        (Operation::CountTokens, _) | (_, Used::Nothing) => (Tokens::default(), false),
        (_, Used::Unknown) => (Tokens { input: input.tokens(), ..Tokens::default() }, true),
        (_, Used::Seen(seen)) => match seen.tokens {
            Some(_) => seen.tokens_or_estimate(0),
            None => seen.tokens_or_estimate(input.tokens()),
        },
    }
}

/// What limits are charged for it, `tokens` being what it used as far as is known.
const fn charge(operation: Operation, used: Used, tokens: Tokens) -> Charge {
    match (operation, used) {
        (Operation::CountTokens, _) | (_, Used::Nothing) => Charge::Used(tokens),
        (_, Used::Unknown) => Charge::Reserved,
        (_, Used::Seen(seen)) if nothing_is_known(&seen) => Charge::Reserved,
        (_, Used::Seen(_)) => Charge::Used(tokens),
    }
}

/// An answer of which only its head came: what is thought before the first word is told by
/// nobody, and paid for.
const fn nothing_is_known(seen: &Seen) -> bool {
    let heard = seen.first_content || seen.output_estimate > 0;
    seen.tokens.is_none() && !heard && !seen.finished && !seen.errored
}

/// Who has to act.
const fn fault(outcome: Outcome, status: u16) -> Option<Fault> {
    match (outcome, status) {
        (Outcome::Complete, _) => None,
        // Too many and too slow is the account's business, all else in this range the caller's.
        (Outcome::UpstreamError, 408 | 429) => Some(Fault::Upstream),
        (Outcome::UpstreamError, 400..500) | (Outcome::CallerGone, _) => Some(Fault::Caller),
        (Outcome::UpstreamError | Outcome::Truncated, _) => Some(Fault::Upstream),
        (Outcome::Interrupted, _) => Some(Fault::Ours),
    }
}

/// A guess at the input tokens, made as late as it can be.
enum Guess {
    Body(Bytes, Dialect),
    Tokens(u64),
}

impl Guess {
    fn of(ask: &Ask<'_>) -> Self {
        if ask.operation == Operation::CountTokens {
            Self::Tokens(0)
        } else if ask.body.len() <= KEPT_BODY_BYTES {
            Self::Body(ask.body.clone(), ask.spoken)
        } else {
            Self::Tokens(ask.peek.input_text_estimate())
        }
    }

    fn tokens(&self) -> u64 {
        match self {
            // It was read once, so it can be read again; whatever model it names.
            Self::Body(body, dialect) => {
                let peek = peek::peek_in(*dialect, body, Some("any"));
                peek.map_or(0, |it| it.input_text_estimate())
            }
            Self::Tokens(tokens) => *tokens,
        }
    }
}
