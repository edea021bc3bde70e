//! Every metric of the control plane, and nowhere else. Labels are closed sets.

use domain::{limit::message::Why, time::Timestamp};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

/// Says what each metric means.
pub(crate) fn describe() {
    describe_gauge!("sluice_control_revision", "The newest published revision of the catalog");
    describe_gauge!("sluice_control_database_ok", "1 while the database answers, else 0");
    describe_gauge!("sluice_control_proxies_connected", "Proxies whose stream is open");
    describe_gauge!("sluice_control_connections", "Open connections of the control port");
    describe_counter!("sluice_control_requests_total", "Calls by service, refused ones included");
    describe_counter!("sluice_control_refused_total", "Calls refused for their token, by why");
    describe_counter!("sluice_control_config_full_total", "Whole catalogs sent to proxies");
    describe_counter!("sluice_control_config_delta_total", "Differences sent to proxies");
    describe_counter!("sluice_control_config_rejected_total", "Revisions that proxies rejected");
    describe_counter!("sluice_control_usage_records_total", "Usage records written");
    describe_counter!("sluice_control_usage_retries_total", "Failed writes of usage records");
    describe_histogram!(
        "sluice_control_usage_write_seconds",
        "Time of one write of usage records, in seconds"
    );
    describe_limits();
}

fn describe_limits() {
    describe_gauge!(
        "sluice_control_lender_leads",
        "1 while this control plane lends limits, else 0"
    );
    describe_gauge!("sluice_control_lender_epoch", "The count of leaders, while this one leads");
    describe_gauge!(
        "sluice_control_lender_since_seconds",
        "Since when this control plane leads, in seconds since the Unix epoch; 0: it does not"
    );
    describe_gauge!(
        "sluice_control_lender_learning",
        "1 while a new leader learns what was lent before it, else 0"
    );
    describe_gauge!(
        "sluice_control_limits_active",
        "Limits of which something is or was lent of late"
    );
    describe_gauge!("sluice_control_limits_switched", "Limits beyond their switch threshold");
    describe_gauge!("sluice_control_limit_leases", "Leases of rates and seats that proxies hold");
    describe_gauge!(
        "sluice_control_limit_chunks",
        "Chunks of windows and grants that proxies hold"
    );
    describe_gauge!(
        "sluice_control_limit_over_milli",
        "Let through beyond what limits promise, in thousandths of their units, summed up; should be 0"
    );
    describe_counter!("sluice_control_limit_grants_total", "Answers about a limit sent to proxies");
    describe_counter!(
        "sluice_control_limit_messages_total",
        "Messages about limits from proxies and to them, by way"
    );
    describe_counter!("sluice_control_limit_denied_total", "Those that gave nothing, by why");
    describe_counter!(
        "sluice_control_limit_grants_dropped_total",
        "Messages to proxies that read too slowly or are gone"
    );
    describe_counter!(
        "sluice_control_limit_window_failures_total",
        "Orders on windows' rows that the database did not carry out"
    );
}

/// Sums over all limits that are in use.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    pub(crate) limits: usize,
    pub(crate) leases: usize,
    pub(crate) chunks: usize,
    pub(crate) switched: usize,
    pub(crate) over_milli: u64,
    pub(crate) learning: bool,
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
pub(crate) fn lent(sums: &Lent) {
    gauge!("sluice_control_limits_active").set(sums.limits as f64);
    gauge!("sluice_control_limits_switched").set(sums.switched as f64);
    gauge!("sluice_control_limit_leases").set(sums.leases as f64);
    gauge!("sluice_control_limit_chunks").set(sums.chunks as f64);
    gauge!("sluice_control_limit_over_milli").set(sums.over_milli as f64);
    gauge!("sluice_control_lender_learning").set(if sums.learning { 1.0 } else { 0.0 });
}

/// This control plane leads, by its epoch and since when; or it does not.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
pub(crate) fn leading(term: Option<(u64, Timestamp)>) {
    gauge!("sluice_control_lender_leads").set(if term.is_some() { 1.0 } else { 0.0 });
    let (epoch, since) = term.map_or((0, 0), |(epoch, since)| (epoch, since.unix_ms()));
    gauge!("sluice_control_lender_epoch").set(epoch as f64);
    gauge!("sluice_control_lender_since_seconds").set(since as f64 / 1_000.0);
    if term.is_none() {
        lent(&Lent::default());
    }
}

pub(crate) fn sync_heard() {
    counter!("sluice_control_limit_messages_total", "way" => "in").increment(1);
}

pub(crate) fn grants_sent(answers: usize) {
    counter!("sluice_control_limit_messages_total", "way" => "out").increment(1);
    counter!("sluice_control_limit_grants_total").increment(answers as u64);
}

pub(crate) fn limit_denied(why: Why) {
    let why = match why {
        Why::Exhausted => "exhausted",
        Why::Moving => "moving",
        Why::Learning => "learning",
        Why::Unknown => "unknown",
        Why::Unavailable => "unavailable",
    };
    counter!("sluice_control_limit_denied_total", "why" => why).increment(1);
}

pub(crate) fn grants_dropped() {
    counter!("sluice_control_limit_grants_dropped_total").increment(1);
}

pub(crate) fn window_orders_failed(orders: usize) {
    counter!("sluice_control_limit_window_failures_total").increment(orders as u64);
}

pub(crate) fn revision(revision: u64) {
    // Exact up to 2^53, which no catalog will see.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    gauge!("sluice_control_revision").set(revision as f64);
}

pub(crate) fn database_ok(ok: bool) {
    gauge!("sluice_control_database_ok").set(if ok { 1.0 } else { 0.0 });
}

pub(crate) fn proxies_connected(count: usize) {
    gauge!("sluice_control_proxies_connected")
        .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// Counts a connection as open until it is dropped.
pub(crate) struct OpenConnection(());

impl OpenConnection {
    pub(crate) fn new() -> Self {
        gauge!("sluice_control_connections").increment(1.0);
        Self(())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        gauge!("sluice_control_connections").decrement(1.0);
    }
}

pub(crate) fn request(service: &'static str) {
    counter!("sluice_control_requests_total", "service" => service).increment(1);
}

pub(crate) fn refused(why: &'static str) {
    counter!("sluice_control_refused_total", "why" => why).increment(1);
}

pub(crate) fn config_sent(whole: bool) {
    if whole {
        counter!("sluice_control_config_full_total").increment(1);
    } else {
        counter!("sluice_control_config_delta_total").increment(1);
    }
}

pub(crate) fn config_rejected() {
    counter!("sluice_control_config_rejected_total").increment(1);
}

pub(crate) fn usage_written(records: usize, took: Duration) {
    counter!("sluice_control_usage_records_total").increment(records as u64);
    histogram!("sluice_control_usage_write_seconds").record(took);
}

pub(crate) fn usage_retried() {
    counter!("sluice_control_usage_retries_total").increment(1);
}
