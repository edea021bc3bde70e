//! Addresses at which only one company's models can read, and those that some cannot.

use super::{Refused, Target};
use crate::{
    chat::{Medium, Request, Source},
    gemini,
};
use domain::catalog::{Dialect, Quirk, Quirks};

/// Where Google keeps what was uploaded to it: only its own models have the right to read there.
const OF_GOOGLE: [&str; 2] = ["gs://", "https://generativelanguage.googleapis.com/"];

/// Whether the target can read at each address that the request names, as far as it is known
/// by the address alone.
///
/// # Errors
/// The field of the first that it cannot.
pub(super) fn readable(request: &Request, target: &Target<'_>) -> Result<(), Refused> {
    if target.dialect == Dialect::Gemini {
        return Ok(());
    }
    if request.sources().filter_map(|(_, it)| address(it)).any(is_of_google) {
        let reason = "names a file at Google, which another company's model cannot read: send \
                      its bytes";
        return Err(Refused::new("fileData.fileUri", reason));
    }
    Ok(())
}

/// Who would have to read addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressReader {
    /// What is spoken there.
    pub dialect: Dialect,
    /// How it differs from what the dialect usually does.
    pub quirks: Quirks,
}

impl AddressReader {
    /// The address of a source in the web, if it is not read here.
    pub(super) fn unread(self, medium: Medium, source: &Source) -> Option<&str> {
        let url = address(source).filter(|it| is_in_the_web(it) && !is_of_google(it))?;
        let reads = match (self.dialect, medium) {
            (Dialect::Gemini, _) => gemini::request::reads(url),
            // Its maker's models read; in the clouds of others they say that URL sources are not
            // supported.
            (Dialect::Anthropic, _) => {
                !self.quirks.has(Quirk::Vertex) && !self.quirks.has(Quirk::BedrockInvoke)
            }
            (Dialect::Bedrock, _) | (Dialect::OpenAi, Medium::Document) => false,
            (Dialect::OpenAi, Medium::Image) | (Dialect::OpenAiResponses, _) => true,
        };
        (!reads).then_some(url)
    }
}

fn address(source: &Source) -> Option<&str> {
    match source {
        Source::Url { url, .. } => Some(url),
        Source::Base64 { .. } | Source::Text(_) => None,
    }
}

fn is_of_google(url: &str) -> bool {
    OF_GOOGLE.iter().any(|it| url.starts_with(it))
}

fn is_in_the_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| ["http", "https"].iter().any(|known| it.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use crate::{
        chat::{CallResult, Content, Image, Part, Request, Role, Source, Turn},
        translate::{Notes, Reading, Target},
    };
    use domain::catalog::{Dialect, Quirks};

    fn written(url: &str, dialect: Dialect) -> Result<(), String> {
        let source = Source::Url { url: url.to_owned(), mime: Some("image/png".to_owned()) };
        let shown = Part::new(Content::Image(Image { source, detail: None }));
        let result = Content::Result(CallResult {
            call: "call_1".to_owned(),
            name: Some("look".to_owned()),
            parts: vec![shown],
            failed: false,
            custom: false,
        });
        let turns = vec![Turn { role: Role::User, name: None, parts: vec![Part::new(result)] }];
        let reading = Reading {
            dialect: Dialect::Gemini,
            request: Request { model: "m".to_owned(), turns, ..Request::default() },
            notes: Notes::default(),
            completion: false,
        };
        let target = Target {
            dialect,
            model: "m",
            quirks: Quirks::NONE,
            output_cap_field: "max_tokens",
            max_output: None,
            output_cap: None,
        };
        reading.write(&target, "req_1", 0).map(|_| ()).map_err(|it| it.field)
    }

    #[test]
    fn googles_own_files_are_read_by_google_only() {
        let foreign = Err("fileData.fileUri".to_owned());
        for url in ["gs://b/a.png", "https://generativelanguage.googleapis.com/v1beta/files/a"] {
            assert_eq!(written(url, Dialect::Gemini), Ok(()));
            for dialect in [Dialect::OpenAi, Dialect::OpenAiResponses, Dialect::Anthropic] {
                assert_eq!(written(url, dialect), foreign);
            }
        }
        assert_eq!(written("https://example.com/a.png", Dialect::Anthropic), Ok(()));
    }
}
