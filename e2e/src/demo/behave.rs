//! How the demo provider is told to misbehave: by request header, or by rules.

use serde::{Deserialize, Serialize};
use std::{str::FromStr, sync::Mutex};

/// The request header that says how to misbehave.
pub const HEADER: &str = "x-demo-behave";

/// What to do other than answer well. Counts of "after" are of events, or, where the
/// answer is not a stream, of halves of its body; after 0 is before the headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behave {
    /// Answer with this status and an error of the dialect.
    pub status: Option<u16>,
    /// Say `retry-after` with this value.
    pub retry_after: Option<String>,
    /// Wait before the headers, in milliseconds.
    pub latency_ms: u64,
    /// Wait before each event, in milliseconds.
    pub chunk_ms: u64,
    /// Reset the connection after so many events.
    pub reset_after: Option<usize>,
    /// Close the connection, as if nothing was wrong, after so many events.
    pub close_after: Option<usize>,
    /// Say nothing more after so many events, and keep the connection.
    pub stall_after: Option<usize>,
    /// Put an error event after so many events, and end.
    pub error_after: Option<usize>,
    /// Send what is no JSON.
    pub garbage: bool,
    /// Send an HTML page with status 200.
    pub html: bool,
    /// Refuse with 401 and repeat the credential in the message.
    pub echo_key: bool,
    /// Do not report usage.
    pub no_usage: bool,
    /// Leave the stream's last event out.
    pub no_end: bool,
    /// Say exactly so many tokens.
    pub tokens: Option<u64>,
    /// So many input tokens come out of the prompt cache.
    pub cached: u64,
    /// So many input tokens go into the prompt cache.
    pub cache_write: u64,
    /// So many output tokens are reasoning, on top of those that are seen.
    pub reasoning: u64,
    /// Call tools so many times at once.
    pub tool_calls: Option<usize>,
    /// Call this tool with these arguments, then say what it answered.
    pub call: Option<(String, serde_json::Value)>,
    /// Refuse what the real API refuses, in the dialects that do not always.
    pub strict: bool,
    /// Say thoughts in the way that OpenAI's own API does not know.
    pub thoughts: bool,
}

/// Why a text says no behaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no behaviour: expected, for one, `status=429,retry_after=2` or `latency_ms=200`")]
pub struct InvalidBehave(String);

impl FromStr for Behave {
    type Err = InvalidBehave;

    fn from_str(text: &str) -> Result<Self, InvalidBehave> {
        let mut behave = Self::default();
        // Its arguments are JSON, commas and all: it comes last.
        let (text, call) = match text.split_once("call=") {
            Some((before, call)) => (before, Some(call)),
            None => (text, None),
        };
        if let Some(call) = call {
            behave.call = Some(named_call(call).ok_or_else(|| InvalidBehave(call.to_owned()))?);
        }
        for part in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            behave.set(name, value).ok_or_else(|| InvalidBehave(part.to_owned()))?;
        }
        Ok(behave)
    }
}

impl Behave {
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match (name, value) {
            ("status", _) => {
                self.status = Some(value.parse().ok().filter(|it| (200..600).contains(it))?)
            }
            ("retry_after", _) => self.retry_after = Some(value.to_owned()),
            ("latency_ms", _) => self.latency_ms = value.parse().ok()?,
            ("chunk_ms", _) => self.chunk_ms = value.parse().ok()?,
            ("reset_after", _) => self.reset_after = Some(value.parse().ok()?),
            ("close_after", _) => self.close_after = Some(value.parse().ok()?),
            ("stall_after", _) => self.stall_after = Some(value.parse().ok()?),
            ("error_after", _) => self.error_after = Some(value.parse().ok()?),
            ("garbage", "") => self.garbage = true,
            ("html", "") => self.html = true,
            ("echo_key", "") => self.echo_key = true,
            ("no_usage", "") => self.no_usage = true,
            ("no_end", "") => self.no_end = true,
            ("strict", "") => self.strict = true,
            ("thoughts", "") => self.thoughts = true,
            ("tokens", _) => self.tokens = Some(value.parse().ok().filter(|it| *it <= 1_000_000)?),
            ("cached", _) => self.cached = value.parse().ok()?,
            ("cache_write", _) => self.cache_write = value.parse().ok()?,
            ("reasoning", _) => self.reasoning = value.parse().ok()?,
            ("tool_calls", _) => {
                self.tool_calls = Some(value.parse().ok().filter(|it| *it <= 100)?)
            }
            _ => return None,
        }
        Some(())
    }
}

/// A tool's name and its arguments, as in `read_file:{"path": "a"}`.
fn named_call(text: &str) -> Option<(String, serde_json::Value)> {
    let (name, arguments) = text.split_once(':')?;
    let arguments: serde_json::Value = serde_json::from_str(arguments).ok()?;
    arguments.is_object().then(|| (name.to_owned(), arguments))
}

/// Which requests a rule is for. What is not said matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The model asked for.
    pub model: Option<String>,
    /// The credential shown.
    pub credential: Option<String>,
    /// `chat`, `embeddings`, `count_tokens` or `models`.
    pub operation: Option<String>,
}

/// A behaviour for every request that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// For which requests.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// What to do, as in the header.
    pub behave: String,
    /// For how many requests; unset: until the rules are cleared.
    #[serde(default)]
    pub times: Option<u64>,
}

/// The rules in force. The newest that matches decides.
#[derive(Debug, Default)]
pub struct Rules(Mutex<Vec<Rule>>);

impl Rules {
    /// Adds a rule.
    ///
    /// # Errors
    /// When its behaviour is none.
    pub fn add(&self, rule: Rule) -> Result<(), InvalidBehave> {
        rule.behave.parse::<Behave>()?;
        self.lock().push(rule);
        Ok(())
    }

    /// Forgets every rule.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The behaviour for a request; uses up one of the rule's times.
    pub fn take(&self, model: &str, credential: &str, operation: &str) -> Behave {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|it| it == found);
        let mut rules = self.lock();
        let found = rules.iter_mut().rev().find(|it| {
            it.times != Some(0)
                && is(&it.matching.model, model)
                && is(&it.matching.credential, credential)
                && is(&it.matching.operation, operation)
        });
        let Some(rule) = found else { return Behave::default() };
        rule.times = rule.times.map(|it| it.saturating_sub(1));
        // Checked when it was added.
        rule.behave.parse().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviours_are_read_and_nonsense_is_named() {
        let behave: Behave = "status=429, retry_after=2,garbage".parse().unwrap();
        assert_eq!(
            (behave.status, behave.retry_after.as_deref(), behave.garbage),
            (Some(429), Some("2"), true)
        );
        for text in ["status=abc", "status=99", "dance", "garbage=1", "latency_ms"] {
            assert!(text.parse::<Behave>().unwrap_err().to_string().contains(text), "{text}");
        }
    }

    #[test]
    fn the_newest_rule_that_matches_decides_as_often_as_it_says() {
        let rules = Rules::default();
        let rule = |text: &str| serde_json::from_str::<Rule>(text).unwrap();
        rules.add(rule(r#"{"behave": "status=500"}"#)).unwrap();
        rules
            .add(rule(r#"{"match": {"model": "a"}, "behave": "status=429", "times": 1}"#))
            .unwrap();
        assert_eq!(rules.take("a", "", "chat").status, Some(429));
        assert_eq!(rules.take("a", "", "chat").status, Some(500));
        rules.clear();
        assert_eq!(rules.take("a", "", "chat"), Behave::default());
        assert!(rules.add(rule(r#"{"behave": "dance"}"#)).is_err());
    }
}
