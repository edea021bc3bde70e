//! Writes the stream for a caller.

use super::DONE;
use crate::{
    chat::{Block, Content, Delta as Piece, Start, Step},
    error::json,
    openai_chat::{
        asked::Asked,
        error,
        response::known_tier,
        thoughts,
        wire::{
            Custom, Extra, Function, ToolCall,
            answer::{Annotation, Chunk, ChunkChoice, Delta, Logprobs, Usage, finish_reason},
        },
    },
    translate::{Thread, answer_id},
};
use domain::tokens::Tokens;
use std::collections::BTreeMap;

/// What a caller's stream has been told so far.
#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    created: u64,
    model: String,
    asked: Asked,
    choices: BTreeMap<u32, Told>,
}

/// What is told of one of the answers.
#[derive(Debug, Default)]
struct Told {
    /// Characters of text: before the open block, and in all.
    before: u64,
    said: u64,
    details: u32,
    call: Option<Open>,
}

/// The call that is being told.
#[derive(Debug, Clone, Copy)]
struct Open {
    number: u32,
    custom: bool,
    /// Whether any input was told.
    filled: bool,
}

impl Writer {
    /// A stream of which nothing is told yet.
    pub(crate) fn new(thread: &Thread) -> Self {
        Self {
            id: answer_id("chatcmpl-", "", thread),
            created: thread.received_at,
            model: thread.alias.clone(),
            asked: Asked::of(thread),
            choices: BTreeMap::new(),
        }
    }

    /// Writes what the caller is told of one step.
    pub(crate) fn push(&mut self, step: &Step, thread: &Thread, out: &mut Vec<u8>) {
        match step {
            Step::Start(start) => self.start(start, thread, out),
            Step::Open { choice, index: _, block } => self.open(*choice, block, thread, out),
            Step::Delta { choice, index: _, delta } => self.delta(*choice, delta, thread, out),
            Step::Close { choice, index: _, whole } => {
                self.close(*choice, &whole.content, thread, out);
            }
            Step::Stop { choice, stop } => {
                self.begin(*choice, thread, out);
                let calls = if self.asked.functions { "function_call" } else { "tool_calls" };
                let (finish_reason, native_finish_reason) = finish_reason(stop, calls);
                let last = ChunkChoice {
                    finish_reason: Some(finish_reason),
                    native_finish_reason,
                    ..said(*choice, Delta::default())
                };
                self.chunk(&[last], thread, out);
            }
            // A comment, which keeps the connection open and no client reads.
            Step::Ping => out.extend_from_slice(b": ping\n\n"),
            Step::End { usage, tier } => self.end(*usage, tier.as_deref(), thread, out),
            // Without `[DONE]`, which would say that all is well.
            Step::Failed(failure) => event(&error::write(failure, &thread.request), out),
        }
    }

    fn start(&mut self, start: &Start, thread: &Thread, out: &mut Vec<u8>) {
        let Start { id, model, created, usage: _ } = start;
        self.id = answer_id("chatcmpl-", id, thread);
        self.created = created.unwrap_or(thread.received_at);
        if !model.is_empty() {
            self.model.clone_from(model);
        }
        self.begin(0, thread, out);
    }

    /// Each answer begins with its role.
    fn begin(&mut self, choice: u32, thread: &Thread, out: &mut Vec<u8>) {
        if self.choices.contains_key(&choice) {
            return;
        }
        self.choices.insert(choice, Told::default());
        let delta = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
        self.chunk(&[said(choice, delta)], thread, out);
    }

    fn open(&mut self, choice: u32, block: &Block, thread: &Thread, out: &mut Vec<u8>) {
        self.begin(choice, thread, out);
        let Some(told) = self.choices.get_mut(&choice) else { return };
        told.before = told.said;
        told.call = None;
        let Block::Call { number, id, name, namespace: _, custom, opaque } = block else { return };
        told.call = Some(Open { number: *number, custom: *custom, filled: false });
        let name = Some(name.as_str());
        let function = Function { name, arguments: "" };
        if self.asked.functions {
            if *number == 0 {
                let delta = Delta { function_call: Some(function), ..Delta::default() };
                self.chunk(&[said(choice, delta)], thread, out);
            }
            return;
        }
        let call = ToolCall {
            index: Some(*number),
            id: Some(id),
            kind: Some(if *custom { "custom" } else { "function" }),
            function: (!custom).then_some(function),
            custom: custom.then_some(Custom { name, input: "" }),
            extra_content: Extra::of(opaque.as_ref()),
        };
        let delta = Delta { tool_calls: Some([call]), ..Delta::default() };
        self.chunk(&[said(choice, delta)], thread, out);
    }

    fn delta(&mut self, choice: u32, piece: &Piece, thread: &Thread, out: &mut Vec<u8>) {
        let Some(told) = self.choices.get_mut(&choice) else { return };
        let mut probabilities = None;
        let delta = match piece {
            Piece::Text { text, logprobs } => {
                told.said = told.said.saturating_add(text.chars().count() as u64);
                probabilities = logprobs.as_ref().map(Logprobs::of);
                Delta { content: Some(text), ..Delta::default() }
            }
            Piece::Cite(citation) => {
                let source = Annotation::of(citation, (told.before, told.said));
                Delta { annotations: Some([source]), ..Delta::default() }
            }
            Piece::Refusal(text) => Delta { refusal: Some(text), ..Delta::default() },
            Piece::Thinking(text) => Delta { reasoning_content: Some(text), ..Delta::default() },
            // It goes with the whole thought when that is over.
            Piece::State(_) => return,
            Piece::Input(text) => return self.input(choice, text, thread, out),
        };
        let chunk = ChunkChoice { logprobs: probabilities, ..said(choice, delta) };
        self.chunk(&[chunk], thread, out);
    }

    fn input(&mut self, choice: u32, text: &str, thread: &Thread, out: &mut Vec<u8>) {
        let call = self.choices.get_mut(&choice).and_then(|it| it.call.as_mut());
        let Some(call) = call.filter(|_| !text.is_empty()) else { return };
        call.filled = true;
        let Open { number, custom, filled: _ } = *call;
        let function = Function { name: None, arguments: text };
        let delta = if self.asked.functions {
            if number > 0 {
                return;
            }
            Delta { function_call: Some(function), ..Delta::default() }
        } else {
            let call = ToolCall {
                index: Some(number),
                function: (!custom).then_some(function),
                custom: custom.then_some(Custom { name: None, input: text }),
                ..ToolCall::default()
            };
            Delta { tool_calls: Some([call]), ..Delta::default() }
        };
        self.chunk(&[said(choice, delta)], thread, out);
    }

    fn close(&mut self, choice: u32, whole: &Content, thread: &Thread, out: &mut Vec<u8>) {
        let Some(told) = self.choices.get_mut(&choice) else { return };
        let call = told.call;
        if call.is_some_and(|it| !it.custom && !it.filled) {
            // Clients parse what they have put together, and nothing is no JSON.
            self.input(choice, "{}", thread, out);
            return;
        }
        let Content::Thinking(thought) = whole else { return };
        let Some(detail) = thoughts::detail(thought, told.details) else { return };
        told.details = told.details.saturating_add(1);
        let delta = Delta { reasoning_details: Some([detail]), ..Delta::default() };
        self.chunk(&[said(choice, delta)], thread, out);
    }

    fn end(&self, usage: Option<Tokens>, tier: Option<&str>, thread: &Thread, out: &mut Vec<u8>) {
        if let Some(tokens) = usage.filter(|_| thread.stream_usage) {
            let usage = Some(Some(Usage::of(tokens)));
            let service_tier = tier.and_then(known_tier);
            event(&json(&Chunk { usage, service_tier, ..self.empty(&[]) }), out);
        }
        event(DONE.as_bytes(), out);
    }

    fn chunk(&self, choices: &[ChunkChoice<'_>], thread: &Thread, out: &mut Vec<u8>) {
        let usage = thread.stream_usage.then_some(None);
        event(&json(&Chunk { usage, ..self.empty(choices) }), out);
    }

    fn empty<'a>(&'a self, choices: &'a [ChunkChoice<'a>]) -> Chunk<'a> {
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: None,
            service_tier: None,
        }
    }
}

/// What is new in an answer that goes on.
fn said(index: u32, delta: Delta<'_>) -> ChunkChoice<'_> {
    ChunkChoice { index, delta, logprobs: None, finish_reason: None, native_finish_reason: None }
}

/// Writes an event of one line, as which JSON can always be written.
pub(crate) fn event(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}
