//! Where an operation is at an account: its base URL, the dialect's path, the caller's query.
//!
//! Of what a caller writes only the model gets into a path, quoted so that it stays one
//! piece of it, and only where a dialect wants it there.

use dialect::peek::is_batch;
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
    /// The same, where many are asked for at another place than one.
    OneOrMany(Box<[OfModel; 2]>),
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
        (Dialect::Gemini, Operation::Embeddings) if endpoint.quirks.has(Quirk::Vertex) => Ok(None),
        (Dialect::Gemini, Operation::Embeddings) => {
            let verb = |verb| -> Result<OfModel, InvalidBase> {
                let base = base(&endpoint.base_url)?;
                Ok(OfModel { base, collection: "models", verbs: [verb; 2], stream_query: None })
            };
            let verbs = [verb(":embedContent")?, verb(":batchEmbedContents")?];
            Ok(Some(Place::OneOrMany(Box::new(verbs))))
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
    /// The URL for this request, of this body; `None` if its model can be in no path.
    pub(crate) fn url(&self, asked: Asked<'_>, body: &[u8]) -> Option<Url> {
        match self {
            Self::Fixed(url) => Some(with_query(url, asked.query)),
            Self::OfModel(it) => it.url(asked),
            // By the body and not by the caller's path: it is what has to be understood there.
            Self::OneOrMany(it) => {
                let [one, many] = &**it;
                if is_batch(body) { many.url(asked) } else { one.url(asked) }
            }
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
mod tests;
