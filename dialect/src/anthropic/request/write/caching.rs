//! Marks of the cache. Anthropic takes four; the last ones reach furthest.

use super::Said;
use crate::{
    anthropic::wire::{Block, CacheControl, Tool},
    translate::Notes,
};

/// Most marks that a request may hold.
const MOST: usize = 4;

/// Takes marks away, the first ones first, until few enough are left. They stand in the
/// order of the prompt: tools, system, messages, the end.
pub(super) fn keep_last<'a>(
    said: &mut Said<'a>,
    end: &mut Option<CacheControl<'a>>,
    notes: &mut Notes,
) {
    let Said { system, messages, tools, tool_choice: _, form: _ } = said;
    let mut marks: Vec<&mut Option<CacheControl<'a>>> = Vec::new();
    for tool in tools {
        match tool {
            Tool::Function { cache_control, .. } => marks.push(cache_control),
            Tool::WebSearch { .. } => {}
        }
    }
    let blocks = system.iter_mut().chain(messages.iter_mut().flat_map(|it| &mut it.content));
    for block in blocks {
        match block {
            // Its content comes before its end.
            Block::ToolResult { content, cache_control, .. } => {
                marks.extend(content.iter_mut().filter_map(Block::cache));
                marks.push(cache_control);
            }
            Block::Text { .. }
            | Block::Image { .. }
            | Block::Document { .. }
            | Block::Thinking { .. }
            | Block::RedactedThinking { .. }
            | Block::ToolUse { .. } => marks.extend(block.cache()),
        }
    }
    marks.push(end);
    let set = marks.iter().filter(|it| it.is_some()).count();
    for mark in marks.into_iter().filter(|it| it.is_some()).take(set.saturating_sub(MOST)) {
        *mark = None;
        notes.dropped("cache_control");
    }
}
