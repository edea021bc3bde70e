//! The program from outside, as far as it needs no server.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The program in an environment of its own, where nothing is configured.
struct Sluice {
    dir: TempDir,
}

impl Sluice {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("SLUICE_CONFIG", self.path("config.toml"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs a line, and checks its exit code and that all of `parts` are said.
    fn check(&self, line: &str, code: i32, parts: &[&str]) -> String {
        let output = self.run(line);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        for part in parts {
            assert!(said.contains(part), "{line}: no `{part}` in: {said}");
        }
        said
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn help_has_examples_and_says_what_the_exit_codes_mean() {
    let it = Sluice::new();
    it.check("--help", 0, &["Examples:", "Exit codes:", "sluice up"]);
    it.check("help exit-codes", 0, &["3  not found", "5  not reached"]);
    it.check("exit-codes", 0, &["2  not understood"]);
    it.check("limit set --help", 0, &["Examples:", "--rpm", "window-strict", "replaces the one"]);
    it.check("limit status --help", 0, &["Examples:", "OVER is what", "--leases"]);
    for noun in ["limit", "limit simulate", "limit reset", "explain", "model update"] {
        it.check(&format!("{noun} --help"), 0, &["Examples:", "Usage:"]);
    }
    for noun in ["account add", "key create", "route set", "usage", "config apply", "up", "down"] {
        it.check(&format!("{noun} --help"), 0, &["Examples:", "Usage:"]);
    }
    it.check("--version", 0, &["sluice "]);
}

#[test]
fn what_is_not_understood_exits_with_2() {
    let it = Sluice::new();
    it.check("", 2, &["Usage:"]);
    it.check("frobnicate", 2, &["frobnicate"]);
    it.check("up --proxies zero", 2, &["--proxies"]);
    it.check("route set chat --tier /x", 2, &["ACCOUNT[/MODEL][@WEIGHT]"]);
    it.check("route set chat --tier a --translation lax", 2, &["lax", "lenient", "strict"]);
    it.check("key create --name a --expires 2001-01-01", 2, &["past", "hint:"]);
    it.check("usage --since whenever", 2, &["--since", "whenever"]);
    it.check("account add --provider openai --api-key-env UNSET", 2, &["UNSET"]);
    it.check("account add --provider openai --api-key-stdin", 2, &["stdin"]);
    it.check("up --home h --database-url-env UNSET", 2, &["UNSET"]);
}

#[test]
fn limits_that_make_no_sense_are_told_what_to_write_instead() {
    let it = Sluice::new();
    it.check("limit set --rpm 60", 2, &["whose limit", "hint: name one: --key"]);
    it.check("limit set --key a --team t --rpm 60", 2, &["--key with --team", "hint:"]);
    it.check("limit set --key a --tokens 1M", 2, &["per which time", "--per minute"]);
    it.check("limit set --key a --rpm 60k5", 2, &["--rpm", "100k"]);
    it.check("limit set --key a --budget 500", 2, &["--budget", "500usd"]);
    it.check("limit set --key a --budget 0.0000001usd", 2, &["millionth"]);
    it.check("limit set --key a --rpd 5 --threshold 99%", 2, &["--account", "--warn"]);
    it.check("limit set --key a --tokens 1 --per year", 2, &["minute, hour, day, week, month"]);
    it.check("limit show team-a", 2, &["lim_", "--key team-a"]);
    it.check("limit reset", 2, &["which limits?", "sluice limit list"]);
    it.check("limit remove lim_1 --key a", 2, &["which of both"]);
    it.check("limit simulate --id lim_1 --key a", 2, &["has one already"]);
    it.check("limit simulate --key a --rpm 5 --since whenever", 2, &["--since", "whenever"]);
    it.check("explain 42", 2, &["`42`", "x-request-id"]);
    it.check("model update lab/x", 2, &["nothing to change"]);
    it.check("model add lab/x --input-price 1", 2, &["half a price", "--output-price"]);
    // What makes sense is sent, and there is nobody to send it to.
    it.check("limit set --key a --rpm 60 --budget $5", 5, &["no server is known"]);
    it.check("limit status --watch", 5, &["no server is known"]);
}

#[test]
fn completions_are_for_every_shell() {
    let it = Sluice::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let parts = ["sluice", "account", "limit", "in-flight"];
        let said = it.check(&format!("completions {shell}"), 0, &parts);
        // Elvish and PowerShell complete flags but not their values.
        if matches!(shell, "bash" | "zsh" | "fish") {
            assert!(said.contains("window-strict"), "{shell}");
        }
        assert!(!said.contains("window_strict"), "{shell}");
    }
}

#[test]
fn without_a_server_the_way_out_is_named() {
    let it = Sluice::new();
    it.check("status", 5, &["no server is known", "sluice up", "sluice context add"]);
    it.check("status --server http://127.0.0.1:1", 5, &["operator token", "--token-file"]);
    it.check("status --server http://192.0.2.1:1 --token-file t", 5, &["operator token", "t"]);
    private(&it, "t", "secret-token\n");
    let said = it.check("status --server http://127.0.0.1:1 --token-file t", 5, &["cannot reach"]);
    assert!(!said.contains("secret-token"));
    it.check("status --server http://192.0.2.1:1 --token-file t", 2, &["in clear", "https://"]);
    it.check("status --server localhost --token-file t", 2, &["not a server's URL"]);
}

#[test]
fn a_token_that_others_can_read_is_not_used() {
    let it = Sluice::new();
    it.write("t", "secret-token\n");
    it.check("status --server http://127.0.0.1:1 --token-file t", 5, &["others can read"]);
}

#[test]
fn contexts_are_added_listed_used_and_removed() {
    let it = Sluice::new();
    it.check("context list", 0, &["No server is known"]);
    it.check("context add prod", 2, &["--server"]);
    it.check("context add Prod --server http://127.0.0.1:1", 2, &["not a name"]);
    it.check("context add prod --server http://127.0.0.1:1 --token-file t", 2, &["no file t"]);
    private(&it, "t", "secret-token\n");
    it.check("context add prod --server http://127.0.0.1:1 --token-file t", 0, &["prod"]);
    it.check("context add lab --server https://lab.example", 0, &["lab"]);
    let output = it.run("context list -o json");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list[1]["name"], "prod");
    assert_eq!(list[1]["current"], true);
    assert_eq!(list[1]["token_file"], it.path("t").display().to_string());
    it.check("context use lab", 0, &["lab"]);
    let output = it.run("context use lab -o json");
    let used: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(used["current"], "lab");
    it.check("context use other", 3, &["other", "sluice context list"]);
    it.check("status --context prod", 5, &["http://127.0.0.1:1"]);
    it.check("context remove lab", 0, &["lab"]);
    it.check("status", 5, &["no server is known"]);
    let config = std::fs::read_to_string(it.path("config.toml")).unwrap();
    assert!(!config.contains("secret-token"), "a path, not the token: {config}");
    it.write("config.toml", "[contexts.a]\nsevrer = 1\n");
    it.check("context list", 2, &["config.toml", "sevrer"]);
}

#[test]
fn a_manifest_is_checked_without_a_server() {
    let it = Sluice::new();
    it.write("good.yaml", "teams:\n  - name: red\nroutes:\n  - {alias: a, tiers: [[main@2]]}\n");
    it.check("config validate -f good.yaml --offline", 0, &["2 items"]);
    it.write("limits.yaml", "limits:\n  - {key: a, requests: 60, per: minute}\n");
    it.check("config validate -f limits.yaml --offline", 0, &["1 items"]);
    it.write("limits.yaml", "limits:\n  - {key: a, budget: 500, per: minute}\n");
    it.check("config validate -f limits.yaml --offline", 2, &["limits[0].budget", "500usd"]);
    it.write("bad.yaml", "teams:\n  - nmae: red\n");
    it.check("config validate -f bad.yaml --offline", 2, &["bad.yaml", "nmae", "line 2"]);
    it.check("config validate -f none.yaml --offline", 2, &["none.yaml"]);
    let mut child =
        it.command("config validate -f - --offline").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"teams\":[{\"name\":\"red\"}]}").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let it = Sluice::new();
    let mut child = it.command("completions bash").stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn down_without_up_says_so_and_makes_nothing() {
    let it = Sluice::new();
    it.check("down --home h", 0, &["nothing runs in"]);
    assert!(!it.path("h").exists());
}

#[test]
fn up_without_the_programs_says_where_it_looked() {
    let it = Sluice::new();
    let output = it.command("up --home h").env("SLUICE_BIN_DIR", it.path("bin")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("sluice-control-plane"), "{}", text(&output));
    assert!(text(&output).contains("cargo build"), "{}", text(&output));
    // The same from the background, and not as the end of a log.
    let mut detached = it.command("up --home h --detach");
    let output = detached.env("SLUICE_BIN_DIR", it.path("bin")).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).starts_with("error: there is no program"), "{}", text(&output));
}

#[test]
fn no_colour_without_a_terminal() {
    let it = Sluice::new();
    assert!(!it.check("status", 5, &[]).contains('\x1b'));
}

/// Writes a file that only its owner can read.
fn private(it: &Sluice, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    it.write(name, text);
    let path: &Path = &it.path(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
