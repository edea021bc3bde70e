//! Reads the conversation: items into turns.

use super::{
    content::{Field, parts},
    leave, list, object,
    tools::Tools,
    words,
};
use crate::{
    chat::{self, Call, CallInput, CallResult, Content, Opaque, Part, Role, Thinking, Turn},
    json::{Fields, Json, text},
    openai_responses::state::{self, Kind},
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;

/// Reads all items into the request, and the tools that stand among them.
pub(super) fn read(
    raw: &RawValue,
    request: &mut chat::Request,
    tools: &mut Tools,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if let Some(text) = text(raw) {
        let parts = vec![Part::text(text)];
        request.turns.push(Turn { role: Role::User, name: None, parts });
        return Ok(());
    }
    let items = crate::json::elements(raw)
        .ok_or_else(|| Refused::new("input", "has to be a text or a list of items"))?;
    let mut reading = Reading { request, tools, notes, state: None };
    items.into_iter().try_for_each(|item| reading.item(item))
}

struct Reading<'r> {
    request: &'r mut chat::Request,
    tools: &'r mut Tools,
    notes: &'r mut Notes,
    /// The state of the call that comes next.
    state: Option<Opaque>,
}

impl Reading<'_> {
    fn item(&mut self, raw: &RawValue) -> Result<(), Refused> {
        let mut fields = object(raw, "input")?;
        let kind = words(&mut fields, "type", "input.type")?;
        let has_role = fields.get("role").is_some();
        let kind = kind.as_deref().unwrap_or(if has_role { "message" } else { "item_reference" });
        match kind {
            "message" => self.message(&mut fields)?,
            "reasoning" => self.reasoning(&mut fields)?,
            "function_call" => self.function_call(&mut fields)?,
            "custom_tool_call" => self.custom_call(&mut fields)?,
            "function_call_output" => self.output(&mut fields, Whose::Function)?,
            "custom_tool_call_output" => self.output(&mut fields, Whose::Custom)?,
            "local_shell_call" => self.own_call(&mut fields, "local_shell", "action")?,
            "shell_call" => self.own_call(&mut fields, "shell", "action")?,
            "apply_patch_call" => self.own_call(&mut fields, "apply_patch", "operation")?,
            "tool_search_call" => self.own_call(&mut fields, "tool_search", "arguments")?,
            "local_shell_call_output" | "shell_call_output" | "apply_patch_call_output" => {
                self.output(&mut fields, Whose::Client)?;
            }
            "tool_search_output" => self.found_tools(&mut fields)?,
            "additional_tools" => self.additional_tools(&mut fields)?,
            "item_reference" => {
                let reason = "refers to an item that OpenAI keeps: send the item itself";
                return Err(Refused::new("input.item_reference", reason));
            }
            "compaction"
            | "compaction_summary"
            | "compaction_trigger"
            | "context_compaction"
            | "computer_call"
            | "computer_call_output"
            | "mcp_approval_request"
            | "mcp_approval_response" => {
                let reason = "means something to OpenAI only, and cannot be left out";
                return Err(Refused::new(format!("input.{kind}"), reason));
            }
            // A client's own bookkeeping.
            "ghost_snapshot" => return Ok(()),
            // What OpenAI's own tools did, which what was said after it rests upon.
            _ => {
                self.notes.dropped(format!("input.{kind}"));
                return Ok(());
            }
        }
        for name in ["id", "status"] {
            fields.take(name);
        }
        leave(fields, "input", self.notes);
        Ok(())
    }

    fn message(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        let role = words(fields, "role", "input.role")?;
        let content = fields.take("content");
        let field = Field("input.content");
        let parts = content.map(|it| parts(it, field, self.notes)).transpose()?;
        let parts = parts.unwrap_or_default();
        match role.as_deref() {
            Some("user") => self.turn(Role::User, parts),
            Some("assistant") => parts.into_iter().for_each(|it| self.said(it)),
            Some("system" | "developer") => {
                if parts.iter().any(|it| it.as_text().is_none()) {
                    let reason = "of a system or developer message may only hold texts";
                    return Err(Refused::new("input.content", reason));
                }
                if self.request.turns.is_empty() {
                    self.request.instructions.extend(parts);
                } else {
                    self.turn(Role::System, parts);
                }
            }
            Some(_) | None => return Err(Refused::new("input.role", "is none that is known")),
        }
        Ok(())
    }

    fn turn(&mut self, role: Role, parts: Vec<Part>) {
        self.request.turns.push(Turn { role, name: None, parts });
    }

    /// Adds to what the model said last, or begins its turn.
    fn said(&mut self, part: Part) {
        match self.request.turns.last_mut() {
            Some(turn) if turn.role == Role::Assistant => turn.parts.push(part),
            Some(_) | None => self.turn(Role::Assistant, vec![part]),
        }
    }

    /// Adds to the results that were told last, or begins a turn of them.
    fn gave(&mut self, result: CallResult) {
        let part = Part::new(Content::Result(result));
        let is_result = |it: &Part| matches!(it.content, Content::Result(_));
        match self.request.turns.last_mut() {
            Some(turn) if turn.role == Role::User && turn.parts.last().is_some_and(is_result) => {
                turn.parts.push(part);
            }
            Some(_) | None => self.turn(Role::User, vec![part]),
        }
    }

    fn reasoning(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        let summary = texts(fields, "summary")?;
        let content = texts(fields, "content")?;
        let text = if content.is_empty() { summary } else { content }.join("\n\n");
        let slot = words(fields, "encrypted_content", "input.encrypted_content")?;
        let state = slot.filter(|it| !it.is_empty()).map(|it| state::from_caller(&it));
        match state {
            Some((opaque, Kind::Call)) => self.state = Some(opaque),
            Some((opaque, kind @ (Kind::Thought | Kind::Redacted))) => {
                let redacted = kind == Kind::Redacted;
                let thinking = Thinking { text, opaque: Some(opaque), redacted };
                self.said(Part::new(Content::Thinking(thinking)));
            }
            None if !text.is_empty() => {
                let thinking = Thinking { text, opaque: None, redacted: false };
                self.said(Part::new(Content::Thinking(thinking)));
            }
            // Nobody can go on from there.
            None => {}
        }
        Ok(())
    }

    fn function_call(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        let input = fields.take("arguments").map_or_else(
            || CallInput::Json(Json::empty_object()),
            |raw| text(raw).map_or_else(|| arguments(raw.get()), |it| arguments(&it)),
        );
        let name = needed(fields, "name")?;
        self.call(fields, name, input)
    }

    fn custom_call(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        let input = words(fields, "input", "input.input")?.unwrap_or_default();
        let name = needed(fields, "name")?;
        self.call(fields, name, CallInput::Text(input))
    }

    /// A call of a tool that has a kind of its own here and is an ordinary tool elsewhere.
    fn own_call(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        input: &str,
    ) -> Result<(), Refused> {
        fields.take("execution");
        let input = fields.take(input).map(|raw| arguments(raw.get()));
        let input = input.unwrap_or_else(|| CallInput::Json(Json::empty_object()));
        if fields.get("call_id").is_none() {
            // OpenAI ran it.
            self.notes.dropped(format!("input.{name}_call"));
            return Ok(());
        }
        self.notes.add(format!("input.{name}_call"), How::Changed);
        self.call(fields, name.to_owned(), input)
    }

    fn call(
        &mut self,
        fields: &mut Fields<'_>,
        name: String,
        input: CallInput,
    ) -> Result<(), Refused> {
        let id = needed(fields, "call_id")?;
        let namespace = words(fields, "namespace", "input.namespace")?;
        let opaque = self.state.take();
        let call = Call { id, name, namespace, input, opaque };
        self.said(Part::new(Content::Call(call)));
        Ok(())
    }

    fn output(&mut self, fields: &mut Fields<'_>, whose: Whose) -> Result<(), Refused> {
        let call = needed(fields, "call_id")?;
        let name = words(fields, "name", "input.name")?;
        let parts = match (fields.take("output"), whose) {
            (None, _) => Vec::new(),
            (Some(raw), Whose::Client) => {
                vec![Part::text(text(raw).unwrap_or_else(|| raw.get().into()))]
            }
            (Some(raw), Whose::Function | Whose::Custom) => {
                parts(raw, Field("input.output"), self.notes)?
            }
        };
        let custom = matches!(whose, Whose::Custom);
        self.gave(CallResult { call, name, parts, failed: false, custom });
        Ok(())
    }

    /// Tools that were found on the way can be called from then on; who knows no such
    /// search is told of them as of all others.
    fn found_tools(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        fields.take("execution");
        let raw = fields.take("tools");
        let names = raw.map(|it| self.tools.read(it, self.notes)).transpose()?.unwrap_or_default();
        let Some(call) = words(fields, "call_id", "input.call_id")? else { return Ok(()) };
        let text = match names.as_slice() {
            [] => "No tools were found.".to_owned(),
            names => format!("Loaded tools: {}", names.join(", ")),
        };
        let parts = vec![Part::text(text)];
        self.gave(CallResult { call, name: None, parts, failed: false, custom: false });
        Ok(())
    }

    fn additional_tools(&mut self, fields: &mut Fields<'_>) -> Result<(), Refused> {
        fields.take("role");
        if let Some(raw) = fields.take("tools") {
            self.tools.read(raw, self.notes)?;
        }
        Ok(())
    }
}

/// Whose output it is.
#[derive(Debug, Clone, Copy)]
enum Whose {
    Function,
    Custom,
    /// Of one of the tools that clients of OpenAI run in a form of its own.
    Client,
}

/// A text that has to be there.
fn needed(fields: &mut Fields<'_>, name: &str) -> Result<String, Refused> {
    let path = format!("input.{name}");
    words(fields, name, &path)?.ok_or_else(|| Refused::new(path, "is missing"))
}

/// What a function is given. Models do not always write JSON, and agents send back what
/// they wrote.
fn arguments(text: &str) -> CallInput {
    match text.trim() {
        "" | "null" => CallInput::Json(Json::empty_object()),
        json => match Json::parse(json).filter(Json::is_object) {
            Some(json) => CallInput::Json(json),
            None => CallInput::Text(text.to_owned()),
        },
    }
}

/// The texts of a reasoning item's list.
fn texts(fields: &mut Fields<'_>, name: &str) -> Result<Vec<String>, Refused> {
    let path = format!("input.{name}");
    let Some(raw) = fields.take(name) else { return Ok(Vec::new()) };
    let mut texts = Vec::new();
    for one in list(raw, &path)? {
        let found = object(one, &path)?.text("text").map(|it| it.into_owned());
        texts.extend(found.filter(|it| !it.is_empty()));
    }
    Ok(texts)
}
