//! Every fault of a limit is provoked, among the other defects.

use super::*;
use crate::{
    catalog::{
        Action, Calendar, CalendarPeriod, Limit, Measure, Mode, Period, Rule, Subject, Weights,
    },
    fixture::limit,
};
use std::num::NonZeroU64;

fn amount(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

fn per_minute(measure: Measure, per_minute: u64) -> Rule {
    Rule::Bucket { measure, amount: amount(per_minute), period: Period::Minute }
}

const TOKENS: Measure =
    Measure::Tokens(Weights { input: 100, cached_input: 100, cache_write: 100, output: 100 });

fn rpm(number: u8, subject: Subject) -> Limit {
    limit(number, subject, per_minute(Measure::Requests, 60))
}

fn alias(text: &str) -> Subject {
    Subject::Alias(text.into())
}

fn most(tokens: u64) -> Rule {
    Rule::TokensPerRequest { most: amount(tokens) }
}

fn daily(zone: &str, reset_minute: u16) -> Rule {
    Rule::Calendar {
        measure: Measure::Requests,
        amount: amount(1_000),
        period: CalendarPeriod::Day,
        calendar: Box::new(Calendar { zone: zone.into(), reset_minute }),
    }
}

pub(super) fn cases() -> Vec<Case> {
    of_subjects().into_iter().chain(of_fields()).chain(of_pairs()).collect()
}

fn of_subjects() -> Vec<Case> {
    let gone = "does not exist";
    let (id, model) = (key_id(200), || "m-1".parse().unwrap());
    let long = alias(&"x".repeat(513));
    vec![
        case(
            "limits[\"key key_000000000000000000000000000000c8: requests per minute\"].subject",
            gone,
            vec![rpm(1, Subject::Key(id)).into()],
        ),
        case(
            "limits[\"key key_000000000000000000000000000000c8, alias gpt: requests per minute\"].subject",
            gone,
            vec![rpm(2, Subject::KeyAlias(id, "gpt".into())).into()],
        ),
        case(
            "limits[\"team team_000000000000000000000000000000c9: requests per minute\"].subject",
            gone,
            vec![rpm(3, Subject::Team(team_id(201))).into()],
        ),
        case(
            "limits[\"provider nobody: requests per minute\"].subject",
            gone,
            vec![rpm(4, Subject::Provider(name("nobody"))).into()],
        ),
        case(
            "limits[\"account acct_000000000000000000000000000000ca: requests per minute\"].subject",
            gone,
            vec![rpm(5, Subject::Account(account_id(202))).into()],
        ),
        case(
            "limits[\"account acct_000000000000000000000000000000ca, model m-1: requests per minute\"].subject",
            gone,
            vec![rpm(6, Subject::AccountModel(account_id(202), model())).into()],
        ),
        case(
            "limits[\"alias : requests per minute\"].subject",
            "it is empty",
            vec![rpm(7, alias("")).into()],
        ),
        case(
            "limits[\"alias gpt-*: requests per minute\"].subject",
            "`*` stands for nothing",
            vec![rpm(8, alias("gpt-*")).into()],
        ),
        Case {
            field: format!("limits[\"alias {}: requests per minute\"].subject", "x".repeat(513)),
            message: "512 bytes",
            edits: vec![rpm(9, long).into()],
        },
    ]
}

fn of_fields() -> Vec<Case> {
    let of = |number, text: &str, rule| limit(number, alias(text), rule);
    let weights = |input, output| {
        let weights = Weights { input, cached_input: input, cache_write: input, output };
        per_minute(Measure::Tokens(weights), 100)
    };
    let strict = Rule::WindowStrict {
        measure: Measure::Requests,
        amount: amount(1),
        period: Period::Minute,
    };
    let main = Subject::Account(account_id(1));
    let of_main = |number, change: fn(&mut Limit)| {
        let mut limit = rpm(number, main.clone());
        change(&mut limit);
        vec![limit.into()]
    };
    let main_field = |field: &str| format!("limits[\"account main: requests per minute\"].{field}");
    let said = |field: &str, message, edits| Case { field: main_field(field), message, edits };
    vec![
        case(
            "limits[\"alias much: cost for ever\"].amount",
            "at most 4000000000000000",
            vec![
                of(
                    20,
                    "much",
                    Rule::Grant { measure: Measure::Cost, amount: amount(4_000_000_000_000_001) },
                )
                .into(),
            ],
        ),
        case(
            "limits[\"alias one: requests per minute\"].amount",
            "at least 2",
            vec![of(21, "one", strict).into()],
        ),
        case(
            "limits[\"alias free: tokens per minute\"].weights",
            "all its weights are 0",
            vec![of(22, "free", weights(0, 0)).into()],
        ),
        case(
            "limits[\"alias heavy: tokens per minute\"].weights",
            "`weights` is 1001",
            vec![of(23, "heavy", weights(0, 1_001)).into()],
        ),
        case(
            "limits[\"alias late: requests per calendar day\"].reset_minute",
            "is 1440",
            vec![of(24, "late", daily("UTC", 1_440)).into()],
        ),
        case(
            "limits[\"alias lost: requests per calendar day\"].time_zone",
            "not a time zone",
            vec![of(25, "lost", daily("Asia/", 0)).into()],
        ),
        case(
            "limits[\"alias stay: requests per minute\"].switch_percent",
            "can be switched away from",
            vec![Limit { switch_percent: Some(99), ..rpm(26, alias("stay")) }.into()],
        ),
        said("warn_percent", "is 0", of_main(27, |it| it.warn_percent = Some(0))),
        said("switch_percent", "is 101", of_main(28, |it| it.switch_percent = Some(101))),
        said("queue_ms", "is 60001", of_main(29, |it| it.queue_ms = 60_001)),
    ]
}

fn of_pairs() -> Vec<Case> {
    let of = |number, text: &str, rule| limit(number, alias(text), rule).into();
    let strict =
        Rule::WindowStrict { measure: TOKENS, amount: amount(30_000), period: Period::Hour };
    let dear = Weights { output: 500, ..Weights::default() };
    let total = Rule::Grant { measure: TOKENS, amount: amount(3_999) };
    let available =
        Limit { mode: Mode::Availability, ..limit(48, alias("p-4"), per_minute(TOKENS, 4_000)) };
    let field = |text| format!("limits[\"alias {text}: tokens per request\"].amount");
    let said = |text, message, edits| Case { field: field(text), message, edits };
    vec![
        case(
            "limits[\"alias two: requests per minute\"].subject",
            "lim_00000000000000000000000000000029",
            vec![rpm(40, alias("two")).into(), rpm(41, alias("two")).into()],
        ),
        said(
            "p-1",
            "may need 4000 at once of the limit of alias p-1: tokens per hour, which lets at most 3000",
            vec![of(42, "p-1", strict), of(43, "p-1", most(4_000))],
        ),
        said(
            "p-2",
            "may need 20000",
            vec![
                of(44, "p-2", per_minute(Measure::Tokens(dear), 19_999)),
                of(45, "p-2", most(4_000)),
            ],
        ),
        said("p-3", "at most 3999", vec![of(46, "p-3", total), of(47, "p-3", most(4_000))]),
        // A tenth of it is set aside.
        said("p-4", "at most 3600", vec![available.into(), of(49, "p-4", most(4_000))]),
    ]
}

#[test]
fn every_fault_of_a_limit_is_provoked_here() {
    let edits = base().into_iter().chain(cases().into_iter().flat_map(|it| it.edits));
    let defects = Snapshot::build(catalog(edits), 1).unwrap_err();
    let seen: BTreeSet<_> = defects
        .iter()
        .filter_map(
            |it| if let Defect::Limit { fault, .. } = it { Some(kind(fault)) } else { None },
        )
        .collect();
    assert_eq!(seen, (0..KINDS).collect());
}

const KINDS: u8 = 10;

/// A number for each kind: a new kind does not compile before it has one.
fn kind(fault: &LimitFault) -> u8 {
    match fault {
        LimitFault::UnknownSubject { .. } => 0,
        LimitFault::BadAlias { .. } => 1,
        LimitFault::Twice { .. } => 2,
        LimitFault::AmountTooLarge { .. } => 3,
        LimitFault::NeverRefilled => 4,
        LimitFault::LargerThanBurst { .. } => 5,
        LimitFault::CountsNothing => 6,
        LimitFault::BadTimeZone { .. } => 7,
        LimitFault::CannotSwitch => 8,
        LimitFault::OutOfRange { .. } => 9,
    }
}

#[test]
fn limits_that_only_look_wrong_are_taken() {
    let of = |number, rule| limit(number, alias("fine"), rule);
    let shadow = |it| Limit { action: Action::Shadow, ..it };
    let edits = [
        // What fits exactly; and beside it a shadow of the same that would not.
        of(1, per_minute(TOKENS, 4_000)),
        of(2, most(4_000)),
        shadow(of(3, per_minute(TOKENS, 100))),
        shadow(of(4, most(9_000))),
        // Money and requests are not tokens.
        of(5, per_minute(Measure::Cost, 1)),
        of(6, per_minute(Measure::Requests, 1)),
        // Another period is another limit.
        of(7, daily("America/Argentina/Buenos_Aires", 1_439)),
        of(8, daily_of(CalendarPeriod::Month, "Etc/GMT+8")),
        of(9, Rule::Grant { measure: TOKENS, amount: amount(4_000_000_000_000_000) }),
        Limit {
            queue_ms: 60_000,
            warn_percent: Some(100),
            ..of(10, Rule::InFlight { most: amount(1) })
        },
    ];
    assert_eq!(snapshot(edits.map(Edit::from)).catalog().limits.len(), 10);
}

fn daily_of(period: CalendarPeriod, zone: &str) -> Rule {
    let calendar = Box::new(Calendar { zone: zone.into(), reset_minute: 0 });
    Rule::Calendar { measure: Measure::Requests, amount: amount(9), period, calendar }
}

#[test]
fn whoever_is_limited_cannot_go_before_the_limits() {
    let subjects = [
        Subject::Key(key_id(1)),
        Subject::KeyAlias(key_id(1), "gpt".into()),
        Subject::Team(team_id(1)),
        Subject::Account(account_id(2)),
        Subject::AccountModel(account_id(2), "m-1".parse().unwrap()),
        Subject::Provider(name("spare")),
    ];
    let there: [Edit; 5] = [
        key(1).into(),
        key(2).into(),
        team(1, "t").into(),
        provider("spare", &[]).into(),
        account(2, "second", "good").into(),
    ];
    let limits = (1..).zip(subjects).map(|(number, it)| rpm(number, it).into());
    let snapshot = snapshot(base().into_iter().chain(there).chain(limits));
    let minute = |of: &str| format!("limits[\"{of}: requests per minute\"].subject");
    let key = "key key_00000000000000000000000000000001";
    let account = "account acct_00000000000000000000000000000002";
    for (edit, limits, fields) in [
        (
            Edit::DeleteKey(key_id(1)),
            [1, 2].as_slice(),
            vec![key.into(), format!("{key}, alias gpt")],
        ),
        (
            Edit::DeleteTeam(team_id(1)),
            &[3],
            vec!["team team_00000000000000000000000000000001".into()],
        ),
        (
            Edit::DeleteAccount(account_id(2)),
            &[4, 5],
            vec![account.into(), format!("{account}, model m-1")],
        ),
        (Edit::DeleteProvider(name("spare")), &[6], vec!["provider spare".to_owned()]),
    ] {
        let defects = snapshot.amend(vec![edit.clone()], 2).unwrap_err();
        let found: Vec<_> = defects.iter().map(Defect::field).collect();
        assert_eq!(found, fields.iter().map(|it| minute(it)).collect::<Vec<_>>());
        // Together with them, it may go.
        let without = limits.iter().map(|it| Edit::DeleteLimit(limit_id(*it)));
        assert!(snapshot.amend(without.chain([edit]).collect(), 2).is_ok());
    }
    assert!(snapshot.amend(vec![Edit::DeleteKey(key_id(2))], 2).is_ok());
}
