//! What a limit allows, and per what time: the part of a limit that has combinations.

use crate::{admin::v1, convert::Wrong};
use domain::catalog::{Calendar, CalendarPeriod, Measure, Period, Rule, Weights};
use std::num::NonZeroU64;

/// Most requests, tokens or micro-dollars of one limit: in thousandths they fit 63 bits.
const MOST_AMOUNT: u64 = 1_000_000_000_000_000;
const MOST_WEIGHT_PERCENT: u32 = 1_000;
const MINUTES_OF_A_DAY: u32 = 1_440;
const MOST_ZONE_BYTES: usize = 64;

/// Fills in the fields that say what is allowed.
pub(super) fn write(rule: &Rule, wire: &mut v1::Limit) {
    wire.amount = rule.amount().get();
    let measure = match rule.measure() {
        Some(Measure::Requests) => v1::LimitMeasure::Requests,
        Some(Measure::Tokens(_)) => v1::LimitMeasure::Tokens,
        Some(Measure::Cost) => v1::LimitMeasure::Cost,
        None if matches!(rule, Rule::InFlight { .. }) => v1::LimitMeasure::InFlight,
        None => v1::LimitMeasure::TokensPerRequest,
    };
    wire.measure = measure.into();
    if let Some(Measure::Tokens(weights)) = rule.measure() {
        wire.weights = (weights != Weights::default()).then(|| weights_to(weights));
    }
    let (period, profile) = match rule {
        Rule::Bucket { period, .. } => (period_to(*period), v1::LimitProfile::Bucket),
        Rule::WindowStrict { period, .. } => (period_to(*period), v1::LimitProfile::WindowStrict),
        Rule::Calendar { period, calendar, .. } => {
            wire.time_zone = calendar.zone.to_string();
            wire.reset_minute = calendar.reset_minute.into();
            (calendar_period_to(*period), v1::LimitProfile::Calendar)
        }
        Rule::Grant { .. } => (v1::LimitPeriod::Forever, v1::LimitProfile::Unspecified),
        Rule::TokensPerRequest { .. } | Rule::InFlight { .. } => {
            (v1::LimitPeriod::Unspecified, v1::LimitProfile::Unspecified)
        }
    };
    wire.period = period.into();
    wire.profile = profile.into();
}

fn weights_to(weights: Weights) -> v1::TokenWeights {
    v1::TokenWeights {
        input_percent: Some(weights.input.into()),
        cached_input_percent: Some(weights.cached_input.into()),
        cache_write_percent: Some(weights.cache_write.into()),
        output_percent: Some(weights.output.into()),
    }
}

const fn period_to(period: Period) -> v1::LimitPeriod {
    match period {
        Period::Minute => v1::LimitPeriod::Minute,
        Period::Hour => v1::LimitPeriod::Hour,
        Period::Day => v1::LimitPeriod::Day,
    }
}

const fn calendar_period_to(period: CalendarPeriod) -> v1::LimitPeriod {
    match period {
        CalendarPeriod::Minute => v1::LimitPeriod::Minute,
        CalendarPeriod::Hour => v1::LimitPeriod::Hour,
        CalendarPeriod::Day => v1::LimitPeriod::Day,
        CalendarPeriod::Week => v1::LimitPeriod::Week,
        CalendarPeriod::Month => v1::LimitPeriod::Month,
    }
}

/// What is allowed; `None` with at least one thing noted.
pub(super) fn read(wire: &v1::Limit, wrong: &mut Wrong) -> Option<Rule> {
    let amount = NonZeroU64::new(wire.amount).filter(|it| it.get() <= MOST_AMOUNT);
    if amount.is_none() {
        wrong.add("amount", format!("must lie between 1 and {MOST_AMOUNT}"));
    }
    let measure = match v1::LimitMeasure::try_from(wire.measure) {
        Ok(v1::LimitMeasure::Requests) => Some(Measure::Requests),
        Ok(v1::LimitMeasure::Tokens) => Some(Measure::Tokens(weights_from(wire.weights, wrong))),
        Ok(v1::LimitMeasure::Cost) => Some(Measure::Cost),
        Ok(v1::LimitMeasure::TokensPerRequest | v1::LimitMeasure::InFlight) => None,
        Ok(v1::LimitMeasure::Unspecified) | Err(_) => {
            wrong.add("measure", "must say what is counted");
            return None;
        }
    };
    if wire.weights.is_some() && !matches!(measure, Some(Measure::Tokens(_))) {
        wrong.add("weights", "are only for tokens");
    }
    match measure {
        Some(measure) => timed_rule(wire, measure, amount, wrong),
        None => {
            no_period(wire, wrong);
            let most = amount?;
            let in_flight = wire.measure == i32::from(v1::LimitMeasure::InFlight);
            Some(if in_flight { Rule::InFlight { most } } else { Rule::TokensPerRequest { most } })
        }
    }
}

/// Notes what only a limit over time has.
fn no_period(wire: &v1::Limit, wrong: &mut Wrong) {
    if wire.period != 0 {
        wrong.add("period", "must be left out: this measure counts over no time");
    }
    if wire.profile != 0 {
        wrong.add("profile", "must be left out: this measure counts over no time");
    }
    no_calendar(wire, wrong);
}

fn no_calendar(wire: &v1::Limit, wrong: &mut Wrong) {
    if !wire.time_zone.is_empty() {
        wrong.add("time_zone", "is only for LIMIT_PROFILE_CALENDAR");
    }
    if wire.reset_minute != 0 {
        wrong.add("reset_minute", "is only for LIMIT_PROFILE_CALENDAR");
    }
}

fn timed_rule(
    wire: &v1::Limit,
    measure: Measure,
    amount: Option<NonZeroU64>,
    wrong: &mut Wrong,
) -> Option<Rule> {
    use v1::{LimitPeriod as P, LimitProfile as F};
    let period = match P::try_from(wire.period) {
        Ok(P::Unspecified) | Err(_) => {
            wrong.add("period", "must say per which time is counted");
            return None;
        }
        Ok(period) => period,
    };
    let Ok(profile) = F::try_from(wire.profile) else {
        wrong.add("profile", "is not known here");
        return None;
    };
    let (rate, stretch) = periods(period);
    let usual = if matches!(period, P::Minute | P::Hour) { F::Bucket } else { F::Calendar };
    let profile = match profile {
        F::Unspecified if period == P::Forever => F::Unspecified,
        F::Unspecified => usual,
        F::Bucket | F::WindowStrict | F::Calendar => profile,
    };
    if profile != F::Calendar {
        no_calendar(wire, wrong);
    }
    match (profile, rate, stretch) {
        (F::Unspecified, ..) => Some(Rule::Grant { measure, amount: amount? }),
        (F::Bucket, Some(period), _) => Some(Rule::Bucket { measure, amount: amount?, period }),
        (F::WindowStrict, Some(period), _) => {
            Some(Rule::WindowStrict { measure, amount: amount?, period })
        }
        (F::Calendar, _, Some(period)) => {
            let calendar = Box::new(calendar_from(wire, period, wrong));
            Some(Rule::Calendar { measure, amount: amount?, period, calendar })
        }
        (F::Calendar, _, None) => {
            wrong.add("profile", "must be left out: a grant for ever knows no calendar");
            None
        }
        (F::Bucket | F::WindowStrict, None, _) => {
            let reason = "must be LIMIT_PROFILE_CALENDAR or left out: rates go up to a day";
            wrong.add("profile", reason);
            None
        }
    }
}

/// A period as a rate's and as the calendar's.
const fn periods(period: v1::LimitPeriod) -> (Option<Period>, Option<CalendarPeriod>) {
    match period {
        v1::LimitPeriod::Minute => (Some(Period::Minute), Some(CalendarPeriod::Minute)),
        v1::LimitPeriod::Hour => (Some(Period::Hour), Some(CalendarPeriod::Hour)),
        v1::LimitPeriod::Day => (Some(Period::Day), Some(CalendarPeriod::Day)),
        v1::LimitPeriod::Week => (None, Some(CalendarPeriod::Week)),
        v1::LimitPeriod::Month => (None, Some(CalendarPeriod::Month)),
        v1::LimitPeriod::Forever | v1::LimitPeriod::Unspecified => (None, None),
    }
}

fn calendar_from(wire: &v1::Limit, period: CalendarPeriod, wrong: &mut Wrong) -> Calendar {
    let usual = Calendar::default();
    let zone = wire.time_zone.as_str();
    let known = |it: char| it.is_ascii_alphanumeric() || matches!(it, '/' | '_' | '-' | '+');
    if MOST_ZONE_BYTES < zone.len() || !zone.chars().all(known) {
        wrong.add("time_zone", "must be an IANA time zone, such as `Asia/Shanghai`");
    }
    let by_day = !matches!(period, CalendarPeriod::Minute | CalendarPeriod::Hour);
    if MINUTES_OF_A_DAY <= wire.reset_minute {
        wrong.add("reset_minute", "must lie between 0 and 1439, in minutes after midnight");
    } else if wire.reset_minute != 0 && !by_day {
        wrong.add("reset_minute", "is only for days, weeks and months");
    }
    Calendar {
        zone: if zone.is_empty() { usual.zone } else { zone.into() },
        reset_minute: u16::try_from(wire.reset_minute).unwrap_or(usual.reset_minute),
    }
}

fn weights_from(wire: Option<v1::TokenWeights>, wrong: &mut Wrong) -> Weights {
    let usual = Weights::default();
    let Some(wire) = wire else { return usual };
    let mut read = |field: &str, percent: Option<u32>, usual: u16| {
        let percent = percent.unwrap_or_else(|| usual.into());
        if MOST_WEIGHT_PERCENT < percent {
            wrong.add(format!("weights.{field}"), "must lie between 0 and 1000 percent");
        }
        u16::try_from(percent).unwrap_or(usual)
    };
    let weights = Weights {
        input: read("input_percent", wire.input_percent, usual.input),
        cached_input: read("cached_input_percent", wire.cached_input_percent, usual.cached_input),
        cache_write: read("cache_write_percent", wire.cache_write_percent, usual.cache_write),
        output: read("output_percent", wire.output_percent, usual.output),
    };
    if weights == (Weights { input: 0, cached_input: 0, cache_write: 0, output: 0 }) {
        wrong.add("weights", "count nothing: at least one kind must be above 0 percent");
    }
    weights
}
