//! Where an operation is at an account: its base URL, the dialect's path, the caller's query.
//!
//! Nothing that a caller writes gets into the path.

use domain::catalog::{Dialect, Operation};
use reqwest::Url;

/// Why a base URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBase {
    #[error("the base URL is no URL: {0}")]
    NoUrl(#[from] ::url::ParseError),
    #[error("the base URL must begin with http:// or https:// and name a host")]
    NoHttp,
    #[error("the base URL holds a user name or a password: set the account's credential instead")]
    Userinfo,
}

/// The URL of `operation` under `base`; `None` if the dialect has no such operation.
///
/// # Errors
/// [`InvalidBase`] says what is wrong with `base`.
pub(crate) fn of(
    base: &str,
    dialect: Dialect,
    operation: Operation,
) -> Result<Option<Url>, InvalidBase> {
    let segments: &[&str] = match (dialect, operation) {
        (Dialect::OpenAi, Operation::Chat) => &["chat", "completions"],
        (Dialect::OpenAi, Operation::Embeddings) => &["embeddings"],
        (Dialect::Anthropic, Operation::Chat) => &["messages"],
        (Dialect::Anthropic, Operation::CountTokens) => &["messages", "count_tokens"],
        (Dialect::OpenAiResponses, Operation::Chat) => &["responses"],
        (Dialect::OpenAi | Dialect::OpenAiResponses, Operation::CountTokens)
        | (Dialect::Anthropic | Dialect::OpenAiResponses, Operation::Embeddings)
        | (Dialect::Gemini | Dialect::Bedrock, _) => return Ok(None),
    };
    let mut url = Url::parse(base)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(InvalidBase::NoHttp);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidBase::Userinfo);
    }
    url.set_fragment(None);
    url.path_segments_mut().map_err(|()| InvalidBase::NoHttp)?.pop_if_empty().extend(segments);
    Ok(Some(url))
}

/// `url` with the caller's query, behind the one that the base URL may have.
pub(crate) fn with_query(url: &Url, query: Option<&str>) -> Url {
    let mut url = url.clone();
    if let Some(query) = query.filter(|it| !it.is_empty()) {
        match url.query().map(|own| format!("{own}&{query}")) {
            Some(both) => url.set_query(Some(&both)),
            None => url.set_query(Some(query)),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(base: &str) -> Result<String, InvalidBase> {
        of(base, Dialect::OpenAi, Operation::Chat).map(|it| it.unwrap().to_string())
    }

    #[test]
    fn the_path_is_appended_to_whatever_the_base_has() {
        for (base, expected) in [
            ("http://h/v1", "http://h/v1/chat/completions"),
            ("http://h/v1/", "http://h/v1/chat/completions"),
            ("http://h", "http://h/chat/completions"),
            ("http://h/a%2Fb?api-version=1", "http://h/a%2Fb/chat/completions?api-version=1"),
        ] {
            assert_eq!(chat(base).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_place_to_send_a_credential_to_is_refused() {
        for base in ["", "h/v1", "ftp://h/v1", "http://u:p@h/v1", "file:///etc/passwd"] {
            assert!(chat(base).is_err(), "{base}");
        }
    }

    #[test]
    fn a_dialect_without_the_operation_has_no_url() {
        assert_eq!(of("http://h", Dialect::Anthropic, Operation::Embeddings), Ok(None));
        assert_eq!(of("http://h", Dialect::OpenAi, Operation::CountTokens), Ok(None));
    }

    #[test]
    fn the_callers_query_stands_behind_the_bases_own() {
        let at = |base: &str, query| with_query(&Url::parse(base).unwrap(), query).to_string();
        assert_eq!(at("http://h/m", Some("beta=true")), "http://h/m?beta=true");
        assert_eq!(at("http://h/m?v=1", Some("beta=true")), "http://h/m?v=1&beta=true");
        assert_eq!(at("http://h/m?v=1", None), "http://h/m?v=1");
        assert_eq!(at("http://h/m", Some("a=/../x#y")), "http://h/m?a=/../x%23y");
    }
}
