//! The registry of metrics and its text form. Knows no metric but the process's own.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{Failure, Process};

/// Upper bounds, in seconds, of the buckets of every histogram named `…_seconds`:
/// from what we add to a call to what a long answer takes.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// The metrics of this process, readable as text.
#[derive(Clone)]
pub struct MetricsHandle {
    registry: Arc<PrometheusHandle>,
    supplement: Arc<Mutex<String>>,
}

impl MetricsHandle {
    /// Every metric in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        note_process();
        let mut text = self.registry.render();
        text.push_str(&self.supplement.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }

    /// Puts `text` behind all metrics, in place of what stood there: what a registry cannot
    /// hold, since it forgets nothing.
    pub fn supplement(&self, text: String) {
        *self.supplement.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn of(registry: PrometheusHandle) -> Self {
        Self { registry: Arc::new(registry), supplement: Arc::default() }
    }
}

/// A registry that nothing writes to: for tests and tools.
impl Default for MetricsHandle {
    fn default() -> Self {
        Self::of(PrometheusBuilder::new().build_recorder().handle())
    }
}

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsHandle")
    }
}

/// Makes the macros of the `metrics` crate write to this process's registry.
pub(crate) fn install() -> Result<MetricsHandle, Failure> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()?;
    metrics::describe_gauge!("process_resident_memory_bytes", "Memory in use, bytes.");
    metrics::describe_gauge!("process_open_fds", "Open file descriptors.");
    Ok(MetricsHandle::of(handle))
}

/// Folds collected samples in the background: without it histograms grow without bound.
pub(crate) fn keep_up(process: &Process, every: Duration) {
    let handle = process.metrics.clone();
    process.tasks.spawn_until_exit("metrics upkeep", async move {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            handle.registry.run_upkeep();
        }
    });
}

/// What the system says about this process; where it says nothing (no `/proc`), nothing.
fn note_process() {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
        if let Some(kib) = kib {
            metrics::gauge!("process_resident_memory_bytes").set(kib * 1024.0);
        }
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // Counting opens one itself. Below 2^32 an f64 is exact.
        let count = u32::try_from(open.count().saturating_sub(1)).unwrap_or(u32::MAX);
        metrics::gauge!("process_open_fds").set(f64::from(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_buckets_and_everything_is_rendered() {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .unwrap()
            .build_recorder();
        let handle = MetricsHandle::of(recorder.handle());
        let text = metrics::with_local_recorder(&recorder, || {
            metrics::counter!("turns_total", "wheel" => "left").increment(2);
            metrics::histogram!("turn_seconds").record(0.02);
            handle.supplement("more 1\n".to_owned());
            handle.supplement("other 1\n".to_owned());
            handle.render()
        });
        assert!(text.ends_with("other 1\n") && !text.contains("more"), "{text}");
        assert!(text.contains("turns_total{wheel=\"left\"} 2"), "{text}");
        assert!(text.contains("turn_seconds_bucket{le=\"0.025\"} 1"), "{text}");
    }
}
