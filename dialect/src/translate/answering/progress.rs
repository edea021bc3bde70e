//! How far an answer is, what it used and how it ended.

use crate::chat::{Delta, Failure, Step};
use domain::tokens::{self, Tokens};

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) begun: bool,
    pub(super) content: bool,
    pub(super) over: bool,
    pub(super) failure: Option<Failure>,
    pub(super) usage: Option<Tokens>,
    /// The texts that were told: ASCII bytes and other characters.
    ascii: u64,
    others: u64,
}

impl Progress {
    /// A step that the caller's stream is told.
    pub(super) fn note(&mut self, step: &Step) {
        self.begun = true;
        self.count(step);
        match step {
            Step::Start(_) | Step::Ping => {}
            Step::Open { .. } | Step::Delta { .. } | Step::Close { .. } | Step::Stop { .. } => {
                self.content = true;
            }
            Step::End { .. } => self.end(),
            Step::Failed(failure) => self.fail(failure.clone()),
        }
    }

    /// What a step says that goes to the caller in any way.
    pub(super) fn count(&mut self, step: &Step) {
        match step {
            Step::Delta { delta, .. } => {
                let text = match delta {
                    Delta::Text { text, .. }
                    | Delta::Refusal(text)
                    | Delta::Thinking(text)
                    | Delta::Input(text) => text.as_str(),
                    Delta::Cite(_) | Delta::State(_) => "",
                };
                let ascii = text.bytes().filter(u8::is_ascii).count();
                // Every other character has one byte that does not go on with another.
                let others = text.bytes().filter(|it| *it >= 0xc0).count();
                self.ascii = self.ascii.saturating_add(ascii as u64);
                self.others = self.others.saturating_add(others as u64);
            }
            Step::End { usage, .. } => self.usage = usage.or(self.usage),
            Step::Start(start) => self.usage = start.usage.or(self.usage),
            Step::Open { .. }
            | Step::Close { .. }
            | Step::Stop { .. }
            | Step::Ping
            | Step::Failed(_) => {}
        }
    }

    /// About how many tokens the texts are that were told.
    pub(super) const fn output_estimate(&self) -> u64 {
        tokens::estimate(self.ascii, self.others)
    }

    /// The caller has been told all.
    pub(super) fn end(&mut self) {
        self.content = true;
        self.over = true;
    }

    /// It went wrong.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.over = true;
        self.failure = Some(failure);
    }
}
