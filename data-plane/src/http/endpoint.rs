//! (method, path) → what is asked for. Nothing else parses paths.
//!
//! Clients are given base URLs with and without `/v1`, with a provider's prefix, or
//! with `/v1` twice; all of these arrive where they were meant to.

mod google;

use domain::catalog::{Dialect, Operation};
use http::{HeaderMap, Method, header};

/// What a caller can ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// An operation that is passed on to an upstream.
    Call(Operation, PathSays),
    /// The list of models.
    Models,
    /// One model, by its id.
    Model(String),
    /// `/`: is anybody there?
    Root,
    /// A browser asks whether it may ask.
    Preflight,
    /// A WebSocket, which we do not speak: clients that hear so fall back at once.
    Socket,
}

/// What the path says of a request, beside what is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PathSays {
    /// The model, in dialects that name it there.
    pub(crate) model: Option<String>,
    /// Whether the answer is to be a stream, in dialects that say so there.
    pub(crate) stream: Option<bool>,
    /// Whether that stream is to be one JSON array.
    pub(crate) array: bool,
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
pub(crate) const EXISTING: &str = "POST /v1/chat/completions, POST /v1/responses, \
     POST /v1/completions, POST /v1/embeddings, POST /v1/messages, \
     POST /v1/messages/count_tokens, POST /v1beta/models/{model}:generateContent, \
     GET /v1/models, GET /v1/models/{id}, GET /v1beta/models";

/// The dialect to answer in, and the endpoint or why there is none.
pub(crate) fn find(
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> (Dialect, Result<Endpoint, NoEndpoint>) {
    if let Some(called) = google::call(path, query) {
        let endpoint = called.map(|(operation, says)| Endpoint::Call(operation, says));
        let endpoint = endpoint.ok_or(NoEndpoint::UnknownPath);
        return (
            Dialect::Gemini,
            or_preflight(method, endpoint.and_then(|it| for_posting(method, it))),
        );
    }
    let (prefix, rest) = strip_prefixes(path);
    let (deployment, rest) = match prefix {
        Prefix::OpenAi => strip_deployment(rest),
        Prefix::None | Prefix::Anthropic | Prefix::Google => (None, rest),
    };
    let dialect = dialect_of(prefix, rest, headers);
    let call = |operation| {
        let says = PathSays { model: deployment.clone(), ..PathSays::default() };
        for_posting(method, Endpoint::Call(operation, says))
    };
    let endpoint = match rest {
        "" if path == "/" => for_reading(method, Endpoint::Root),
        "/chat/completions" | "/messages" => call(Operation::Chat),
        "/responses" if is_socket(method, headers) => Ok(Endpoint::Socket),
        "/responses" => call(Operation::Chat),
        "/completions" => call(Operation::Completions),
        "/embeddings" => call(Operation::Embeddings),
        "/messages/count_tokens" => call(Operation::CountTokens),
        "/models" => for_reading(method, Endpoint::Models),
        _ => match rest.strip_prefix("/models/").and_then(decode) {
            Some(id) => for_reading(method, Endpoint::Model(id)),
            None => Err(NoEndpoint::UnknownPath),
        },
    };
    (dialect, or_preflight(method, endpoint))
}

/// A browser may ask of everything that exists whether it may ask.
fn or_preflight(
    method: &Method,
    endpoint: Result<Endpoint, NoEndpoint>,
) -> Result<Endpoint, NoEndpoint> {
    match endpoint {
        Err(NoEndpoint::WrongMethod { .. }) if method == Method::OPTIONS => Ok(Endpoint::Preflight),
        other => other,
    }
}

fn is_socket(method: &Method, headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::UPGRADE).map(|it| it.as_bytes());
    method == Method::GET && wanted.is_some_and(|it| it.eq_ignore_ascii_case(b"websocket"))
}

/// Whose base URL a client was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    OpenAi,
    Anthropic,
    Google,
}

/// The path decides; where it does not (`/models`, unknown ones), the headers that only
/// Anthropic's and Google's clients send.
fn dialect_of(prefix: Prefix, rest: &str, headers: &HeaderMap) -> Dialect {
    if rest == "/messages" || rest.starts_with("/messages/") {
        return Dialect::Anthropic;
    }
    if rest == "/responses" || rest.starts_with("/responses/") {
        return Dialect::OpenAiResponses;
    }
    if rest.starts_with("/chat/") || matches!(rest, "/embeddings" | "/completions") {
        return Dialect::OpenAi;
    }
    match prefix {
        Prefix::OpenAi => Dialect::OpenAi,
        Prefix::Anthropic => Dialect::Anthropic,
        Prefix::Google => Dialect::Gemini,
        Prefix::None if headers.contains_key("anthropic-version") => Dialect::Anthropic,
        Prefix::None if headers.contains_key("x-goog-api-key") => Dialect::Gemini,
        Prefix::None => Dialect::OpenAi,
    }
}

/// Takes a provider's prefix and up to two `/v1` off the front, and one slash off the end.
fn strip_prefixes(path: &str) -> (Prefix, &str) {
    let known = [
        ("/openai", Prefix::OpenAi),
        ("/anthropic", Prefix::Anthropic),
        ("/v1beta", Prefix::Google),
    ];
    let found = known
        .into_iter()
        .find_map(|(segment, prefix)| strip_segment(path, segment).map(|rest| (prefix, rest)));
    let (prefix, mut rest) = found.unwrap_or((Prefix::None, path));
    if prefix != Prefix::Google {
        for _ in 0..2 {
            rest = strip_segment(rest, "/v1").unwrap_or(rest);
        }
    }
    (prefix, rest.strip_suffix('/').unwrap_or(rest))
}

/// Takes `/deployments/{name}` off the front: Azure's clients name the model there.
fn strip_deployment(rest: &str) -> (Option<String>, &str) {
    let Some(named) = rest.strip_prefix("/deployments/") else { return (None, rest) };
    match named.find('/').map(|at| named.split_at(at)) {
        Some((name, tail)) if !name.is_empty() => (decode(name), tail),
        Some(_) | None => (None, rest),
    }
}

fn strip_segment<'a>(path: &'a str, segment: &str) -> Option<&'a str> {
    path.strip_prefix(segment).filter(|it| it.starts_with('/'))
}

fn for_posting(method: &Method, endpoint: Endpoint) -> Result<Endpoint, NoEndpoint> {
    if method == Method::POST {
        Ok(endpoint)
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
        find(method, path, None, &HeaderMap::new())
    }

    fn call(operation: Operation) -> Endpoint {
        Endpoint::Call(operation, PathSays::default())
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
            assert_eq!(found, (Dialect::OpenAi, Ok(call(Operation::Chat))), "{path}");
        }
        for path in ["/v1/messages", "/messages", "/anthropic/v1/messages", "/v1/v1/messages"] {
            let found = check(&Method::POST, path);
            assert_eq!(found, (Dialect::Anthropic, Ok(call(Operation::Chat))), "{path}");
        }
        let count = check(&Method::POST, "/v1/messages/count_tokens");
        assert_eq!(count, (Dialect::Anthropic, Ok(call(Operation::CountTokens))));
        let embed = check(&Method::POST, "/v1/embeddings");
        assert_eq!(embed, (Dialect::OpenAi, Ok(call(Operation::Embeddings))));
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
        assert_eq!(find(&Method::GET, "/v1/models", None, &headers).0, Dialect::OpenAi);
        assert_eq!(
            find(&Method::GET, "/anthropic/v1/models", None, &headers).0,
            Dialect::Anthropic
        );
        headers.insert("anthropic-version", http::HeaderValue::from_static("2023-06-01"));
        assert_eq!(find(&Method::GET, "/v1/models", None, &headers).0, Dialect::Anthropic);
        // The path of a call decides, whatever headers say.
        assert_eq!(find(&Method::POST, "/v1/chat/completions", None, &headers).0, Dialect::OpenAi);
    }

    #[test]
    fn wrong_methods_and_unknown_paths_are_told_apart() {
        let (_, found) = check(&Method::GET, "/v1/chat/completions");
        assert_eq!(found, Err(NoEndpoint::WrongMethod { allow: "POST" }));
        let (_, found) = check(&Method::POST, "/v1/models");
        assert_eq!(found, Err(NoEndpoint::WrongMethod { allow: "GET, HEAD" }));
        for path in ["/v1", "/v2/chat/completions", "/v1/v1/v1/models", "/x", "//", "/v1beta"] {
            assert_eq!(check(&Method::GET, path).1, Err(NoEndpoint::UnknownPath), "{path}");
        }
    }

    #[test]
    fn azures_clients_name_the_model_in_the_path() {
        let path = "/openai/deployments/my%2Fgpt/chat/completions";
        let says = PathSays { model: Some("my/gpt".into()), ..PathSays::default() };
        let expected = (Dialect::OpenAi, Ok(Endpoint::Call(Operation::Chat, says)));
        assert_eq!(check(&Method::POST, path), expected);
        for path in ["/openai/deployments/x", "/openai/deployments//embeddings", "/deployments/x/y"]
        {
            assert_eq!(check(&Method::POST, path).1, Err(NoEndpoint::UnknownPath), "{path}");
        }
    }

    #[test]
    fn responses_have_a_dialect_of_their_own_and_no_websocket() {
        for path in ["/v1/responses", "/responses", "/openai/v1/responses"] {
            let found = check(&Method::POST, path);
            assert_eq!(found, (Dialect::OpenAiResponses, Ok(call(Operation::Chat))), "{path}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("upgrade", http::HeaderValue::from_static("WebSocket"));
        let (_, found) = find(&Method::GET, "/v1/responses", None, &headers);
        assert_eq!(found, Ok(Endpoint::Socket));
    }

    #[test]
    fn a_browser_may_ask_of_what_exists() {
        for path in ["/v1/chat/completions", "/v1/models", "/v1beta/models/m:generateContent"] {
            assert_eq!(check(&Method::OPTIONS, path).1, Ok(Endpoint::Preflight), "{path}");
        }
        assert_eq!(check(&Method::OPTIONS, "/x").1, Err(NoEndpoint::UnknownPath));
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
