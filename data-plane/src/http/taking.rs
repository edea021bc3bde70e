//! Whether the caller of one HTTP/2 stream takes its answer.
//!
//! The connection's own deadline does not see when one does not: pings and other streams
//! go on, while the window of this one stays shut and hyper does not ask for its body.

use super::socket::Stall;
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

tokio::task_local! {
    static OFFER: Cell<Offer>;
}

/// What the caller of the current stream is offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Offer {
    /// Pieces so far.
    pieces: u64,
    /// Whether it is the caller's turn to take one.
    waits: bool,
}

/// There is something to take now: the head of an answer, or a piece of its body.
/// Without a meaning outside of [`unless_refused`].
pub(super) fn offered() {
    let next = |it: Offer| Offer { pieces: it.pieces.wrapping_add(1), waits: true };
    let _ = OFFER.try_with(|it| it.set(next(it.get())));
}

/// Nothing is there to take, and that is not the caller's fault.
pub(super) fn nothing_to_take() {
    let _ = OFFER.try_with(|it| it.set(Offer { waits: false, ..it.get() }));
}

/// Runs `stream` to its end, or until nothing of what it offers was taken for so long.
pub(super) async fn unless_refused(stream: impl Future, after: Duration) {
    let guarded = async move {
        let mut stream = pin!(stream);
        let mut stall = Stall::new(after);
        let mut last = Offer::default();
        poll_fn(|cx| {
            if stream.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let offer = OFFER.with(Cell::get);
            if std::mem::replace(&mut last, offer) != offer || !offer.waits {
                stall.over();
            }
            if offer.waits { stall.poll(cx) } else { Poll::Pending }
        })
        .await;
    };
    OFFER.scope(Cell::default(), guarded).await;
}
