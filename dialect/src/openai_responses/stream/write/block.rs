//! Writes blocks as items and their pieces.

use super::{Kind, Writer, tell};
use crate::{
    chat::{Call, CallInput, Citation, Content, Opaque, Part, Thinking},
    json::Json,
    openai_responses::{
        response::reasoning,
        state::{self, Kind as StateKind},
        wire::{self, Annotation, Event, Item, Piece, Summary, joined, letters, none},
    },
    translate::Thread,
};

/// The block that is being told.
#[derive(Debug)]
pub(super) enum Open {
    /// None is.
    None,
    /// A piece of the pending message.
    Text {
        /// How many letters so far.
        letters: u64,
        annotations: Vec<Annotation<'static>>,
        logprobs: Vec<Json>,
    },
    /// A piece of the pending message.
    Refusal,
    /// A thought; its item's id once it was told that something may be read of it.
    Thought { told: Option<String> },
    /// The pending call.
    Call {
        kind: Kind,
        id: String,
        /// Whether any of its input was told.
        has_input: bool,
    },
}

impl Writer {
    /// Begins an item, which then is pending.
    fn add(&mut self, item: Item<'static>, out: &mut Vec<u8>) {
        let output_index = Some(self.output.len());
        let event = Event { output_index, item: Some(&item), ..Event::default() };
        tell(&mut self.number, "response.output_item.added", &event, out);
        self.pending = Some(item);
    }

    pub(super) fn open_content(&mut self, refuses: Refuses, out: &mut Vec<u8>) {
        if self.pending.is_none() {
            let id = Some(self.ids.item("msg", self.output.len()).into());
            let status = Some("in_progress");
            self.add(Item::Message { id, status, role: "assistant", content: Vec::new() }, out);
        }
        let (part, open) = match refuses {
            Refuses::Yes => (wire::Content::Refusal { refusal: "".into() }, Open::Refusal),
            Refuses::No => {
                let open = Open::Text { letters: 0, annotations: Vec::new(), logprobs: Vec::new() };
                (spoken(String::new(), Vec::new(), none()), open)
            }
        };
        self.open = open;
        let event = Event { part: Some(Piece::Content(&part)), ..Event::default() };
        self.tell_content("response.content_part.added", event, out);
    }

    /// Tells something of the open piece of the pending message.
    fn tell_content(&mut self, name: &str, event: Event<'_>, out: &mut Vec<u8>) {
        let Some(Item::Message { id: Some(id), content, .. }) = &self.pending else { return };
        let event = Event {
            item_id: Some(id),
            output_index: Some(self.output.len()),
            content_index: Some(content.len()),
            ..event
        };
        tell(&mut self.number, name, &event, out);
    }

    pub(super) fn text(&mut self, text: &str, tokens: Option<&Json>, out: &mut Vec<u8>) {
        let Open::Text { letters: so_far, logprobs, .. } = &mut self.open else { return };
        *so_far = so_far.saturating_add(letters(text));
        logprobs.extend(tokens.cloned());
        if text.is_empty() && tokens.is_none() {
            return;
        }
        let none = none();
        let logprobs = Some(tokens.unwrap_or(&none));
        let event = Event { delta: Some(text), logprobs, ..Event::default() };
        self.tell_content("response.output_text.delta", event, out);
    }

    pub(super) fn cite(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let Open::Text { letters, annotations, .. } = &mut self.open else { return };
        let annotation = Annotation::of(citation, *letters);
        let annotation_index = Some(annotations.len());
        annotations.push(annotation.clone());
        let event = Event { annotation_index, annotation: Some(&annotation), ..Event::default() };
        self.tell_content("response.output_text.annotation.added", event, out);
    }

    pub(super) fn refusal(&mut self, text: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Refusal) && !text.is_empty() {
            let event = Event { delta: Some(text), ..Event::default() };
            self.tell_content("response.refusal.delta", event, out);
        }
    }

    pub(super) fn thought(&mut self, text: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Thought { .. }) && !text.is_empty() {
            let id = self.begin_thought(out);
            let event = Event { delta: Some(text), ..Event::default() };
            self.tell_summary(&id, "response.reasoning_summary_text.delta", event, out);
        }
    }

    /// Tells that there is a thought of which something may be read, if that is not told;
    /// gives its item's id.
    fn begin_thought(&mut self, out: &mut Vec<u8>) -> String {
        if let Open::Thought { told: Some(id) } = &self.open {
            return id.clone();
        }
        let id = self.add_thought(out);
        let part = Summary::SummaryText { text: "".into() };
        let event = Event { part: Some(Piece::Summary(&part)), ..Event::default() };
        self.tell_summary(&id, "response.reasoning_summary_part.added", event, out);
        self.open = Open::Thought { told: Some(id.clone()) };
        id
    }

    /// Begins the item of a thought; gives its id.
    fn add_thought(&mut self, out: &mut Vec<u8>) -> String {
        self.settle("completed", out);
        let id = self.ids.item("rs", self.output.len());
        let (item_id, summary) = (Some(id.clone().into()), Vec::new());
        self.add(Item::Reasoning { id: item_id, summary, encrypted_content: None }, out);
        id
    }

    fn tell_summary(&mut self, id: &str, name: &str, event: Event<'_>, out: &mut Vec<u8>) {
        let event = Event {
            item_id: Some(id),
            output_index: Some(self.output.len()),
            summary_index: Some(0),
            ..event
        };
        tell(&mut self.number, name, &event, out);
    }

    /// A call's state has no slot at the call: it stands in a thought of its own before it.
    pub(super) fn tell_call_state(&mut self, opaque: &Opaque, out: &mut Vec<u8>) {
        let id = Some(self.ids.item("rs", self.output.len()).into());
        let encrypted_content = Some(state::to_caller(opaque, StateKind::Call).into());
        self.add(Item::Reasoning { id, summary: Vec::new(), encrypted_content }, out);
        self.settle("completed", out);
    }

    pub(super) fn open_call(
        &mut self,
        [call_id, name]: [&str; 2],
        namespace: Option<&str>,
        kind: Kind,
        out: &mut Vec<u8>,
    ) {
        let (call_id, name) = (call_id.to_owned().into(), name.to_owned().into());
        let namespace = namespace.map(|it| it.to_owned().into());
        let status = Some("in_progress");
        let prefix = if kind == Kind::Function { "fc" } else { "ctc" };
        let own_id = self.ids.item(prefix, self.output.len());
        let id = Some(own_id.clone().into());
        let item = match kind {
            Kind::Function => {
                let arguments = "".into();
                Item::FunctionCall { id, status, call_id, name, namespace, arguments }
            }
            Kind::Custom => {
                let input = "".into();
                Item::CustomToolCall { id, status, call_id, name, namespace, input }
            }
        };
        self.add(item, out);
        self.open = Open::Call { kind, id: own_id, has_input: false };
    }

    pub(super) fn input(&mut self, text: &str, out: &mut Vec<u8>) {
        let Open::Call { kind, id, has_input } = &mut self.open else { return };
        if text.is_empty() {
            return;
        }
        *has_input = true;
        let name = match kind {
            Kind::Function => "response.function_call_arguments.delta",
            Kind::Custom => "response.custom_tool_call_input.delta",
        };
        let event = Event {
            item_id: Some(id),
            output_index: Some(self.output.len()),
            delta: Some(text),
            ..Event::default()
        };
        tell(&mut self.number, name, &event, out);
    }

    /// Ends the open block. Its item stays pending: what follows tells how it ended.
    pub(super) fn close(&mut self, whole: &Part, thread: &Thread, out: &mut Vec<u8>) {
        match &whole.content {
            Content::Text(text) => self.close_text(&text.text, &text.citations, out),
            Content::Refusal(text) => self.close_refusal(text, out),
            Content::Thinking(thinking) => self.close_thought(thinking, thread, out),
            Content::Call(call) => self.close_call(call, out),
            // Models do not say such things here.
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => {}
        }
        self.open = Open::None;
    }

    fn close_text(&mut self, text: &str, citations: &[Citation], out: &mut Vec<u8>) {
        let Open::Text { annotations, .. } = &self.open else { return };
        for citation in citations.iter().skip(annotations.len()) {
            self.cite(citation, out);
        }
        let open = std::mem::replace(&mut self.open, Open::None);
        let Open::Text { annotations, logprobs, .. } = open else { return };
        let logprobs = joined(&logprobs);
        let event = Event { text: Some(text), logprobs: Some(&logprobs), ..Event::default() };
        self.tell_content("response.output_text.done", event, out);
        self.close_content(spoken(text.to_owned(), annotations, logprobs), out);
    }

    fn close_refusal(&mut self, text: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Refusal) {
            let event = Event { refusal: Some(text), ..Event::default() };
            self.tell_content("response.refusal.done", event, out);
            self.close_content(wire::Content::Refusal { refusal: text.to_owned().into() }, out);
        }
    }

    fn close_content(&mut self, part: wire::Content<'static>, out: &mut Vec<u8>) {
        let event = Event { part: Some(Piece::Content(&part)), ..Event::default() };
        self.tell_content("response.content_part.done", event, out);
        if let Some(Item::Message { content, .. }) = &mut self.pending {
            content.push(part);
        }
    }

    fn close_thought(&mut self, thinking: &Thinking, thread: &Thread, out: &mut Vec<u8>) {
        let Open::Thought { told } = &self.open else { return };
        let is_told = told.is_some();
        let whole = reasoning(thinking, String::new(), thread);
        let Some(Item::Reasoning { summary, encrypted_content, .. }) = whole else { return };
        if let [part @ Summary::SummaryText { text }] = summary.as_slice() {
            if !is_told {
                self.thought(text, out);
            }
            let id = self.begin_thought(out);
            let event = Event { text: Some(text), ..Event::default() };
            self.tell_summary(&id, "response.reasoning_summary_text.done", event, out);
            let event = Event { part: Some(Piece::Summary(part)), ..Event::default() };
            self.tell_summary(&id, "response.reasoning_summary_part.done", event, out);
        } else if !is_told {
            self.add_thought(out);
        }
        if let Some(Item::Reasoning { summary: known, encrypted_content: state, .. }) =
            &mut self.pending
        {
            (*known, *state) = (summary, encrypted_content);
        }
    }

    fn close_call(&mut self, call: &Call, out: &mut Vec<u8>) {
        let Open::Call { kind, id, has_input } = &self.open else { return };
        let (kind, id, has_input) = (*kind, id.clone(), *has_input);
        let said = match &call.input {
            CallInput::Json(json) => json.as_str(),
            CallInput::Text(text) => text,
        };
        if !has_input {
            // Clients that put the pieces together get all of it too.
            self.input(said, out);
        }
        let output_index = Some(self.output.len());
        let event = Event { item_id: Some(&id), output_index, ..Event::default() };
        let (name, event) = match kind {
            Kind::Function => {
                let event = Event { name: Some(&call.name), arguments: Some(said), ..event };
                ("response.function_call_arguments.done", event)
            }
            Kind::Custom => {
                ("response.custom_tool_call_input.done", Event { input: Some(said), ..event })
            }
        };
        tell(&mut self.number, name, &event, out);
        if let Some(
            Item::FunctionCall { arguments: all, .. } | Item::CustomToolCall { input: all, .. },
        ) = &mut self.pending
        {
            *all = said.to_owned().into();
        }
    }
}

/// Whether a piece of a message is a refusal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refuses {
    No,
    Yes,
}

fn spoken(
    text: String,
    annotations: Vec<Annotation<'static>>,
    logprobs: Json,
) -> wire::Content<'static> {
    let annotations = Some(annotations);
    wire::Content::OutputText { annotations, logprobs: Some(logprobs), text: text.into() }
}
