//! The downstream side: what callers see. Knows HTTP; knows no account and no upstream.

pub(crate) mod body;
pub(crate) mod endpoint;
pub(crate) mod headers;
pub(crate) mod limit_words;
pub mod listener;
pub(crate) mod refusal;
pub(crate) mod reply;
mod socket;
pub(crate) mod standing;
mod taking;

use crate::{
    access_log::{self, Trace},
    flow::{self, Call},
    gateway::Worker,
};
use domain::{catalog::Dialect, id::RequestId};
use endpoint::{Endpoint, NoEndpoint};
use futures_util::FutureExt;
use http::{Request, Response, Version, header, request::Parts};
use hyper::body::{Body, Incoming};
use refusal::Refusal;
use reply::{Reply, ReplyBody, Stamp};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};
use uuid::Uuid;

/// One request from its head to the head of its answer. Always answers, in the
/// caller's dialect and under a request id.
pub(crate) async fn answer(
    worker: &Arc<Worker>,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let mut trace = Trace::new(RequestId::from_uuid(Uuid::now_v7()), Instant::now());
    let in_flight = worker.gateway.enter();
    let (head, mut body) = request.into_parts();
    let (dialect, endpoint) =
        endpoint::find(&head.method, head.uri.path(), head.uri.query(), &head.headers);
    let stamp = Stamp::new(trace.request, dialect);
    let asked = Asked { dialect, stamp: &stamp, head: &head };
    let serving = AssertUnwindSafe(serve(worker, endpoint, asked, &mut body, &mut trace));
    let served = serving.catch_unwind().await.unwrap_or(Err(Refusal::Panicked));
    let short = served.as_ref().err().and_then(Refusal::short_of);
    let mut reply = served.unwrap_or_else(|refusal| {
        access_log::refused(&worker.gateway.metrics, &trace, dialect, &refusal);
        Reply::refuse(&refusal, &stamp)
    });
    if !trace.limits.is_empty() {
        let now = runtime::clock::unix_ms();
        let limits: Vec<_> = trace.limits.iter().collect();
        let standing = worker.gateway.meter.standing(&limits);
        let standing = standing.iter().map(|(limit, view)| match short {
            Some((refused, left_milli)) if refused == limit.id => {
                // What has come back since the refusal must not seem to contradict it.
                (&**limit, standing::of_refused(*view, left_milli))
            }
            Some(_) | None => (&**limit, *view),
        });
        standing::write(standing, dialect, now, &mut reply.headers);
    }
    if let Some(revision) = trace.revealed_revision {
        reply.credit_ourselves(revision);
    }
    if head.headers.contains_key(header::ORIGIN) {
        reply.share();
    }
    linger(&head, body).await;
    reply.into_response(&stamp, in_flight)
}

/// What came in, but for its body.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) stamp: &'a Stamp,
    pub(crate) head: &'a Parts,
}

async fn serve(
    worker: &Arc<Worker>,
    endpoint: Result<Endpoint, NoEndpoint>,
    asked: Asked<'_>,
    body: &mut Incoming,
    trace: &mut Trace,
) -> Result<Reply, Refusal> {
    match endpoint {
        Ok(Endpoint::Call(operation, says)) => {
            flow::serve(worker, Call { asked, operation, says, body, trace }).await
        }
        Ok(Endpoint::Models) => flow::models::list(worker, asked, trace),
        Ok(Endpoint::Model(id)) => flow::models::one(worker, asked, &id, trace),
        Ok(Endpoint::Root) => Ok(Reply::hello()),
        Ok(Endpoint::Preflight) => Ok(Reply::preflight()),
        Ok(Endpoint::Socket) => Ok(Reply::no_socket()),
        Err(NoEndpoint::UnknownPath) => Err(Refusal::UnknownPath),
        Err(NoEndpoint::WrongMethod { allow }) => Err(Refusal::WrongMethod { allow }),
    }
}

/// Takes in what is left of a request's body before a refusal is written. A connection
/// that is closed upon unread bytes is reset, and a reset may overtake the answer.
async fn linger(head: &Parts, body: Incoming) {
    let is_http1 = head.version < Version::HTTP_2;
    // Who waits for leave to send gets none, and sends nothing.
    if is_http1 && !body.is_end_stream() && !head.headers.contains_key(header::EXPECT) {
        body::discard(body).await;
    }
}
