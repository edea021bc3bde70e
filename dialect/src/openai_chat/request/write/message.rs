//! Turns as messages.

use super::{
    piece::{content, piece},
    tool,
};
use crate::{
    chat::{Call, CallResult, Content as Said, Part, Role, Thinking, Tool, Turn},
    openai_chat::{
        SLOT, thoughts,
        wire::{
            ToolCall,
            request::{CacheControl, Message, Piece},
        },
    },
    translate::{How, Notes, Refused, Target},
};
use domain::catalog::{Quirk, Quirks};
use std::collections::BTreeSet;

/// Stands between texts that were parts of their own.
const JOINT: &str = "\n\n";
/// How Claude Code's line for its own billing begins. It changes with every request, and
/// would keep others from ever finding the prompt in their caches.
const BILLING: &str = "x-anthropic-billing-header:";

/// Writes messages one after the other.
#[derive(Debug)]
pub(super) struct Writer<'a, 'n> {
    /// The tools that take free text.
    custom: BTreeSet<&'a str>,
    quirks: Quirks,
    messages: Vec<Message<'a>>,
    /// What has no place in the messages of tools or of the model, and waits for the
    /// user's next one: nothing may stand between calls and their results.
    pending: Vec<Piece<'a>>,
    notes: &'n mut Notes,
}

impl<'a, 'n> Writer<'a, 'n> {
    /// Nothing written yet, for this target and with these tools.
    pub(super) fn new(target: &Target<'_>, tools: &'a [Tool], notes: &'n mut Notes) -> Self {
        let quirks = target.quirks;
        let custom = tool::custom(tools);
        Self { custom, quirks, messages: Vec::new(), pending: Vec::new(), notes }
    }

    /// Instructions, and one of ours behind them: one message, since the templates of many
    /// models take no second one.
    pub(super) fn instructions(
        &mut self,
        parts: &'a [Part],
        ours: Option<String>,
    ) -> Result<(), Refused> {
        let is_billing = |it: &Part| it.as_text().is_some_and(|it| it.starts_with(BILLING));
        let kept = parts.iter().filter(|it| !is_billing(it));
        let mut pieces = self.pieces(kept)?;
        pieces.extend(ours.map(Piece::text));
        if pieces.is_empty() {
            return Ok(());
        }
        self.say(self.instructs(), None, pieces)
    }

    const fn instructs(&self) -> &'static str {
        if self.quirks.has(Quirk::DeveloperRole) { "developer" } else { "system" }
    }

    /// The conversation.
    pub(super) fn turns(&mut self, turns: &'a [Turn]) -> Result<(), Refused> {
        for turn in turns {
            let Turn { role, name, parts } = turn;
            match role {
                Role::User => self.user(name.as_deref(), parts)?,
                Role::Assistant => self.assistant(name.as_deref(), parts)?,
                Role::System => {
                    self.flush()?;
                    let pieces = self.pieces(parts)?;
                    if !pieces.is_empty() {
                        self.say(self.instructs(), name.as_deref(), pieces)?;
                    }
                }
            }
        }
        self.flush()?;
        if turns.last().is_some_and(|it| it.role == Role::Assistant) {
            // Some servers go on from there, others begin anew.
            self.notes.add("messages", How::Changed);
        }
        Ok(())
    }

    /// All messages.
    pub(super) fn finish(self) -> Vec<Message<'a>> {
        self.messages
    }

    fn pieces(
        &mut self,
        parts: impl IntoIterator<Item = &'a Part>,
    ) -> Result<Vec<Piece<'a>>, Refused> {
        let pieces = parts.into_iter().map(|it| piece(it, self.quirks, self.notes));
        pieces.filter_map(Result::transpose).collect()
    }

    fn say(
        &mut self,
        role: &'static str,
        name: Option<&'a str>,
        pieces: Vec<Piece<'a>>,
    ) -> Result<(), Refused> {
        let content = Some(content(pieces, JOINT, self.quirks)?);
        self.messages.push(Message { role, name, content, ..Message::default() });
        Ok(())
    }

    /// Says what has waited, as the user.
    fn flush(&mut self) -> Result<(), Refused> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() { Ok(()) } else { self.say("user", None, pending) }
    }

    fn user(&mut self, name: Option<&'a str>, parts: &'a [Part]) -> Result<(), Refused> {
        for part in parts {
            if let Said::Result(result) = &part.content {
                self.result(result, part)?;
            }
        }
        let is_result = |it: &&Part| matches!(it.content, Said::Result(_));
        let own = self.pieces(parts.iter().filter(|it| !is_result(it)))?;
        if own.is_empty() && parts.iter().any(|it| is_result(&it)) {
            return Ok(());
        }
        let mut pieces = std::mem::take(&mut self.pending);
        pieces.extend(own);
        self.say("user", name, pieces)
    }

    /// What a call gave: texts in a message of the tool, all else for the user's next one.
    fn result(&mut self, result: &'a CallResult, part: &'a Part) -> Result<(), Refused> {
        // Whose result it is the id says; custom tools answer in the same way.
        let CallResult { call, name: _, parts, failed, custom: _ } = result;
        let mut texts = Vec::new();
        let mut others = Vec::new();
        for part in parts {
            let Some(piece) = piece(part, self.quirks, self.notes)? else { continue };
            if piece.text.is_some() {
                texts.push(piece);
                continue;
            }
            self.notes.add("messages.tool_result", How::Moved);
            let is_image = piece.image_url.is_some();
            let what = if is_image { "[image attached below]" } else { "[file attached below]" };
            texts.push(Piece::text(what));
            others.push(piece);
        }
        if *failed {
            self.notes.add("is_error", How::Changed);
            say_failed(&mut texts);
        }
        let mark = part.cache.as_ref().filter(|_| self.quirks.has(Quirk::CacheControl));
        if let (Some(mark), Some(last)) = (mark, texts.last_mut()) {
            last.cache_control = Some(CacheControl::of(mark));
        }
        if !others.is_empty() {
            self.pending.push(Piece::text(format!("[attached to the result of call {call}]")));
            self.pending.append(&mut others);
        }
        self.messages.push(Message {
            role: "tool",
            tool_call_id: Some(call),
            content: Some(content(texts, "\n", self.quirks)?),
            ..Message::default()
        });
        Ok(())
    }

    fn assistant(&mut self, name: Option<&'a str>, parts: &'a [Part]) -> Result<(), Refused> {
        self.flush()?;
        let mut message = Message { role: "assistant", name, ..Message::default() };
        let mut pieces = Vec::new();
        let mut thoughts = Vec::new();
        for part in parts {
            match &part.content {
                Said::Thinking(it) => thoughts.push(it),
                Said::Call(it) => message.tool_calls.push(self.call(it)),
                Said::Refusal(text) if self.quirks.has(Quirk::DeveloperRole) => {
                    message.refusal.get_or_insert_default().push_str(text);
                }
                Said::Text(_) | Said::Refusal(_) => {
                    pieces.extend(piece(part, self.quirks, self.notes)?);
                }
                // The model's own pictures can be shown to it only by the user.
                Said::Image(_) | Said::Audio { .. } | Said::Document(_) => {
                    self.notes.add("messages.content", How::Moved);
                    self.pending.extend(piece(part, self.quirks, self.notes)?);
                }
                Said::Result(_) => self.notes.dropped("messages.tool_result"),
            }
        }
        self.think(&mut message, &thoughts);
        let says_more = !message.tool_calls.is_empty()
            || message.refusal.is_some()
            || message.reasoning_content.is_some()
            || !message.reasoning_details.is_empty();
        if pieces.is_empty() && !says_more {
            // Servers refuse a turn of the model that says nothing.
            return Ok(());
        }
        let is_null = pieces.is_empty() && !self.quirks.has(Quirk::PlainText);
        if !is_null {
            message.content = Some(content(pieces, "", self.quirks)?);
        }
        self.messages.push(message);
        Ok(())
    }

    fn call(&mut self, call: &'a Call) -> ToolCall<'a> {
        let mut written = ToolCall::whole(call, self.custom.contains(call.name.as_str()));
        if call.opaque.as_ref().is_some_and(|it| it.origin != SLOT) {
            self.notes.dropped("thinking");
            written.extra_content = None;
        }
        written
    }

    /// Thoughts go to whom they are from, or as texts to those who want them back.
    fn think(&mut self, message: &mut Message<'a>, thoughts: &[&Thinking]) {
        let wants_texts = self.quirks.has(Quirk::ReasoningContent);
        for thought in thoughts {
            let is_own = thought.opaque.as_ref().is_some_and(|it| it.origin == SLOT);
            let number = u32::try_from(message.reasoning_details.len()).unwrap_or(u32::MAX);
            let detail = thoughts::detail(thought, number).filter(|_| is_own);
            let mut is_said = detail.is_some();
            message.reasoning_details.extend(detail);
            if wants_texts && !thought.text.is_empty() {
                is_said = true;
                if !message.tool_calls.is_empty() {
                    message.reasoning_content.get_or_insert_default().push_str(&thought.text);
                }
            }
            if !is_said {
                self.notes.dropped("thinking");
            }
        }
    }
}

/// That a call failed can be said in words only.
fn say_failed(texts: &mut Vec<Piece<'_>>) {
    const WORD: &str = "error";
    match texts.first_mut().and_then(|it| it.text.as_mut()) {
        Some(text) => {
            let start = text.trim_start().split_at_checked(WORD.len());
            if !start.is_some_and(|(start, _)| start.eq_ignore_ascii_case(WORD)) {
                text.to_mut().insert_str(0, "Error: ");
            }
        }
        None => texts.push(Piece::text("Error")),
    }
}
