//! Parts as blocks.

use crate::{
    anthropic::{
        media,
        wire::{self, Block, CacheControl, Enabled, Source},
    },
    chat::{self, Call, CallResult, Content, Detail, Document, Image, Part, Thinking},
    translate::{How, Notes, Refused},
};
use domain::catalog::Dialect;
use std::borrow::Cow;

/// A part as a block; `None` if it says nothing, or nothing to Anthropic.
pub(super) fn block<'a>(part: &'a Part, notes: &mut Notes) -> Result<Option<Block<'a>>, Refused> {
    let Part { content, cache } = part;
    if cache.as_ref().and_then(|it| it.ttl.as_deref()).is_some_and(|it| it != "5m" && it != "1h") {
        notes.add("cache_control.ttl", How::Changed);
    }
    let mut block = match content {
        Content::Text(chat::Text { text, citations }) => {
            if !citations.is_empty() {
                notes.dropped("messages.annotations");
            }
            words(text)
        }
        Content::Refusal(text) => {
            notes.add("messages.refusal", How::Changed);
            words(text)
        }
        Content::Image(it) => Some(image(it, notes)?),
        Content::Audio { .. } => {
            return Err(Refused::new("messages.content", "this provider does not hear sound"));
        }
        Content::Document(it) => document(it)?,
        Content::Thinking(it) => thinking(it, notes),
        Content::Call(it) => Some(call(it, notes)),
        Content::Result(it) => Some(result(it, notes)?),
    };
    if let Some(slot) = block.as_mut().and_then(Block::cache) {
        *slot = cache.as_ref().map(CacheControl::new);
    }
    Ok(block)
}

/// Anthropic refuses texts that are empty or only whitespace.
fn words(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then(|| Block::text(text))
}

fn image<'a>(image: &'a Image, notes: &mut Notes) -> Result<Block<'a>, Refused> {
    let Image { source, detail } = image;
    match detail {
        None | Some(Detail::Auto) => {}
        Some(Detail::Low | Detail::High | Detail::Original) => {
            notes.dropped("messages.content.image_url.detail");
        }
    }
    let source = match source {
        chat::Source::Base64 { mime, data } => {
            let media_type = media::picture(mime, data).ok_or_else(|| {
                let reason = "this provider sees JPEG, PNG, GIF and WebP only";
                Refused::new("messages.content.image_url", reason)
            })?;
            Source::Base64 { media_type, data }
        }
        chat::Source::Url { url, mime: _ } => address(url, "messages.content.image_url")?,
        chat::Source::Text(_) => {
            return Err(Refused::new("messages.content.image_url", "is no picture"));
        }
    };
    Ok(Block::Image { source, cache_control: None })
}

fn address<'a>(url: &'a str, field: &'static str) -> Result<Source<'a>, Refused> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        let reason = "has to be at an https address, or sent along in base64";
        return Err(Refused::new(field, reason));
    }
    Ok(Source::Url { url })
}

fn document(document: &Document) -> Result<Option<Block<'_>>, Refused> {
    const FIELD: &str = "messages.content.file";
    const PLAIN: &str = "text/plain";
    let Document { source, title, context, citations } = document;
    let source = match source {
        chat::Source::Base64 { mime, data } if media::is_pdf(mime, data) => {
            Source::Base64 { media_type: media::PDF, data }
        }
        chat::Source::Base64 { mime, data } => {
            if let Some(text) = media::text(mime, data) {
                Source::Text { media_type: PLAIN, data: Cow::Owned(text) }
            } else if let Some(media_type) = media::picture(mime, data) {
                let source = Source::Base64 { media_type, data };
                return Ok(Some(Block::Image { source, cache_control: None }));
            } else {
                return Err(Refused::new(FIELD, "this provider reads PDF and plain text only"));
            }
        }
        chat::Source::Url { url, mime } => {
            let source = address(url, FIELD)?;
            if mime.as_deref().is_some_and(|it| it.starts_with("image/")) {
                return Ok(Some(Block::Image { source, cache_control: None }));
            }
            source
        }
        chat::Source::Text(text) if text.trim().is_empty() => return Ok(None),
        chat::Source::Text(text) => Source::Text { media_type: PLAIN, data: Cow::Borrowed(text) },
    };
    Ok(Some(Block::Document {
        source,
        title: title.as_deref().filter(|it| !it.is_empty()),
        context: context.as_deref().filter(|it| !it.is_empty()),
        citations: citations.then_some(Enabled { enabled: true }),
        cache_control: None,
    }))
}

/// Only thoughts that Anthropic signed itself come back to it. Their text may be empty.
fn thinking<'a>(thinking: &'a Thinking, notes: &mut Notes) -> Option<Block<'a>> {
    let Thinking { text, opaque, redacted } = thinking;
    let Some(opaque) = opaque.as_ref().filter(|it| it.origin == Dialect::Anthropic) else {
        notes.dropped("thinking");
        return None;
    };
    let state = Cow::Borrowed(opaque.data.as_str());
    Some(match redacted {
        true => Block::RedactedThinking { data: state },
        false => Block::Thinking { thinking: text, signature: state },
    })
}

fn call<'a>(call: &'a Call, notes: &mut Notes) -> Block<'a> {
    let Call { id, name, namespace: _, input, opaque } = call;
    notes.dropped_if("thinking", opaque);
    let (input, was_object) = wire::input(input);
    if !was_object {
        notes.add("messages.tool_calls.arguments", How::Changed);
    }
    Block::ToolUse { id, name, input, cache_control: None }
}

fn result<'a>(result: &'a CallResult, notes: &mut Notes) -> Result<Block<'a>, Refused> {
    // The call's id says which tool it was, and of what kind.
    let CallResult { call, name: _, parts, failed, custom: _ } = result;
    let mut content = Vec::with_capacity(parts.len());
    for part in parts {
        match &part.content {
            Content::Text(_)
            | Content::Refusal(_)
            | Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_) => content.extend(block(part, notes)?),
            // Nothing of the model's is the result of a call.
            Content::Thinking(_) | Content::Call(_) | Content::Result(_) => {
                notes.dropped("messages.content");
            }
        }
    }
    // Of an error Anthropic takes only texts.
    let only_text = content.iter().all(|it| matches!(it, Block::Text { .. }));
    if *failed && !only_text {
        notes.add("messages.is_error", How::Changed);
        content.insert(0, Block::text("Error:"));
    }
    Ok(Block::ToolResult {
        tool_use_id: call,
        content,
        is_error: *failed && only_text,
        cache_control: None,
    })
}
