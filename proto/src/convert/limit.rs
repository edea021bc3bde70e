//! Limits. The usual profile of a period is filled in here; what does not go together is
//! refused here, each with its field.
//!
//! Knows no time zones: whether a calendar's zone exists is for the control plane to say.

mod rule;

use super::{Invalid, Wrong};
use crate::admin::v1::{self, limit_subject::Subject as WireSubject};
use domain::{
    catalog::{Action, Alias, Limit, Mode, Rule, Subject},
    id::{AccountId, KeyId, LimitId, TeamId},
};

/// Longest wait for room, in milliseconds.
pub const MOST_QUEUE_MS: u32 = 60_000;

/// The longest alias that a caller may write, in bytes.
const LONGEST_ALIAS: usize = 512;

/// How the items that a limit's subject is made of are written.
pub trait Written {
    /// A key's name or id.
    fn key(&self, id: KeyId) -> String;
    /// A team's name or id.
    fn team(&self, id: TeamId) -> String;
    /// An account's name or id.
    fn account(&self, id: AccountId) -> String;
}

/// Finds the items that a limit's subject is made of.
pub trait Find {
    /// The key that is written so.
    fn key(&mut self, text: &str) -> Option<KeyId>;
    /// The team that is written so.
    fn team(&mut self, text: &str) -> Option<TeamId>;
    /// The account that is written so.
    fn account(&mut self, text: &str) -> Option<AccountId>;
}

/// Ids as they are, which need not be of anything: how proxies are told.
#[derive(Debug, Clone, Copy)]
pub struct ById;

impl Written for ById {
    fn key(&self, id: KeyId) -> String {
        id.to_string()
    }

    fn team(&self, id: TeamId) -> String {
        id.to_string()
    }

    fn account(&self, id: AccountId) -> String {
        id.to_string()
    }
}

impl Find for ById {
    fn key(&mut self, text: &str) -> Option<KeyId> {
        text.parse().ok()
    }

    fn team(&mut self, text: &str) -> Option<TeamId> {
        text.parse().ok()
    }

    fn account(&mut self, text: &str) -> Option<AccountId> {
        text.parse().ok()
    }
}

/// What a limit has that is not for an operator to say.
#[derive(Debug, Clone, Copy)]
pub struct LimitParts {
    /// Its identity.
    pub id: LimitId,
    /// How often it was reset.
    pub generation: u32,
}

/// A limit for the wire; `written` says how what it refers to is written.
pub fn limit_to(limit: &Limit, written: &dyn Written) -> v1::Limit {
    let mut wire = v1::Limit {
        id: limit.id.to_string(),
        subject: Some(subject_to(&limit.subject, written)),
        mode: match limit.mode {
            Mode::Strict => v1::LimitMode::Strict,
            Mode::Availability => v1::LimitMode::Availability,
        }
        .into(),
        action: match limit.action {
            Action::Enforce => v1::LimitAction::Enforce,
            Action::Shadow => v1::LimitAction::Shadow,
        }
        .into(),
        warn_percent: limit.warn_percent.unwrap_or(0).into(),
        switch_percent: limit.switch_percent.unwrap_or(0).into(),
        queue_ms: limit.queue_ms,
        generation: limit.generation,
        ..v1::Limit::default()
    };
    rule::write(&limit.rule, &mut wire);
    wire
}

/// A subject for the wire; `written` says how what it refers to is written.
pub fn subject_to(subject: &Subject, written: &dyn Written) -> v1::LimitSubject {
    use v1::limit_subject::{AccountModel, Everything, KeyAlias};
    let subject = match subject {
        Subject::Everything => WireSubject::Everything(Everything {}),
        Subject::Key(id) => WireSubject::Key(written.key(*id)),
        Subject::Team(id) => WireSubject::Team(written.team(*id)),
        Subject::Alias(alias) => WireSubject::Alias(alias.to_string()),
        Subject::KeyAlias(key, alias) => {
            WireSubject::KeyAlias(KeyAlias { key: written.key(*key), alias: alias.to_string() })
        }
        Subject::Provider(name) => WireSubject::Provider(name.to_string()),
        Subject::Account(id) => WireSubject::Account(written.account(*id)),
        Subject::AccountModel(account, model) => WireSubject::AccountModel(AccountModel {
            account: written.account(*account),
            model: model.to_string(),
        }),
    };
    v1::LimitSubject { subject: Some(subject) }
}

/// A limit of the wire under an identity that the caller chose; `find` finds what it
/// refers to.
///
/// # Errors
/// Everything that is wrong with it.
pub fn limit_from(
    wire: &v1::Limit,
    parts: LimitParts,
    find: &mut dyn Find,
) -> Result<Limit, Vec<Invalid>> {
    let mut wrong = Wrong::default();
    let subject = wrong.note_invalid(subject_from("subject", wire.subject.as_ref(), find));
    let rule = rule::read(wire, &mut wrong);
    let mode = mode_from(wire, &mut wrong);
    let action = match v1::LimitAction::try_from(wire.action) {
        Ok(v1::LimitAction::Unspecified | v1::LimitAction::Enforce) => Action::Enforce,
        Ok(v1::LimitAction::Shadow) => Action::Shadow,
        Err(_) => {
            wrong.add("action", "must be LIMIT_ACTION_ENFORCE or LIMIT_ACTION_SHADOW");
            Action::Enforce
        }
    };
    let warn_percent = percent_from("warn_percent", wire.warn_percent, &mut wrong);
    let switch_percent = percent_from("switch_percent", wire.switch_percent, &mut wrong);
    if switch_percent.is_some() && subject.as_ref().is_some_and(Subject::is_callers) {
        wrong.add("switch_percent", "is only for accounts, their models and providers");
    }
    if MOST_QUEUE_MS < wire.queue_ms {
        wrong.add("queue_ms", format!("must be at most {MOST_QUEUE_MS}"));
    }
    if matches!(rule, Some(Rule::TokensPerRequest { .. })) {
        no_count(wire, &mut wrong);
    }
    let limit = subject.zip(rule).map(|(subject, rule)| Limit {
        id: parts.id,
        generation: parts.generation,
        subject,
        rule: rule.into(),
        mode,
        action,
        warn_percent,
        switch_percent,
        queue_ms: wire.queue_ms,
    });
    wrong.finish(limit)
}

/// Notes what makes no sense for a limit that looks at each request alone.
fn no_count(wire: &v1::Limit, wrong: &mut Wrong) {
    for (field, is_set) in [
        ("warn_percent", wire.warn_percent != 0),
        ("switch_percent", wire.switch_percent != 0),
        ("queue_ms", wire.queue_ms != 0),
    ] {
        if is_set {
            wrong.add(field, "makes no sense for tokens per request, which are not counted");
        }
    }
}

/// A subject of the wire.
///
/// # Errors
/// When it is not set, or names what there is not; the field's path starts with `field`.
pub fn subject_from(
    field: &str,
    wire: Option<&v1::LimitSubject>,
    find: &mut dyn Find,
) -> Result<Subject, Invalid> {
    let Some(subject) = wire.and_then(|it| it.subject.as_ref()) else {
        return Err(Invalid::new(field, "is missing: say who is limited"));
    };
    let missing = |kind: &str, part: &str, text: &str| {
        let text: String = text.chars().take(80).collect();
        let reason = format!("there is no {kind} `{text}`: see `sluice {kind} list`");
        Invalid::new(format!("{field}.{part}"), reason)
    };
    Ok(match subject {
        WireSubject::Everything(_) => Subject::Everything,
        WireSubject::Key(it) => {
            Subject::Key(find.key(it).ok_or_else(|| missing("key", "key", it))?)
        }
        WireSubject::Team(it) => {
            Subject::Team(find.team(it).ok_or_else(|| missing("team", "team", it))?)
        }
        WireSubject::Alias(it) => Subject::Alias(alias_from(&format!("{field}.alias"), it)?),
        WireSubject::KeyAlias(it) => Subject::KeyAlias(
            find.key(&it.key).ok_or_else(|| missing("key", "key_alias.key", &it.key))?,
            alias_from(&format!("{field}.key_alias.alias"), &it.alias)?,
        ),
        WireSubject::Provider(it) => Subject::Provider(
            it.parse().map_err(|error| Invalid::new(format!("{field}.provider"), error))?,
        ),
        WireSubject::Account(it) => {
            Subject::Account(find.account(it).ok_or_else(|| missing("account", "account", it))?)
        }
        WireSubject::AccountModel(it) => Subject::AccountModel(
            find.account(&it.account)
                .ok_or_else(|| missing("account", "account_model.account", &it.account))?,
            it.model
                .parse()
                .map_err(|error| Invalid::new(format!("{field}.account_model.model"), error))?,
        ),
    })
}

fn alias_from(field: &str, text: &str) -> Result<Alias, Invalid> {
    let fits = (1..=LONGEST_ALIAS).contains(&text.len());
    if !fits || text.chars().any(|it| it.is_whitespace() || it.is_control() || it == '*') {
        let reason = "must be what callers write in `model`: 1 to 512 bytes without spaces or `*`";
        return Err(Invalid::new(field, reason));
    }
    Ok(text.into())
}

fn percent_from(field: &str, percent: u32, wrong: &mut Wrong) -> Option<u8> {
    if percent == 0 {
        return None;
    }
    let read = u8::try_from(percent).ok().filter(|it| *it <= 100);
    if read.is_none() {
        wrong.add(field, "must lie between 1 and 100 percent; 0: none");
    }
    read
}

fn mode_from(wire: &v1::Limit, wrong: &mut Wrong) -> Mode {
    match v1::LimitMode::try_from(wire.mode) {
        Ok(v1::LimitMode::Unspecified | v1::LimitMode::Strict) => Mode::Strict,
        Ok(v1::LimitMode::Availability) => Mode::Availability,
        Err(_) => {
            wrong.add("mode", "must be LIMIT_MODE_STRICT or LIMIT_MODE_AVAILABILITY");
            Mode::Strict
        }
    }
}

#[cfg(test)]
mod tests;
