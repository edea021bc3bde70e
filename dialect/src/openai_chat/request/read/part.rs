//! Parts of messages.

use super::leave;
use crate::{
    chat::{CacheMark, Citation, Content, Detail, Document, Image, Part, Source, Text},
    inline::{self, Inline},
    json::{self, Fields},
    translate::{How, Notes, Refused},
};
use serde_json::value::RawValue;

/// The name of the field to blame.
const FIELD: &str = "messages.content";

/// What a message says: one text, or an array of parts. Empty texts are none.
pub(super) fn read(raw: &RawValue, notes: &mut Notes) -> Result<Vec<Part>, Refused> {
    if let Some(text) = json::text(raw) {
        return Ok(some_text(text.into_owned()).into_iter().collect());
    }
    let Some(elements) = json::elements(raw) else {
        return Err(Refused::new(FIELD, "must be a text or an array of parts"));
    };
    let mut parts = Vec::with_capacity(elements.len());
    for raw in elements {
        match json::text(raw) {
            Some(text) => parts.extend(some_text(text.into_owned())),
            None => part(raw, &mut parts, notes)?,
        }
    }
    Ok(parts)
}

fn some_text(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

fn part(raw: &RawValue, parts: &mut Vec<Part>, notes: &mut Notes) -> Result<(), Refused> {
    let Ok(mut fields) = Fields::parse(raw.get()) else {
        return Err(Refused::new(FIELD, "must consist of objects"));
    };
    let kind: String = fields.take_as("type")?.unwrap_or_else(|| "text".to_owned());
    let cache = cache_mark(&mut fields, "messages.content.", notes);
    let content = match kind.as_str() {
        "text" | "input_text" | "output_text" => {
            let Some(text) = fields.take_as::<String>("text")? else {
                return Err(Refused::new("messages.content.text", "is missing"));
            };
            let citations = citations(&mut fields);
            fields.take("logprobs");
            Content::Text(Text { text, citations })
        }
        "refusal" => Content::Refusal(fields.take_as("refusal")?.unwrap_or_default()),
        "image_url" | "input_image" => Content::Image(image(&mut fields, notes)?),
        "input_audio" => audio(&mut fields)?,
        "file" | "input_file" => Content::Document(file(&mut fields, notes)?),
        // Mistral's thoughts, of which nothing can be sent back.
        "thinking" => {
            notes.dropped("thinking");
            return Ok(());
        }
        _ => {
            let reason = "is of a kind that cannot be said to this model";
            return Err(Refused::new("messages.content.type", reason));
        }
    };
    leave(fields, FIELD, notes);
    let says_nothing = matches!(&content, Content::Text(it) if it.text.is_empty());
    if !says_nothing || cache.is_some() {
        parts.push(Part { content, cache });
    }
    Ok(())
}

/// Takes OpenRouter's and OpenAI's marks of where a prompt is worth keeping. `place` is
/// what stands before the field's name in notes.
pub(super) fn cache_mark(
    fields: &mut Fields<'_>,
    place: &str,
    notes: &mut Notes,
) -> Option<CacheMark> {
    let control = fields.take("cache_control");
    let breakpoint = fields.take("prompt_cache_breakpoint");
    if let Some(raw) = control {
        match Fields::parse(raw.get()) {
            Ok(it) => return Some(CacheMark { ttl: it.text("ttl").map(Into::into) }),
            Err(_) => notes.dropped(format!("{place}cache_control")),
        }
    }
    breakpoint.map(|_| CacheMark::default())
}

/// Takes the sources of a text.
pub(in crate::openai_chat) fn citations(fields: &mut Fields<'_>) -> Vec<Citation> {
    let all = fields.take("annotations").and_then(json::elements).unwrap_or_default();
    all.into_iter().filter_map(citation).collect()
}

/// A page in the web as a source; `None`: something else.
pub(in crate::openai_chat) fn citation(raw: &RawValue) -> Option<Citation> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    let inner = fields.take("url_citation").and_then(|it| Fields::parse(it.get()).ok());
    let mut fields = inner.unwrap_or(fields);
    let text = |it: &Fields<'_>, name| it.text(name).filter(|it| !it.is_empty()).map(Into::into);
    let mut number = |name| fields.take_as::<u64>(name).ok().flatten();
    let range = number("start_index").zip(number("end_index"));
    Some(Citation {
        url: text(&fields, "url")?,
        title: text(&fields, "title"),
        quote: text(&fields, "content"),
        range,
    })
}

fn image(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Image, Refused> {
    const URL: &str = "messages.content.image_url";
    if fields.take("file_id").is_some() {
        return Err(of_a_provider("messages.content.file_id"));
    }
    let Some(raw) = fields.take("image_url") else { return Err(Refused::new(URL, "is missing")) };
    let mut detail = fields.take("detail");
    let url = match json::text(raw) {
        Some(url) => url,
        None => {
            let mut inner = super::object(raw, URL)?;
            let url = inner.take("url").and_then(json::text);
            detail = inner.take("detail").or(detail);
            leave(inner, URL, notes);
            url.ok_or_else(|| Refused::new(URL, "names no address"))?
        }
    };
    let detail = match detail.and_then(json::text).as_deref() {
        None => None,
        Some("auto") => Some(Detail::Auto),
        Some("low") => Some(Detail::Low),
        Some("high") => Some(Detail::High),
        Some("original") => Some(Detail::Original),
        Some(_) => {
            let reason = "must be `auto`, `low`, `high` or `original`";
            return Err(Refused::new("messages.content.image_url.detail", reason));
        }
    };
    let source = source(&url, "image/png", URL, notes)?;
    Ok(Image { source, detail })
}

/// What an address leads to, or holds itself. What the bytes say that they are counts for
/// more than what the address says.
fn source(url: &str, default: &str, field: &str, notes: &mut Notes) -> Result<Source, Refused> {
    if !inline::is_data_url(url) {
        return Ok(Source::Url { url: url.to_owned(), mime: None });
    }
    let Some(found) = Inline::parse(url) else {
        return Err(Refused::new(field, "holds bytes in another encoding than base64"));
    };
    let Some(data) = inline::standard(found.base64) else {
        return Err(Refused::new(field, "holds what is no base64"));
    };
    let said = match found.mime.to_ascii_lowercase().as_str() {
        "image/jpg" => "image/jpeg".to_owned(),
        other => other.to_owned(),
    };
    let mime = match inline::sniffed(&data) {
        Some(mime) => {
            if !said.is_empty() && said != mime {
                notes.add(field.to_owned(), How::Changed);
            }
            mime.to_owned()
        }
        None if said.is_empty() => default.to_owned(),
        None => said,
    };
    Ok(Source::Base64 { mime, data })
}

fn audio(fields: &mut Fields<'_>) -> Result<Content, Refused> {
    const FIELD: &str = "messages.content.input_audio";
    let Some(raw) = fields.take("input_audio") else {
        return Err(Refused::new(FIELD, "is missing"));
    };
    let mut inner = super::object(raw, FIELD)?;
    let format: String = inner.take_as("format")?.unwrap_or_else(|| "wav".to_owned());
    let is_word = format.bytes().all(|it| it.is_ascii_alphanumeric());
    if format.is_empty() || format.len() > 16 || !is_word {
        return Err(Refused::new("messages.content.input_audio.format", "must be `wav` or `mp3`"));
    }
    let data: String = inner.take_as("data")?.unwrap_or_default();
    let bytes = Inline::parse(&data).map_or(data.as_str(), |it| it.base64);
    let Some(data) = inline::standard(bytes) else {
        return Err(Refused::new("messages.content.input_audio.data", "is no base64"));
    };
    Ok(Content::Audio { mime: format!("audio/{}", format.to_ascii_lowercase()), data })
}

fn file(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Document, Refused> {
    const DATA: &str = "messages.content.file.file_data";
    let inner = fields.take("file");
    let mut file = match inner {
        Some(raw) => super::object(raw, "messages.content.file")?,
        None => std::mem::take(fields),
    };
    if file.take("file_id").is_some() {
        return Err(of_a_provider("messages.content.file.file_id"));
    }
    let title: Option<String> = file.take_as("filename")?;
    let bytes: Option<String> = file.take_as("file_data")?;
    let url: Option<String> = file.take_as("file_url")?;
    leave(file, "messages.content.file", notes);
    let source = match (bytes, url) {
        (Some(bytes), _) if inline::is_data_url(&bytes) || bytes.contains("://") => {
            source(&bytes, "application/pdf", DATA, notes)?
        }
        // Bytes without their address: what they are says the name, or nobody.
        (Some(bytes), _) => {
            let Some(data) = inline::standard(bytes) else {
                return Err(Refused::new(DATA, "is no base64"));
            };
            let mime = inline::sniffed(&data).unwrap_or_else(|| by_name(title.as_deref()));
            Source::Base64 { mime: mime.to_owned(), data }
        }
        (None, Some(url)) => Source::Url { url, mime: None },
        (None, None) => return Err(Refused::new(DATA, "is missing")),
    };
    Ok(Document { source, title, context: None, citations: false })
}

/// The media type that a file's name stands for.
fn by_name(name: Option<&str>) -> &'static str {
    let ending = name.and_then(|it| it.rsplit_once('.')).map(|(_, it)| it.to_ascii_lowercase());
    match ending.as_deref() {
        Some("txt" | "log") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        Some(_) | None => "application/pdf",
    }
}

fn of_a_provider(field: &str) -> Refused {
    Refused::new(field, "is known to its own provider only: send the bytes instead")
}
