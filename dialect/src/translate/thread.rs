//! What has to be remembered of a request to translate its answer.

use crate::json::Json;
use std::collections::BTreeMap;

/// What the answer's writer has to know of the request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thread {
    /// Our id of the request, for ids of answers to which the provider gives none.
    pub request: String,
    /// When it was received, in seconds since the Unix epoch.
    pub received_at: u64,
    /// What the caller wrote in `model`.
    pub alias: String,
    /// Whether the caller's stream tells its usage (OpenAI chat).
    pub stream_usage: bool,
    /// Whether the caller wants to read thoughts, where its dialect lets it choose.
    pub thoughts: bool,
    /// Whether the caller wants the state of thoughts, where its dialect lets it choose.
    pub wants_opaque: bool,
    /// The request's own fields as they came, for answers that repeat them.
    pub echo: Vec<(String, Json)>,
    /// Tools that are called otherwise upstream.
    pub names: Names,
    /// Whether the caller asked for a text to be continued (OpenAI's legacy completions).
    pub completion: bool,
    /// The tool that stands for a structured answer, where the provider has none.
    pub emulated_format: Option<String>,
}

/// Tools by their names upstream, as far as these differ from what the caller calls them,
/// or their input does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(BTreeMap<String, Original>);

/// A tool as the caller knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The caller's name for it.
    pub name: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Whether the caller wants its input as free text, which stands upstream in the one
    /// field `input` of an object.
    pub wrapped: bool,
}

impl Names {
    /// Remembers whom `upstream` stands for.
    pub fn add(&mut self, upstream: String, original: Original) {
        self.0.insert(upstream, original);
    }

    /// The caller's tool of this name upstream, if it is another.
    pub fn original(&self, upstream: &str) -> Option<&Original> {
        self.0.get(upstream)
    }

    /// The name upstream of a caller's tool, if it is another.
    pub fn upstream(&self, name: &str, namespace: Option<&str>) -> Option<&str> {
        let is_it = |it: &Original| it.name == name && it.namespace.as_deref() == namespace;
        self.0.iter().find(|(_, it)| is_it(it)).map(|(upstream, _)| upstream.as_str())
    }
}
