//! Points in time as texts: RFC 3339 both ways, and the dates of HTTP.
//!
//! Times are milliseconds since 1970-01-01T00:00:00Z, of the Gregorian calendar.

use std::fmt::Write as _;

const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The point in time in UTC, to the second and rounded up: never too early.
pub(super) fn to_rfc3339(unix_ms: i64) -> String {
    let seconds = unix_ms.saturating_add(999).div_euclid(1_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let mut text = String::with_capacity(20);
    // A string takes whatever is written.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    text
}

/// The point in time that `text` says, fractions of a second cut to milliseconds.
pub(super) fn of_rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let mut date = date.split('-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let ms = digits(format!("{fraction:0<3}").get(..3)?)?;
    let zone_minutes = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = digits(hours)?.checked_mul(60)?.checked_add(digits(minutes)?)?;
            if sign == "-" { minutes.checked_neg()? } else { minutes }
        }
    };
    let at = point(year, month, day, clock(time)?)?;
    at.checked_add(ms)?.checked_sub(zone_minutes.checked_mul(60_000)?)
}

/// The point in time of an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`).
pub(super) fn of_http(text: &str) -> Option<i64> {
    let (_, rest) = text.trim().split_once(", ")?;
    let mut parts = rest.split(' ');
    let day = digits(parts.next()?)?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|it| *it == month)?;
    let year = digits(parts.next()?)?;
    let seconds = clock(parts.next()?)?;
    let month = i64::try_from(month).ok()?.checked_add(1)?;
    (parts.next() == Some("GMT")).then(|| point(year, month, day, seconds)).flatten()
}

fn point(year: i64, month: i64, day: i64, of_day_s: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(0..=9_999).contains(&year) {
        return None;
    }
    days(year, month, day).checked_mul(DAY_MS)?.checked_add(of_day_s.checked_mul(1_000)?)
}

/// The seconds of `HH:MM:SS`.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_time = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    is_time.then(|| hour * 3_600 + minute * 60 + second)
}

fn digits(text: &str) -> Option<i64> {
    let only = !text.is_empty() && text.len() <= 4 && text.bytes().all(|it| it.is_ascii_digit());
    only.then(|| text.parse().ok()).flatten()
}

/// Days since the epoch of a date. Years begin in March here, so that the odd day of leap
/// years comes last; an era is the 400 years after which the calendar repeats.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way round.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * part + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_in_time_are_written_and_read() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (-1_000, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(to_rfc3339(ms), text);
            assert_eq!(of_rfc3339(text), Some(ms));
        }
        assert_eq!(to_rfc3339(1), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn offsets_and_fractions_are_understood() {
        for text in [
            "2026-01-27T12:30:45.250Z",
            "2026-01-27T12:30:45.25Z",
            "2026-01-27t12:30:45.2509999z",
            "2026-01-27 13:30:45.250+01:00",
            "2026-01-27T07:00:45.250-05:30",
        ] {
            assert_eq!(of_rfc3339(text), Some(1_769_517_045_250), "{text}");
        }
        assert_eq!(of_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "soon",
            "2026-01-27",
            "2026-13-27T00:00:00Z",
            "2026-01-27T25:00:00Z",
            "2026-01-27T00:00:00",
            "2026-01-27T00:00:00+1",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "é026-01-27T00:00:00Z",
        ] {
            assert_eq!((of_rfc3339(text), of_http(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_itself() {
        for day in -100_000..150_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }
}
