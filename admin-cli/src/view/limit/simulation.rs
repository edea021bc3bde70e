//! What a limit would have refused, as it is shown.

use proto::admin::v1;
use serde::Serialize;

use super::LimitView;
use crate::{
    output::{self, Cell, thousands},
    spell,
};

/// A limit, and what it would have refused.
#[derive(Debug, Serialize)]
pub(crate) struct SimulationView {
    limit: LimitView,
    requests: u64,
    refused: u64,
    first_refused_at: Option<String>,
    first_refused_request: String,
    keys: Vec<RefusalsView>,
    unpriced: u64,
    worst_case: String,
}

#[derive(Debug, Serialize)]
struct RefusalsView {
    key: String,
    requests: u64,
    refused: u64,
}

impl SimulationView {
    /// What a server found for a limit.
    pub(crate) fn new(limit: &v1::Limit, wire: v1::SimulateLimitResponse) -> Self {
        let refusals = |it: v1::SimulatedRefusals| {
            let v1::SimulatedRefusals { key, requests, refused } = it;
            RefusalsView { key, requests, refused }
        };
        Self {
            limit: limit.clone().into(),
            requests: wire.requests,
            refused: wire.refused,
            first_refused_at: spell::rfc3339(wire.first_refused_at.as_ref()),
            first_refused_request: wire.first_refused_request,
            keys: wire.keys.into_iter().map(refusals).collect(),
            unpriced: wire.unpriced,
            worst_case: wire.worst_case,
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.limit.title());
        if !self.worst_case.is_empty() {
            text.push_str(&format!("  {}\n", self.worst_case));
        }
        text.push_str(&match (self.requests, self.refused) {
            (0, _) => "  no request is recorded in that time\n".to_owned(),
            (requests, 0) => {
                format!("  would have refused none of {} requests\n", thousands(requests))
            }
            (requests, refused) => {
                let ppm = u128::from(refused) * 1_000_000 / u128::from(requests);
                let share = spell::share_text(u32::try_from(ppm).unwrap_or(u32::MAX));
                let (refused, requests) = (thousands(refused), thousands(requests));
                format!("  would have refused {refused} of {requests} requests ({share})\n")
            }
        });
        if let Some(at) = &self.first_refused_at {
            text.push_str(&format!("  the first at {at}: {}\n", self.first_refused_request));
        }
        if 0 < self.unpriced {
            let count = thousands(self.unpriced);
            text.push_str(&format!(
                "  {count} had a model without a price and could not be counted; see `sluice model \
                 update --help`\n"
            ));
        }
        if self.keys.iter().any(|it| 0 < it.refused) {
            let row = |it: &RefusalsView| {
                let counts = [Cell::number(it.requests), Cell::number(it.refused)];
                [Cell::text(&it.key)].into_iter().chain(counts).collect()
            };
            let rows = self.keys.iter().filter(|it| 0 < it.refused).map(row).collect();
            text.push('\n');
            text.push_str(&output::table(&["KEY", "REQUESTS", "WOULD REFUSE"], rows));
        }
        text
    }
}
