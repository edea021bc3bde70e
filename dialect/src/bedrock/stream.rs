//! Reads streams: the events of `ConverseStream`, each with its name and its JSON.
//!
//! `messageStop` says why the answer ended and `metadata`, which comes last, what was used.

use super::{error, response::citation};
use crate::{
    chat::{Event, Opaque, Start, Stop},
    json::Fields,
    translate::Unreadable,
};
use domain::{catalog::Dialect, tokens::Tokens};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Blocks that are calls, and not told whole yet.
    calls: BTreeSet<u64>,
}

impl Reader {
    /// What one event says. `name` is its type, or that of an exception.
    pub(crate) fn push(
        &mut self,
        name: &str,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Unreadable> {
        // As server-sent events, exceptions have one name and say their own in their data.
        if name == "error" || error::exception(name).is_some() {
            out.push(Event::Failed(error::in_stream(name, data)));
            return Ok(());
        }
        let fields = || {
            let wrong = |_| Unreadable("an event holds no JSON object".to_owned());
            Fields::parse(data).map_err(wrong)
        };
        match name {
            "messageStart" => out.push(Event::Start(Start::default())),
            "contentBlockStart" => self.begin(&fields()?, out),
            "contentBlockDelta" => self.delta(&fields()?, out),
            "contentBlockStop" => {
                let slot = index(&fields()?);
                out.push(match self.calls.remove(&slot) {
                    true => Event::CallEnd { choice: 0, slot },
                    false => Event::BlockEnd { choice: 0 },
                });
            }
            "messageStop" => {
                let fields = fields()?;
                let reason = fields.text("stopReason");
                let missing = || Unreadable("a `messageStop` has no `stopReason`".to_owned());
                let stop = stop(&reason.ok_or_else(missing)?, &fields);
                out.push(Event::Stop { choice: 0, stop });
            }
            "metadata" => {
                let fields = fields()?;
                out.extend(fields.get("usage").and_then(tokens).map(Event::Usage));
                out.extend(fields.get("serviceTier").and_then(tier).map(Event::Tier));
                out.push(Event::End);
            }
            // What may come to be told some day.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        let Some(call) = inner(fields, "start").and_then(|it| inner(&it, "toolUse")) else {
            return;
        };
        let slot = index(fields);
        self.calls.insert(slot);
        let text = |name| call.text(name).unwrap_or_default().into_owned();
        out.push(Event::CallStart {
            choice: 0,
            slot,
            id: text("toolUseId"),
            name: text("name"),
            namespace: None,
            custom: false,
            opaque: None,
        });
    }

    fn delta(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        let Some(delta) = inner(fields, "delta") else { return };
        if let Some(text) = delta.text("text") {
            out.push(Event::Text { choice: 0, text: text.into_owned(), logprobs: None });
        }
        if let Some(call) = inner(&delta, "toolUse") {
            let text = call.text("input").unwrap_or_default().into_owned();
            out.push(Event::CallInput { choice: 0, slot: index(fields), text });
        }
        if let Some(thought) = inner(&delta, "reasoningContent") {
            if let Some(text) = thought.text("text") {
                out.push(Event::Thinking { choice: 0, text: text.into_owned() });
            }
            for (name, redacted) in [("signature", false), ("redactedContent", true)] {
                if let Some(data) = thought.text(name).filter(|it| !it.is_empty()) {
                    let opaque = Opaque { origin: Dialect::Bedrock, data: data.into_owned() };
                    out.push(Event::ThinkingState { choice: 0, opaque, redacted });
                }
            }
        }
        if let Some(citation) = delta.get("citation").and_then(citation) {
            out.push(Event::Cite { choice: 0, citation });
        }
    }
}

fn inner<'a>(fields: &Fields<'a>, name: &str) -> Option<Fields<'a>> {
    Fields::parse(fields.get(name)?.get()).ok()
}

fn index(fields: &Fields<'_>) -> u64 {
    number(fields, "contentBlockIndex").unwrap_or(0)
}

fn number(fields: &Fields<'_>, name: &str) -> Option<u64> {
    fields.get(name)?.get().parse().ok()
}

/// Why an answer ended. `told` may hold which text it was upon which it had to.
pub(super) fn stop(reason: &str, told: &Fields<'_>) -> Stop {
    match reason {
        "end_turn" => Stop::End,
        "tool_use" => Stop::Calls,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "stop_sequence" => {
            let more = inner(told, "additionalModelResponseFields");
            let text = more.and_then(|it| it.text("stop_sequence").map(|it| it.into_owned()));
            Stop::Sequence(text.filter(|it| !it.is_empty()))
        }
        "guardrail_intervened" | "content_filtered" => Stop::Refused,
        other => Stop::Failed(other.to_owned()),
    }
}

/// What was used. Bedrock's input leaves out what the cache holds; ours has it in.
pub(super) fn tokens(usage: &RawValue) -> Option<Tokens> {
    let fields = Fields::parse(usage.get()).ok()?;
    let count = |name| number(&fields, name);
    let (fresh, output) = (count("inputTokens"), count("outputTokens"));
    if fresh.is_none() && output.is_none() {
        return None;
    }
    let cached_input = count("cacheReadInputTokens").unwrap_or(0);
    let cache_write = count("cacheWriteInputTokens").unwrap_or(0);
    let input = fresh.unwrap_or(0).saturating_add(cached_input).saturating_add(cache_write);
    let cache_write = cache_write.min(input.saturating_sub(cached_input));
    Some(Tokens { input, cached_input, cache_write, output: output.unwrap_or(0), reasoning: 0 })
}

/// The tier that served it.
pub(super) fn tier(raw: &RawValue) -> Option<String> {
    let fields = Fields::parse(raw.get()).ok()?;
    fields.text("type").map(|it| it.into_owned())
}

#[cfg(test)]
mod tests;
