//! One line for each request, when it is over. No secrets, no bodies, no queries.

use crate::{explain::Record, http::refusal::Refusal, metrics::Metrics};
use domain::{
    catalog::{Dialect, Limit, Operation},
    fault::Fault,
    id::{KeyId, RequestId},
    usage::{Outcome, UsageRecord},
};
use http::StatusCode;
use std::{sync::Arc, time::Instant};

/// What is known of a request so far, for its line.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) request: RequestId,
    pub(crate) started: Instant,
    pub(crate) operation: Option<Operation>,
    pub(crate) key: Option<KeyId>,
    pub(crate) alias: Option<String>,
    /// The revision that decides, if callers may know it.
    pub(crate) revealed_revision: Option<u64>,
    /// The limits that the caller is subject to: its answer tells how they stand.
    pub(crate) limits: Vec<Arc<Limit>>,
    /// How it is decided, once there is something to decide.
    pub(crate) record: Option<Arc<Record>>,
}

impl Trace {
    pub(crate) const fn new(request: RequestId, started: Instant) -> Self {
        Self {
            request,
            started,
            operation: None,
            key: None,
            alias: None,
            revealed_revision: None,
            limits: Vec::new(),
            record: None,
        }
    }
}

/// A request that no upstream was asked for.
pub(crate) fn refused(metrics: &Metrics, trace: &Trace, dialect: Dialect, refusal: &Refusal) {
    let (status, fault) = (refusal.kind().status(dialect), refusal.fault());
    let duration = trace.started.elapsed();
    metrics.request(dialect, trace.operation, status, Some(fault), duration);
    let duration_ms = millis(duration.as_millis());
    let key = trace.key.map(tracing::field::display);
    let (request, status) = (trace.request, status.as_u16());
    let alias = trace.alias.as_deref();
    let limit = refusal.limit().map(tracing::field::display);
    if let Some(record) = &trace.record {
        record.ended(status);
    }
    if matches!(refusal, Refusal::Panicked) {
        tracing::error!(request_id = %request, "a request panicked");
    }
    tracing::info!(
        target: "access", request_id = %request, key, alias, status, outcome = "refused",
        limit, fault = %fault, duration_ms, "request"
    );
}

/// A request that we answered ourselves.
pub(crate) fn answered(metrics: &Metrics, trace: &Trace, dialect: Dialect) {
    let duration = trace.started.elapsed();
    metrics.request(dialect, trace.operation, StatusCode::OK, None, duration);
    tracing::info!(
        target: "access", request_id = %trace.request, key = trace.key.map(tracing::field::display),
        status = 200, outcome = Outcome::Complete.as_str(),
        duration_ms = millis(duration.as_millis()), "request"
    );
}

/// A request that made at least one attempt, as it was settled.
pub(crate) fn settled(record: &UsageRecord, account: &str, fault: Option<Fault>) {
    tracing::info!(
        target: "access",
        request_id = %record.request,
        key = %record.key,
        alias = record.alias,
        account,
        status = record.status,
        outcome = record.outcome.as_str(),
        fault = fault.map(Fault::as_str),
        duration_ms = record.duration_ms,
        ttft_ms = record.ttft_ms,
        input_tokens = record.tokens.input,
        output_tokens = record.tokens.output,
        estimated = record.estimated,
        attempts = record.attempts,
        "request"
    );
}

/// Milliseconds in 64 bits, which lasts 584 million years.
pub(crate) fn millis(ms: u128) -> u64 {
    u64::try_from(ms).unwrap_or(u64::MAX)
}
