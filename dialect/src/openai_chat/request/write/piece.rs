//! What can be said in a user's message, and in an instruction.

use crate::{
    chat::{Content as Said, Detail, Document, Image, Part, Source},
    inline,
    openai_chat::wire::request::{CacheControl, Content, File, ImageUrl, InputAudio, Piece},
    translate::{How, Notes, Refused},
};
use domain::catalog::{Quirk, Quirks};
use std::borrow::Cow;

/// Writes one part; `None`: it says nothing here, or is not for such messages.
pub(super) fn piece<'a>(
    part: &'a Part,
    quirks: Quirks,
    notes: &mut Notes,
) -> Result<Option<Piece<'a>>, Refused> {
    let piece = match &part.content {
        Said::Text(it) => {
            if !it.citations.is_empty() {
                notes.dropped("citations");
            }
            let says_nothing = it.text.is_empty();
            (!says_nothing).then(|| Piece::text(it.text.as_str()))
        }
        Said::Refusal(text) => Some(Piece::text(text.as_str())),
        Said::Image(it) => Some(image(it)?),
        Said::Audio { mime, data } => Some(audio(mime, data)?),
        Said::Document(it) => Some(document(it, notes)?),
        Said::Thinking(_) => {
            notes.dropped("thinking");
            None
        }
        // These are messages or fields of their own.
        Said::Call(_) | Said::Result(_) => None,
    };
    let marks = quirks.has(Quirk::CacheControl);
    let cache_control = part.cache.as_ref().filter(|_| marks).map(CacheControl::of);
    Ok(piece.map(|it| Piece { cache_control, ..it }))
}

/// One text where all are texts and none has a mark, since many servers take nothing else.
pub(super) fn content<'a>(
    pieces: Vec<Piece<'a>>,
    joint: &str,
    quirks: Quirks,
) -> Result<Content<'a>, Refused> {
    let is_plain = |it: &Piece<'_>| it.text.is_some();
    let only_plain = quirks.has(Quirk::PlainText);
    if only_plain && !pieces.iter().all(is_plain) {
        return Err(Refused::new("messages.content", "can only be text for this model"));
    }
    if only_plain || pieces.iter().all(|it| is_plain(it) && it.cache_control.is_none()) {
        let mut texts = pieces.into_iter().filter_map(|it| it.text);
        let mut all = texts.next().unwrap_or_default();
        for text in texts {
            let all = all.to_mut();
            all.push_str(joint);
            all.push_str(&text);
        }
        return Ok(Content::Text(all));
    }
    Ok(Content::Pieces(pieces))
}

fn image(image: &Image) -> Result<Piece<'_>, Refused> {
    let Image { source, detail } = image;
    let url = match source {
        Source::Base64 { mime, data } => format!("data:{mime};base64,{data}").into(),
        Source::Url { url, mime: _ } if is_in_the_web(url) => Cow::Borrowed(url.as_str()),
        Source::Url { .. } => {
            let reason = "has an address that only its own provider knows";
            return Err(Refused::new("messages.content.image", reason));
        }
        Source::Text(_) => {
            return Err(Refused::new("messages.content.image", "is no picture but a text"));
        }
    };
    let detail = detail.map(|it| match it {
        Detail::Auto => "auto",
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Original => "original",
    });
    let image_url = Some(ImageUrl { url, detail });
    Ok(Piece { kind: "image_url", image_url, ..Piece::default() })
}

fn is_in_the_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| ["http", "https"].iter().any(|known| it.eq_ignore_ascii_case(known)))
}

fn audio<'a>(mime: &str, data: &'a str) -> Result<Piece<'a>, Refused> {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let format = match mime.as_str() {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/mp3" | "audio/mpeg" | "audio/mpeg3" | "audio/x-mp3" => "mp3",
        _ => {
            let reason = "can only be WAV or MP3 for this model";
            return Err(Refused::new("messages.content.audio", reason));
        }
    };
    let input_audio = Some(InputAudio { data, format });
    Ok(Piece { kind: "input_audio", input_audio, ..Piece::default() })
}

fn document<'a>(document: &'a Document, notes: &mut Notes) -> Result<Piece<'a>, Refused> {
    const FIELD: &str = "messages.content.document";
    let Document { source, title, context, citations } = document;
    if *citations {
        notes.dropped("citations");
    }
    notes.dropped_if("messages.content.document.context", context);
    let title = title.as_deref();
    match source {
        Source::Text(text) => {
            notes.add(FIELD, How::Changed);
            Ok(Piece::text(titled(title, text)))
        }
        Source::Base64 { mime, data } => {
            let text = is_text(mime).then(|| inline::decoded(data)).flatten();
            if let Some(text) = text.and_then(|it| String::from_utf8(it).ok()) {
                notes.add(FIELD, How::Changed);
                return Ok(Piece::text(titled(title, &text)));
            }
            let filename = title.map_or_else(|| named(mime), Cow::Borrowed);
            let file_data = format!("data:{mime};base64,{data}");
            let file = Some(File { filename, file_data });
            Ok(Piece { kind: "file", file, ..Piece::default() })
        }
        Source::Url { .. } => {
            let reason = "has to be sent as bytes: this model takes no addresses of files";
            Err(Refused::new(FIELD, reason))
        }
    }
}

/// A text that is a document, with its title above it.
pub(super) fn titled(title: Option<&str>, text: &str) -> String {
    title.map_or_else(|| text.to_owned(), |title| format!("{title}\n\n{text}"))
}

fn is_text(mime: &str) -> bool {
    mime.split_at_checked(5).is_some_and(|(kind, _)| kind.eq_ignore_ascii_case("text/"))
}

/// A name for a file that has none; OpenAI wants one.
fn named(mime: &str) -> Cow<'static, str> {
    let ending = mime.rsplit('/').next().unwrap_or_default();
    let is_ending = (1..=5).contains(&ending.len())
        && ending.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    if is_ending { format!("document.{ending}").into() } else { "document".into() }
}
