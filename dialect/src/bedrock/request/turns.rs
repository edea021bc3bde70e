//! Turns in the order that Bedrock wants: one message a side and the user's first, results
//! of calls first in the user's, thoughts first in the model's.

use super::{
    super::{
        family::Family,
        wire::{Block, CachePoint, Message, Side, Tool, ToolConfig},
    },
    blocks::{self, Writing},
};
use crate::{
    chat::{CacheMark, Content, Part, Role, Turn},
    translate::{How, Notes, Refused},
};
use std::borrow::Cow;

/// What stands for a message, or a text, that has to be there and that nobody wrote.
const PLACEHOLDER: &str = ".";

/// Most marks of the cache that a request may hold.
const MOST_MARKS: usize = 4;

/// A block, and whether the prompt is worth keeping up to its end.
pub(super) struct Piece<'a> {
    pub(super) block: Block<'a>,
    pub(super) mark: Option<CachePoint>,
}

impl<'a> Piece<'a> {
    pub(super) const fn new(block: Block<'a>) -> Self {
        Self { block, mark: None }
    }
}

/// A message that is being made.
pub(super) struct Heap<'a> {
    side: Side,
    pieces: Vec<Piece<'a>>,
}

/// What the system says before the first turn.
pub(super) fn instructions<'a>(
    parts: &'a [Part],
    writing: &mut Writing<'_>,
) -> Result<Vec<Piece<'a>>, Refused> {
    let mut system = Vec::with_capacity(parts.len());
    for part in parts {
        match writing.piece(part)? {
            Some(piece) if piece.block.is_text() => system.push(piece),
            Some(_) => writing.notes.dropped("system"),
            None => hand_on(writing.mark(part), &mut system),
        }
    }
    Ok(system)
}

/// The conversation.
pub(super) fn messages<'a>(
    turns: &'a [Turn],
    writing: &mut Writing<'_>,
) -> Result<Vec<Heap<'a>>, Refused> {
    let mut conversation = Conversation::default();
    for turn in turns {
        let Turn { role, name, parts } = turn;
        writing.notes.dropped_if("messages.name", name);
        for part in parts {
            match role {
                Role::User => conversation.user(part, writing)?,
                Role::Assistant => conversation.assistant(part, writing)?,
                Role::System => conversation.system(part, writing)?,
            }
        }
    }
    Ok(conversation.finish(writing.notes))
}

/// Whether there are calls or results among the messages: then tools have to be named.
pub(super) fn has_calls(messages: &[Heap<'_>]) -> bool {
    let is_one = |it: &Piece<'_>| it.block.is_call() || it.block.is_result();
    messages.iter().any(|it| it.pieces.iter().any(is_one))
}

/// Whether the last turn of the model calls tools without its thoughts, which a model that
/// is given a budget to think does not take back.
pub(super) fn lacks_thoughts(messages: &[Heap<'_>]) -> bool {
    match messages {
        [.., model, user] if user.side == Side::User => {
            user.pieces.iter().any(|it| it.block.is_result())
                && model.pieces.iter().any(|it| it.block.is_call())
                && !model.pieces.first().is_some_and(|it| it.block.is_thinking())
        }
        _ => false,
    }
}

/// Blocks that say nothing are left out; their mark of the cache goes to the block before.
fn hand_on(mark: Option<CachePoint>, pieces: &mut [Piece<'_>]) {
    if let Some(mark) = mark
        && let Some(last) = pieces.last_mut()
        && last.mark.is_none()
        && !last.block.is_thinking()
    {
        last.mark = Some(mark);
    }
}

/// A mark at the end of everything.
pub(super) fn mark_end(
    messages: &mut [Heap<'_>],
    cache: Option<&CacheMark>,
    family: Family,
    notes: &mut Notes,
) {
    let mark = cache.and_then(|it| blocks::cache_point(it, family, notes));
    if let Some(last) = messages.last_mut() {
        hand_on(mark, &mut last.pieces);
    }
}

/// Takes marks away, the first ones first, until few enough are left: the last ones reach
/// furthest. They stand in the order of the prompt: tools, system, messages.
pub(super) fn keep_last_marks<'a>(
    tools: Option<&mut ToolConfig<'_>>,
    system: &mut [Piece<'a>],
    messages: &mut [Heap<'a>],
    notes: &mut Notes,
) {
    let is_mark = |it: &Tool<'_>| matches!(it, Tool::CachePoint(_));
    let pieces = || system.iter().chain(messages.iter().flat_map(|it| &it.pieces));
    let in_tools = tools.as_ref().map_or(0, |it| it.tools.iter().filter(|it| is_mark(it)).count());
    let set = in_tools.saturating_add(pieces().filter(|it| it.mark.is_some()).count());
    let mut surplus = set.saturating_sub(MOST_MARKS);
    if surplus > 0 {
        notes.dropped("cache_control");
    }
    if let Some(config) = tools {
        config.tools.retain(|it| {
            let goes = surplus > 0 && is_mark(it);
            surplus = surplus.saturating_sub(usize::from(goes));
            !goes
        });
    }
    let pieces = system.iter_mut().chain(messages.iter_mut().flat_map(|it| &mut it.pieces));
    for piece in pieces.filter(|it| it.mark.is_some()).take(surplus) {
        piece.mark = None;
    }
}

/// The blocks, and behind each its mark.
pub(super) fn flat(pieces: Vec<Piece<'_>>) -> Vec<Block<'_>> {
    let mut blocks = Vec::with_capacity(pieces.len());
    for Piece { block, mark } in pieces {
        blocks.push(block);
        blocks.extend(mark.map(Block::CachePoint));
    }
    blocks
}

/// The messages as they are sent.
pub(super) fn written(messages: Vec<Heap<'_>>) -> Vec<Message<'_>> {
    let messages = messages.into_iter();
    messages.map(|it| Message { role: it.side, content: flat(it.pieces) }).collect()
}

#[derive(Default)]
struct Conversation<'a> {
    messages: Vec<Heap<'a>>,
    /// What stood in a turn of the model and may only stand in one of the user.
    late: Vec<Piece<'a>>,
}

impl<'a> Conversation<'a> {
    fn push(&mut self, side: Side, piece: Piece<'a>) {
        if let Some(last) = self.messages.last_mut().filter(|it| it.side == side) {
            last.pieces.push(piece);
            return;
        }
        let mut pieces = Vec::new();
        if side == Side::User {
            pieces.append(&mut self.late);
        }
        pieces.push(piece);
        self.messages.push(Heap { side, pieces });
    }

    fn user(&mut self, part: &'a Part, writing: &mut Writing<'_>) -> Result<(), Refused> {
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
            writing.notes.dropped(field);
            return Ok(());
        }
        match writing.piece(part)? {
            Some(piece) => self.push(Side::User, piece),
            None => self.hand_on(Side::User, writing.mark(part)),
        }
        Ok(())
    }

    fn assistant(&mut self, part: &'a Part, writing: &mut Writing<'_>) -> Result<(), Refused> {
        let Some(piece) = writing.piece(part)? else {
            self.hand_on(Side::Assistant, writing.mark(part));
            return Ok(());
        };
        match &part.content {
            Content::Text(_) | Content::Refusal(_) | Content::Thinking(_) | Content::Call(_) => {
                self.push(Side::Assistant, piece);
            }
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Result(_) => {
                writing.notes.add("messages.content", How::Moved);
                self.late.push(piece);
            }
        }
        Ok(())
    }

    /// Instructions in the middle stay there, as words of the user's that say whose they are.
    fn system(&mut self, part: &'a Part, writing: &mut Writing<'_>) -> Result<(), Refused> {
        let Some(text) = part.as_text() else { return self.user(part, writing) };
        let mark = writing.mark(part);
        if text.trim().is_empty() {
            self.hand_on(Side::User, mark);
            return Ok(());
        }
        writing.notes.add("messages.role", How::Changed);
        let text = Cow::Owned(format!("<system>\n{text}\n</system>"));
        self.push(Side::User, Piece { block: Block::Text(text), mark });
        Ok(())
    }

    fn hand_on(&mut self, side: Side, mark: Option<CachePoint>) {
        if let Some(last) = self.messages.last_mut().filter(|it| it.side == side) {
            hand_on(mark, &mut last.pieces);
        }
    }

    fn finish(mut self, notes: &mut Notes) -> Vec<Heap<'a>> {
        if !self.late.is_empty() {
            let pieces = std::mem::take(&mut self.late);
            self.messages.push(Heap { side: Side::User, pieces });
        }
        for Heap { side, pieces } in &mut self.messages {
            // A stable sort keeps the order of all else.
            match side {
                Side::User => {
                    pieces.sort_by_key(|it| !it.block.is_result());
                    // A document has to be accompanied by words.
                    let any = |is: fn(&Block<'_>) -> bool| pieces.iter().any(|it| is(&it.block));
                    if any(|it| it.is_document()) && !any(|it| it.is_text()) {
                        notes.add("messages.content", How::Emulated);
                        pieces.push(Piece::new(Block::Text(Cow::Borrowed(PLACEHOLDER))));
                    }
                }
                // Thoughts between other blocks are where the model had them.
                Side::Assistant if pieces.first().is_some_and(|it| it.block.is_thinking()) => {}
                Side::Assistant => pieces.sort_by_key(|it| !it.block.is_thinking()),
            }
        }
        trim_end(&mut self.messages);
        if self.messages.first().is_none_or(|it| it.side == Side::Assistant) {
            notes.add("messages", How::Emulated);
            let pieces = vec![Piece::new(Block::Text(Cow::Borrowed(PLACEHOLDER)))];
            self.messages.insert(0, Heap { side: Side::User, pieces });
        }
        self.messages
    }
}

/// What the model is to go on from must not end with whitespace.
fn trim_end(messages: &mut [Heap<'_>]) {
    let last = messages.last_mut().filter(|it| it.side == Side::Assistant);
    if let Some(Piece { block: Block::Text(text), .. }) = last.and_then(|it| it.pieces.last_mut()) {
        let end = text.trim_end().len();
        match text {
            Cow::Borrowed(text) => *text = text.get(..end).unwrap_or(text),
            Cow::Owned(text) => text.truncate(end),
        }
    }
}
