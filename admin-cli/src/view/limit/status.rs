//! How limits are doing, as it is shown.

use proto::admin::v1;
use serde::Serialize;

use super::LimitView;
use crate::{
    limit,
    output::{self, Cell, Tone, thousands},
    spell,
};

/// Who lends, and how every limit is doing.
#[derive(Debug, Serialize)]
pub(crate) struct LimitStatusesView {
    leader: LeaderView,
    statuses: Vec<LimitStatusView>,
    #[serde(skip)]
    now_ms: i64,
}

#[derive(Debug, Serialize)]
struct LeaderView {
    address: String,
    epoch: u64,
    since: Option<String>,
    learning: bool,
    database_ok: bool,
    #[serde(skip)]
    since_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
struct LimitStatusView {
    limit: LimitView,
    granted_milli: u64,
    used_milli: u64,
    reserved_milli: u64,
    free_milli: u64,
    used_ppm: u32,
    denied: u64,
    over_milli: u64,
    window_ends_at: Option<String>,
    leases: Vec<LeaseView>,
    switched: bool,
    warned: bool,
    #[serde(skip)]
    ends_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
struct LeaseView {
    proxy: String,
    address: String,
    level_milli: i64,
    reserved_milli: u64,
    rate_milli_per_s: u64,
    expires_ms: u64,
    spent_milli: u64,
    denied: u64,
}

impl From<v1::LimitLease> for LeaseView {
    fn from(wire: v1::LimitLease) -> Self {
        let v1::LimitLease {
            proxy,
            address,
            level_milli,
            reserved_milli,
            rate_milli_per_s,
            expires_ms,
            spent_milli,
            denied,
        } = wire;
        Self {
            proxy,
            address,
            level_milli,
            reserved_milli,
            rate_milli_per_s,
            expires_ms,
            spent_milli,
            denied,
        }
    }
}

impl From<v1::LimitLeader> for LeaderView {
    fn from(wire: v1::LimitLeader) -> Self {
        Self {
            since: spell::rfc3339(wire.since.as_ref()),
            since_ms: wire.since.as_ref().and_then(spell::timestamp_ms),
            address: wire.address,
            epoch: wire.epoch,
            learning: wire.learning,
            database_ok: wire.database_ok,
        }
    }
}

impl From<v1::LimitStatus> for LimitStatusView {
    fn from(wire: v1::LimitStatus) -> Self {
        Self {
            window_ends_at: spell::rfc3339(wire.window_ends_at.as_ref()),
            ends_ms: wire.window_ends_at.as_ref().and_then(spell::timestamp_ms),
            limit: wire.limit.unwrap_or_default().into(),
            granted_milli: wire.granted_milli,
            used_milli: wire.used_milli,
            reserved_milli: wire.reserved_milli,
            free_milli: wire.free_milli,
            used_ppm: wire.used_ppm,
            denied: wire.denied,
            over_milli: wire.over_milli,
            leases: wire.leases.into_iter().map(LeaseView::from).collect(),
            switched: wire.switched,
            warned: wire.warned,
        }
    }
}

const COLUMNS: [&str; 10] =
    ["SUBJECT", "LIMIT", "USED", "RESERVED", "FREE", "LENT", "DENIED", "PROXIES", "OVER", "ENDS"];

const LEASE_COLUMNS: [&str; 9] =
    ["SUBJECT", "LIMIT", "PROXY", "LEVEL", "RESERVED", "PER SECOND", "SPENT", "DENIED", "LEFT"];

impl LimitStatusesView {
    /// What a server said, as of `now_ms`.
    pub(crate) fn new(
        leader: Option<v1::LimitLeader>,
        statuses: Vec<v1::LimitStatus>,
        now_ms: i64,
    ) -> Self {
        let statuses = statuses.into_iter().map(LimitStatusView::from).collect();
        Self { leader: leader.unwrap_or_default().into(), statuses, now_ms }
    }

    /// For people; with what each proxy holds.
    pub(crate) fn text(&self, leases: Leases) -> String {
        let mut text = self.leader.text(self.now_ms);
        if self.statuses.is_empty() {
            text.push_str("\nNo limit is in use. `--all` shows those that nobody uses, too.\n");
            return text;
        }
        let rows = self.statuses.iter().map(|it| it.row(self.now_ms)).collect();
        text.push('\n');
        text.push_str(&output::table(&COLUMNS, rows));
        if leases == Leases::Shown {
            let rows: Vec<_> = self.statuses.iter().flat_map(LimitStatusView::leases).collect();
            text.push_str(&match rows.is_empty() {
                true => "\nNo proxy holds anything.\n".to_owned(),
                false => format!("\n{}", output::table(&LEASE_COLUMNS, rows)),
            });
        }
        text
    }

    /// For logs: a line for each limit.
    pub(crate) fn lines(&self) -> String {
        let now = spell::timestamp(domain::time::Timestamp::from_unix_ms(self.now_ms));
        let now = spell::rfc3339(Some(&now)).unwrap_or_default();
        let mut text = String::new();
        for it in &self.statuses {
            text.push_str(&format!("{now}  {}\n", it.line()));
        }
        if self.leader.address.is_empty() || self.leader.learning || self.statuses.is_empty() {
            text.push_str(&format!("{now}  {}", self.leader.text(self.now_ms)));
        }
        text
    }
}

/// Whether what each proxy holds is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leases {
    /// It is.
    Shown,
    /// It is not.
    Hidden,
}

impl LeaderView {
    fn text(&self, now_ms: i64) -> String {
        let mut parts = vec![match self.address.is_empty() {
            true => "NO LEADER: nothing new is lent".to_owned(),
            false => format!("leader  {}", self.address),
        }];
        parts.push(format!("epoch {}", self.epoch));
        if let Some(since_ms) = self.since_ms.filter(|_| !self.address.is_empty()) {
            parts.push(format!("for {}", spell::age(now_ms - since_ms)));
        }
        if self.learning {
            parts.push("LEARNING what was lent before".to_owned());
        }
        if !self.database_ok {
            parts.push("DATABASE AWAY".to_owned());
        }
        format!("{}\n", parts.join(", "))
    }
}

impl LimitStatusView {
    fn milli(&self, milli: impl Into<i128>) -> String {
        limit::milli_text(self.limit.measure(), milli.into())
    }

    fn used(&self) -> String {
        let mark = match (self.switched, self.warned) {
            (true, _) => " switched",
            (false, true) => " warned",
            (false, false) => "",
        };
        format!("{} ({}){mark}", self.milli(self.used_milli), spell::share_text(self.used_ppm))
    }

    fn row(&self, now_ms: i64) -> Vec<Cell> {
        let marked = self.switched || self.warned;
        let bad = |bad: bool| if bad { Tone::Bad } else { Tone::Plain };
        let ends = match self.ends_ms {
            Some(at) if at <= now_ms => Cell::text("now"),
            Some(at) => Cell::text(format!("in {}", spell::age(at - now_ms))),
            None => Cell::faint("-"),
        };
        vec![
            Cell::text(self.limit.subject_text()),
            Cell::text(self.limit.marked_rule_text()),
            Cell::toned(self.used(), bad(marked)),
            Cell::amount(self.milli(self.reserved_milli), Tone::Plain),
            Cell::amount(self.milli(self.free_milli), Tone::Plain),
            Cell::amount(self.milli(self.granted_milli), Tone::Plain),
            Cell::amount(thousands(self.denied), bad(0 < self.denied)),
            Cell::number(u64::try_from(self.leases.len()).unwrap_or(u64::MAX)),
            Cell::amount(self.milli(self.over_milli), bad(0 < self.over_milli)),
            ends,
        ]
    }

    fn leases(&self) -> impl Iterator<Item = Vec<Cell>> {
        self.leases.iter().map(|it| {
            let left = match it.expires_ms {
                0 => Cell::faint("-"),
                ms => Cell::text(spell::age(i64::try_from(ms).unwrap_or(i64::MAX))),
            };
            vec![
                Cell::text(self.limit.subject_text()),
                Cell::text(self.limit.marked_rule_text()),
                Cell::text(if it.address.is_empty() { &it.proxy } else { &it.address }),
                Cell::amount(self.milli(it.level_milli), Tone::Plain),
                Cell::amount(self.milli(it.reserved_milli), Tone::Plain),
                Cell::amount(
                    limit::rate_text(self.limit.measure(), it.rate_milli_per_s),
                    Tone::Plain,
                ),
                Cell::amount(self.milli(it.spent_milli), Tone::Plain),
                Cell::number(it.denied),
                left,
            ]
        })
    }

    fn line(&self) -> String {
        format!(
            "{}  used {}  reserved {}  free {}  lent {}  denied {}  proxies {}  over {}",
            self.limit.title(),
            self.used(),
            self.milli(self.reserved_milli),
            self.milli(self.free_milli),
            self.milli(self.granted_milli),
            thousands(self.denied),
            self.leases.len(),
            self.milli(self.over_milli),
        )
    }
}

#[cfg(test)]
mod tests;
