//! How what was fetched from an address takes its place, for a target that reads none.
//!
//! Decides what has to be fetched and what may be; who fetches it is none of its business.

use super::{AddressReader, How, Reading, Refused};
use crate::chat::{Medium, Source};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::catalog::Dialect;
use std::collections::HashMap;

/// An address that a target does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As the caller wrote it.
    pub url: String,
    /// The caller's field in which it stands first.
    pub field: &'static str,
    /// In how many places it stands: what is there has to be sent as often.
    pub places: usize,
}

/// The kinds of files that may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A picture.
    Jpeg,
    /// A picture.
    Png,
    /// A picture.
    Gif,
    /// A picture.
    Webp,
    /// A document.
    Pdf,
    /// A document.
    Text,
}

impl FileKind {
    /// What a `content-type` says; `None`: nothing that a conversation can hold.
    pub fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        Some(match essence.to_ascii_lowercase().as_str() {
            "image/jpeg" | "image/jpg" => Self::Jpeg,
            "image/png" => Self::Png,
            "image/gif" => Self::Gif,
            "image/webp" => Self::Webp,
            "application/pdf" => Self::Pdf,
            "text/plain" => Self::Text,
            _ => return None,
        })
    }

    /// Its media type.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Text => "text/plain",
        }
    }

    const fn is_picture(self) -> bool {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp => true,
            Self::Pdf | Self::Text => false,
        }
    }
}

impl Reading {
    /// What has to be fetched for this target, each address once.
    pub fn unread(&self, target: AddressReader) -> Vec<Address> {
        let mut found: Vec<Address> = Vec::new();
        // A caller may name many.
        let mut known = HashMap::new();
        for (medium, source) in self.request.sources() {
            let Some(url) = target.unread(medium, source) else { continue };
            let at = *known.entry(url).or_insert(found.len());
            match found.get_mut(at) {
                Some(it) => it.places = it.places.saturating_add(1),
                None => {
                    let field = field(self.dialect, medium);
                    found.push(Address { url: url.to_owned(), field, places: 1 });
                }
            }
        }
        found
    }

    /// Puts what was found at an address where this target would have to read it.
    ///
    /// # Errors
    /// When it is not what its place is for.
    pub fn fill(
        &mut self,
        target: AddressReader,
        url: &str,
        (kind, bytes): (FileKind, Vec<u8>),
    ) -> Result<(), Refused> {
        let caller = self.dialect;
        let mut places: Vec<_> = self
            .request
            .sources_mut()
            .filter(|(medium, it)| target.unread(*medium, it) == Some(url))
            .collect();
        let Some(&(first, _)) = places.first() else { return Ok(()) };
        let refused = |medium, why| Err(Refused::new(field(caller, medium), why));
        if !kind.is_picture() && places.iter().any(|(medium, _)| *medium == Medium::Image) {
            return refused(Medium::Image, "leads to a file that is no picture");
        }
        let found = match kind {
            FileKind::Text => match String::from_utf8(bytes) {
                Ok(text) => Source::Text(text),
                Err(_) => return refused(first, "leads to a text that is not in UTF-8"),
            },
            FileKind::Jpeg | FileKind::Png | FileKind::Gif | FileKind::Webp | FileKind::Pdf => {
                Source::Base64 { mime: kind.mime().to_owned(), data: STANDARD.encode(bytes) }
            }
        };
        let last = places.pop();
        for (medium, source) in places {
            *source = found.clone();
            self.notes.add(field(caller, medium), How::Changed);
        }
        if let Some((medium, source)) = last {
            *source = found;
            self.notes.add(field(caller, medium), How::Changed);
        }
        Ok(())
    }
}

/// Where addresses stand, in the words of who speaks this dialect.
const fn field(caller: Dialect, medium: Medium) -> &'static str {
    match (caller, medium) {
        (Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock, Medium::Image) => {
            "image_url"
        }
        (Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock, Medium::Document) => {
            "file_url"
        }
        (Dialect::Anthropic, Medium::Image) => "image.source.url",
        (Dialect::Anthropic, Medium::Document) => "document.source.url",
        (Dialect::Gemini, _) => "fileData.fileUri",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::{PathWords, Target, read};
    use domain::catalog::{Quirk, Quirks};
    use serde_json::{Value, json};

    const PICTURE: &str = "https://example.com/a.png";
    const FILE: &str = "https://example.com/b";
    /// A PNG's first bytes, as far as anybody looks.
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

    /// A picture twice, once of them in a tool's result, and a file.
    fn asked() -> Reading {
        let image = json!({"type": "image", "source": {"type": "url", "url": PICTURE}});
        let body = json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [image]},
                {"type": "document", "source": {"type": "url", "url": FILE}},
            ]},
        ]});
        read(Dialect::Anthropic, body.to_string().as_bytes(), PathWords::default()).unwrap()
    }

    fn written(reading: &Reading, dialect: Dialect) -> Result<(Value, String), Refused> {
        let target = Target {
            dialect,
            model: "m-1",
            quirks: Quirks::NONE,
            output_cap_field: "max_tokens",
            max_output: None,
            output_cap: None,
        };
        let out = reading.write(&target, "req_1", 0)?;
        Ok((serde_json::from_slice(&out.body).unwrap(), out.notes.to_string()))
    }

    const fn by(dialect: Dialect) -> AddressReader {
        AddressReader { dialect, quirks: Quirks::NONE }
    }

    fn urls(reading: &Reading, target: AddressReader) -> Vec<(String, &'static str, usize)> {
        reading.unread(target).into_iter().map(|it| (it.url, it.field, it.places)).collect()
    }

    #[test]
    fn each_target_wants_fetched_what_it_does_not_read() {
        let asked = asked();
        let picture = (PICTURE.to_owned(), "image.source.url", 2);
        let file = (FILE.to_owned(), "document.source.url", 1);
        for dialect in [Dialect::Gemini, Dialect::Bedrock] {
            assert_eq!(urls(&asked, by(dialect)), [picture.clone(), file.clone()]);
        }
        assert_eq!(urls(&asked, by(Dialect::OpenAi)), [file]);
        for dialect in [Dialect::OpenAiResponses, Dialect::Anthropic] {
            assert_eq!(urls(&asked, by(dialect)), []);
        }
        for quirk in [Quirk::Vertex, Quirk::BedrockInvoke] {
            let hosted =
                AddressReader { dialect: Dialect::Anthropic, quirks: Quirks::NONE.with(quirk) };
            assert_eq!(urls(&asked, hosted).len(), 2);
        }
    }

    #[test]
    fn what_is_no_page_of_the_web_or_has_an_owner_is_not_fetched() {
        for (url, gemini, bedrock) in [
            ("https://example.com/a.png", 1, 1),
            ("HTTP://example.com/a.png", 1, 1),
            ("https://youtu.be/x", 0, 1),
            ("https://generativelanguage.googleapis.com/v1beta/files/a", 0, 0),
            ("gs://bucket/a.png", 0, 0),
            ("s3://bucket/a.png", 0, 0),
            ("file:///etc/passwd", 0, 0),
            ("ftp://example.com/a.png", 0, 0),
            ("//example.com/a.png", 0, 0),
        ] {
            let body = json!({"contents": [{"role": "user", "parts": [
                {"fileData": {"fileUri": url, "mimeType": "image/png"}},
            ]}]});
            let asked = read(Dialect::Gemini, body.to_string().as_bytes(), PathWords::default());
            let asked = asked.unwrap();
            assert_eq!(asked.unread(by(Dialect::Gemini)).len(), gemini, "{url}");
            assert_eq!(asked.unread(by(Dialect::Bedrock)).len(), bedrock, "{url}");
            assert!(
                asked.unread(by(Dialect::Bedrock)).iter().all(|it| it.field == "fileData.fileUri")
            );
        }
    }

    #[test]
    fn what_was_found_stands_in_every_place_and_is_noted() {
        for dialect in [Dialect::Gemini, Dialect::Bedrock] {
            let mut asked = asked();
            assert!(written(&asked, dialect).is_err());
            asked.fill(by(dialect), PICTURE, (FileKind::Png, PNG.to_vec())).unwrap();
            assert_eq!(urls(&asked, by(dialect)).len(), 1);
            asked.fill(by(dialect), FILE, (FileKind::Pdf, b"%PDF-1.7".to_vec())).unwrap();
            assert_eq!(urls(&asked, by(dialect)), []);
            let (body, notes) = written(&asked, dialect).unwrap();
            let body = body.to_string();
            assert_eq!(body.matches(&STANDARD.encode(PNG)).count(), 2, "{body}");
            assert_eq!(body.matches(&STANDARD.encode("%PDF-1.7")).count(), 1, "{body}");
            assert!(!body.contains("example.com"), "{body}");
            for note in ["image.source.url;changed", "document.source.url;changed"] {
                assert!(notes.contains(note), "{notes}");
            }
        }
    }

    #[test]
    fn a_target_that_reads_pictures_keeps_their_addresses() {
        let mut asked = asked();
        asked.fill(by(Dialect::OpenAi), PICTURE, (FileKind::Png, PNG.to_vec())).unwrap();
        asked.fill(by(Dialect::OpenAi), FILE, (FileKind::Text, "Räuber".into())).unwrap();
        let (body, notes) = written(&asked, Dialect::OpenAi).unwrap();
        let body = body.to_string();
        assert!(
            body.contains(PICTURE) && body.contains("Räuber") && !body.contains(FILE),
            "{body}"
        );
        assert!(!notes.contains("image.source.url"), "{notes}");
    }

    #[test]
    fn a_place_takes_only_what_it_is_for() {
        let refused = |url, kind, bytes: &[u8]| {
            asked().fill(by(Dialect::Gemini), url, (kind, bytes.to_vec())).unwrap_err().field
        };
        assert_eq!(refused(PICTURE, FileKind::Pdf, b"%PDF-1.7"), "image.source.url");
        assert_eq!(refused(PICTURE, FileKind::Text, b"hello"), "image.source.url");
        assert_eq!(refused(FILE, FileKind::Text, b"\xff\xfe"), "document.source.url");
    }

    #[test]
    fn kinds_are_told_by_their_media_type() {
        for (said, kind) in [
            ("image/png", Some(FileKind::Png)),
            ("IMAGE/JPG", Some(FileKind::Jpeg)),
            ("text/plain; charset=utf-8", Some(FileKind::Text)),
            ("application/pdf", Some(FileKind::Pdf)),
            ("image/svg+xml", None),
            ("text/html", None),
            ("application/json", None),
            ("application/octet-stream", None),
            ("", None),
        ] {
            assert_eq!(FileKind::of(said), kind, "{said}");
        }
    }
}
