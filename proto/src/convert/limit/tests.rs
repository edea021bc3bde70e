use super::*;
use domain::catalog::{Calendar, CalendarPeriod, Measure, Period, Weights};
use std::num::NonZeroU64;
use uuid::Uuid;

fn parts() -> LimitParts {
    LimitParts { id: LimitId::from_uuid(Uuid::from_u128(1)), generation: 4 }
}

fn amount(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

/// A rule of every shape.
fn rules() -> Vec<Rule> {
    let odd = Weights { input: 100, cached_input: 10, cache_write: 0, output: 1_000 };
    let measures = [
        Measure::Requests,
        Measure::Tokens(Weights::default()),
        Measure::Tokens(odd),
        Measure::Cost,
    ];
    let mut rules =
        vec![Rule::TokensPerRequest { most: amount(4_000) }, Rule::InFlight { most: amount(1) }];
    for measure in measures {
        rules.push(Rule::Grant { measure, amount: amount(1_000_000_000_000_000) });
        for period in [Period::Minute, Period::Hour, Period::Day] {
            rules.push(Rule::Bucket { measure, amount: amount(60), period });
            rules.push(Rule::WindowStrict { measure, amount: amount(60), period });
        }
        for (period, reset_minute) in [
            (CalendarPeriod::Minute, 0),
            (CalendarPeriod::Hour, 0),
            (CalendarPeriod::Day, 1_439),
            (CalendarPeriod::Week, 0),
            (CalendarPeriod::Month, 510),
        ] {
            let calendar =
                Box::new(Calendar { zone: "America/Port-au-Prince".into(), reset_minute });
            rules.push(Rule::Calendar { measure, amount: amount(60), period, calendar });
        }
    }
    rules
}

fn subjects() -> Vec<Subject> {
    let id = Uuid::from_u128(7);
    vec![
        Subject::Everything,
        Subject::Key(KeyId::from_uuid(id)),
        Subject::Team(TeamId::from_uuid(id)),
        Subject::Alias("openai/gpt-5".into()),
        Subject::KeyAlias(KeyId::from_uuid(id), "smart".into()),
        Subject::Provider("openai".parse().unwrap()),
        Subject::Account(AccountId::from_uuid(id)),
        Subject::AccountModel(AccountId::from_uuid(id), "org/m:1".parse().unwrap()),
    ]
}

fn limit(subject: Subject, rule: Rule) -> Limit {
    let counted = !matches!(rule, Rule::TokensPerRequest { .. });
    let parts = parts();
    Limit {
        id: parts.id,
        generation: parts.generation,
        switch_percent: (counted && !subject.is_callers()).then_some(99),
        subject,
        rule: rule.into(),
        mode: Mode::Availability,
        action: Action::Shadow,
        warn_percent: counted.then_some(80),
        queue_ms: if counted { 60_000 } else { 0 },
    }
}

#[test]
fn every_subject_with_every_rule_survives_the_wire() {
    for subject in subjects() {
        for rule in rules() {
            let limit = limit(subject.clone(), rule);
            let wire = limit_to(&limit, &ById);
            assert_eq!(limit_from(&wire, parts(), &mut ById), Ok(limit));
        }
    }
}

fn everything() -> Option<v1::LimitSubject> {
    Some(subject_to(&Subject::Everything, &ById))
}

fn requests(period: v1::LimitPeriod, profile: v1::LimitProfile) -> v1::Limit {
    v1::Limit {
        subject: everything(),
        measure: v1::LimitMeasure::Requests.into(),
        amount: 5,
        period: period.into(),
        profile: profile.into(),
        ..Default::default()
    }
}

#[test]
fn a_period_has_its_usual_profile_and_a_limit_its_usual_ways() {
    use v1::LimitPeriod as P;
    for period in [P::Minute, P::Hour, P::Day, P::Week, P::Month, P::Forever] {
        let wire = requests(period, v1::LimitProfile::Unspecified);
        let read = limit_from(&wire, parts(), &mut ById).unwrap();
        let expected = match period {
            P::Minute | P::Hour => matches!(*read.rule, Rule::Bucket { .. }),
            P::Day | P::Week | P::Month => {
                matches!(&*read.rule, Rule::Calendar { calendar, .. } if **calendar == Calendar::default())
            }
            P::Forever | P::Unspecified => matches!(*read.rule, Rule::Grant { .. }),
        };
        assert!(expected, "{read:?}");
        assert_eq!((read.mode, read.action), (Mode::Strict, Action::Enforce));
        assert_eq!((read.warn_percent, read.switch_percent, read.queue_ms), (None, None, 0));
    }
}

fn wrong(wire: &v1::Limit) -> Vec<String> {
    let wrong = limit_from(wire, parts(), &mut ById).unwrap_err();
    wrong.into_iter().map(|it| it.field).collect()
}

#[test]
fn what_does_not_go_together_is_named_by_its_field() {
    use v1::{LimitMeasure as M, LimitPeriod as P, LimitProfile as F};
    let minute = requests(P::Minute, F::Unspecified);
    let day = requests(P::Day, F::Unspecified);
    let alone = |measure: M| v1::Limit { measure: measure.into(), period: 0, ..minute.clone() };
    let weights =
        |percent| Some(v1::TokenWeights { input_percent: Some(percent), ..Default::default() });
    let tokens = |weights| v1::Limit { measure: M::Tokens.into(), weights, ..minute.clone() };
    let nothing = Some(v1::TokenWeights {
        input_percent: Some(0),
        cached_input_percent: Some(0),
        cache_write_percent: Some(0),
        output_percent: Some(0),
    });
    let provider = Some(subject_to(&Subject::Provider("openai".parse().unwrap()), &ById));
    let cases = [
        (v1::Limit { subject: None, ..minute.clone() }, "subject"),
        (v1::Limit { amount: 0, ..minute.clone() }, "amount"),
        (v1::Limit { amount: 1_000_000_000_000_001, ..minute.clone() }, "amount"),
        (v1::Limit { measure: 0, ..minute.clone() }, "measure"),
        (v1::Limit { measure: 99, ..minute.clone() }, "measure"),
        (v1::Limit { period: 0, ..minute.clone() }, "period"),
        (v1::Limit { profile: 99, ..minute.clone() }, "profile"),
        (requests(P::Week, F::Bucket), "profile"),
        (requests(P::Month, F::WindowStrict), "profile"),
        (requests(P::Forever, F::Bucket), "profile"),
        (requests(P::Forever, F::Calendar), "profile"),
        (v1::Limit { time_zone: "UTC".into(), ..minute.clone() }, "time_zone"),
        (v1::Limit { reset_minute: 1, ..minute.clone() }, "reset_minute"),
        (v1::Limit { time_zone: "../etc/passwd\0".into(), ..day.clone() }, "time_zone"),
        (v1::Limit { reset_minute: 1_440, ..day.clone() }, "reset_minute"),
        (v1::Limit { reset_minute: 5, ..requests(P::Hour, F::Calendar) }, "reset_minute"),
        (v1::Limit { mode: 99, ..minute.clone() }, "mode"),
        (v1::Limit { action: 99, ..minute.clone() }, "action"),
        (v1::Limit { warn_percent: 101, ..minute.clone() }, "warn_percent"),
        (v1::Limit { switch_percent: 99, ..minute.clone() }, "switch_percent"),
        (v1::Limit { switch_percent: 101, subject: provider, ..minute.clone() }, "switch_percent"),
        (v1::Limit { queue_ms: 60_001, ..minute.clone() }, "queue_ms"),
        (v1::Limit { weights: weights(10), ..minute.clone() }, "weights"),
        (tokens(weights(1_001)), "weights.input_percent"),
        (tokens(nothing), "weights"),
        (v1::Limit { period: P::Minute.into(), ..alone(M::InFlight) }, "period"),
        (v1::Limit { profile: F::Bucket.into(), ..alone(M::TokensPerRequest) }, "profile"),
        (v1::Limit { queue_ms: 5, ..alone(M::TokensPerRequest) }, "queue_ms"),
        (v1::Limit { warn_percent: 5, ..alone(M::TokensPerRequest) }, "warn_percent"),
    ];
    for (wire, field) in cases {
        assert_eq!(wrong(&wire), [field], "{wire:?}");
    }
    let rights = [alone(M::InFlight), alone(M::TokensPerRequest), tokens(weights(0))];
    for right in rights.iter().chain([&minute, &day]) {
        assert!(limit_from(right, parts(), &mut ById).is_ok(), "{right:?}");
    }
}

#[test]
fn what_a_subject_names_must_be_there() {
    struct Nobody;
    impl Find for Nobody {
        fn key(&mut self, _: &str) -> Option<KeyId> {
            None
        }
        fn team(&mut self, _: &str) -> Option<TeamId> {
            None
        }
        fn account(&mut self, _: &str) -> Option<AccountId> {
            None
        }
    }
    let fields: Vec<_> = subjects()
        .iter()
        .filter_map(|it| subject_from("subject", Some(&subject_to(it, &ById)), &mut Nobody).err())
        .map(|it| it.field)
        .collect();
    let expected = [
        "subject.key",
        "subject.team",
        "subject.key_alias.key",
        "subject.account",
        "subject.account_model.account",
    ];
    assert_eq!(fields, expected);
    for (text, right) in [("smart", true), ("", false), ("gpt-*", false), ("a b", false)] {
        let alias = v1::LimitSubject { subject: Some(WireSubject::Alias(text.into())) };
        let read = subject_from("subject", Some(&alias), &mut ById);
        assert_eq!(read.map_err(|it| it.field).is_ok(), right, "{text}");
    }
}

#[test]
fn everything_wrong_with_a_limit_is_said_at_once() {
    let wire = v1::Limit { warn_percent: 200, queue_ms: 99_999, ..Default::default() };
    assert_eq!(wrong(&wire), ["subject", "amount", "measure", "warn_percent", "queue_ms"]);
}
