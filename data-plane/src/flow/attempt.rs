//! Walks the plan until an answer begins. After that there is no way back.

use super::{receive::Ask, settle::Settlement};
use crate::{
    gateway::Worker,
    http::headers,
    upstream::{Line, classify},
};
use bytes::Bytes;
use dialect::{peek::StreamUsage, splice::splice};
use domain::{
    catalog::{Dialect, Operation},
    routing::{self, Attempt, Failure, Next, Plan},
    snapshot::Snapshot,
};
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Body;
use std::{sync::Arc, time::Instant};
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

/// Makes the attempts of `plan` in their order, until one begins to answer or there is
/// no use in going on.
///
/// # Errors
/// [`Failed`]: how the last attempt went wrong.
pub(super) async fn first_to_begin(
    worker: &Worker,
    snapshot: &Snapshot,
    settlement: &mut Settlement,
    ask: &Ask<'_>,
    plan: &Plan,
) -> Result<Answer, Failed> {
    let settings = &snapshot.catalog().settings;
    let mut last = Failed { failure: Failure::Connect, answer: None };
    for attempt in &plan.attempts {
        settlement.asking(attempt);
        let begin = Instant::now();
        let tried = one(worker, snapshot, ask, attempt).await;
        let waited = begin.elapsed();
        match tried {
            Ok(answer) => {
                settlement.begun(waited, answer.response.status(), answer.streamed);
                return Ok(answer);
            }
            Err(failed) => last = failed,
        }
        settlement.failed(waited);
        let made = settlement.attempts();
        let elapsed_ms = u64::try_from(settlement.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = routing::after(last.failure, made, elapsed_ms, settings);
        tracing::debug!(
            request_id = %ask.request, attempt = made, account = %attempt.seat.account.name,
            model = &*attempt.model, failure = ?last.failure, next = ?next, "attempt failed"
        );
        match next {
            Next::Failover => {}
            Next::GiveUp => break,
        }
    }
    Err(last)
}

async fn one(
    worker: &Worker,
    snapshot: &Snapshot,
    ask: &Ask<'_>,
    attempt: &Attempt,
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
    let body = splice(ask.body, &ask.peek, &attempt.model, ask_usage);
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
        Dialect::Anthropic => true,
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
