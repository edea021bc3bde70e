//! Durations such as `90s`, `24h`, `1d12h`, and times: RFC 3339, a date, or a duration.
//!
//! Is told what time it is.

use std::time::Duration;

use domain::time::Timestamp;
use proto::convert::key::{timestamp_from, timestamp_to};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros};

/// Reads `1d12h`, `90s`, `500ms`: whole numbers with units, `ms s m h d w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is not a duration: write for example 500ms, 90s, 24h, 30d or 1d12h");
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(wrong()),
        };
        let ms = number.parse::<u64>().ok().and_then(|it| it.checked_mul(unit_ms));
        let part = ms.map(Duration::from_millis).ok_or_else(wrong)?;
        sum = sum.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(sum) }
}

/// Reads a duration in milliseconds that fits the wire, for timeouts; at least 1 ms.
pub(crate) fn millis(text: &str) -> Result<u32, String> {
    let ms = u32::try_from(duration(text)?.as_millis()).ok().filter(|it| 0 < *it);
    ms.ok_or_else(|| format!("`{text}` is not within 1ms and 49d"))
}

/// Reads how long a request may wait for room, up to a minute: milliseconds.
pub(crate) fn wait(text: &str) -> Result<u32, String> {
    let ms = millis(text).ok().filter(|it| *it <= 60_000);
    ms.ok_or_else(|| format!("`{text}` is not within 1ms and 60s"))
}

/// Reads a time: RFC 3339, a date (its start in UTC), `now`, or a duration, which is
/// counted from `now` in the direction of `sign` (1 or -1).
pub(crate) fn instant(text: &str, now_ms: i64, sign: i64) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::from_unix_ms(now_ms));
    }
    if let Ok(span) = duration(text) {
        let ms = i64::try_from(span.as_millis()).ok().and_then(|it| it.checked_mul(sign));
        let at = ms.and_then(|it| now_ms.checked_add(it)).map(Timestamp::from_unix_ms);
        let at = at.filter(|it| timestamp_from(&timestamp_to(*it)).is_ok());
        return at.ok_or_else(|| format!("`{text}` leads out of the calendar"));
    }
    let date = Date::parse(text, macros::format_description!("[year]-[month]-[day]"));
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| date.map(|it| it.midnight().assume_utc()));
    match at {
        Ok(at) => Ok(Timestamp::from_unix_ms(unix_ms(at))),
        Err(_) => Err(format!(
            "`{text}` is not a time: write for example 24h, 30d, 2026-01-31 or 2026-01-31T12:00:00Z"
        )),
    }
}

fn unix_ms(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000 + i64::from(at.millisecond())
}

/// A time for the wire.
pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    timestamp_to(at)
}

/// A time of the wire, milliseconds since 1970; one outside the calendar is none.
pub(crate) fn timestamp_ms(wire: &prost_types::Timestamp) -> Option<i64> {
    timestamp_from(wire).ok().map(Timestamp::unix_ms)
}

/// A time of the wire in RFC 3339, UTC, to the millisecond where it has a fraction.
pub(crate) fn rfc3339(wire: Option<&prost_types::Timestamp>) -> Option<String> {
    let ms = timestamp_ms(wire?)?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    at.format(&Rfc3339).ok()
}

/// A span as people say it: `<1s`, `42s`, `5m`, `3h`, `12d`.
pub(crate) fn age(ms: i64) -> String {
    match ms.max(0) / 1000 {
        0 => "<1s".to_owned(),
        s if s < 120 => format!("{s}s"),
        s if s < 7_200 => format!("{}m", s / 60),
        s if s < 172_800 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_their_parts() {
        let check = |text, ms| assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        check("500ms", 500);
        check("90s", 90_000);
        check("5m", 300_000);
        check("24h", 86_400_000);
        check("1d12h", 129_600_000);
        check("2w", 1_209_600_000);
        for bad in ["", "5", "h", "1y", "1.5h", "-1h", "1h ", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(millis("0s").is_err() && millis("50d").is_err());
    }

    #[test]
    fn times_are_absolute_or_counted_from_now() {
        const NOW: i64 = 1_700_000_000_000;
        let check = |text, sign, ms| {
            assert_eq!(instant(text, NOW, sign), Ok(Timestamp::from_unix_ms(ms)), "{text}");
        };
        check("1h", -1, NOW - 3_600_000);
        check("1h", 1, NOW + 3_600_000);
        check("now", 1, NOW);
        check("2023-11-14", 1, 1_699_920_000_000);
        check("2023-11-14T22:13:20.5Z", 1, 1_700_000_000_500);
        check("2023-11-14T23:13:20+01:00", 1, NOW);
        for bad in ["", "tomorrow", "2023-13-01", "99999999w"] {
            assert!(instant(bad, NOW, 1).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_is_shown_as_it_is_read() {
        let wire = timestamp(instant("2026-01-31T12:00:00Z", 0, 1).unwrap());
        assert_eq!(rfc3339(Some(&wire)).as_deref(), Some("2026-01-31T12:00:00Z"));
    }

    #[test]
    fn ages_have_one_unit() {
        for (ms, text) in
            [(-5, "<1s"), (999, "<1s"), (119_000, "119s"), (7_199_000, "119m"), (90_000_000, "25h")]
        {
            assert_eq!(age(ms), text);
        }
    }
}
