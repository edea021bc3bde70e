//! `sluice up` as a person sees it: one command and it serves; whatever dies, it recovers;
//! when it ends, nothing is left.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{
    caller::Caller,
    house::{House, Who},
    patience::until,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

fn text<'a>(banner: &'a Value, field: &str) -> &'a str {
    banner[field].as_str().unwrap_or_default()
}

fn caller(banner: &Value, key: &str) -> Caller {
    Caller::new(banner["data"][0].as_str().unwrap(), key).unwrap()
}

/// Waits until callers are served: what was killed may be on its way back.
async fn serves(caller: &Caller) {
    let look = async || caller.chat("gpt-4o-mini").await.ok().filter(|it| it.status == 200);
    until("callers are served", look).await.unwrap();
}

async fn first_day(house: &House) {
    let banner = house.up(&[]).await.unwrap();
    let key = text(&banner, "key").to_owned();
    assert!(key.starts_with("slc_sk_"), "{banner}");
    let token = fs::metadata(text(&banner, "operator_token_file")).unwrap();
    assert_eq!(token.permissions().mode() & 0o777, 0o600);
    for url in [text(&banner, "control"), text(&banner["demo"], "url")] {
        assert!(url.starts_with("http://127.0.0.1:"), "{banner}");
    }
    // Ready means ready: the first call works.
    let answer = caller(&banner, &key).chat("gpt-4o-mini").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = caller(&banner, &key).chat("claude-haiku-4-5").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    // The CLI knows where to go without being told.
    let made: Value = serde_json::from_str(
        &house.ok(&["key", "create", "--name", "team-a", "-o", "json"]).await.unwrap(),
    )
    .unwrap();
    let secret = text(&made, "secret");
    assert!(secret.starts_with("slc_sk_"), "{made}");
    serves(&caller(&banner, secret)).await;
    let status = house.ok(&["status"]).await.unwrap();
    assert!(status.contains("connected"), "{status}");
    until("the usage is in the books", async || {
        house
            .ok(&["usage", "--by", "key", "--since", "1h"])
            .await
            .ok()
            .filter(|it| it.contains("team-a"))
    })
    .await
    .unwrap();

    let second = house.run(&house.up_args(&[])).await.unwrap();
    assert!(!second.status.success(), "a second one on the same home is refused");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    let holders = house.residents_of("sluice");
    assert!(
        holders.iter().any(|it| told.contains(&it.pid.as_raw_nonzero().to_string())),
        "{told} {holders:?}"
    );

    house.down().await.unwrap();
    house.empty().await.unwrap();

    // The second day: the same key, which is not shown again.
    let banner = house.up(&[]).await.unwrap();
    assert!(banner["key"].is_null(), "{banner}");
    serves(&caller(&banner, &key)).await;
    house.down().await.unwrap();
    house.empty().await.unwrap();
}

#[tokio::test]
async fn one_command_and_it_serves() {
    first_day(&House::new(Who::Myself, "home").unwrap()).await;
}

#[tokio::test]
async fn an_ordinary_user_needs_no_more_than_that() {
    // Who is no root has just been tested as the ordinary user.
    if rustix::process::geteuid().is_root() {
        first_day(&House::new(Who::Nobody, "home").unwrap()).await;
    }
}

#[tokio::test]
async fn whatever_is_killed_comes_back_by_itself() {
    let house = House::new(Who::Myself, "home").unwrap();
    let banner = house.up(&["--proxies", "2"]).await.unwrap();
    let key = text(&banner, "key");
    let callers = [0, 1].map(|it| Caller::new(banner["data"][it].as_str().unwrap(), key).unwrap());
    for program in ["sluice-control-plane", "sluice-data-plane", "sluice-demo-provider", "postgres"]
    {
        let victim = match program {
            "postgres" => house.postmaster().unwrap(),
            _ => house.residents_of(program).pop().unwrap(),
        };
        victim.signal(Signal::KILL);
        until(&format!("another {program} runs"), async || {
            let all = if program == "postgres" {
                house.postmaster().into_iter().collect()
            } else {
                house.residents_of(program)
            };
            let expected = if program == "sluice-data-plane" { 2 } else { 1 };
            (all.len() == expected && all.iter().all(|it| it.pid != victim.pid)).then_some(())
        })
        .await
        .unwrap();
        for caller in &callers {
            serves(caller).await;
        }
        until("the operator is served", async || house.ok(&["key", "list"]).await.ok())
            .await
            .unwrap();
    }
    let log = house.log();
    assert!(log.contains("start"), "a restart is said: {log}");
    house.down().await.unwrap();
    house.empty().await.unwrap();
}

#[tokio::test]
async fn after_a_kill_of_the_supervisor_or_of_all_the_next_up_recovers() {
    let house = House::new(Who::Myself, "home").unwrap();
    let banner = house.up(&[]).await.unwrap();
    let key = text(&banner, "key").to_owned();
    serves(&caller(&banner, &key)).await;
    for supervisor_only in [true, false, false] {
        let victims =
            if supervisor_only { house.residents_of("sluice") } else { house.residents() };
        assert!(!victims.is_empty());
        victims.iter().for_each(|it| it.signal(Signal::KILL));
        // Whoever is left is on the way out, or holds nothing that the next one needs for long.
        let banner = until("up works again", async || house.up(&[]).await.ok()).await.unwrap();
        serves(&caller(&banner, &key)).await;
    }
    // And without a next one, what lost its supervisor leaves.
    house.residents_of("sluice").iter().for_each(|it| it.signal(Signal::KILL));
    house.empty().await.unwrap();
}

#[tokio::test]
async fn ctrl_c_ends_all_of_it_even_at_the_end_of_a_long_path() {
    // Longer than a socket's path may be.
    let house =
        House::new(Who::Myself, &format!("{}/with blanks/home", "deep".repeat(30))).unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = house
            .sluice(&house.up_args(&["--proxies", "3"]))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        tokio::task::spawn_blocking(move || {
            stdout.read_line(&mut line).unwrap();
            (line, stdout)
        })
        .await
        .map(|(line, _stdout)| {
            let banner: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(banner["data"].as_array().map(Vec::len), Some(3), "{banner}");
        })
        .unwrap();
        let supervisor = i32::try_from(child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(supervisor).unwrap(), signal)
            .unwrap();
        let ended = until("sluice up ends", async || child.try_wait().unwrap()).await.unwrap();
        assert!(ended.success(), "{ended}");
        let left = house.residents();
        assert!(left.is_empty(), "when it has ended, so have all: {left:?}");
    }
}

#[tokio::test]
async fn a_start_that_fails_leaves_the_first_key_to_the_next() {
    let house = House::new(Who::Myself, "home").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = house.home().to_str().unwrap();
    // The private port beside the taken one may be anybody's: it must not be what fails.
    let free = "127.0.0.1:0";
    let mut args = vec!["up", "--home", home, "--data-addr", &address];
    args.extend(["--data-ops-addr", free, "--control-addr", free]);
    let output = house.run(&args).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains(&address), "{told}");
    house.empty().await.unwrap();
    let banner = house.up(&[]).await.unwrap();
    let key = text(&banner, "key");
    assert!(key.starts_with("slc_sk_"), "it was made and shown to nobody: {banner}");
    serves(&caller(&banner, key)).await;
    house.down().await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_said_at_once() {
    let house = House::new(Who::Myself, "home").unwrap();
    let down = house.run(&["down", "--home", house.home().to_str().unwrap()]).await.unwrap();
    let told =
        String::from_utf8_lossy(&down.stderr).into_owned() + &String::from_utf8_lossy(&down.stdout);
    assert!(told.contains("home"), "{told}");
    let output = house.run(&["up", "--proxies", "none", "--home", "x"]).await.unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("--proxies")
    );
    assert!(house.residents().is_empty());
}
