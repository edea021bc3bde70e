//! One credentialed seat at a provider.

use super::Dialect;
use crate::{id::AccountId, name::Name, secret::Secret};

/// An account's own address for one dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// What is spoken there.
    pub dialect: Dialect,
    /// An `http(s)` URL up to where the operation's path starts.
    pub url: String,
}

/// How a proxy's HTTP client speaks to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// Longest wait for a connection, in milliseconds.
    pub connect_timeout_ms: u32,
    /// Longest wait from the request's last byte to the answer's headers, in milliseconds.
    pub first_byte_timeout_ms: u32,
    /// Longest silence within an answer, in milliseconds.
    pub idle_timeout_ms: u32,
    /// `http://`, `https://` or `socks5://` proxy, with credentials if it wants them.
    pub proxy: Option<Secret>,
    /// Headers added to every request; never authentication.
    pub extra_headers: Vec<(String, String)>,
    /// Whether a streamed OpenAI request is made to report its usage when the caller
    /// did not ask for it. Without, such streams are metered by estimate.
    pub ask_stream_usage: bool,
    /// Whether a request that says no maximum of output tokens is left so, though a
    /// limit has to reserve one. The provider may then exceed what was reserved.
    pub keep_output_open: bool,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            first_byte_timeout_ms: 120_000,
            idle_timeout_ms: 60_000,
            proxy: None,
            extra_headers: Vec::new(),
            ask_stream_usage: true,
            keep_output_open: false,
        }
    }
}

/// One credentialed seat at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its identity, kept for life.
    pub id: AccountId,
    /// Its name, unique among accounts.
    pub name: Name,
    /// Whose seat it is.
    pub provider: Name,
    /// The provider's secret; `None` only where the provider wants none.
    pub credential: Option<Secret>,
    /// Addresses that replace the provider's own.
    pub base_urls: Vec<BaseUrl>,
    /// Whether requests may go to it.
    pub enabled: bool,
    /// How it is spoken to.
    pub client: ClientSettings,
}
