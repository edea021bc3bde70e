//! Reads the stream of a provider, as leniently as compatible servers are various.

use super::{DONE, calls::Calls};
use crate::{
    chat::{Event, Start, Thinking},
    json::{self, Fields, Json},
    openai_chat::{call, error, request, response, thoughts},
    relay,
    translate::Unreadable,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// What a provider's stream has said so far.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    begun: bool,
    start: Start,
    tier: String,
    choices: BTreeMap<u32, Told>,
}

/// What one of the answers has said.
#[derive(Debug, Default)]
struct Told {
    calls: Calls,
    stopped: bool,
}

impl Reader {
    /// Reads one server-sent event.
    ///
    /// # Errors
    /// When it is no JSON object, or its choices are none.
    pub(crate) fn push(
        &mut self,
        _name: &str,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Unreadable> {
        let data = data.trim();
        if data == DONE {
            self.settle(out);
            out.push(Event::End);
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let Ok(mut fields) = Fields::parse(data) else {
            return Err(Unreadable("an event of the stream is no JSON object".to_owned()));
        };
        if let Some(failure) = error::in_stream(&fields) {
            out.push(Event::Failed(failure));
            return Ok(());
        }
        self.start(&mut fields, out);
        if let Some(tier) = fields.text("service_tier").filter(|it| *it != self.tier) {
            self.tier = tier.into_owned();
            out.push(Event::Tier(self.tier.clone()));
        }
        let usage = fields.take("usage").and_then(|it| relay::openai_usage(it.get().as_bytes()));
        if let Some(choices) = fields.take("choices") {
            let choices = json::elements(choices);
            for raw in choices.ok_or_else(wrong_choices)? {
                self.choice(Fields::parse(raw.get()).map_err(|_| wrong_choices())?, out);
            }
        }
        // Behind what the chunk says, so that it counts for it as well.
        out.extend(usage.map(Event::Usage));
        Ok(())
    }

    /// Tells what is known of the answer, once more if more is known. Azure's first chunk
    /// knows nothing.
    fn start(&mut self, fields: &mut Fields<'_>, out: &mut Vec<Event>) {
        let text = |it: &Fields<'_>, name| it.text(name).map(Cow::into_owned).unwrap_or_default();
        let mut news = !std::mem::replace(&mut self.begun, true);
        for (known, name) in [(&mut self.start.id, "id"), (&mut self.start.model, "model")] {
            if known.is_empty() {
                *known = text(fields, name);
                news |= !known.is_empty();
            }
        }
        if self.start.created.is_none() {
            let created = fields.take_as("created").ok().flatten();
            self.start.created = created.filter(|it| *it > 0);
            news |= self.start.created.is_some();
        }
        if news {
            out.push(Event::Start(self.start.clone()));
        }
    }

    fn choice(&mut self, mut fields: Fields<'_>, out: &mut Vec<Event>) {
        let index = fields.take_as::<u32>("index").ok().flatten().unwrap_or(0);
        let told = self.choices.entry(index).or_default();
        // Some servers send their last chunk in the form of a whole answer.
        let delta = fields.take("delta").or_else(|| fields.take("message"));
        let delta = delta.and_then(|it| Fields::parse(it.get()).ok()).unwrap_or_default();
        let logprobs = fields.take("logprobs").and_then(content_logprobs);
        told.delta(index, delta, logprobs, out);
        let stop = response::stop(&mut fields).filter(|_| !told.stopped);
        if let Some(stop) = stop {
            told.stopped = true;
            told.calls.settle(index, out);
            out.push(Event::Stop { choice: index, stop });
        }
    }

    fn settle(&mut self, out: &mut Vec<Event>) {
        for (index, told) in &mut self.choices {
            told.calls.settle(*index, out);
        }
    }
}

fn wrong_choices() -> Unreadable {
    Unreadable("`choices` is no array of objects".to_owned())
}

fn content_logprobs(raw: &RawValue) -> Option<Json> {
    Some(Json::from(Fields::parse(raw.get()).ok()?.take("content")?))
}

impl Told {
    fn delta(
        &mut self,
        choice: u32,
        mut delta: Fields<'_>,
        mut logprobs: Option<Json>,
        out: &mut Vec<Event>,
    ) {
        let before = out.len();
        for thought in thoughts::take(&mut delta) {
            let Thinking { text, opaque, redacted } = thought;
            if !text.is_empty() {
                out.push(Event::Thinking { choice, text });
            }
            out.extend(opaque.map(|opaque| Event::ThinkingState { choice, opaque, redacted }));
        }
        for piece in delta.take("content").map(response::pieces).unwrap_or_default() {
            out.push(match piece {
                response::Piece::Text(text) => {
                    let logprobs = logprobs.take();
                    Event::Text { choice, text: text.into_owned(), logprobs }
                }
                response::Piece::Thought(text) => {
                    Event::Thinking { choice, text: text.into_owned() }
                }
            });
        }
        if logprobs.is_some() {
            out.push(Event::Text { choice, text: String::new(), logprobs });
        }
        for raw in delta.take("annotations").and_then(json::elements).unwrap_or_default() {
            let citation = request::citation(raw);
            out.extend(citation.map(|citation| Event::Cite { choice, citation }));
        }
        let refusal = delta.take("refusal").and_then(json::text).filter(|it| !it.is_empty());
        out.extend(refusal.map(|it| Event::Refusal { choice, text: it.into_owned() }));
        if out.len() > before {
            // An empty object that waits belongs before whatever else is said.
            let said = out.split_off(before);
            self.calls.settle(choice, out);
            out.extend(said);
        }
        for raw in delta.take("tool_calls").and_then(json::elements).unwrap_or_default() {
            if let Ok(fields) = Fields::parse(raw.get()) {
                self.calls.push(choice, fields, out);
            }
        }
        if let Some(said) = delta.take("function_call").and_then(call::legacy) {
            self.calls.said(choice, Some(0), said, out);
        }
    }
}
