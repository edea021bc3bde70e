//! The demo provider's settings.

use runtime::settings::{Setting, Settings, Spec};
use std::net::SocketAddr;

/// The program and what it can be told.
pub const SPEC: Spec = Spec {
    program: "sluice-demo-provider",
    about: "A provider that costs nothing: speaks OpenAI, Anthropic and Google, and misbehaves when told to.",
    settings: &[Setting::new(
        "listen-addr",
        "SLUICE_DEMO_ADDR",
        "Where to listen; port 0 takes any free one.",
    )
    .or("127.0.0.1:9090")],
};

/// The settings, parsed.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Where to listen.
    pub listen_addr: SocketAddr,
}

/// Reads the settings; what is wrong is kept in them as problems.
pub fn parse(settings: &mut Settings) -> Option<Config> {
    let listen_addr = settings.require::<SocketAddr>("listen-addr")?;
    if !listen_addr.ip().is_loopback() {
        settings.problem(
            "listen-addr",
            "must be a loopback address: anyone may use and reset this server",
        );
    }
    Some(Config { listen_addr })
}
