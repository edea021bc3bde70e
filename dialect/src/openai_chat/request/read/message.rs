//! Messages, which become instructions and turns.

use super::{
    super::super::{call, thoughts},
    leave, object, part,
};
use crate::{
    chat::{Call, CallResult, Content, Part, Request, Role, Turn},
    json::{self, Fields},
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// Reads all messages into the request.
pub(super) fn read(
    raw: &RawValue,
    request: &mut Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let Some(messages) = json::elements(raw) else {
        return Err(Refused::new("messages", "must be an array of messages"));
    };
    let mut reader = Reader { request, custom: BTreeSet::new(), in_results: false, notes };
    for raw in messages {
        reader.message(object(raw, "messages")?)?;
    }
    if request.turns.is_empty() {
        // OpenAI answers to instructions alone; others want to be spoken to.
        let parts = std::mem::take(&mut request.instructions);
        if parts.is_empty() {
            return Err(Refused::new("messages", "must not be empty"));
        }
        notes.add("messages", How::Moved);
        request.turns.push(Turn { role: Role::User, name: None, parts });
    }
    Ok(())
}

struct Reader<'r> {
    request: &'r mut Request,
    /// The ids of calls of tools that take free text.
    custom: BTreeSet<String>,
    /// Whether the last message was a result, so that the next one joins its turn.
    in_results: bool,
    notes: &'r mut Notes,
}

impl Reader<'_> {
    fn message(&mut self, mut fields: Fields<'_>) -> Result<(), Refused> {
        let role: String = fields.take_as("role")?.unwrap_or_default();
        let is_result = matches!(role.as_str(), "tool" | "function");
        self.in_results &= is_result;
        if is_result {
            self.result(&mut fields)?;
        } else {
            let name = fields.take_as("name")?;
            let (role, parts) = match role.as_str() {
                "user" => (Role::User, self.content(&mut fields)?),
                "assistant" => (Role::Assistant, self.assistant(&mut fields)?),
                "system" | "developer" => (Role::System, self.instructions(&mut fields)?),
                _ => {
                    let reason = "must be `system`, `developer`, `user`, `assistant` or `tool`";
                    return Err(Refused::new("messages.role", reason));
                }
            };
            let parts = self.marked(parts, &mut fields);
            if role == Role::System && self.request.turns.is_empty() {
                self.notes.dropped_if("messages.name", &name);
                self.request.instructions.extend(parts);
            } else {
                self.request.turns.push(Turn { role, name, parts });
            }
        }
        leave(fields, "messages", self.notes);
        Ok(())
    }

    fn content(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Part>, Refused> {
        fields.take("content").map_or(Ok(Vec::new()), |raw| part::read(raw, self.notes))
    }

    /// A mark at the message is one at its last part.
    fn marked(&mut self, mut parts: Vec<Part>, fields: &mut Fields<'_>) -> Vec<Part> {
        if let Some(mark) = part::cache_mark(fields, "messages.", self.notes) {
            match parts.last_mut() {
                Some(last) => last.cache = last.cache.take().or(Some(mark)),
                None => self.notes.dropped("messages.cache_control"),
            }
        }
        parts
    }

    fn instructions(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Part>, Refused> {
        let parts = self.content(fields)?;
        if parts.iter().any(|it| it.as_text().is_none()) {
            return Err(Refused::new("messages.content", "of an instruction must be text"));
        }
        Ok(parts)
    }

    fn assistant(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Part>, Refused> {
        if fields.take("audio").is_some() {
            let reason = "is known to its own provider only: send the words instead";
            return Err(Refused::new("messages.audio", reason));
        }
        let mut parts = thoughts::parts(fields);
        let mut content = self.content(fields)?;
        let citations = part::citations(fields);
        if let Some(Content::Text(text)) = content.last_mut().map(|it| &mut it.content) {
            text.citations.extend(citations);
        }
        parts.append(&mut content);
        let refusal: Option<String> = fields.take_as("refusal")?;
        let refusal = refusal.filter(|it| !it.is_empty());
        parts.extend(refusal.map(|it| Part::new(Content::Refusal(it))));
        if let Some(raw) = fields.take("tool_calls") {
            let Some(calls) = json::elements(raw) else {
                return Err(Refused::new("messages.tool_calls", "must be an array of calls"));
            };
            for raw in calls {
                parts.push(Part::new(Content::Call(self.call(raw)?)));
            }
        }
        if let Some(raw) = fields.take("function_call") {
            let Some(said) = call::legacy(raw) else {
                return Err(Refused::new("messages.function_call", "must be an object"));
            };
            parts.push(Part::new(Content::Call(named(said.whole(), "messages.function_call")?)));
        }
        Ok(parts)
    }

    fn call(&mut self, raw: &RawValue) -> Result<Call, Refused> {
        const FIELD: &str = "messages.tool_calls";
        let mut fields = object(raw, FIELD)?;
        let said = call::Said::take(&mut fields);
        // Programs send back what they put together of a stream.
        fields.take("index");
        leave(fields, FIELD, self.notes);
        let is_custom = said.custom;
        let call = named(said.whole(), FIELD)?;
        if is_custom {
            self.custom.insert(call.id.clone());
        }
        Ok(call)
    }

    fn result(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        let call: String = fields.take_as("tool_call_id")?.unwrap_or_default();
        let parts = self.content(fields)?;
        let result = CallResult {
            custom: self.custom.contains(&call),
            call,
            name: fields.take_as("name")?,
            parts,
            failed: false,
        };
        let cache = part::cache_mark(fields, "messages.", self.notes);
        let part = Part { content: Content::Result(result), cache };
        match self.request.turns.last_mut() {
            Some(turn) if self.in_results => turn.parts.push(part),
            Some(_) | None => {
                let turn = Turn { role: Role::User, name: None, parts: vec![part] };
                self.request.turns.push(turn);
            }
        }
        self.in_results = true;
        Ok(())
    }
}

/// A call that says what it calls.
fn named(call: Call, field: &str) -> Result<Call, Refused> {
    let missing = || Refused::new(format!("{field}.function.name"), "is missing");
    if call.name.is_empty() { Err(missing()) } else { Ok(call) }
}
