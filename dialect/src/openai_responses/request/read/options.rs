//! Reads what stands beside the conversation: sampling, reasoning, the answer's form.

use super::{leave, list, object, words};
use crate::{
    chat::{self, Effort, Format, Reasoning, Sampling, Show, Tier},
    json::{Fields, Json, text},
    translate::{Notes, Refused},
};

/// Asks for the state of thoughts.
const ENCRYPTED: &str = "reasoning.encrypted_content";
/// Asks for the logarithms of probabilities.
const LOGPROBS: &str = "message.output_text.logprobs";

/// Reads all of them.
pub(super) fn read(
    fields: &mut Fields<'_>,
    request: &mut chat::Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    request.max_output = fields.take_as("max_output_tokens")?;
    request.stream = fields.take_as("stream")?.unwrap_or(false);
    request.store = fields.take_as("store")?;
    request.cache_key = words(fields, "prompt_cache_key", "prompt_cache_key")?;
    request.sampling = Sampling {
        temperature: fields.take_as("temperature")?,
        top_p: fields.take_as("top_p")?,
        // Not OpenAI's own, but of others who speak as it does.
        frequency_penalty: fields.take_as("frequency_penalty")?,
        presence_penalty: fields.take_as("presence_penalty")?,
        top_k: fields.take_as("top_k")?,
        ..Sampling::default()
    };
    request.metadata = metadata(fields)?;
    request.user = user(fields, notes)?;
    request.tier = words(fields, "service_tier", "service_tier")?.map(tier);
    reasoning(fields, request, notes)?;
    include(fields, request, notes)?;
    form(fields, request, notes)?;
    without_meaning(fields, notes)
}

fn metadata(fields: &mut Fields<'_>) -> Result<Vec<(String, String)>, Refused> {
    let Some(raw) = fields.take("metadata") else { return Ok(Vec::new()) };
    let pairs = object(raw, "metadata")?.rest().map(|(name, value)| {
        let value = text(value).ok_or_else(|| Refused::new("metadata", "has to hold texts"))?;
        Ok((name.into_owned(), value.into_owned()))
    });
    pairs.collect()
}

fn user(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Option<String>, Refused> {
    let identifier = words(fields, "safety_identifier", "safety_identifier")?;
    let user = words(fields, "user", "user")?;
    if identifier.is_some() {
        notes.dropped_if("user", &user);
    }
    Ok(identifier.or(user))
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

fn reasoning(
    fields: &mut Fields<'_>,
    request: &mut chat::Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let Some(raw) = fields.take("reasoning") else { return Ok(()) };
    let mut inner = object(raw, "reasoning")?;
    let mut reasoning = Reasoning::default();
    if let Some(word) = words(&mut inner, "effort", "reasoning.effort")? {
        reasoning.effort = Effort::parse(&word);
        if reasoning.effort.is_none() {
            notes.dropped("reasoning.effort");
        }
    }
    let summary = words(&mut inner, "summary", "reasoning.summary")?;
    let old = words(&mut inner, "generate_summary", "reasoning.generate_summary")?;
    reasoning.show = summary.or(old).map(|word| match word.as_str() {
        "none" => Show::Nothing,
        _ => Show::Summary,
    });
    leave(inner, "reasoning", notes);
    request.reasoning = Some(reasoning);
    Ok(())
}

fn include(
    fields: &mut Fields<'_>,
    request: &mut chat::Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let mut wants_logprobs = false;
    if let Some(raw) = fields.take("include") {
        for one in list(raw, "include")? {
            match text(one).as_deref() {
                Some(ENCRYPTED) => {
                    request.reasoning.get_or_insert_default().wants_opaque = true;
                }
                Some(LOGPROBS) => wants_logprobs = true,
                Some(_) => notes.dropped("include"),
                None => return Err(Refused::new("include", "has to hold texts")),
            }
        }
    }
    let top: Option<u32> = fields.take_as("top_logprobs")?;
    request.logprobs = top.filter(|it| *it > 0).or(wants_logprobs.then_some(0));
    Ok(())
}

/// The form of the answer.
fn form(
    fields: &mut Fields<'_>,
    request: &mut chat::Request,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let Some(raw) = fields.take("text") else { return Ok(()) };
    let mut inner = object(raw, "text")?;
    request.verbosity = words(&mut inner, "verbosity", "text.verbosity")?;
    if let Some(raw) = inner.take("format") {
        let mut format = object(raw, "text.format")?;
        let kind = words(&mut format, "type", "text.format.type")?.unwrap_or_default();
        request.format = match kind.as_str() {
            "text" => None,
            "json_object" => Some(Format::Json),
            "json_schema" => Some(schema(&mut format)?),
            _ => return Err(Refused::new("text.format.type", "is none that can be translated")),
        };
        leave(format, "text.format", notes);
    }
    leave(inner, "text", notes);
    Ok(())
}

fn schema(format: &mut Fields<'_>) -> Result<Format, Refused> {
    let schema = format.take("schema").map(Json::from);
    Ok(Format::Schema {
        name: words(format, "name", "text.format.name")?,
        description: words(format, "description", "text.format.description")?,
        schema: schema
            .filter(Json::is_object)
            .ok_or_else(|| Refused::new("text.format.schema", "has to be an object"))?,
        strict: format.take_as("strict")?,
    })
}

/// Takes out what has no effect on the answer, or none that anybody else could give it.
fn without_meaning(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<(), Refused> {
    fields.take("client_metadata");
    if let Some(raw) = fields.take("stream_options") {
        let mut inner = object(raw, "stream_options")?;
        inner.take("include_obfuscation");
        leave(inner, "stream_options", notes);
    }
    match words(fields, "truncation", "truncation")?.as_deref() {
        Some("disabled") | None => {}
        Some(_) => notes.dropped("truncation"),
    }
    Ok(())
}
