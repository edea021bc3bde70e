//! Which limits a request meets, and what its tokens cost.

use super::*;
use crate::{
    catalog::{Action, Limit, Measure, Model, Period, Price, Rule, Subject},
    fixture::limit,
};
use std::num::NonZeroU64;

/// Somebody who may be there or not, and sometimes is of a limit that cannot be.
fn any_subject() -> impl Strategy<Value = Subject> {
    let alias = || prop::sample::select(vec!["best", "gpt-1", ""]).prop_map(Into::into);
    let model = prop::sample::select(vec!["m-1", "gpt-1"]);
    prop_oneof![
        1 => Just(Subject::Everything),
        4 => (0..5u8).prop_map(|it| Subject::Key(key_id(it))),
        2 => (0..2u8).prop_map(|it| Subject::Team(team_id(it))),
        2 => alias().prop_map(Subject::Alias),
        3 => (0..5u8, alias()).prop_map(|(key, alias)| Subject::KeyAlias(key_id(key), alias)),
        2 => (0..3u8).prop_map(|it| Subject::Provider(name(&format!("p{it}")))),
        3 => (0..4u8).prop_map(|it| Subject::Account(account_id(it))),
        2 => (0..4u8, model).prop_map(|(account, model)| {
            Subject::AccountModel(account_id(account), model.parse().unwrap())
        }),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let amount = (1..6u64).prop_map(|it| NonZeroU64::new(it).unwrap());
    let measure = prop::sample::select(vec![
        Measure::Requests,
        Measure::Tokens(crate::catalog::Weights::default()),
    ]);
    (measure, amount, 0..4u8).prop_map(|(measure, amount, kind)| match kind {
        0 => Rule::WindowStrict { measure, amount, period: Period::Minute },
        1 => Rule::TokensPerRequest { most: amount },
        2 => Rule::InFlight { most: amount },
        _ => Rule::Bucket { measure, amount, period: Period::Minute },
    })
}

pub(super) fn any_limit() -> impl Strategy<Value = Edit> {
    (0..8u8, any_subject(), any_rule(), prop::bool::weighted(0.3)).prop_map(
        |(number, subject, rule, shadow)| {
            let action = if shadow { Action::Shadow } else { Action::Enforce };
            Limit { action, ..limit(number, subject, rule) }.into()
        },
    )
}

/// Whom a snapshot limits in what, as the journey asks for it.
pub(super) fn limits(snapshot: &Snapshot) -> Vec<String> {
    let mut results = Vec::new();
    for key in snapshot.catalog().keys.iter() {
        for alias in ALIASES {
            results.push(format!("{:?}", snapshot.limits_of_caller(key, alias)));
        }
    }
    for account in snapshot.catalog().accounts.keys() {
        if let Some(seat) = snapshot.seat(*account) {
            results.push(format!("{:?}", snapshot.limits_of_target(seat, "m-1")));
        }
    }
    results
}

fn rpm(number: u8, subject: Subject) -> Edit {
    let amount = NonZeroU64::new(60).unwrap();
    let rule = Rule::Bucket { measure: Measure::Requests, amount, period: Period::Minute };
    limit(number, subject, rule).into()
}

#[test]
fn a_request_meets_the_limits_of_all_that_it_is_always_in_the_same_order() {
    let mut caller = key(1);
    caller.team = Some(team_id(1));
    let model = || "m-1".parse().unwrap();
    let mine = [
        (9, Subject::Everything),
        (3, Subject::Key(key_id(1))),
        (7, Subject::Team(team_id(1))),
        (5, Subject::Alias("gpt".into())),
        (1, Subject::KeyAlias(key_id(1), "gpt".into())),
        (8, Subject::Provider(name("p"))),
        (6, Subject::Account(account_id(1))),
        (2, Subject::AccountModel(account_id(1), model())),
    ];
    let others = [
        (20, Subject::Key(key_id(2))),
        (21, Subject::Team(team_id(2))),
        (22, Subject::Alias("gpt-2".into())),
        (23, Subject::KeyAlias(key_id(1), "gp".into())),
        (24, Subject::KeyAlias(key_id(2), "gpt".into())),
        (25, Subject::Provider(name("q"))),
        (26, Subject::Account(account_id(2))),
        (27, Subject::AccountModel(account_id(1), "m".parse().unwrap())),
        (28, Subject::AccountModel(account_id(2), model())),
    ];
    let there: [Edit; 9] = [
        pepper(1),
        provider("p", &[]).into(),
        provider("q", &[]).into(),
        account(1, "a", "p").into(),
        account(2, "b", "p").into(),
        team(1, "t").into(),
        team(2, "u").into(),
        caller.clone().into(),
        key(2).into(),
    ];
    let limits = mine.into_iter().chain(others).map(|(number, it)| rpm(number, it));
    let snapshot = snapshot(there.into_iter().chain(limits));
    let ids = |found: Vec<&Arc<Limit>>| found.iter().map(|it| it.id).collect::<Vec<_>>();
    let expected = |numbers: &[u8]| numbers.iter().map(|it| limit_id(*it)).collect::<Vec<_>>();
    assert_eq!(ids(snapshot.limits_of_caller(&caller, "gpt")), expected(&[1, 3, 5, 7, 9]));
    assert_eq!(ids(snapshot.limits_of_caller(&caller, "x")), expected(&[3, 7, 9]));
    assert_eq!(ids(snapshot.limits_of_caller(&key(3), "x")), expected(&[9]));
    let seat = snapshot.seat(account_id(1)).unwrap();
    assert_eq!(ids(snapshot.limits_of_target(seat, "m-1")), expected(&[2, 6, 8]));
    assert_eq!(ids(snapshot.limits_of_target(seat, "m-2")), expected(&[6, 8]));
    assert_eq!(snapshot.limit(limit_id(27)).unwrap().id, limit_id(27));
    assert!(snapshot.limit(limit_id(99)).is_none());
}

#[test]
fn an_edit_of_a_limit_leaves_the_index_alone() {
    let before = snapshot([provider("p", &["*"]).into(), account(1, "a", "p").into()]);
    let after = before.amend(vec![rpm(1, Subject::Everything)], 2).unwrap();
    assert!(Arc::ptr_eq(&before.index, &after.index));
    assert_eq!(after.limits_of_caller(&key(1), "x").len(), 1);
    assert!(before.limits_of_caller(&key(1), "x").is_empty());
    let gone = after.amend(vec![Edit::DeleteLimit(limit_id(1))], 3).unwrap();
    assert!(gone.limits_of_caller(&key(1), "x").is_empty());
}

#[test]
fn prices_and_maxima_are_those_of_the_providers_own_model() {
    let price = Price { input: 1, cached_input: 2, cache_write: 3, output: 4 };
    let priced = Model { price: Some(price), ..model("p", "m") };
    let capped = Model { max_output_tokens: Some(7), ..model("q", "m") };
    let before = snapshot([
        provider("p", &[]).into(),
        provider("q", &[]).into(),
        priced.into(),
        capped.into(),
    ]);
    let (p, q) = (name("p"), name("q"));
    assert_eq!((before.price(&p, "m"), before.max_output(&p, "m")), (Some(price), None));
    assert_eq!((before.price(&q, "m"), before.max_output(&q, "m")), (None, Some(7)));
    assert_eq!((before.price(&p, "n"), before.max_output(&name("r"), "m")), (None, None));
    let after = before.amend(vec![model("p", "m").into()], 2).unwrap();
    assert_eq!(after.price(&p, "m"), None);
}

#[test]
fn a_seat_says_where_its_requests_take_their_maximum() {
    let mut named = provider("q", &[]);
    named.endpoints[0].output_cap_field = Some("max_completion_tokens".to_owned());
    let snapshot = snapshot([
        provider("p", &[]).into(),
        named.into(),
        account(1, "a", "p").into(),
        account(2, "b", "q").into(),
    ]);
    let field = |id| {
        let seat = snapshot.seat(account_id(id)).unwrap();
        seat.endpoint(Dialect::OpenAi).unwrap().output_cap_field.to_string()
    };
    assert_eq!([field(1), field(2)], ["max_tokens", "max_completion_tokens"]);
}
