//! A whole answer for a caller.

use super::{logprobs, sources};
use crate::{
    chat::{Answer, Call, Choice, Content as Said, Document, Image, Source, Stop},
    error::json,
    gemini::{
        request::args,
        wire::{self, Candidate, Content, File, FunctionCall, Part, state},
    },
    translate::{Thread, answer_id},
};
use std::borrow::Cow;

/// Writes an answer.
pub(crate) fn write(answer: &Answer, thread: &Thread) -> Vec<u8> {
    // Google tells neither the time nor the tier.
    let Answer { id, model, created: _, choices, usage, tier: _ } = answer;
    let numbered = (0u32..).zip(choices);
    let body = wire::Answer {
        candidates: numbered.map(|(index, it)| candidate(index, it, thread)).collect(),
        usage_metadata: usage.map(Into::into),
        model_version: model,
        response_id: &answer_id("", id, thread),
    };
    json(&body).into()
}

fn candidate<'a>(index: u32, choice: &'a Choice, thread: &Thread) -> Candidate<'a> {
    let Choice { parts, stop, logprobs } = choice;
    let mut writing = Writing { shows: thread.thoughts, ..Writing::default() };
    for part in parts {
        writing.part(&part.content);
    }
    writing.state();
    let (reason, message) = finish(stop);
    Candidate {
        content: Content { parts: writing.parts, role: "model" },
        finish_reason: Some(reason),
        finish_message: message,
        index,
        grounding_metadata: writing.sources.done(),
        logprobs_result: logprobs.as_ref().and_then(logprobs::write),
    }
}

/// Parts that are being written.
#[derive(Default)]
struct Writing<'a> {
    shows: bool,
    parts: Vec<Part<'a>>,
    /// A thought's state, for the part that follows.
    waiting: Option<String>,
    sources: sources::Writer,
}

impl<'a> Writing<'a> {
    fn part(&mut self, content: &'a Said) {
        match content {
            Said::Text(words) if words.text.is_empty() => {}
            Said::Text(words) => {
                self.sources.add(self.parts.len() as u64, 0, words);
                self.put(Part::text(&words.text));
            }
            Said::Refusal(words) if words.is_empty() => {}
            Said::Refusal(words) => self.put(Part::text(words)),
            Said::Image(Image { source, detail: _ }) => self.source(source),
            Said::Document(Document { source, .. }) => self.source(source),
            Said::Audio { mime, data } => self.put(Part::bytes(mime, data)),
            Said::Thinking(thinking) => {
                self.state();
                if self.shows && !thinking.text.is_empty() {
                    self.parts.push(Part::thought(&thinking.text));
                }
                let opaque = thinking.opaque.as_ref();
                self.waiting = opaque.map(|it| state::write(it, thinking.redacted));
            }
            Said::Call(it) => {
                if it.opaque.is_some() {
                    self.state();
                }
                self.put(call(it));
            }
            // Results are the caller's.
            Said::Result(_) => {}
        }
    }

    fn source(&mut self, source: &'a Source) {
        self.put(match source {
            Source::Base64 { mime, data } => Part::bytes(mime, data),
            Source::Url { url, mime } => {
                let file_data = Some(File { mime_type: mime.as_deref(), file_uri: url });
                Part { file_data, ..Part::default() }
            }
            Source::Text(words) => Part::text(words),
        });
    }

    /// A part that is no thought. The state of the thought before it stands on it.
    fn put(&mut self, mut part: Part<'a>) {
        if let Some(state) = self.waiting.take() {
            part.thought_signature = Some(Cow::Owned(state));
        }
        self.parts.push(part);
    }

    /// A state behind which nothing came.
    fn state(&mut self) {
        if let Some(state) = self.waiting.take() {
            self.parts.push(Part::state(state));
        }
    }
}

/// A call, and the state that stands at it.
pub(in crate::gemini) fn call(call: &Call) -> Part<'_> {
    // Gemini's callers have neither namespaces nor tools that take free text.
    let Call { id, name, namespace: _, input, opaque } = call;
    let (args, _) = args(input);
    Part {
        function_call: Some(FunctionCall { id, name, args }),
        thought_signature: opaque.as_ref().map(|it| Cow::Owned(state::write(it, false))),
        ..Part::default()
    }
}

/// Google's word for why an answer ended, and the provider's own where Google has none.
pub(in crate::gemini) fn finish(stop: &Stop) -> (&str, Option<&str>) {
    match stop {
        // Google tells neither of a text that ended it, nor of calls, nor of pauses.
        Stop::End | Stop::Sequence(_) | Stop::Calls | Stop::Paused => ("STOP", None),
        Stop::Length => ("MAX_TOKENS", None),
        Stop::Refused => ("SAFETY", None),
        Stop::Failed(word) if GOOGLES.contains(&word.as_str()) => (word, None),
        Stop::Failed(word) => ("OTHER", Some(word)),
    }
}

/// The words that Google has itself.
const GOOGLES: [&str; 13] = [
    "OTHER",
    "LANGUAGE",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "CONTINUATION",
    "FINISH_REASON_UNSPECIFIED",
];
