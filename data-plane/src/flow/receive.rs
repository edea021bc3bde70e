//! Bytes → [`Ask`]: the body is bounded and peeked at, not parsed.

use super::{Call, words};
use crate::{
    gateway::Gateway,
    http::{Asked, body, endpoint::PathSays, refusal::Refusal},
};
use bytes::Bytes;
use dialect::{
    peek::{Peek, peek_in},
    translate::{self, Reading, Refused},
};
use domain::{
    catalog::{Dialect, Operation},
    id::RequestId,
    time::Timestamp,
};
use std::{borrow::Cow, sync::OnceLock, time::Instant};
use url::form_urlencoded;

/// A request that has been received whole.
pub(super) struct Received {
    body: body::Held,
    at: Instant,
    at_wall: Timestamp,
}

/// What is known of a request before anything is decided.
pub(super) struct Ask<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) operation: Operation,
    /// What the body is written in: mostly the path's dialect, in which the answer is written.
    pub(super) spoken: Dialect,
    pub(super) says: &'a PathSays,
    pub(super) request: RequestId,
    pub(super) body: &'a Bytes,
    pub(super) peek: Peek<'a>,
    /// When all of it was there: what happens from then on is ours or an upstream's.
    pub(super) received: Instant,
    pub(super) received_at: Timestamp,
    reading: OnceLock<Result<Reading, Refused>>,
}

impl Ask<'_> {
    /// The request in the common form: read when it is first needed, and once.
    pub(super) fn reading(&self) -> &Result<Reading, Refused> {
        self.reading.get_or_init(|| words::read(self))
    }

    /// What the caller wrote behind the `?` for the provider: without its key, and without
    /// what is ours to say: how a stream is told, and which version of Azure's is spoken.
    pub(super) fn query(&self) -> Option<Cow<'_, str>> {
        let query = self.asked.head.uri.query()?;
        let dialect = self.asked.dialect;
        let goes = |it: &&str| !stays(dialect, it);
        if query.split('&').all(|it| goes(&it)) {
            return Some(query.into());
        }
        Some(query.split('&').filter(goes).collect::<Vec<_>>().join("&").into())
    }

    /// Dice for the choice among targets of equal standing: the random half of the id.
    pub(super) const fn seed(&self) -> u64 {
        self.request.uuid().as_u64_pair().1
    }
}

/// Whether a pair of a query is for us, and not for the provider.
fn stays(dialect: Dialect, pair: &str) -> bool {
    let Some((name, _)) = form_urlencoded::parse(pair.as_bytes()).next() else { return false };
    let is = |it| name.eq_ignore_ascii_case(it);
    is("key")
        || match dialect {
            Dialect::OpenAi | Dialect::OpenAiResponses => is("api-version"),
            Dialect::Gemini => is("alt"),
            Dialect::Anthropic | Dialect::Bedrock => false,
        }
}

/// Takes in the body.
///
/// # Errors
/// [`Refusal`] when there is too much of it, or it does not come.
pub(super) async fn read(gateway: &Gateway, call: &mut Call<'_>) -> Result<Received, Refusal> {
    call.trace.operation = Some(call.operation);
    let body =
        body::read(&call.asked.head.headers, call.body, &gateway.http, &gateway.buffered).await?;
    let at_wall = Timestamp::from_unix_ms(runtime::clock::unix_ms());
    Ok(Received { body, at: Instant::now(), at_wall })
}

/// Looks at it.
///
/// # Errors
/// [`Refusal`] with the place, when it is not what a request has to be.
pub(super) fn ask<'a>(
    received: &'a Received,
    says: &'a PathSays,
    call: &mut Call<'a>,
) -> Result<Ask<'a>, Refusal> {
    let body = &received.body.bytes;
    let (path, named) = (call.asked.dialect, says.model.as_deref());
    let mut peek = peek_in(path, body, named).map_err(Refusal::Body)?;
    let spoken = match call.operation {
        Operation::Chat => {
            let versioned = call.asked.head.headers.contains_key("anthropic-version");
            translate::sniff(path, &peek, versioned)
        }
        // Nobody else's body would be taken for one of these.
        Operation::Completions | Operation::Embeddings | Operation::CountTokens => path,
    };
    if spoken != path {
        peek = peek_in(spoken, body, named).map_err(Refusal::Body)?;
    }
    peek.stream = says.stream.unwrap_or(peek.stream);
    call.trace.alias = Some(peek.model.clone().into_owned());
    Ok(Ask {
        asked: call.asked,
        operation: call.operation,
        spoken,
        says,
        request: call.trace.request,
        body,
        peek,
        received: received.at,
        received_at: received.at_wall,
        reading: OnceLock::new(),
    })
}
