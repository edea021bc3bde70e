//! (method, path) → what is asked for. Nothing else parses paths.
//!
//! Clients are given base URLs with and without `/v1`, with a provider's prefix, or
//! with `/v1` twice; all of these arrive where they were meant to.

use domain::catalog::{Dialect, Operation};
use http::{HeaderMap, Method};

/// What a caller can ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// An operation that is passed on to an upstream.
    Call(Operation),
    /// The list of models.
    Models,
    /// One model, by its id.
    Model(String),
    /// `/`: is anybody there?
    Root,
}

/// Why no endpoint was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoEndpoint {
    /// There is nothing at this path.
    UnknownPath,
    /// There is, but for other methods: these.
    WrongMethod {
        /// For the `Allow` header.
        allow: &'static str,
    },
}

/// Everything that exists, for those who asked for something else.
pub(crate) const EXISTING: &str = "POST /v1/chat/completions, POST /v1/embeddings, \
     POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models, GET /v1/models/{id}";

/// The dialect to answer in, and the endpoint or why there is none.
pub(crate) fn find(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> (Dialect, Result<Endpoint, NoEndpoint>) {
    let (prefix, rest) = strip_prefixes(path);
    let dialect = dialect_of(prefix, rest, headers);
    let endpoint = match rest {
        "" if path == "/" => for_reading(method, Endpoint::Root),
        "/chat/completions" => for_posting(method, Operation::Chat),
        "/embeddings" => for_posting(method, Operation::Embeddings),
        "/messages" => for_posting(method, Operation::Chat),
        "/messages/count_tokens" => for_posting(method, Operation::CountTokens),
        "/models" => for_reading(method, Endpoint::Models),
        _ => match rest.strip_prefix("/models/").and_then(decode) {
            Some(id) => for_reading(method, Endpoint::Model(id)),
            None => Err(NoEndpoint::UnknownPath),
        },
    };
    (dialect, endpoint)
}

/// The path decides; where it does not (`/models`, unknown ones), the header that
/// every Anthropic client sends.
fn dialect_of(prefix: Option<Dialect>, rest: &str, headers: &HeaderMap) -> Dialect {
    if rest == "/messages" || rest.starts_with("/messages/") {
        return Dialect::Anthropic;
    }
    if rest.starts_with("/chat/") || rest == "/embeddings" {
        return Dialect::OpenAi;
    }
    let by_header = || headers.contains_key("anthropic-version").then_some(Dialect::Anthropic);
    prefix.or_else(by_header).unwrap_or(Dialect::OpenAi)
}

/// Takes `/openai` or `/anthropic` and up to two `/v1` off the front, and one slash off the end.
fn strip_prefixes(path: &str) -> (Option<Dialect>, &str) {
    let (dialect, mut rest) = if let Some(rest) = strip_segment(path, "/openai") {
        (Some(Dialect::OpenAi), rest)
    } else if let Some(rest) = strip_segment(path, "/anthropic") {
        (Some(Dialect::Anthropic), rest)
    } else {
        (None, path)
    };
    for _ in 0..2 {
        rest = strip_segment(rest, "/v1").unwrap_or(rest);
    }
    (dialect, rest.strip_suffix('/').unwrap_or(rest))
}

fn strip_segment<'a>(path: &'a str, segment: &str) -> Option<&'a str> {
    path.strip_prefix(segment).filter(|it| it.starts_with('/'))
}

fn for_posting(method: &Method, operation: Operation) -> Result<Endpoint, NoEndpoint> {
    if method == Method::POST {
        Ok(Endpoint::Call(operation))
    } else {
        Err(NoEndpoint::WrongMethod { allow: "POST" })
    }
}

fn for_reading(method: &Method, endpoint: Endpoint) -> Result<Endpoint, NoEndpoint> {
    if method == Method::GET || method == Method::HEAD {
        Ok(endpoint)
    } else {
        Err(NoEndpoint::WrongMethod { allow: "GET, HEAD" })
    }
}

/// Undoes percent-encoding. `None` for an empty text, or one that is not UTF-8 after all.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = if *first == b'%' { tail.split_at_checked(2) } else { None };
        let byte = hex.and_then(|(hex, after)| {
            let hex = std::str::from_utf8(hex).ok()?;
            Some((u8::from_str_radix(hex, 16).ok()?, after))
        });
        let (byte, after) = byte.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok().filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, path: &str) -> (Dialect, Result<Endpoint, NoEndpoint>) {
        find(method, path, &HeaderMap::new())
    }

    #[test]
    fn base_urls_of_every_kind_arrive() {
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/openai/v1/chat/completions",
            "/v1/v1/chat/completions",
            "/v1/chat/completions/",
        ] {
            let found = check(&Method::POST, path);
            assert_eq!(found, (Dialect::OpenAi, Ok(Endpoint::Call(Operation::Chat))), "{path}");
        }
        for path in ["/v1/messages", "/messages", "/anthropic/v1/messages", "/v1/v1/messages"] {
            let found = check(&Method::POST, path);
            assert_eq!(found, (Dialect::Anthropic, Ok(Endpoint::Call(Operation::Chat))), "{path}");
        }
        let count = check(&Method::POST, "/v1/messages/count_tokens");
        assert_eq!(count, (Dialect::Anthropic, Ok(Endpoint::Call(Operation::CountTokens))));
        let embed = check(&Method::POST, "/v1/embeddings");
        assert_eq!(embed, (Dialect::OpenAi, Ok(Endpoint::Call(Operation::Embeddings))));
    }

    #[test]
    fn a_model_id_may_have_slashes_plain_or_encoded() {
        for path in ["/v1/models/meta/llama-3:free", "/v1/models/meta%2Fllama-3%3Afree"] {
            let (_, found) = check(&Method::GET, path);
            assert_eq!(found, Ok(Endpoint::Model("meta/llama-3:free".into())), "{path}");
        }
    }

    #[test]
    fn models_are_listed_in_the_dialect_of_the_header_or_the_prefix() {
        let mut headers = HeaderMap::new();
        assert_eq!(find(&Method::GET, "/v1/models", &headers).0, Dialect::OpenAi);
        assert_eq!(find(&Method::GET, "/anthropic/v1/models", &headers).0, Dialect::Anthropic);
        headers.insert("anthropic-version", http::HeaderValue::from_static("2023-06-01"));
        assert_eq!(find(&Method::GET, "/v1/models", &headers).0, Dialect::Anthropic);
        // The path of a call decides, whatever headers say.
        assert_eq!(find(&Method::POST, "/v1/chat/completions", &headers).0, Dialect::OpenAi);
    }

    #[test]
    fn wrong_methods_and_unknown_paths_are_told_apart() {
        let (_, found) = check(&Method::GET, "/v1/chat/completions");
        assert_eq!(found, Err(NoEndpoint::WrongMethod { allow: "POST" }));
        let (_, found) = check(&Method::POST, "/v1/models");
        assert_eq!(found, Err(NoEndpoint::WrongMethod { allow: "GET, HEAD" }));
        for path in ["/v1", "/v2/chat/completions", "/v1/v1/v1/models", "/x", "//"] {
            assert_eq!(check(&Method::GET, path).1, Err(NoEndpoint::UnknownPath), "{path}");
        }
    }

    #[test]
    fn the_root_says_hello_to_head_and_get() {
        assert_eq!(check(&Method::HEAD, "/").1, Ok(Endpoint::Root));
        assert_eq!(check(&Method::GET, "/").1, Ok(Endpoint::Root));
    }

    #[test]
    fn broken_percent_encoding_is_taken_as_it_is() {
        assert_eq!(decode("a%2").as_deref(), Some("a%2"));
        assert_eq!(decode("a%zz").as_deref(), Some("a%zz"));
        assert_eq!(decode("%ff"), None);
    }
}
