//! Facts about supervision, with shell scripts for programs.

use std::time::Instant;

use super::*;

fn job(name: &str, role: Role, script: &str) -> Job {
    Job {
        name: name.to_owned(),
        role,
        program: "/bin/sh".into(),
        args: ["-c", script].map(Into::into).to_vec(),
        vars: Vec::new(),
        withheld: Vec::new(),
        listens: Vec::new(),
    }
}

fn children(dir: &Path) -> Children {
    Children::new(dir, 60_000)
}

const DIES: &str = "echo '10:00 ERROR failed error=no more room' >&2; exit 3";
const READY: &str = r#"echo '{"ready":{"data":"http://0.0.0.0:81"}}'"#;

#[tokio::test]
async fn a_program_that_announces_itself_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = children(dir.path());
    let script = format!("{READY}; read -r gone");
    let started = all.start(job("proxy 1", Role::Proxy, &script)).await.unwrap();
    assert_eq!(started.url("data").unwrap(), "http://127.0.0.1:81");
    assert!(started.url("ops").is_err());
    all.stop(Order::Drain).await;
}

#[tokio::test]
async fn a_program_does_not_see_what_is_withheld_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = children(dir.path());
    // A variable that is surely set, in the place of a secret.
    let script = format!("[ -z \"$CARGO_MANIFEST_DIR\" ] && {READY} && read -r gone");
    let withheld = vec!["CARGO_MANIFEST_DIR".to_owned()];
    all.start(Job { withheld, ..job("proxy 1", Role::Proxy, &script) }).await.unwrap();
    assert!(all.start(job("proxy 2", Role::Proxy, &script)).await.is_err(), "it is set");
    all.stop(Order::Drain).await;
}

#[tokio::test]
async fn one_that_dies_before_it_announces_itself_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = children(dir.path());
    let error = all.start(job("proxy 1", Role::Proxy, DIES)).await.unwrap_err();
    assert_eq!(error.what, "proxy 1 ended with exit code 3: no more room");
    let unset =
        "printf 'p: 2 problems with the settings\n  A: bad\n  --b: worse\nhelp\n' >&2; exit 2";
    let error = all.start(job("proxy 1", Role::Proxy, unset)).await.unwrap_err();
    assert_eq!(error.what, "proxy 1 ended with exit code 2: A: bad; --b: worse");
    let nowhere = Job { program: "/no/such".into(), ..job("p", Role::Proxy, "") };
    assert!(all.start(nowhere).await.unwrap_err().what.contains("cannot be started"));
    all.stop(Order::Drain).await;
}

#[tokio::test]
async fn one_that_dies_later_is_started_again_on_the_port_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let lives = dir.path().join("lives");
    let script = format!(
        "echo \"$0 $1\" >> '{}'; {}; [ \"$1\" = 127.0.0.1:0 ] && exit 1; read -r gone",
        lives.display(),
        READY.replace("0.0.0.0:81", "127.0.0.1:4321"),
    );
    let addr = "127.0.0.1:0".parse().unwrap();
    let listens = vec![Listen { flag: "--data-addr", place: "data", addr }];
    let job = Job { listens, ..job("proxy 1", Role::Proxy, &script) };
    let mut all = children(dir.path());
    all.start(job).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let text = std::fs::read_to_string(&lives).unwrap();
            if 2 <= text.lines().count() {
                break text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let told = told.await.unwrap();
    assert_eq!(told, "--data-addr 127.0.0.1:0\n--data-addr 127.0.0.1:4321\n");
    all.stop(Order::Drain).await;
}

#[tokio::test]
async fn proxies_are_stopped_first_and_the_demo_provider_last() {
    let dir = tempfile::tempdir().unwrap();
    let ends = dir.path().join("ends");
    let mut all = children(dir.path());
    for (name, role) in
        [("control", Role::ControlPlane), ("demo", Role::DemoProvider), ("proxy", Role::Proxy)]
    {
        let script = format!(
            "trap 'echo {name} >> {}; exit 0' TERM; {READY}; while :; do sleep 0.01; done",
            ends.display()
        );
        all.start(job(name, role, &script)).await.unwrap();
    }
    all.stop(Order::Drain).await;
    assert_eq!(std::fs::read_to_string(&ends).unwrap(), "proxy\ncontrol\ndemo\n");
}

#[tokio::test]
async fn a_second_signal_kills_what_the_first_still_waits_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = children(dir.path());
    let quick = format!("{READY}; read -r gone");
    let deaf = format!("trap '' TERM; {READY}; while :; do sleep 0.01; done");
    for (name, script) in [("proxy 1", &quick), ("proxy 2", &deaf)] {
        all.start(job(name, Role::Proxy, script)).await.unwrap();
    }
    let begun = Instant::now();
    let stopped = tokio::time::timeout(Duration::from_millis(300), all.stop(Order::Drain)).await;
    assert!(stopped.is_err(), "the second does not listen");
    all.stop(Order::Die).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "it was not waited for");
}

#[tokio::test]
async fn one_that_does_not_end_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = children(dir.path());
    let script = format!("trap '' TERM; {READY}; while :; do sleep 0.01; done");
    all.start(job("proxy", Role::Proxy, &script)).await.unwrap();
    let begun = Instant::now();
    all.stop(Order::Die).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "it was not waited for");
}

#[tokio::test]
async fn one_in_a_hurry_is_asked_again_before_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let ends = dir.path().join("ends");
    let mut all = children(dir.path());
    let script = format!(
        "n=0; trap 'n=$((n+1)); [ $n = 2 ] && echo cut >> {} && exit 0' TERM; {READY}; \
         while :; do sleep 0.01; done",
        ends.display()
    );
    all.start(job("proxy", Role::Proxy, &script)).await.unwrap();
    let drained = tokio::time::timeout(Duration::from_millis(300), all.stop(Order::Drain)).await;
    assert!(drained.is_err(), "it has begun something");
    all.stop(Order::Hurry).await;
    assert_eq!(std::fs::read_to_string(&ends).unwrap(), "cut\n");
}
