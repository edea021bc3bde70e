//! A stream of server-sent events as one JSON array, as Gemini tells it who does not ask
//! for server-sent events.

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
            out.extend_from_slice(if self.begun { b",\n" } else { b"[" });
            out.extend_from_slice(data);
            self.begun = true;
        }
    }

    /// Its end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
