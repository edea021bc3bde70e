use super::*;
use CalendarPeriod::{Day, Hour, Minute, Month, Week};
use domain::catalog::Measure;
use proptest::prelude::*;
use std::num::NonZeroU64;

fn rule(period: CalendarPeriod, zone: &str, reset_minute: u16) -> Rule {
    let calendar = Box::new(Calendar { zone: zone.into(), reset_minute });
    Rule::Calendar { measure: Measure::Requests, amount: NonZeroU64::MIN, period, calendar }
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_unix_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Period, zone, reset minute, a moment, and the begin and end of its window.
type Case = (CalendarPeriod, &'static str, u16, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    (Minute, "UTC", 0, "2026-08-21T10:11:12.9Z", "2026-08-21T10:11:00Z", "2026-08-21T10:12:00Z"),
    (Hour, "UTC", 0, "2026-08-21T10:00:00Z", "2026-08-21T10:00:00Z", "2026-08-21T11:00:00Z"),
    // Hours of Kathmandu begin a quarter past ours.
    (
        Hour,
        "Asia/Kathmandu",
        0,
        "2026-08-21T10:14:59Z",
        "2026-08-21T09:15:00Z",
        "2026-08-21T10:15:00Z",
    ),
    (
        Day,
        "Asia/Shanghai",
        0,
        "2026-08-21T15:59:59.999Z",
        "2026-08-20T16:00:00Z",
        "2026-08-21T16:00:00Z",
    ),
    (
        Day,
        "Asia/Shanghai",
        0,
        "2026-08-21T16:00:00Z",
        "2026-08-21T16:00:00Z",
        "2026-08-22T16:00:00Z",
    ),
    (
        Day,
        "Asia/Kathmandu",
        0,
        "2026-08-21T18:15:00Z",
        "2026-08-21T18:15:00Z",
        "2026-08-22T18:15:00Z",
    ),
    // From six in the morning on.
    (
        Day,
        "Asia/Shanghai",
        360,
        "2026-08-21T21:59:00Z",
        "2026-08-20T22:00:00Z",
        "2026-08-21T22:00:00Z",
    ),
    // Spring in New York: 23 hours. Autumn: 25.
    (
        Day,
        "America/New_York",
        0,
        "2026-03-08T12:00:00Z",
        "2026-03-08T05:00:00Z",
        "2026-03-09T04:00:00Z",
    ),
    (
        Day,
        "America/New_York",
        0,
        "2026-11-01T12:00:00Z",
        "2026-11-01T04:00:00Z",
        "2026-11-02T05:00:00Z",
    ),
    // Half past two does not come in spring: the day begins at half past three.
    (
        Day,
        "America/New_York",
        150,
        "2026-03-08T07:29:59Z",
        "2026-03-07T07:30:00Z",
        "2026-03-08T07:30:00Z",
    ),
    (
        Day,
        "America/New_York",
        150,
        "2026-03-08T07:30:00Z",
        "2026-03-08T07:30:00Z",
        "2026-03-09T06:30:00Z",
    ),
    // Half past one comes twice in autumn: the first time counts.
    (
        Day,
        "America/New_York",
        90,
        "2026-11-01T05:30:00Z",
        "2026-11-01T05:30:00Z",
        "2026-11-02T06:30:00Z",
    ),
    (
        Day,
        "America/New_York",
        90,
        "2026-11-01T06:30:00Z",
        "2026-11-01T05:30:00Z",
        "2026-11-02T06:30:00Z",
    ),
    // The hour that comes twice is two hours.
    (
        Hour,
        "America/New_York",
        0,
        "2026-11-01T05:59:00Z",
        "2026-11-01T05:00:00Z",
        "2026-11-01T06:00:00Z",
    ),
    (
        Hour,
        "America/New_York",
        0,
        "2026-11-01T06:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-11-01T07:00:00Z",
    ),
    // Midnight itself is skipped.
    (Day, "Asia/Beirut", 0, "2022-03-27T12:00:00Z", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"),
    // Samoa left out the 30th of December 2011.
    (
        Day,
        "Pacific/Apia",
        360,
        "2011-12-30T13:00:00Z",
        "2011-12-29T16:00:00Z",
        "2011-12-30T16:00:00Z",
    ),
    (
        Day,
        "Pacific/Apia",
        360,
        "2011-12-30T16:00:00Z",
        "2011-12-30T16:00:00Z",
        "2011-12-31T16:00:00Z",
    ),
    // A Sunday night, and the Monday after it.
    (
        Week,
        "Asia/Shanghai",
        0,
        "2026-08-23T15:59:59Z",
        "2026-08-16T16:00:00Z",
        "2026-08-23T16:00:00Z",
    ),
    (
        Week,
        "Asia/Shanghai",
        0,
        "2026-08-23T16:00:00Z",
        "2026-08-23T16:00:00Z",
        "2026-08-30T16:00:00Z",
    ),
    (Week, "UTC", 540, "2026-08-24T08:59:59Z", "2026-08-17T09:00:00Z", "2026-08-24T09:00:00Z"),
    // Over the end of a month, of a leap February and of a year.
    (Month, "UTC", 0, "2026-01-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    (Month, "UTC", 0, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    (
        Month,
        "Asia/Shanghai",
        0,
        "2026-12-31T16:00:00Z",
        "2026-12-31T16:00:00Z",
        "2027-01-31T16:00:00Z",
    ),
    (
        Month,
        "America/New_York",
        60,
        "2026-03-01T05:59:00Z",
        "2026-02-01T06:00:00Z",
        "2026-03-01T06:00:00Z",
    ),
    (
        Month,
        "America/New_York",
        60,
        "2026-03-31T05:00:00Z",
        "2026-03-01T06:00:00Z",
        "2026-04-01T05:00:00Z",
    ),
];

#[test]
fn windows_are_those_of_the_wall() {
    for (period, zone, reset, moment, start, end) in CASES {
        let window = window_at(&rule(*period, zone, *reset), at(moment)).unwrap();
        let expected = Window { id: WindowId(at(start).unix_ms() / 1_000), ends_at: Some(at(end)) };
        assert_eq!(window, expected, "{period:?} {zone} {reset} {moment}");
    }
}

#[test]
fn a_grant_has_one_window_and_a_rate_none() {
    let amount = NonZeroU64::MIN;
    let measure = Measure::Requests;
    let for_ever = Window { id: WindowId(0), ends_at: None };
    let now = at("2026-08-21T10:11:12Z");
    assert_eq!(window_at(&Rule::Grant { measure, amount }, now), Some(for_ever));
    let period = domain::catalog::Period::Day;
    assert_eq!(window_at(&Rule::Bucket { measure, amount, period }, now), None);
    assert_eq!(window_at(&Rule::InFlight { most: amount }, now), None);
}

#[test]
fn zones_are_written_as_their_list_has_them() {
    assert_eq!(zone("asia/shanghai").as_deref(), Some("Asia/Shanghai"));
    assert_eq!(zone("UTC").as_deref(), Some("UTC"));
    for unknown in ["", "Mars/Olympus", "Etc/Unknown", "+08:00", "../UTC"] {
        assert_eq!(zone(unknown), None, "{unknown}");
    }
}

proptest! {
    /// Every moment lies in its window, and the window's own ends lie where they say.
    #[test]
    fn windows_are_whole_and_follow_each_other(
        seconds in 1_000_000_000i64..4_000_000_000,
        reset in 0u16..1_440,
        zone in prop::sample::select(vec![
            "UTC", "Asia/Shanghai", "America/New_York", "Asia/Kathmandu", "Europe/London",
            "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia",
        ]),
        period in prop::sample::select(vec![Day, Week, Month]),
    ) {
        let rule = rule(period, zone, reset);
        let moment = Timestamp::from_unix_ms(seconds * 1_000);
        let window = window_at(&rule, moment).unwrap();
        let end = window.ends_at.unwrap();
        prop_assert!(window.id.0 <= seconds && moment < end);
        let first = Timestamp::from_unix_ms(window.id.0 * 1_000);
        prop_assert_eq!(window_at(&rule, first), Some(window));
        let last = Timestamp::from_unix_ms(end.unix_ms() - 1);
        prop_assert_eq!(window_at(&rule, last), Some(window));
        let next = window_at(&rule, end).unwrap();
        prop_assert_eq!(next.id.0 * 1_000, end.unix_ms());
    }
}
