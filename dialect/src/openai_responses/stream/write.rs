//! Writes a caller's stream.

mod block;
#[cfg(test)]
mod tests;

use crate::{
    chat::{Block, Delta, Failure, Start, Step, Stop},
    openai_responses::{
        error,
        response::{Ids, Outcome, tier},
        wire::{self, Echo, ErrorObject, Item, Response},
    },
    translate::{Thread, answer_id},
};
use block::{Open, Refuses};
use domain::tokens::Tokens;

/// Tells an answer step by step. Keeps the whole answer, which its last event repeats.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The number of the next event.
    number: u64,
    id: String,
    ids: Ids,
    model: String,
    created: u64,
    echo: Echo,
    /// The items that are told whole.
    output: Vec<Item<'static>>,
    /// One that has been told but not yet how it ended: that only what follows tells.
    pending: Option<Item<'static>>,
    open: Open,
    stop: Stop,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has been told.
    Before,
    Within,
    /// Nothing more is told.
    After,
}

impl Writer {
    /// Tells the answer to this request.
    pub(crate) fn new(thread: &Thread) -> Self {
        let id = answer_id("resp_", "", thread);
        Self {
            number: 0,
            ids: Ids::of(&id),
            id,
            model: thread.alias.clone(),
            created: thread.received_at,
            echo: Echo::of(thread),
            output: Vec::new(),
            pending: None,
            open: Open::None,
            stop: Stop::End,
            phase: Phase::Before,
        }
    }

    /// Tells one more step. Callers here ask for one answer only.
    pub(crate) fn push(&mut self, step: &Step, thread: &Thread, out: &mut Vec<u8>) {
        if self.phase == Phase::After {
            return;
        }
        match step {
            Step::Start(start) => self.start(start, thread, out),
            Step::Open { choice: 0, index: _, block } => self.open(block, thread, out),
            Step::Delta { choice: 0, index: _, delta } => self.delta(delta, thread, out),
            Step::Close { choice: 0, index: _, whole } => self.close(whole, thread, out),
            Step::Stop { choice: 0, stop } => {
                self.stop = stop.clone();
                let is_early = Outcome::of(stop).incomplete.is_some();
                self.settle(if is_early { "incomplete" } else { "completed" }, out);
            }
            Step::Open { .. } | Step::Delta { .. } | Step::Close { .. } | Step::Stop { .. } => {}
            // A comment: clients that know no such event stay quiet.
            Step::Ping => out.extend_from_slice(b": ping\n\n"),
            Step::End { usage, tier } => self.end(*usage, tier.as_deref(), out),
            Step::Failed(failure) => self.fail(failure, out),
        }
    }

    fn start(&mut self, start: &Start, thread: &Thread, out: &mut Vec<u8>) {
        if self.phase != Phase::Before {
            return;
        }
        let Start { id, model, created, usage: _ } = start;
        self.id = answer_id("resp_", id, thread);
        self.ids = Ids::of(&self.id);
        if !model.is_empty() {
            self.model.clone_from(model);
        }
        self.created = created.unwrap_or(thread.received_at);
        self.begin(out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.phase = Phase::Within;
        for name in ["response.created", "response.in_progress"] {
            let outcome = Outcome { status: "in_progress", error: None, incomplete: None };
            self.tell_response(name, outcome, None, None, out);
        }
    }

    fn end(&mut self, usage: Option<Tokens>, served_by: Option<&str>, out: &mut Vec<u8>) {
        self.settle("completed", out);
        if self.phase == Phase::Before {
            self.begin(out);
        }
        let stop = std::mem::replace(&mut self.stop, Stop::End);
        let outcome = Outcome::of(&stop).beside(&self.output);
        let is_failed = outcome.error.is_some();
        let name = match outcome.status {
            "incomplete" => "response.incomplete",
            "failed" => "response.failed",
            _ => "response.completed",
        };
        self.tell_response(name, outcome, usage, served_by, out);
        self.phase = Phase::After;
        if !is_failed {
            // Some clients wait for it; none minds it.
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if matches!(self.open, Open::None) {
            self.settle("completed", out);
        }
        if self.phase == Phase::Before {
            self.begin(out);
        }
        let error = ErrorObject { code: error::stream_code(failure), message: &failure.message };
        let outcome = Outcome { status: "failed", error: Some(error), incomplete: None };
        self.tell_response("response.failed", outcome, None, None, out);
        self.phase = Phase::After;
    }

    fn tell_response(
        &mut self,
        name: &str,
        outcome: Outcome<'_>,
        usage: Option<Tokens>,
        served_by: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let event = wire::Event {
            response: Some(Response {
                id: &self.id,
                created_at: self.created,
                status: outcome.status,
                error: outcome.error,
                incomplete_details: outcome.incomplete,
                model: &self.model,
                output: &self.output,
                usage: usage.map(wire::Usage::from),
                service_tier: tier(served_by),
                echo: &self.echo,
            }),
            ..wire::Event::default()
        };
        tell(&mut self.number, name, &event, out);
    }

    fn open(&mut self, block: &Block, thread: &Thread, out: &mut Vec<u8>) {
        // A message goes on with the next text; all else begins an item.
        let goes_on = matches!(block, Block::Text | Block::Refusal)
            && matches!(self.pending, Some(Item::Message { .. }));
        // Whether a thought is told at all only its pieces tell.
        let may_not_begin = matches!(block, Block::Thinking | Block::Redacted(_));
        if !goes_on && !may_not_begin {
            self.settle("completed", out);
        }
        match block {
            Block::Text => self.open_content(Refuses::No, out),
            Block::Refusal => self.open_content(Refuses::Yes, out),
            Block::Thinking | Block::Redacted(_) => self.open = Open::Thought { told: None },
            Block::Call { number: _, id, name, namespace, custom, opaque } => {
                if let Some(opaque) = opaque.as_ref().filter(|_| thread.wants_opaque) {
                    self.tell_call_state(opaque, out);
                }
                self.open_call([id, name], namespace.as_deref(), Kind::of(*custom), out);
            }
        }
    }

    fn delta(&mut self, delta: &Delta, thread: &Thread, out: &mut Vec<u8>) {
        match delta {
            Delta::Text { text, logprobs } => self.text(text, logprobs.as_ref(), out),
            Delta::Cite(citation) => self.cite(citation, out),
            Delta::Refusal(text) => self.refusal(text, out),
            Delta::Thinking(text) if thread.thoughts => self.thought(text, out),
            // The state is told with the whole.
            Delta::Thinking(_) | Delta::State(_) => {}
            Delta::Input(text) => self.input(text, out),
        }
    }

    /// Tells how the item ended that has been told.
    fn settle(&mut self, status: &'static str, out: &mut Vec<u8>) {
        let Some(mut item) = self.pending.take() else { return };
        item.set_status(status);
        let event = wire::Event {
            output_index: Some(self.output.len()),
            item: Some(&item),
            ..wire::Event::default()
        };
        tell(&mut self.number, "response.output_item.done", &event, out);
        self.output.push(item);
    }
}

/// What kind of input a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Custom,
}

impl Kind {
    const fn of(custom: bool) -> Self {
        if custom { Self::Custom } else { Self::Function }
    }
}

/// Writes one event.
fn tell(number: &mut u64, name: &str, event: &wire::Event<'_>, out: &mut Vec<u8>) {
    // Structs of texts and of JSON cannot fail to be written, and none is without fields.
    let body = serde_json::to_vec(event).unwrap_or_default();
    let head = format!(
        "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},",
        number = *number,
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.get(1..).unwrap_or_default());
    out.extend_from_slice(b"\n\n");
    *number = number.saturating_add(1);
}
