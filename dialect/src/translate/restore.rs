//! Undoes in an answer what [`super::fit`] did to the request: tools get the caller's
//! names, namespaces and kinds back, and a tool that stood for a structured answer
//! becomes the text that it stood for.

mod unwrap;

use super::{Original, Thread, call_ids, sequence::settled};
use crate::chat::{Answer, Block, Call, CallInput, Choice, Content, Delta, Part, Step, Stop};
use std::collections::BTreeMap;
use unwrap::Unwrap;

/// Undoes it in an answer that came whole. Gives calls ids that have none, and its end
/// the reason that its calls ask for.
pub(crate) fn answer(answer: &mut Answer, thread: &Thread) {
    for (number, choice) in (0..).zip(&mut answer.choices) {
        call_ids::invent_missing(&mut choice.parts, &thread.request, number);
        restore_choice(choice, thread);
    }
}

fn restore_choice(choice: &mut Choice, thread: &Thread) {
    let mut calls = false;
    for part in &mut choice.parts {
        let Content::Call(call) = &mut part.content else { continue };
        if stands_for_format(&call.name, thread) {
            *part = text_of(call);
        } else {
            calls = true;
            restore_call(call, thread);
        }
    }
    let stop = std::mem::replace(&mut choice.stop, Stop::End);
    choice.stop = settled(stop, calls);
}

/// Undoes it in an answer that is told step by step.
#[derive(Debug, Default)]
pub(crate) struct Restorer {
    choices: BTreeMap<u32, Restoring>,
}

#[derive(Debug, Default)]
struct Restoring {
    /// How many calls turned out to be none.
    emulated: u32,
    /// How many were calls.
    calls: u32,
    open: Open,
}

/// What is done with the pieces of the open block.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Pass,
    /// Its input is the answer's text.
    Format,
    /// Its input is a text in an object.
    Wrapped(Unwrap),
}

impl Restorer {
    /// Gives what the caller is told.
    pub(crate) fn push(&mut self, step: Step, thread: &Thread, out: &mut Vec<Step>) {
        match step {
            Step::Open { choice, index, block } => {
                let block = self.choices.entry(choice).or_default().open(block, thread);
                out.push(Step::Open { choice, index, block });
            }
            Step::Delta { choice, index, delta } => {
                let delta = self.choices.entry(choice).or_default().delta(delta);
                out.extend(delta.map(|delta| Step::Delta { choice, index, delta }));
            }
            Step::Close { choice, index, whole } => {
                let restoring = self.choices.entry(choice).or_default();
                let (rest, whole) = restoring.close(whole, thread);
                out.extend(rest.map(|delta| Step::Delta { choice, index, delta }));
                out.push(Step::Close { choice, index, whole });
            }
            Step::Stop { choice, stop } => {
                let restoring = self.choices.remove(&choice).unwrap_or_default();
                let stop = settled(stop, restoring.calls > 0);
                out.push(Step::Stop { choice, stop });
            }
            Step::Start(_) | Step::Ping | Step::End { .. } | Step::Failed(_) => out.push(step),
        }
    }
}

impl Restoring {
    fn open(&mut self, block: Block, thread: &Thread) -> Block {
        self.open = Open::Pass;
        let Block::Call { number, id, name, namespace, custom, opaque } = block else {
            return block;
        };
        if stands_for_format(&name, thread) {
            self.emulated = self.emulated.saturating_add(1);
            self.open = Open::Format;
            return Block::Text;
        }
        self.calls = self.calls.saturating_add(1);
        let number = number.saturating_sub(self.emulated);
        match thread.names.original(&name) {
            None => Block::Call { number, id, name, namespace, custom, opaque },
            Some(Original { name, namespace, wrapped }) => {
                if *wrapped {
                    self.open = Open::Wrapped(Unwrap::default());
                }
                let (name, namespace) = (name.clone(), namespace.clone());
                let custom = custom || *wrapped;
                Block::Call { number, id, name, namespace, custom, opaque }
            }
        }
    }

    fn delta(&mut self, delta: Delta) -> Option<Delta> {
        match (&mut self.open, delta) {
            (Open::Format, Delta::Input(text)) => Some(Delta::Text { text, logprobs: None }),
            (Open::Wrapped(unwrap), Delta::Input(piece)) => {
                let mut text = String::new();
                unwrap.push(&piece, &mut text);
                (!text.is_empty()).then_some(Delta::Input(text))
            }
            (Open::Pass | Open::Format | Open::Wrapped(_), delta) => Some(delta),
        }
    }

    /// All of the block, and what is still to be told of it.
    fn close(&mut self, whole: Part, thread: &Thread) -> (Option<Delta>, Part) {
        let open = std::mem::take(&mut self.open);
        let Content::Call(mut call) = whole.content else { return (None, whole) };
        match open {
            Open::Format => return (None, text_of(&call)),
            Open::Pass | Open::Wrapped(_) => restore_call(&mut call, thread),
        }
        // Of an input that is not wrapped as it should be nothing has been told yet.
        let rest = match (&open, &call.input) {
            (Open::Wrapped(unwrap), CallInput::Text(text)) if !unwrap.has_begun() => {
                (!text.is_empty()).then(|| Delta::Input(text.clone()))
            }
            (Open::Pass | Open::Format | Open::Wrapped(_), _) => None,
        };
        (rest, Part { content: Content::Call(call), ..whole })
    }
}

fn stands_for_format(name: &str, thread: &Thread) -> bool {
    thread.emulated_format.as_deref() == Some(name)
}

fn text_of(call: &Call) -> Part {
    Part::text(match &call.input {
        CallInput::Json(json) => json.as_str(),
        CallInput::Text(text) => text,
    })
}

fn restore_call(call: &mut Call, thread: &Thread) {
    let Some(Original { name, namespace, wrapped }) = thread.names.original(&call.name) else {
        return;
    };
    name.clone_into(&mut call.name);
    namespace.clone_into(&mut call.namespace);
    if *wrapped {
        let input = match &call.input {
            CallInput::Json(json) => json.as_str(),
            CallInput::Text(text) => text,
        };
        call.input = CallInput::Text(unwrap::unwrapped(input));
    }
}

#[cfg(test)]
mod tests;
