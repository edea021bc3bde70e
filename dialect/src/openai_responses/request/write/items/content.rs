//! Writes what messages of users and tools' outputs are made of.

use super::{data_url, is_public};
use crate::{
    chat::{Content, Detail, Document, Image, Part, Source},
    openai_responses::wire,
    translate::{How, Notes, Refused},
};

/// Adds what a part says; empty texts say nothing.
pub(super) fn input<'a>(
    part: &'a Part,
    out: &mut Vec<wire::Content<'a>>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    // What is the same in the beginning is kept without being marked.
    let Part { content, cache: _ } = part;
    match content {
        Content::Text(text) => say(&text.text, out),
        Content::Refusal(text) => say(text, out),
        Content::Image(it) => out.push(image(it)?),
        Content::Document(it) => document(it, out, notes)?,
        Content::Audio { .. } => {
            let reason = "is not heard by the provider asked here";
            return Err(Refused::new("input_audio", reason));
        }
        // They are items of their own, and stand in no part of one.
        Content::Thinking(_) | Content::Call(_) | Content::Result(_) => {
            notes.dropped("messages.content");
        }
    }
    Ok(())
}

fn say<'a>(text: &'a str, out: &mut Vec<wire::Content<'a>>) {
    if !text.is_empty() {
        out.push(wire::Content::InputText { text: text.into() });
    }
}

fn image(image: &Image) -> Result<wire::Content<'_>, Refused> {
    let Image { source, detail } = image;
    if !is_public(source) {
        return Err(Refused::new("image_url", "is no address that the provider can look up"));
    }
    let image_url = match source {
        Source::Base64 { mime, data } => data_url(mime, data).into(),
        Source::Url { url, mime: _ } => url.as_str().into(),
        Source::Text(_) => return Err(Refused::new("image_url", "is no picture")),
    };
    let detail = detail.map(|it| match it {
        Detail::Auto => "auto",
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Original => "original",
    });
    Ok(wire::Content::InputImage { image_url, detail })
}

fn document<'a>(
    document: &'a Document,
    out: &mut Vec<wire::Content<'a>>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let Document { source, title, context, citations } = document;
    if *citations {
        notes.dropped("citations");
    }
    if let Some(context) = context {
        notes.add("document.context", How::Changed);
        say(context, out);
    }
    let name = title.as_deref().filter(|it| !it.is_empty());
    match source {
        Source::Text(text) => {
            notes.add("document", How::Changed);
            let text = name.map_or_else(|| text.into(), |it| format!("{it}\n\n{text}").into());
            out.push(wire::Content::InputText { text });
        }
        Source::Base64 { mime, data } => out.push(wire::Content::InputFile {
            // Without a name it is refused.
            filename: Some(name.unwrap_or_else(|| default_name(mime)).into()),
            file_data: Some(data_url(mime, data).into()),
            file_url: None,
        }),
        Source::Url { url, mime: _ } if is_public(source) => {
            out.push(wire::Content::InputFile {
                filename: None,
                file_data: None,
                file_url: Some(url),
            });
        }
        Source::Url { .. } => {
            return Err(Refused::new("file", "is no address that the provider can look up"));
        }
    }
    Ok(())
}

fn default_name(mime: &str) -> &'static str {
    match mime {
        "text/plain" => "document.txt",
        "text/markdown" => "document.md",
        "text/csv" => "document.csv",
        "application/json" => "document.json",
        _ => "document.pdf",
    }
}
