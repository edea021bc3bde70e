//! The metrics of limits, over all of them: what one limit does is told by its leader.

use crate::meter::ShortWhy;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use std::time::Duration;

/// What the meter counts.
pub(crate) struct LimitMetrics {
    leases: Gauge,
    waiting: Gauge,
    waits: Histogram,
    would_refuse: Counter,
    fallbacks: Counter,
    unsettled: Counter,
    exhausted: Counter,
    moving: Counter,
    disconnected: Counter,
    unanswered: Counter,
    crowded: Counter,
    learning: Counter,
    unavailable: Counter,
    too_large: Counter,
}

impl LimitMetrics {
    /// Call it once the process's recorder is there.
    pub(crate) fn new() -> Self {
        describe();
        let refused = |why: &'static str| counter!("sluice_limit_refusals_total", "why" => why);
        Self {
            leases: gauge!("sluice_limit_leases"),
            waiting: gauge!("sluice_limit_waiting"),
            waits: histogram!("sluice_limit_wait_seconds"),
            would_refuse: counter!("sluice_limit_would_refuse_total"),
            fallbacks: counter!("sluice_limit_fallbacks_total"),
            unsettled: counter!("sluice_limit_unsettled_total"),
            exhausted: refused("exhausted"),
            moving: refused("moving"),
            disconnected: refused("disconnected"),
            unanswered: refused("unanswered"),
            crowded: refused("crowded"),
            learning: refused("learning"),
            unavailable: refused("unavailable"),
            too_large: refused("too_large"),
        }
    }

    /// So many limits are in use here.
    pub(crate) fn leases(&self, count: usize) {
        self.leases.set(count as f64);
    }

    /// So many more requests wait.
    pub(crate) fn waiting(&self, more: f64) {
        self.waiting.increment(more);
    }

    /// A request that what was held did not let through waited so long, whatever came of it.
    pub(crate) fn waited(&self, time: Duration) {
        self.waits.record(time);
    }

    /// A limit on trial would have refused a request.
    pub(crate) fn would_refuse(&self) {
        self.would_refuse.increment(1);
    }

    /// A request went on with what is set aside.
    pub(crate) fn fallback(&self) {
        self.fallbacks.increment(1);
    }

    /// A request ended without saying what it used.
    pub(crate) fn unsettled(&self) {
        self.unsettled.increment(1);
    }

    /// A limit did not let a request through.
    pub(crate) fn refused(&self, why: ShortWhy) {
        let counter = match why {
            ShortWhy::Exhausted => &self.exhausted,
            ShortWhy::Moving => &self.moving,
            ShortWhy::Disconnected => &self.disconnected,
            ShortWhy::Unanswered => &self.unanswered,
            ShortWhy::Crowded => &self.crowded,
            ShortWhy::Learning => &self.learning,
            ShortWhy::Unavailable => &self.unavailable,
            ShortWhy::TooLarge { .. } => &self.too_large,
        };
        counter.increment(1);
    }
}

fn describe() {
    describe_gauge!("sluice_limit_leases", "Limits of which this proxy holds a piece.");
    describe_gauge!("sluice_limit_waiting", "Requests that wait for a limit.");
    describe_histogram!(
        "sluice_limit_wait_seconds",
        "Wait of requests that what was held here did not let through at once."
    );
    describe_counter!(
        "sluice_limit_would_refuse_total",
        "Requests that limits on trial would have refused."
    );
    describe_counter!(
        "sluice_limit_fallbacks_total",
        "Requests that went on with what is set aside for a proxy that can ask nobody."
    );
    describe_counter!(
        "sluice_limit_unsettled_total",
        "Requests that ended without saying what they used: all they held counts as used."
    );
    describe_counter!("sluice_limit_refusals_total", "Limits that refused a request, by reason.");
}
