//! A limit in words for the caller whom it stops. Says what is limited and how much of
//! it; names no key, team or account.

use domain::{
    catalog::{CalendarPeriod, Limit, Measure, Period, Rule, Subject},
    limit::supply::MILLI,
};
use std::{fmt::Write as _, time::Duration};

/// Such as `this key's limit of 60 requests per minute`.
pub(crate) fn limit(limit: &Limit) -> String {
    let mut text = whose(&limit.subject);
    let _ = write!(text, "limit of {}", rule(&limit.rule));
    text
}

/// Such as `12 requests`, rounded down to whole ones.
pub(crate) fn amount(rule: &Rule, milli: u64) -> String {
    match rule.measure() {
        Some(measure) => measured(measure, milli / MILLI),
        None if matches!(rule, Rule::InFlight { .. }) => counted(milli / MILLI, "request"),
        None => counted(milli / MILLI, "token"),
    }
}

/// Such as `350 ms`, `12 s`, `3 min 20 s`, `5 h 12 min`, `9 d 3 h`; rounded up.
pub(crate) fn wait(wait: Duration) -> String {
    let ms = wait.as_nanos().div_ceil(1_000_000);
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    // Each in its smaller unit, so that what is cut from it is rounded up.
    let seconds = ms.div_ceil(1_000);
    let (count, per, large, small) = match seconds {
        ..60 => return format!("{seconds} s"),
        60..3_600 => (seconds, 60, "min", "s"),
        3_600..86_400 => (seconds.div_ceil(60), 60, "h", "min"),
        _ => (seconds.div_ceil(3_600), 24, "d", "h"),
    };
    match (count / per, count % per) {
        (whole, 0) => format!("{whole} {large}"),
        (whole, rest) => format!("{whole} {large} {rest} {small}"),
    }
}

fn whose(subject: &Subject) -> String {
    match subject {
        Subject::Everything => "this gateway's ".to_owned(),
        Subject::Key(_) => "this key's ".to_owned(),
        Subject::Team(_) => "your team's ".to_owned(),
        Subject::Alias(alias) => format!("the model `{alias}`'s "),
        Subject::KeyAlias(_, alias) => format!("for the model `{alias}`, this key's "),
        // Whose accounts there are is nobody's business.
        Subject::Provider(_) | Subject::Account(_) | Subject::AccountModel(..) => {
            "the provider's ".to_owned()
        }
    }
}

/// Such as `60 requests per minute`.
fn rule(rule: &Rule) -> String {
    match rule {
        Rule::Bucket { measure, amount, period } => {
            format!("{} per {}", measured(*measure, amount.get()), period_name(*period))
        }
        Rule::WindowStrict { measure, amount, period } => {
            format!("{} in any {}", measured(*measure, amount.get()), period_name(*period))
        }
        Rule::Calendar { measure, amount, period, calendar: _ } => {
            format!("{} per calendar {}", measured(*measure, amount.get()), calendar_name(*period))
        }
        Rule::Grant { measure, amount } => {
            format!("{} in all", measured(*measure, amount.get()))
        }
        Rule::TokensPerRequest { most } => {
            format!("{} per request, prompt and answer together", counted(most.get(), "token"))
        }
        Rule::InFlight { most } => format!("{} at the same time", counted(most.get(), "request")),
    }
}

fn measured(measure: Measure, units: u64) -> String {
    match measure {
        Measure::Requests => counted(units, "request"),
        Measure::Tokens(_) => counted(units, "token"),
        Measure::Cost => dollars(units),
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Micro-dollars as dollars, with as many places as they need; at least two, unless none.
fn dollars(micros: u64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    if part == 0 {
        return format!("${whole}");
    }
    let places = format!("{part:06}");
    let kept = places.trim_end_matches('0').len().max(2);
    format!("${whole}.{}", places.get(..kept).unwrap_or(&places))
}

const fn period_name(period: Period) -> &'static str {
    match period {
        Period::Minute => "minute",
        Period::Hour => "hour",
        Period::Day => "day",
    }
}

const fn calendar_name(period: CalendarPeriod) -> &'static str {
    match period {
        CalendarPeriod::Minute => "minute",
        CalendarPeriod::Hour => "hour",
        CalendarPeriod::Day => "day",
        CalendarPeriod::Week => "week",
        CalendarPeriod::Month => "month",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    fn n(amount: u64) -> NonZeroU64 {
        NonZeroU64::new(amount).unwrap()
    }

    #[test]
    fn rules_read_as_an_operator_would_say_them() {
        let tokens = Measure::Tokens(domain::catalog::Weights::default());
        let calendar = Box::default();
        for (given, words) in [
            (
                Rule::Bucket { measure: Measure::Requests, amount: n(60), period: Period::Minute },
                "60 requests per minute",
            ),
            (
                Rule::WindowStrict { measure: tokens, amount: n(1), period: Period::Hour },
                "1 token in any hour",
            ),
            (
                Rule::Calendar {
                    measure: Measure::Cost,
                    amount: n(500_000_000),
                    period: CalendarPeriod::Month,
                    calendar,
                },
                "$500 per calendar month",
            ),
            (Rule::Grant { measure: Measure::Cost, amount: n(1_250_000) }, "$1.25 in all"),
            (
                Rule::TokensPerRequest { most: n(4_000) },
                "4000 tokens per request, prompt and answer together",
            ),
            (Rule::InFlight { most: n(2) }, "2 requests at the same time"),
        ] {
            assert_eq!(rule(&given), words);
        }
    }

    #[test]
    fn money_has_the_places_that_it_needs() {
        for (micros, words) in
            [(0, "$0"), (500_000, "$0.50"), (1, "$0.000001"), (12_345_600, "$12.3456")]
        {
            assert_eq!(dollars(micros), words);
        }
    }

    #[test]
    fn waits_are_never_told_too_short() {
        for (ms, words) in [
            (0, "0 ms"),
            (350, "350 ms"),
            (1_001, "2 s"),
            (59_500, "1 min"),
            (200_000, "3 min 20 s"),
            (18_720_000, "5 h 12 min"),
            (18_720_001, "5 h 13 min"),
            (86_399_000, "24 h"),
            (788_400_000, "9 d 3 h"),
        ] {
            assert_eq!(wait(Duration::from_millis(ms)), words);
        }
    }
}
