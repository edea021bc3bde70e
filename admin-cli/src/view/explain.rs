//! How one request was decided, as it is shown: a story from top to bottom.

use std::collections::BTreeMap;

use proto::admin::v1::{self, LimitMeasure};
use serde::Serialize;

use crate::{limit, output::thousands, spell};

/// How one request was decided.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainView {
    request_id: String,
    proxy: String,
    address: String,
    received_at: Option<String>,
    key: String,
    alias: String,
    revision: u64,
    status: u32,
    estimated_input_tokens: u64,
    reserved_output_tokens: u64,
    limits: Vec<AskedLimitView>,
    attempts: Vec<AttemptView>,
}

#[derive(Debug, Serialize)]
struct AskedLimitView {
    id: String,
    title: String,
    asked_milli: u64,
    before_milli: i64,
    after_milli: i64,
    settled_milli: Option<u64>,
    verdict: String,
    reason: String,
    epoch: u64,
    incarnation: u32,
    seq: u64,
    waited_ms: u32,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    account: String,
    model: String,
    verdict: String,
    detail: String,
    limits: Vec<AskedLimitView>,
}

impl From<v1::ExplainedLimit> for AskedLimitView {
    fn from(wire: v1::ExplainedLimit) -> Self {
        let v1::ExplainedLimit {
            id,
            title,
            asked_milli,
            before_milli,
            after_milli,
            settled_milli,
            verdict,
            reason,
            epoch,
            incarnation,
            seq,
            waited_ms,
        } = wire;
        Self {
            id,
            title,
            asked_milli,
            before_milli,
            after_milli,
            settled_milli,
            verdict,
            reason,
            epoch,
            incarnation,
            seq,
            waited_ms,
        }
    }
}

impl From<v1::ExplainedAttempt> for AttemptView {
    fn from(wire: v1::ExplainedAttempt) -> Self {
        Self {
            account: wire.account,
            model: wire.model,
            verdict: wire.verdict,
            detail: wire.detail,
            limits: wire.limits.into_iter().map(AskedLimitView::from).collect(),
        }
    }
}

impl From<v1::ExplainRequestResponse> for ExplainView {
    fn from(wire: v1::ExplainRequestResponse) -> Self {
        Self {
            received_at: spell::rfc3339(wire.received_at.as_ref()),
            request_id: wire.request_id,
            proxy: wire.proxy,
            address: wire.address,
            key: wire.key,
            alias: wire.alias,
            revision: wire.revision,
            status: wire.status,
            estimated_input_tokens: wire.estimated_input_tokens,
            reserved_output_tokens: wire.reserved_output_tokens,
            limits: wire.limits.into_iter().map(AskedLimitView::from).collect(),
            attempts: wire.attempts.into_iter().map(AttemptView::from).collect(),
        }
    }
}

/// What limits measure, by their ids; of one that is gone, nobody knows.
pub(crate) type Measures = BTreeMap<String, LimitMeasure>;

impl ExplainView {
    /// The ids of all limits in it.
    pub(crate) fn limit_ids(&self) -> impl Iterator<Item = &str> {
        let targets = self.attempts.iter().flat_map(|it| &it.limits);
        self.limits.iter().chain(targets).map(|it| it.id.as_str())
    }

    /// For people.
    pub(crate) fn text(&self, measures: &Measures) -> String {
        let mut text = self.head();
        text.push_str(match self.limits.is_empty() {
            true => "\nNo limit counts who asked.\n",
            false => "\nLimits of who asked:\n",
        });
        for (at, it) in self.limits.iter().enumerate() {
            text.push_str(&format!("  {}. {}", at + 1, it.text("     ", measures)));
        }
        text.push_str(match self.attempts.is_empty() {
            true => "\nNo target was looked at.\n",
            false => "\nTargets, in the order in which they were looked at:\n",
        });
        for (at, it) in self.attempts.iter().enumerate() {
            text.push_str(&format!("  {}. {}", at + 1, it.text(measures)));
        }
        text
    }

    fn head(&self) -> String {
        let status = match self.status {
            0 => "is not over yet".to_owned(),
            status => format!("was answered with {status}"),
        };
        let proxy = match self.address.is_empty() {
            true => self.proxy.clone(),
            false => format!("{} ({})", self.address, self.proxy),
        };
        let key = if self.key.is_empty() { "-" } else { &self.key };
        format!(
            "{} {status}\n  received  {}\n  proxy     {proxy}\n  key       {key}\n  alias     \
             {}\n  revision  {}\n{}",
            self.request_id,
            self.received_at.as_deref().unwrap_or("-"),
            self.alias,
            self.revision,
            self.tokens(),
        )
    }

    /// The estimate, where one was needed: only some limits of who asked need one.
    fn tokens(&self) -> String {
        let (input, output) = (self.estimated_input_tokens, self.reserved_output_tokens);
        if (input, output) == (0, 0) {
            return String::new();
        }
        let (input, output) = (thousands(input), thousands(output));
        format!("  tokens    about {input} of input, {output} of output reserved\n")
    }
}

impl AttemptView {
    fn text(&self, measures: &Measures) -> String {
        let mut text = format!("{}/{}: {}", self.account, self.model, plain(&self.verdict));
        if !self.detail.is_empty() {
            text.push_str(&format!(", {}", self.detail));
        }
        text.push('\n');
        for it in &self.limits {
            text.push_str(&format!("     - {}", it.text("       ", measures)));
        }
        text
    }
}

impl AskedLimitView {
    fn text(&self, indent: &str, measures: &Measures) -> String {
        let measure = measures.get(&self.id).copied().unwrap_or_default();
        let milli = |milli: i128| limit::milli_text(measure, milli);
        let mut text = format!("{}: {}", self.title, plain(&self.verdict));
        if !self.reason.is_empty() {
            text.push_str(&format!(", {}", plain(&self.reason)));
        }
        if 0 < self.waited_ms {
            text.push_str(&format!(", after {} ms", self.waited_ms));
        }
        text.push_str(&format!(
            "\n{indent}asked {}; {} ready before, {} after",
            milli(self.asked_milli.into()),
            milli(self.before_milli.into()),
            milli(self.after_milli.into()),
        ));
        text.push_str(&match self.settled_milli {
            Some(settled) => format!("; {} charged in the end\n", milli(settled.into())),
            None => "\n".to_owned(),
        });
        if 0 < self.epoch {
            text.push_str(&format!(
                "{indent}lease: epoch {}, incarnation {}, grant {}\n",
                self.epoch, self.incarnation, self.seq
            ));
        }
        text
    }
}

/// A word of the wire, such as `kept_for_last`, for people.
fn plain(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests;
