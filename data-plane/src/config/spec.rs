//! The names, environment variables and defaults of a proxy's settings.

use runtime::settings::{Setting, Spec};

/// Every setting of the program.
pub static SPEC: Spec = Spec {
    program: "sluice-data-plane",
    about: "Serves callers from the configuration that the control plane publishes.",
    settings: &[
        Setting::new(
            "data-addr",
            "SLUICE_DATA_ADDR",
            "Where callers are served; port 0: any free one.",
        )
        .or("127.0.0.1:8080"),
        Setting::new(
            "ops-addr",
            "SLUICE_DATA_OPS_ADDR",
            "Where /livez, /readyz and /metrics are served.",
        )
        .or("127.0.0.1:8081"),
        Setting::new(
            "control-url",
            "SLUICE_CONTROL_URL",
            "The control plane, or its replicas with commas between; http:// only on loopback.",
        )
        .or("http://127.0.0.1:7070"),
        Setting::new(
            "control-ca",
            "SLUICE_CONTROL_CA",
            "PEM file of the certificates to trust for it; not set: the public roots.",
        ),
        Setting::new(
            "node-token",
            "SLUICE_NODE_TOKEN",
            "What the proxy shows to the control plane, slc_jn_…; also seals its files.",
        )
        .secret(),
        Setting::new(
            "node-token-file",
            "SLUICE_NODE_TOKEN_FILE",
            "A file that holds the node token, used when node-token is not set.",
        ),
        Setting::new(
            "state-dir",
            "SLUICE_STATE_DIR",
            "Where the proxy's identity and its cached snapshots lie; one proxy a directory.",
        )
        .or("./.sluice/proxy"),
        Setting::new(
            "workers",
            "SLUICE_WORKERS",
            "Threads that serve callers; not set: one a core.",
        ),
        Setting::new("max-body-bytes", "SLUICE_MAX_BODY_BYTES", "The largest request body.")
            .or("33554432"),
        Setting::new(
            "max-buffered-bytes",
            "SLUICE_MAX_BUFFERED_BYTES",
            "The room for all request bodies together; beyond it large ones are refused.",
        )
        .or("1073741824"),
        Setting::new("max-header-bytes", "SLUICE_MAX_HEADER_BYTES", "The largest request head.")
            .or("65536"),
        Setting::new(
            "header-timeout-ms",
            "SLUICE_HEADER_TIMEOUT_MS",
            "Longest wait for a request's head.",
        )
        .or("10000"),
        Setting::new(
            "body-idle-timeout-ms",
            "SLUICE_BODY_IDLE_TIMEOUT_MS",
            "Longest silence within a request's body.",
        )
        .or("30000"),
        Setting::new(
            "max-connections",
            "SLUICE_MAX_CONNECTIONS",
            "Most connections of callers at a time.",
        )
        .or("10000"),
        Setting::new(
            "write-stall-timeout-ms",
            "SLUICE_WRITE_STALL_TIMEOUT_MS",
            "How long a caller may take nothing of its answer.",
        )
        .or("120000"),
        Setting::new(
            "drain-after-disconnect-ms",
            "SLUICE_DRAIN_AFTER_DISCONNECT_MS",
            "How long an upstream is heard for its usage after its caller went away.",
        )
        .or("2000"),
        Setting::new(
            "max-drains",
            "SLUICE_MAX_DRAINS",
            "Most upstreams that are heard in this way at a time.",
        )
        .or("64"),
        Setting::new(
            "usage-queue-max",
            "SLUICE_USAGE_QUEUE_MAX",
            "Most usage records that may wait for the control plane; then requests are refused.",
        )
        .or("500000"),
        Setting::new(
            "max-config-age-ms",
            "SLUICE_MAX_CONFIG_AGE_MS",
            "Refuse requests when no control plane was heard for longer; not set: never.",
        ),
        Setting::new(
            "startup-wait-ms",
            "SLUICE_STARTUP_WAIT_MS",
            "Longest wait for a predecessor to leave the state directory.",
        )
        .or("5000"),
    ],
};
