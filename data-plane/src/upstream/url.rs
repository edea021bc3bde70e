//! Where an operation is at an account: its base URL, the dialect's path, the caller's query.
//!
//! Of what a caller writes only the model gets into a path, quoted so that it stays one
//! piece of it, and only where a dialect wants it there.

use domain::{
    catalog::{Dialect, Operation, Quirk, Quirks},
    snapshot::SeatEndpoint,
};
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

/// Where one operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Always here.
    Fixed(Url),
    /// In a path that names the model.
    OfModel(Box<OfModel>),
}

/// A path that names the model, and in its end what is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfModel {
    base: Url,
    collection: &'static str,
    /// Behind the model, for a whole answer and for a streamed one.
    verbs: [&'static str; 2],
    /// What is asked for in the query of a stream.
    stream_query: Option<&'static str>,
}

/// What of a request says where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// The model, in the provider's words.
    pub(crate) model: &'a str,
    /// Whether the answer comes as a stream.
    pub(crate) stream: bool,
    /// What the caller wrote behind the `?`, if it speaks the endpoint's dialect.
    pub(crate) query: Option<&'a str>,
}

/// Where `operation` is under the base URL of `endpoint`; `None` if there is no such
/// operation.
///
/// # Errors
/// [`InvalidBase`] says what is wrong with the base URL.
pub(crate) fn of(
    endpoint: &SeatEndpoint,
    operation: Operation,
) -> Result<Option<Place>, InvalidBase> {
    let fixed = |segments: &[&str]| -> Result<Option<Place>, InvalidBase> {
        let mut url = base(&endpoint.base_url)?;
        url.path_segments_mut().map_err(|()| InvalidBase::NoHttp)?.pop_if_empty().extend(segments);
        Ok(Some(Place::Fixed(url)))
    };
    let of_model = |collection, verbs, stream_query| -> Result<Option<Place>, InvalidBase> {
        let base = base(&endpoint.base_url)?;
        let place = OfModel { base, collection, verbs, stream_query };
        Ok(Some(Place::OfModel(Box::new(place))))
    };
    match (endpoint.dialect, operation) {
        (Dialect::OpenAi, Operation::Chat) => fixed(&["chat", "completions"]),
        (Dialect::OpenAi, Operation::Completions) => fixed(&["completions"]),
        (Dialect::OpenAi, Operation::Embeddings) => fixed(&["embeddings"]),
        (Dialect::OpenAiResponses, Operation::Chat) => fixed(&["responses"]),
        (Dialect::Anthropic, _) => match (host_of(endpoint.quirks), operation) {
            (_, Operation::Completions | Operation::Embeddings)
            | (Host::BedrockInvoke, Operation::CountTokens) => Ok(None),
            (Host::Anthropic, Operation::Chat) => fixed(&["messages"]),
            (Host::Anthropic, Operation::CountTokens) => fixed(&["messages", "count_tokens"]),
            (Host::Vertex, Operation::Chat) => {
                of_model("models", [":rawPredict", ":streamRawPredict"], None)
            }
            (Host::Vertex, Operation::CountTokens) => fixed(&["models", "count-tokens:rawPredict"]),
            (Host::BedrockInvoke, Operation::Chat) => {
                of_model("model", ["/invoke", "/invoke-with-response-stream"], None)
            }
        },
        (Dialect::Gemini, Operation::Chat) => {
            of_model("models", [":generateContent", ":streamGenerateContent"], Some("alt=sse"))
        }
        (Dialect::Gemini, Operation::CountTokens) => of_model("models", [":countTokens"; 2], None),
        (Dialect::Gemini, Operation::Embeddings) => {
            of_model("models", [":batchEmbedContents"; 2], None)
        }
        (Dialect::Bedrock, Operation::Chat) => {
            of_model("model", ["/converse", "/converse-stream"], None)
        }
        (Dialect::OpenAi | Dialect::OpenAiResponses, Operation::CountTokens)
        | (Dialect::OpenAiResponses, Operation::Completions | Operation::Embeddings)
        | (Dialect::Gemini, Operation::Completions)
        | (
            Dialect::Bedrock,
            Operation::Completions | Operation::Embeddings | Operation::CountTokens,
        ) => Ok(None),
    }
}

/// Who hosts an endpoint of Anthropic's dialect.
enum Host {
    Anthropic,
    Vertex,
    BedrockInvoke,
}

fn host_of(quirks: Quirks) -> Host {
    if quirks.has(Quirk::Vertex) {
        Host::Vertex
    } else if quirks.has(Quirk::BedrockInvoke) {
        Host::BedrockInvoke
    } else {
        Host::Anthropic
    }
}

fn base(text: &str) -> Result<Url, InvalidBase> {
    let mut url = Url::parse(text)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(InvalidBase::NoHttp);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidBase::Userinfo);
    }
    url.set_fragment(None);
    Ok(url)
}

impl Place {
    /// The URL for this request; `None` if its model can be in no path.
    pub(crate) fn url(&self, asked: Asked<'_>) -> Option<Url> {
        match self {
            Self::Fixed(url) => Some(with_query(url, asked.query)),
            Self::OfModel(it) => it.url(asked),
        }
    }
}

impl OfModel {
    fn url(&self, asked: Asked<'_>) -> Option<Url> {
        let Self { base, collection, verbs, stream_query } = self;
        let [whole, streamed] = *verbs;
        let verb = if asked.stream { streamed } else { whole };
        // Google writes the collection with the model's name, and has two of them.
        let (collection, model) = match asked.model.split_once('/') {
            Some(("models", name)) if *collection == "models" => (*collection, name),
            Some(("tunedModels", name)) if *collection == "models" => ("tunedModels", name),
            Some(_) | None => (*collection, asked.model),
        };
        // Such a segment would be resolved, not sent.
        if model.is_empty() || model.bytes().all(|it| it == b'.') {
            return None;
        }
        let front = base.path().trim_end_matches('/');
        let path = format!("{front}/{collection}/{}{verb}", quoted(model));
        let mut url = base.clone();
        url.set_path(&path);
        // A query of the caller's own is for another kind of path.
        Some(with_query(&url, stream_query.filter(|_| asked.stream)))
    }
}

/// A text as one segment of a path, as AWS wants it: only unreserved letters stay.
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            // Into a text it always succeeds.
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
    quoted
}

/// `url` with the caller's query, behind the one that the base URL may have.
fn with_query(url: &Url, query: Option<&str>) -> Url {
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
    use domain::catalog::AuthStyle;

    fn at(
        base: &str,
        (dialect, operation): (Dialect, Operation),
        quirks: Quirks,
    ) -> Result<Option<Place>, InvalidBase> {
        let (auth, output_cap_field) = (AuthStyle::Bearer, "max_tokens".into());
        let base_url = base.into();
        of(&SeatEndpoint { dialect, base_url, auth, output_cap_field, quirks }, operation)
    }

    fn chat(base: &str) -> Result<String, InvalidBase> {
        let place = at(base, (Dialect::OpenAi, Operation::Chat), Quirks::NONE)?.unwrap();
        let asked = Asked { model: "m", stream: false, query: None };
        Ok(place.url(asked).unwrap().to_string())
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
        let bad = at("http://u:p@h", (Dialect::Bedrock, Operation::Chat), Quirks::NONE);
        assert_eq!(bad, Err(InvalidBase::Userinfo));
    }

    #[test]
    fn a_dialect_without_the_operation_has_no_place() {
        let none = |dialect, operation, quirks| {
            assert_eq!(at("http://h", (dialect, operation), quirks), Ok(None), "{dialect}");
        };
        none(Dialect::Anthropic, Operation::Embeddings, Quirks::NONE);
        none(Dialect::OpenAi, Operation::CountTokens, Quirks::NONE);
        none(Dialect::Bedrock, Operation::CountTokens, Quirks::NONE);
        let invoke = Quirks::NONE.with(Quirk::BedrockInvoke);
        none(Dialect::Anthropic, Operation::CountTokens, invoke);
    }

    #[track_caller]
    fn check(base: &str, asked: (Dialect, Operation), quirks: Quirks, facts: [(&str, &str); 2]) {
        let place = at(base, asked, quirks).unwrap().unwrap();
        for (stream, (model, expected)) in [false, true].into_iter().zip(facts) {
            let url = place.url(Asked { model, stream, query: Some("alt=json&key=k") }).unwrap();
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn the_model_stands_in_the_path_where_a_dialect_wants_it() {
        let gemini = "https://g/v1beta";
        check(
            gemini,
            (Dialect::Gemini, Operation::Chat),
            Quirks::NONE,
            [
                ("gemini-2.5-pro", "https://g/v1beta/models/gemini-2.5-pro:generateContent"),
                (
                    "models/gemini-2.5-pro",
                    "https://g/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
                ),
            ],
        );
        check(
            gemini,
            (Dialect::Gemini, Operation::CountTokens),
            Quirks::NONE,
            [
                ("tunedModels/t", "https://g/v1beta/tunedModels/t:countTokens"),
                ("m", "https://g/v1beta/models/m:countTokens"),
            ],
        );
        check(
            gemini,
            (Dialect::Gemini, Operation::Embeddings),
            Quirks::NONE,
            [("e", "https://g/v1beta/models/e:batchEmbedContents"); 2],
        );
        check(
            "https://b/",
            (Dialect::Bedrock, Operation::Chat),
            Quirks::NONE,
            [
                ("us.a.c-v2:0", "https://b/model/us.a.c-v2%3A0/converse"),
                (
                    "arn:aws:bedrock:us-east-1:1:inference-profile/p",
                    "https://b/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fp/converse-stream",
                ),
            ],
        );
    }

    #[test]
    fn anthropics_dialect_has_other_paths_where_others_host_it() {
        let chat = (Dialect::Anthropic, Operation::Chat);
        check(
            "https://v/v1/projects/p/locations/l/publishers/anthropic",
            chat,
            Quirks::NONE.with(Quirk::Vertex),
            [
                (
                    "claude-x@1",
                    "https://v/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%401:rawPredict",
                ),
                (
                    "claude-x@1",
                    "https://v/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%401:streamRawPredict",
                ),
            ],
        );
        check(
            "https://b",
            chat,
            Quirks::NONE.with(Quirk::BedrockInvoke),
            [
                ("a.c:0", "https://b/model/a.c%3A0/invoke"),
                ("a.c:0", "https://b/model/a.c%3A0/invoke-with-response-stream"),
            ],
        );
    }

    #[test]
    fn a_model_cannot_leave_its_place_in_the_path() {
        let place = |dialect| at("https://b/x", (dialect, Operation::Chat), Quirks::NONE);
        let place = |dialect| place(dialect).unwrap().unwrap();
        for model in ["", ".", "..", "models/..", "models/"] {
            let asked = Asked { model, stream: false, query: None };
            for dialect in [Dialect::Gemini, Dialect::Bedrock] {
                let url = place(dialect).url(asked);
                let inside = |it: &Url| it.path().starts_with("/x/model/models%2F");
                assert!(url.as_ref().is_none_or(inside), "{model} {url:?}");
            }
        }
        for model in ["../..", "a/../../b", "a?b#c", "a%2e%2e", "\\..\\", "ä\n"] {
            let url = place(Dialect::Gemini).url(Asked { model, stream: false, query: None });
            let url = url.unwrap();
            assert_eq!(url.path_segments().unwrap().count(), 3, "{url}");
            assert!(url.path().starts_with("/x/models/") && url.query().is_none(), "{url}");
        }
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
