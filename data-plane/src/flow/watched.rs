//! An answer on its way, what is noticed of it, and the settlement that it owes.
//!
//! Whoever holds it may let go of it at any point: it settles by what was seen.

use super::settle::{Settlement, Used};
use bytes::Bytes;
use dialect::{
    chat,
    relay::{Relay, Seen},
    translate::{Answering, Elements},
};
use domain::usage::Outcome;
use http::StatusCode;
use http_body::Frame;
use hyper::body::Body;
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, time::timeout};

/// An upstream's answer, watched.
pub(super) struct Watched {
    upstream: reqwest::Body,
    /// What of it came before it was known to be an answer.
    heard: VecDeque<Bytes>,
    /// How much is still to come, where that was announced.
    left: Option<u64>,
    relay: Relay,
    retelling: Retelling,
    status: StatusCode,
    settlement: Option<Settlement>,
    /// Whether it is remembered whose the answer is.
    is_owned: bool,
}

/// What becomes of an answer on its way to the caller.
pub(super) enum Retelling {
    /// Nothing.
    None,
    /// It is told in another dialect.
    Translated(Box<Answering>),
    /// Its events become the elements of an array.
    Array(Box<Elements>),
}

/// What an upstream gives.
pub(super) struct Source {
    pub(super) body: reqwest::Body,
    /// What of it came already.
    pub(super) heard: Vec<Bytes>,
    /// How much it is in all, where that was announced.
    pub(super) length: Option<u64>,
}

impl Watched {
    pub(super) fn new(
        source: Source,
        relay: Relay,
        retelling: Retelling,
        status: StatusCode,
        settlement: Settlement,
    ) -> Self {
        let Source { body: upstream, heard, length: left } = source;
        let settlement = Some(settlement);
        let (heard, is_owned) = (heard.into(), false);
        Self { upstream, heard, left, relay, retelling, status, settlement, is_owned }
    }

    /// The next piece, as it is to be passed on; it may be empty. `None` at the end.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, reqwest::Error>>> {
        if let Some(piece) = self.heard.pop_front() {
            return Poll::Ready(Some(Ok(self.pass(piece))));
        }
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.upstream).poll_frame(cx).map_ok(|frame| self.note(frame))
    }

    fn note(&mut self, frame: Frame<Bytes>) -> Bytes {
        // Trailers say nothing that anybody waits for.
        let Ok(piece) = frame.into_data() else { return Bytes::new() };
        self.pass(piece)
    }

    fn pass(&mut self, piece: Bytes) -> Bytes {
        self.left = self.left.map(|it| it.saturating_sub(piece.len() as u64));
        let piece = self.relay.push(piece);
        if self.relay.seen().first_content
            && let Some(settlement) = &mut self.settlement
        {
            settlement.content();
        }
        self.own();
        match &mut self.retelling {
            Retelling::None => piece,
            Retelling::Translated(it) => it.push(&piece),
            Retelling::Array(it) => it.push(&piece),
        }
    }

    /// Remembers whose the answer is as soon as it has a name: a caller may go on from it
    /// upon its last event. Of what is translated the caller never hears the name.
    fn own(&mut self) {
        if self.is_owned || self.is_translated() {
            return;
        }
        if let (Some(id), Some(settlement)) = (self.relay.answer_id(), &self.settlement) {
            settlement.owns(id);
            self.is_owned = true;
        }
    }

    /// Whether nothing more can come.
    pub(super) fn is_over(&self) -> bool {
        self.heard.is_empty() && (self.left == Some(0) || self.upstream.is_end_stream())
    }

    pub(super) fn seen(&self) -> Seen {
        self.relay.seen()
    }

    /// The answer ended in good order: gives what was held back.
    pub(super) fn finish(&mut self) -> Bytes {
        let rest = self.relay.finish();
        let answering = match &mut self.retelling {
            Retelling::None => return rest,
            Retelling::Array(it) => return it.push(&rest),
            Retelling::Translated(it) => it,
        };
        let last = answering.push(&rest);
        let end = answering.finish();
        if last.is_empty() { end } else { [last, end].concat().into() }
    }

    /// Everything that mattered has come, though the upstream has not ended its body: what
    /// the caller still has to be told.
    pub(super) fn finish_early(&mut self) -> Bytes {
        match &self.retelling {
            Retelling::None => Bytes::new(),
            Retelling::Translated(_) => self.finish(),
            Retelling::Array(_) => self.close_array(),
        }
    }

    /// The end of the array, if it is told as one: nothing can be told behind it.
    pub(super) fn close_array(&mut self) -> Bytes {
        match &mut self.retelling {
            Retelling::None | Retelling::Translated(_) => Bytes::new(),
            Retelling::Array(it) => it.finish(),
        }
    }

    /// Whether another dialect is made of it, which is told by [`Self::break_off`] how it ends.
    pub(super) const fn is_translated(&self) -> bool {
        matches!(self.retelling, Retelling::Translated(_))
    }

    /// The answer did not end in good order: what the caller of another dialect is told.
    pub(super) fn break_off(&mut self, failure: &chat::Failure) -> Bytes {
        match &mut self.retelling {
            Retelling::None | Retelling::Array(_) => Bytes::new(),
            Retelling::Translated(it) => it.break_off(failure),
        }
    }

    /// Whether the caller of another dialect, who is told whole, hears of a failure only by
    /// its connection.
    pub(super) fn is_untold(&self) -> bool {
        match &self.retelling {
            Retelling::None | Retelling::Array(_) => false,
            Retelling::Translated(it) => it.is_untold(),
        }
    }

    /// A sign of life for the caller of another dialect.
    pub(super) fn ping(&mut self) -> Bytes {
        match &mut self.retelling {
            Retelling::None | Retelling::Array(_) => Bytes::new(),
            Retelling::Translated(it) => it.ping(),
        }
    }

    /// An event of our own, as it can stand behind what went by.
    pub(super) fn own_event(&mut self, event: Bytes) -> Bytes {
        match (&mut self.retelling, self.relay.gap()) {
            (Retelling::Array(it), _) => it.add(&event),
            (Retelling::None | Retelling::Translated(_), b"") => event,
            (Retelling::None | Retelling::Translated(_), gap) => [gap, &event].concat().into(),
        }
    }

    /// Whether there is no more time for anybody.
    pub(super) fn is_cut(&self) -> bool {
        self.settlement.as_ref().is_some_and(|it| it.gateway().is_cut())
    }

    /// Settles by what was seen. Only the first call does.
    pub(super) fn close(&mut self, outcome: Outcome) {
        self.own();
        if let Some(settlement) = self.settlement.take() {
            settlement.settle(self.status, outcome, Used::Seen(self.relay.seen()));
        }
    }

    /// The caller has what it wanted, but the upstream has not ended its body: a moment
    /// more, and its connection can be used again.
    pub(super) fn settle_and_reuse(mut self) {
        let Some(settlement) = &self.settlement else { return };
        let gateway = settlement.gateway().clone();
        self.close(Outcome::Complete);
        if let (Some(permit), Ok(_)) = (gateway.begin_drain(), Handle::try_current()) {
            let within = Duration::from_millis(gateway.http.drain_after_disconnect_ms);
            gateway.process.tasks.spawn("drain", self.drain(Outcome::Complete, within, permit));
        }
    }

    /// The caller has gone. What is missing of the usage may still come: for a short
    /// while, and for few at a time, the upstream is listened to. Then it is cancelled.
    pub(super) fn abandon(mut self) {
        let Some(settlement) = &self.settlement else { return };
        let (gateway, outcome) = (settlement.gateway().clone(), settlement.unseen_end());
        let seen = self.relay.seen();
        if seen.finished || seen.tokens.is_some() || outcome == Outcome::Interrupted {
            // Many callers hang up upon the last event: they have all of the answer.
            let outcome = if seen.finished { Outcome::Complete } else { outcome };
            return self.close(outcome);
        }
        if let (Some(permit), Ok(_)) = (gateway.begin_drain(), Handle::try_current()) {
            let within = Duration::from_millis(gateway.http.drain_after_disconnect_ms);
            gateway.process.tasks.spawn("drain", self.drain(outcome, within, permit));
        }
        // Without leave it is dropped here, and settles by what was seen.
    }

    async fn drain(mut self, outcome: Outcome, within: Duration, permit: OwnedSemaphorePermit) {
        let rest = async {
            while let Some(Ok(_)) = poll_fn(|cx| self.poll_piece(cx)).await {
                if self.relay.seen().tokens.is_some() && self.settlement.is_some() {
                    return;
                }
            }
            let _ = self.relay.finish();
        };
        // That time is up is no more than a reason to settle by what came.
        let _ = timeout(within, rest).await;
        self.close(outcome);
        drop(permit);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(settlement) = &self.settlement {
            self.close(settlement.unseen_end());
        }
    }
}
