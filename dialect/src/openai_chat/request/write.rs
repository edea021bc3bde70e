//! Writes a request for a provider that speaks like OpenAI's chat.
//!
//! What only OpenAI itself knows (`metadata`, `store`, `verbosity`, `safety_identifier`
//! and such) goes only there, since strict servers refuse fields that they do not know.
//! OpenAI itself is told by its `developer` role.

mod message;
mod piece;
mod tool;

use super::super::wire::request::{
    Body, CacheControl, Format, Sampling, Schema, StreamOptions, Wishes,
};
use crate::{
    chat::{self, Budget, Effort, Reasoning, Tier},
    openai_thinkers::{self, thinks},
    translate::{How, Notes, Refused, Target, Thread},
};
use domain::catalog::Quirk;
use std::collections::BTreeMap;

/// The longest name of a user that OpenAI takes, in characters.
const MAX_USER: usize = 64;
/// The most texts upon which an answer may end.
const MAX_STOPS: usize = 4;

/// Writes a request.
///
/// # Errors
/// When the target has no words for something without which the answer means another thing.
pub(crate) fn write(
    request: &chat::Request,
    target: &Target<'_>,
    _thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let chat::Request {
        // The target's name for it counts.
        model: _,
        instructions,
        turns,
        tools,
        tool_choice,
        parallel_calls,
        sampling,
        max_output,
        answers,
        logprobs,
        reasoning,
        format,
        verbosity,
        stream,
        // Asked for always; whether the caller gets to see it the answer's writer decides.
        stream_usage: _,
        user,
        metadata,
        tier,
        cache,
        cache_key,
        store,
        web_search,
        echo: _,
    } = request;
    let is_openai = target.quirks.has(Quirk::DeveloperRole);
    // No search that a server runs by itself is the same everywhere.
    notes.dropped_if("web_search", web_search);
    let mut messages = message::Writer::new(target, tools, notes);
    messages.instructions(instructions, spelled_out(format.as_ref(), target))?;
    messages.turns(turns)?;
    let messages = messages.finish();
    let effort = effort(reasoning.as_ref(), target, notes);
    let mut wishes = Wishes {
        n: answers.filter(|it| *it != 1),
        logprobs: logprobs.map(|_| true),
        top_logprobs: logprobs.filter(|it| *it > 0),
        reasoning_effort: effort.map(Effort::as_str),
        response_format: response_format(format.as_ref(), target, notes),
        service_tier: service_tier(tier.as_ref(), is_openai, notes),
        ..Wishes::default()
    };
    who(&mut wishes, user.as_deref(), is_openai, notes);
    if is_openai {
        wishes.verbosity = verbosity.as_deref();
        wishes.metadata = metadata.iter().map(|(key, it)| (key.as_str(), it.as_str())).collect();
        wishes.prompt_cache_key = cache_key.as_deref();
        wishes.store = *store;
    } else {
        notes.dropped_if("verbosity", verbosity);
        notes.dropped_if("metadata", &metadata.first());
        // That nothing is kept is what others do anyway.
        notes.dropped_if("store", &store.filter(|it| *it));
    }
    let understands_marks = target.quirks.has(Quirk::CacheControl);
    let asks_usage = *stream && !target.quirks.has(Quirk::NoStreamOptions);
    let body = Body {
        model: target.model,
        messages,
        tooling: tool::write(tools, tool_choice.as_ref(), *parallel_calls, target, notes)?,
        sampling: sampled(sampling, effort, target, notes)?,
        cap: cap(*max_output, target, notes)?,
        wishes,
        cache_control: cache.as_ref().filter(|_| understands_marks).map(CacheControl::of),
        stream: *stream,
        stream_options: asks_usage.then_some(StreamOptions { include_usage: true }),
    };
    Ok(crate::error::json(&body).into())
}

fn sampled<'a>(
    sampling: &'a chat::Sampling,
    effort: Option<Effort>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Sampling<'a>, Refused> {
    let chat::Sampling {
        temperature,
        top_p,
        top_k,
        frequency_penalty,
        presence_penalty,
        seed,
        stop,
        logit_bias,
    } = sampling;
    let (mut temperature, mut top_p) = (*temperature, *top_p);
    let (mut frequency_penalty, mut presence_penalty) = (*frequency_penalty, *presence_penalty);
    let mut logit_bias = logit_bias.as_ref();
    let thinks = thinks(target.model, effort);
    if thinks || target.quirks.has(Quirk::NoSampling) {
        // 1 is what it does anyway.
        notes.dropped_if("temperature", &temperature.take().filter(|it| *it != 1.0));
        notes.dropped_if("top_p", &top_p.take().filter(|it| *it != 1.0));
    }
    if thinks {
        let mut drop = |name, it: &mut Option<f64>| {
            notes.dropped_if(name, &it.take().filter(|it| *it != 0.0));
        };
        drop("frequency_penalty", &mut frequency_penalty);
        drop("presence_penalty", &mut presence_penalty);
        notes.dropped_if("logit_bias", &logit_bias.take());
    }
    notes.dropped_if("top_k", top_k);
    if stop.len() > MAX_STOPS {
        return Err(Refused::new("stop", "must hold at most 4 texts for this model"));
    }
    Ok(Sampling {
        temperature,
        top_p,
        frequency_penalty,
        presence_penalty,
        seed: *seed,
        stop,
        logit_bias,
    })
}

fn cap<'a>(
    max_output: Option<u64>,
    target: &Target<'a>,
    notes: &mut Notes,
) -> Result<BTreeMap<&'a str, u64>, Refused> {
    if max_output == Some(0) {
        let reason = "of 0 only warms a cache of the model that it is for";
        return Err(Refused::new("max_tokens", reason));
    }
    let cap = target.output_of(max_output, notes);
    Ok(cap.map(|it| (target.output_cap_field, it)).into_iter().collect())
}

fn effort(reasoning: Option<&Reasoning>, target: &Target<'_>, notes: &mut Notes) -> Option<Effort> {
    // What of the thoughts is shown, and that they can be sent back, servers decide here.
    let Reasoning { effort, budget, show: _, wants_opaque: _ } = reasoning?;
    let effort = match (effort, budget) {
        (Some(effort), _) => *effort,
        (None, Some(Budget::Tokens(0))) => Effort::None,
        (None, Some(Budget::Tokens(tokens))) => {
            notes.add("thinking.budget_tokens", How::Changed);
            // A budget that is there wants thoughts, however small it is.
            Effort::of_budget(*tokens)
        }
        (None, Some(Budget::Auto) | None) => return None,
    };
    if target.quirks.has(Quirk::NoEffort) {
        notes.dropped("reasoning_effort");
        return None;
    }
    openai_thinkers::nearest(target.model, effort, notes)
}

fn response_format<'a>(
    format: Option<&'a chat::Format>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Option<Format<'a>> {
    match format? {
        chat::Format::Json => Some(Format { kind: "json_object", json_schema: None }),
        chat::Format::Schema { .. } if target.quirks.has(Quirk::NoJsonSchema) => {
            notes.add("response_format", How::Emulated);
            Some(Format { kind: "json_object", json_schema: None })
        }
        chat::Format::Schema { name, description, schema, strict } => {
            let json_schema = Schema {
                name: name.as_deref().unwrap_or("response"),
                description: description.as_deref(),
                schema,
                // The dialects without names for schemas keep to them always.
                strict: strict.or_else(|| name.is_none().then_some(true)),
            };
            Some(Format { kind: "json_schema", json_schema: Some(json_schema) })
        }
    }
}

/// The schema in words, for a target that knows only of some JSON.
fn spelled_out(format: Option<&chat::Format>, target: &Target<'_>) -> Option<String> {
    match format? {
        chat::Format::Schema { schema, .. } if target.quirks.has(Quirk::NoJsonSchema) => {
            let schema = schema.as_str();
            Some(format!("Answer with nothing but JSON that keeps to this JSON schema:\n{schema}"))
        }
        chat::Format::Schema { .. } | chat::Format::Json => None,
    }
}

/// OpenAI's new field is not known elsewhere; the old one is.
fn who<'a>(wishes: &mut Wishes<'a>, user: Option<&'a str>, is_openai: bool, notes: &mut Notes) {
    if user.is_some_and(|it| it.chars().nth(MAX_USER).is_some()) {
        notes.dropped("user");
    } else if is_openai {
        wishes.safety_identifier = user;
    } else {
        wishes.user = user;
    }
}

fn service_tier<'a>(tier: Option<&'a Tier>, is_openai: bool, notes: &mut Notes) -> Option<&'a str> {
    match tier? {
        Tier::Auto => is_openai.then_some("auto"),
        Tier::Standard => is_openai.then_some("default"),
        Tier::Flex => Some("flex"),
        Tier::Priority => Some("priority"),
        Tier::Other(word)
            if is_openai && matches!(word.as_str(), "scale" | "fast" | "ultrafast") =>
        {
            Some(word)
        }
        Tier::Other(_) => {
            notes.dropped("service_tier");
            None
        }
    }
}

#[cfg(test)]
mod tests;
