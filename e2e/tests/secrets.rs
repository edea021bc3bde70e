//! What must never be written down in the clear: searched for in every log and file.
#![expect(clippy::unwrap_used, reason = "tests")]

use e2e::{admin::demo_account, patience::until, stack::Stack};
use rustix::process::Signal;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

#[tokio::test]
async fn keys_and_credentials_are_in_no_log_and_no_file() {
    let builder =
        Stack::builder().proxy_env("SLUICE_LOG", "debug").control_env("SLUICE_LOG", "debug");
    let mut stack = builder.start().await.unwrap();
    let mut account = demo_account("guarded", &stack.witness().base_url(), "provider-secret-4711");
    account.proxy = "http://user:proxy-secret-4712@127.0.0.1:9".into();
    stack.admin().add_account(account).await.unwrap();
    stack.admin().add_route("guarded", &[&[("guarded", "demo-a", 1)]]).await.unwrap();
    stack.settled().await.unwrap();
    let caller = stack.caller().unwrap();
    let wrong = "slc_sk_wrong-key-4713";
    assert_eq!(caller.with_key(wrong).chat("gpt-4o").await.unwrap().status, 401);
    assert_eq!(caller.chat("gpt-4o").await.unwrap().status, 200);
    // Through a proxy that is not there: the error is logged, the password is not.
    assert_eq!(caller.chat("guarded").await.unwrap().status, 502);
    until("both are in the books", async || {
        (stack.admin().usage().await.ok()?.len() == 2).then_some(())
    })
    .await
    .unwrap();
    let metrics = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics =
        metrics.get(format!("{}/metrics", stack.proxies()[0].ops())).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("# TYPE"), "{metrics}");

    // What is written at the end is searched too.
    stack.proxy(0).program().signal(Signal::TERM).unwrap();
    stack.proxy(0).program().ended().await.unwrap();
    stack.control().signal(Signal::TERM).unwrap();
    stack.control().ended().await.unwrap();
    let token = |name: &str| fs::read_to_string(stack.home().join(name)).unwrap().trim().to_owned();
    let tokens = [("operator.token", token("operator.token")), ("node.token", token("node.token"))];
    let mut all = Vec::new();
    files(stack.folder(), &mut all);
    assert!(all.len() > 100, "the database's files are among them: {}", all.len());
    let secrets = [stack.key(), wrong, "provider-secret-4711", "proxy-secret-4712"];
    for path in &all {
        for secret in secrets {
            assert!(!holds(path, secret), "{} holds {secret}", path.display());
        }
        for (name, token) in &tokens {
            let own = path.file_name().unwrap() == *name;
            assert!(own || !holds(path, token), "{} holds {name}", path.display());
        }
    }
    for secret in secrets.into_iter().chain(tokens.iter().map(|(_, it)| it.as_str())) {
        assert!(!metrics.contains(secret), "{secret} is a metric");
    }
    for name in ["operator.token", "node.token", "master.key"] {
        let mode = fs::metadata(stack.home().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
