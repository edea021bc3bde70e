//! Bytes and files of a caller: what they are is told by their media type.

use crate::{
    chat::{Content, Detail, Document, Image, Source},
    gemini::wire::object::Object,
    inline,
    translate::{Notes, Refused},
};

/// What `inlineData` holds.
pub(super) fn inline(mut blob: Object<'_>, notes: &mut Notes) -> Result<Content, Refused> {
    let field = blob.name("mimeType");
    let mime = blob.text("mimeType")?.filter(|it| !it.is_empty());
    let Some(mime) = mime else { return Err(Refused::new(field, "is missing")) };
    let field = blob.name("data");
    let data = blob.text("data")?.and_then(inline::standard);
    let Some(data) = data else { return Err(Refused::new(field, "is no base64")) };
    let title = blob.text("displayName")?;
    blob.drop_rest(notes);
    Ok(match family(&mime) {
        Family::Image => {
            Content::Image(Image { source: Source::Base64 { mime, data }, detail: None })
        }
        Family::Audio => Content::Audio { mime, data },
        Family::Video => return Err(video()),
        Family::Text => {
            let words = inline::decoded(&data).and_then(|it| String::from_utf8(it).ok());
            document(words.map_or(Source::Base64 { mime, data }, Source::Text), title)
        }
        Family::Other => document(Source::Base64 { mime, data }, title),
    })
}

/// What `fileData` names.
pub(super) fn file(mut file: Object<'_>, notes: &mut Notes) -> Result<Content, Refused> {
    let field = file.name("fileUri");
    let mime = file.text("mimeType")?.filter(|it| !it.is_empty());
    let url = file.text("fileUri")?.filter(|it| !it.is_empty());
    let Some(url) = url else { return Err(Refused::new(field, "is missing")) };
    let title = file.text("displayName")?;
    file.drop_rest(notes);
    let guess = mime.as_deref().map_or_else(|| by_ending(&url), family);
    let source = Source::Url { url, mime };
    match guess {
        Family::Image => Ok(Content::Image(Image { source, detail: None })),
        Family::Audio => {
            let reason = "names a sound, which other providers only take in `inlineData`";
            Err(Refused::new(field, reason))
        }
        Family::Video => Err(video()),
        Family::Text | Family::Other => Ok(document(source, title)),
    }
}

/// How closely a picture is looked at, in a part's `mediaResolution`.
pub(super) fn detail(mut resolution: Object<'_>) -> Result<Option<Detail>, Refused> {
    let level = resolution.text("level")?.unwrap_or_default();
    Ok(match level.strip_prefix("MEDIA_RESOLUTION_").unwrap_or(&level) {
        "LOW" => Some(Detail::Low),
        "HIGH" => Some(Detail::High),
        "ULTRA_HIGH" => Some(Detail::Original),
        _ => None,
    })
}

fn document(source: Source, title: Option<String>) -> Content {
    Content::Document(Document { source, title, context: None, citations: false })
}

fn video() -> Refused {
    Refused::new("contents.parts", "holds a video, which only Google's own models take")
}

/// What is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Image,
    Audio,
    Video,
    Text,
    Other,
}

fn family(mime: &str) -> Family {
    let is =
        |prefix: &str| mime.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix));
    match mime {
        _ if is("image/") => Family::Image,
        _ if is("audio/") => Family::Audio,
        _ if is("video/") => Family::Video,
        _ if is("text/") => Family::Text,
        _ => Family::Other,
    }
}

/// A guess where nobody says it.
fn by_ending(url: &str) -> Family {
    if super::super::write::is_youtube(url) {
        return Family::Video;
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let ending = path.rsplit_once('.').map(|(_, it)| it.to_ascii_lowercase());
    match ending.as_deref() {
        Some("png" | "jpg" | "jpeg" | "webp" | "gif" | "heic" | "heif") => Family::Image,
        Some("mp3" | "wav" | "aac" | "flac" | "ogg" | "aiff") => Family::Audio,
        Some("mp4" | "mov" | "webm" | "mpeg" | "avi") => Family::Video,
        _ => Family::Other,
    }
}
