//! Dialects as others than their makers host them: Anthropic's on Vertex AI and on Bedrock,
//! and streams in Amazon's own framing.

use bytes::Bytes;
use dialect::{
    anthropic_hosted::{BEDROCK_BETAS, Host, edit},
    aws_stream::{Content, Reframing},
};
use domain::{
    catalog::{Dialect, Operation, Quirk},
    routing::Attempt,
    snapshot::SeatEndpoint,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The body as whoever hosts the endpoint's dialect wants it. `headers` are the caller's.
pub(super) fn edited(
    body: Bytes,
    endpoint: &SeatEndpoint,
    operation: Operation,
    headers: &HeaderMap,
) -> Bytes {
    let Some(host) = host_of(endpoint, operation) else { return body };
    let betas = headers.get_all(BETA).iter().filter_map(|it| it.to_str().ok());
    edit(&body, host, betas, BEDROCK_BETAS)
}

fn host_of(endpoint: &SeatEndpoint, operation: Operation) -> Option<Host> {
    if endpoint.dialect != Dialect::Anthropic {
        return None;
    }
    if endpoint.quirks.has(Quirk::BedrockInvoke) {
        return Some(Host::BedrockInvoke);
    }
    endpoint.quirks.has(Quirk::Vertex).then_some(match operation {
        Operation::CountTokens => Host::VertexCount,
        Operation::Chat | Operation::Completions | Operation::Embeddings => Host::Vertex,
    })
}

fn is_on_bedrock(attempt: &Attempt) -> bool {
    let endpoint = attempt.seat.endpoint(attempt.dialect);
    endpoint.is_some_and(|it| host_of(it, Operation::Chat) == Some(Host::BedrockInvoke))
}

/// Takes out what stands in the body instead.
pub(super) fn fit_headers(headers: &mut HeaderMap, attempt: &Attempt) {
    if is_on_bedrock(attempt) {
        headers.remove(BETA);
    }
}

/// In whose words the target of `attempt` says that it cannot answer.
pub(super) fn dialect_of_errors(attempt: &Attempt) -> Dialect {
    if is_on_bedrock(attempt) { Dialect::Bedrock } else { attempt.dialect }
}

/// A stream in Amazon's framing, as server-sent events of `dialect`.
pub(super) fn reframed(
    response: Response<reqwest::Body>,
    dialect: Dialect,
) -> Response<reqwest::Body> {
    let content = match dialect {
        Dialect::Anthropic => Content::Anthropic,
        Dialect::Bedrock | Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Gemini => {
            Content::Converse
        }
    };
    let (mut head, body) = response.into_parts();
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    head.headers.insert(header::CONTENT_TYPE, kind);
    head.headers.remove(header::CONTENT_LENGTH);
    let body = Reframed { upstream: body, reframing: Reframing::new(content), is_over: false };
    Response::from_parts(head, reqwest::Body::wrap(body))
}

/// What is said in a stream of Amazon's.
struct Reframed {
    upstream: reqwest::Body,
    reframing: Reframing,
    is_over: bool,
}

/// Why a stream of Amazon's cannot be heard any more.
type Error = Box<dyn std::error::Error + Send + Sync>;

impl Body for Reframed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        while !this.is_over {
            let Some(frame) = ready!(Pin::new(&mut this.upstream).poll_frame(cx)) else {
                this.is_over = true;
                let ended = this.reframing.finish();
                return Poll::Ready(ended.err().map(|error| Err(error.into())));
            };
            let Ok(piece) = frame?.into_data() else { continue };
            let mut said = Vec::new();
            let pushed = this.reframing.push(&piece, &mut said);
            if !said.is_empty() {
                // What is broken behind it is told next time.
                return Poll::Ready(Some(Ok(Frame::data(said.into()))));
            }
            if let Err(error) = pushed {
                this.is_over = true;
                return Poll::Ready(Some(Err(error.into())));
            }
        }
        Poll::Ready(None)
    }
}
