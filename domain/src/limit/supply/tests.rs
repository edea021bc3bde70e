use super::*;
use crate::{
    catalog::{Action, Calendar, CalendarPeriod, Mode, Period, Subject, Weights},
    id::LimitId,
    tokens::Tokens,
};
use proptest::prelude::*;
use std::num::NonZeroU64;
use uuid::Uuid;

const TOKENS: Measure =
    Measure::Tokens(Weights { input: 100, cached_input: 100, cache_write: 100, output: 100 });

fn supply(rule: Rule) -> Option<Supply> {
    Supply::of(&Limit {
        id: LimitId::from_uuid(Uuid::from_u128(9)),
        generation: 0,
        subject: Subject::Everything,
        rule: rule.into(),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    })
}

fn some(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

fn bucket(measure: Measure, amount: u64, period: Period) -> Rule {
    Rule::Bucket { measure, amount: some(amount), period }
}

fn strict(measure: Measure, amount: u64, period: Period) -> Rule {
    Rule::WindowStrict { measure, amount: some(amount), period }
}

/// Rate and burst.
fn flow_of(rule: Rule) -> (u64, u64) {
    let Some(Supply::Flow { rate_nano, burst_milli }) = supply(rule) else {
        panic!("not a flow");
    };
    (rate_nano, burst_milli)
}

#[test]
fn rates_are_slowed_by_what_clocks_may_drift_and_bursts_are_whole() {
    for (rule, rate_nano, burst_milli) in [
        // 1 per second, divided by 1.0005.
        (bucket(Measure::Requests, 60, Period::Minute), 999_500_249, 60_000),
        (bucket(TOKENS, 100_000, Period::Minute), 1_665_833_749_791, 100_000_000),
        (bucket(TOKENS, 900_000_000, Period::Minute), 14_992_503_748_125_937, 900_000_000_000),
        (bucket(Measure::Requests, 1, Period::Day), 11_568, 1_000),
        (bucket(Measure::Requests, 3_600, Period::Hour), 999_500_249, 3_600_000),
        // Ten dollars an hour, in micro-dollars.
        (bucket(Measure::Cost, 10_000_000, Period::Hour), 2_776_389_582_986, 10_000_000_000),
        (strict(Measure::Requests, 60, Period::Minute), 899_550_224, 6_000),
        (strict(TOKENS, 100_000, Period::Minute), 1_499_250_374_812, 10_000_000),
        (strict(Measure::Requests, 9, Period::Minute), 133_266_699, 1_000),
        (strict(Measure::Requests, 1, Period::Minute), 16_658_337, 1_000),
        (strict(Measure::Cost, 1, Period::Minute), 8_329_168, 500),
    ] {
        assert_eq!(flow_of(rule.clone()), (rate_nano, burst_milli), "{rule:?}");
    }
}

#[test]
fn what_does_not_flow_is_seats_or_a_window_or_nothing() {
    let calendar = Rule::Calendar {
        measure: Measure::Cost,
        amount: some(500_000_000),
        period: CalendarPeriod::Month,
        calendar: Box::new(Calendar::default()),
    };
    let window = |total_milli| Some(Supply::Window { total_milli });
    assert_eq!(supply(calendar), window(500_000_000_000));
    let grant = Rule::Grant { measure: TOKENS, amount: some(1_000_000) };
    assert_eq!(supply(grant), window(1_000_000_000));
    let seats = supply(Rule::InFlight { most: some(7) });
    assert_eq!(seats, Some(Supply::Seats { total_milli: 7_000 }));
    assert_eq!(seats.unwrap().largest_milli(), 7_000);
    assert_eq!(supply(Rule::TokensPerRequest { most: some(7) }), None);
}

#[test]
fn amounts_at_the_end_of_the_numbers_do_no_harm() {
    for period in [Period::Minute, Period::Hour, Period::Day] {
        for amount in [u64::MAX, u64::MAX - 1, u64::MAX / MILLI + 1] {
            let (_, burst) = flow_of(bucket(TOKENS, amount, period));
            assert_eq!(burst, u64::MAX);
            let (_, burst) = flow_of(strict(TOKENS, amount, period));
            assert!(burst <= u64::MAX / 10, "{burst}");
        }
    }
    let grant = Rule::Grant { measure: TOKENS, amount: some(u64::MAX) };
    assert_eq!(supply(grant).unwrap().largest_milli(), u64::MAX);
    let all = Tokens { input: u64::MAX, output: u64::MAX, ..Tokens::default() };
    let heavy = Weights { input: 1_000, cached_input: 1_000, cache_write: 1_000, output: 1_000 };
    assert_eq!(take_milli(Measure::Tokens(heavy), all, 0), u64::MAX);
}

#[test]
fn each_kind_of_token_counts_by_its_weight_and_once() {
    let tokens =
        Tokens { input: 1_000, cached_input: 600, cache_write: 100, output: 50, reasoning: 20 };
    let cached = Weights { cached_input: 10, ..Weights::default() };
    for (weights, milli) in [
        (Weights::default(), 1_050_000),
        (cached, 300_000 + 60_000 + 100_000 + 50_000),
        (Weights { input: 0, cached_input: 0, cache_write: 0, output: 100 }, 50_000),
        (Weights { cache_write: 125, output: 400, ..cached }, 300_000 + 60_000 + 125_000 + 200_000),
        (Weights { input: 0, cached_input: 1, cache_write: 0, output: 0 }, 6_000),
    ] {
        assert_eq!(take_milli(Measure::Tokens(weights), tokens, 9), milli, "{weights:?}");
    }
    assert_eq!(take_milli(Measure::Requests, tokens, 9), 1_000);
    assert_eq!(take_milli(Measure::Cost, tokens, 9), 9);
    // More cached than there was is what there was.
    let odd = Tokens { input: 10, cached_input: 20, cache_write: 20, ..Tokens::default() };
    assert_eq!(take_milli(Measure::Tokens(cached), odd, 0), 1_000);
}

proptest! {
    #[test]
    fn a_rate_is_never_faster_than_was_asked(
        amount in 1..=u64::MAX,
        period in prop::sample::select(vec![Period::Minute, Period::Hour, Period::Day]),
    ) {
        let (rate_nano, burst_milli) = flow_of(bucket(TOKENS, amount, period));
        let in_period = u128::from(rate_nano) * u128::from(period.seconds());
        // In billionths; drift of clocks included.
        prop_assert!(in_period * 1_000_500 <= u128::from(amount) * 1_000_000_000 * 1_000_000);
        prop_assert!(burst_milli <= amount.saturating_mul(1_000));
    }

    #[test]
    fn no_stretch_of_a_strict_window_sees_more_than_its_amount(
        amount in 1..5_000_000_000u64,
        period in prop::sample::select(vec![Period::Minute, Period::Hour, Period::Day]),
        requests in any::<bool>(),
    ) {
        let measure = if requests { Measure::Requests } else { TOKENS };
        let (rate_nano, burst_milli) = flow_of(strict(measure, amount, period));
        let drifted = u128::from(rate_nano) * u128::from(period.seconds()) * 1_000_500 / 1_000_000;
        let most_nano = u128::from(burst_milli) * 1_000_000 + drifted;
        // Requests come whole.
        let most = if requests { most_nano / 1_000_000_000 * 1_000_000_000 } else { most_nano };
        let asked = u128::from(amount) * 1_000_000_000;
        prop_assert!(most <= asked.max(1_000_000_000), "{most} of {asked}");
        prop_assert!(0 < rate_nano, "nothing would ever come back");
        prop_assert!(asked * 4 / 5 <= most_nano, "{most_nano} of {asked}");
    }

    #[test]
    fn a_request_by_request_count_of_a_strict_window_stays_within_it(
        amount in 1..200u64,
        pauses in prop::collection::vec(0..4_000_000u64, 1..300),
    ) {
        let (rate_nano, burst_milli) = flow_of(strict(Measure::Requests, amount, Period::Minute));
        let (full, mut level) = (u128::from(burst_milli) * 1_000_000_000_000, 0u128);
        let (mut now, mut let_through) = (0u64, Vec::new());
        level += full;
        for pause in pauses {
            now += pause;
            level = (level + u128::from(rate_nano) * u128::from(pause)).min(full);
            while 1_000_000_000_000_000 <= level {
                level -= 1_000_000_000_000_000;
                let_through.push(now);
            }
        }
        for (place, from) in let_through.iter().enumerate() {
            let within = let_through[place..].iter().take_while(|at| **at <= from + 60_000_000);
            prop_assert!(within.count() as u64 <= amount);
        }
    }
}
