//! Reads what messages and tools' outputs are made of.

use super::{leave, list, object, words};
use crate::{
    chat::{CacheMark, Citation, Content, Detail, Document, Image, Part, Source, Text},
    inline,
    json::{Fields, elements, text},
    translate::{Notes, Refused},
};
use serde_json::value::RawValue;

/// Where in the request we are, in the caller's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field(pub(super) &'static str);

impl Field {
    fn with(self, name: &str) -> String {
        format!("{}.{name}", self.0)
    }

    fn refused(self, name: &str, reason: &str) -> Refused {
        Refused::new(self.with(name), reason)
    }
}

/// A text, or a list of parts.
pub(super) fn parts(raw: &RawValue, field: Field, notes: &mut Notes) -> Result<Vec<Part>, Refused> {
    if let Some(text) = text(raw) {
        return Ok(vec![Part::text(text)]);
    }
    list(raw, field.0)?.into_iter().map(|it| part(it, field, notes)).collect()
}

fn part(raw: &RawValue, field: Field, notes: &mut Notes) -> Result<Part, Refused> {
    let mut fields = object(raw, field.0)?;
    let kind = words(&mut fields, "type", &field.with("type"))?.unwrap_or_default();
    let cache = cache(&mut fields, field)?;
    let content = match kind.as_str() {
        "input_text" | "output_text" | "text" => spoken(&mut fields, field, notes)?,
        "refusal" => {
            let words = words(&mut fields, "refusal", &field.with("refusal"))?;
            Content::Refusal(words.unwrap_or_default())
        }
        "input_image" => image(&mut fields, field)?,
        "input_file" => file(&mut fields, field)?,
        "input_audio" => audio(&mut fields, field)?,
        _ => return Err(field.refused("type", "is none that can be translated")),
    };
    leave(fields, field.0, notes);
    Ok(Part { content, cache })
}

/// A mark of the cache; that of Anthropic's dialect is taken for what it means.
fn cache(fields: &mut Fields<'_>, field: Field) -> Result<Option<CacheMark>, Refused> {
    for name in ["prompt_cache_breakpoint", "cache_control"] {
        if let Some(raw) = fields.take(name) {
            let ttl = object(raw, &field.with(name))?.text("ttl").map(|it| it.into_owned());
            return Ok(Some(CacheMark { ttl }));
        }
    }
    Ok(None)
}

fn spoken(fields: &mut Fields<'_>, field: Field, notes: &mut Notes) -> Result<Content, Refused> {
    let text = words(fields, "text", &field.with("text"))?
        .ok_or_else(|| field.refused("text", "is missing"))?;
    // They say how the model came to it, not what it said.
    fields.take("logprobs");
    let mut citations = Vec::new();
    if let Some(raw) = fields.take("annotations") {
        for one in list(raw, &field.with("annotations"))? {
            match citation(one) {
                Some(it) => citations.push(it),
                None => notes.dropped(field.with("annotations")),
            }
        }
    }
    Ok(Content::Text(Text { text, citations }))
}

/// A page in the web; other kinds of sources are files that OpenAI keeps.
pub(in crate::openai_responses) fn citation(raw: &RawValue) -> Option<Citation> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    if fields.text("type")? != "url_citation" {
        return None;
    }
    let url = fields.text("url")?.into_owned();
    let title = fields.text("title").map(|it| it.into_owned()).filter(|it| !it.is_empty());
    let start = fields.take_as("start_index").ok().flatten();
    let end = fields.take_as("end_index").ok().flatten();
    Some(Citation { url, title, quote: None, range: start.zip(end) })
}

fn image(fields: &mut Fields<'_>, field: Field) -> Result<Content, Refused> {
    refuse_id(fields, field)?;
    let url = words(fields, "image_url", &field.with("image_url"))?
        .ok_or_else(|| field.refused("image_url", "is missing"))?;
    let detail = words(fields, "detail", &field.with("detail"))?;
    let detail = detail.and_then(|word| match word.as_str() {
        "low" => Some(Detail::Low),
        "high" => Some(Detail::High),
        "original" => Some(Detail::Original),
        "auto" => Some(Detail::Auto),
        _ => None,
    });
    let mut source = source(url, field, "image_url")?;
    if let Source::Base64 { mime, data } = &mut source {
        // Callers say what they think it is; providers look.
        if let Some(seen) = inline::sniffed(data) {
            seen.clone_into(mime);
        }
    }
    Ok(Content::Image(Image { source, detail }))
}

fn file(fields: &mut Fields<'_>, field: Field) -> Result<Content, Refused> {
    refuse_id(fields, field)?;
    let title = words(fields, "filename", &field.with("filename"))?;
    let data = words(fields, "file_data", &field.with("file_data"))?;
    let url = words(fields, "file_url", &field.with("file_url"))?;
    let source = match (data, url) {
        (Some(data), _) if data.starts_with("data:") => source(data, field, "file_data")?,
        // Without a media type it is what nearly all files here are.
        (Some(data), _) => {
            let data = normal(data, field, "file_data")?;
            Source::Base64 { mime: "application/pdf".to_owned(), data }
        }
        (None, Some(url)) => source(url, field, "file_url")?,
        (None, None) => return Err(field.refused("file_data", "is missing")),
    };
    Ok(Content::Document(Document { source, title, context: None, citations: false }))
}

fn audio(fields: &mut Fields<'_>, field: Field) -> Result<Content, Refused> {
    let raw = fields.take("input_audio");
    let raw = raw.ok_or_else(|| field.refused("input_audio", "is missing"))?;
    let mut inner = object(raw, &field.with("input_audio"))?;
    let format = words(&mut inner, "format", &field.with("input_audio.format"))?;
    let data = words(&mut inner, "data", &field.with("input_audio.data"))?;
    let data = data.ok_or_else(|| field.refused("input_audio.data", "is missing"))?;
    let mime = match format.as_deref() {
        Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
        None => "audio/wav".to_owned(),
    };
    Ok(Content::Audio { mime, data: normal(data, field, "input_audio.data")? })
}

/// Files that OpenAI keeps cannot be had from there.
fn refuse_id(fields: &mut Fields<'_>, field: Field) -> Result<(), Refused> {
    if fields.take("file_id").is_some() {
        let reason = "refers to a file that OpenAI keeps: send the file itself";
        return Err(field.refused("file_id", reason));
    }
    Ok(())
}

/// What stands at an address, or in it.
fn source(url: String, field: Field, name: &str) -> Result<Source, Refused> {
    let Some(inside) = url.strip_prefix("data:") else {
        return Ok(Source::Url { url, mime: None });
    };
    let (head, data) =
        inside.split_once(',').ok_or_else(|| field.refused(name, "is a data URL without data"))?;
    let head = head
        .strip_suffix(";base64")
        .ok_or_else(|| field.refused(name, "is a data URL that is not in base64"))?;
    let mime = head.split(';').next().unwrap_or_default().to_ascii_lowercase();
    Ok(Source::Base64 { mime, data: normal(data.to_owned(), field, name)? })
}

/// Base64 in the standard alphabet, padded.
fn normal(data: String, field: Field, name: &str) -> Result<String, Refused> {
    inline::standard(data).ok_or_else(|| field.refused(name, "holds what is no base64"))
}

/// The sources that a part of an answer names.
pub(in crate::openai_responses) fn citations(raw: &RawValue) -> Vec<Citation> {
    elements(raw).unwrap_or_default().into_iter().filter_map(citation).collect()
}
