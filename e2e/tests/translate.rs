//! Every caller's dialect with every provider's, through real programs: what is asked is
//! heard, what is answered is heard, and nothing that the real APIs refuse is sent.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "translate/failures.rs"]
mod failures;
#[path = "translate/talks.rs"]
mod talks;

use anyhow::{Context, Result, ensure};
use e2e::{
    caller::Caller,
    crossing,
    speak::{Ask, Heard, Said, Speech},
    stack::Stack,
};

/// One caller's dialect before one provider's.
struct Pair<'a> {
    stack: &'a Stack,
    caller: &'a Caller,
    from: Speech,
    to: Speech,
}

impl Pair<'_> {
    fn model(&self, name: &str) -> String {
        crossing::model_at(self.to, name)
    }

    async fn hear(&self, ask: &Ask) -> Result<Heard> {
        self.from.ask(self.caller, ask).await
    }

    /// Asks what has to succeed; holds the usage against the provider's own ledger.
    async fn ask(&self, ask: &Ask) -> Result<Said> {
        let heard = self.hear(ask).await?;
        ensure!(heard.status == 200, "status {}: {}", heard.status, heard.answered.text());
        let said = heard.said?;
        let id = heard.answered.header("x-request-id");
        let entry = self.stack.witness().entry(id).await?;
        ensure!(entry.dialect == self.to.name(), "{} was spoken", entry.dialect);
        ensure!(entry.streamed == ask.stream, "streamed upstream: {}", entry.streamed);
        let used = [said.used.input, said.used.cached, said.used.output];
        let served = [entry.input_tokens, entry.cached_input_tokens, entry.output_tokens];
        ensure!(used == served, "usage {used:?}, but {served:?} was served");
        let record = self.stack.admin().usage_of(id).await?;
        let tokens = record.tokens.context("a record without tokens")?;
        let billed = [tokens.input, tokens.cached_input, tokens.output];
        ensure!(billed == served, "recorded {billed:?}, but {served:?} was served");
        ensure!(!record.estimated && record.outcome == "complete", "{record:?}");
        Ok(said)
    }

    /// The body that the provider got, as it was asked last.
    async fn told(&self) -> Result<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let entries = self.stack.witness().ledger_with_bodies().await?;
        let last = entries.into_iter().max_by_key(|it| it.seq).context("nothing was asked")?;
        let body = STANDARD.decode(last.body.unwrap_or_default())?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// Runs a check for every pair; all that fail are named at once.
async fn every_pair(name: &str, check: impl AsyncFn(&Pair<'_>) -> Result<()>) {
    let stack = crossing::start().await.unwrap();
    let caller = stack.caller().unwrap();
    let (mut failures, mut passed) = (Vec::new(), Vec::new());
    for from in Speech::ALL {
        for to in Speech::ALL {
            let pair = Pair { stack: &stack, caller: &caller, from, to };
            let label = format!("{name}: {} → {}", from.name(), to.name());
            match check(&pair).await {
                Ok(()) => passed.push(label),
                Err(why) => failures.push(format!("{label}: {why:#}")),
            }
        }
    }
    failures.extend(stack.errors());
    let count = failures.len();
    assert!(failures.is_empty(), "{count} failed:\n{}\npassed:\n{passed:#?}", failures.join("\n"));
}
