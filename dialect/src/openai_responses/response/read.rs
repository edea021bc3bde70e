//! Reads a provider's whole answer.

use super::usage;
use crate::{
    chat::{Answer, Call, CallInput, Choice, Content, Failure, Opaque, Part, Stop, Text, Thinking},
    error::ErrorKind,
    json::{Fields, Json, elements, text},
    openai_responses::{error, request::citations, wire::joined},
    translate::{NoAnswer, Unreadable},
};
use domain::catalog::Dialect;
use serde_json::{Number, value::RawValue};

/// What a provider answered.
///
/// # Errors
/// When it is no answer, one that is still being made, or one that failed.
pub(crate) fn read(body: &[u8]) -> Result<Answer, NoAnswer> {
    let mut fields: Fields<'_> = serde_json::from_slice(body)
        .map_err(|_| Unreadable("it is not one whole JSON object".to_owned()))?;
    let (id, model, created) = id_and_model(&mut fields);
    let items = fields.take("output").and_then(elements);
    if let Some(error) = fields.take("error") {
        return Err(NoAnswer::Failed(error::read_object(error)));
    }
    let status = fields.text("status").map(|it| it.into_owned());
    let mut parts = Vec::new();
    let mut logprobs = Vec::new();
    for item in items.iter().flatten() {
        for piece in said(item) {
            logprobs.extend(piece.logprobs);
            parts.push(piece.part);
        }
    }
    let has_calls = parts.iter().any(|it: &Part| matches!(it.content, Content::Call(_)));
    let stop = match status.as_deref() {
        Some(word @ ("failed" | "cancelled")) => {
            return Err(NoAnswer::Failed(Failure {
                kind: ErrorKind::UpstreamFailed,
                message: format!("the provider's answer is {word}"),
                code: None,
                param: None,
            }));
        }
        Some("queued" | "in_progress") => {
            return Err(Unreadable("it is not finished".to_owned()).into());
        }
        Some("incomplete") => incomplete(fields.take("incomplete_details")),
        Some(_) | None if items.is_none() => {
            return Err(Unreadable("it has no `output`".to_owned()).into());
        }
        Some(_) | None if has_calls => Stop::Calls,
        Some(_) | None => Stop::End,
    };
    let logprobs = (!logprobs.is_empty()).then(|| joined(&logprobs));
    Ok(Answer {
        id,
        model,
        created,
        choices: vec![Choice { parts, stop, logprobs }],
        usage: fields.take("usage").and_then(usage),
        tier: fields.text("service_tier").map(|it| it.into_owned()),
    })
}

/// Who answered, what the answer is called and when it was made.
pub(in crate::openai_responses) fn id_and_model(
    fields: &mut Fields<'_>,
) -> (String, String, Option<u64>) {
    let mut words = |name: &str| fields.take(name).and_then(text).unwrap_or_default().into_owned();
    let (id, model) = (words("id"), words("model"));
    let created: Option<Number> = fields.take_as("created_at").ok().flatten();
    let created = created.and_then(|it| it.as_u64().or_else(|| it.as_f64().map(|it| it as u64)));
    (id, model, created)
}

/// Why an answer ended early.
pub(in crate::openai_responses) fn incomplete(details: Option<&RawValue>) -> Stop {
    let details = details.and_then(|it| Fields::parse(it.get()).ok()).unwrap_or_default();
    match details.text("reason").as_deref() {
        Some("max_output_tokens" | "max_tokens") | None => Stop::Length,
        Some("content_filter") => Stop::Refused,
        Some(other) => Stop::Failed(other.to_owned()),
    }
}

/// A piece of an answer.
#[derive(Debug)]
pub(in crate::openai_responses) struct Said {
    pub(in crate::openai_responses) part: Part,
    /// Of a text.
    pub(in crate::openai_responses) logprobs: Option<Json>,
}

impl Said {
    const fn plain(content: Content) -> Self {
        Self { part: Part::new(content), logprobs: None }
    }
}

/// What an item says. What OpenAI's own tools did is no part of an answer elsewhere.
pub(in crate::openai_responses) fn said(item: &RawValue) -> Vec<Said> {
    let Ok(mut fields) = Fields::parse(item.get()) else { return Vec::new() };
    match fields.text("type").as_deref() {
        Some("message") => {
            let parts = fields.take("content").and_then(elements).unwrap_or_default();
            parts.into_iter().filter_map(message_part).collect()
        }
        Some("reasoning") => thinking(&mut fields).map(Said::plain).into_iter().collect(),
        Some("function_call") => {
            let said = fields.take("arguments");
            let said = said.map(|it| text(it).unwrap_or_else(|| it.get().into()));
            let input = match said.as_deref().map(str::trim) {
                Some("" | "null") | None => CallInput::Json(Json::empty_object()),
                Some(json) => match Json::parse(json).filter(Json::is_object) {
                    Some(json) => CallInput::Json(json),
                    None => CallInput::Text(json.to_owned()),
                },
            };
            vec![call(&fields, input)]
        }
        Some("custom_tool_call") => {
            let input = fields.text("input").unwrap_or_default().into_owned();
            vec![call(&fields, CallInput::Text(input))]
        }
        Some(_) | None => Vec::new(),
    }
}

fn message_part(raw: &RawValue) -> Option<Said> {
    let mut fields = Fields::parse(raw.get()).ok()?;
    match fields.text("type").as_deref() {
        Some("output_text" | "text") => {
            let text = fields.text("text")?.into_owned();
            let citations = fields.take("annotations").map(citations).unwrap_or_default();
            let logprobs = fields.take("logprobs").filter(|it| has_any(it)).map(Json::from);
            let content = Content::Text(Text { text, citations });
            Some(Said { part: Part::new(content), logprobs })
        }
        Some("refusal") => {
            Some(Said::plain(Content::Refusal(fields.text("refusal")?.into_owned())))
        }
        Some(_) | None => None,
    }
}

/// Whether it is an array that is not empty.
fn has_any(raw: &RawValue) -> bool {
    let inner = raw.get().strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inner.is_some_and(|it| !it.trim().is_empty())
}

fn thinking(fields: &mut Fields<'_>) -> Option<Content> {
    let mut lists = ["summary", "content"].into_iter();
    let text = lists.find_map(|it| {
        let text = fields.take(it).map(texts).unwrap_or_default();
        Some(text).filter(|it| !it.is_empty())
    });
    let state = fields.text("encrypted_content").filter(|it| !it.is_empty());
    if text.is_none() && state.is_none() {
        return None;
    }
    let opaque = state.map(|it| Opaque { origin: Dialect::OpenAiResponses, data: it.into_owned() });
    Some(Content::Thinking(Thinking { text: text.unwrap_or_default(), opaque, redacted: false }))
}

/// The texts of a list of parts, as one.
fn texts(raw: &RawValue) -> String {
    let parts = elements(raw).unwrap_or_default();
    let texts = parts.into_iter().filter_map(|it| {
        let text = Fields::parse(it.get()).ok()?.text("text")?.into_owned();
        Some(text).filter(|it| !it.is_empty())
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

fn call(fields: &Fields<'_>, input: CallInput) -> Said {
    let id = fields.text("call_id").or_else(|| fields.text("id")).unwrap_or_default();
    Said::plain(Content::Call(Call {
        id: id.into_owned(),
        name: fields.text("name").unwrap_or_default().into_owned(),
        namespace: fields.text("namespace").map(|it| it.into_owned()),
        input,
        opaque: None,
    }))
}
