//! The checks of limits, one subject at a time.

use super::super::{Defect, LimitFault};
use crate::{
    catalog::{Action, Calendar, Catalog, Limit, Measure, Rule, Subject, SubjectRef},
    limit::{
        demand::{largest_milli, most_milli},
        supply::MILLI,
    },
};
use std::{fmt::Display, sync::Arc};

/// Amounts that stay exact in thousandths, with a sign, and with room for sums.
const MOST: u64 = 4_000_000_000_000_000;
const MAX_WEIGHT: u64 = 1_000;
const LONGEST_QUEUE_MS: u64 = 60_000;
const LAST_MINUTE: u64 = 1_439;

/// Requests that ask for a longer one are refused before limits are looked at.
const LONGEST_ALIAS: usize = 512;
const LONGEST_ZONE: usize = 64;

/// The defects of all limits of one subject.
pub(in crate::snapshot) fn limits_of(
    catalog: &Catalog,
    subject: SubjectRef<'_>,
    defects: &mut Vec<Defect>,
) {
    let limits = catalog.limits.of(subject);
    for (at, limit) in limits.iter().enumerate() {
        let mut found = |fault| defects.push(defect(catalog, limit, fault));
        if let Some(fault) = unknown(catalog, subject) {
            found(fault);
        }
        one(limit, &mut found);
        for other in limits.iter().skip(at.saturating_add(1)) {
            if other.rule.span() == limit.rule.span() && other.action == limit.action {
                found(LimitFault::Twice { other: other.id });
            }
        }
        larger_than_burst(catalog, limit, limits, &mut found);
    }
}

/// The subject and what is counted, in the names of the catalog.
fn label(catalog: &Catalog, limit: &Limit) -> String {
    let shadow = if limit.action == Action::Shadow { " (shadow)" } else { "" };
    format!("{}: {}{shadow}", owner(catalog, &limit.subject), limit.rule.span())
}

fn defect(catalog: &Catalog, limit: &Limit, fault: LimitFault) -> Defect {
    Defect::Limit { limit: limit.id, label: label(catalog, limit), fault }
}

fn owner(catalog: &Catalog, subject: &Subject) -> String {
    let named = |name: Option<String>, id: &dyn Display| name.unwrap_or_else(|| id.to_string());
    let key = |id| named(catalog.keys.get(id).map(|it| it.name.to_string()), &id);
    let account = |id| named(catalog.accounts.get(&id).map(|it| it.name.to_string()), &id);
    match subject {
        Subject::Everything => "everything".to_owned(),
        Subject::Key(id) => format!("key {}", key(*id)),
        Subject::Team(id) => {
            format!("team {}", named(catalog.teams.get(id).map(|it| it.name.to_string()), id))
        }
        Subject::Alias(alias) => format!("alias {alias}"),
        Subject::KeyAlias(id, alias) => format!("key {}, alias {alias}", key(*id)),
        Subject::Provider(name) => format!("provider {name}"),
        Subject::Account(id) => format!("account {}", account(*id)),
        Subject::AccountModel(id, model) => format!("account {}, model {model}", account(*id)),
    }
}

/// What is wrong with the subject.
fn unknown(catalog: &Catalog, subject: SubjectRef<'_>) -> Option<LimitFault> {
    let gone =
        |kind, id: &dyn Display| Some(LimitFault::UnknownSubject { kind, id: id.to_string() });
    match subject {
        SubjectRef::Key(id) | SubjectRef::KeyAlias(id, _) if catalog.keys.get(id).is_none() => {
            gone("key", &id)
        }
        SubjectRef::Team(id) if !catalog.teams.contains_key(&id) => gone("team", &id),
        SubjectRef::Provider(name) if !catalog.providers.contains_key(name) => {
            gone("provider", name)
        }
        SubjectRef::Account(id) | SubjectRef::AccountModel(id, _)
            if !catalog.accounts.contains_key(&id) =>
        {
            gone("account", &id)
        }
        SubjectRef::Alias(alias) | SubjectRef::KeyAlias(_, alias) => {
            bad_alias(alias).map(|why| LimitFault::BadAlias { why })
        }
        SubjectRef::Everything
        | SubjectRef::Key(_)
        | SubjectRef::Team(_)
        | SubjectRef::Provider(_)
        | SubjectRef::Account(_)
        | SubjectRef::AccountModel(..) => None,
    }
}

fn bad_alias(alias: &str) -> Option<&'static str> {
    if alias.is_empty() {
        Some("it is empty")
    } else if alias.len() > LONGEST_ALIAS {
        Some("it is longer than 512 bytes")
    } else if alias.contains('*') {
        Some("aliases are compared as they are written, so `*` stands for nothing")
    } else {
        None
    }
}

/// What is wrong with a limit whatever others there are.
fn one(limit: &Limit, found: &mut impl FnMut(LimitFault)) {
    let amount = limit.rule.amount().get();
    if amount > MOST {
        found(LimitFault::AmountTooLarge { amount, most: MOST });
    }
    // A tenth of the amount is the burst, at least one, and the rest is the refill.
    if amount < 2 && matches!(*limit.rule, Rule::WindowStrict { .. }) {
        found(LimitFault::NeverRefilled);
    }
    if limit.switch_percent.is_some() && limit.subject.is_callers() {
        found(LimitFault::CannotSwitch);
    }
    for (field, percent) in
        [("warn_percent", limit.warn_percent), ("switch_percent", limit.switch_percent)]
    {
        if let Some(percent) = percent {
            in_range(field, percent.into(), 1, 100, found);
        }
    }
    in_range("queue_ms", limit.queue_ms.into(), 0, LONGEST_QUEUE_MS, found);
    if let Some(Measure::Tokens(it)) = limit.rule.measure() {
        let weights = [it.input, it.cached_input, it.cache_write, it.output];
        for weight in weights {
            in_range("weights", weight.into(), 0, MAX_WEIGHT, found);
        }
        if weights == [0; 4] {
            found(LimitFault::CountsNothing);
        }
    }
    if let Rule::Calendar { calendar, .. } = &*limit.rule {
        let Calendar { zone, reset_minute } = &**calendar;
        in_range("reset_minute", (*reset_minute).into(), 0, LAST_MINUTE, found);
        if !is_zone(zone) {
            found(LimitFault::BadTimeZone { zone: zone.chars().take(LONGEST_ZONE).collect() });
        }
    }
}

/// Whether it has the form of an IANA name. Whether there is such a zone, only the
/// control plane's database knows.
fn is_zone(zone: &str) -> bool {
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"_+-".contains(&it);
    let part = |it: &str| !it.is_empty() && it.bytes().all(fits);
    zone.len() <= LONGEST_ZONE && zone.split('/').all(part)
}

/// A limit of tokens per request is wrong when what it allows would wait for ever for
/// what another limit of the same subject never has ready at once.
fn larger_than_burst(
    catalog: &Catalog,
    limit: &Limit,
    limits: &[Arc<Limit>],
    found: &mut impl FnMut(LimitFault),
) {
    let Rule::TokensPerRequest { most } = *limit.rule else { return };
    let enforced = |it: &&Arc<Limit>| it.action == Action::Enforce;
    if limit.action != Action::Enforce {
        return;
    }
    for other in limits.iter().filter(enforced) {
        let Some(Measure::Tokens(weights)) = other.rule.measure() else { continue };
        let Some(largest) = largest_milli(other) else { continue };
        let asked = most_milli(weights, most.get());
        if asked > largest {
            found(LimitFault::LargerThanBurst {
                tokens: most.get(),
                asked: asked.div_ceil(MILLI),
                of: label(catalog, other),
                largest: largest / MILLI,
            });
        }
    }
}

fn in_range(
    field: &'static str,
    value: u64,
    least: u64,
    most: u64,
    found: &mut impl FnMut(LimitFault),
) {
    if !(least..=most).contains(&value) {
        found(LimitFault::OutOfRange { field, value, least, most });
    }
}
