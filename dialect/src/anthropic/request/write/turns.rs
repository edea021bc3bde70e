//! Turns in the order that Anthropic wants: one message a side, results of calls first in
//! the user's, thoughts first in the model's.

use super::blocks;
use crate::{
    anthropic::wire::{Block, CacheControl, Message, Side},
    chat::{CacheMark, Content, Part, Role, Turn},
    translate::{How, Notes, Refused},
};
use std::borrow::Cow;

/// What stands for a message that has to be there and that nobody wrote.
const PLACEHOLDER: &str = ".";

/// What the system says before the first turn.
pub(super) fn instructions<'a>(
    parts: &'a [Part],
    notes: &mut Notes,
) -> Result<Vec<Block<'a>>, Refused> {
    let mut system = Vec::with_capacity(parts.len());
    for part in parts {
        match blocks::block(part, notes)? {
            Some(block) if part.as_text().is_some() => system.push(block),
            Some(_) => notes.dropped("system"),
            None => hand_on(part.cache.as_ref(), &mut system),
        }
    }
    Ok(system)
}

/// The conversation.
pub(super) fn messages<'a>(
    turns: &'a [Turn],
    notes: &mut Notes,
) -> Result<Vec<Message<'a>>, Refused> {
    let mut conversation = Conversation::default();
    for turn in turns {
        let Turn { role, name, parts } = turn;
        notes.dropped_if("messages.name", name);
        for part in parts {
            match role {
                Role::User => conversation.user(part, notes)?,
                Role::Assistant => conversation.assistant(part, notes)?,
                Role::System => conversation.system(part, notes)?,
            }
        }
    }
    Ok(conversation.finish(notes))
}

/// Whether the last turn of the model calls tools without its thoughts, which a model that
/// is given a budget to think does not take back.
pub(super) fn lacks_thoughts(messages: &[Message<'_>]) -> bool {
    let calls = |it: &Block<'_>| matches!(it, Block::ToolUse { .. });
    let results = |it: &Block<'_>| matches!(it, Block::ToolResult { .. });
    match messages {
        [.., model, user] if user.role == Side::User => {
            user.content.iter().any(results)
                && model.content.iter().any(calls)
                && !model.content.first().is_some_and(Block::is_thinking)
        }
        _ => false,
    }
}

/// Blocks that say nothing are left out; their mark of the cache goes to the block before.
fn hand_on<'a>(mark: Option<&'a CacheMark>, blocks: &mut [Block<'a>]) {
    if let Some(mark) = mark
        && let Some(slot) = blocks.last_mut().and_then(Block::cache)
        && slot.is_none()
    {
        *slot = Some(CacheControl::new(mark));
    }
}

#[derive(Default)]
struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    /// What stood in a turn of the model and may only stand in one of the user.
    late: Vec<Block<'a>>,
}

impl<'a> Conversation<'a> {
    fn push(&mut self, side: Side, block: Block<'a>) {
        if let Some(last) = self.messages.last_mut().filter(|it| it.role == side) {
            last.content.push(block);
            return;
        }
        let mut content = Vec::new();
        if side == Side::User {
            content.append(&mut self.late);
        }
        content.push(block);
        self.messages.push(Message { role: side, content });
    }

    fn user(&mut self, part: &'a Part, notes: &mut Notes) -> Result<(), Refused> {
        let misplaced = match &part.content {
            Content::Thinking(_) => Some("messages.thinking"),
            Content::Call(_) => Some("messages.tool_calls"),
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => None,
        };
        if let Some(field) = misplaced {
            notes.dropped(field);
            return Ok(());
        }
        match blocks::block(part, notes)? {
            Some(block) => self.push(Side::User, block),
            None => self.hand_on(Side::User, part),
        }
        Ok(())
    }

    fn assistant(&mut self, part: &'a Part, notes: &mut Notes) -> Result<(), Refused> {
        let Some(block) = blocks::block(part, notes)? else {
            self.hand_on(Side::Assistant, part);
            return Ok(());
        };
        match &part.content {
            Content::Text(_) | Content::Refusal(_) | Content::Thinking(_) | Content::Call(_) => {
                self.push(Side::Assistant, block);
            }
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => {
                notes.add("messages.content", How::Moved);
                self.late.push(block);
            }
        }
        Ok(())
    }

    /// Instructions in the middle stay there, as words of the user's that say whose they are.
    fn system(&mut self, part: &'a Part, notes: &mut Notes) -> Result<(), Refused> {
        let Some(text) = part.as_text() else { return self.user(part, notes) };
        if text.trim().is_empty() {
            self.hand_on(Side::User, part);
            return Ok(());
        }
        notes.add("messages.role", How::Changed);
        let text = Cow::Owned(format!("<system>\n{text}\n</system>"));
        let cache_control = part.cache.as_ref().map(CacheControl::new);
        self.push(Side::User, Block::Text { text, citations: Vec::new(), cache_control });
        Ok(())
    }

    fn hand_on(&mut self, side: Side, part: &'a Part) {
        if let Some(last) = self.messages.last_mut().filter(|it| it.role == side) {
            hand_on(part.cache.as_ref(), &mut last.content);
        }
    }

    fn finish(mut self, notes: &mut Notes) -> Vec<Message<'a>> {
        if !self.late.is_empty() {
            let content = std::mem::take(&mut self.late);
            self.messages.push(Message { role: Side::User, content });
        }
        for Message { role, content } in &mut self.messages {
            // A stable sort keeps the order of all else.
            match role {
                Side::User => {
                    content.sort_by_key(|it| !matches!(it, Block::ToolResult { .. }));
                }
                // Thoughts between other blocks are where the model had them.
                Side::Assistant if content.first().is_some_and(Block::is_thinking) => {}
                Side::Assistant => content.sort_by_key(|it| !it.is_thinking()),
            }
        }
        trim_end(&mut self.messages);
        if self.messages.first().is_none_or(|it| it.role == Side::Assistant) {
            notes.add("messages", How::Emulated);
            let content = vec![Block::text(PLACEHOLDER)];
            self.messages.insert(0, Message { role: Side::User, content });
        }
        self.messages
    }
}

/// What the model is to go on from must not end with whitespace.
fn trim_end(messages: &mut [Message<'_>]) {
    let last = messages.last_mut().filter(|it| it.role == Side::Assistant);
    if let Some(Block::Text { text, .. }) = last.and_then(|it| it.content.last_mut()) {
        let end = text.trim_end().len();
        match text {
            Cow::Borrowed(text) => *text = text.get(..end).unwrap_or(text),
            Cow::Owned(text) => text.truncate(end),
        }
    }
}
