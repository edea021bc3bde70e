//! What an operator may set for one proxy, and every bound that it keeps.
//!
//! Knows settings and their forms; opens nothing but the files that hold a token
//! or a certificate.

use domain::{
    key::{KeyKind, check_form},
    secret::Secret,
};
use runtime::settings::Settings;
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    thread,
};
use url::{Host, Url};

mod spec;

pub use spec::SPEC;

/// What one proxy runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where callers are served; port 0: any free one.
    pub data_addr: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub ops_addr: SocketAddr,
    /// The control plane's replicas, at least one: `https://…`, or `http://…` on loopback.
    pub control_urls: Vec<String>,
    /// A PEM file of the certificates that the control plane's must descend from;
    /// `None`: the public roots.
    pub control_ca: Option<PathBuf>,
    /// What the proxy shows to the control plane, and what seals its files.
    pub node_token: Secret,
    /// Where the proxy's identity and its cached snapshots lie.
    pub state_dir: PathBuf,
    /// Threads that serve callers.
    pub workers: usize,
    /// Bounds towards callers.
    pub http: HttpConfig,
    /// Most usage records that may wait to be acknowledged; at that, new requests are refused.
    pub usage_queue_max: u64,
    /// How old the configuration may get, in milliseconds since a control plane was
    /// last heard, before requests are refused; `None`: any age.
    pub max_config_age_ms: Option<u64>,
    /// How long a start waits for a predecessor to leave the state directory, in milliseconds.
    pub startup_wait_ms: u64,
}

/// Bounds towards callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpConfig {
    /// The largest request body.
    pub max_body_bytes: usize,
    /// The room for all request bodies at a time that do not come in one piece.
    pub max_buffered_bytes: usize,
    /// The largest request head.
    pub max_header_bytes: usize,
    /// Longest wait for a request's head, from the first byte on.
    pub header_timeout_ms: u64,
    /// Longest silence within a request's body.
    pub body_idle_timeout_ms: u64,
    /// Most connections at a time, over all workers.
    pub max_connections: usize,
    /// How long a caller may take nothing of its answer before it is given up.
    pub write_stall_timeout_ms: u64,
    /// How long an upstream is listened to for its usage after the caller went away.
    pub drain_after_disconnect_ms: u64,
    /// Most upstreams that are listened to in this way at a time.
    pub max_drains: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 33_554_432,
            max_buffered_bytes: 1 << 30,
            max_header_bytes: 65_536,
            header_timeout_ms: 10_000,
            body_idle_timeout_ms: 30_000,
            max_connections: 10_000,
            write_stall_timeout_ms: 120_000,
            drain_after_disconnect_ms: 2_000,
            max_drains: 64,
        }
    }
}

/// Reads [`Config`]; whatever is wrong is noted in `settings`, all of it.
pub fn parse(settings: &mut Settings) -> Option<Config> {
    // Every part is read before any is given up, so that all problems are told at once.
    let data_addr = settings.require("data-addr");
    let ops_addr = settings.require("ops-addr");
    let control_urls = control_urls(settings);
    let control_ca = control_ca(settings);
    let node_token = node_token(settings);
    let state_dir = settings.require("state-dir");
    let workers = workers(settings);
    let http = http(settings);
    let usage_queue_max = within(settings, "usage-queue-max", 1..=100_000_000);
    let max_config_age_ms: Option<u64> = settings.get("max-config-age-ms");
    if max_config_age_ms.is_some_and(|it| it < 1_000) {
        settings.problem("max-config-age-ms", "must be at least 1000 (one second)");
    }
    let startup_wait_ms = within(settings, "startup-wait-ms", 0..=3_600_000);
    Some(Config {
        data_addr: data_addr?,
        ops_addr: ops_addr?,
        control_urls: control_urls?,
        control_ca: control_ca?,
        node_token: node_token?,
        state_dir: state_dir?,
        workers: workers?,
        http: http?,
        usage_queue_max: usage_queue_max?,
        max_config_age_ms,
        startup_wait_ms: startup_wait_ms?,
    })
}

fn http(settings: &mut Settings) -> Option<HttpConfig> {
    const HOUR_MS: u64 = 3_600_000;
    let max_body_bytes = size(settings, "max-body-bytes", 1..=1 << 32);
    let max_buffered_bytes = size(settings, "max-buffered-bytes", 1 << 20..=1 << 40);
    let max_header_bytes = size(settings, "max-header-bytes", 8_192..=16 << 20);
    let header_timeout_ms = within(settings, "header-timeout-ms", 1..=HOUR_MS);
    let body_idle_timeout_ms = within(settings, "body-idle-timeout-ms", 1..=HOUR_MS);
    let max_connections = size(settings, "max-connections", 1..=1_000_000);
    let write_stall_timeout_ms = within(settings, "write-stall-timeout-ms", 1..=HOUR_MS);
    let drain_after_disconnect_ms = within(settings, "drain-after-disconnect-ms", 0..=HOUR_MS);
    let max_drains = size(settings, "max-drains", 0..=1_000_000);
    Some(HttpConfig {
        max_body_bytes: max_body_bytes?,
        max_buffered_bytes: max_buffered_bytes?,
        max_header_bytes: max_header_bytes?,
        header_timeout_ms: header_timeout_ms?,
        body_idle_timeout_ms: body_idle_timeout_ms?,
        max_connections: max_connections?,
        write_stall_timeout_ms: write_stall_timeout_ms?,
        drain_after_disconnect_ms: drain_after_disconnect_ms?,
        max_drains: max_drains?,
    })
}

fn workers(settings: &mut Settings) -> Option<usize> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    match settings.get::<String>("workers") {
        None => Some(cores.min(256)),
        Some(_) => size(settings, "workers", 1..=256),
    }
}

/// The URLs of the control plane's replicas. Credentials travel on them: in plain text only
/// on loopback.
fn control_urls(settings: &mut Settings) -> Option<Vec<String>> {
    let text: String = settings.require("control-url")?;
    let urls: Vec<_> = text.split(',').map(|it| it.trim().to_owned()).collect();
    match urls.iter().try_for_each(|it| check_control_url(it)) {
        Ok(()) => Some(urls),
        Err(why) => {
            settings.problem("control-url", why);
            None
        }
    }
}

fn check_control_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err("must be a scheme, a host and a port, and nothing else".to_owned());
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if on_loopback(&url) => Ok(()),
        "http" => Err("uses http:// beyond loopback, where provider credentials would travel \
                       in plain text: use https:// (the control plane's tls-cert, or tls-self-signed \
                       and control-ca here)"
            .to_owned()),
        other => Err(format!("starts with {other}://: use https:// (or http:// on loopback)")),
    }
}

fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// `Some(None)`: not set.
fn control_ca(settings: &mut Settings) -> Option<Option<PathBuf>> {
    let Some(path) = settings.get::<PathBuf>("control-ca") else { return Some(None) };
    match fs::read(&path) {
        Ok(_) => Some(Some(path)),
        Err(error) => {
            settings.problem("control-ca", unreadable(&path, &error));
            None
        }
    }
}

fn node_token(settings: &mut Settings) -> Option<Secret> {
    let (name, text) = if let Some(text) = settings.get::<String>("node-token") {
        ("node-token", text)
    } else if let Some(path) = settings.get::<PathBuf>("node-token-file") {
        match runtime::files::read_secret(&path) {
            Ok(text) => ("node-token-file", text),
            Err(error) => {
                settings.problem("node-token-file", error.to_string());
                return None;
            }
        }
    } else {
        settings.problem("node-token", "is missing: set it, or node-token-file (the control plane keeps the token in node.token of its home)");
        return None;
    };
    let text = Secret::new(text.trim().to_owned());
    match check_form(KeyKind::Proxy, text.expose()) {
        Ok(()) => Some(text),
        Err(error) => {
            settings.problem(name, error.to_string());
            None
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn size(
    settings: &mut Settings,
    name: &'static str,
    range: std::ops::RangeInclusive<u64>,
) -> Option<usize> {
    within(settings, name, range).and_then(|it| usize::try_from(it).ok())
}

fn within(
    settings: &mut Settings,
    name: &'static str,
    range: std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    let value: u64 = settings.require(name)?;
    if range.contains(&value) {
        return Some(value);
    }
    settings.problem(
        name,
        format!("is {value}: it must lie between {} and {}", range.start(), range.end()),
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::key::mint;

    #[test]
    fn plain_text_is_refused_beyond_loopback() {
        for text in ["http://10.0.0.1:7070", "http://control:7070", "http://localhost.evil.test"] {
            let why = check_control_url(text).unwrap_err();
            assert!(why.contains("https://"), "{text}: {why}");
        }
    }

    #[test]
    fn loopback_and_https_are_taken() {
        for text in [
            "http://127.0.0.1:7070",
            "http://localhost:7070/",
            "http://[::1]:7070",
            "https://control.example:7070",
        ] {
            assert_eq!(check_control_url(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_no_bare_address_is_refused() {
        for text in ["", "control:7070", "ftp://h", "https://u:p@h", "https://h/x", "https://h?q"] {
            assert!(check_control_url(text).is_err(), "{text}");
        }
    }

    fn read(args: &[&str], env: &[(&str, &str)]) -> (Option<Config>, String) {
        let mut settings = Settings::read(&SPEC, args.iter().map(Into::into), |name| {
            env.iter().find(|(it, _)| *it == name).map(|(_, value)| value.into())
        });
        let config = parse(&mut settings);
        let told = settings.problems().report(SPEC.program);
        (config, told)
    }

    #[test]
    fn defaults_and_a_token_are_enough() {
        let token = mint(KeyKind::Proxy, &[1; 32]);
        let (config, _) = read(&[], &[("SLUICE_NODE_TOKEN", token.expose())]);
        let config = config.unwrap();
        assert_eq!(config.http, HttpConfig::default());
        assert_eq!(config.usage_queue_max, 500_000);
        assert_eq!(config.max_config_age_ms, None);
        assert!(config.workers > 0);
    }

    #[test]
    fn replicas_of_the_control_plane_are_named_with_commas_between_and_each_is_checked() {
        let token = mint(KeyKind::Proxy, &[1; 32]);
        let env = [("SLUICE_NODE_TOKEN", token.expose())];
        let (config, _) = read(&["--control-url=https://a.test:1, http://[::1]:2"], &env);
        assert_eq!(config.unwrap().control_urls, ["https://a.test:1", "http://[::1]:2"]);
        let (config, told) = read(&["--control-url=https://a.test:1,http://b.test:2"], &env);
        assert!(config.is_none() && told.contains("control-url"), "{told}");
        assert!(read(&["--control-url=https://a.test:1,"], &env).0.is_none());
    }

    #[test]
    fn a_token_in_a_file_counts_and_is_checked_for_its_form() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let token = mint(KeyKind::Proxy, &[1; 32]);
        fs::write(path, format!("{}\n", token.expose())).unwrap();
        let (config, _) = read(&["--node-token-file", path], &[]);
        assert_eq!(config.unwrap().node_token, token);
        fs::write(path, "slc_jn_short").unwrap();
        let (config, told) = read(&["--node-token-file", path], &[]);
        assert!(config.is_none() && told.contains("node-token-file"), "{told}");
        assert!(!told.contains("slc_jn_short"), "{told}");
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let args = [
            "--data-addr=nowhere",
            "--control-url=http://control:7070",
            "--workers=0",
            "--max-body-bytes=0",
            "--max-config-age-ms=1",
            "--control-ca=/does/not/exist",
        ];
        let (config, told) = read(&args, &[]);
        assert!(config.is_none());
        for name in [
            "data-addr",
            "control-url",
            "workers",
            "max-body-bytes",
            "max-config-age-ms",
            "control-ca",
            "node-token",
        ] {
            assert!(told.contains(name), "{name} is missing: {told}");
        }
    }
}
