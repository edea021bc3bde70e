//! Pictures, sounds and files for a provider.

use crate::{
    chat::{Detail, Document, Image, Source},
    gemini::wire::{File, Part},
    inline,
    translate::{How, Notes, Refused},
};

/// A picture.
pub(super) fn image<'a>(image: &'a Image, notes: &mut Notes) -> Result<Part<'a>, Refused> {
    let Image { source, detail } = image;
    match detail {
        Some(Detail::Low | Detail::High | Detail::Original) => {
            notes.dropped("image_url.detail");
        }
        Some(Detail::Auto) | None => {}
    }
    match source {
        Source::Base64 { mime, data } => Ok(Part::bytes(told(mime, data, notes), data)),
        Source::Url { url, mime } => {
            file(url, mime.as_deref()).ok_or_else(|| Refused::new("image_url", ELSEWHERE))
        }
        Source::Text(_) => Err(Refused::new("image_url", "is a text")),
    }
}

/// A file, after what is to be known of it.
pub(super) fn document<'a>(
    document: &'a Document,
    notes: &mut Notes,
) -> Result<Vec<Part<'a>>, Refused> {
    let Document { source, title, context, citations } = document;
    if *citations {
        notes.dropped("document.citations");
    }
    let mut parts = Vec::new();
    if let Some(context) = context.as_deref().filter(|it| !it.is_empty()) {
        notes.add("document.context", How::Changed);
        parts.push(Part::text(context));
    }
    let title = title.as_deref().filter(|it| !it.is_empty());
    match source {
        Source::Base64 { mime, data } => {
            if title.is_some() {
                notes.dropped("file.filename");
            }
            parts.push(Part::bytes(told(mime, data, notes), data));
        }
        Source::Url { url, mime } => {
            let part = file(url, mime.as_deref());
            parts.push(part.ok_or_else(|| Refused::new("file_url", ELSEWHERE))?);
        }
        Source::Text(words) => {
            notes.add("document", How::Changed);
            parts.push(match title {
                Some(title) => Part::text(format!("{title}\n\n{words}")),
                None => Part::text(words),
            });
        }
    }
    Ok(parts)
}

const ELSEWHERE: &str = "names an address that Gemini does not read: send the bytes in base64, \
                         or name one of Google's own files";

/// What is at an address, if Google reads from there.
fn file<'a>(url: &'a str, mime: Option<&'a str>) -> Option<Part<'a>> {
    let file_data = Some(File { mime_type: mime, file_uri: url });
    reads(url).then(|| Part { file_data, ..Part::default() })
}

/// Whether Google reads at this address.
pub(crate) fn reads(url: &str) -> bool {
    url.starts_with("gs://")
        || host(url) == Some("generativelanguage.googleapis.com")
        || is_youtube(url)
}

/// Whether Google takes this address for a video.
pub(in crate::gemini::request) fn is_youtube(url: &str) -> bool {
    matches!(host(url), Some("www.youtube.com" | "youtube.com" | "m.youtube.com" | "youtu.be"))
}

fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    rest.split(['/', '?', '#']).next()
}

/// The media type that the bytes themselves show; else the one that the caller told.
fn told<'a>(mime: &'a str, data: &str, notes: &mut Notes) -> &'a str {
    match inline::sniffed(data) {
        Some(seen) if !mime.eq_ignore_ascii_case(seen) => {
            notes.add("media_type", How::Changed);
            seen
        }
        Some(_) | None => mime,
    }
}
