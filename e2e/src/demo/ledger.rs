//! What the demo provider served, one entry a request: the witness of every test.
//!
//! Bounded: the oldest entries, and the bodies of the oldest, are forgotten first.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// The most entries that are kept.
pub const MOST_ENTRIES: usize = 200_000;

/// The most bytes of requests' bodies and headers that are kept.
pub const MOST_BODY_BYTES: usize = 64 << 20;

/// One request that was served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place among all requests, from 1, in the order in which they ended.
    pub seq: u64,
    /// The `x-request-id` that it was sent with; empty: none.
    pub request_id: String,
    /// The model asked for.
    pub model: String,
    /// `openai`, `openai_responses`, `anthropic` or `gemini`.
    pub dialect: String,
    /// `chat`, `embeddings`, `count_tokens`, `models` or `unknown`.
    pub operation: String,
    /// SHA-256 of the credential, in hexadecimal, its first 16 digits.
    pub credential_hash: String,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// The HTTP status of the answer; 0: the connection ended before there was one.
    pub status: u16,
    /// All input tokens, cached ones and cache writes included.
    pub input_tokens: u64,
    /// Part of them that came out of the prompt cache.
    pub cached_input_tokens: u64,
    /// Part of them that went into the prompt cache.
    pub cache_write_tokens: u64,
    /// Output tokens handed to the connection.
    pub output_tokens: u64,
    /// Whether the whole answer was handed to the connection.
    pub completed: bool,
    /// Whether the other side went away before the end.
    pub cancelled: bool,
    /// When the request came, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// When its head came, in microseconds of the provider's own clock, which only goes
    /// forward: what limits are judged by.
    #[serde(default)]
    pub arrived_us: u64,
    /// When it ended, by the same clock.
    #[serde(default)]
    pub ended_us: u64,
    /// The most output tokens that it asked for; 0: it did not say.
    #[serde(default)]
    pub max_output_tokens: u64,
    /// From `at_ms` to the end, in milliseconds.
    pub duration_ms: u64,
    /// The request's headers in order, only when bodies are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<(String, String)>>,
    /// The request's body in base64, only when bodies are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The request's path with its query, only when bodies are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a request looked like on the wire.
#[derive(Debug)]
pub struct Received {
    /// The path with its query.
    pub target: String,
    /// In the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The exact body.
    pub body: Bytes,
}

impl Received {
    fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.target.len() + headers.sum::<usize>() + self.body.len()
    }
}

/// Microseconds since the process first asked.
pub fn now_us() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[derive(Debug, Default)]
struct Pages {
    entries: VecDeque<Entry>,
    /// Of the newest entries; the last belongs to the last.
    received: VecDeque<Arc<Received>>,
    received_bytes: usize,
    written: u64,
    open: u64,
}

/// Every request that was served, as far back as the bounds allow.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Pages>);

impl Ledger {
    /// Notes that a request began. It is entered when the answer's [`Line`] is dropped.
    pub fn begin(self: &Arc<Self>, entry: Entry, received: Received) -> Line {
        self.lock().open += 1;
        Line { ledger: Arc::clone(self), entry, received: Some(Arc::new(received)) }
    }

    /// Every entry as a JSON line, the oldest first.
    pub fn lines(&self, with_bodies: bool) -> String {
        let pages = self.lock();
        let without = pages.entries.len() - pages.received.len();
        let mut lines = String::new();
        for (index, entry) in pages.entries.iter().enumerate() {
            let received = index.checked_sub(without).and_then(|it| pages.received.get(it));
            let entry = match received.filter(|_| with_bodies) {
                Some(it) => &Entry {
                    headers: Some(it.headers.clone()),
                    body: Some(STANDARD.encode(&it.body)),
                    target: Some(it.target.clone()),
                    ..entry.clone()
                },
                None => entry,
            };
            // Plain fields only: this cannot fail.
            lines.push_str(&serde_json::to_string(entry).unwrap_or_default());
            lines.push('\n');
        }
        lines
    }

    /// Requests that are being answered now.
    pub fn open(&self) -> u64 {
        self.lock().open
    }

    /// Forgets every entry; the numbers go on.
    pub fn clear(&self) {
        let mut pages = self.lock();
        pages.entries.clear();
        pages.received.clear();
        pages.received_bytes = 0;
    }

    fn enter(&self, mut entry: Entry, received: Arc<Received>) {
        let mut pages = self.lock();
        pages.open -= 1;
        pages.written += 1;
        entry.seq = pages.written;
        pages.entries.push_back(entry);
        pages.received_bytes += received.size();
        pages.received.push_back(received);
        if pages.entries.len() > MOST_ENTRIES {
            pages.entries.pop_front();
        }
        while pages.received.len() > pages.entries.len() || pages.received_bytes > MOST_BODY_BYTES {
            let Some(oldest) = pages.received.pop_front() else { break };
            pages.received_bytes -= oldest.size();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered. Entered into the ledger when dropped, however
/// that comes about.
#[derive(Debug)]
#[must_use = "the request is entered as ended when this is dropped"]
pub struct Line {
    ledger: Arc<Ledger>,
    /// What is known so far.
    pub entry: Entry,
    received: Option<Arc<Received>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some(received) = self.received.take() else { return };
        let mut entry = std::mem::take(&mut self.entry);
        let took = runtime::clock::unix_ms().saturating_sub(entry.at_ms);
        entry.duration_ms = u64::try_from(took).unwrap_or(0);
        entry.ended_us = now_us();
        self.ledger.enter(entry, received);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(ledger: &Arc<Ledger>, id: &str, body: &'static [u8]) -> Line {
        let entry = Entry { request_id: id.to_owned(), ..Entry::default() };
        let received = Received {
            target: "/".to_owned(),
            headers: Vec::new(),
            body: Bytes::from_static(body),
        };
        ledger.begin(entry, received)
    }

    fn read(ledger: &Ledger, bodies: bool) -> Vec<Entry> {
        ledger.lines(bodies).lines().map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    #[test]
    fn a_request_is_entered_when_its_line_is_dropped() {
        let ledger = Arc::new(Ledger::default());
        let mut line = serve(&ledger, "one", b"{}");
        assert_eq!((ledger.open(), read(&ledger, false).len()), (1, 0));
        line.entry.output_tokens = 7;
        drop(line);
        let entries = read(&ledger, false);
        assert_eq!((entries[0].seq, entries[0].output_tokens, ledger.open()), (1, 7, 0));
        assert_eq!(entries[0].body, None);
        assert_eq!(read(&ledger, true)[0].body.as_deref(), Some("e30="));
    }

    #[test]
    fn bodies_are_forgotten_before_entries() {
        static BIG: [u8; MOST_BODY_BYTES / 2 + 1] = [0; MOST_BODY_BYTES / 2 + 1];
        let ledger = Arc::new(Ledger::default());
        drop(serve(&ledger, "one", &BIG));
        drop(serve(&ledger, "two", &BIG));
        let entries = read(&ledger, true);
        assert_eq!(entries.len(), 2);
        assert!(entries[0].body.is_none() && entries[1].body.is_some());
    }
}
