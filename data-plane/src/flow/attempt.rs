//! Walks the plan until an answer begins. After that there is no way back.

use super::{
    order::Order,
    passage::{self, NoTurn, Target},
    receive::Ask,
    settle::Settlement,
    toll::Toll,
};
use crate::{
    gateway::Worker,
    http::{
        headers,
        refusal::{Refusal, Uncounted},
    },
    upstream::{Line, classify},
};
use bytes::Bytes;
use dialect::{
    peek::StreamUsage,
    splice::{Change, OutputCap, splice},
};
use domain::{
    catalog::{Dialect, Operation},
    routing::{self, Attempt, Failure, Next, Plan},
    snapshot::Snapshot,
};
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Body;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// An answer that began: status 2xx, its head read, its body on the way.
pub(super) struct Answer {
    pub(super) response: Response<reqwest::Body>,
    pub(super) line: Arc<Line>,
    /// Whether it comes as server-sent events.
    pub(super) streamed: bool,
    /// Whether a usage chunk in it is ours to take out.
    pub(super) hide_usage: bool,
}

/// The last attempt, which failed as all before it.
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// What the upstream said, if it said something.
    pub(super) answer: Option<Box<(Response<reqwest::Body>, Arc<Line>)>>,
}

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
    let settings = &toll.snapshot.catalog().settings;
    let record = Arc::clone(settlement.record());
    let mut last = None;
    let mut passed = PassedOver::default();
    let mut order = Order::of(&worker.gateway, toll, plan, &record);
    while let Some((at, is_last)) = order.next() {
        let Some(attempt) = plan.attempts.get(at) else { continue };
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
        settlement.asking(attempt, turn);
        let begin = Instant::now();
        let tried = one(worker, toll.snapshot, ask, attempt, cap).await;
        let waited = begin.elapsed();
        match tried {
            Ok(answer) => {
                settlement.begun(waited, answer.response.status(), answer.streamed);
                return Ok(answer);
            }
            Err(failed) => {
                settlement.failed(waited, failed.failure);
                let made = settlement.attempts();
                let elapsed_ms =
                    u64::try_from(settlement.elapsed().as_millis()).unwrap_or(u64::MAX);
                let next = routing::after(failed.failure, made, elapsed_ms, settings);
                tracing::debug!(
                    request_id = %ask.request, attempt = made,
                    account = %attempt.seat.account.name, model = &*attempt.model,
                    failure = ?failed.failure, next = ?next, "attempt failed"
                );
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

/// Accounts that had no room.
#[derive(Default)]
struct PassedOver {
    /// When the first of them has some.
    soonest: Option<Duration>,
    /// Why nobody knows of one whether it has room, and when to ask again.
    uncounted: Option<(&'static str, Duration)>,
    /// Whether one of them would take a smaller request, but never this one.
    too_large: bool,
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

    fn refusal(&self) -> Refusal {
        match (self.soonest, self.uncounted) {
            (None, Some((why, retry_after))) => {
                Refusal::Uncounted(Box::new(Uncounted { limit: None, why, retry_after }))
            }
            (None, None) if self.too_large => Refusal::TooLargeForAll,
            (retry_after, _) => Refusal::NoHeadroom { retry_after },
        }
    }
}

async fn one(
    worker: &Worker,
    snapshot: &Snapshot,
    ask: &Ask<'_>,
    attempt: &Attempt,
    cap: Option<u64>,
) -> Result<Answer, Failed> {
    let account = &attempt.seat.account;
    let line = worker.clients.line(&attempt.seat, snapshot).map_err(|error| {
        tracing::warn!(account = %account.name, %error, "the account cannot be spoken to");
        Failed { failure: Failure::Connect, answer: None }
    })?;
    let fail = |failure, answer| {
        line.attempts.failed(failure);
        Err(Failed { failure, answer })
    };
    let ask_usage = account.client.ask_stream_usage && lacks_usage(ask);
    let body = splice(ask.body, &ask.peek, change(ask, attempt, ask_usage, cap));
    let response: Response<reqwest::Body> = match timeout(line.first_byte, sent(&line, ask, body))
        .await
    {
        Err(_) => return fail(Failure::FirstByteTimeout, None),
        Ok(None) => return fail(Failure::Connect, None),
        Ok(Some(Err(error))) => {
            let error = error.without_url();
            tracing::debug!(request_id = %ask.request, account = %account.name, ?error, "attempt");
            return fail(classify(&error), None);
        }
        Ok(Some(Ok(response))) => response.into(),
    };
    worker.gateway.headroom.hear(
        (account.id, &attempt.model),
        ask.asked.dialect,
        (response.status(), response.headers()),
        || (Instant::now(), runtime::clock::unix_ms()),
    );
    if !response.status().is_success() {
        let failure = Failure::Status(response.status().as_u16());
        return fail(failure, Some(Box::new((response, Arc::clone(&line)))));
    }
    if let Some(why) = not_an_answer(&response) {
        tracing::debug!(request_id = %ask.request, account = %account.name, why, "attempt");
        return fail(Failure::Broken, None);
    }
    line.attempts.begun();
    let streamed = is_of_type(response.headers(), "text/event-stream");
    Ok(Answer { response, line, streamed, hide_usage: ask_usage })
}

fn change<'a>(
    ask: &Ask<'_>,
    attempt: &'a Attempt,
    ask_usage: bool,
    cap: Option<u64>,
) -> Change<'a> {
    let endpoint = attempt.seat.endpoint(ask.asked.dialect);
    let output_cap = cap.zip(endpoint).map(|(tokens, endpoint)| {
        let field = &*endpoint.output_cap_field;
        OutputCap { field, tokens }
    });
    Change { model: &attempt.model, ask_usage, output_cap }
}

/// The head of the answer; `None` if the account has no place for such a request.
async fn sent(
    line: &Line,
    ask: &Ask<'_>,
    body: Bytes,
) -> Option<reqwest::Result<reqwest::Response>> {
    let send = async |body| {
        let (dialect, query) = (ask.asked.dialect, ask.asked.head.uri.query());
        let request = line.request(dialect, ask.operation, query, headers_of(ask), body)?;
        Some(line.send(request).await)
    };
    let begin = Instant::now();
    match send(body.clone()).await {
        Some(Err(error)) if line.was_stale(&error, begin.elapsed()) => {
            tracing::debug!(request_id = %ask.request, "a connection was closed upon us: once more");
            send(body).await
        }
        sent => sent,
    }
}

/// Whether it is a stream that would not report its usage unless it is asked to.
fn lacks_usage(ask: &Ask<'_>) -> bool {
    let reports = match ask.asked.dialect {
        Dialect::OpenAi => matches!(ask.peek.stream_usage, StreamUsage::Asked),
        Dialect::OpenAiResponses | Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => true,
    };
    ask.peek.stream && ask.operation == Operation::Chat && !reports
}

fn headers_of(ask: &Ask<'_>) -> HeaderMap {
    let mut headers = headers::to_upstream(&ask.asked.head.headers);
    headers.insert(headers::X_REQUEST_ID, ask.asked.stamp.id.clone());
    // It was read as JSON, whatever `curl -d` calls it.
    if !content_type(&headers).contains("json") {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers
}

/// Why a good status is not to be trusted. Such an answer cannot be metered, and is of
/// no use to the caller.
fn not_an_answer(response: &Response<reqwest::Body>) -> Option<&'static str> {
    let headers = response.headers();
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Some("compressed, though not asked to be");
    }
    if is_of_type(headers, "text/html") {
        return Some("a web page");
    }
    response.body().is_end_stream().then_some("empty")
}

/// Whether this is the media type, in whatever case it is written.
pub(super) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let front = |it: &str| it.get(..wanted.len()).map(|it| it.eq_ignore_ascii_case(wanted));
    front(content_type(headers)).unwrap_or(false)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default()
}
