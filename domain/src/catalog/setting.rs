//! Switches of the whole installation.

/// Settings that every proxy follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Most attempts that one request may make, over all its targets: 1 to 20.
    pub max_attempts: u32,
    /// No new attempt starts later than this after the request came, in milliseconds.
    pub attempt_deadline_ms: u32,
    /// Whether answers carry the `x-sluice-*` headers (account, attempts, revision).
    pub reveal_route: bool,
    /// What limits reserve for the output of a request that says no maximum, where its
    /// model's is not known either, in tokens: 1 to 10,000,000.
    pub default_output_tokens: u64,
    /// For how many proxies limits in availability mode set a share aside: 1 to 1,000.
    pub fallback_proxies: u32,
    /// Whether proxies fetch a picture or a file at an address where a provider reads none.
    pub fetch_addresses: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            attempt_deadline_ms: 60_000,
            reveal_route: true,
            default_output_tokens: 4_096,
            fallback_proxies: 16,
            fetch_addresses: false,
        }
    }
}
