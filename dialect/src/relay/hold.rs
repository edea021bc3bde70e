//! Holds back the unfinished event of a stream from which one may be taken out.

use bytes::{Bytes, BytesMut};

/// How much of an unfinished event is held back, in bytes. A longer one is no usage
/// chunk: it is let go.
pub const MAX_HELD: usize = 1024 * 1024;

/// What is held back.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// The unfinished event's bytes so far.
    held: BytesMut,
    /// Whether the unfinished event is let go as it comes, because it is too long.
    passing: bool,
    /// Whether the last whole event was hidden.
    hid_last: bool,
}

impl Hold {
    /// Starts to cut `chunk`. `after_cr`: a line feed at its start belongs to what came before.
    pub(super) fn cut<'h>(&'h mut self, chunk: &'h Bytes, after_cr: bool) -> Cut<'h> {
        let between = self.held.is_empty() && !self.passing;
        let lead = usize::from(between && after_cr && chunk.first() == Some(&b'\n'));
        let run_from = if self.hid_last { lead } else { 0 };
        Cut { hold: self, chunk, out: BytesMut::new(), run_from, event_from: lead }
    }

    /// Whether nothing of the unfinished event has been let go.
    pub(super) const fn is_holding(&self) -> bool {
        !self.passing
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.held.freeze()
    }
}

/// One chunk, while it is cut into what goes now, what goes never and what waits.
pub(super) struct Cut<'h> {
    hold: &'h mut Hold,
    chunk: &'h Bytes,
    /// What goes now and stands before `run_from`.
    out: BytesMut,
    /// Where the bytes begin that go now and are not in `out`.
    run_from: usize,
    /// Where the unfinished event begins in the chunk; 0 if it began before.
    event_from: usize,
}

impl Cut<'_> {
    /// An event ends at `end`.
    pub(super) fn event_ends(&mut self, end: usize, hide: bool) {
        let is = |at: Option<usize>, byte| at.and_then(|it| self.chunk.get(it)) == Some(&byte);
        let is_crlf = is(end.checked_sub(1), b'\r') && is(Some(end), b'\n');
        let end = if is_crlf { end.saturating_add(1) } else { end };
        if hide {
            self.hold.held.clear();
            self.out.extend_from_slice(
                self.chunk.get(self.run_from..self.event_from).unwrap_or_default(),
            );
            self.run_from = end;
        } else if !self.hold.held.is_empty() {
            // Only the chunk's first event can have begun before it.
            self.out.extend_from_slice(&self.hold.held);
            self.hold.held.clear();
        }
        self.hold.passing = false;
        self.hold.hid_last = hide;
        self.event_from = end;
    }

    /// The chunk is over, and so many bytes of an unfinished event have come: gives
    /// what goes now.
    pub(super) fn rest(mut self, unfinished: u64) -> Bytes {
        let tail = self.chunk.get(self.event_from..).unwrap_or_default();
        if unfinished > MAX_HELD as u64 {
            self.hold.passing = true;
            // Only if it is the chunk's first event; then nothing is out yet.
            self.out.extend_from_slice(&self.hold.held);
            self.hold.held = BytesMut::new();
            self.event_from = self.chunk.len();
        } else {
            self.hold.held.extend_from_slice(tail);
        }
        let run = self.run_from..self.event_from.max(self.run_from);
        if self.out.is_empty() {
            return self.chunk.slice(run);
        }
        self.out.extend_from_slice(self.chunk.get(run).unwrap_or_default());
        self.out.freeze()
    }
}
