//! Facts about what flags mean.

use super::*;
use crate::{
    args::{Cli, Command, limit::LimitCommand},
    limit::title,
};
use clap::Parser as _;
use proto::admin::v1::LimitMode;

fn command(line: &str) -> LimitCommand {
    let words = ["sluice", "limit"].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    let Command::Limit(command) = cli.command else { panic!("{line}: {:?}", cli.command) };
    command
}

fn set(line: &str) -> Outcome<Vec<Limit>> {
    let LimitCommand::Set(args) = command(&format!("set {line}")) else { panic!("{line}") };
    limits(&args.subject.required()?, &args.amounts, &args.terms)
}

fn change(old: &Limit, line: &str) -> Outcome<Limit> {
    let line = format!("simulate --id lim_1 {line}");
    let LimitCommand::Simulate(args) = command(&line) else { panic!("{line}") };
    changed(old.clone(), &args.amounts, &args.terms)
}

fn titles(line: &str) -> Vec<String> {
    set(line).unwrap().iter().map(title).collect()
}

#[test]
fn one_command_says_any_number_of_limits() {
    for (line, expected) in [
        ("--key a --rpm 60", &["key a: 60 requests/minute"][..]),
        (
            "--key team-a --rpm 60 --tpm 100k --rpd 1000 --max-tokens-per-request 4000",
            &[
                "key team-a: 60 requests/minute",
                "key team-a: 1000 requests/day",
                "key team-a: 100k tokens/minute",
                "key team-a: 4000 tokens/request",
            ],
        ),
        (
            "--team t --rph 5 --tph 1k --tpd 5M --max-in-flight 8 --budget 500usd",
            &[
                "team t: 5 requests/hour",
                "team t: 1000 tokens/hour",
                "team t: 5M tokens/day",
                "team t: 8 in flight",
                "team t: $500.00/month",
            ],
        ),
        ("--account free-1 --tokens 1M --per month", &["account free-1: 1M tokens/month"]),
        ("--alias chat --budget $5 --per day", &["alias chat: $5.00/day"]),
        ("--provider openai --requests 5 --per week", &["provider openai: 5 requests/week"]),
        ("--key a --alias chat --rpm 1", &["key a × alias chat: 1 request/minute"]),
        (
            "--account a --model m/x --tokens 1M --per forever",
            &["account a × model m/x: 1M tokens forever"],
        ),
        ("--everything --rpm 5 --shadow", &["everything: 5 requests/minute (shadow)"]),
        (
            "--key a --tokens 5 --requests 6 --per hour",
            &["key a: 6 requests/hour", "key a: 5 tokens/hour"],
        ),
    ] {
        assert_eq!(titles(line), expected, "{line}");
    }
}

#[test]
fn terms_go_to_the_limits_that_can_have_them() {
    let limits = set("--account a --rpm 60 --tpm 1k --rpd 1000 --max-tokens-per-request 4k \
                      --max-in-flight 2 --profile window_strict --weights cached=10 --warn 80% \
                      --queue 500ms --mode availability")
    .unwrap();
    let [rpm, rpd, tpm, each, flight] = limits.as_slice() else { panic!("{limits:?}") };
    for it in [rpm, rpd, tpm] {
        assert_eq!(it.profile(), LimitProfile::WindowStrict, "{}", title(it));
    }
    assert_eq!((each.profile(), flight.profile()), Default::default());
    assert_eq!(tpm.weights.unwrap().cached_input_percent, Some(10));
    assert!(rpm.weights.is_none() && each.weights.is_none());
    assert_eq!([rpm.warn_percent, each.warn_percent, flight.warn_percent], [80, 0, 80]);
    assert_eq!([rpm.queue_ms, each.queue_ms, flight.queue_ms], [500, 0, 500]);
    assert!(limits.iter().all(|it| it.mode() == LimitMode::Availability));

    let limits = set("--team t --rpm 60 --rph 9 --budget 500usd --rpd 7 \
                      --timezone Asia/Shanghai --reset-at 08:00")
    .unwrap();
    let zones: Vec<_> = limits.iter().map(|it| (it.time_zone.as_str(), it.reset_minute)).collect();
    let calendar = ("Asia/Shanghai", 480);
    assert_eq!(zones, [("", 0), ("", 0), calendar, calendar]);

    let limits = set("--team t --rph 9 --rpd 7 --profile calendar --reset-at 08:00").unwrap();
    assert_eq!(limits[0].profile(), LimitProfile::Calendar);
    assert_eq!((limits[0].reset_minute, limits[1].reset_minute), (0, 480));
}

#[test]
fn an_accounts_quota_is_left_for_last_unless_another_share_is_said() {
    for (line, percents) in [
        ("--account a --tokens 1M --per month --rpm 5", &[0, 99][..]),
        ("--account a --tokens 1M --per forever", &[99]),
        ("--account a --model m --rpd 5", &[99]),
        ("--account a --rpd 5 --profile bucket", &[0]),
        ("--account a --rpd 5 --threshold 90%", &[90]),
        ("--account a --rpd 5 --threshold none", &[0]),
        ("--account a --rpd 5 --shadow", &[0]),
        ("--provider p --rpd 5", &[0]),
        ("--key a --rpd 5", &[0]),
    ] {
        let limits = set(line).unwrap();
        let found: Vec<_> = limits.iter().map(|it| it.switch_percent).collect();
        let mut found = found;
        found.sort_unstable();
        assert_eq!(found, percents, "{line}");
    }
}

#[test]
fn wrong_combinations_are_told_what_to_write_instead() {
    for (line, what, hint) in [
        ("--rpm 5", "whose limit", "--team"),
        ("--key a", "No amount", "--rpm 60"),
        ("--key a --team t --rpm 5", "--key with --team", "a limit for each"),
        ("--key a --everything --rpm 5", "--key with --everything", "a limit for each"),
        ("--model m --rpm 5", "at which account", "--alias m"),
        ("--key a --model m --rpm 5", "--key with --model", "--alias m"),
        (
            "--provider p --model m --rpm 5",
            "--provider with --model",
            "--account ACCOUNT --model m",
        ),
        ("--alias c --account a --rpm 5", "--alias with --account", "`--model`"),
        ("--key a --alias c --account b --rpm 5", "--key with --alias with --account", "each"),
        ("--key a --tokens 1M", "--tokens per which time", "--per minute"),
        ("--key a --requests 1", "--requests per which time", "forever"),
        ("--key a --rpm 5 --per day", "--per of what", "--rpd"),
        ("--key a --rpm 5 --requests 6 --per minute", "--rpm and --requests", "keep one"),
        ("--key a --budget 5usd --profile bucket", "--profile", "per minute, hour or day"),
        ("--key a --max-in-flight 5 --profile calendar", "--profile", "calendar"),
        ("--key a --rpm 5 --timezone Asia/Shanghai", "--timezone", "per day"),
        ("--key a --rph 5 --profile calendar --reset-at 08:00", "--reset-at", "per day"),
        ("--key a --rpm 5 --weights cached=10", "--weights", "--tpm"),
        ("--key a --rpd 5 --threshold 99%", "--threshold", "--warn"),
        ("--account a --max-tokens-per-request 5 --warn 80%", "counted alone", "out"),
        ("--key a --tokens 5 --per forever --queue 1s", "--queue", "leave it out"),
    ] {
        let error = set(line).unwrap_err();
        assert_eq!(error.kind, crate::failure::Kind::Usage, "{line}");
        assert!(error.what.contains(what), "{line}: {}", error.what);
        let said = error.hint.unwrap_or_default();
        assert!(said.contains(hint), "{line}: {said}");
    }
}

#[test]
fn a_limit_is_tried_with_only_what_is_said_changed() {
    let old = &set("--team t --budget 500usd --timezone Asia/Shanghai --warn 80%").unwrap()[0];
    assert_eq!(change(old, "").unwrap(), *old);
    let new = change(old, "--budget 200usd").unwrap();
    assert_eq!(new, Limit { amount: 200_000_000, ..old.clone() });
    let new = change(old, "--warn none --reset-at 08:00").unwrap();
    assert_eq!((new.warn_percent, new.reset_minute, new.amount), (0, 480, old.amount));
    let new = change(old, "--rpm 5").unwrap();
    assert_eq!(title(&new), "team t: 5 requests/minute");
    assert!(new.time_zone.is_empty());
    let tokens = &set("--team t --tpd 5M --weights cached=10").unwrap()[0];
    let new = change(tokens, "--tokens 6M").unwrap();
    assert_eq!(new, Limit { amount: 6_000_000, ..tokens.clone() });
    assert!(change(tokens, "--requests 6 --per day").unwrap().weights.is_none());
    for (line, what) in
        [("--rpm 5 --tpm 6", "one amount"), ("--requests 6", "which time"), ("--per day", "--per")]
    {
        let error = change(old, line).unwrap_err();
        assert!(error.what.contains(what), "{line}: {}", error.what);
    }
}
