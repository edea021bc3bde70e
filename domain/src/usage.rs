//! What one request used, and who pays.

use crate::{
    catalog::{Dialect, Operation},
    id::{AccountId, KeyId, RequestId, TeamId},
    name::Name,
    time::Timestamp,
    tokens::Tokens,
};

/// How a request ended, as its caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The answer reached the caller whole.
    Complete,
    /// An answer that the upstream refused or failed was passed on, or all attempts failed.
    UpstreamError,
    /// The upstream broke off in the middle of its answer.
    Truncated,
    /// The caller went away before the end.
    CallerGone,
    /// The proxy stopped before the end.
    Interrupted,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Complete, Self::UpstreamError, Self::Truncated, Self::CallerGone, Self::Interrupted];

    /// The name in storage and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::UpstreamError => "upstream_error",
            Self::Truncated => "truncated",
            Self::CallerGone => "caller_gone",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One request that made at least one attempt. Settled once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The request; also sent to the upstream and to the caller as `x-request-id`.
    pub request: RequestId,
    /// When the request had been received.
    pub started_at: Timestamp,
    /// From then to the answer's last byte, in milliseconds.
    pub duration_ms: u64,
    /// From then to the first byte of content written to the caller, in milliseconds.
    pub ttft_ms: Option<u64>,
    /// Who asked.
    pub key: KeyId,
    /// The key's team at that time.
    pub team: Option<TeamId>,
    /// What the caller wrote in `model`.
    pub alias: String,
    /// The model asked last.
    pub model: String,
    /// The account asked last.
    pub account: AccountId,
    /// The provider of that account.
    pub provider: Name,
    /// What the caller spoke.
    pub dialect: Dialect,
    /// What was asked.
    pub operation: Operation,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// The HTTP status given to the caller.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What was used.
    pub tokens: Tokens,
    /// Whether `tokens` is partly a guess, because the upstream's own count did not reach us.
    pub estimated: bool,
    /// How many attempts were made.
    pub attempts: u32,
    /// The catalog revision that decided.
    pub revision: u64,
}
