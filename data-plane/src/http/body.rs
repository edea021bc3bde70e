//! Reads a request's body, and no more of it than is allowed.

mod encoding;

use super::refusal::Refusal;
use crate::config::HttpConfig;
use bytes::{Bytes, BytesMut};
use encoding::Encoding;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// What one permit of the room for bodies stands for.
pub(crate) const ROOM_UNIT_BYTES: usize = 1024;

/// How long what nobody wants is taken in before the connection is closed upon it.
const DISCARD_FOR: Duration = Duration::from_secs(2);
/// Room made at once for a body whose length is announced; more grows as it comes.
const FIRST_ROOM_BYTES: usize = 1 << 20;

/// A request's body, and its part of the room for bodies. One that came in a single
/// piece takes none: the connection's own buffer bounds it.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// The whole body, unpacked.
///
/// # Errors
/// [`Refusal`] when it is too large, packed otherwise than it says, too slow, breaks off, or
/// finds no room.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: &mut Incoming,
    bounds: &HttpConfig,
    room: &Arc<Semaphore>,
) -> Result<Held, Refusal> {
    let encoding = encoding::of(headers)?;
    let held = as_sent(body, bounds, room).await?;
    if encoding == Encoding::Plain {
        return Ok(held);
    }
    let bytes = encoding::unpacked(held.bytes, encoding, bounds.max_body_bytes)?;
    let room = take_room(room, bytes.len(), held._room)?;
    Ok(Held { bytes, _room: Some(room) })
}

async fn as_sent(
    body: &mut Incoming,
    bounds: &HttpConfig,
    room: &Arc<Semaphore>,
) -> Result<Held, Refusal> {
    let alone = |bytes| Held { bytes, _room: None };
    let max = bounds.max_body_bytes;
    let too_large = || Refusal::TooLarge { max_bytes: max };
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |it| max < it) {
        return Err(too_large());
    }
    let idle = Duration::from_millis(bounds.body_idle_timeout_ms);
    // Small bodies come in one piece, which is taken as it is.
    let Some(first) = next(body, idle).await? else { return Ok(alone(Bytes::new())) };
    if max < first.len() {
        return Err(too_large());
    }
    if body.is_end_stream() {
        return Ok(alone(first));
    }
    let announced = usize::try_from(announced).unwrap_or(0).min(FIRST_ROOM_BYTES);
    let mut whole = BytesMut::with_capacity(announced.max(first.len()));
    whole.extend_from_slice(&first);
    let mut held = take_room(room, first.len(), None)?;
    while let Some(piece) = next(body, idle).await? {
        if max.saturating_sub(whole.len()) < piece.len() {
            return Err(too_large());
        }
        held = take_room(room, whole.len().saturating_add(piece.len()), Some(held))?;
        whole.extend_from_slice(&piece);
    }
    Ok(Held { bytes: whole.freeze(), _room: Some(held) })
}

/// Room for a body of `len` bytes, of which `held` is a part already.
fn take_room(
    room: &Arc<Semaphore>,
    len: usize,
    held: Option<OwnedSemaphorePermit>,
) -> Result<OwnedSemaphorePermit, Refusal> {
    let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let lacks = len.div_ceil(ROOM_UNIT_BYTES).saturating_sub(has);
    let lacks = u32::try_from(lacks).map_err(|_| Refusal::NoRoom)?;
    let more = Arc::clone(room).try_acquire_many_owned(lacks).map_err(|_| Refusal::NoRoom)?;
    Ok(match held {
        None => more,
        Some(mut held) => {
            held.merge(more);
            held
        }
    })
}

/// Throws the rest of a body away, for a short while.
pub(crate) async fn discard(mut body: Incoming) {
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    // Who sends on after that will see the connection close.
    let _ = timeout(DISCARD_FOR, all).await;
}

/// The next piece that holds data; `None` at the end.
async fn next(body: &mut Incoming, idle: Duration) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = timeout(idle, body.frame()).await.map_err(|_| Refusal::BodyTimeout { idle })?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(Refusal::BodyBroken),
            // Trailers say nothing that we want to know.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) if !piece.is_empty() => return Ok(Some(piece)),
                Ok(_) | Err(_) => {}
            },
        }
    }
}
