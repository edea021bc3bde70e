//! Whole processes, from settings to exit code: signals, the end of stdin, deadlines.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdin, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

struct Mill {
    child: Child,
    stdin: Option<ChildStdin>,
    log: BufReader<ChildStderr>,
    line: String,
}

impl Mill {
    /// Starts it and waits until it has announced itself.
    fn start(args: &[&str]) -> Self {
        let mut child = command(args)
            .args(["--announce", "--log-format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let stdin = child.stdin.take();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdin, log, line }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads the log up to the line that contains `text`.
    fn until(&mut self, text: &str) {
        for line in self.log.by_ref().lines() {
            if line.unwrap().contains(text) {
                return;
            }
        }
        unreachable!("the log ended without `{text}`");
    }

    /// Waits for its end, without closing stdin first.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        drop(self.stdin.take());
        (status.code(), log)
    }
}

fn command(args: &[&str]) -> Command {
    // target/<profile>/deps/start_and_stop-… stands beside target/<profile>/examples/mill.
    let deps: PathBuf = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut command = Command::new(deps.with_file_name("examples").join("mill"));
    command.env_clear().args(args);
    command
}

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(args).stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn announces_where_it_listens_and_drains_on_sigterm() {
    let mill = Mill::start(&[]);
    assert!(mill.line.starts_with("{\"ready\":{\"ops\":\"http://127.0.0.1:"), "{}", mill.line);
    mill.signal(Signal::TERM);
    let (code, log) = mill.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("\"message\":\"stopped\""), "{log}");
}

#[test]
fn drains_on_ctrl_c_unless_a_supervisor_decides() {
    let mill = Mill::start(&[]);
    mill.signal(Signal::INT);
    assert_eq!(mill.end().0, Some(0));

    let mut mill = Mill::start(&["--supervised"]);
    mill.signal(Signal::INT);
    drop(mill.stdin.take());
    let (code, log) = mill.end();
    assert_eq!(code, Some(0), "{log}");
    // Had Ctrl-C begun the drain, the end of stdin would not be news.
    assert!(log.contains("the supervisor is gone"), "{log}");
}

#[test]
fn a_signal_after_the_end_of_stdin_is_still_the_first() {
    let mut mill = Mill::start(&["--supervised", "--slow", "--drain-timeout-ms", "200"]);
    drop(mill.stdin.take());
    mill.until("\"message\":\"draining\"");
    mill.signal(Signal::TERM);
    let (code, log) = mill.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("drain deadline passed"), "{log}");
}

#[test]
fn drains_when_the_supervisor_is_gone() {
    let mut mill = Mill::start(&["--supervised"]);
    drop(mill.stdin.take());
    assert_eq!(mill.end().0, Some(0));
}

#[test]
fn leaves_while_stdin_is_still_open() {
    let mill = Mill::start(&["--supervised"]);
    mill.signal(Signal::TERM);
    assert_eq!(mill.end().0, Some(0));
}

#[test]
fn a_second_signal_cuts_what_the_first_let_finish() {
    let mut mill = Mill::start(&["--slow", "--drain-timeout-ms", "600000"]);
    mill.signal(Signal::TERM);
    mill.until("\"message\":\"draining\"");
    mill.signal(Signal::TERM);
    let (code, log) = mill.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("asked to stop again"), "{log}");
}

#[test]
fn the_deadline_cuts_too() {
    let mill = Mill::start(&["--slow", "--drain-timeout-ms", "50"]);
    mill.signal(Signal::TERM);
    let (code, log) = mill.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("drain deadline passed"), "{log}");
}

#[test]
fn a_failure_is_logged_and_is_exit_code_1() {
    let (code, stdout, stderr) = output(&["--broken", "--log-format", "json"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("\"error\":\"a wheel is broken\""), "{stderr}");
}

#[test]
fn bad_settings_are_named_all_at_once_and_nothing_starts() {
    let (code, stdout, stderr) =
        output(&["--wheels", "9", "--ops-addr", "here", "--colour", "red", "--log-level", "loud"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    for name in ["4 problems", "--wheels:", "--ops-addr:", "--colour:", "--log-level:"] {
        assert!(stderr.contains(name), "{name} is missing in\n{stderr}");
    }
}

#[test]
fn help_goes_to_stdout_and_is_no_failure() {
    let (code, stdout, stderr) = output(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("--wheels <value>"), "{stdout}");
}

#[test]
fn hears_signals_though_nobody_reads_its_log_any_more() {
    let mut mill = Mill::start(&["--supervised", "--slow", "--drain-timeout-ms", "600000"]);
    // As when its supervisor was killed: all three pipes break at once.
    drop((mill.stdin.take(), mill.child.stdout.take(), mill.log));
    // The first signal starts the drain, another one cuts; two at once may count as one.
    let given_up = Instant::now() + Duration::from_secs(20);
    let ended = loop {
        if let Some(status) = mill.child.try_wait().unwrap() {
            break status.code();
        }
        if given_up < Instant::now() {
            mill.child.kill().unwrap();
            break None;
        }
        kill_process(Pid::from_child(&mill.child), Signal::TERM).unwrap();
        std::thread::yield_now();
    };
    assert_eq!(ended, Some(0));
}
