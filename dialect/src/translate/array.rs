//! A stream of server-sent events as one JSON array, as Gemini tells it who does not ask
//! for server-sent events.

use super::frames::{Frame, Frames as _, ServerSent};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// The array so far.
#[derive(Debug, Default)]
pub(super) struct Array {
    begun: bool,
}

impl Array {
    /// The next elements: the data of these whole events, which is JSON.
    pub(super) fn push(&mut self, events: &[u8], out: &mut Vec<u8>) {
        // They are our own: JSON has no raw line ends, so each has one line of data.
        for data in events.split(|it| *it == b'\n').filter_map(|it| it.strip_prefix(b"data: ")) {
            self.element(data, out);
        }
    }

    fn element(&mut self, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(if self.begun { b",\n" } else { b"[" });
        out.extend_from_slice(data);
        self.begun = true;
    }

    /// Its end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
    }
}

/// A provider's own stream of events on its way to a caller who wants an array: what they
/// hold stays as it is, but for events that are no JSON and would spoil the array.
#[derive(Debug, Default)]
pub struct Elements {
    frames: ServerSent,
    array: Array,
    is_over: bool,
}

impl Elements {
    /// Takes the next piece of the stream, and gives the elements that end in it.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        let mut frames = Vec::new();
        // One that is too long is noticed by who watches the stream.
        let _ = self.frames.push(piece, &mut frames);
        self.told(&frames)
    }

    /// Adds whole events that are not the provider's. Of it nothing more is told.
    pub fn add(&mut self, events: &[u8]) -> Bytes {
        self.frames = ServerSent::default();
        self.push(events)
    }

    /// The end, once.
    pub fn finish(&mut self) -> Bytes {
        if std::mem::replace(&mut self.is_over, true) {
            return Bytes::new();
        }
        let mut frames = Vec::new();
        let _ = self.frames.finish(&mut frames);
        let mut out = Vec::from(self.told(&frames));
        self.array.finish(&mut out);
        out.into()
    }

    fn told(&mut self, frames: &[Frame]) -> Bytes {
        let mut out = Vec::new();
        for Frame { name: _, data } in frames {
            if serde_json::from_str::<IgnoredAny>(data).is_ok() {
                self.array.element(data.as_bytes(), &mut out);
            }
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_s_events_become_elements_wherever_they_are_cut() {
        let stream =
            b"data: {\"a\": 1.0}\r\n\r\n: hi\n\ndata: {\ndata: }\n\ndata: [DONE]\n\ndata: 3";
        for step in 1..=stream.len() {
            let mut elements = Elements::default();
            let mut out: Vec<u8> = stream.chunks(step).flat_map(|it| elements.push(it)).collect();
            out.extend(elements.finish());
            out.extend(elements.finish());
            assert_eq!(out, b"[{\"a\": 1.0},\n{\n},\n3]", "{step}");
        }
        let mut elements = Elements::default();
        elements.push(b"data: {\"cut");
        assert_eq!(elements.add(b"data: {}\n\n"), "[{}");
        assert_eq!(elements.finish(), "]");
    }

    #[test]
    fn events_become_elements() {
        let (mut array, mut out) = (Array::default(), Vec::new());
        for events in ["data: {\"a\":1}\n\n", "", "data: {}\n\ndata: 3\n\n"] {
            array.push(events.as_bytes(), &mut out);
        }
        array.finish(&mut out);
        assert_eq!(out, b"[{\"a\":1},\n{},\n3]");
        let mut out = Vec::new();
        Array::default().finish(&mut out);
        assert_eq!(out, b"[]");
    }
}
