//! A limit as it stands in a manifest: the flags of `sluice limit set`, one limit each.

use proto::admin::v1::{
    self, LimitMeasure, LimitPeriod,
    limit_subject::{AccountModel, Everything, KeyAlias, Subject},
};
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::{limit, manifest::Wrong, spell};

/// A number, or a text such as `100k`, `500usd` or `80%`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    /// Whole.
    Whole(u64),
    /// With a fraction.
    Fraction(f64),
    /// As it would be typed.
    Text(String),
}

impl Amount {
    /// As short as it can be written.
    pub(super) fn of(text: String) -> Self {
        let whole = text.parse().map(Self::Whole).ok();
        // One that would read back as another stays a text.
        let exact = |it: &f64| it.to_string() == text;
        let fraction = || text.parse().ok().filter(exact).map(Self::Fraction);
        whole.or_else(fraction).unwrap_or(Self::Text(text))
    }

    /// What it stands for, by the spelling of flags.
    pub(super) fn read<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        match self {
            Self::Whole(number) => read(&number.to_string()),
            // The shortest text of a number is what was written, but for zeros.
            Self::Fraction(number) => read(&number.to_string()),
            Self::Text(text) => read(text),
        }
    }
}

/// A limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) team: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) everything: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_tokens_per_request: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_in_flight: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) per: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reset_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) shadow: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) warn: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<String>,
}

impl From<&v1::Limit> for Limit {
    fn from(wire: &v1::Limit) -> Self {
        let usual = limit::normal(wire.clone());
        let mut it = Self::default();
        it.whose(wire.subject.as_ref().and_then(|it| it.subject.as_ref()));
        let count = || Some(Amount::of(spell::count_text(wire.amount)));
        match wire.measure() {
            LimitMeasure::Requests => it.requests = count(),
            LimitMeasure::Tokens => it.tokens = count(),
            LimitMeasure::Cost => it.budget = Some(Amount::Text(spell::money_text(wire.amount))),
            LimitMeasure::TokensPerRequest => it.max_tokens_per_request = count(),
            LimitMeasure::InFlight => it.max_in_flight = count(),
            LimitMeasure::Unspecified => {}
        }
        let said = |word: &str| Some(word.to_owned()).filter(|it| !it.is_empty());
        let percent = |percent: u32| Some(Amount::Text(spell::percent_text(percent)));
        it.per = said(spell::PERIOD.of(wire.period()));
        if limit::profile(wire) != limit::usual_profile(wire.period()) {
            it.profile = said(spell::PROFILE.of(wire.profile()));
        }
        it.timezone = said(&usual.time_zone).filter(|it| it != "UTC");
        it.reset_at = Some(spell::clock_text(wire.reset_minute)).filter(|_| wire.reset_minute != 0);
        it.mode = said(spell::MODE.of(usual.mode())).filter(|it| it != "strict");
        it.shadow = limit::is_shadow(wire);
        it.warn = percent(wire.warn_percent).filter(|_| wire.warn_percent != 0);
        let is_usual = wire.switch_percent == limit::usual_switch_percent(wire);
        it.threshold = percent(wire.switch_percent).filter(|_| !is_usual);
        it.queue = Some(format!("{}ms", wire.queue_ms)).filter(|_| wire.queue_ms != 0);
        let whole = limit::normal(v1::Limit { weights: None, ..wire.clone() }).weights;
        it.weights =
            usual.weights.filter(|it| Some(*it) != whole).map(|it| spell::weights_text(&it));
        it
    }
}

impl Limit {
    fn whose(&mut self, subject: Option<&Subject>) {
        match subject.cloned() {
            Some(Subject::Everything(_)) => self.everything = true,
            Some(Subject::Key(key)) => self.key = Some(key),
            Some(Subject::Team(team)) => self.team = Some(team),
            Some(Subject::Alias(alias)) => self.alias = Some(alias),
            Some(Subject::KeyAlias(it)) => {
                (self.key, self.alias) = (Some(it.key), Some(it.alias));
            }
            Some(Subject::Provider(provider)) => self.provider = Some(provider),
            Some(Subject::Account(account)) => self.account = Some(account),
            Some(Subject::AccountModel(it)) => {
                (self.account, self.model) = (Some(it.account), Some(it.model));
            }
            None => {}
        }
    }

    /// Whether it counts a key, which an export without keys leaves out.
    pub(crate) const fn is_of_key(&self) -> bool {
        self.key.is_some()
    }

    pub(in crate::manifest) fn wire(&self, wrong: &mut Wrong) -> v1::Limit {
        let (measure, amount) = self.amount(wrong);
        let mut wire = v1::Limit {
            subject: self.subject(wrong),
            measure: measure.into(),
            amount,
            period: self.period(measure, wrong).into(),
            time_zone: self.timezone.clone().unwrap_or_default(),
            ..v1::Limit::default()
        };
        if let Some(profile) = &self.profile {
            wire.profile = wrong.note("profile", spell::PROFILE.read(profile).map(i32::from));
        }
        if let Some(mode) = &self.mode {
            wire.mode = wrong.note("mode", spell::MODE.read(mode).map(i32::from));
        }
        if self.shadow {
            wire.set_action(v1::LimitAction::Shadow);
        }
        if let Some(at) = &self.reset_at {
            wire.reset_minute = wrong.note("reset_at", spell::clock(at));
        }
        if let Some(percent) = &self.warn {
            wire.warn_percent = wrong.note("warn", percent.read(spell::percent));
        }
        if let Some(queue) = &self.queue {
            wire.queue_ms = wrong.note("queue", spell::millis(queue));
        }
        if let Some(weights) = &self.weights {
            wire.weights = wrong.note("weights", spell::weights(weights).map(Some));
        }
        wire.switch_percent = match &self.threshold {
            Some(percent) => wrong.note("threshold", percent.read(spell::percent)),
            None => limit::usual_switch_percent(&wire),
        };
        wire
    }

    fn subject(&self, wrong: &mut Wrong) -> Option<v1::LimitSubject> {
        let mut found = Vec::new();
        match (self.key.clone(), self.alias.clone()) {
            (Some(key), Some(alias)) => found.push(Subject::KeyAlias(KeyAlias { key, alias })),
            (Some(key), None) => found.push(Subject::Key(key)),
            (None, Some(alias)) => found.push(Subject::Alias(alias)),
            (None, None) => {}
        }
        match (self.account.clone(), self.model.clone()) {
            (Some(account), Some(model)) => {
                found.push(Subject::AccountModel(AccountModel { account, model }));
            }
            (Some(account), None) => found.push(Subject::Account(account)),
            (None, Some(_)) => wrong.add("model", "at which account? add `account`"),
            (None, None) => {}
        }
        found.extend(self.team.clone().map(Subject::Team));
        found.extend(self.provider.clone().map(Subject::Provider));
        found.extend(self.everything.then_some(Subject::Everything(Everything {})));
        if found.len() != 1 && (self.model.is_none() || self.account.is_some()) {
            let reason = "must count one subject: `key`, `team`, `alias`, `key` with `alias`, \
                          `provider`, `account`, `account` with `model`, or `everything: true`";
            wrong.add("", reason);
        }
        found.into_iter().next().map(|it| v1::LimitSubject { subject: Some(it) })
    }

    fn amount(&self, wrong: &mut Wrong) -> (LimitMeasure, u64) {
        let all = [
            ("requests", LimitMeasure::Requests, &self.requests),
            ("tokens", LimitMeasure::Tokens, &self.tokens),
            ("budget", LimitMeasure::Cost, &self.budget),
            (
                "max_tokens_per_request",
                LimitMeasure::TokensPerRequest,
                &self.max_tokens_per_request,
            ),
            ("max_in_flight", LimitMeasure::InFlight, &self.max_in_flight),
        ];
        let said = all
            .into_iter()
            .filter_map(|(field, measure, it)| it.as_ref().map(|amount| (field, measure, amount)));
        match said.collect::<Vec<_>>().as_slice() {
            [(field, measure, amount)] => {
                let read = if *measure == LimitMeasure::Cost { spell::money } else { spell::count };
                (*measure, wrong.note(field, amount.read(read)))
            }
            [] | [_, _, ..] => {
                let reason = "must say one of `requests`, `tokens`, `budget`, \
                              `max_tokens_per_request` and `max_in_flight`";
                wrong.add("", reason);
                (LimitMeasure::Unspecified, 0)
            }
        }
    }

    fn period(&self, measure: LimitMeasure, wrong: &mut Wrong) -> LimitPeriod {
        match (&self.per, measure) {
            (Some(per), _) => match spell::PERIOD.read(per) {
                Ok(period) => period,
                Err(reason) => {
                    wrong.add("per", reason);
                    LimitPeriod::Unspecified
                }
            },
            (None, LimitMeasure::Cost) => LimitPeriod::Month,
            (None, LimitMeasure::Requests | LimitMeasure::Tokens) => {
                let reason = "must be `minute`, `hour`, `day`, `week`, `month` or `forever`";
                wrong.add("per", reason);
                LimitPeriod::Unspecified
            }
            (
                None,
                LimitMeasure::TokensPerRequest | LimitMeasure::InFlight | LimitMeasure::Unspecified,
            ) => LimitPeriod::Unspecified,
        }
    }
}
