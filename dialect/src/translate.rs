//! From one dialect to another, by the common form: what a caller says is read into
//! [`crate::chat`] and written for the provider, and the answer goes the other way.
//!
//! Each thing that a target cannot say is either said differently, which [`Notes`] name,
//! or [`Refused`]. Nothing is dropped in silence unless it has no effect on the answer.

mod addresses;
mod answering;
mod array;
mod call_ids;
mod errand;
mod fetched;
mod fit;
mod frames;
mod ids;
mod notes;
mod opaque;
mod restore;
mod sequence;
mod sniff;
mod target;
mod thread;
#[cfg(test)]
mod toy;
mod voice;
mod whole;

pub use addresses::AddressReader;
pub use answering::{Answering, First, Told};
pub use array::Elements;
pub use errand::{Errand, Way, count, embed, read_count};
pub use fetched::{Address, FileKind};
pub(crate) use ids::answer_id;
pub use notes::{How, Note, Notes, Refused};
pub use opaque::{open, seal};
pub use sniff::sniff;
pub use target::Target;
pub use thread::{Names, Original, Thread};

use crate::{
    chat,
    error::{self, ErrorKind},
    inline, openai_completions,
};
use bytes::Bytes;
use domain::catalog::Dialect;
use voice::Voice;

/// Most bytes of one answer that are held at a time, where one has to be held.
pub const MAX_HELD: usize = 64 * 1024 * 1024;

/// Most bytes that are read of one stream; the longest answers of models take a tenth of it.
pub const MAX_STREAM: usize = 4 * MAX_HELD;

/// An answer of a provider that is not what its dialect says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer cannot be read: {0}")]
pub struct Unreadable(pub String);

/// Why a body that came with a good status holds no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NoAnswer {
    /// It cannot be read.
    Unreadable(Unreadable),
    /// It says that the provider failed.
    Failed(chat::Failure),
}

impl From<Unreadable> for NoAnswer {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

/// Whether requests of this dialect can be read, and answers written in it.
pub fn callers_speak(dialect: Dialect) -> bool {
    voice::voice(dialect).is_some_and(|it| it.caller.is_some())
}

/// Whether requests can be written in this dialect, and answers of it read.
pub fn providers_speak(dialect: Dialect) -> bool {
    voice::voice(dialect).is_some()
}

/// What a request's path says of what other dialects say in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathWords<'a> {
    /// The model, where the path names it.
    pub model: Option<&'a str>,
    /// Whether the answer is to come as a stream, where the path tells it.
    pub stream: Option<bool>,
}

/// A caller's request, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// In whose dialect its body was.
    pub dialect: Dialect,
    /// What it says.
    pub request: chat::Request,
    /// What was adapted already in reading.
    pub notes: Notes,
    /// Whether it asks for a text to be continued, which is told in a form of its own.
    pub completion: bool,
}

/// Reads a caller's request. `dialect` is the body's, see [`sniff()`].
///
/// # Errors
/// When it is no proper request of that dialect, says nothing, or says what the common form
/// cannot.
pub fn read(dialect: Dialect, body: &[u8], path: PathWords<'_>) -> Result<Reading, Refused> {
    let voice = voice::voice(dialect).ok_or_else(|| unspoken(dialect))?;
    let reading = read_by(voice, dialect, body, path)?;
    if reading.request.says_nothing() {
        let field = match dialect {
            Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock => "messages",
            Dialect::OpenAiResponses => "input",
            Dialect::Gemini => "contents",
        };
        return Err(Refused::new(field, "holds nothing that could be answered"));
    }
    let is_told = |(_, it): (chat::Medium, &chat::Source)| match it {
        chat::Source::Base64 { mime, .. } => inline::is_media_type(mime),
        chat::Source::Url { .. } | chat::Source::Text(_) => true,
    };
    if !reading.request.sources().all(is_told) {
        let field = match dialect {
            Dialect::OpenAi | Dialect::Bedrock => "messages.content",
            Dialect::OpenAiResponses => "input.content",
            Dialect::Anthropic => "messages.content.source.media_type",
            Dialect::Gemini => "contents.parts.inlineData.mimeType",
        };
        return Err(Refused::new(field, "names a media type that is none"));
    }
    Ok(reading)
}

/// Reads a request of OpenAI's legacy completions.
///
/// # Errors
/// When it is none, or asks for what no chat can give.
pub fn read_completion(body: &[u8], path: PathWords<'_>) -> Result<Reading, Refused> {
    let mut notes = Notes::default();
    let request = openai_completions::request::read(body, &mut notes)?;
    Ok(path.complete(Reading { dialect: Dialect::OpenAi, request, notes, completion: true }))
}

impl PathWords<'_> {
    fn complete(self, mut reading: Reading) -> Reading {
        if let Some(model) = self.model {
            model.clone_into(&mut reading.request.model);
        }
        reading.request.stream = self.stream.unwrap_or(reading.request.stream);
        reading
    }
}

fn read_by(
    voice: &Voice,
    dialect: Dialect,
    body: &[u8],
    path: PathWords<'_>,
) -> Result<Reading, Refused> {
    let caller = voice.caller.as_ref().ok_or_else(|| unspoken(dialect))?;
    let mut notes = Notes::default();
    let request = (caller.read)(body, &mut notes)?;
    Ok(path.complete(Reading { dialect, request, notes, completion: false }))
}

/// What is sent to a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The body.
    pub body: Bytes,
    /// All that was adapted, in reading and in writing.
    pub notes: Notes,
    /// What [`Answering`] has to know of the request.
    pub thread: Thread,
}

impl Reading {
    /// Writes the request for a provider. `request_id` is ours, and `received_at` is when
    /// the request came, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When the target's dialect cannot say it.
    pub fn write(
        &self,
        target: &Target<'_>,
        request_id: &str,
        received_at: u64,
    ) -> Result<Outgoing, Refused> {
        let voice = voice::voice(target.dialect).ok_or_else(|| unspoken(target.dialect))?;
        self.write_by(voice, target, request_id, received_at)
    }

    fn write_by(
        &self,
        voice: &Voice,
        target: &Target<'_>,
        request_id: &str,
        received_at: u64,
    ) -> Result<Outgoing, Refused> {
        addresses::readable(&self.request, target)?;
        let mut notes = self.notes.clone();
        let mut thread = self.thread(request_id, received_at);
        let request = fit::fit(&self.request, target, &mut thread, &mut notes);
        let body = (voice.provider.write)(&request, target, &mut thread, &mut notes)?;
        Ok(Outgoing { body: body.into(), notes, thread })
    }

    fn thread(&self, request_id: &str, received_at: u64) -> Thread {
        let reasoning = self.request.reasoning.as_ref();
        // Where the caller does not say it: whether its dialect shows thoughts unasked.
        let unasked = match self.dialect {
            Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock => true,
            Dialect::OpenAiResponses | Dialect::Gemini => false,
        };
        let shown = reasoning.and_then(|it| it.show).map(|it| it == chat::Show::Summary);
        Thread {
            request: request_id.to_owned(),
            received_at,
            alias: self.request.model.clone(),
            stream_usage: self.request.stream_usage,
            thoughts: shown.unwrap_or(unasked),
            wants_opaque: reasoning.is_some_and(|it| it.wants_opaque),
            echo: self.request.echo.clone(),
            names: Names::default(),
            completion: self.completion,
            emulated_format: None,
        }
    }
}

/// What an upstream's error answer says.
pub fn failure(from: Dialect, status: u16, body: &[u8]) -> chat::Failure {
    match voice::voice(from) {
        Some(voice) => (voice.provider.read_error)(status, body),
        None => chat::Failure {
            kind: ErrorKind::UpstreamFailed,
            message: format!("the provider answered with status {status}"),
            code: None,
            param: None,
        },
    }
}

/// The body of an error answer for a caller of this dialect.
pub fn error_body(to: Dialect, failure: &chat::Failure, request_id: &str) -> Bytes {
    match voice::voice(to).and_then(|it| it.caller.as_ref()) {
        Some(caller) => (caller.write_error)(failure, request_id).into(),
        None => {
            error::body(to, failure.kind, &failure.message, request_id, failure.param.as_deref())
        }
    }
}

fn unspoken(dialect: Dialect) -> Refused {
    Refused::new("model", format!("requests cannot be translated by way of {dialect}"))
}

#[cfg(test)]
mod tests;
