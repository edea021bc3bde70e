//! How the proxy is doing, as it tells the control plane.

use super::usage::UsageQueue;
use proto::sync::v1::Heartbeat;
use std::{sync::Arc, time::Duration};

/// How often, when the control plane does not say.
const USUAL: Duration = Duration::from_secs(2);
/// Not more often, whatever it says.
const SHORTEST: Duration = Duration::from_millis(100);

/// What the gateway is doing now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that are being served.
    pub in_flight: u64,
    /// Requests that were served since the start.
    pub total: u64,
}

/// Asks the gateway for its load.
pub type LoadProbe = Arc<dyn Fn() -> Load + Send + Sync>;

/// A heartbeat of now.
pub(super) fn beat(load: Load, usage: &UsageQueue, applied_revision: u64) -> Heartbeat {
    Heartbeat {
        requests_in_flight: load.in_flight,
        requests_total: load.total,
        usage_pending: usage.pending(),
        applied_revision,
    }
}

/// How often to tell, from what a Welcome says.
pub(super) fn every(heartbeat_ms: u32) -> Duration {
    match heartbeat_ms {
        0 => USUAL,
        ms => Duration::from_millis(u64::from(ms)).max(SHORTEST),
    }
}
