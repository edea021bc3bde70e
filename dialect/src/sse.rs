//! Framing of server-sent events: bytes in, pieces of events out.
//!
//! Takes pieces cut anywhere, line ends of LF, CRLF and CR, a byte order mark,
//! comments, several `data:` lines an event. Keeps no bytes of what goes by.

use crate::skim::Short;

/// What comes next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token<'c> {
    /// A `data:` line begins. Data of several lines is joined by line feeds.
    Line,
    /// A piece of a `data:` line.
    Data(&'c [u8]),
    /// A piece of the event's name.
    Name(&'c [u8]),
    /// A blank line ended the event, which was so many bytes long. The line feed of
    /// a CRLF is not counted, since it may come later.
    End {
        /// Bytes of the event, its blank line included.
        bytes: u64,
    },
}

/// Where in a stream we are.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    state: State,
    field: Short,
    /// Whether the last byte was a CR, so that a following LF belongs to it.
    after_cr: bool,
    /// Whether the first line, which may have a byte order mark, is behind us.
    after_first: bool,
    bytes: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a line's field name.
    #[default]
    Field,
    /// Behind the colon, where one space may stand.
    Space(Field),
    Value(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Other,
}

impl Sse {
    /// The next token of `chunk`, from `at` on, which moves on; `None` at its end.
    pub(crate) fn next<'c>(&mut self, chunk: &'c [u8], at: &mut usize) -> Option<Token<'c>> {
        loop {
            let rest = chunk.get(*at..).filter(|it| !it.is_empty())?;
            if std::mem::take(&mut self.after_cr) && rest.first() == Some(&b'\n') {
                *at = at.saturating_add(1);
                continue;
            }
            let token = match self.state {
                State::Field => self.field(rest, at),
                State::Space(field) => {
                    if rest.first() == Some(&b' ') {
                        self.pass(1, at);
                    }
                    self.state = State::Value(field);
                    None
                }
                State::Value(field) => self.value(field, rest, at),
            };
            if token.is_some() {
                return token;
            }
        }
    }

    /// How many bytes of an unfinished event have gone by.
    pub(crate) const fn event_bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a line feed that comes next belongs to what has gone by.
    pub(crate) const fn is_after_cr(&self) -> bool {
        self.after_cr
    }

    fn pass(&mut self, count: usize, at: &mut usize) {
        self.bytes = self.bytes.saturating_add(count as u64);
        *at = at.saturating_add(count);
    }

    fn field<'c>(&mut self, rest: &'c [u8], at: &mut usize) -> Option<Token<'c>> {
        let Some(end) = memchr::memchr3(b':', b'\n', b'\r', rest) else {
            self.field.push(rest);
            self.pass(rest.len(), at);
            return None;
        };
        self.field.push(rest.get(..end).unwrap_or_default());
        self.pass(end.saturating_add(1), at);
        let (field, is_empty) = self.take_field();
        match rest.get(end) {
            Some(b':') => {
                self.state = State::Space(field);
                return (field == Field::Data).then_some(Token::Line);
            }
            Some(b'\r') => self.after_cr = true,
            Some(_) | None => {}
        }
        if is_empty {
            return Some(Token::End { bytes: std::mem::take(&mut self.bytes) });
        }
        (field == Field::Data).then_some(Token::Line)
    }

    fn take_field(&mut self) -> (Field, bool) {
        let name = std::mem::take(&mut self.field);
        let is_first = !std::mem::replace(&mut self.after_first, true);
        let mut text = name.as_slice();
        let mut is_empty = name.is_empty();
        if let Some(rest) = text.strip_prefix(b"\xef\xbb\xbf").filter(|_| is_first) {
            text = rest;
            is_empty = rest.is_empty();
        }
        let field = match text {
            b"data" => Field::Data,
            b"event" => Field::Event,
            _ => Field::Other,
        };
        (field, is_empty)
    }

    fn value<'c>(&mut self, field: Field, rest: &'c [u8], at: &mut usize) -> Option<Token<'c>> {
        let end = memchr::memchr2(b'\n', b'\r', rest);
        let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if let Some(end) = end {
            self.after_cr = rest.get(end) == Some(&b'\r');
            self.state = State::Field;
            self.pass(1, at);
        }
        self.pass(piece.len(), at);
        match field {
            Field::Data if !piece.is_empty() => Some(Token::Data(piece)),
            Field::Event if !piece.is_empty() => Some(Token::Name(piece)),
            Field::Data | Field::Event | Field::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and data of each event, of a stream cut at every `step` bytes.
    fn events(stream: &[u8], step: usize) -> Vec<(String, String)> {
        let mut sse = Sse::default();
        let (mut events, mut name, mut data, mut lines) = (vec![], vec![], vec![], 0);
        for chunk in stream.chunks(step) {
            let mut at = 0;
            while let Some(token) = sse.next(chunk, &mut at) {
                match token {
                    Token::Line => {
                        lines += 1;
                        if lines > 1 {
                            data.push(b'\n');
                        }
                    }
                    Token::Data(piece) => data.extend_from_slice(piece),
                    Token::Name(piece) => name.extend_from_slice(piece),
                    Token::End { .. } => {
                        let text =
                            |it: &mut Vec<u8>| String::from_utf8(std::mem::take(it)).unwrap();
                        let event = (text(&mut name), text(&mut data));
                        if std::mem::take(&mut lines) > 0 {
                            events.push(event);
                        }
                    }
                }
            }
            assert_eq!(at, chunk.len());
        }
        events
    }

    #[track_caller]
    fn check(stream: &str, expected: &[(&str, &str)]) {
        for ends in ["\n", "\r\n", "\r"] {
            let stream = stream.replace('\n', ends);
            for step in 1..=stream.len() {
                let events = events(stream.as_bytes(), step);
                let events: Vec<_> = events.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                assert_eq!(events, expected, "{stream:?} cut at {step}");
            }
        }
    }

    /// Bug 37 of the list: a cut within a character, or a CRLF, broke events.
    #[test]
    fn names_and_data_are_read_whatever_the_line_ends_and_the_cuts() {
        check("event: a\ndata: 1\n\ndata:2\n\n", &[("a", "1"), ("", "2")]);
        check("data: é\u{1f600}\ndata\ndata:  x \n\n", &[("", "é\u{1f600}\n\n x ")]);
    }

    #[test]
    fn comments_unknown_fields_and_a_byte_order_mark_are_passed_over() {
        check("\u{feff}data: 1\n\n", &[("", "1")]);
        check("\u{feff}\ndata: 1\n\n", &[("", "1")]);
        check(": ping\n\n\n\nid: 7\nretry: 1\ndata_: x\ndata: 1\n: c\n\n", &[("", "1")]);
        check("data: 1\n\n\u{feff}data: 2\n\n", &[("", "1")]);
    }

    #[test]
    fn an_unfinished_event_is_none_yet() {
        check("data: 1\n\ndata: 2\n", &[("", "1")]);
        check("data: 1", &[]);
    }

    #[test]
    fn an_events_bytes_are_counted_without_the_last_line_feed_of_a_crlf() {
        let mut sse = Sse::default();
        let mut at = 0;
        let chunk = b"data: 1\n\n";
        while let Some(token) = sse.next(chunk, &mut at) {
            if let Token::End { bytes } = token {
                assert_eq!(bytes, 9);
            }
        }
        assert_eq!(sse.event_bytes(), 0);
        at = 0;
        assert_eq!(sse.next(b"data", &mut at), None);
        assert_eq!(sse.event_bytes(), 4);
    }
}
