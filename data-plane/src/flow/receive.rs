//! Bytes → [`Ask`]: the body is bounded and peeked at, not parsed.

use super::Call;
use crate::{
    gateway::Gateway,
    http::{Asked, body, refusal::Refusal},
};
use bytes::Bytes;
use dialect::peek::{Peek, peek};
use domain::{catalog::Operation, id::RequestId, time::Timestamp};
use std::time::Instant;

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
    pub(super) request: RequestId,
    pub(super) body: &'a Bytes,
    pub(super) peek: Peek<'a>,
    /// When all of it was there: what happens from then on is ours or an upstream's.
    pub(super) received: Instant,
    pub(super) received_at: Timestamp,
}

impl Ask<'_> {
    /// Dice for the choice among targets of equal standing: the random half of the id.
    pub(super) const fn seed(&self) -> u64 {
        self.request.uuid().as_u64_pair().1
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
pub(super) fn ask<'a>(received: &'a Received, call: &mut Call<'a>) -> Result<Ask<'a>, Refusal> {
    let peek = peek(&received.body.bytes).map_err(Refusal::Body)?;
    call.trace.alias = Some(peek.model.clone().into_owned());
    Ok(Ask {
        asked: call.asked,
        operation: call.operation,
        request: call.trace.request,
        body: &received.body.bytes,
        peek,
        received: received.at,
        received_at: received.at_wall,
    })
}
