//! Facts about what can be typed.

use super::*;
use clap::{CommandFactory as _, error::ErrorKind};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let words = line.split_whitespace().map(|it| it.trim_matches('\''));
    Cli::try_parse_from(std::iter::once("sluice").chain(words))
}

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_commands_of_the_readme_are_understood() {
    for line in [
        "up",
        "up --demo --proxies 3 --detach",
        "up --home h --data-addr 127.0.0.1:0 --control-addr [::1]:0 -o json",
        "down --home h",
        "status -o json",
        "account add --provider openai --name main --api-key-stdin",
        "upstream add --provider openai --api-key-env K --base-url http://h/v1 --header a=b",
        "account update main --api-key-file k --idle-timeout 2m",
        "account disable main --wait",
        "key create --name team-a",
        "apikey create --name a --team t --expires 30d --models a,b* -o json",
        "key disable team-a --wait --wait-timeout 5s",
        "key rm team-a",
        "usage",
        "usage --by key,model --by team --since 7d --until now --key a",
        "usage list --limit 3 --key a --since 1h",
        "route set chat --tier main/gpt-4o@3,eu/gpt-4o@1 --tier backup",
        "route disable chat",
        "provider add lab --endpoint openai=https://h/v1 --pattern a-*,b-* --aggregator",
        "provider update lab --aggregator false",
        "model add lab/x --operations chat,embeddings",
        "model add lab/x --input-price 0.15 --output-price $0.6 --max-output-tokens 16k",
        "model update lab/x --cached-input-price 0 --cache-write-price 0.2",
        "model set lab/x --no-price",
        "model set lab/x --context-tokens 128k",
        "provider update lab --output-cap-field max_completion_tokens",
        "provider update lab --quirk no_stream_options,plain_text --quirk ''",
        "provider add aws --endpoint bedrock --auth sigv4:bedrock@eu-west-1",
        "account update main --keep-output-open true",
        "limit set --key team-a --rpm 60 --tpm 100k --rpd 1000 --max-tokens-per-request 4000",
        "limit set --account free-1 --tokens 1M --per month --threshold 99%",
        "limit set --team research --budget 500usd --per month --timezone Asia/Shanghai --wait",
        "limits add --everything --rph 1 --tph 2 --tpd 5M --max-in-flight 8 --reset-at 08:00",
        "limit set --key k --alias a --rpm 1 --profile window_strict --mode availability --shadow",
        "limit set --key k --tpm 1 --weights input=100,cached=10 --warn 80% --queue 500ms",
        "limit list",
        "limit ls --team t -o json",
        "limit show lim_1 lim_2",
        "limit show --account a --model m",
        "limit reset lim_1 --wait",
        "limit delete --key k --wait --wait-timeout 5s",
        "limit simulate --since 7d --until 2026-01-31 --key k --rpm 5",
        "limit simulate --id lim_1 --requests 5 --profile window-strict",
        "limit status --watch --interval 500ms --all --leases --provider p",
        "explain req_1 -o json",
        "team add red --description reds",
        "settings set --max-attempts 5",
        "settings set --default-output-tokens 8k --fallback-proxies 4",
        "settings set --fetch-addresses on",
        "settings set --fetch-addresses off",
        "config apply -f - --dry-run --expected-revision 7",
        "config export --without-keys",
        "config validate -f m.yaml --offline",
        "context add prod --server https://h --token-file t --ca c",
        "context use prod",
        "completions bash",
        "exit-codes",
        "--context prod status",
        "status --server http://127.0.0.1:1 --token-file t",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (line, kind) in [
        ("account add --provider p --api-key-stdin --api-key-env K", ErrorKind::ArgumentConflict),
        ("account add --provider p --api-key sk-1", ErrorKind::UnknownArgument),
        ("account add --name x", ErrorKind::MissingRequiredArgument),
        ("route set chat", ErrorKind::MissingRequiredArgument),
        ("route set chat --tier /x", ErrorKind::ValueValidation),
        ("settings set", ErrorKind::MissingRequiredArgument),
        ("model update lab/x --no-price --output-price 1", ErrorKind::ArgumentConflict),
        ("model add lab/x --input-price cheap", ErrorKind::ValueValidation),
        ("settings set --fallback-proxies 0", ErrorKind::ValueValidation),
        ("settings set --fetch-addresses maybe", ErrorKind::ValueValidation),
        ("limit set --key k --rpm 1.5", ErrorKind::ValueValidation),
        ("limit set --key k --budget 500", ErrorKind::ValueValidation),
        ("limit set --key k --rpm 5 --profile gcra", ErrorKind::InvalidValue),
        ("limit set --key k --rpd 5 --reset-at 24:00", ErrorKind::ValueValidation),
        ("limit set --key k --tokens 5 --per year", ErrorKind::InvalidValue),
        ("limit status --interval 1s", ErrorKind::MissingRequiredArgument),
        ("limit", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("explain", ErrorKind::MissingRequiredArgument),
        ("up --proxies 0", ErrorKind::ValueValidation),
        ("up --data-addr nowhere", ErrorKind::ValueValidation),
        ("usage --by colour", ErrorKind::InvalidValue),
        ("status -o xml", ErrorKind::InvalidValue),
        ("status --context a --server b", ErrorKind::ArgumentConflict),
        ("key disable a --wait --wait-timeout soon", ErrorKind::ValueValidation),
        ("frobnicate", ErrorKind::InvalidSubcommand),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
    }
}

#[test]
fn no_flag_takes_a_secret() {
    fn walk(command: &clap::Command) {
        for flag in command.get_arguments() {
            let name = flag.get_id().as_str();
            let secret = ["secret", "password", "credential"].iter().any(|it| name.contains(it));
            assert!(!secret && name != "api_key" && name != "token", "{name}");
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Cli::command());
}

#[test]
fn every_noun_has_examples_and_they_are_understood() {
    let nouns = Cli::command();
    for noun in nouns.get_subcommands().filter(|it| it.get_name() != "exit-codes") {
        let help = noun.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Examples:"), "{}", noun.get_name());
        let verbs = noun.get_subcommands().filter_map(clap::Command::get_after_help);
        let help = verbs.map(ToString::to_string).fold(help, |all, it| format!("{all}\n{it}"));
        let help = help.replace("\\\n", "");
        for line in help.lines().filter_map(|it| it.trim().strip_prefix("sluice ")) {
            // What is explained, or is for the shell, is not typed to us.
            let end = ["   ", " > ", " < ", " | "].iter().filter_map(|it| line.find(it)).min();
            let line = line[..end.unwrap_or(line.len())]
                .replace("'The lab'", "lab")
                .replace("'Our proxy'", "p");
            let line = line.replace("'Both labs'", "labs");
            assert!(parse(&line).is_ok(), "{line}: {}", parse(&line).unwrap_err());
        }
    }
}

#[test]
fn every_command_says_what_it_does() {
    fn walk(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for flag in command.get_arguments() {
            assert!(flag.get_help().is_some(), "{} {}", command.get_name(), flag.get_id());
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Cli::command());
}
