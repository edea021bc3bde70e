//! The little that we need of a request's body before deciding: model, stream, size.
//!
//! Checks that the whole body is one JSON object and knows where in it the few
//! values stand that [`crate::splice`] may replace; reads no message, and leaves
//! every field that it does not know to the provider.

mod depth;
mod estimate;
mod inner;
mod kept;
mod output;
mod read;

pub use depth::MAX_DEPTH;
pub(crate) use inner::Spot;
pub use output::Output;
pub(crate) use output::Room;

use domain::catalog::Dialect;
use read::{Envelope, Known, Options, Text};
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// The longest `model` that is looked up, in bytes: more than any name can have.
pub const MAX_MODEL_LEN: usize = 512;

/// What a request's body says to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek<'a> {
    /// What the caller wrote in `model`, with JSON's escapes undone, or in the path; never
    /// empty.
    pub model: Cow<'a, str>,
    /// Where the model's name is to be written.
    pub(crate) model_place: ModelPlace,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether an OpenAI stream would report its usage.
    pub stream_usage: StreamUsage,
    /// How long the answer is asked to be.
    pub output: Output,
    /// The response that the request goes on from (OpenAI's responses); raw JSON.
    previous: Option<&'a str>,
    /// The conversation that it belongs to there; raw JSON.
    conversation: Option<&'a str>,
    prompt: [Option<&'a str>; Known::PROMPTS],
    has_stream_options: bool,
}

impl Peek<'_> {
    /// Where the value of `model` stands in the body, its quotes included, in bytes; `None`
    /// if it stands in the path alone.
    pub fn model_span(&self) -> Option<Range<usize>> {
        match &self.model_place {
            ModelPlace::Value { at, .. } => Some(at.clone()),
            ModelPlace::Entry(_) | ModelPlace::Path(_) => None,
        }
    }

    /// Guesses the input tokens from the raw text of what is fed to the model
    /// (`messages`, `input`, `prompt`, `system`, `tools` and such), JSON's own signs included:
    /// chat templates add about as many. Long base64 texts, such as images, count
    /// a flat 1,000. Reads all of that text again: call it only where nobody counted.
    pub fn input_text_estimate(&self) -> u64 {
        self.prompt.iter().flatten().fold(0, |sum, it| sum.saturating_add(estimate::of_raw(it)))
    }

    /// Guesses them on the high side, for what has to be set aside before anybody has
    /// counted: three bytes to a token, rounded up; images flat as above.
    pub fn input_reserve_estimate(&self) -> u64 {
        let of = estimate::reserve_of_raw;
        self.prompt.iter().flatten().fold(0, |sum, it| sum.saturating_add(of(it)))
    }

    /// The response that the request goes on from, which the provider keeps. What is no text
    /// is the name of none.
    pub fn previous_response(&self) -> Option<String> {
        serde_json::from_str(self.previous?).unwrap_or_else(|_| Some(String::new()))
    }

    /// The field that stands for what else a provider of OpenAI's responses keeps: a
    /// conversation, or an item of one.
    pub fn kept_elsewhere(&self) -> Option<&'static str> {
        if self.conversation.is_some_and(|it| it != "null") {
            return Some("conversation");
        }
        let input = self.given().input?;
        kept::has_reference(input).then_some("input.item_reference")
    }

    /// Whether it wraps the request whose tokens are to be counted, as AI Studio alone reads it.
    pub fn wraps_request(&self) -> bool {
        let wrapped = self.prompt.get(Known::GenerateContentRequest as usize).copied().flatten();
        wrapped.is_some_and(|it| it != "null")
    }

    /// What stands under the names by which dialects are told apart.
    pub(crate) fn given(&self) -> Given<'_> {
        let at = |known: Known| self.prompt.get(known as usize).copied().flatten();
        let at = |known| at(known).filter(|it| *it != "null");
        Given {
            messages: at(Known::Messages),
            input: at(Known::Input),
            system: at(Known::System),
            tools: at(Known::Tools),
            contents: at(Known::Contents),
            openai_only: self.has_stream_options || self.output.has_completion_cap(),
        }
    }

    /// The most output tokens that the request asks for: its greatest bound, for each of
    /// its answers. `None`: it sets no bound.
    pub fn asked_output(&self) -> Option<u64> {
        self.output.largest().map(|it| it.saturating_mul(self.output.answers()))
    }

    /// Where in `body`, of which this is said, a bound named `field` can be written.
    pub(crate) fn output_room(&self, body: &[u8], field: &str) -> Option<Room> {
        let elsewhere = !output::is_known(field)
            && field != output::GEMINI_FIELD
            && std::str::from_utf8(body).is_ok_and(|it| read::has_key(it, field));
        self.output.room(field).filter(|_| !elsewhere)
    }
}

/// What a body has of what tells dialects apart: raw JSON, but for what only OpenAI has.
pub(crate) struct Given<'a> {
    pub(crate) messages: Option<&'a str>,
    pub(crate) input: Option<&'a str>,
    pub(crate) system: Option<&'a str>,
    pub(crate) tools: Option<&'a str>,
    pub(crate) contents: Option<&'a str>,
    /// Whether it has fields that only OpenAI's chats have.
    pub(crate) openai_only: bool,
}

/// Where the name of a model is to be written in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelPlace {
    /// In place of the value that stands there, its quotes included; in bytes.
    Value {
        at: Range<usize>,
        /// Whether that need not be [`Peek::model`], because the path named another.
        differs: bool,
    },
    /// With its key, here: the path named it, and the body does not.
    Entry(usize),
    /// Into the path, and in full wherever a body of Google's repeats it.
    Path(Vec<Spot>),
}

/// Whether `stream_options.include_usage` is true already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamUsage {
    /// It is: the caller wants to see the usage.
    Asked,
    /// It is absent, `null` or false.
    NotAsked(Missing),
}

/// What [`crate::splice`] has to write, and where, to make `include_usage` true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The bytes of the body to replace; empty for an insertion.
    pub(crate) at: Range<usize>,
    pub(crate) text: &'static str,
}

/// Why a body is refused. Its message says the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub struct Refused {
    /// What is wrong; never quotes the body's values.
    pub reason: String,
    /// The field that is to blame, if one is.
    pub param: Option<&'static str>,
    /// The line of the place, from 1.
    pub line: usize,
    /// The column of the place in bytes, from 1.
    pub column: usize,
}

impl Refused {
    fn at(body: &[u8], offset: usize, param: Option<&'static str>, reason: String) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let line = memchr::memchr_iter(b'\n', before).count().saturating_add(1);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |it| it.saturating_add(1));
        let column = before.len().saturating_sub(line_start).saturating_add(1);
        Self { reason, param, line, column }
    }

    fn of_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let reason = format!("not JSON: {}", text.strip_suffix(&place).unwrap_or(&text));
        Self { reason, param: None, line: line.max(1), column: column.max(1) }
    }
}

/// Looks into a request's body without copying it.
///
/// # Errors
/// [`Refused`] unless the body is one strict JSON object in UTF-8, nested at most
/// [`MAX_DEPTH`] deep, with a `model` and none of the fields that we read twice: a
/// provider must not read another model or another length than we did.
pub fn peek(body: &[u8]) -> Result<Peek<'_>, Refused> {
    peek_in(Dialect::OpenAi, body, None)
}

/// The same for a body of this dialect. `named`: the model that the path names, in
/// dialects and at endpoints that name it there. Then the body needs none.
///
/// # Errors
/// As [`peek`].
pub fn peek_in<'a>(
    dialect: Dialect,
    body: &'a [u8],
    named: Option<&'a str>,
) -> Result<Peek<'a>, Refused> {
    let refuse = |at: usize, why: &str| Refused::at(body, at, None, why.to_owned());
    let text = std::str::from_utf8(body)
        .map_err(|error| refuse(error.valid_up_to(), "not JSON: the body is not UTF-8"))?;
    let open = body.iter().position(|it| !matches!(it, b' ' | b'\t' | b'\n' | b'\r'));
    let open = match open {
        None => return Err(refuse(0, "not JSON: the body is empty")),
        Some(at) if body.get(at) == Some(&b'{') => at,
        Some(at) => return Err(refuse(at, "the body must be a JSON object")),
    };
    depth::check(body)
        .map_err(|at| refuse(at, &format!("the body is nested deeper than {MAX_DEPTH}")))?;
    let envelope: Envelope<'_> =
        serde_json::from_str(text).map_err(|error| Refused::of_json(&error))?;
    let inside = body.get(open..).unwrap_or_default().get(1..).unwrap_or_default();
    if named.is_some() && inside.trim_ascii_start().starts_with(b"}") {
        // What is added to a body stands before something that is there.
        return Err(refuse(open, "the body asks for nothing"));
    }
    Looking { body: text, dialect, named }.at_envelope(&envelope, open)
}

/// Whether a body of Google's asks for many vectors, in `requests`.
pub fn is_batch(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|it| read::has_key(it, "requests"))
}

struct Looking<'a> {
    body: &'a str,
    dialect: Dialect,
    named: Option<&'a str>,
}

impl<'a> Looking<'a> {
    fn at_envelope(&self, envelope: &Envelope<'a>, open: usize) -> Result<Peek<'a>, Refused> {
        if let Some((key, again)) = envelope.twice {
            return Err(self.blame(key, again, format!("`{key}` is given twice: keep one")));
        }
        if let Some(again) = envelope.other_case {
            let reason = "a key differs from `model` in its case only, and some providers would \
                          read it as the model: remove it";
            return Err(self.blame("model", again, reason.to_owned()));
        }
        let front = open.saturating_add(1);
        let (model, model_place) = self.model_of(envelope, open, front)?;
        Ok(Peek {
            model,
            model_place,
            stream: self.stream(envelope.at(Known::Stream))?,
            stream_usage: self.stream_usage(envelope.at(Known::StreamOptions), open)?,
            output: Output::of(self.dialect, envelope, front, |it| self.span(it)),
            previous: envelope.at(Known::PreviousResponse).map(RawValue::get),
            conversation: envelope.at(Known::Conversation).map(RawValue::get),
            prompt: envelope.prompts(),
            has_stream_options: envelope.at(Known::StreamOptions).is_some(),
        })
    }

    fn model_of(
        &self,
        envelope: &Envelope<'a>,
        open: usize,
        front: usize,
    ) -> Result<(Cow<'a, str>, ModelPlace), Refused> {
        match (self.named, envelope.at(Known::Model)) {
            (None, None) => {
                let reason = "`model` is missing: name the model to use".to_owned();
                Err(Refused::at(self.body.as_bytes(), open, Some("model"), reason))
            }
            (None, Some(raw)) => {
                Ok((self.model(raw)?, ModelPlace::Value { at: self.span(raw), differs: false }))
            }
            (Some(named), _) if named.len() > MAX_MODEL_LEN => {
                let reason = format!("the model in the path is longer than {MAX_MODEL_LEN} bytes");
                Err(Refused::at(self.body.as_bytes(), open, Some("model"), reason))
            }
            (Some(named), raw) => {
                let place = match (self.dialect, raw) {
                    (Dialect::Gemini, _) => {
                        ModelPlace::Path(inner::spots(envelope, |it| self.span(it)))
                    }
                    (Dialect::Bedrock, _) => ModelPlace::Path(Vec::new()),
                    (_, Some(raw)) => ModelPlace::Value { at: self.span(raw), differs: true },
                    (_, None) => ModelPlace::Entry(front),
                };
                Ok((Cow::Borrowed(named), place))
            }
        }
    }

    fn model(&self, raw: &'a RawValue) -> Result<Cow<'a, str>, Refused> {
        let Ok(Text(model)) = serde_json::from_str(raw.get()) else {
            return Err(self.blame("model", raw, "`model` must be a string".to_owned()));
        };
        if model.is_empty() {
            let reason = "`model` is empty: name the model to use";
            return Err(self.blame("model", raw, reason.to_owned()));
        }
        if model.len() > MAX_MODEL_LEN {
            let reason = format!("`model` is longer than {MAX_MODEL_LEN} bytes");
            return Err(self.blame("model", raw, reason));
        }
        Ok(model)
    }

    fn stream(&self, raw: Option<&'a RawValue>) -> Result<bool, Refused> {
        let Some(raw) = raw else { return Ok(false) };
        match raw.get() {
            "true" => Ok(true),
            "false" | "null" => Ok(false),
            _ => Err(self.blame("stream", raw, "`stream` must be true or false".to_owned())),
        }
    }

    fn stream_usage(&self, raw: Option<&'a RawValue>, open: usize) -> Result<StreamUsage, Refused> {
        const PARAM: &str = "stream_options";
        let missing = |at, text| Ok(StreamUsage::NotAsked(Missing { at, text }));
        let behind = |open: usize| open.saturating_add(1)..open.saturating_add(1);
        let Some(raw) = raw else {
            return missing(behind(open), r#""stream_options":{"include_usage":true},"#);
        };
        let span = self.span(raw);
        if raw.get() == "null" {
            return missing(span, r#"{"include_usage":true}"#);
        }
        let Ok(options) = serde_json::from_str::<Options<'_>>(raw.get()) else {
            let reason = "`stream_options` must be an object".to_owned();
            return Err(self.blame(PARAM, raw, reason));
        };
        if let Some(again) = options.twice {
            let reason = "`stream_options.include_usage` is given twice: keep one".to_owned();
            return Err(self.blame(PARAM, again, reason));
        }
        match options.include_usage.map(|it| (it, it.get())) {
            Some((_, "true")) => Ok(StreamUsage::Asked),
            Some((it, "false" | "null")) => missing(self.span(it), "true"),
            Some((it, _)) => {
                let reason = "`stream_options.include_usage` must be true or false".to_owned();
                Err(self.blame(PARAM, it, reason))
            }
            None if options.empty => missing(behind(span.start), r#""include_usage":true"#),
            None => missing(behind(span.start), r#""include_usage":true,"#),
        }
    }

    fn blame(&self, param: &'static str, place: &RawValue, reason: String) -> Refused {
        Refused::at(self.body.as_bytes(), self.span(place).start, Some(param), reason)
    }

    /// Where a value that was borrowed from the body stands in it.
    fn span(&self, raw: &RawValue) -> Range<usize> {
        let start = raw.get().as_ptr().addr().saturating_sub(self.body.as_ptr().addr());
        start..start.saturating_add(raw.get().len())
    }
}

#[cfg(test)]
mod tests;
