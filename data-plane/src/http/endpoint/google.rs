//! Google's paths: the model and the verb are one segment, `models/{model}:{verb}`.

use super::{PathSays, decode};
use domain::catalog::Operation;

/// Where models stand, at AI Studio, and at Vertex with and without a project.
const PLACES: [&str; 2] = ["/models/", "/publishers/google/models/"];

/// What is called; `Some(None)`: a verb that we do not know. `None`: no path of Google's.
pub(super) fn call(path: &str, query: Option<&str>) -> Option<Option<(Operation, PathSays)>> {
    let rest = ["/v1beta1/", "/v1beta/", "/v1/"].iter().find_map(|it| path.strip_prefix(it))?;
    let rest = path.get(path.len().checked_sub(rest.len())?.checked_sub(1)?..)?;
    let named = PLACES.iter().find_map(|it| rest.strip_prefix(it)).or_else(|| {
        let (_, named) = rest.strip_prefix("/projects/")?.split_once(PLACES[1])?;
        Some(named)
    })?;
    let (model, verb) = named.rsplit_once(':')?;
    // Elsewhere a colon is part of a model's id.
    let is_verb =
        verb.bytes().all(|it| it.is_ascii_alphabetic()) && verb.contains(char::is_uppercase);
    if !is_verb && !path.starts_with("/v1beta") {
        return None;
    }
    let model = decode(model)?;
    let says = |stream| PathSays { model: Some(model.clone()), stream: Some(stream), array: false };
    Some(match verb {
        "generateContent" => Some((Operation::Chat, says(false))),
        "streamGenerateContent" => {
            Some((Operation::Chat, PathSays { array: !wants_events(query), ..says(true) }))
        }
        "countTokens" => Some((Operation::CountTokens, says(false))),
        "embedContent" | "batchEmbedContents" => Some((Operation::Embeddings, says(false))),
        _ => None,
    })
}

/// Without `alt=sse` Google streams one JSON array.
fn wants_events(query: Option<&str>) -> bool {
    query.is_some_and(|it| it.split('&').any(|it| it == "alt=sse"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, query: Option<&str>, expected: Option<(Operation, &str, bool, bool)>) {
        let found = call(path, query).flatten();
        let found = found.map(|(operation, it)| {
            (operation, it.model.unwrap_or_default(), it.stream.unwrap_or_default(), it.array)
        });
        let expected = expected.map(|(a, b, c, d)| (a, b.to_owned(), c, d));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn the_model_and_the_verb_stand_in_the_path_wherever_google_serves() {
        let chat = |model, stream, array| Some((Operation::Chat, model, stream, array));
        check(
            "/v1beta/models/gemini-2.5-pro:generateContent",
            None,
            chat("gemini-2.5-pro", false, false),
        );
        check("/v1/models/g:streamGenerateContent", Some("alt=sse"), chat("g", true, false));
        check("/v1beta/models/g:streamGenerateContent", Some("x=1"), chat("g", true, true));
        check("/v1beta1/publishers/google/models/g:generateContent", None, chat("g", false, false));
        check(
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            None,
            chat("g", false, false),
        );
        check("/v1beta/models/a%2Fb:free:generateContent", None, chat("a/b:free", false, false));
        check(
            "/v1beta/models/g:countTokens",
            None,
            Some((Operation::CountTokens, "g", false, false)),
        );
        check(
            "/v1beta/models/g:embedContent",
            None,
            Some((Operation::Embeddings, "g", false, false)),
        );
    }

    #[test]
    fn other_paths_and_ids_with_colons_are_not_taken_for_calls() {
        for path in
            ["/v1/models/meta/llama-3:free", "/v1/models", "/v1/chat/completions", "/v1beta/models"]
        {
            assert_eq!(call(path, None), None, "{path}");
        }
        assert_eq!(call("/v1beta/models/g:sing", None), Some(None));
        assert_eq!(call("/v1beta/models/:generateContent", None), None);
    }
}
