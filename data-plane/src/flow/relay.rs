//! An answer that began goes to the caller, piece by piece as it comes.

use super::{
    exchange::Answer,
    receive::Ask,
    settle::{Settlement, Used},
    watched::{Retelling, Source, Watched},
    words::{Back, Manner},
};
use crate::http::{
    headers,
    reply::{Broken, Content, Reply},
};
use bytes::Bytes;
use dialect::{
    chat,
    error::{ErrorKind, stream_error},
    relay::Relay,
    translate::{Answering, Notes, Told},
};
use domain::{catalog::Dialect, routing::Plan, snapshot::Snapshot, usage::Outcome};
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// The reply to a caller whose request is being answered: the upstream's status,
/// end-to-end headers and bytes.
pub(super) fn to_caller(
    answer: Answer,
    settlement: Settlement,
    snapshot: &Snapshot,
    ask: &Ask<'_>,
    plan: &Plan,
) -> Reply {
    let Answer { response, heard, line, dialect, operation, streamed, manner, whole } = answer;
    let (head, upstream) = response.into_parts();
    let mut headers = match &manner {
        Manner::Own { .. } => headers::to_caller(&head.headers),
        Manner::Translated(_) => headers::to_caller_of_other(&head.headers),
    };
    let credits = Credits {
        account: Some(line.name.clone()),
        attempts: settlement.attempts(),
        revision: snapshot.revision(),
        route: &plan.route,
        reveal: snapshot.catalog().settings.reveal_route,
    };
    credit(&mut headers, credits);
    let told = told(ask);
    let (hide_usage, is_own) = match &manner {
        Manner::Own { hide_usage } => {
            if is_arrayed(told, streamed) {
                headers.insert(header::CONTENT_TYPE, JSON);
            }
            (*hide_usage, true)
        }
        Manner::Translated(it) => {
            as_told(&mut headers, told, &it.1);
            (false, false)
        }
    };
    let mut relay = Relay::new(dialect, operation, streamed, hide_usage);
    if let Some(whole) = whole {
        for piece in heard {
            let _ = relay.push(piece);
        }
        let _ = relay.finish();
        settlement.settle(head.status, Outcome::Complete, Used::Seen(relay.seen()));
        return Reply { status: head.status, headers, content: Content::Whole(whole) };
    }
    let length = head.headers.get(header::CONTENT_LENGTH).filter(|_| !streamed);
    if let Some(length) = length.filter(|_| is_own) {
        headers.insert(header::CONTENT_LENGTH, length.clone());
    }
    let length = length.and_then(|it| it.to_str().ok()?.parse().ok());
    let caller = ask.asked.dialect;
    let retelling = match manner {
        Manner::Translated(it) => match it.0 {
            Back::Chat(thread) => {
                let answering = Answering::new(dialect, streamed, caller, told, thread);
                Retelling::Translated(Box::new(answering))
            }
            // These come whole, and were told above.
            Back::Errand(_) => Retelling::None,
        },
        Manner::Own { .. } if is_arrayed(told, streamed) => Retelling::Array(Box::default()),
        Manner::Own { .. } => Retelling::None,
    };
    let source = Source { body: upstream, heard, length };
    let relaying = Relaying {
        watched: Some(Watched::new(source, relay, retelling, head.status, settlement)),
        last: None,
        silence: Silence { limit: line.idle, until: None, sleep: None },
        pulse: Silence { limit: PING_EVERY, until: None, sleep: None },
        voice: Voice { dialect: caller, streamed, request: ask.asked.stamp.id.clone() },
    };
    Reply { status: head.status, headers, content: Content::Stream(UnsyncBoxBody::new(relaying)) }
}

/// A caller whose answer is translated hears at least so often that somebody is there.
const PING_EVERY: Duration = Duration::from_secs(10);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether the provider's own events are to become an array: providers are always asked for
/// events.
const fn is_arrayed(told: Told, streamed: bool) -> bool {
    streamed && matches!(told, Told::Array)
}

/// How the caller wants to be told an answer.
pub(super) const fn told(ask: &Ask<'_>) -> Told {
    match (ask.peek.stream, ask.says.array) {
        (false, _) => Told::Whole,
        (true, false) => Told::Events,
        (true, true) => Told::Array,
    }
}

/// What the headers of a translated answer say of its body, and of what was adapted.
fn as_told(headers: &mut HeaderMap, told: Told, notes: &Notes) {
    let kind = match told {
        Told::Whole | Told::Array => JSON,
        Told::Events => HeaderValue::from_static("text/event-stream; charset=utf-8"),
    };
    headers.insert(header::CONTENT_TYPE, kind);
    if let (Told::Events, header::Entry::Vacant(it)) = (told, headers.entry(header::CACHE_CONTROL))
    {
        it.insert(HeaderValue::from_static("no-cache"));
    }
    // Notes are plain ASCII; without any there is nothing to say.
    if let (false, Ok(notes)) = (notes.is_empty(), HeaderValue::try_from(notes.to_string())) {
        headers.insert(headers::ADAPTED, notes);
    }
}

/// Who answered, and by whose decision.
pub(super) struct Credits<'a> {
    /// `None`: nobody whom the caller should hear of.
    pub(super) account: Option<HeaderValue>,
    pub(super) attempts: u32,
    pub(super) revision: u64,
    pub(super) route: &'a str,
    /// Whether the operator lets callers know.
    pub(super) reveal: bool,
}

/// Says so in the answer's headers, if the caller may know.
pub(super) fn credit(to: &mut HeaderMap, credits: Credits<'_>) {
    if !credits.reveal {
        to.remove(headers::UPSTREAM_REQUEST_ID);
        return;
    }
    if let Some(account) = credits.account {
        to.insert(headers::ACCOUNT, account);
    }
    to.insert(headers::ATTEMPTS, HeaderValue::from(credits.attempts));
    to.insert(headers::REVISION, HeaderValue::from(credits.revision));
    // An alias may be in any script; bytes above ASCII are allowed in a value.
    if let Ok(route) = HeaderValue::from_bytes(credits.route.as_bytes()) {
        to.insert(headers::ROUTE, route);
    }
}

/// The body of an answer that comes from an upstream. Polled when the caller has room
/// for more, it asks the upstream for more: nothing is buffered in between.
struct Relaying {
    /// `None` once it is over.
    watched: Option<Watched>,
    /// What still has to be said after that.
    last: Option<Bytes>,
    silence: Silence,
    /// Like it, until the next sign of life.
    pulse: Silence,
    voice: Voice,
}

impl Relaying {
    /// The next piece for the caller.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            let Some(watched) = &mut self.watched else {
                return Poll::Ready(self.last.take().map(Ok));
            };
            if watched.is_cut() {
                let message = "the gateway stopped in the middle of the answer: send it again";
                return Poll::Ready(self.break_off(Outcome::Interrupted, message));
            }
            match watched.poll_piece(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    self.silence.broken();
                    self.pulse.broken();
                    if watched.seen().overflowed {
                        let message = "the provider sent an event without an end";
                        return Poll::Ready(self.break_off(Outcome::Truncated, message));
                    }
                    if watched.is_over() {
                        return Poll::Ready(self.end(piece));
                    }
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(self.end(Bytes::new())),
                Poll::Ready(Some(Err(_))) => {
                    let message = "the provider broke off in the middle of its answer";
                    return Poll::Ready(self.break_off(Outcome::Truncated, message));
                }
                // The answer is whole, whatever the upstream keeps its connection for.
                Poll::Pending if self.voice.streamed && watched.seen().finished => {
                    if let Some(mut watched) = self.watched.take() {
                        self.last = Some(watched.finish_early()).filter(|it| !it.is_empty());
                        watched.settle_and_reuse();
                    }
                }
                Poll::Pending => {
                    if watched.is_translated() && self.pulse.poll(cx).is_ready() {
                        self.pulse.broken();
                        let ping = watched.ping();
                        if !ping.is_empty() {
                            return Poll::Ready(Some(Ok(ping)));
                        }
                        continue;
                    }
                    ready!(self.silence.poll(cx));
                    let message = "the provider fell silent in the middle of its answer";
                    return Poll::Ready(self.break_off(Outcome::Truncated, message));
                }
            }
        }
    }

    /// The upstream's body ended in good order with `piece`, which may be empty.
    fn end(&mut self, piece: Bytes) -> Option<Result<Bytes, Broken>> {
        let mut watched = self.watched.take()?;
        let rest = watched.finish();
        let seen = watched.seen();
        watched.close(match (seen.finished, seen.errored) {
            (_, true) => Outcome::UpstreamError,
            (true, false) => Outcome::Complete,
            (false, false) => Outcome::Truncated,
        });
        // Another dialect's writer says by itself that an end is missing.
        let own = !watched.is_translated();
        let untold = own && self.voice.streamed && !seen.finished && !seen.errored;
        let message = "the provider ended its answer too early";
        let words = if untold { self.voice.words(&mut watched, message) } else { Bytes::new() };
        let mut pieces = [piece, rest, words, watched.close_array()].into_iter();
        let Some(first) = pieces.by_ref().find(|it| !it.is_empty()) else {
            return watched.is_untold().then_some(Err(Broken));
        };
        let others: Vec<Bytes> = pieces.collect();
        self.last = Some(others.concat().into()).filter(|it: &Bytes| !it.is_empty());
        Some(Ok(first))
    }

    /// The answer cannot be finished. In a stream an event says so; otherwise the body
    /// breaks off, which the caller's HTTP notices. Never a mark of the end.
    fn break_off(&mut self, outcome: Outcome, message: &str) -> Option<Result<Bytes, Broken>> {
        let mut watched = self.watched.take()?;
        let seen = watched.seen();
        if self.voice.streamed && seen.finished {
            // All that mattered had come.
            watched.close(Outcome::Complete);
            return Some(watched.close_array()).filter(|it| !it.is_empty()).map(Ok);
        }
        watched.close(if seen.errored { Outcome::UpstreamError } else { outcome });
        if watched.is_translated() {
            let words = watched.break_off(&truncated(message));
            if watched.is_untold() {
                return Some(Err(Broken));
            }
            return Some(words).filter(|it| !it.is_empty()).map(Ok);
        }
        if !self.voice.streamed {
            return Some(Err(Broken));
        }
        // An upstream that has told its error itself has said enough.
        let words =
            if seen.errored { Bytes::new() } else { self.voice.words(&mut watched, message) };
        let words: Bytes = match watched.close_array() {
            end if end.is_empty() => words,
            end => [words, end].concat().into(),
        };
        Some(words).filter(|it| !it.is_empty()).map(Ok)
    }
}

impl Body for Relaying {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.poll_piece(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.watched.is_none() && self.last.is_none()
    }
}

impl Drop for Relaying {
    /// The caller has gone, or the connection was cut.
    fn drop(&mut self) {
        if let Some(watched) = self.watched.take() {
            watched.abandon();
        }
    }
}

/// An answer that ends before its end.
fn truncated(message: &str) -> chat::Failure {
    let kind = ErrorKind::UpstreamTruncated;
    chat::Failure { kind, message: message.to_owned(), code: None, param: None }
}

/// How we speak in the middle of somebody else's answer.
struct Voice {
    dialect: Dialect,
    streamed: bool,
    request: HeaderValue,
}

impl Voice {
    fn words(&self, watched: &mut Watched, message: &str) -> Bytes {
        let request = self.request.to_str().unwrap_or_default();
        let event = stream_error(self.dialect, ErrorKind::UpstreamTruncated, message, request);
        watched.own_event(event)
    }
}

/// Runs while the upstream says nothing and the caller waits for it, and only then.
struct Silence {
    limit: Duration,
    until: Option<Instant>,
    /// Set anew only when it fires: most waits are short.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    const fn broken(&mut self) {
        self.until = None;
    }

    /// Ready when it has lasted too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + self.limit);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            if until <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}
