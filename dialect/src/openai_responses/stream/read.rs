//! Reads a provider's stream.

mod item;
#[cfg(test)]
mod tests;

use crate::{
    chat::{Event, Failure, Start, Stop},
    error::ErrorKind,
    json::{Fields, Json, elements},
    openai_responses::{
        error,
        request::citation,
        response::{id_and_model, incomplete, usage},
    },
    translate::Unreadable,
};
use item::{Item, Spoken, Thought};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Reads one event after the other. What is told twice, in pieces and whole, is read
/// once; what is told only whole is read too.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    is_started: bool,
    is_ended: bool,
    has_calls: bool,
    /// Items by their place in the answer.
    items: BTreeMap<u64, Item>,
    /// The item that was told of last, for providers that do not say which one they mean.
    last: u64,
}

impl Reader {
    /// Reads one event.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub(crate) fn push(
        &mut self,
        name: &str,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Unreadable> {
        if data.trim() == "[DONE]" {
            self.end(out);
            return Ok(());
        }
        if data.trim().is_empty() || self.is_ended {
            return Ok(());
        }
        let mut fields = Fields::parse(data)
            .map_err(|_| Unreadable("an event is not one whole JSON object".to_owned()))?;
        let kind = fields.take("type").and_then(crate::json::text);
        let kind = kind.unwrap_or_else(|| name.into());
        self.event(&kind, &mut fields, out);
        Ok(())
    }

    fn event(&mut self, kind: &str, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(mut response) = inner(fields, "response") {
                    self.start(&mut response, out);
                }
            }
            "response.completed" | "response.done" | "response.incomplete" => {
                self.finish(fields, out);
            }
            "response.failed" | "response.cancelled" => self.fail(fields, out),
            "error" => self.told_error(fields, out),
            "response.output_item.added" => self.added(fields, out),
            "response.output_item.done" => {
                let index = self.index(fields);
                if let Some(item) = fields.take("item") {
                    self.item(index, item, out);
                }
            }
            "response.content_part.added" => {
                let place = (self.index(fields), number(fields, "content_index"));
                if place.1 > 0 {
                    out.push(Event::BlockEnd { choice: 0 });
                }
                self.items.entry(place.0).or_default();
            }
            "keepalive" | "ping" | "response.heartbeat" => out.push(Event::Ping),
            _ => self.piece(kind, fields, out),
        }
    }

    /// A piece of an item, or the whole of what pieces told.
    fn piece(&mut self, kind: &str, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        match kind {
            "response.output_text.delta" => self.spoken(fields, "delta", Spoken::Text, out),
            "response.output_text.done" => self.spoken(fields, "text", Spoken::Text, out),
            "response.refusal.delta" => self.spoken(fields, "delta", Spoken::Refusal, out),
            "response.refusal.done" => self.spoken(fields, "refusal", Spoken::Refusal, out),
            "response.output_text.annotation.added" => {
                let (index, part) = (self.index(fields), number(fields, "content_index"));
                if let Some(citation) = fields.take("annotation").and_then(citation) {
                    self.items.entry(index).or_default().cited(part);
                    out.push(Event::Cite { choice: 0, citation });
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_summary.delta" => {
                self.thought(fields, "delta", Thought::Summary, out);
            }
            "response.reasoning_summary_text.done" | "response.reasoning_summary.done" => {
                self.thought(fields, "text", Thought::Summary, out);
            }
            "response.reasoning_text.delta" | "response.reasoning.delta" => {
                self.thought(fields, "delta", Thought::Content, out);
            }
            "response.reasoning_text.done" | "response.reasoning.done" => {
                self.thought(fields, "text", Thought::Content, out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.input(fields, "delta", out);
            }
            "response.function_call_arguments.done" => self.input(fields, "arguments", out),
            "response.custom_tool_call_input.done" => self.input(fields, "input", out),
            // What OpenAI's own tools do, and what nobody knows yet. Without a kind it may be
            // an error in the form of an answer.
            _ => {
                if fields.has("error") && !fields.has("response") {
                    self.told_error(fields, out);
                }
            }
        }
    }

    fn start(&mut self, response: &mut Fields<'_>, out: &mut Vec<Event>) {
        if !self.is_started {
            self.is_started = true;
            let (id, model, created) = id_and_model(response);
            out.push(Event::Start(Start { id, model, created, usage: None }));
        }
    }

    /// Which item an event is about.
    fn index(&mut self, fields: &mut Fields<'_>) -> u64 {
        if let Ok(Some(index)) = fields.take_as("output_index") {
            self.last = index;
        }
        self.last
    }

    fn added(&mut self, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        if !fields.has("output_index") {
            let next = self.items.last_key_value().map(|(last, _)| last.saturating_add(1));
            self.last = next.unwrap_or(0);
        }
        let index = self.index(fields);
        let Some(item) = inner(fields, "item") else { return };
        let known = self.items.entry(index).or_default();
        self.has_calls |= known.begin(index, &item, out);
    }

    /// An item is told whole.
    fn item(&mut self, index: u64, raw: &RawValue, out: &mut Vec<Event>) {
        let known = self.items.entry(index).or_default();
        self.has_calls |= known.whole(index, raw, out);
    }

    fn spoken(&mut self, fields: &mut Fields<'_>, name: &str, what: Spoken, out: &mut Vec<Event>) {
        let (index, part) = (self.index(fields), number(fields, "content_index"));
        let Some(text) = fields.text(name) else { return };
        let logprobs = fields.take("logprobs").map(Json::from);
        let logprobs = logprobs.filter(|it| it.as_str().len() > "[]".len());
        let item = self.items.entry(index).or_default();
        if name != "delta" && item.was_spoken(part) {
            return;
        }
        item.speak(part, what, text.into_owned(), logprobs, out);
    }

    fn thought(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        what: Thought,
        out: &mut Vec<Event>,
    ) {
        let index = self.index(fields);
        let place = if what == Thought::Summary { "summary_index" } else { "content_index" };
        let part = number(fields, place);
        // An old form has it in an object.
        let text = fields.text(name).map(|it| it.into_owned());
        let text = text.or_else(|| Some(inner(fields, name)?.text("text")?.into_owned()));
        let Some(text) = text else { return };
        let item = self.items.entry(index).or_default();
        if name == "delta" || !item.was_thought(what, part) {
            item.think(what, part, text, out);
        }
    }

    fn input(&mut self, fields: &mut Fields<'_>, name: &str, out: &mut Vec<Event>) {
        let index = self.index(fields);
        let Some(text) = fields.text(name) else { return };
        let item = self.items.entry(index).or_default();
        item.input(index, text.into_owned(), name == "delta", out);
    }

    /// The answer is whole, or as whole as it gets.
    fn finish(&mut self, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        let mut response = inner(fields, "response").unwrap_or_default();
        if response.text("status").as_deref() == Some("failed") {
            self.fail_with(&mut response, out);
            return;
        }
        self.start(&mut response, out);
        if self.items.is_empty() {
            let output = response.take("output").and_then(elements).unwrap_or_default();
            for (index, item) in (0..).zip(output) {
                self.item(index, item, out);
            }
        }
        self.tell_usage(&mut response, out);
        let details = response.take("incomplete_details");
        let is_early =
            details.is_some() || response.text("status").as_deref() == Some("incomplete");
        let stop = match self.has_calls {
            _ if is_early => incomplete(details),
            true => Stop::Calls,
            false => Stop::End,
        };
        out.push(Event::Stop { choice: 0, stop });
        self.end(out);
    }

    fn tell_usage(&self, response: &mut Fields<'_>, out: &mut Vec<Event>) {
        out.extend(response.take("usage").and_then(usage).map(Event::Usage));
        out.extend(response.text("service_tier").map(|it| Event::Tier(it.into_owned())));
    }

    fn fail(&mut self, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        let mut response = inner(fields, "response").unwrap_or_default();
        self.fail_with(&mut response, out);
    }

    fn fail_with(&mut self, response: &mut Fields<'_>, out: &mut Vec<Event>) {
        self.start(response, out);
        self.tell_usage(response, out);
        let failure = response.take("error").map(error::read_object);
        out.push(Event::Failed(failure.unwrap_or_else(|| Failure {
            kind: ErrorKind::UpstreamFailed,
            message: "the provider's answer failed".to_owned(),
            code: None,
            param: None,
        })));
        self.is_ended = true;
    }

    /// Some tell it flat, some in an object.
    fn told_error(&mut self, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        let failure = match fields.take("error") {
            Some(error) => error::read_object(error),
            None => error::read_fields(fields),
        };
        out.push(Event::Failed(failure));
        self.is_ended = true;
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.is_ended, true) {
            out.push(Event::End);
        }
    }
}

/// The fields of an object in an event.
fn inner<'a>(fields: &mut Fields<'a>, name: &str) -> Option<Fields<'a>> {
    Fields::parse(fields.take(name)?.get()).ok()
}

/// Which part of an item an event is about.
fn number(fields: &mut Fields<'_>, name: &str) -> u64 {
    fields.take_as(name).ok().flatten().unwrap_or(0)
}
