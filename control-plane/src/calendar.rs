//! Stretches of the calendar: in which window of a limit a moment lies.
//!
//! Knows time zones, which are built in: the machine's own list is not asked. Knows no
//! clock and nothing of what is lent.

use domain::{
    catalog::{Calendar, CalendarPeriod, Rule},
    limit::budget::message::WindowId,
    time::Timestamp,
};
use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};
use std::sync::Arc;

/// A stretch of time in which a limit gives its amount once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Tells it apart from the limit's other ones.
    pub(crate) id: WindowId,
    /// When the next one begins; `None`: never.
    pub(crate) ends_at: Option<Timestamp>,
}

/// The time zone of this name, written as the list of time zones has it; `None`: there is
/// none.
pub(crate) fn zone(name: &str) -> Option<Arc<str>> {
    let zone = TimeZone::get(name).ok().filter(|it| !it.is_unknown())?;
    zone.iana_name().map(Into::into)
}

/// The window in which `at` lies; `None`: the rule has no windows.
pub(crate) fn window_at(rule: &Rule, at: Timestamp) -> Option<Window> {
    match rule {
        Rule::Calendar { period, calendar, .. } => stretch_at(*period, calendar, at),
        Rule::Grant { .. } => Some(Window { id: WindowId(0), ends_at: None }),
        Rule::Bucket { .. }
        | Rule::WindowStrict { .. }
        | Rule::TokensPerRequest { .. }
        | Rule::InFlight { .. } => None,
    }
}

fn stretch_at(period: CalendarPeriod, calendar: &Calendar, at: Timestamp) -> Option<Window> {
    // Checked when it was set. A name that left the list of a later version is counted in
    // UTC: a limit that still holds is better than none.
    let zone = TimeZone::get(&calendar.zone).unwrap_or(TimeZone::UTC);
    let at = at.unix_ms().div_euclid(1_000);
    let (start, end) = match period {
        CalendarPeriod::Minute => short(&zone, at, 60)?,
        CalendarPeriod::Hour => short(&zone, at, 3_600)?,
        CalendarPeriod::Day | CalendarPeriod::Week | CalendarPeriod::Month => {
            long(period, &zone, calendar.reset_minute, at)?
        }
    };
    let ends_at = Some(Timestamp::from_unix_ms(end.saturating_mul(1_000)));
    Some(Window { id: WindowId(start), ends_at })
}

/// Minutes and hours as a clock on the wall there shows them. An hour that the wall shows
/// twice is two windows.
fn short(zone: &TimeZone, at: i64, length: i64) -> Option<(i64, i64)> {
    let moment = jiff::Timestamp::from_second(at).ok()?;
    let offset = i64::from(zone.to_offset(moment).seconds());
    let start = at.saturating_sub(at.saturating_add(offset).rem_euclid(length));
    Some((start, start.saturating_add(length)))
}

/// Days, weeks and months from their reset time on. Where a wall skips the reset time, they
/// begin as soon as it shows a later one; where it shows it twice, the first time.
fn long(period: CalendarPeriod, zone: &TimeZone, reset_minute: u16, at: i64) -> Option<(i64, i64)> {
    let today = zone.to_datetime(jiff::Timestamp::from_second(at).ok()?).date();
    let (hour, minute) = (reset_minute / 60, reset_minute % 60);
    let reset = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?;
    // More than those on either side: some island has skipped a whole day.
    let starts: Vec<i64> = (-2..=2)
        .filter_map(|steps| first_day(period, today, steps))
        .filter_map(|day| Some(zone.to_timestamp(day.to_datetime(reset)).ok()?.as_second()))
        .collect();
    let start = starts.iter().copied().filter(|it| *it <= at).max()?;
    let end = starts.iter().copied().filter(|it| at < *it).min()?;
    Some((start, end))
}

/// The first day of the period that is `steps` after that of `today`.
fn first_day(period: CalendarPeriod, today: Date, steps: i64) -> Option<Date> {
    match period {
        CalendarPeriod::Week => {
            let since_monday = i64::from(today.weekday().to_monday_zero_offset());
            let days = steps.saturating_mul(7).saturating_sub(since_monday);
            today.checked_add(days.days()).ok()
        }
        CalendarPeriod::Month => today.first_of_month().checked_add(steps.months()).ok(),
        CalendarPeriod::Minute | CalendarPeriod::Hour | CalendarPeriod::Day => {
            today.checked_add(steps.days()).ok()
        }
    }
}

#[cfg(test)]
mod tests;
