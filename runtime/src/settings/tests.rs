//! What settings accept and how they refuse; knows no program.

use std::{ffi::OsString, fs, io::Write as _, net::SocketAddr, os::unix::fs::OpenOptionsExt as _};

use super::*;

const SPEC: Spec = Spec {
    program: "mill",
    about: "Turns.",
    settings: &[
        Setting::new("data-addr", "MILL_DATA_ADDR", "Where it listens.").or("127.0.0.1:80"),
        Setting::new("wheels", "MILL_WHEELS", "How many wheels."),
        Setting::new("node-token", "MILL_NODE_TOKEN", "Who we are.").secret(),
        Setting::new("fast", "MILL_FAST", "Turn faster.").switch(),
    ],
};

fn read(args: &[&str], env: &[(&str, &str)]) -> Settings {
    let env: Vec<(String, OsString)> =
        env.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    Settings::read(&SPEC, args.iter().map(OsString::from), move |name| {
        env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    })
}

fn file(mode: u32, text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mill.toml");
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let (_dir, path) = file(0o600, "data-addr = \"127.0.0.1:3\"\nwheels = 3\nfast = true\n");
    let config = ["--config", &path];
    let addr = |settings: &mut Settings| settings.get::<SocketAddr>("data-addr").unwrap().port();

    assert_eq!(addr(&mut read(&[], &[])), 80);
    assert_eq!(addr(&mut read(&config, &[])), 3);
    assert_eq!(addr(&mut read(&config, &[("MILL_DATA_ADDR", "127.0.0.1:2")])), 2);
    let all = [&config[..], &["--data-addr=127.0.0.1:1"]].concat();
    let mut settings = read(&all, &[("MILL_DATA_ADDR", "127.0.0.1:2")]);
    assert_eq!(addr(&mut settings), 1);
    assert_eq!(settings.get::<u32>("wheels"), Some(3));
    assert!(settings.switch("fast"));
    assert!(settings.problems().is_empty(), "{}", settings.problems());
}

#[test]
fn every_problem_is_reported_at_once() {
    let (_dir, path) = file(0o600, "wings = 2\nwheels = \"many\"\n");
    let mut settings = read(
        &["--config", &path, "--spokes", "7", "stray", "--data-addr", "nowhere"],
        &[("MILL_FAST", "maybe")],
    );
    let _ = settings.get::<SocketAddr>("data-addr");
    let _ = settings.get::<u32>("wheels");
    let _ = settings.require::<String>("node-token");
    settings.switch("fast");
    let report = settings.problems().report("mill");
    for expected in [
        "mill: 7 problems with the settings",
        "--spokes: is not a setting",
        "stray: is not a flag",
        "wings in ",
        "--data-addr: `nowhere`: ",
        "wheels in the file of --config: `many`: ",
        "MILL_NODE_TOKEN: is required",
        "MILL_FAST: `maybe` is neither true nor false",
    ] {
        assert!(report.contains(expected), "{expected} is missing in\n{report}");
    }
}

#[test]
fn a_secret_is_refused_as_a_flag_and_never_printed() {
    for args in [&["--node-token", "hush"][..], &["--node-token=hush"]] {
        let settings = read(args, &[]);
        let report = settings.problems().report("mill");
        assert!(report.contains("set MILL_NODE_TOKEN"), "{report}");
        assert!(!report.contains("hush"), "{report}");
    }
    let mut settings = read(&[], &[("MILL_NODE_TOKEN", "hush")]);
    assert_eq!(settings.get::<u32>("node-token"), None);
    assert!(!settings.problems().report("mill").contains("hush"));
}

#[test]
fn a_file_with_a_secret_that_others_can_read_is_refused() {
    let text = "node-token = \"hush\"\n";
    let (_dir, open) = file(0o644, text);
    let report = read(&["--config", &open], &[]).problems().report("mill");
    assert!(report.contains("node-token in ") && !report.contains("hush"), "{report}");
    let (_dir, private) = file(0o600, text);
    let mut settings = read(&["--config", &private], &[]);
    assert_eq!(settings.require::<String>("node-token").as_deref(), Some("hush"));
    assert!(settings.problems().is_empty(), "{}", settings.problems());
}

#[test]
fn a_broken_file_is_named_with_its_line_and_not_quoted() {
    let (_dir, path) = file(0o600, "wheels = 1\nnode-token = hush\n");
    let report = read(&["--config", &path], &[]).problems().report("mill");
    assert!(report.contains("line 2"), "{report}");
    assert!(!report.contains("hush"), "{report}");
}

#[test]
fn a_flag_without_its_value_or_given_twice_is_refused() {
    let report = read(&["--wheels", "--fast"], &[]).problems().report("mill");
    assert!(report.contains("--wheels: needs a value"), "{report}");
    let report = read(&["--wheels", "1", "--wheels", "2"], &[]).problems().report("mill");
    assert!(report.contains("--wheels: is given twice"), "{report}");
}

#[test]
fn an_empty_variable_counts_as_none() {
    let mut settings = read(&[], &[("MILL_WHEELS", ""), ("MILL_FAST", "")]);
    assert_eq!(settings.get::<u32>("wheels"), None);
    assert!(!settings.switch("fast"));
    assert!(settings.problems().is_empty());
}

#[test]
fn help_lists_every_setting_with_its_variable_and_default() {
    let help = read(&["--help"], &[]).answer().unwrap();
    for setting in SPEC.all() {
        assert!(help.contains(setting.name), "{}", setting.name);
        assert!(help.contains(setting.env), "{}", setting.env);
        assert!(help.contains(setting.default.unwrap_or_default()), "{}", setting.name);
    }
    assert!(!help.contains("--node-token"));
    assert!(help.lines().all(|line| line.len() < 90), "{help}");
    assert_eq!(read(&["--version"], &[]).answer().unwrap(), format!("mill {VERSION}\n"));
    assert_eq!(read(&[], &[]).answer(), None);
}

#[test]
fn asking_for_a_setting_outside_the_table_is_a_problem() {
    let mut settings = read(&[], &[]);
    assert_eq!(settings.get::<u32>("sails"), None);
    assert!(settings.problems().report("mill").contains("--sails"));
}
