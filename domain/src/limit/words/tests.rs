use super::*;
use crate::{catalog::ModelName, id::LimitId, name::Name};
use std::num::NonZeroU64;
use uuid::Uuid;

struct Known;

impl Names for Known {
    fn key(&self, key: KeyId) -> Option<String> {
        (key.uuid() == Uuid::from_u128(1)).then(|| "team-a".to_owned())
    }

    fn team(&self, team: TeamId) -> Option<String> {
        (team.uuid() == Uuid::from_u128(2)).then(|| "research".to_owned())
    }

    fn account(&self, account: AccountId) -> Option<String> {
        (account.uuid() == Uuid::from_u128(3)).then(|| "free-1".to_owned())
    }
}

fn some(amount: u64) -> NonZeroU64 {
    NonZeroU64::new(amount).unwrap()
}

fn key(number: u128) -> Subject {
    Subject::Key(KeyId::from_uuid(Uuid::from_u128(number)))
}

fn limit(subject: Subject, rule: Rule) -> Limit {
    Limit {
        id: LimitId::from_uuid(Uuid::from_u128(9)),
        generation: 0,
        subject,
        rule: rule.into(),
        mode: Mode::Strict,
        action: Action::Enforce,
        warn_percent: None,
        switch_percent: None,
        queue_ms: 0,
    }
}

const TOKENS: Measure =
    Measure::Tokens(Weights { input: 100, cached_input: 100, cache_write: 100, output: 100 });

fn bucket(measure: Measure, amount: u64, period: Period) -> Rule {
    Rule::Bucket { measure, amount: some(amount), period }
}

fn strict(measure: Measure, amount: u64, period: Period) -> Rule {
    Rule::WindowStrict { measure, amount: some(amount), period }
}

fn calendar(
    measure: Measure,
    amount: u64,
    period: CalendarPeriod,
    zone: &str,
    reset_minute: u16,
) -> Rule {
    let calendar = Box::new(Calendar { zone: zone.into(), reset_minute });
    Rule::Calendar { measure, amount: some(amount), period, calendar }
}

fn called(subject: Subject, rule: Rule, words: &str) {
    assert_eq!(title(&limit(subject, rule), &Known), words);
}

fn worst(rule: Rule, words: &str) {
    assert_eq!(worst_case(&limit(key(1), rule)), words);
}

#[test]
fn a_title_says_who_and_what() {
    let rpm = || bucket(Measure::Requests, 60, Period::Minute);
    called(key(1), rpm(), "key team-a: 60 requests per minute");
    let gone = format!("{}: 60 requests per minute", "key key_00000000000000000000000000000007");
    called(key(7), rpm(), &gone);
    called(Subject::Everything, rpm(), "everything: 60 requests per minute");
    let team = Subject::Team(TeamId::from_uuid(Uuid::from_u128(2)));
    called(
        team,
        calendar(Measure::Cost, 500_000_000, CalendarPeriod::Month, "Asia/Shanghai", 0),
        "team research: $500.00 per calendar month (Asia/Shanghai)",
    );
    called(Subject::Alias("fast".into()), rpm(), "alias fast: 60 requests per minute");
    let both = Subject::KeyAlias(KeyId::from_uuid(Uuid::from_u128(1)), "fast".into());
    called(both, rpm(), "key team-a with alias fast: 60 requests per minute");
    let provider = Subject::Provider("openai".parse::<Name>().unwrap());
    called(provider, rpm(), "provider openai: 60 requests per minute");
    let id = AccountId::from_uuid(Uuid::from_u128(3));
    called(
        Subject::Account(id),
        calendar(TOKENS, 1_000_000, CalendarPeriod::Month, "UTC", 0),
        "account free-1: 1,000,000 tokens per calendar month (UTC)",
    );
    let model = "gpt-4o".parse::<ModelName>().unwrap();
    called(
        Subject::AccountModel(id, model),
        rpm(),
        "account free-1 with model gpt-4o: 60 requests per minute",
    );
}

#[test]
fn a_title_says_what_is_counted_and_how() {
    let cached = Measure::Tokens(Weights { cached_input: 10, output: 300, ..Weights::default() });
    for (rule, words) in [
        (bucket(Measure::Requests, 1, Period::Day), "1 request per day"),
        (bucket(TOKENS, 100_000, Period::Hour), "100,000 tokens per hour"),
        (
            bucket(cached, 100_000, Period::Minute),
            "100,000 tokens per minute, cached input at 10 %, output at 300 %",
        ),
        (bucket(Measure::Cost, 1_500_000, Period::Day), "$1.50 per day"),
        (bucket(Measure::Cost, 1, Period::Day), "$0.000001 per day"),
        (bucket(Measure::Cost, 1_234_567_125_000, Period::Day), "$1,234,567.125 per day"),
        (strict(Measure::Requests, 60, Period::Minute), "60 requests in any minute"),
        (
            calendar(Measure::Requests, 1_000, CalendarPeriod::Day, "Asia/Shanghai", 390),
            "1,000 requests per calendar day (Asia/Shanghai, from 06:30)",
        ),
        (
            calendar(Measure::Requests, 9, CalendarPeriod::Hour, "UTC", 0),
            "9 requests per calendar hour",
        ),
        (Rule::Grant { measure: TOKENS, amount: some(1_000_000) }, "1,000,000 tokens in all"),
        (Rule::TokensPerRequest { most: some(4_000) }, "4,000 tokens per request"),
        (Rule::InFlight { most: some(10) }, "10 requests at the same time"),
    ] {
        called(key(1), rule, &format!("key team-a: {words}"));
    }
    let shadow = Limit {
        action: Action::Shadow,
        ..limit(key(1), bucket(Measure::Requests, 60, Period::Minute))
    };
    assert_eq!(title(&shadow, &Known), "key team-a: 60 requests per minute (shadow)");
}

#[test]
fn the_worst_case_is_told_as_it_is() {
    for (rule, words) in [
        (
            bucket(Measure::Requests, 60, Period::Minute),
            "at most 120 in the worst 60 s, 60 per minute in the long run",
        ),
        (
            bucket(Measure::Requests, u64::MAX, Period::Day),
            "at most 36,893,488,147,419,103,230 in the worst 24 h, 18,446,744,073,709,551,615 per \
             day in the long run",
        ),
        (
            strict(Measure::Requests, 60, Period::Minute),
            "at most 60 requests in any 60 s, 54 per minute in the long run, 6 at once",
        ),
        (
            strict(Measure::Requests, 5, Period::Hour),
            "at most 5 requests in any 60 min, 4 per hour in the long run, 1 at once",
        ),
        (
            strict(Measure::Requests, 1, Period::Minute),
            "at most 1 request in any 60 s, 1 per minute in the long run, 1 at once",
        ),
        (
            strict(TOKENS, 10_000, Period::Minute),
            "at most 10,000 tokens in any 60 s, 9,000 per minute in the long run, 1,000 at once: \
             no request may be larger; what a request uses beyond its estimate is taken from the \
             next",
        ),
        (
            calendar(Measure::Requests, 1_000, CalendarPeriod::Day, "Asia/Shanghai", 0),
            "at most 1,000 requests from 00:00 to 00:00 (Asia/Shanghai) of a day",
        ),
        (
            calendar(Measure::Requests, 1_000, CalendarPeriod::Week, "UTC", 390),
            "at most 1,000 requests from Monday 06:30 to Monday 06:30 (UTC)",
        ),
        (
            calendar(Measure::Requests, 7, CalendarPeriod::Month, "UTC", 0),
            "at most 7 requests from 00:00 on the 1st to 00:00 on the 1st (UTC) of a month",
        ),
        (
            calendar(Measure::Requests, 7, CalendarPeriod::Minute, "UTC", 0),
            "at most 7 requests from a full minute to the next",
        ),
        (
            Rule::Grant { measure: Measure::Requests, amount: some(5_000) },
            "at most 5,000 requests in all, until it is reset",
        ),
        (
            Rule::TokensPerRequest { most: some(4_000) },
            "no request that is estimated at more than 4,000 tokens, prompt and greatest output \
             together",
        ),
        (
            Rule::InFlight { most: some(10) },
            "at most 10 requests at the same time; those of a proxy that was cut off for 8 s may \
             still run beside them",
        ),
    ] {
        worst(rule, words);
    }
}

#[test]
fn what_is_known_only_afterwards_is_said() {
    let after = "; what a request uses beyond its estimate is taken from the next";
    worst(
        bucket(TOKENS, 100_000, Period::Minute),
        &format!("at most 200,000 in the worst 60 s, 100,000 per minute in the long run{after}"),
    );
    worst(
        calendar(Measure::Cost, 500_000_000, CalendarPeriod::Day, "UTC", 0),
        &format!("at most $500.00 from 00:00 to 00:00 (UTC) of a day{after}"),
    );
}

#[test]
fn availability_and_shadow_say_what_they_cost() {
    let rpm = limit(key(1), bucket(Measure::Requests, 60, Period::Minute));
    let bound = "at most 120 in the worst 60 s, 60 per minute in the long run";
    assert_eq!(
        worst_case(&Limit { mode: Mode::Availability, ..rpm.clone() }),
        format!(
            "{bound}; of that a tenth is set aside for proxies that are cut off: they let more \
             through only if there are more of them than `fallback_proxies`, or if a share is \
             less than one request, which each may have"
        )
    );
    assert_eq!(
        worst_case(&Limit { action: Action::Shadow, ..rpm.clone() }),
        format!("refuses nothing, only reports; enforced it would be: {bound}")
    );
    let day = calendar(Measure::Requests, 10, CalendarPeriod::Day, "UTC", 0);
    assert_eq!(
        worst_case(&Limit { mode: Mode::Availability, ..limit(key(1), day) }),
        "at most 10 requests from 00:00 to 00:00 (UTC) of a day; more only if the control plane \
         dies while the database is away, by what it lent in that time"
    );
    let seats = Rule::InFlight { most: some(10) };
    assert!(
        worst_case(&Limit { mode: Mode::Availability, ..limit(key(1), seats) })
            .ends_with("; each proxy that is cut off goes on with its share, at least one")
    );
    let size = Rule::TokensPerRequest { most: some(10) };
    let one = limit(key(1), size);
    assert_eq!(worst_case(&Limit { mode: Mode::Availability, ..one.clone() }), worst_case(&one));
}
