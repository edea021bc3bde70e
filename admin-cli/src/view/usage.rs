//! Usage, as it is shown.

use std::collections::BTreeMap;

use proto::admin::v1;
use serde::Serialize;

use super::key::to_the_second;
use crate::{
    output::{self, Cell, Show, Tone},
    spell,
};

/// Sums by group, and of all.
#[derive(Debug, Serialize)]
pub(crate) struct UsageView {
    groups: Vec<SumView>,
    total: SumView,
    #[serde(skip)]
    dimensions: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct SumView {
    /// The group's values by dimension, such as `{"key": "team-a"}`.
    by: BTreeMap<&'static str, String>,
    requests: u64,
    failed_requests: u64,
    estimated_requests: u64,
    tokens: TokensView,
}

#[derive(Debug, Serialize)]
struct TokensView {
    input: u64,
    cached_input: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
}

impl From<v1::TokenCounts> for TokensView {
    fn from(wire: v1::TokenCounts) -> Self {
        let v1::TokenCounts { input, cached_input, cache_write, output, reasoning } = wire;
        Self { input, cached_input, cache_write, output, reasoning }
    }
}

impl SumView {
    fn new(dimensions: &[&'static str], wire: v1::UsageSummary) -> Self {
        Self {
            by: dimensions.iter().copied().zip(wire.group).collect(),
            requests: wire.requests,
            failed_requests: wire.failed_requests,
            estimated_requests: wire.estimated_requests,
            tokens: wire.tokens.unwrap_or_default().into(),
        }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        let tokens = &self.tokens;
        let counts = [
            self.requests,
            self.failed_requests,
            tokens.input,
            tokens.cached_input,
            tokens.cache_write,
            tokens.output,
            tokens.reasoning,
            self.estimated_requests,
        ];
        counts.into_iter().map(Cell::number)
    }
}

const COUNTS: [&str; 8] =
    ["REQUESTS", "FAILED", "INPUT", "CACHED", "CACHE WRITE", "OUTPUT", "REASONING", "ESTIMATED"];

impl UsageView {
    /// What a server summed up by these dimensions.
    pub(crate) fn new(dimensions: Vec<&'static str>, wire: v1::SummarizeUsageResponse) -> Self {
        let groups = match dimensions.is_empty() {
            // Without a dimension the only group is the total.
            true => Vec::new(),
            false => wire.summaries.into_iter().map(|it| SumView::new(&dimensions, it)).collect(),
        };
        let total = SumView::new(&[], wire.total.unwrap_or_default());
        Self { groups, total, dimensions }
    }

    /// For people: one row a group, and one for all.
    pub(crate) fn text(&self) -> String {
        let names: Vec<_> = match self.dimensions.is_empty() {
            true => vec![String::new()],
            false => self.dimensions.iter().map(|it| it.to_uppercase()).collect(),
        };
        let titles: Vec<_> = names.iter().map(String::as_str).chain(COUNTS).collect();
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for sum in &self.groups {
            let by = self
                .dimensions
                .iter()
                .map(|it| Cell::text(sum.by.get(it).cloned().unwrap_or_default()));
            rows.push(by.chain(sum.cells()).collect());
        }
        let blank = (1..names.len()).map(|_| Cell::toned("", Tone::Plain));
        let first = [Cell::toned("total", Tone::Faint)].into_iter();
        rows.push(first.chain(blank).chain(self.total.cells()).collect());
        output::table(&titles, rows)
    }
}

/// One request.
#[derive(Debug, Serialize)]
pub(crate) struct UsageEntryView {
    request_id: String,
    started_at: Option<String>,
    duration_ms: u64,
    ttft_ms: Option<u64>,
    key: String,
    team: String,
    alias: String,
    model: String,
    account: String,
    provider: String,
    dialect: String,
    operation: String,
    streamed: bool,
    status: u32,
    outcome: String,
    tokens: TokensView,
    estimated: bool,
    attempts: u32,
    revision: u64,
    proxy_id: String,
}

impl From<v1::UsageEntry> for UsageEntryView {
    fn from(wire: v1::UsageEntry) -> Self {
        Self {
            request_id: wire.request_id,
            started_at: spell::rfc3339(wire.started_at.as_ref()),
            duration_ms: wire.duration_ms,
            ttft_ms: wire.ttft_ms,
            key: wire.key,
            team: wire.team,
            alias: wire.alias,
            model: wire.model,
            account: wire.account,
            provider: wire.provider,
            dialect: wire.dialect,
            operation: wire.operation,
            streamed: wire.streamed,
            status: wire.status,
            outcome: wire.outcome,
            tokens: wire.tokens.unwrap_or_default().into(),
            estimated: wire.estimated,
            attempts: wire.attempts,
            revision: wire.revision,
            proxy_id: wire.proxy_id,
        }
    }
}

impl Show for UsageEntryView {
    const COLUMNS: &'static [&'static str] = &[
        "STARTED", "REQUEST", "KEY", "ALIAS", "ACCOUNT", "MODEL", "STATUS", "OUTCOME", "MS",
        "INPUT", "OUTPUT",
    ];

    fn row(&self) -> Vec<Cell> {
        let good = self.outcome == "complete" && self.status < 400;
        vec![
            Cell::text(to_the_second(self.started_at.as_deref())),
            Cell::faint(&self.request_id),
            Cell::text(&self.key),
            Cell::text(&self.alias),
            Cell::text(&self.account),
            Cell::text(&self.model),
            Cell::ordinal(u64::from(self.status)),
            Cell::toned(&self.outcome, if good { Tone::Good } else { Tone::Bad }),
            Cell::number(self.duration_ms),
            Cell::number(self.tokens.input),
            Cell::number(self.tokens.output),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_has_a_row_a_group_and_a_total() {
        let sum = |group: &[&str], requests| v1::UsageSummary {
            group: group.iter().map(|it| (*it).to_owned()).collect(),
            requests,
            ..Default::default()
        };
        let wire = v1::SummarizeUsageResponse {
            summaries: vec![sum(&["a", "gpt-4o"], 2), sum(&["b", ""], 1)],
            total: Some(sum(&[], 3)),
        };
        let view = UsageView::new(vec!["key", "model"], wire);
        let text = view.text();
        let firsts: Vec<_> = text.lines().map(|it| it.split_whitespace().next().unwrap()).collect();
        assert_eq!(firsts, ["KEY", "a", "b", "total"]);
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["groups"][0]["by"]["model"], "gpt-4o");
        assert_eq!(json["total"]["requests"], 3);
    }
}
