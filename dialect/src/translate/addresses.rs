//! Addresses at which only one company's models can read.

use super::{Refused, Target};
use crate::chat::{Request, Source};
use domain::catalog::Dialect;

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
    let is_foreign = |source: &Source| match source {
        Source::Url { url, .. } => OF_GOOGLE.iter().any(|it| url.starts_with(it)),
        Source::Base64 { .. } | Source::Text(_) => false,
    };
    if request.sources().any(is_foreign) {
        let reason = "names a file at Google, which another company's model cannot read: send \
                      its bytes";
        return Err(Refused::new("fileData.fileUri", reason));
    }
    Ok(())
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
