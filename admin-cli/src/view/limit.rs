//! Limits, as they are shown.

mod simulation;
mod status;

pub(crate) use simulation::SimulationView;
pub(crate) use status::{Leases, LimitStatusesView};

use proto::admin::v1::{self, LimitMeasure, LimitProfile, limit_subject::Subject};
use serde::Serialize;

use crate::{
    limit,
    output::{Cell, Show, Tone},
    spell,
};

/// A limit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LimitView {
    id: String,
    subject: Option<SubjectView>,
    measure: &'static str,
    amount: u64,
    period: &'static str,
    profile: &'static str,
    weights: Option<WeightsView>,
    time_zone: String,
    reset_minute: u32,
    mode: &'static str,
    action: &'static str,
    warn_percent: u32,
    switch_percent: u32,
    queue_ms: u32,
    generation: u32,
    worst_case: String,
    revision: u64,
    etag: String,
    #[serde(skip)]
    wire: v1::Limit,
}

/// Whom it counts, as the admin API names them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
enum SubjectView {
    Everything {},
    Key(String),
    Team(String),
    Alias(String),
    KeyAlias { key: String, alias: String },
    Provider(String),
    Account(String),
    AccountModel { account: String, model: String },
}

impl From<Subject> for SubjectView {
    fn from(wire: Subject) -> Self {
        match wire {
            Subject::Everything(_) => Self::Everything {},
            Subject::Key(it) => Self::Key(it),
            Subject::Team(it) => Self::Team(it),
            Subject::Alias(it) => Self::Alias(it),
            Subject::KeyAlias(it) => Self::KeyAlias { key: it.key, alias: it.alias },
            Subject::Provider(it) => Self::Provider(it),
            Subject::Account(it) => Self::Account(it),
            Subject::AccountModel(it) => {
                Self::AccountModel { account: it.account, model: it.model }
            }
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct WeightsView {
    input_percent: u32,
    cached_input_percent: u32,
    cache_write_percent: u32,
    output_percent: u32,
}

impl From<v1::TokenWeights> for WeightsView {
    fn from(wire: v1::TokenWeights) -> Self {
        Self {
            input_percent: wire.input_percent.unwrap_or(100),
            cached_input_percent: wire.cached_input_percent.unwrap_or(100),
            cache_write_percent: wire.cache_write_percent.unwrap_or(100),
            output_percent: wire.output_percent.unwrap_or(100),
        }
    }
}

impl From<v1::Limit> for LimitView {
    fn from(wire: v1::Limit) -> Self {
        let usual = limit::normal(wire.clone());
        Self {
            subject: wire.subject.clone().and_then(|it| it.subject).map(SubjectView::from),
            measure: spell::MEASURE.of(usual.measure()),
            period: spell::PERIOD.of(usual.period()),
            profile: spell::PROFILE.of(usual.profile()),
            weights: usual.weights.map(WeightsView::from),
            mode: spell::MODE.of(usual.mode()),
            action: spell::ACTION.of(usual.action()),
            time_zone: usual.time_zone,
            id: wire.id.clone(),
            amount: wire.amount,
            reset_minute: wire.reset_minute,
            warn_percent: wire.warn_percent,
            switch_percent: wire.switch_percent,
            queue_ms: wire.queue_ms,
            generation: wire.generation,
            worst_case: wire.worst_case.clone(),
            revision: wire.revision,
            etag: wire.etag.clone(),
            wire,
        }
    }
}

impl LimitView {
    /// In words: `key team-a: 60 requests/minute`.
    pub(crate) fn title(&self) -> String {
        limit::title(&self.wire)
    }

    /// What was set, and what can happen at worst.
    pub(crate) fn sentence(&self) -> String {
        let how = Some(self.how()).filter(|it| !it.is_empty());
        let how = how.map(|it| format!(" ({it})")).unwrap_or_default();
        let mut text = format!("{}: {}{how}\n", self.subject_text(), self.rule_text());
        if !self.worst_case.is_empty() {
            text.push_str(&format!("  {}\n", self.worst_case));
        }
        text
    }

    pub(super) fn subject_text(&self) -> String {
        limit::subject_text(self.wire.subject.as_ref())
    }

    pub(super) fn rule_text(&self) -> String {
        limit::rule_text(&self.wire)
    }

    /// Its rule, and whether it refuses: where no other column says so.
    fn marked_rule_text(&self) -> String {
        let shadow = if limit::is_shadow(&self.wire) { " (shadow)" } else { "" };
        format!("{}{shadow}", self.rule_text())
    }

    pub(super) fn measure(&self) -> LimitMeasure {
        self.wire.measure()
    }

    /// Its profile, and what is unusual about it.
    fn how(&self) -> String {
        let mut words = vec![limit::profile_text(&self.wire)];
        if self.wire.mode() == v1::LimitMode::Availability {
            words.push(self.mode);
        }
        if limit::is_shadow(&self.wire) {
            words.push(self.action);
        }
        words.retain(|it| !it.is_empty());
        words.join(", ")
    }

    fn action(&self) -> Cell {
        let tone = if limit::is_shadow(&self.wire) { Tone::Faint } else { Tone::Plain };
        Cell::toned(self.action, tone)
    }

    fn thresholds(&self) -> String {
        let percent = |word, percent| (0 < percent).then(|| format!("{word} {percent}%"));
        let said = [percent("warn", self.warn_percent), percent("switch", self.switch_percent)];
        said.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn calendar(&self) -> Option<Cell> {
        let calendar = limit::profile(&self.wire) == LimitProfile::Calendar;
        let at = spell::clock_text(self.reset_minute);
        calendar.then(|| Cell::text(format!("{}, begins at {at}", self.time_zone)))
    }
}

impl Show for LimitView {
    const COLUMNS: &'static [&'static str] = &["SUBJECT", "LIMIT", "HOW", "THRESHOLDS", "ID"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::text(self.subject_text()),
            Cell::text(self.rule_text()),
            Cell::text(self.how()),
            Cell::text(self.thresholds()),
            Cell::faint(&self.id),
        ]
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut lines = vec![
            ("subject", Cell::text(self.subject_text())),
            ("limit", Cell::text(self.rule_text())),
            ("profile", Cell::text(limit::profile_text(&self.wire))),
        ];
        lines.extend(self.calendar().map(|it| ("calendar", it)));
        if let Some(weights) = &self.wire.weights {
            lines.push(("weights", Cell::text(spell::weights_text(weights))));
        }
        let percent = |percent| match percent {
            0 => Cell::faint("none"),
            percent => Cell::text(format!("{percent}%")),
        };
        lines.extend([
            ("mode", Cell::text(self.mode)),
            ("action", self.action()),
            ("warns at", percent(self.warn_percent)),
        ]);
        if limit::is_asked(self.wire.subject.as_ref()) {
            lines.push(("asked last from", percent(self.switch_percent)));
        }
        lines.extend([
            (
                "queue",
                match self.queue_ms {
                    0 => Cell::faint("none"),
                    ms => Cell::text(format!("{ms} ms")),
                },
            ),
            ("worst case", Cell::text(&self.worst_case)),
            ("resets", Cell::number(u64::from(self.generation))),
            ("id", Cell::faint(&self.id)),
            ("revision", Cell::ordinal(self.revision)),
        ]);
        lines
    }
}

#[cfg(test)]
mod tests;
