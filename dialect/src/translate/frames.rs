//! Bytes of a provider's stream, cut anywhere, into its events.
//!
//! Knows where an event begins and ends, nothing of what it says. Keeps one event at a
//! time, of at most [`MAX_EVENT`] bytes.

use super::Unreadable;
use crate::{
    relay::MAX_EVENT,
    sse::{Sse, Token},
};
use std::fmt::Debug;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it is called; may be empty.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) data: String,
}

/// A way to put events into bytes.
pub(crate) trait Frames: Send + Debug {
    /// Takes the next piece and gives the events that end in it.
    ///
    /// # Errors
    /// When it is no such stream, or an event is too long. The events before that are
    /// given, and no more.
    fn push(&mut self, piece: &[u8], out: &mut Vec<Frame>) -> Result<(), Unreadable>;

    /// The stream ended, in good order: gives an event of which only the end mark is
    /// missing.
    ///
    /// # Errors
    /// When what is left cannot be an event.
    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), Unreadable>;
}

/// Server-sent events.
#[derive(Debug, Default)]
pub(crate) struct ServerSent {
    sse: Sse,
    name: Vec<u8>,
    data: Vec<u8>,
    /// The event's lines of data so far.
    lines: u64,
}

impl Frames for ServerSent {
    fn push(&mut self, piece: &[u8], out: &mut Vec<Frame>) -> Result<(), Unreadable> {
        let mut at = 0;
        while let Some(token) = self.sse.next(piece, &mut at) {
            match token {
                Token::Line => {
                    if self.lines > 0 {
                        self.data.push(b'\n');
                    }
                    self.lines = self.lines.saturating_add(1);
                }
                Token::Data(piece) => self.data.extend_from_slice(piece),
                Token::Name(piece) => self.name.extend_from_slice(piece),
                Token::End { bytes } => {
                    within_bound(bytes)?;
                    self.end(out);
                }
            }
            within_bound(self.sse.event_bytes())?;
        }
        within_bound(self.sse.event_bytes())
    }

    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), Unreadable> {
        self.end(out);
        Ok(())
    }
}

impl ServerSent {
    fn end(&mut self, out: &mut Vec<Frame>) {
        let name = text(std::mem::take(&mut self.name));
        let data = text(std::mem::take(&mut self.data));
        // Without a line of data it is no event: a comment, or a name alone.
        if std::mem::take(&mut self.lines) > 0 {
            out.push(Frame { name, data });
        }
    }
}

fn within_bound(bytes: u64) -> Result<(), Unreadable> {
    if bytes > MAX_EVENT {
        return Err(Unreadable(format!("an event is longer than {MAX_EVENT} bytes")));
    }
    Ok(())
}

/// What is no UTF-8 in it becomes the replacement character.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> (Vec<(String, String)>, bool) {
        let (mut frames, mut out) = (ServerSent::default(), Vec::new());
        let read = pieces.iter().try_for_each(|it| frames.push(it, &mut out));
        let fine = read.and_then(|()| frames.finish(&mut out)).is_ok();
        (out.into_iter().map(|it| (it.name, it.data)).collect(), fine)
    }

    fn owned(events: &[(&str, &str)]) -> Vec<(String, String)> {
        events.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[track_caller]
    fn check(stream: &[u8], expected: &[(&str, &str)]) {
        for step in 1..=stream.len() {
            let pieces: Vec<_> = stream.chunks(step).collect();
            assert_eq!(read(&pieces), (owned(expected), true), "cut at {step}");
        }
    }

    /// Bug 37 of the list: a cut within a character, or a CRLF, broke events.
    #[test]
    fn events_are_read_whatever_the_line_ends_and_the_cuts() {
        check(
            b"event: a\r\ndata: 1\r\n\r\ndata:2\r\rdata: 3\n\n",
            &[("a", "1"), ("", "2"), ("", "3")],
        );
        check("\u{feff}data: é\u{1f600}\ndata: b\n\n".as_bytes(), &[("", "é\u{1f600}\nb")]);
        check(b": ping\n\nevent: nothing\n\nid: 7\ndata:\n\n", &[("", "")]);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        check(b"data: 1\n\nevent: b\ndata: 2", &[("", "1"), ("b", "2")]);
        check(b"data: 1\n\nevent: b\n", &[("", "1")]);
    }

    #[test]
    fn what_is_no_utf_8_is_replaced() {
        check(b"data: a\xffb\xe4\xbd\n\n", &[("", "a\u{fffd}b\u{fffd}")]);
    }

    #[test]
    fn an_event_has_a_bound_and_those_before_it_are_still_read() {
        let mut frames = ServerSent::default();
        let mut out = Vec::new();
        frames.push(b"data: 1\n\ndata: ", &mut out).unwrap();
        let piece = vec![b'x'; 1 << 20];
        let pushed: Vec<_> = (0..17).map(|_| frames.push(&piece, &mut out)).collect();
        assert!(pushed.iter().take(15).all(Result::is_ok) && pushed.iter().any(Result::is_err));
        assert_eq!(out.len(), 1);
        // A comment is not kept, but is no answer either.
        let mut frames = ServerSent::default();
        let pushed: Vec<_> = (0..17).map(|_| frames.push(b":", &mut out)).collect();
        assert!(pushed.iter().all(Result::is_ok));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            lines in prop::collection::vec("(data|event|id|:|da)?:? ?[a-c\u{e9}\u{1f600}]{0,3}(\r\n|\n|\r){0,2}", 0..12),
            noise in prop::collection::vec(any::<u8>(), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut bytes = lines.concat().into_bytes();
            bytes.extend(noise);
            let mut cuts: Vec<_> = cuts.iter().map(|it| it.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let ends = cuts.iter().copied().chain([bytes.len()]);
            let begins = [0].into_iter().chain(cuts.iter().copied());
            let pieces: Vec<_> = begins.zip(ends).map(|(from, to)| &bytes[from..to]).collect();
            prop_assert_eq!(read(&pieces), read(&[&bytes]));
        }
    }
}
