//! Coding agents and frameworks as they are installed, with models of every dialect.
//! Large to install: `make test-clients` does, and asks for the tests that are ignored here.
#![expect(clippy::unwrap_used, reason = "tests")]

use anyhow::{Context, Result, ensure};
use e2e::{
    crossing, patience, program,
    sdk::{self, cache, node_of},
    speak::Speech,
    stack::Stack,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const WORDS: &str = "The river is called Nidda.";

/// A program of the installed packages, for this platform.
fn installed(places: [&str; 2]) -> Result<PathBuf> {
    let modules = cache().join("agents/node_modules");
    let found = places.map(|it| modules.join(it)).into_iter().find(|it| it.is_file());
    found.with_context(|| {
        let folder = modules.display();
        format!("{} is missing under {folder}: `make test-clients` installs it", places[0])
    })
}

/// An empty home with a folder of work, in which there is a file to be read.
fn home() -> Result<(TempDir, PathBuf)> {
    let home = tempfile::Builder::new().prefix("sluice-agent-").tempdir()?;
    let work = home.path().join("work");
    fs::create_dir(&work)?;
    fs::write(work.join("notes.txt"), WORDS)?;
    Ok((home, work))
}

/// What an agent prints, when it has come to its end well.
async fn output(mut command: Command) -> Result<String> {
    command.stdin(Stdio::null());
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience::LONG, output).await.context("it hangs")??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {text}\n{errors}", output.status);
    Ok(text)
}

/// Everything was asked as a stream, once for each round, and well answered.
async fn served(stack: &Stack, model: &str, rounds: usize) -> Result<()> {
    let entries = stack.witness().ledger().await?;
    let asked: Vec<_> = entries.iter().filter(|it| it.model == model).collect();
    let counts = format!("{asked:#?}");
    ensure!(asked.iter().all(|it| it.status == 200), "not all went well: {counts}");
    ensure!(asked.iter().all(|it| it.streamed), "it fell back to whole answers: {counts}");
    ensure!(asked.len() == rounds, "{} calls instead of {rounds}: {counts}", asked.len());
    Ok(())
}

/// Runs an agent for each provider; all that fail are named at once.
async fn every_provider(agent: impl AsyncFn(&Stack, Speech, &str) -> Result<()>) {
    let stack = crossing::start().await.unwrap();
    let mut failures = Vec::new();
    for to in Speech::ALL {
        let model = format!("gemini-3-agent-{}", to.name());
        if let Err(why) = agent(&stack, to, &model).await {
            failures.push(format!("{}: {why:#}", to.name()));
        }
    }
    failures.extend(stack.errors());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Makes a model that calls this tool first, and says what it answered.
async fn model_that_calls(stack: &Stack, model: &str, tool: &str, arguments: &Value) -> Result<()> {
    let behave = format!("strict,call={tool}:{arguments}");
    stack.witness().behave(json!({ "model": model }), &behave, None).await
}

async fn claude_code(stack: &Stack, to: Speech, model: &str) -> Result<()> {
    let (home, work) = home()?;
    let file = json!({"file_path": work.join("notes.txt")});
    model_that_calls(stack, model, "Read", &file).await?;
    let program = installed([
        "@anthropic-ai/claude-code-linux-x64/claude",
        "@anthropic-ai/claude-code-linux-arm64/claude",
    ])?;
    let mut command = Command::new(program);
    program::clean(&mut command);
    let alias = format!("{}/{model}", crossing::provider_name(to));
    command.current_dir(&work).env("HOME", home.path());
    command.env("ANTHROPIC_BASE_URL", stack.proxies()[0].url());
    command.env("ANTHROPIC_API_KEY", stack.key());
    for name in [
        "DISABLE_AUTOUPDATER",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    ] {
        command.env(name, "1");
    }
    command.args(["-p", "What does notes.txt say?", "--allowedTools", "Read"]);
    command.args(["--output-format", "json", "--model", &alias]);
    let text = output(command).await?;
    let line = text.lines().rev().find(|it| it.starts_with('{')).context(text.clone())?;
    let told: Value = serde_json::from_str(line)?;
    ensure!(told["is_error"] == false, "{told}");
    ensure!(told["result"].as_str().is_some_and(|it| it.contains(WORDS)), "{told}");
    ensure!(told["num_turns"] == 2, "{told}");
    served(stack, model, 2).await
}

#[tokio::test]
#[ignore = "large to install: make test-clients"]
async fn claude_code_reads_a_file_with_models_of_every_dialect() {
    every_provider(claude_code).await;
}

async fn codex(stack: &Stack, to: Speech, model: &str) -> Result<()> {
    let (home, work) = home()?;
    model_that_calls(stack, model, "exec_command", &json!({"cmd": "cat notes.txt"})).await?;
    let program = |machine: &str, target: &str| {
        format!("@openai/codex-linux-{machine}/vendor/{target}-unknown-linux-musl/bin/codex")
    };
    let program = installed([&program("x64", "x86_64"), &program("arm64", "aarch64")])?;
    let mut command = Command::new(program);
    program::clean(&mut command);
    let codex_home = home.path().join("codex");
    fs::create_dir(&codex_home)?;
    command.current_dir(&work).env("HOME", home.path()).env("CODEX_HOME", codex_home);
    command.env("GATEWAY_KEY", stack.key());
    let url = stack.proxies()[0].url();
    let provider = format!(
        "model_providers.gateway={{name=\"gateway\",base_url=\"{url}/v1\",\
         env_key=\"GATEWAY_KEY\",wire_api=\"responses\"}}"
    );
    let alias = format!("{}/{model}", crossing::provider_name(to));
    command.args(["exec", "--skip-git-repo-check", "--json", "-m", &alias]);
    command.arg("--dangerously-bypass-approvals-and-sandbox");
    for setting in [
        "model_provider=\"gateway\"",
        &provider,
        "analytics.enabled=false",
        "check_for_update_on_startup=false",
    ] {
        command.args(["-c", setting]);
    }
    command.arg("What does notes.txt say?");
    let text = output(command).await?;
    let events = text.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let items: Vec<Value> = events.map(|it| it["item"].clone()).collect();
    let of = |kind: &str| items.iter().rev().find(|it| it["type"] == kind).cloned();
    let ran = of("command_execution").context(text.clone())?;
    ensure!(ran["aggregated_output"].to_string().contains(WORDS), "{text}");
    let said = of("agent_message").context(text.clone())?;
    ensure!(said["text"].to_string().contains(WORDS), "{text}");
    served(stack, model, 2).await
}

#[tokio::test]
#[ignore = "large to install: make test-clients"]
async fn codex_reads_a_file_with_models_of_every_dialect() {
    every_provider(codex).await;
}

#[tokio::test]
#[ignore = "large to install: make test-clients"]
async fn frameworks_are_served_by_every_dialect() {
    let stack = crossing::start().await.unwrap();
    let call = json!({"city": "Paris", "days": 1});
    model_that_calls(&stack, "gemini-3-agent", "look_outside", &call).await.unwrap();
    for to in Speech::ALL {
        for name in ["plain", "agent"] {
            let (alias, model) = (format!("via-{}-{name}", to.name()), format!("gemini-3-{name}"));
            let account = crossing::account_name(to);
            stack.admin().add_route(&alias, &[&[(&account, &model, 1)]]).await.unwrap();
        }
    }
    stack.settled().await.unwrap();
    let agents = cache().join("agents");
    let mut command = Command::new(node_of(&agents));
    program::clean(&mut command);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/agents/frameworks.mjs");
    command.arg(script).env("SDKS", &agents);
    let facts = sdk::facts(&stack, command).await.unwrap();
    let text = "This is gemini-3-plain of the demo provider. You said: hello from the SDK";
    let mut faults = Vec::new();
    for framework in ["vercel", "langchain"] {
        for from in Speech::ALL {
            for to in Speech::ALL {
                let seen = &facts[framework][from.name()][to.name()];
                let said = seen["text"] == text && seen["stream"] == text;
                // Some wrap a result in an object of their own.
                let answer = seen["answer"].as_str().unwrap_or_default();
                if !said || seen["called"] != 1 || !answer.contains("result 0") {
                    faults.push(format!("{framework}: {} → {}: {seen}", from.name(), to.name()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
