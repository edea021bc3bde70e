use super::*;
use crate::{
    catalog::{Calendar, CalendarPeriod, Mode, Period, Subject},
    fixture::limit,
};
use proptest::prelude::*;
use std::num::NonZeroU64;

const PRICE: Price = Price {
    input: 150_000_000,
    cached_input: 75_000_000,
    cache_write: 187_500_000,
    output: 600_000_000,
};

const CHAT: Estimate = Estimate {
    input_tokens: 10,
    asked_output: None,
    price: Some(PRICE),
    model_output: None,
    default_output: 4_096,
    takes_output: true,
};

fn of(rule: Rule) -> Limit {
    limit(1, Subject::Everything, rule)
}

fn amount(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

fn bucket(measure: Measure, per_minute: u64) -> Limit {
    of(Rule::Bucket { measure, amount: amount(per_minute), period: Period::Minute })
}

fn tpm(per_minute: u64) -> Limit {
    bucket(Measure::Tokens(Weights::default()), per_minute)
}

fn weighted(weights: Weights, per_minute: u64) -> Limit {
    bucket(Measure::Tokens(weights), per_minute)
}

fn per_request(most: u64) -> Limit {
    of(Rule::TokensPerRequest { most: amount(most) })
}

fn grant(measure: Measure, total: u64) -> Limit {
    of(Rule::Grant { measure, amount: amount(total) })
}

fn shadow(limit: Limit) -> Limit {
    Limit { action: Action::Shadow, ..limit }
}

fn asked(limits: &[Limit], estimate: Estimate) -> Result<Demand, Unfit> {
    demand(&limits.iter().collect::<Vec<_>>(), &estimate)
}

#[test]
fn requests_are_counted_whole_and_nothing_is_told_to_the_provider_for_them() {
    let seats = of(Rule::InFlight { most: amount(4) });
    let demand = asked(&[bucket(Measure::Requests, 60), seats], CHAT).unwrap();
    let expected = Demand { output_tokens: 4_096, inject_output: None, asks: vec![1_000, 1_000] };
    assert_eq!(demand, expected);
}

#[test]
fn a_stated_maximum_is_kept_and_a_known_model_comes_before_the_default() {
    let out = |estimate| {
        let it = asked(&[tpm(100_000)], estimate).unwrap();
        (it.output_tokens, it.inject_output, it.asks)
    };
    assert_eq!(out(CHAT), (4_096, Some(4_096), vec![4_106_000]));
    let known = Estimate { model_output: Some(900), ..CHAT };
    assert_eq!(out(known), (900, Some(900), vec![910_000]));
    let stated = Estimate { asked_output: Some(5_000), ..known };
    assert_eq!(out(stated), (5_000, None, vec![5_010_000]));
}

#[test]
fn an_embedding_pays_for_its_input_only() {
    let estimate = Estimate { takes_output: false, asked_output: Some(50), ..CHAT };
    let demand = asked(&[tpm(100), per_request(10)], estimate).unwrap();
    assert_eq!(demand, Demand { output_tokens: 0, inject_output: None, asks: vec![10_000; 2] });
}

// LiteLLM #28805, #29191, #29193: an output floor of 1,024 tokens made every key of a
// small limit refuse for ever.
#[test]
fn a_small_limit_of_tokens_does_not_refuse_the_first_small_request() {
    let demand = asked(&[tpm(100)], CHAT).unwrap();
    assert_eq!((demand.output_tokens, demand.inject_output), (90, Some(90)));
    assert_eq!(demand.asks, [100_000]);
}

// LiteLLM #34223, #37001: `max_tokens: 1` hid `max_completion_tokens: 10000`. The larger
// of the two is what the estimate states; it is reserved whole.
#[test]
fn the_larger_of_two_stated_maxima_is_reserved() {
    let stated = Estimate { asked_output: Some(10_000), ..CHAT };
    assert_eq!(asked(&[tpm(100_000)], stated).unwrap().asks, [10_010_000]);
    let unfit = asked(&[tpm(5_000)], stated).unwrap_err();
    let expected = Unfit::NeverFits { limit: 0, largest_milli: 5_000_000, asked_milli: 10_010_000 };
    assert_eq!(unfit, expected);
}

// Review of LiteLLM #27001: requests without content that can be estimated passed
// unlimited.
#[test]
fn a_request_without_content_still_counts() {
    let nothing = Estimate { input_tokens: 0, ..CHAT };
    let embedding = Estimate { takes_output: false, ..nothing };
    let limits = [tpm(100_000), bucket(Measure::Cost, 1_000_000), bucket(Measure::Requests, 1)];
    for asks in [asked(&limits, nothing), asked(&limits, embedding)].map(|it| it.unwrap().asks) {
        assert!(asks.iter().all(|it| *it > 0), "{asks:?}");
    }
}

// LiteLLM #17664: only one of input and output was counted.
#[test]
fn input_and_output_are_both_counted() {
    let tokens = Tokens { input: 700, output: 300, ..Tokens::default() };
    assert_eq!(used_milli(&tpm(5_000), tokens, None), 1_000_000);
    let stated = Estimate { input_tokens: 700, asked_output: Some(300), ..CHAT };
    assert_eq!(asked(&[tpm(5_000)], stated).unwrap().asks, [1_000_000]);
}

#[test]
fn an_unstated_maximum_fits_the_tightest_limit() {
    let dollars = |micro| bucket(Measure::Cost, micro);
    for (limits, output) in [
        (vec![tpm(1_000), per_request(500)], 490),
        (vec![tpm(400), per_request(500)], 390),
        // 10 input tokens at the dearest 187.5 and 600 nano-dollars for each of output.
        (vec![tpm(1_000), dollars(100)], (100_000 - 1_875) / 600),
        (vec![grant(Measure::Tokens(Weights::default()), 60), tpm(1_000)], 50),
        // The prompt fits just with one token of output.
        (vec![tpm(11)], 1),
        (vec![per_request(11)], 1),
    ] {
        let demand = asked(&limits, CHAT).unwrap();
        assert_eq!((demand.output_tokens, demand.inject_output), (output, Some(output)));
    }
}

#[test]
fn what_can_never_fit_says_which_limit_and_why() {
    let long = Estimate { input_tokens: 100, ..CHAT };
    let stated = Estimate { asked_output: Some(50), ..long };
    let requests = bucket(Measure::Requests, 1);
    let never = |asked_milli| Unfit::NeverFits { limit: 1, largest_milli: 100_000, asked_milli };
    let too_many = |estimated| Unfit::TooManyTokens { limit: 1, most: 100, estimated };
    for (limit, estimate, unfit) in [
        (tpm(100), long, never(101_000)),
        (tpm(100), stated, never(150_000)),
        (per_request(100), long, too_many(101)),
        (per_request(100), stated, too_many(150)),
        (
            bucket(Measure::Cost, 1),
            long,
            Unfit::NeverFits { limit: 1, largest_milli: 1_000, asked_milli: 18_750 + 600 },
        ),
        (
            bucket(Measure::Cost, 1_000_000),
            Estimate { price: None, ..long },
            Unfit::Unpriced { limit: 1 },
        ),
    ] {
        assert_eq!(asked(&[requests.clone(), limit], estimate), Err(unfit));
    }
}

#[test]
fn a_shadow_refuses_nothing_and_changes_nothing() {
    let limits = [tpm(100), per_request(50), bucket(Measure::Cost, 1)].map(shadow);
    let stated = Estimate { asked_output: Some(5_000), price: None, ..CHAT };
    let demand = asked(&limits, stated).unwrap();
    assert_eq!((demand.output_tokens, demand.inject_output), (5_000, None));
    assert_eq!(demand.asks, [5_010_000, 5_010_000, 0]);
    // Enforced, it would have made the maximum smaller: so it is asked for that.
    let demand = asked(&limits, CHAT).unwrap();
    assert_eq!((demand.output_tokens, demand.inject_output), (4_096, None));
    assert_eq!(demand.asks[0], 100_000);
}

#[test]
fn output_that_counts_nothing_is_neither_clamped_nor_told() {
    let free_output = weighted(Weights { output: 0, ..Weights::default() }, 20);
    let demand = asked(&[free_output], CHAT).unwrap();
    assert_eq!((demand.inject_output, demand.asks), (None, vec![10_000]));
}

#[test]
fn tokens_are_asked_by_the_dearest_kind_of_input() {
    let weights = Weights { input: 100, cached_input: 10, cache_write: 125, output: 200 };
    let stated = Estimate { asked_output: Some(4), ..CHAT };
    let demand = asked(&[weighted(weights, 1_000)], stated).unwrap();
    assert_eq!(demand.asks, [10 * 1_250 + 4 * 2_000]);
}

#[test]
fn a_rate_that_sets_a_share_aside_lets_through_that_much_less_at_once() {
    let available = |it| Limit { mode: Mode::Availability, ..it };
    assert_eq!(largest_milli(&tpm(1_001)), Some(1_001_000));
    assert_eq!(largest_milli(&available(tpm(1_001))), Some(900_900));
    // But never less than one, which would be none.
    for least in [
        bucket(Measure::Requests, 1),
        of(Rule::WindowStrict {
            measure: Measure::Requests,
            amount: amount(15),
            period: Period::Minute,
        }),
    ] {
        assert_eq!(largest_milli(&available(least)), Some(MILLI));
    }
    let total = grant(Measure::Requests, 10);
    assert_eq!(largest_milli(&available(total)), Some(10_000));
    assert_eq!(largest_milli(&per_request(7)), None);
    assert_eq!(asked(&[available(tpm(1_000))], CHAT).unwrap().asks, [900_000]);
}

#[test]
fn what_runs_at_once_and_tokens_per_request_are_not_used_up() {
    let tokens = Tokens { input: 5, output: 5, ..Tokens::default() };
    let seats = of(Rule::InFlight { most: amount(4) });
    assert_eq!(used_milli(&seats, tokens, Some(PRICE)), 0);
    assert_eq!(used_milli(&per_request(9), tokens, Some(PRICE)), 0);
    assert_eq!(used_milli(&bucket(Measure::Requests, 60), Tokens::default(), None), 1_000);
    assert_eq!(used_milli(&bucket(Measure::Cost, 60), tokens, Some(PRICE)), 3_750);
}

fn any_weights() -> impl Strategy<Value = Weights> {
    [0..=1_000u16, 0..=1_000, 0..=1_000, 0..=1_000].prop_map(|[input, cached, write, output]| {
        Weights { input, cached_input: cached, cache_write: write, output }
    })
}

fn any_amount() -> impl Strategy<Value = NonZeroU64> {
    let most = 4_000_000_000_000_000u64;
    prop_oneof![1..200u64, 1_000..1_000_000u64, Just(most)].prop_map(amount)
}

fn any_limit() -> impl Strategy<Value = Limit> {
    let measure = prop_oneof![
        Just(Measure::Requests),
        any_weights().prop_map(Measure::Tokens),
        Just(Measure::Cost),
    ];
    let rule = (measure, any_amount(), 0..6u8).prop_map(|(measure, amount, kind)| match kind {
        0 => Rule::Bucket { measure, amount, period: Period::Minute },
        1 => Rule::WindowStrict { measure, amount, period: Period::Hour },
        2 => Rule::Calendar {
            measure,
            amount,
            period: CalendarPeriod::Day,
            calendar: Box::new(Calendar::default()),
        },
        3 => Rule::Grant { measure, amount },
        4 => Rule::TokensPerRequest { most: amount },
        _ => Rule::InFlight { most: amount },
    });
    (rule, any::<bool>(), any::<bool>()).prop_map(|(rule, shadow, available)| Limit {
        action: if shadow { Action::Shadow } else { Action::Enforce },
        mode: if available { Mode::Availability } else { Mode::Strict },
        ..of(rule)
    })
}

fn any_price() -> impl Strategy<Value = Price> {
    let each = || prop_oneof![Just(0u64), 1..2_000_000_000u64, Just(1_000_000_000_000_000)];
    (each(), each(), each(), each()).prop_map(|(input, cached_input, cache_write, output)| Price {
        input,
        cached_input,
        cache_write,
        output,
    })
}

fn any_estimate() -> impl Strategy<Value = Estimate> {
    let tokens = || prop_oneof![0..50u64, 0..100_000u64, Just(u64::MAX)];
    let some = || prop::option::of(tokens());
    (tokens(), some(), prop::option::of(any_price()), some(), tokens(), any::<bool>()).prop_map(
        |(input_tokens, asked_output, price, model_output, default_output, takes_output)| {
            Estimate {
                input_tokens,
                asked_output,
                price,
                model_output,
                default_output,
                takes_output,
            }
        },
    )
}

/// Of a whole, in thousandths; often all of it.
fn any_part() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_000u64), 0..=1_000u64]
}

/// Tokens that an estimate allows: parts of the whole, in thousandths.
fn used(input: u64, output: u64, parts: [u64; 4]) -> Tokens {
    let part =
        |of: u64, part: u64| u64::try_from(u128::from(of) * u128::from(part) / 1_000).unwrap();
    let input = part(input, parts[0]);
    let cached_input = part(input, parts[1]);
    let cache_write = part(input - cached_input, parts[2]);
    Tokens { input, cached_input, cache_write, output: part(output, parts[3]), reasoning: 0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_asked_covers_what_is_used(
        limits in prop::collection::vec(any_limit(), 0..6),
        estimate in any_estimate(),
        parts in [any_part(), any_part(), any_part(), any_part()],
    ) {
        if let Ok(demand) = asked(&limits, estimate) {
            let tokens = used(estimate.input_tokens, demand.output_tokens, parts);
            prop_assert_eq!(demand.asks.len(), limits.len());
            let enforced = |it: &(&Limit, &u64)| it.0.action == Action::Enforce;
            for (limit, ask) in limits.iter().zip(&demand.asks).filter(enforced) {
                let used = used_milli(limit, tokens, estimate.price);
                prop_assert!(used <= *ask, "{used} of {ask}: {limit:?}");
                prop_assert!(largest_milli(limit).is_none_or(|it| *ask <= it.max(1_000)));
            }
        }
    }

    #[test]
    fn an_unstated_maximum_is_refused_only_when_one_token_would_be(
        limits in prop::collection::vec(any_limit(), 0..6),
        estimate in any_estimate(),
    ) {
        let open = Estimate { asked_output: None, takes_output: true, ..estimate };
        let least = Estimate { asked_output: Some(1), ..open };
        let (open_demand, least) = (asked(&limits, open), asked(&limits, least));
        prop_assert_eq!(open_demand.is_ok(), least.is_ok());
        if let Ok(demand) = open_demand {
            // Stated, the same maximum fits too, and one more would not or is not usual.
            let stated = |output| asked(&limits, Estimate { asked_output: Some(output), ..open });
            prop_assert!(stated(demand.output_tokens).is_ok());
            let usual = open.model_output.unwrap_or(open.default_output).max(1);
            prop_assert!(demand.output_tokens <= usual);
            if demand.output_tokens < usual {
                prop_assert!(stated(demand.output_tokens + 1).is_err());
            }
        }
    }

    #[test]
    fn shadows_never_decide(
        limits in prop::collection::vec(any_limit(), 0..6),
        estimate in any_estimate(),
    ) {
        let kept: Vec<_> =
            limits.iter().filter(|it| it.action == Action::Enforce).cloned().collect();
        let with = asked(&limits, estimate).map(|it| (it.output_tokens, it.inject_output));
        let without = asked(&kept, estimate).map(|it| (it.output_tokens, it.inject_output));
        prop_assert_eq!(with.is_ok(), without.is_ok());
        if let (Ok(with), Ok(without)) = (with, without) {
            prop_assert_eq!(with, without);
        }
    }
}
