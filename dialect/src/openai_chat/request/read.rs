//! Reads what a caller asks for.
//!
//! Takes besides OpenAI's own form what clients are known to send to this path: the old
//! `functions`, tools in the form of responses and of Anthropic, OpenRouter's marks.

mod format;
mod message;
mod part;
mod reasoning;
mod tool;

use super::super::asked::Asked;
use crate::{
    chat::{self, Sampling, Tier},
    json::{self, Fields, Json},
    translate::{Notes, Refused},
};
pub(in crate::openai_chat) use part::{citation, citations};
use serde_json::value::RawValue;

/// Reads a request.
///
/// # Errors
/// When it is no proper request, or wants what no other dialect can say.
pub(crate) fn read(body: &[u8], notes: &mut Notes) -> Result<chat::Request, Refused> {
    let text = std::str::from_utf8(body).map_err(|_| Refused::new("body", "is no UTF-8 text"))?;
    let mut fields = Fields::parse(text).map_err(|_| Refused::new("body", "is no JSON object"))?;
    let fields = &mut fields;
    let mut asked = Asked::default();
    let mut request = chat::Request {
        model: fields.take_as("model")?.unwrap_or_default(),
        sampling: sampling(fields)?,
        max_output: max_output(fields)?,
        answers: fields.take_as("n")?,
        logprobs: logprobs(fields)?,
        reasoning: reasoning::read(fields, notes)?,
        format: format::read(fields, notes)?,
        verbosity: fields.take_as("verbosity")?,
        stream: fields.take_as("stream")?.unwrap_or_default(),
        stream_usage: stream_usage(fields, notes)?,
        user: user(fields, notes)?,
        metadata: metadata(fields)?,
        tier: fields.take_as::<String>("service_tier")?.map(tier),
        cache: part::cache_mark(fields, "", notes),
        cache_key: fields.take_as("prompt_cache_key")?,
        store: fields.take_as("store")?,
        ..chat::Request::default()
    };
    tool::read(fields, &mut request, &mut asked, notes)?;
    only_text(fields, notes)?;
    let Some(messages) = fields.take("messages") else {
        return Err(Refused::new("messages", "is missing"));
    };
    message::read(messages, &mut request, notes)?;
    for (name, _) in std::mem::take(fields).rest() {
        notes.dropped(name.into_owned());
    }
    asked.note(&mut request);
    Ok(request)
}

/// How words are chosen; also for legacy completions, which say it alike.
pub(crate) fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, Refused> {
    let logit_bias = fields.take("logit_bias").map(Json::from);
    let says_nothing = |it: &Json| it.fields().is_some_and(|fields| fields.rest().next().is_none());
    Ok(Sampling {
        temperature: fields.take_as("temperature")?,
        top_p: fields.take_as("top_p")?,
        top_k: bound(fields, "top_k")?,
        frequency_penalty: fields.take_as("frequency_penalty")?,
        presence_penalty: fields.take_as("presence_penalty")?,
        seed: fields.take_as("seed")?,
        stop: stop(fields.take("stop"))?,
        logit_bias: logit_bias.filter(|it| !says_nothing(it)),
    })
}

/// The bound of the answer. OpenAI reads the new name if both are there.
pub(crate) fn max_output(fields: &mut Fields<'_>) -> Result<Option<u64>, Refused> {
    let new = bound(fields, "max_completion_tokens")?;
    let old = bound(fields, "max_tokens")?;
    Ok(new.or(old))
}

/// A count; some clients say −1 where they mean that there is no bound.
fn bound(fields: &mut Fields<'_>, name: &str) -> Result<Option<u64>, Refused> {
    let is_negative = fields.get(name).is_some_and(|it| it.get().starts_with('-'));
    if is_negative {
        fields.take(name);
    }
    Ok(fields.take_as(name)?)
}

fn stop(raw: Option<&RawValue>) -> Result<Vec<String>, Refused> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    if let Some(text) = json::text(raw) {
        return Ok(vec![text.into_owned()]);
    }
    let texts = serde_json::from_str(raw.get());
    texts.map_err(|_| Refused::new("stop", "must be a text or an array of texts"))
}

fn logprobs(fields: &mut Fields<'_>) -> Result<Option<u32>, Refused> {
    let wanted = fields.take_as("logprobs")?.unwrap_or(false);
    let top: Option<u32> = fields.take_as("top_logprobs")?;
    if !wanted && top.is_some_and(|it| it > 0) {
        return Err(Refused::new("top_logprobs", "needs `logprobs` to be true"));
    }
    Ok(wanted.then_some(top.unwrap_or(0)))
}

/// Whether the stream shall tell its usage; also for legacy completions.
pub(crate) fn stream_usage(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<bool, Refused> {
    let Some(raw) = fields.take("stream_options") else { return Ok(false) };
    let mut options = object(raw, "stream_options")?;
    let usage = options.take_as("include_usage")?.unwrap_or(false);
    // Padding against listeners, which no translated stream has.
    options.take("include_obfuscation");
    leave(options, "stream_options", notes);
    Ok(usage)
}

/// Who the caller's user is: the new name before the old one.
fn user(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Option<String>, Refused> {
    let safety: Option<String> = fields.take_as("safety_identifier")?;
    let user: Option<String> = fields.take_as("user")?;
    if safety.is_some() && user.is_some() && safety != user {
        notes.dropped("user");
    }
    Ok(safety.or(user))
}

fn metadata(fields: &mut Fields<'_>) -> Result<Vec<(String, String)>, Refused> {
    let Some(raw) = fields.take("metadata") else { return Ok(Vec::new()) };
    let pairs = object(raw, "metadata")?.rest().map(|(key, value)| {
        let value = json::text(value).map_or_else(|| value.get().to_owned(), |it| it.into_owned());
        (key.into_owned(), value)
    });
    Ok(pairs.collect())
}

fn tier(word: String) -> Tier {
    match word.as_str() {
        "auto" => Tier::Auto,
        "default" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" => Tier::Priority,
        _ => Tier::Other(word),
    }
}

/// Other answers than text are not translated, nor are guesses at what it will be.
fn only_text(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let modalities: Vec<String> = fields.take_as("modalities")?.unwrap_or_default();
    if modalities.iter().any(|it| it != "text") {
        return Err(Refused::new("modalities", "can only be `text` for this model"));
    }
    notes.dropped_if("audio", &fields.take("audio"));
    notes.dropped_if("prediction", &fields.take("prediction"));
    Ok(())
}

/// The fields of an object that must be one.
fn object<'a>(raw: &'a RawValue, name: &str) -> Result<Fields<'a>, Refused> {
    Fields::parse(raw.get()).map_err(|_| Refused::new(name, "must be an object"))
}

/// Notes what nobody has taken out of the object `name`.
fn leave(fields: Fields<'_>, name: &str, notes: &mut Notes) {
    for (field, _) in fields.rest() {
        notes.dropped(format!("{name}.{field}"));
    }
}

#[cfg(test)]
mod tests;
