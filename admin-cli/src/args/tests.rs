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
        "team add red --description reds",
        "settings set --max-attempts 5",
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
        ("model update lab/x", ErrorKind::MissingRequiredArgument),
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
        for line in help.lines().filter_map(|it| it.trim().strip_prefix("sluice ")) {
            // What is explained, or is for the shell, is not typed to us.
            let end = ["   ", " > ", " \\"].iter().filter_map(|it| line.find(it)).min();
            let line = line[..end.unwrap_or(line.len())].replace("'The lab'", "lab");
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
