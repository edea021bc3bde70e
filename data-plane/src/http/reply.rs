//! Answers, whole or streamed, in the caller's dialect and under our request id.

use super::{headers, refusal::Refusal, taking};
use crate::gateway::InFlight;
use bytes::Bytes;
use domain::{catalog::Dialect, id::RequestId};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// An answer's body broke off: the connection is closed upon it, so that the caller
/// does not take it for whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct Broken;

/// What every answer to one request carries.
#[derive(Debug)]
pub(crate) struct Stamp {
    /// The request id, also sent to the upstream.
    pub(crate) id: HeaderValue,
    /// What the caller speaks.
    pub(crate) dialect: Dialect,
}

impl Stamp {
    pub(crate) fn new(request: RequestId, dialect: Dialect) -> Self {
        // An id is letters, digits and `_`: it always is a header's value.
        let id = HeaderValue::try_from(request.to_string());
        Self { id: id.unwrap_or_else(|_| HeaderValue::from_static("req")), dialect }
    }

    pub(crate) fn text(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }
}

/// An answer, before it is stamped.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

/// What an answer holds.
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// What comes.
    Stream(UnsyncBoxBody<Bytes, Broken>),
}

impl Reply {
    pub(crate) fn json(status: StatusCode, body: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, content: Content::Whole(body) }
    }

    /// Says no. The one place where a fault becomes an answer.
    pub(crate) fn refuse(refusal: &Refusal, stamp: &Stamp) -> Self {
        let kind = refusal.kind();
        let message = refusal.to_string();
        let body =
            dialect::error::body(stamp.dialect, kind, &message, stamp.text(), refusal.param());
        let mut reply = Self::json(kind.status(stamp.dialect), body);
        if let Refusal::WrongMethod { allow } = refusal {
            reply.headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(wait) = refusal.retry_after() {
            // Rounded up: who waits so long does not come too early.
            let ms = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
            reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
            reply.headers.insert(headers::RETRY_AFTER_MS, HeaderValue::from(ms));
        }
        if refusal.is_final(stamp.dialect) {
            reply.headers.insert(headers::SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        reply
    }

    /// An answer for which nobody was asked says so, and by which revision it was decided.
    pub(crate) fn credit_ourselves(&mut self, revision: u64) {
        if !self.headers.contains_key(headers::ATTEMPTS) {
            self.headers.insert(headers::ATTEMPTS, HeaderValue::from(0));
            self.headers.insert(headers::REVISION, HeaderValue::from(revision));
        }
    }

    /// To those who only ask whether anybody is there.
    pub(crate) fn hello() -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        let content = Content::Whole(Bytes::from_static(b"sluice\n"));
        Self { status: StatusCode::OK, headers, content }
    }

    /// To a browser that asks whether it may send a request: any page may, for what counts
    /// is the key that the request carries.
    pub(crate) fn preflight() -> Self {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, POST, OPTIONS"),
        );
        // `*` does not stand for this one.
        let allowed = HeaderValue::from_static("authorization, *");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        Self { status: StatusCode::NO_CONTENT, headers, content: Content::Whole(Bytes::new()) }
    }

    /// To a client that would rather speak over a WebSocket: upon this status it falls back.
    pub(crate) fn no_socket() -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        let content = Content::Whole(Bytes::from_static(b"no WebSocket here: use POST\n"));
        Self { status: StatusCode::UPGRADE_REQUIRED, headers, content }
    }

    /// Lets a page of any origin read the answer, and all of its headers.
    pub(crate) fn share(&mut self) {
        let any = HeaderValue::from_static("*");
        self.headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
        self.headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, any);
    }

    /// Stamped, and counted as in flight until its last byte is gone.
    pub(crate) fn into_response(
        mut self,
        stamp: &Stamp,
        in_flight: InFlight,
    ) -> Response<ReplyBody> {
        self.headers.insert(headers::X_REQUEST_ID, stamp.id.clone());
        match stamp.dialect {
            Dialect::Anthropic => {
                self.headers.insert(headers::REQUEST_ID, stamp.id.clone());
            }
            Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Bedrock => {}
        }
        taking::offered();
        let mut response = Response::new(ReplyBody { content: self.content, _held: in_flight });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The body of every answer.
pub(crate) struct ReplyBody {
    content: Content,
    _held: InFlight,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(body) => Pin::new(body).poll_frame(cx),
        };
        if piece.is_ready() {
            taking::offered()
        } else {
            taking::nothing_to_take()
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(body) => body.size_hint(),
        }
    }
}
