//! A provider that costs nothing: speaks OpenAI, Anthropic and Google faithfully, misbehaves
//! when told to, and keeps a ledger of what it served, the witness of every test.
//!
//! Knows nothing of Sluice: it is what Sluice calls.

pub mod anthropic;
pub mod behave;
pub mod config;
pub mod embeddings;
pub mod gemini;
pub mod ledger;
pub mod openai;
pub mod reply;
pub mod responses;
pub mod server;
pub mod strict;
pub mod tokens;

use bytes::Bytes;

/// The models that `/v1/models` lists. Others are served too.
pub const MODELS: [&str; 5] =
    ["gpt-4o-mini", "gpt-4o", "text-embedding-3-small", "claude-sonnet-4-5", "claude-haiku-4-5"];

/// When every listed model was made, in seconds since the Unix epoch.
pub const MODELS_CREATED: i64 = 1_735_689_600;

/// A request that was understood far enough to be answered.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The parsed body.
    pub body: &'a serde_json::Value,
    /// How to misbehave.
    pub behave: &'a behave::Behave,
    /// Seconds since the Unix epoch.
    pub now: i64,
}

/// One thing written to the socket at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What is written.
    pub bytes: Bytes,
    /// All output tokens that the caller has seen once this is written.
    pub output_tokens: u64,
}

/// What the caller gets.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The provider's own id of the request, as its headers and its errors say it.
    pub request_id: String,
    /// Whether it is a stream of server-sent events; else one JSON body.
    pub streamed: bool,
    /// Whether the stream is one JSON array instead.
    pub array: bool,
    /// The body: one piece, or one for each event.
    pub pieces: Vec<Piece>,
    /// All input tokens, cached ones and cache writes included.
    pub input_tokens: u64,
    /// Part of them that came out of the prompt cache.
    pub cached_input_tokens: u64,
    /// Part of them that went into the prompt cache.
    pub cache_write_tokens: u64,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 200,
            request_id: format!("req_{}", random_text(24)),
            streamed: false,
            array: false,
            pieces: Vec::new(),
            input_tokens: 0,
            cached_input_tokens: 0,
            cache_write_tokens: 0,
        }
    }
}

impl Answer {
    /// A whole JSON answer that used no tokens: an error, a list.
    pub fn plain(status: u16, body: &serde_json::Value) -> Self {
        let bytes = Bytes::from(body.to_string());
        let pieces = vec![Piece { bytes, output_tokens: 0 }];
        Self { status, pieces, ..Self::default() }
    }
}

/// A random text of letters and digits, as in providers' ids.
pub(crate) fn random_text(len: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = vec![0u8; len];
    // Without entropy the ids would repeat, which harms nobody here.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|it| char::from(DIGITS[usize::from(*it) % 62])).collect()
}
