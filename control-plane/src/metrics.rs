//! Every metric of the control plane, and nowhere else. Labels are closed sets.

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
