//! Parts as blocks.

use super::{
    super::{
        family::Family,
        media,
        wire::{self, Block, CachePoint, Enabled, Media, Reasoning, ToolResult, ToolUse},
    },
    turns::Piece,
};
use crate::{
    chat::{
        CacheMark, Call, CallInput, CallResult, Content, Detail, Document, Image, Part, Source,
        Text, Thinking,
    },
    json::Json,
    translate::{How, Notes, Refused},
};
use domain::catalog::Dialect;
use serde_json::json;
use std::{borrow::Cow, collections::BTreeSet};

/// What is written so far, as far as the next block has to know of it.
pub(super) struct Writing<'n> {
    family: Family,
    pub(super) notes: &'n mut Notes,
    /// Names of documents: each is allowed once.
    names: BTreeSet<String>,
}

/// A mark of the cache as Bedrock has it; `None` if the model knows none.
pub(super) fn cache_point(
    mark: &CacheMark,
    family: Family,
    notes: &mut Notes,
) -> Option<CachePoint> {
    if !family.caches() {
        notes.dropped("cache_control");
        return None;
    }
    let ttl = match (mark.ttl.as_deref(), family) {
        // Five minutes is what it is without being said.
        (None | Some("5m"), _) => None,
        (Some("1h"), Family::Claude(..)) => Some("1h"),
        (Some(_), _) => {
            notes.add("cache_control.ttl", How::Changed);
            None
        }
    };
    Some(CachePoint { kind: "default", ttl })
}

impl<'n> Writing<'n> {
    pub(super) fn new(family: Family, notes: &'n mut Notes) -> Self {
        Self { family, notes, names: BTreeSet::new() }
    }

    /// The part's mark of the cache.
    pub(super) fn mark(&mut self, part: &Part) -> Option<CachePoint> {
        part.cache.as_ref().and_then(|it| cache_point(it, self.family, self.notes))
    }

    /// A part as a block; `None` if it says nothing, or nothing to Bedrock.
    pub(super) fn piece<'a>(&mut self, part: &'a Part) -> Result<Option<Piece<'a>>, Refused> {
        let Some(block) = self.block(&part.content)? else { return Ok(None) };
        let mark = self.mark(part);
        // Behind thoughts no mark may stand.
        let mark = mark.filter(|_| !block.is_thinking());
        Ok(Some(Piece { block, mark }))
    }

    fn block<'a>(&mut self, content: &'a Content) -> Result<Option<Block<'a>>, Refused> {
        Ok(match content {
            Content::Text(Text { text, citations }) => {
                if !citations.is_empty() {
                    self.notes.dropped("messages.annotations");
                }
                words(text)
            }
            Content::Refusal(text) => {
                self.notes.add("messages.refusal", How::Changed);
                words(text)
            }
            Content::Image(it) => Some(self.image(it)?),
            Content::Audio { mime, data } => Some(sound(mime, data)?),
            Content::Document(it) => self.document(it)?,
            Content::Thinking(it) => self.thinking(it),
            Content::Call(it) => Some(self.call(it)),
            Content::Result(it) => Some(self.result(it)?),
        })
    }

    fn image<'a>(&mut self, image: &'a Image) -> Result<Block<'a>, Refused> {
        const FIELD: &str = "messages.content.image_url";
        let Image { source, detail } = image;
        match detail {
            None | Some(Detail::Auto) => {}
            Some(Detail::Low | Detail::High | Detail::Original) => {
                self.notes.dropped("messages.content.image_url.detail");
            }
        }
        let kind = |mime: &str, data: &str| {
            let reason = "this provider sees JPEG, PNG, GIF and WebP only";
            media::picture(mime, data).ok_or_else(|| Refused::new(FIELD, reason))
        };
        let (format, source) = match source {
            Source::Base64 { mime, data } => {
                (kind(mime, data)?, wire::Source::Bytes(Cow::Borrowed(data)))
            }
            Source::Url { url, mime } => {
                let source = address(url, FIELD)?;
                (kind(mime.as_deref().unwrap_or(guessed(url)), "")?, source)
            }
            Source::Text(_) => return Err(Refused::new(FIELD, "is no picture")),
        };
        Ok(Block::Image(Media { format, source }))
    }

    fn document<'a>(&mut self, document: &'a Document) -> Result<Option<Block<'a>>, Refused> {
        const FIELD: &str = "messages.content.file";
        let Document { source, title, context, citations } = document;
        let kind = |mime: &str, data: &str| {
            let reason = "this provider reads PDF, Word, Excel, CSV, HTML, Markdown and plain \
                          text only";
            media::document(mime, data).ok_or_else(|| Refused::new(FIELD, reason))
        };
        let (format, source) = match source {
            Source::Base64 { mime, data } => {
                if let Some(format) = media::picture(mime, data) {
                    let source = wire::Source::Bytes(Cow::Borrowed(data));
                    return Ok(Some(Block::Image(Media { format, source })));
                }
                (kind(mime, data)?, wire::Source::Bytes(Cow::Borrowed(data)))
            }
            Source::Url { url, mime } => {
                let source = address(url, FIELD)?;
                (kind(mime.as_deref().unwrap_or(guessed(url)), "")?, source)
            }
            Source::Text(text) if text.trim().is_empty() => return Ok(None),
            Source::Text(text) => ("txt", wire::Source::Bytes(Cow::Owned(media::encoded(text)))),
        };
        let name = self.name(title.as_deref().unwrap_or_default());
        let context = context.as_deref().filter(|it| !it.is_empty());
        let citations = citations.then_some(Enabled { enabled: true });
        Ok(Some(Block::Document(wire::Document { format, name, source, context, citations })))
    }

    /// A name of a document that is allowed, and not given yet.
    fn name(&mut self, title: &str) -> String {
        let mut name = String::new();
        for letter in title.chars().take(150) {
            let plain = letter.is_ascii_alphanumeric() || "-()[]".contains(letter);
            match letter {
                _ if plain => name.push(letter),
                // Not two blanks in a row.
                ' ' if name.ends_with(' ') => {}
                ' ' => name.push(' '),
                _ => name.push('-'),
            }
        }
        let name = name.trim();
        let name = if name.is_empty() { "document" } else { name };
        let mut unique = name.to_owned();
        let mut number = 1_usize;
        while !self.names.insert(unique.clone()) {
            // Past all names that there are, so that few are tried.
            number = number.max(self.names.len()).saturating_add(1);
            unique = format!("{name}-{number}");
        }
        unique
    }

    /// Only thoughts that the provider signed come back to it: its own, and Anthropic's,
    /// whose signatures hold wherever its models are hosted.
    fn thinking<'a>(&mut self, thinking: &'a Thinking) -> Option<Block<'a>> {
        let Thinking { text, opaque, redacted } = thinking;
        let is_own = |origin| match origin {
            Dialect::Bedrock => true,
            Dialect::Anthropic => matches!(self.family, Family::Claude(..)) && !redacted,
            Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Gemini => false,
        };
        let Some(opaque) = opaque.as_ref().filter(|it| is_own(it.origin)) else {
            self.notes.dropped("thinking");
            return None;
        };
        Some(Block::ReasoningContent(match redacted {
            true => Reasoning::RedactedContent(&opaque.data),
            false => Reasoning::ReasoningText { text, signature: &opaque.data },
        }))
    }

    fn call<'a>(&mut self, call: &'a Call) -> Block<'a> {
        // A space of names is part of the name by now.
        let Call { id, name, namespace: _, input, opaque } = call;
        self.notes.dropped_if("thinking", opaque);
        let input = match input {
            CallInput::Json(json) if json.is_object() => Cow::Borrowed(json),
            CallInput::Json(json) => self.wrapped(json.as_str()),
            CallInput::Text(text) => self.wrapped(text),
        };
        Block::ToolUse(ToolUse { tool_use_id: id, name, input })
    }

    /// An object that holds what should have been one.
    fn wrapped(&mut self, text: &str) -> Cow<'static, Json> {
        if text.trim().is_empty() {
            return Cow::Owned(Json::empty_object());
        }
        self.notes.add("messages.tool_calls.arguments", How::Changed);
        Cow::Owned(Json::of(&json!({ "_raw": text })))
    }

    fn result<'a>(&mut self, result: &'a CallResult) -> Result<Block<'a>, Refused> {
        // The call's id says which tool it was, and of what kind.
        let CallResult { call, name: _, parts, failed, custom: _ } = result;
        let mut content = Vec::with_capacity(parts.len());
        for part in parts {
            match &part.content {
                Content::Text(_)
                | Content::Refusal(_)
                | Content::Image(_)
                | Content::Document(_) => content.extend(self.block(&part.content)?),
                Content::Audio { .. } => {
                    let reason = "this provider hears no sound in results of tools";
                    return Err(Refused::new("messages.content", reason));
                }
                // Nothing of the model's is the result of a call.
                Content::Thinking(_) | Content::Call(_) | Content::Result(_) => {
                    self.notes.dropped("messages.content");
                }
            }
            if part.cache.is_some() {
                self.notes.dropped("cache_control");
            }
        }
        let status = (*failed && self.family.knows_status()).then_some("error");
        if *failed && status.is_none() {
            self.notes.add("messages.is_error", How::Changed);
            content.insert(0, Block::Text(Cow::Borrowed("Error:")));
        }
        if content.is_empty() {
            content.push(Block::Json(Json::empty_object()));
        }
        Ok(Block::ToolResult(ToolResult { tool_use_id: call, content, status }))
    }
}

/// Blank texts are refused.
fn words(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text(Cow::Borrowed(text)))
}

fn sound<'a>(mime: &str, data: &'a str) -> Result<Block<'a>, Refused> {
    let refused = || Refused::new("messages.content.input_audio", "is of a kind it does not hear");
    let format = media::sound(mime).ok_or_else(refused)?;
    Ok(Block::Audio(Media { format, source: wire::Source::Bytes(Cow::Borrowed(data)) }))
}

/// Only what stands in Amazon's own store is fetched.
fn address<'a>(url: &'a str, field: &'static str) -> Result<wire::Source<'a>, Refused> {
    if url.starts_with("s3://") {
        return Ok(wire::Source::S3Location { uri: url });
    }
    let reason = "this provider fetches nothing from the web: send it along in base64";
    Err(Refused::new(field, reason))
}

/// The media type that an address ends with.
fn guessed(url: &str) -> &'static str {
    let ending = url.rsplit_once('.').map(|(_, it)| it.to_ascii_lowercase());
    match ending.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("pdf") => "application/pdf",
        Some("csv") => "text/csv",
        Some("html") => "text/html",
        Some("md") => "text/markdown",
        Some("txt") => "text/plain",
        _ => "",
    }
}
