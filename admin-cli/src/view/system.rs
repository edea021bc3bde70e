//! The installation, as it is shown.

use proto::admin::v1;
use serde::Serialize;

use crate::{
    output::{self, Cell, Tone},
    spell,
};

/// The control plane and every proxy.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    server: String,
    control_plane: ControlPlaneView,
    proxies: Vec<ProxyView>,
}

#[derive(Debug, Serialize)]
struct ControlPlaneView {
    version: String,
    revision: u64,
    incarnation: String,
    started_at: Option<String>,
    database_ok: bool,
    database: String,
    #[serde(skip)]
    up_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ProxyView {
    id: String,
    address: String,
    version: String,
    state: &'static str,
    applied_revision: u64,
    defects: Vec<String>,
    since: Option<String>,
    seen_at: Option<String>,
    requests_in_flight: u64,
    requests_total: u64,
    usage_pending: u64,
    #[serde(skip)]
    seen_ms_ago: Option<i64>,
}

impl StatusView {
    /// What a server said, as of `now_ms`.
    pub(crate) fn new(server: String, wire: v1::GetStatusResponse, now_ms: i64) -> Self {
        let control = wire.control_plane.unwrap_or_default();
        let ago = |at: Option<&prost_types::Timestamp>| {
            at.and_then(spell::timestamp_ms).map(|it| now_ms - it)
        };
        let control_plane = ControlPlaneView {
            up_ms: ago(control.started_at.as_ref()),
            started_at: spell::rfc3339(control.started_at.as_ref()),
            version: control.version,
            revision: control.revision,
            incarnation: control.incarnation,
            database_ok: control.database_ok,
            database: control.database,
        };
        let proxy = |it: v1::ProxyStatus| ProxyView {
            state: match it.state() {
                v1::ProxyState::Connected => "connected",
                v1::ProxyState::Gone => "gone",
                v1::ProxyState::Unspecified => "unknown",
            },
            since: spell::rfc3339(it.since.as_ref()),
            seen_at: spell::rfc3339(it.seen_at.as_ref()),
            seen_ms_ago: ago(it.seen_at.as_ref()),
            id: it.id,
            address: it.address,
            version: it.version,
            applied_revision: it.applied_revision,
            defects: it.defects,
            requests_in_flight: it.requests_in_flight,
            requests_total: it.requests_total,
            usage_pending: it.usage_pending,
        };
        Self { server, control_plane, proxies: wire.proxies.into_iter().map(proxy).collect() }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let control = &self.control_plane;
        let up = control.up_ms.map(|it| format!(", up {}", spell::age(it))).unwrap_or_default();
        let database = if control.database_ok { "database ok" } else { "DATABASE AWAY" };
        let mut text = format!(
            "control plane  {}  version {}{up}, revision {}, {} {database}\n\n",
            self.server, control.version, control.revision, control.database
        );
        if self.proxies.is_empty() {
            text.push_str("No proxy has connected since the control plane started.\n");
            return text;
        }
        let rows = self.proxies.iter().map(|it| it.row(control.revision)).collect();
        text.push_str(&output::table(
            &[
                "PROXY",
                "ADDRESS",
                "STATE",
                "VERSION",
                "REVISION",
                "SEEN",
                "IN FLIGHT",
                "SERVED",
                "USAGE PENDING",
            ],
            rows,
        ));
        for it in self.proxies.iter().filter(|it| !it.defects.is_empty()) {
            text.push_str(&format!("\n{} rejected a newer revision:\n", it.id));
            text.extend(it.defects.iter().map(|defect| format!("  {defect}\n")));
        }
        text
    }
}

impl ProxyView {
    fn row(&self, newest: u64) -> Vec<Cell> {
        let revision = format!("{}/{newest}", self.applied_revision);
        let tone = if self.applied_revision < newest { Tone::Bad } else { Tone::Good };
        let state = if self.state == "connected" { Tone::Good } else { Tone::Bad };
        vec![
            Cell::text(&self.id),
            Cell::text(&self.address),
            Cell::toned(self.state, state),
            Cell::text(&self.version),
            Cell::toned(revision, tone),
            Cell::text(
                self.seen_ms_ago.map(|it| format!("{} ago", spell::age(it))).unwrap_or_default(),
            ),
            Cell::number(self.requests_in_flight),
            Cell::number(self.requests_total),
            Cell::number(self.usage_pending),
        ]
    }
}
