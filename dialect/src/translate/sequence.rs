//! Brings what a provider's stream says into the strict order in which callers are told.
//!
//! Knows the common form only. In each answer, what is told forms a queue of blocks: the
//! first one is open and told as it comes, those behind it wait. A call waits for its end
//! mark, or until its JSON is whole, before anything behind it is told, because providers
//! go on with a call after they have begun another or said some words. All other blocks
//! end when another begins.
//!
//! Why an answer ended is told at the very end, not when the provider says so: some say
//! it early, or more than once, and what comes after it still belongs to the answer.

mod block;
mod input;
mod track;

pub(crate) use input::JsonInput;

use super::{MAX_HELD, call_ids};
use crate::{
    chat::{Event, Failure, Start, Step, Stop},
    error::ErrorKind,
};
use block::Begun;
use domain::tokens::Tokens;
use std::collections::BTreeMap;
use track::Track;

/// One answer on its way, with all its choices.
#[derive(Debug)]
pub(crate) struct Sequencer {
    /// Our id of the request, for the ids of calls.
    request: String,
    phase: Phase,
    start: Start,
    choices: BTreeMap<u32, Track>,
    usage: Option<Tokens>,
    tier: Option<String>,
    /// How many bytes the choices hold together.
    held: usize,
    /// Most bytes that they may hold.
    most: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The caller has been told nothing.
    Waiting {
        /// Whether the provider has begun.
        known: bool,
    },
    Begun,
    Over,
}

impl Sequencer {
    /// Before the first event. `request` is our id of the request.
    pub(crate) fn new(request: &str) -> Self {
        Self {
            request: request.to_owned(),
            phase: Phase::Waiting { known: false },
            start: Start::default(),
            choices: BTreeMap::new(),
            usage: None,
            tier: None,
            held: 0,
            most: MAX_HELD,
        }
    }

    /// What the caller is told because of this event.
    pub(crate) fn push(&mut self, event: Event, out: &mut Vec<Step>) {
        if self.phase == Phase::Over {
            return;
        }
        match event {
            Event::Start(start) => self.learn(start),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Tier(tier) => self.tier = Some(tier),
            // Nothing comes before the start; whoever is to be told sooner, see `begin`.
            Event::Ping if self.phase == Phase::Begun => out.push(Step::Ping),
            Event::Ping => {}
            Event::Failed(failure) => self.fail(failure, out),
            Event::End => self.end(out),
            Event::Stop { choice, stop } => self.at(choice, out, |track| track.stop(stop)),
            Event::Text { choice, text, logprobs } => {
                self.at(choice, out, |track| track.text(text, logprobs));
            }
            Event::Cite { choice, citation } => {
                self.at(choice, out, |track| track.cite(citation));
            }
            Event::Refusal { choice, text } => self.at(choice, out, |track| track.refusal(text)),
            Event::Thinking { choice, text } => self.at(choice, out, |track| track.thinking(text)),
            Event::ThinkingState { choice, opaque, redacted } => {
                self.at(choice, out, |track| track.state(opaque, redacted));
            }
            Event::CallStart { choice, slot, id, name, namespace, custom, opaque } => {
                let begun = Begun { id, name, namespace, custom, opaque };
                self.at(choice, out, |track| track.call(slot, begun));
            }
            Event::CallInput { choice, slot, text } => {
                self.at(choice, out, |track| track.input(slot, &text));
            }
            Event::CallEnd { choice, slot } => self.at(choice, out, |track| track.call_end(slot)),
            Event::BlockEnd { choice } => self.at(choice, out, Track::block_end),
        }
    }

    /// The stream ended, in good order as far as the connection goes.
    pub(crate) fn finish(&mut self, out: &mut Vec<Step>) {
        if self.is_complete() {
            return self.end(out);
        }
        self.fail(truncated(), out);
    }

    /// It went wrong: this is the last that is told.
    pub(crate) fn fail(&mut self, failure: Failure, out: &mut Vec<Step>) {
        if self.phase == Phase::Over {
            return;
        }
        self.begin(out);
        self.phase = Phase::Over;
        self.choices.clear();
        out.push(Step::Failed(failure));
    }

    /// Tells the start, if it is not told yet.
    pub(crate) fn begin(&mut self, out: &mut Vec<Step>) {
        if matches!(self.phase, Phase::Waiting { .. }) {
            self.phase = Phase::Begun;
            let start = std::mem::take(&mut self.start);
            out.push(Step::Start(Start { usage: self.usage, ..start }));
        }
    }

    /// Whether the provider has begun, so that [`Self::begin`] has something to tell.
    pub(crate) fn is_known(&self) -> bool {
        self.phase != Phase::Waiting { known: false }
    }

    /// Whether every answer has said why it ended.
    pub(crate) fn is_complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|it| it.stop.is_some())
    }

    /// What was used, as far as it is told.
    pub(crate) const fn usage(&self) -> Option<Tokens> {
        self.usage
    }

    fn learn(&mut self, start: Start) {
        let Start { id, model, created, usage } = start;
        self.usage = usage.or(self.usage);
        if matches!(self.phase, Phase::Waiting { .. }) {
            self.phase = Phase::Waiting { known: true };
            let known = &mut self.start;
            for (known, new) in [(&mut known.id, id), (&mut known.model, model)] {
                if known.is_empty() {
                    *known = new;
                }
            }
            known.created = known.created.or(created);
        }
    }

    /// Changes one answer, and tells what can be told of it now.
    fn at(&mut self, choice: u32, out: &mut Vec<Step>, change: impl FnOnce(&mut Track)) {
        let track = self.choices.entry(choice).or_insert_with(|| Track::new(choice));
        let before = track.counted;
        change(track);
        let mut first = Vec::new();
        let is_begun = self.phase == Phase::Begun;
        let steps = if is_begun { &mut *out } else { &mut first };
        let told = track.advance(&self.request, steps);
        track.counted = track.held();
        self.held = self.held.saturating_sub(before).saturating_add(track.counted);
        if !first.is_empty() {
            self.begin(out);
            out.append(&mut first);
        }
        if let Err(failure) = told {
            self.fail(failure, out);
        } else if self.held > self.most {
            self.fail(nonsense("it is larger than is held for one answer"), out);
        }
    }

    /// All is said.
    fn end(&mut self, out: &mut Vec<Step>) {
        if self.choices.is_empty() {
            return self.fail(truncated(), out);
        }
        self.begin(out);
        for (choice, mut track) in std::mem::take(&mut self.choices) {
            track.end_all();
            if let Err(failure) = track.advance(&self.request, out) {
                return self.fail(failure, out);
            }
            // The provider marked its stream's end, though it did not say why.
            let stop = track.stop.take().unwrap_or(Stop::End);
            out.push(Step::Stop { choice, stop: settled(stop, track.has_calls()) });
        }
        self.phase = Phase::Over;
        out.push(Step::End { usage: self.usage, tier: self.tier.take() });
    }
}

/// Why an answer ended, as its calls have it: providers say that all was said though
/// there are calls, and the other way round.
pub(crate) fn settled(stop: Stop, has_calls: bool) -> Stop {
    match stop {
        Stop::End if has_calls => Stop::Calls,
        Stop::Calls if !has_calls => Stop::End,
        Stop::End
        | Stop::Calls
        | Stop::Sequence(_)
        | Stop::Length
        | Stop::Refused
        | Stop::Paused
        | Stop::Failed(_) => stop,
    }
}

fn truncated() -> Failure {
    Failure {
        kind: ErrorKind::UpstreamTruncated,
        message: "the provider broke off in the middle of its answer".to_owned(),
        code: None,
        param: None,
    }
}

/// The provider's answer makes no sense.
pub(crate) fn nonsense(why: &str) -> Failure {
    Failure {
        kind: ErrorKind::UpstreamFailed,
        message: format!("the provider's answer cannot be read: {why}"),
        code: None,
        param: None,
    }
}

#[cfg(test)]
mod tests;
