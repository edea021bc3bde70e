//! Streamed answers to legacy completions.

use super::wire::{Choice, Completion, stop};
use crate::{
    chat::{Delta, Step},
    error::json,
    openai_chat::{
        error,
        stream::{DONE, event},
        wire::answer::Usage,
    },
    translate::{Thread, answer_id},
};

/// What every chunk of a caller's stream repeats.
#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    created: u64,
    model: String,
}

impl Writer {
    /// A stream of which nothing is told yet.
    pub(crate) fn new(thread: &Thread) -> Self {
        let id = answer_id("cmpl-", "", thread);
        Self { id, created: thread.received_at, model: thread.alias.clone() }
    }

    /// Writes what the caller is told of one step: of what is said only the words.
    pub(crate) fn push(&mut self, step: &Step, thread: &Thread, out: &mut Vec<u8>) {
        match step {
            Step::Start(start) => {
                self.id = answer_id("cmpl-", &start.id, thread);
                self.created = start.created.unwrap_or(thread.received_at);
                if !start.model.is_empty() {
                    self.model.clone_from(&start.model);
                }
            }
            Step::Open { .. } | Step::Close { .. } => {}
            Step::Delta { choice, index: _, delta } => match delta {
                Delta::Text { text, .. } | Delta::Refusal(text) => {
                    self.chunk(Choice::new(*choice, text, None), thread, out);
                }
                Delta::Cite(_) | Delta::Thinking(_) | Delta::State(_) | Delta::Input(_) => {}
            },
            Step::Stop { choice, stop: why } => {
                self.chunk(Choice::new(*choice, "", Some(stop(why))), thread, out);
            }
            Step::Ping => out.extend_from_slice(b": ping\n\n"),
            Step::End { usage, tier: _ } => {
                if let Some(tokens) = usage.filter(|_| thread.stream_usage) {
                    let usage = Some(Some(Usage::of(tokens)));
                    event(&json(&Completion { usage, ..self.empty(&[]) }), out);
                }
                event(DONE.as_bytes(), out);
            }
            Step::Failed(failure) => event(&error::write(failure, &thread.request), out),
        }
    }

    fn chunk(&self, choice: Choice<'_>, thread: &Thread, out: &mut Vec<u8>) {
        let usage = thread.stream_usage.then_some(None);
        event(&json(&Completion { usage, ..self.empty(&[choice]) }), out);
    }

    fn empty<'a>(&'a self, choices: &'a [Choice<'a>]) -> Completion<'a> {
        Completion {
            id: &self.id,
            object: "text_completion",
            created: self.created,
            model: &self.model,
            choices,
            usage: None,
        }
    }
}

#[cfg(test)]
mod tests;
