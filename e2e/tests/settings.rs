//! What a program is told wrongly, it says, all of it at once, and starts nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::program;
use std::{fs, process::Output};

fn run(name: &str, args: &[&str], env: &[(&str, &str)]) -> (Output, String) {
    let mut command = program::command(name).unwrap();
    let output = command.args(args).envs(env.iter().copied()).output().unwrap();
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    (output, told)
}

#[test]
fn every_problem_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "no-such-thing = 1\n").unwrap();
    let file = file.to_str().unwrap();
    let home = folder.path().join("home");
    for (name, env, address) in [
        ("sluice-control-plane", "SLUICE_DB_POOL_SIZE", "--control-addr"),
        ("sluice-data-plane", "SLUICE_MAX_BODY_BYTES", "--data-addr"),
    ] {
        let args = ["--bogus", "1", address, "nowhere", "--config", file];
        let env = [(env, "many"), ("SLUICE_HOME", home.to_str().unwrap())];
        let (output, told) = run(name, &args, &env);
        assert_eq!(output.status.code(), Some(2), "{name}: {told}");
        for word in ["--bogus", address, env[0].0, "no-such-thing", "many"] {
            assert!(told.contains(word), "{name}: `{word}` is not in {told}");
        }
        assert!(output.stdout.is_empty() && !home.exists(), "{name}: something was started");
    }
}

#[test]
fn beyond_loopback_nothing_goes_in_the_clear() {
    let (output, told) = run("sluice-control-plane", &["--control-addr", "0.0.0.0:0"], &[]);
    assert!(output.status.code() == Some(2) && told.contains("TLS"), "{told}");
    let env = [("SLUICE_NODE_TOKEN", "slc_jn_x")];
    let (output, told) =
        run("sluice-data-plane", &["--control-url", "http://192.0.2.1:7070"], &env);
    assert!(output.status.code() == Some(2) && told.contains("--control-url"), "{told}");
}

#[test]
fn secrets_are_not_taken_from_the_command_line_nor_repeated() {
    let secret = "slc_jn_not-a-real-one";
    let (output, told) = run("sluice-data-plane", &["--node-token", secret], &[]);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("node-token") && !told.contains(secret), "{told}");
    let (output, told) = run("sluice-data-plane", &[], &[("SLUICE_NODE_TOKEN", secret)]);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("SLUICE_NODE_TOKEN") && !told.contains(secret), "{told}");
}

#[test]
fn help_and_version_are_answered() {
    for name in ["sluice", "sluice-control-plane", "sluice-data-plane", "sluice-demo-provider"] {
        for flag in ["--help", "--version"] {
            let (output, told) = run(name, &[flag], &[]);
            assert!(output.status.success() && told.is_empty(), "{name} {flag}: {told}");
            assert!(String::from_utf8(output.stdout).unwrap().contains("luice"), "{name} {flag}");
        }
    }
}
