//! One exchange with one target: it is told the words, and is heard until its answer has
//! begun, or has not.

use super::{
    hosted,
    opening::{self, Opening},
    receive::Ask,
    relay,
    words::{Back, Manner, Words},
};
use crate::{
    gateway::Worker,
    http::headers,
    upstream::{Asked, Line, NoRequest, classify},
};
use bytes::{Bytes, BytesMut};
use dialect::{
    chat,
    translate::{self, Answering},
};
use domain::{
    catalog::{Dialect, Operation},
    routing::{Attempt, Failure},
    snapshot::Snapshot,
};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// The longest answer that is translated in one piece.
const MOST_WHOLE_BYTES: usize = 64 << 20;
/// How streams come, and how they come from Amazon.
const STREAM: &str = "text/event-stream";
const AMAZONS_STREAM: &str = "application/vnd.amazon.eventstream";

/// An answer that began: status 2xx, its head and, of a stream, its first event read.
pub(super) struct Answer {
    pub(super) response: Response<reqwest::Body>,
    /// What of its body was heard already.
    pub(super) heard: Vec<Bytes>,
    pub(super) line: Arc<Line>,
    /// What is spoken there.
    pub(super) dialect: Dialect,
    /// What was asked there.
    pub(super) operation: Operation,
    /// Whether it comes as a stream of events.
    pub(super) streamed: bool,
    pub(super) manner: Manner,
    /// All of it in the caller's dialect, if it did not come as a stream and is translated.
    pub(super) whole: Option<Bytes>,
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// What the upstream said, if it said something.
    pub(super) said: Option<Box<Said>>,
}

/// What an upstream said of its failure.
pub(super) enum Said {
    /// An answer of its own status, its body still to be read, in this dialect.
    Answer(Response<reqwest::Body>, Arc<Line>, Dialect),
    /// The first event of a stream whose status was good.
    Event(chat::Failure, Arc<Line>),
}

/// Tells the target of `attempt` these words.
///
/// # Errors
/// [`Failed`]: no answer began.
pub(super) async fn with(
    worker: &Worker,
    snapshot: &Snapshot,
    ask: &Ask<'_>,
    attempt: &Attempt,
    words: Words,
) -> Result<Answer, Failed> {
    let account = &attempt.seat.account;
    let line = worker.clients.line(&attempt.seat, snapshot).map_err(|error| {
        tracing::warn!(account = %account.name, %error, "the account cannot be spoken to");
        Failed { failure: Failure::Connect, said: None }
    })?;
    let answered = answered(worker, &line, ask, attempt, words).await;
    match &answered {
        Ok(_) => line.attempts.begun(),
        Err(failed) => line.attempts.failed(failed.failure),
    }
    answered
}

async fn answered(
    worker: &Worker,
    line: &Arc<Line>,
    ask: &Ask<'_>,
    attempt: &Attempt,
    words: Words,
) -> Result<Answer, Failed> {
    let fail = |failure| Failed { failure, said: None };
    let begin = Instant::now();
    let sent = timeout(line.first_byte, sent(line, ask, attempt, &words)).await;
    let sent = sent.map_err(|_| fail(Failure::FirstByteTimeout))?;
    let response: Response<reqwest::Body> = sent.map_err(|it| fail(it.told(ask, attempt)))?.into();
    worker.gateway.headroom.hear(
        (attempt.seat.account.id, &attempt.model),
        attempt.dialect,
        (response.status(), response.headers()),
        || (Instant::now(), runtime::clock::unix_ms()),
    );
    if !response.status().is_success() {
        let failure = Failure::Status(response.status().as_u16());
        let said = Said::Answer(response, Arc::clone(line), hosted::dialect_of_errors(attempt));
        return Err(Failed { failure, said: Some(Box::new(said)) });
    }
    let broken = |why: &str| {
        let account = &attempt.seat.account.name;
        tracing::debug!(request_id = %ask.request, %account, why, "attempt");
        fail(Failure::Broken)
    };
    if let Some(why) = not_an_answer(&response) {
        return Err(broken(why));
    }
    let left = line.first_byte.saturating_sub(begin.elapsed());
    let (dialect, operation) = (attempt.dialect, words.operation);
    let response = if is_of_type(response.headers(), AMAZONS_STREAM) {
        hosted::reframed(response, dialect)
    } else {
        response
    };
    let opened = opened(response, (dialect, operation), left).await;
    let Opened { mut response, mut heard, streamed } = opened.map_err(|(failure, event)| {
        Failed { failure, said: event.map(|it| Box::new(Said::Event(it, Arc::clone(line)))) }
    })?;
    let mut whole = None;
    if let (Manner::Translated(it), false) = (&words.manner, streamed) {
        let raw = collected(response.body_mut(), line.idle).await;
        let raw = raw.ok_or_else(|| broken("it broke off"))?;
        let told = in_one_piece(dialect, &it.0, ask, &raw);
        whole = Some(told.map_err(|it| match it {
            NoAnswer::Nonsense(why) => broken(&why),
            NoAnswer::Failed(it) => {
                let failure = Failure::Status(it.kind.status(dialect).as_u16());
                Failed { failure, said: Some(Box::new(Said::Event(it, Arc::clone(line)))) }
            }
        })?);
        heard = vec![raw];
    }
    let (line, manner) = (Arc::clone(line), words.manner);
    Ok(Answer { response, heard, line, dialect, operation, streamed, manner, whole })
}

/// Why a whole answer is none.
enum NoAnswer {
    /// It cannot be read.
    Nonsense(String),
    /// It says that the provider failed.
    Failed(chat::Failure),
}

/// A whole answer in the caller's dialect, or why there is none.
fn in_one_piece(from: Dialect, back: &Back, ask: &Ask<'_>, raw: &[u8]) -> Result<Bytes, NoAnswer> {
    let thread = match back {
        Back::Chat(thread) => thread.clone(),
        Back::Errand(way) => {
            return way.clone().back(raw).map_err(|it| NoAnswer::Nonsense(it.to_string()));
        }
    };
    let mut answering = Answering::new(from, false, ask.asked.dialect, relay::told(ask), thread);
    let begun = answering.push(raw);
    let ended = answering.finish();
    match answering.failed() {
        Some(failure) if answering.is_nonsense() => {
            Err(NoAnswer::Nonsense(failure.message.clone()))
        }
        Some(failure) => Err(NoAnswer::Failed(failure.clone())),
        None if begun.is_empty() => Ok(ended),
        None => Ok([begun, ended].concat().into()),
    }
}

/// All of a body; `None` if it breaks off, falls silent, or is longer than any answer.
async fn collected(body: &mut reqwest::Body, idle: Duration) -> Option<Bytes> {
    let mut whole = BytesMut::new();
    loop {
        let Some(frame) = timeout(idle, body.frame()).await.ok()? else {
            return Some(whole.freeze());
        };
        let Ok(piece) = frame.ok()?.into_data() else { continue };
        if MOST_WHOLE_BYTES < whole.len().saturating_add(piece.len()) {
            return None;
        }
        whole.extend_from_slice(&piece);
    }
}

/// A good status that is to be believed.
struct Opened {
    response: Response<reqwest::Body>,
    heard: Vec<Bytes>,
    streamed: bool,
}

/// Waits for the first event of a stream: only then is its status to be believed.
async fn opened(
    response: Response<reqwest::Body>,
    (dialect, operation): (Dialect, Operation),
    within: Duration,
) -> Result<Opened, (Failure, Option<chat::Failure>)> {
    let streamed = is_of_type(response.headers(), STREAM);
    if !streamed {
        return Ok(Opened { response, heard: Vec::new(), streamed });
    }
    let (head, mut body) = response.into_parts();
    match opening::hear(&mut body, (dialect, operation), within).await {
        Opening::Good(heard) => {
            Ok(Opened { response: Response::from_parts(head, body), heard, streamed })
        }
        Opening::Silent => Err((Failure::FirstByteTimeout, None)),
        Opening::Broken => Err((Failure::Broken, None)),
        Opening::Error(heard) => {
            let data = opening::first_data(&heard);
            let failure = translate::failure(dialect, head.status.as_u16(), &data);
            let status = failure.kind.status(dialect).as_u16();
            Err((Failure::Status(status), Some(failure)))
        }
    }
}

/// Why no head of an answer came.
enum NotSent {
    NoRequest(NoRequest),
    NoAnswer(reqwest::Error),
}

impl NotSent {
    /// What it means for the attempt; says it to whom it concerns.
    fn told(self, ask: &Ask<'_>, attempt: &Attempt) -> Failure {
        let (request_id, account) = (ask.request, &attempt.seat.account.name);
        match self {
            Self::NoRequest(error @ NoRequest::NoPlace) => {
                tracing::debug!(%request_id, %account, %error, "attempt");
                Failure::Connect
            }
            // Only the operator can mend it.
            Self::NoRequest(NoRequest::NotSigned(error)) => {
                tracing::warn!(%request_id, %account, %error, "attempt");
                Failure::Connect
            }
            Self::NoAnswer(error) => {
                let error = error.without_url();
                tracing::debug!(%request_id, %account, ?error, "attempt");
                classify(&error)
            }
        }
    }
}

/// The head of the answer.
async fn sent(
    line: &Line,
    ask: &Ask<'_>,
    attempt: &Attempt,
    words: &Words,
) -> Result<reqwest::Response, NotSent> {
    let (mut headers, query) = match words.manner {
        Manner::Own { .. } => (headers_of(ask), ask.query()),
        Manner::Translated(_) => (translated_headers_of(ask, attempt.dialect), None),
    };
    hosted::fit_headers(&mut headers, attempt);
    let what = (attempt.dialect, words.operation);
    let asked = Asked { model: &attempt.model, stream: ask.peek.stream, query: query.as_deref() };
    let request = async |headers| {
        let request = line.request(what, asked, headers, words.body.clone()).await;
        request.map_err(NotSent::NoRequest)
    };
    let first = request(headers.clone()).await?;
    let begin = Instant::now();
    match line.send(first).await {
        Err(error) if line.was_stale(&error, begin.elapsed()) => {
            tracing::debug!(request_id = %ask.request, "a connection was closed upon us: once more");
            let again = request(headers).await?;
            line.send(again).await.map_err(NotSent::NoAnswer)
        }
        sent => sent.map_err(NotSent::NoAnswer),
    }
}

fn translated_headers_of(ask: &Ask<'_>, dialect: Dialect) -> HeaderMap {
    let mut headers = headers::to_upstream_of(dialect, &ask.asked.head.headers);
    headers.insert(headers::X_REQUEST_ID, ask.asked.stamp.id.clone());
    headers
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
    if is_compressed(headers) {
        return Some("compressed, though not asked to be");
    }
    if is_of_type(headers, "text/html") {
        return Some("a web page");
    }
    response.body().is_end_stream().then_some("empty")
}

/// Whether the body is not to be read as it is, though nobody asked for that.
pub(super) fn is_compressed(headers: &HeaderMap) -> bool {
    let encoding = headers.get(header::CONTENT_ENCODING);
    encoding.is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether this is the media type, in whatever case it is written.
pub(super) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let front = |it: &str| it.get(..wanted.len()).map(|it| it.eq_ignore_ascii_case(wanted));
    front(content_type(headers)).unwrap_or(false)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default()
}
