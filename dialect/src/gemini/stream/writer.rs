//! A caller's chunks, as events.

use crate::{
    chat::{Content as Said, Delta, Failure, Opaque, Part as Piece, Start, Step, Stop},
    error::json,
    gemini::{
        error,
        response::{self, logprobs, sources},
        wire::{self, Candidate, Content, Part, Usage, state},
    },
    translate::{Thread, answer_id},
};
use domain::tokens::Tokens;
use std::{borrow::Cow, collections::BTreeMap};

/// Writes step after step.
#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    model: String,
    /// Whether the caller reads thoughts.
    shows: bool,
    choices: BTreeMap<u32, Told>,
}

/// What one answer was told, and what is still to be told of it.
#[derive(Debug, Default)]
struct Told {
    /// Bytes of text, of all blocks before this one.
    bytes: u64,
    /// A thought's state, for the part that follows.
    waiting: Option<String>,
    stop: Option<Stop>,
    sources: sources::Writer,
}

impl Writer {
    /// A stream of which nothing is told yet.
    pub(crate) fn new(thread: &Thread) -> Self {
        Self {
            id: answer_id("", "", thread),
            model: String::new(),
            shows: thread.thoughts,
            choices: BTreeMap::new(),
        }
    }

    /// Writes a step behind `out`.
    pub(crate) fn push(&mut self, step: &Step, thread: &Thread, out: &mut Vec<u8>) {
        match step {
            Step::Start(Start { id, model, created: _, usage: _ }) => {
                self.id = answer_id("", id, thread);
                self.model.clone_from(model);
            }
            // What opens is told with its first piece, and what has no pieces when it
            // closes. Google's clients know nothing that keeps a stream alive.
            Step::Open { .. } | Step::Ping => {}
            Step::Delta { choice, index: _, delta } => self.delta(*choice, delta, out),
            Step::Close { choice, index: _, whole } => self.close(*choice, whole, out),
            Step::Stop { choice, stop } => {
                self.choices.entry(*choice).or_default().stop = Some(stop.clone());
            }
            Step::End { usage, tier: _ } => self.end(*usage, out),
            Step::Failed(failure) => self.failed(failure, thread, out),
        }
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text, logprobs } => {
                let logprobs_result = logprobs.as_ref().and_then(logprobs::write);
                if !text.is_empty() || logprobs_result.is_some() {
                    let part = self.stated(choice, Part::text(text));
                    self.part(choice, part, logprobs_result, out);
                }
            }
            Delta::Refusal(text) if !text.is_empty() => {
                let part = self.stated(choice, Part::text(text));
                self.part(choice, part, None, out);
            }
            Delta::Thinking(text) if self.shows && !text.is_empty() => {
                self.flush(choice, out);
                self.part(choice, Part::thought(text), None, out);
            }
            // Told when the block is whole.
            Delta::Refusal(_)
            | Delta::Thinking(_)
            | Delta::Cite(_)
            | Delta::State(_)
            | Delta::Input(_) => {}
        }
    }

    fn close(&mut self, choice: u32, whole: &Piece, out: &mut Vec<u8>) {
        match &whole.content {
            Said::Text(words) => {
                let told = self.choices.entry(choice).or_default();
                told.sources.add(0, told.bytes, words);
                told.bytes = told.bytes.saturating_add(words.text.len() as u64);
            }
            Said::Refusal(words) => {
                let told = self.choices.entry(choice).or_default();
                told.bytes = told.bytes.saturating_add(words.len() as u64);
            }
            Said::Thinking(thinking) => {
                if let Some(opaque) = &thinking.opaque {
                    self.wait(choice, opaque, thinking.redacted, out);
                }
            }
            Said::Call(call) => {
                let part = response::call(call);
                if part.thought_signature.is_some() {
                    self.flush(choice, out);
                }
                let part = self.stated(choice, part);
                self.part(choice, part, None, out);
            }
            // No block is one of these.
            Said::Image(_) | Said::Audio { .. } | Said::Document(_) | Said::Result(_) => {}
        }
    }

    /// Keeps a state for the part that follows.
    fn wait(&mut self, choice: u32, opaque: &Opaque, redacted: bool, out: &mut Vec<u8>) {
        self.flush(choice, out);
        let state = state::write(opaque, redacted);
        self.choices.entry(choice).or_default().waiting = Some(state);
    }

    /// A part that is no thought, with the state of the thought before it.
    fn stated<'a>(&mut self, choice: u32, mut part: Part<'a>) -> Part<'a> {
        if let Some(state) = self.choices.entry(choice).or_default().waiting.take() {
            part.thought_signature = Some(Cow::Owned(state));
        }
        part
    }

    /// Tells a state behind which no part came.
    fn flush(&mut self, choice: u32, out: &mut Vec<u8>) {
        if let Some(state) = self.choices.entry(choice).or_default().waiting.take() {
            self.part(choice, Part::state(state), None, out);
        }
    }

    fn part(
        &mut self,
        index: u32,
        part: Part<'_>,
        logprobs_result: Option<wire::Logprobs>,
        out: &mut Vec<u8>,
    ) {
        let content = Content { parts: vec![part], role: "model" };
        let candidate = Candidate { content, index, logprobs_result, ..Candidate::default() };
        self.chunk(vec![candidate], None, out);
    }

    /// The last chunk: why each answer ended, and what was used.
    fn end(&mut self, usage: Option<Tokens>, out: &mut Vec<u8>) {
        let mut choices = std::mem::take(&mut self.choices);
        let stops: BTreeMap<_, _> =
            choices.iter_mut().map(|(index, it)| (*index, it.stop.take())).collect();
        let candidates = choices.into_iter().map(|(index, told)| {
            let Told { bytes: _, waiting, stop: _, sources } = told;
            let (reason, message) = match stops.get(&index) {
                Some(Some(stop)) => response::finish(stop),
                Some(None) | None => ("STOP", None),
            };
            // SDKs throw a whole turn away of which one chunk has no part.
            let part = waiting.map_or_else(|| Part::text(""), Part::state);
            let content = Content { parts: vec![part], role: "model" };
            Candidate {
                content,
                finish_reason: Some(reason),
                finish_message: message,
                index,
                grounding_metadata: sources.done(),
                logprobs_result: None,
            }
        });
        let candidates = candidates.collect();
        self.chunk(candidates, usage.map(Into::into), out);
    }

    /// An error, behind which nothing comes.
    fn failed(&mut self, failure: &Failure, thread: &Thread, out: &mut Vec<u8>) {
        let body = error::write(failure, &thread.request);
        frame(&body, out);
    }

    fn chunk(
        &mut self,
        candidates: Vec<Candidate<'_>>,
        usage_metadata: Option<Usage>,
        out: &mut Vec<u8>,
    ) {
        let body = json(&wire::Answer {
            candidates,
            usage_metadata,
            model_version: &self.model,
            response_id: &self.id,
        });
        frame(&body, out);
    }
}

fn frame(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(body);
    out.extend_from_slice(b"\n\n");
}
