//! Plays an answer onto its connection, piece by piece, spoilt as it was asked for.

use super::{Body, Broken, answer::Dialect};
use crate::demo::{
    Answer, Piece, anthropic, behave::Behave, gemini, ledger::Line, openai, responses,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::{collections::VecDeque, io, net::TcpStream, sync::Arc, time::Duration};

/// How long what was written before a reset may take to leave: a reset discards what has not left.
const BEFORE_RESET: Duration = Duration::from_millis(30);

/// The response that plays `answer`, or the wish to break the connection instead.
pub(super) async fn respond(
    dialect: Dialect,
    answer: Answer,
    behave: Behave,
    mut line: Line,
    socket: Arc<TcpStream>,
) -> Result<Response<Body>, Broken> {
    let status = answer.status;
    let streamed = answer.streamed && !behave.html;
    let array = answer.array;
    line.entry.streamed = answer.streamed;
    let before_headers = Some(0);
    if behave.stall_after == before_headers {
        line.entry.cancelled = true;
        std::future::pending::<()>().await;
    }
    if behave.reset_after == before_headers || behave.close_after == before_headers {
        if behave.reset_after.is_some() {
            reset_when_closed(&socket);
        }
        return Err(Broken);
    }
    line.entry.status = status;
    line.entry.input_tokens = answer.input_tokens;
    line.entry.cached_input_tokens = answer.cached_input_tokens;
    line.entry.cache_write_tokens = answer.cache_write_tokens;
    let request_id = answer.request_id.clone();
    let pieces = spoilt(dialect, answer, &behave);
    let length: usize = pieces.iter().map(|it| it.bytes.len()).sum();
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    add_headers(headers, dialect, status, &request_id, &behave);
    let kind = match (streamed && !array, behave.html) {
        (true, _) => "text/event-stream; charset=utf-8",
        (false, true) => "text/html",
        (false, false) => "application/json",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if !streamed {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    // Until the last piece is handed over, who drops this is the other side.
    line.entry.cancelled = true;
    let play = Play { pieces, sent: 0, behave, dialect, line, socket };
    let frames = futures_util::stream::unfold(Some(play), |play| async { Play::next(play?).await });
    Ok(response.map(|_| StreamBody::new(Box::pin(frames)).boxed_unsync()))
}

/// An answer on its way.
struct Play {
    pieces: VecDeque<Piece>,
    sent: usize,
    behave: Behave,
    dialect: Dialect,
    line: Line,
    socket: Arc<TcpStream>,
}

/// A frame, and the rest of the play; without the rest the body ends after the frame.
type Step = (io::Result<Frame<Bytes>>, Option<Play>);

impl Play {
    async fn next(mut play: Self) -> Option<Step> {
        let now = Some(play.sent);
        let behave = &play.behave;
        if behave.stall_after == now {
            std::future::pending::<()>().await;
        }
        if behave.reset_after == now || behave.close_after == now {
            let reset = behave.reset_after == now;
            play.line.entry.cancelled = false;
            tokio::time::sleep(BEFORE_RESET).await;
            if reset {
                reset_when_closed(&play.socket);
            }
            return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None));
        }
        if behave.error_after == now {
            play.line.entry.cancelled = false;
            let event = match play.dialect {
                Dialect::OpenAi => openai::error_event(),
                Dialect::Responses => responses::error_event(play.sent),
                Dialect::Anthropic => anthropic::error_event(),
                Dialect::Gemini => gemini::error_event(),
            };
            return Some((Ok(Frame::data(event)), None));
        }
        tokio::time::sleep(Duration::from_millis(behave.chunk_ms)).await;
        let piece = play.pieces.pop_front()?;
        play.sent += 1;
        play.line.entry.output_tokens = piece.output_tokens;
        if play.pieces.is_empty() {
            play.line.entry.completed = true;
            play.line.entry.cancelled = false;
            return Some((Ok(Frame::data(piece.bytes)), None));
        }
        Some((Ok(Frame::data(piece.bytes)), Some(play)))
    }
}

/// The answer's pieces, as they were asked to be.
fn spoilt(dialect: Dialect, answer: Answer, behave: &Behave) -> VecDeque<Piece> {
    let mut pieces = VecDeque::from(answer.pieces);
    let used = pieces.back().map_or(0, |it| it.output_tokens);
    let one = |text: &'static str| Piece {
        bytes: Bytes::from_static(text.as_bytes()),
        output_tokens: used,
    };
    if behave.html {
        return VecDeque::from([one("<!doctype html><title>Maintenance</title><p>Back soon.")]);
    }
    if behave.garbage && !answer.streamed {
        return VecDeque::from([one("{\"id\": \"cut off in the mid")]);
    }
    if behave.garbage {
        let garbage = match dialect {
            Dialect::OpenAi => one("data: {\"choices\": [{\"delta\n\n"),
            Dialect::Responses => one("event: response.created\ndata: {\"type\": \"resp\n\n"),
            Dialect::Anthropic => {
                one("event: content_block_delta\ndata: {\"type\": \"content_\n\n")
            }
            Dialect::Gemini => one("data: {\"candidates\": [{\"cont\r\n\r\n"),
        };
        pieces.insert(pieces.len().min(2), garbage);
    }
    let breaks = [behave.reset_after, behave.close_after, behave.stall_after, behave.error_after];
    if !answer.streamed && breaks.iter().any(Option::is_some) {
        let halves = pieces.iter().flat_map(|it| {
            let middle = it.bytes.len() / 2;
            let first = Piece { bytes: it.bytes.slice(..middle), output_tokens: it.output_tokens };
            [first, Piece { bytes: it.bytes.slice(middle..), output_tokens: it.output_tokens }]
        });
        return halves.collect();
    }
    pieces
}

/// The headers that the public API would send.
fn add_headers(
    headers: &mut HeaderMap,
    dialect: Dialect,
    status: u16,
    request_id: &str,
    behave: &Behave,
) {
    let mut add = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    match dialect {
        Dialect::OpenAi | Dialect::Responses => {
            add("x-request-id", request_id);
            add("openai-organization", "demo");
            add("openai-processing-ms", "1");
            add("openai-version", "2020-10-01");
            add("x-ratelimit-limit-requests", "10000");
            add("x-ratelimit-remaining-requests", "9999");
            add("x-ratelimit-reset-requests", "6ms");
        }
        Dialect::Anthropic => {
            add("request-id", request_id);
            add("anthropic-organization-id", "00000000-0000-7000-8000-000000000000");
            add("anthropic-ratelimit-requests-limit", "10000");
            add("anthropic-ratelimit-requests-remaining", "9999");
        }
        Dialect::Gemini => add("server-timing", "gfet4t7; dur=1"),
    }
    match (&behave.retry_after, status) {
        // Google says it in the body only.
        (Some(_), _) if dialect == Dialect::Gemini => {}
        (Some(value), _) => add("retry-after", value),
        (None, 300..=399) => add("location", "http://127.0.0.1:9/"),
        (None, _) => {}
    }
}

/// Makes the socket's close a reset instead of a goodbye.
fn reset_when_closed(socket: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)) {
        tracing::warn!(%error, "cannot reset");
    }
}
