//! What answers look like: fields for JSON and YAML, columns for tables.
//!
//! Fields have the names of the admin API, and every field is there.

mod catalog;
mod explain;
mod key;
mod limit;
mod model;
mod system;
mod usage;

pub(crate) use catalog::{AccountView, ProviderView, RouteView, SettingsView, TeamView};
pub(crate) use explain::{ExplainView, Measures};
pub(crate) use key::KeyView;
pub(crate) use limit::{Leases, LimitStatusesView, LimitView, SimulationView};
pub(crate) use model::ModelView;
pub(crate) use system::StatusView;
pub(crate) use usage::{UsageEntryView, UsageView};

use serde::Serialize;

use crate::output::{Cell, Show};

/// A key that was just made, with its text.
#[derive(Debug, Serialize)]
pub(crate) struct CreatedKeyView {
    pub(crate) key: KeyView,
    /// Its text: shown once, stored nowhere.
    pub(crate) secret: String,
}

/// A context, for lists.
#[derive(Debug, Serialize)]
pub(crate) struct ContextView {
    pub(crate) name: String,
    pub(crate) current: bool,
    pub(crate) server: String,
    pub(crate) token_file: Option<String>,
    pub(crate) ca_file: Option<String>,
}

impl Show for ContextView {
    const COLUMNS: &'static [&'static str] =
        &["CURRENT", "NAME", "SERVER", "TOKEN FILE", "CA FILE"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::toned(if self.current { "*" } else { "" }, crate::output::Tone::Good),
            Cell::text(&self.name),
            Cell::text(&self.server),
            Cell::text(self.token_file.clone().unwrap_or_default()),
            Cell::text(self.ca_file.clone().unwrap_or_default()),
        ]
    }
}
