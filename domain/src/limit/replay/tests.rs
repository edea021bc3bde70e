use super::*;
use crate::{
    catalog::{Action, Calendar, CalendarPeriod, Mode, Period, Subject, Weights},
    id::LimitId,
};
use std::num::NonZeroU64;
use uuid::Uuid;

const HOUR_MS: i64 = 3_600_000;

fn some(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

fn limit(rule: Rule) -> Limit {
    Limit {
        id: LimitId::from_uuid(Uuid::from_u128(9)),
        generation: 0,
        subject: Subject::Everything,
        rule: rule.into(),
        mode: Mode::Strict,
        action: Action::Shadow,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    }
}

fn key(number: u128) -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(number))
}

fn record(ms: i64) -> Record {
    Record {
        started_at: Timestamp::from_unix_ms(ms),
        duration_ms: 1_000,
        tokens: Tokens { input: 60, output: 40, ..Tokens::default() },
        cost_nanousd: 2_500,
        key: key(1),
    }
}

fn no_calendar(_: Timestamp) -> WindowId {
    panic!("nobody asks for a window")
}

/// Whole hours since the Unix epoch.
fn hours(at: Timestamp) -> WindowId {
    WindowId(at.unix_ms().div_euclid(HOUR_MS) * 3_600)
}

/// Feeds requests that begin at these milliseconds.
fn fed<W: FnMut(Timestamp) -> WindowId>(rule: Rule, window_of: W, ms: &[i64]) -> Vec<bool> {
    let mut replay = Replay::new(&limit(rule), window_of);
    ms.iter().map(|ms| replay.feed(&record(*ms))).collect()
}

fn per_minute(measure: Measure, amount: u64) -> Rule {
    Rule::Bucket { measure, amount: some(amount), period: Period::Minute }
}

#[test]
fn a_bucket_begins_full_and_fills_steadily() {
    let rule = || per_minute(Measure::Requests, 2);
    assert_eq!(fed(rule(), no_calendar, &[0, 0, 0]), [true, true, false]);
    // Half a minute, and the little by which clocks may drift.
    assert_eq!(fed(rule(), no_calendar, &[0, 0, 30_000]), [true, true, false]);
    assert_eq!(fed(rule(), no_calendar, &[0, 0, 30_016]), [true, true, true]);
    let later = [0, 0, 3 * HOUR_MS, 3 * HOUR_MS, 3 * HOUR_MS];
    assert_eq!(fed(rule(), no_calendar, &later), [true, true, true, true, false]);
}

#[test]
fn refusals_take_nothing() {
    let ms: Vec<_> = (0..3_003).map(|it| it * 10).collect();
    let admitted = fed(per_minute(Measure::Requests, 2), no_calendar, &ms);
    assert_eq!(admitted.iter().filter(|it| **it).count(), 3);
    assert_eq!(admitted.last(), Some(&true));
}

#[test]
fn tokens_count_by_their_weight_and_money_by_its_cost() {
    let whole = Measure::Tokens(Weights::default());
    assert_eq!(fed(per_minute(whole, 250), no_calendar, &[0, 0, 0]), [true, true, false]);
    let output = Measure::Tokens(Weights { input: 0, ..Weights::default() });
    assert_eq!(fed(per_minute(output, 80), no_calendar, &[0, 0, 0]), [true, true, false]);
    // 2.5 micro-dollars each.
    assert_eq!(fed(per_minute(Measure::Cost, 5), no_calendar, &[0, 0, 0]), [true, true, false]);
    assert_eq!(fed(per_minute(whole, 99), no_calendar, &[0, HOUR_MS]), [false, false]);
}

#[test]
fn a_window_of_the_calendar_begins_anew_and_a_grant_does_not() {
    let measure = Measure::Requests;
    let calendar = Rule::Calendar {
        measure,
        amount: some(1),
        period: CalendarPeriod::Hour,
        calendar: Box::new(Calendar::default()),
    };
    let ms = [HOUR_MS - 2, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS];
    assert_eq!(fed(calendar, hours, &ms), [true, false, true, false, true]);
    let grant = Rule::Grant { measure, amount: some(2) };
    assert_eq!(fed(grant, no_calendar, &ms), [true, true, false, false, false]);
}

#[test]
fn seats_are_free_again_when_a_request_ends() {
    let rule = Rule::InFlight { most: some(2) };
    let ms = [0, 500, 999, 1_000, 1_499, 1_500];
    assert_eq!(fed(rule, no_calendar, &ms), [true, true, false, true, false, true]);
}

#[test]
fn a_request_may_be_as_large_as_that() {
    let rule = |most| Rule::TokensPerRequest { most: some(most) };
    assert_eq!(fed(rule(100), no_calendar, &[0, 0]), [true, true]);
    assert_eq!(fed(rule(99), no_calendar, &[0, 0]), [false, false]);
}

#[test]
fn it_says_how_many_when_first_and_whose() {
    let mut replay = Replay::new(&limit(per_minute(Measure::Requests, 2)), no_calendar);
    for (ms, number) in [(5, 1), (6, 2), (7, 2), (9, 1), (10, 2)] {
        replay.feed(&Record { key: key(number), ..record(ms) });
    }
    let first = |ms| Some(Timestamp::from_unix_ms(ms));
    assert_eq!(replay.all(), Tally { admitted: 2, refused: 3, first_refused: first(7) });
    let keys: Vec<_> = replay.keys().iter().map(|(key, tally)| (*key, *tally)).collect();
    assert_eq!(
        keys,
        [
            (key(1), Tally { admitted: 1, refused: 1, first_refused: first(9) }),
            (key(2), Tally { admitted: 1, refused: 2, first_refused: first(7) }),
        ]
    );
}

#[test]
fn what_is_out_of_order_counts_as_begun_with_the_one_before() {
    let ms = [60_000, 60_000, 0, 90_020];
    let admitted = fed(per_minute(Measure::Requests, 2), no_calendar, &ms);
    assert_eq!(admitted, [true, true, false, true]);
}

#[test]
fn amounts_and_times_at_the_end_of_the_numbers_do_no_harm() {
    let mut replay = Replay::new(&limit(per_minute(Measure::Cost, u64::MAX)), no_calendar);
    let dear = |ms| Record { cost_nanousd: u64::MAX, duration_ms: u64::MAX, ..record(ms) };
    assert!(replay.feed(&dear(i64::MIN)));
    assert!(replay.feed(&dear(i64::MAX)));
    assert!(!replay.feed(&dear(i64::MAX)));
    let mut seats = Replay::new(&limit(Rule::InFlight { most: some(1) }), no_calendar);
    assert!(seats.feed(&dear(0)));
    assert!(!seats.feed(&dear(i64::MAX - 1)));
}
