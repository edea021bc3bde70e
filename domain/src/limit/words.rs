//! Limits in words: what they are called, and the most that they ever let through.

use super::supply::strict_parts;
use crate::{
    catalog::{
        Action, Calendar, CalendarPeriod, Limit, Measure, Mode, Period, Rule, Subject, Weights,
    },
    id::{AccountId, KeyId, TeamId},
};

/// Knows how things are called; `None`: it is gone, and its id stands for it.
pub trait Names {
    /// A virtual key's name.
    fn key(&self, key: KeyId) -> Option<String>;
    /// A team's name.
    fn team(&self, team: TeamId) -> Option<String>;
    /// An account's name.
    fn account(&self, account: AccountId) -> Option<String>;
}

/// A limit in a few words: `key team-a: 60 requests per minute`.
pub fn title(limit: &Limit, names: &dyn Names) -> String {
    let subject = subject(&limit.subject, names);
    let what = match &*limit.rule {
        Rule::Bucket { measure, amount, period } => {
            format!(
                "{} per {}{}",
                counted(*measure, amount.get()),
                noun(*period),
                weighed(*measure)
            )
        }
        Rule::WindowStrict { measure, amount, period } => {
            let counted = counted(*measure, amount.get());
            format!("{counted} in any {}{}", noun(*period), weighed(*measure))
        }
        Rule::Calendar { measure, amount, period, calendar } => {
            let counted = counted(*measure, amount.get());
            let (stretch, at) = (stretch(*period), begins(*period, calendar));
            format!("{counted} per calendar {stretch}{at}{}", weighed(*measure))
        }
        Rule::Grant { measure, amount } => {
            format!("{} in all{}", counted(*measure, amount.get()), weighed(*measure))
        }
        Rule::TokensPerRequest { most } => {
            format!("{} per request", plural(most.get(), "token"))
        }
        Rule::InFlight { most } => {
            format!("{} at the same time", plural(most.get(), "request"))
        }
    };
    match limit.action {
        Action::Enforce => format!("{subject}: {what}"),
        Action::Shadow => format!("{subject}: {what} (shadow)"),
    }
}

/// The most that a limit ever lets through, over the whole fleet and whatever fails.
pub fn worst_case(limit: &Limit) -> String {
    let bound = match &*limit.rule {
        Rule::Bucket { measure, amount, period } => {
            let twice = bare(*measure, u128::from(amount.get()).saturating_mul(2));
            let once = bare(*measure, amount.get().into());
            let (length, noun) = (length(*period), noun(*period));
            format!("at most {twice} in the worst {length}, {once} per {noun} in the long run")
        }
        Rule::WindowStrict { measure, amount, period } => {
            let (refill, burst) = strict_parts(*measure, amount.get());
            let once = bare(*measure, u128::from(burst.div_euclid(super::supply::MILLI)));
            let larger = match measure {
                Measure::Requests => "",
                Measure::Tokens(_) | Measure::Cost => ": no request may be larger",
            };
            let most = counted(*measure, amount.get());
            let steady = bare(*measure, u128::from(refill.div_euclid(super::supply::MILLI)));
            let (length, noun) = (length(*period), noun(*period));
            format!(
                "at most {most} in any {length}, {steady} per {noun} in the long run, {once} at \
                 once{larger}"
            )
        }
        Rule::Calendar { measure, amount, period, calendar } => {
            format!("at most {} {}", counted(*measure, amount.get()), from_to(*period, calendar))
        }
        Rule::Grant { measure, amount } => {
            format!("at most {} in all, until it is reset", counted(*measure, amount.get()))
        }
        Rule::TokensPerRequest { most } => format!(
            "no request that is estimated at more than {}, prompt and greatest output together",
            plural(most.get(), "token")
        ),
        Rule::InFlight { most } => format!(
            "at most {} at the same time; those of a proxy that was cut off for 8 s may still run \
             beside them",
            plural(most.get(), "request")
        ),
    };
    let bound = format!("{bound}{}{}", beyond_estimate(&limit.rule), when_away(limit));
    match limit.action {
        Action::Enforce => bound,
        Action::Shadow => format!("refuses nothing, only reports; enforced it would be: {bound}"),
    }
}

/// Tokens and money are known only when the answer is there.
const fn beyond_estimate(rule: &Rule) -> &'static str {
    match rule.measure() {
        Some(Measure::Tokens(_) | Measure::Cost) => {
            "; what a request uses beyond its estimate is taken from the next"
        }
        Some(Measure::Requests) | None => "",
    }
}

/// What availability costs.
fn when_away(limit: &Limit) -> &'static str {
    match (limit.mode, &*limit.rule) {
        (Mode::Strict, _) | (Mode::Availability, Rule::TokensPerRequest { .. }) => "",
        (Mode::Availability, Rule::Bucket { .. } | Rule::WindowStrict { .. }) => {
            "; of that a tenth is set aside for proxies that are cut off: they let more through \
             only if there are more of them than `fallback_proxies`, or if a share is less than \
             one request, which each may have"
        }
        (Mode::Availability, Rule::Calendar { .. } | Rule::Grant { .. }) => {
            "; more only if the control plane dies while the database is away, by what it lent \
             in that time"
        }
        (Mode::Availability, Rule::InFlight { .. }) => {
            "; each proxy that is cut off goes on with its share, at least one"
        }
    }
}

fn subject(subject: &Subject, names: &dyn Names) -> String {
    let key = |key: &KeyId| names.key(*key).unwrap_or_else(|| key.to_string());
    let account = |account: &AccountId| names.account(*account).unwrap_or(account.to_string());
    match subject {
        Subject::Everything => "everything".to_owned(),
        Subject::Key(id) => format!("key {}", key(id)),
        Subject::Team(id) => {
            format!("team {}", names.team(*id).unwrap_or_else(|| id.to_string()))
        }
        Subject::Alias(alias) => format!("alias {alias}"),
        Subject::KeyAlias(id, alias) => format!("key {} with alias {alias}", key(id)),
        Subject::Provider(name) => format!("provider {name}"),
        Subject::Account(id) => format!("account {}", account(id)),
        Subject::AccountModel(id, model) => format!("account {} with model {model}", account(id)),
    }
}

/// An amount with its unit.
fn counted(measure: Measure, amount: u64) -> String {
    match measure {
        Measure::Requests => plural(amount, "request"),
        Measure::Tokens(_) => plural(amount, "token"),
        Measure::Cost => dollars(amount.into()),
    }
}

/// An amount without its unit, which stands in the title.
fn bare(measure: Measure, amount: u128) -> String {
    match measure {
        Measure::Requests | Measure::Tokens(_) => grouped(amount),
        Measure::Cost => dollars(amount),
    }
}

fn plural(count: u64, unit: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {unit}{s}", grouped(count.into()))
}

/// Micro-dollars as dollars: never fewer than two decimals, never more than needed.
fn dollars(micros: u128) -> String {
    let whole = grouped(micros.div_euclid(1_000_000));
    let mut decimals = format!("{:06}", micros.rem_euclid(1_000_000));
    while 2 < decimals.len() && decimals.ends_with('0') {
        decimals.pop();
    }
    format!("${whole}.{decimals}")
}

/// Thousands apart.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Which kinds of tokens do not count whole.
fn weighed(measure: Measure) -> String {
    let Measure::Tokens(Weights { input, cached_input, cache_write, output }) = measure else {
        return String::new();
    };
    let kinds = [
        ("input", input),
        ("cached input", cached_input),
        ("cache writes", cache_write),
        ("output", output),
    ];
    let odd: Vec<_> = kinds
        .iter()
        .filter(|(_, percent)| *percent != 100)
        .map(|(kind, percent)| format!("{kind} at {percent} %"))
        .collect();
    if odd.is_empty() { String::new() } else { format!(", {}", odd.join(", ")) }
}

const fn noun(period: Period) -> &'static str {
    match period {
        Period::Minute => "minute",
        Period::Hour => "hour",
        Period::Day => "day",
    }
}

const fn length(period: Period) -> &'static str {
    match period {
        Period::Minute => "60 s",
        Period::Hour => "60 min",
        Period::Day => "24 h",
    }
}

const fn stretch(period: CalendarPeriod) -> &'static str {
    match period {
        CalendarPeriod::Minute => "minute",
        CalendarPeriod::Hour => "hour",
        CalendarPeriod::Day => "day",
        CalendarPeriod::Week => "week",
        CalendarPeriod::Month => "month",
    }
}

/// Where in the calendar it begins, in brackets.
fn begins(period: CalendarPeriod, calendar: &Calendar) -> String {
    match (period, calendar.reset_minute) {
        (CalendarPeriod::Minute | CalendarPeriod::Hour, _) => String::new(),
        (_, 0) => format!(" ({})", calendar.zone),
        (_, _) => format!(" ({}, from {})", calendar.zone, clock(calendar)),
    }
}

fn from_to(period: CalendarPeriod, calendar: &Calendar) -> String {
    let (at, zone) = (clock(calendar), &calendar.zone);
    match period {
        CalendarPeriod::Minute => "from a full minute to the next".to_owned(),
        CalendarPeriod::Hour => format!("from a full hour to the next ({zone})"),
        CalendarPeriod::Day => format!("from {at} to {at} ({zone}) of a day"),
        CalendarPeriod::Week => format!("from Monday {at} to Monday {at} ({zone})"),
        CalendarPeriod::Month => {
            format!("from {at} on the 1st to {at} on the 1st ({zone}) of a month")
        }
    }
}

/// When days begin.
fn clock(calendar: &Calendar) -> String {
    format!("{:02}:{:02}", calendar.reset_minute / 60, calendar.reset_minute % 60)
}

#[cfg(test)]
mod tests;
