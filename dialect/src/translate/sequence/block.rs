//! One block on its way: what is told of it and what is not yet.

use super::{JsonInput, call_ids, nonsense};
use crate::{
    chat::{Block, Call, CallInput, Content, Delta, Failure, Opaque, Part, Text, Thinking},
    json::Json,
};

/// About what a block costs, whatever it holds.
pub(super) const COST: usize = 256;

/// A call as it is begun.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Begun {
    /// Empty if the provider gives none.
    pub(super) id: String,
    /// Empty as long as it is not told.
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) custom: bool,
    pub(super) opaque: Option<Opaque>,
}

/// A block in the queue.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    /// Whether nothing of it comes any more.
    pub(super) over: bool,
    /// Its number, once it is open.
    pub(super) index: Option<u32>,
    untold: Vec<Delta>,
    held: usize,
}

/// What it is, and all of it so far.
#[derive(Debug)]
pub(super) enum Kind {
    Text(Text),
    Refusal(String),
    Thinking(Thinking),
    Call(Calling),
}

/// A call and its input so far.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) begun: Begun,
    input: String,
    /// How far its JSON is; `None`: it is free text.
    json: Option<JsonInput>,
}

impl Piece {
    pub(super) fn new(kind: Kind) -> Self {
        let bytes = match &kind {
            Kind::Thinking(it) => it.opaque.as_ref().map_or(0, |it| it.data.len()),
            Kind::Call(it) => it.begun.id.len().saturating_add(it.begun.name.len()),
            Kind::Text(_) | Kind::Refusal(_) => 0,
        };
        let held = bytes.saturating_add(COST);
        Self { kind, over: false, index: None, untold: Vec::new(), held }
    }

    pub(super) fn call(begun: Begun) -> Self {
        let json = (!begun.custom).then(JsonInput::default);
        Self::new(Kind::Call(Calling { begun, input: String::new(), json }))
    }

    /// How many bytes it keeps.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Adds to it. What does not fit its kind is left out.
    pub(super) fn add(&mut self, delta: Delta) {
        let bytes = match (&mut self.kind, &delta) {
            (Kind::Text(whole), Delta::Text { text, logprobs }) => {
                whole.text.push_str(text);
                let logprobs = logprobs.as_ref().map_or(0, |it| it.as_str().len());
                text.len().saturating_add(logprobs)
            }
            (Kind::Text(whole), Delta::Cite(citation)) => {
                whole.citations.push(citation.clone());
                let quote = citation.quote.as_ref().map_or(0, String::len);
                citation.url.len().saturating_add(quote).saturating_add(COST)
            }
            (Kind::Refusal(whole), Delta::Refusal(text)) => {
                whole.push_str(text);
                text.len()
            }
            (Kind::Thinking(whole), Delta::Thinking(text)) => {
                whole.text.push_str(text);
                text.len()
            }
            (Kind::Thinking(whole), Delta::State(opaque)) => {
                whole.opaque = Some(opaque.clone());
                opaque.data.len()
            }
            (Kind::Call(call), Delta::Input(text)) => {
                let told = call.json.as_mut().map(|json| json.push(text));
                let told = told.as_ref().unwrap_or(text);
                call.input.push_str(told);
                self.held = self.held.saturating_add(told.len());
                let told = told.clone();
                return self.tell(Delta::Input(told));
            }
            (Kind::Text(_) | Kind::Refusal(_) | Kind::Thinking(_) | Kind::Call(_), _) => return,
        };
        self.held = self.held.saturating_add(bytes);
        self.tell(delta);
    }

    /// Whether it is a call of which more has to come.
    pub(super) fn is_unfinished_call(&self) -> bool {
        let Kind::Call(call) = &self.kind else { return false };
        !self.over && !call.json.as_ref().is_some_and(JsonInput::is_whole)
    }

    /// What opens it as the call of this number, as soon as it can be.
    pub(super) fn opening(&mut self, request: &str, choice: u32, number: u32) -> Option<Block> {
        match &mut self.kind {
            Kind::Text(_) => Some(Block::Text),
            Kind::Refusal(_) => Some(Block::Refusal),
            Kind::Thinking(Thinking { opaque: Some(opaque), redacted: true, .. }) => {
                Some(Block::Redacted(opaque.clone()))
            }
            Kind::Thinking(_) => Some(Block::Thinking),
            Kind::Call(call) if call.begun.name.is_empty() => None,
            Kind::Call(Calling { begun, .. }) => {
                if begun.id.is_empty() {
                    begun.id = call_ids::invented(request, choice, number);
                }
                Some(Block::Call {
                    number,
                    id: begun.id.clone(),
                    name: begun.name.clone(),
                    namespace: begun.namespace.clone(),
                    custom: begun.custom,
                    opaque: begun.opaque.clone(),
                })
            }
        }
    }

    /// What is not told yet.
    pub(super) fn take_untold(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.untold)
    }

    /// Its input is told to the end; gives what is still to be told of it.
    pub(super) fn finish(&mut self) -> Option<Delta> {
        let Kind::Call(Calling { input, json: Some(json), .. }) = &mut self.kind else {
            return None;
        };
        let rest = json.finish();
        input.push_str(&rest);
        (!rest.is_empty()).then_some(Delta::Input(rest))
    }

    /// All of it.
    pub(super) fn into_part(self) -> Part {
        Part::new(match self.kind {
            Kind::Text(it) => Content::Text(it),
            Kind::Refusal(it) => Content::Refusal(it),
            Kind::Thinking(it) => Content::Thinking(it),
            Kind::Call(Calling { begun, input, json }) => {
                let Begun { id, name, namespace, custom: _, opaque } = begun;
                let json = json.and_then(|_| Json::parse(&input)).filter(Json::is_object);
                let input = json.map_or_else(|| CallInput::Text(input), CallInput::Json);
                Content::Call(Call { id, name, namespace, input, opaque })
            }
        })
    }

    /// Keeps a piece until it is told; joined with the one before it, so that what waits
    /// long stays small.
    fn tell(&mut self, delta: Delta) {
        match (self.untold.last_mut(), &delta) {
            (_, Delta::Input(text)) if text.is_empty() => {}
            (
                Some(Delta::Text { text, logprobs: None }),
                Delta::Text { text: more, logprobs: None },
            )
            | (Some(Delta::Refusal(text)), Delta::Refusal(more))
            | (Some(Delta::Thinking(text)), Delta::Thinking(more))
            | (Some(Delta::Input(text)), Delta::Input(more)) => text.push_str(more),
            (Some(_) | None, _) => self.untold.push(delta),
        }
    }
}

impl Calling {
    /// Whether a start of this id and name goes on with it.
    pub(super) fn is_continued_by(&self, begun: &Begun) -> bool {
        let same = |known: &str, new: &str| known.is_empty() || new.is_empty() || known == new;
        same(&self.begun.id, &begun.id) && same(&self.begun.name, &begun.name)
    }

    /// Takes over what was not known yet. `opened`: its id and name are told already.
    pub(super) fn learn(&mut self, begun: Begun, opened: bool) {
        let known = &mut self.begun;
        known.opaque = known.opaque.take().or(begun.opaque);
        if opened {
            return;
        }
        known.namespace = known.namespace.take().or(begun.namespace);
        for (known, new) in [(&mut known.id, begun.id), (&mut known.name, begun.name)] {
            if known.is_empty() {
                *known = new;
            }
        }
    }
}

/// A call that ended before its tool was named.
pub(super) fn nameless() -> Failure {
    nonsense("a call names no tool")
}
