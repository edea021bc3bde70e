//! Every metric of the request path, and nothing else names one.
//!
//! Handles are made once for each set of labels. Labels are closed enums and account
//! names; never keys, models, or what a caller wrote.

pub(crate) mod limits;

use crate::upstream::NotFetched;
use domain::{
    catalog::{Dialect, Operation},
    fault::Fault,
    routing::Failure,
};
use http::StatusCode;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use std::{array, sync::OnceLock, time::Duration};

const DIALECTS: usize = Dialect::ALL.len();
/// Each operation, and what is none of them.
const OPERATIONS: usize = Operation::ALL.len() + 1;
/// 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Nobody's, caller, limit, upstream, ours.
const FAULTS: usize = 5;

/// The metrics that all workers write to.
pub(crate) struct Metrics {
    pub(crate) in_flight: Gauge,
    pub(crate) overhead: Histogram,
    connections: Gauge,
    usage_pending: Gauge,
    requests: [[[[OnceLock<Counter>; FAULTS]; CLASSES.len()]; OPERATIONS]; DIALECTS],
    seconds: [[OnceLock<Histogram>; OPERATIONS]; DIALECTS],
    ttft: [OnceLock<Histogram>; DIALECTS],
}

impl Metrics {
    /// Call it once the process's recorder is there.
    pub(crate) fn new() -> Self {
        describe();
        Self {
            in_flight: gauge!("sluice_in_flight"),
            overhead: histogram!("sluice_overhead_seconds"),
            connections: gauge!("sluice_connections"),
            usage_pending: gauge!("sluice_usage_pending"),
            requests: array::from_fn(|_| {
                array::from_fn(|_| array::from_fn(|_| array::from_fn(|_| OnceLock::new())))
            }),
            seconds: array::from_fn(|_| array::from_fn(|_| OnceLock::new())),
            ttft: array::from_fn(|_| OnceLock::new()),
        }
    }

    /// One request that has been answered, or given up.
    pub(crate) fn request(
        &self,
        dialect: Dialect,
        operation: Option<Operation>,
        status: StatusCode,
        fault: Option<Fault>,
        duration: Duration,
    ) {
        let (d, o) = (at_dialect(dialect), at_operation(operation));
        let class = usize::from(status.as_u16() / 100).saturating_sub(1).min(CLASSES.len() - 1);
        let name = operation.map_or("other", Operation::as_str);
        if let Some(cell) = self.requests[d][o].get(class).and_then(|it| it.get(at_fault(fault))) {
            let make = || {
                counter!(
                    "sluice_requests_total",
                    "dialect" => dialect.as_str(),
                    "operation" => name,
                    "status_class" => CLASSES.get(class).copied().unwrap_or("5xx"),
                    "fault" => fault.map_or("none", Fault::as_str),
                )
            };
            cell.get_or_init(make).increment(1);
        }
        let make = || {
            histogram!(
                "sluice_request_seconds",
                "dialect" => dialect.as_str(),
                "operation" => name,
            )
        };
        self.seconds[d][o].get_or_init(make).record(duration);
    }

    /// The first content of an answer went to the caller, so long after the request had come.
    pub(crate) fn first_content(&self, dialect: Dialect, after: Duration) {
        let make = || histogram!("sluice_ttft_seconds", "dialect" => dialect.as_str());
        self.ttft[at_dialect(dialect)].get_or_init(make).record(after);
    }

    /// How many usage records are not acknowledged.
    pub(crate) fn usage_pending(&self, records: u64) {
        // Exact below 2^53, which no queue reaches.
        self.usage_pending.set(records as f64);
    }

    /// Counts a connection for as long as the result lives.
    pub(crate) fn connection(&self) -> Open {
        self.connections.increment(1.0);
        Open(self.connections.clone())
    }
}

/// A connection that is counted.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// How often attempts at one account ended in which way.
pub(crate) struct Attempts {
    begun: Counter,
    connect: Counter,
    timeout: Counter,
    broken: Counter,
    redirected: Counter,
    rejected: Counter,
    limited: Counter,
    failed: Counter,
}

impl Attempts {
    pub(crate) fn at(account: &str) -> Self {
        let of = |result: &'static str| counter!("sluice_attempts_total", "account" => account.to_owned(), "result" => result);
        Self {
            begun: of("begun"),
            connect: of("connect"),
            timeout: of("first_byte_timeout"),
            broken: of("broken"),
            redirected: of("status_3xx"),
            rejected: of("status_4xx"),
            limited: of("status_429"),
            failed: of("status_5xx"),
        }
    }

    /// An answer began.
    pub(crate) fn begun(&self) {
        self.begun.increment(1);
    }

    /// None did.
    pub(crate) fn failed(&self, failure: Failure) {
        let counter = match failure {
            Failure::Connect => &self.connect,
            Failure::FirstByteTimeout => &self.timeout,
            Failure::Broken => &self.broken,
            Failure::Status(429) => &self.limited,
            Failure::Status(..400) => &self.redirected,
            Failure::Status(400..500) => &self.rejected,
            Failure::Status(500..) => &self.failed,
        };
        counter.increment(1);
    }
}

/// How often fetching what is at a caller's address ended in which way.
pub(crate) struct Fetches {
    fetched: Counter,
    form: Counter,
    unreachable: Counter,
    late: Counter,
    status: Counter,
    redirects: Counter,
    kind: Counter,
    too_large: Counter,
    no_room: Counter,
}

impl Fetches {
    pub(crate) fn new() -> Self {
        let of = |outcome: &'static str| counter!("sluice_fetches_total", "outcome" => outcome);
        Self {
            fetched: of("fetched"),
            form: of("not_https"),
            unreachable: of("unreachable"),
            late: of("timeout"),
            status: of("status"),
            redirects: of("redirects"),
            kind: of("media_type"),
            too_large: of("too_large"),
            no_room: of("no_room"),
        }
    }

    /// One address was fetched, or why not.
    pub(crate) fn ended(&self, why_not: Option<NotFetched>) {
        let counter = match why_not {
            None => &self.fetched,
            Some(NotFetched::Form) => &self.form,
            Some(NotFetched::Unreachable) => &self.unreachable,
            Some(NotFetched::Late) => &self.late,
            Some(NotFetched::Status(_)) => &self.status,
            Some(NotFetched::Redirects) => &self.redirects,
            Some(NotFetched::Kind) => &self.kind,
            Some(NotFetched::TooLarge { .. } | NotFetched::TooMuch { .. }) => &self.too_large,
            Some(NotFetched::NoRoom) => &self.no_room,
        };
        counter.increment(1);
    }
}

const fn at_dialect(dialect: Dialect) -> usize {
    match dialect {
        Dialect::OpenAi => 0,
        Dialect::OpenAiResponses => 1,
        Dialect::Anthropic => 2,
        Dialect::Gemini => 3,
        Dialect::Bedrock => 4,
    }
}

const fn at_operation(operation: Option<Operation>) -> usize {
    match operation {
        Some(Operation::Chat) => 0,
        Some(Operation::Completions) => 1,
        Some(Operation::Embeddings) => 2,
        Some(Operation::CountTokens) => 3,
        None => Operation::ALL.len(),
    }
}

const fn at_fault(fault: Option<Fault>) -> usize {
    match fault {
        None => 0,
        Some(Fault::Caller) => 1,
        Some(Fault::Limit) => 2,
        Some(Fault::Upstream) => 3,
        Some(Fault::Ours) => 4,
    }
}

fn describe() {
    describe_counter!("sluice_requests_total", "Requests that were answered or given up.");
    describe_histogram!(
        "sluice_request_seconds",
        "From the request's arrival to the last byte of its answer."
    );
    describe_histogram!(
        "sluice_ttft_seconds",
        "From the whole request to the first content of its answer."
    );
    describe_histogram!(
        "sluice_overhead_seconds",
        "From the whole request to the head of its answer, without the wait for upstreams."
    );
    describe_counter!("sluice_attempts_total", "Tries at an account, by how they ended.");
    describe_counter!(
        "sluice_fetches_total",
        "Addresses that were fetched for a provider that reads none, by how that ended."
    );
    describe_gauge!("sluice_in_flight", "Requests that are being answered.");
    describe_gauge!("sluice_usage_pending", "Usage records that are not acknowledged.");
    describe_gauge!("sluice_connections", "Open connections of callers.");
}
