//! Writes a request to a provider.

mod items;
mod tools;

#[cfg(test)]
mod tests;

use crate::{
    chat::{self, Budget, Effort, Format, Reasoning, Sampling, Show, Tier},
    openai_responses::{request::read::is_strict, wire},
    openai_thinkers::{self, thinks},
    translate::{How, Notes, Refused, Target, Thread},
};
use domain::catalog::{Quirk, Quirks};

/// The least that may be set as a maximum of output tokens.
const LEAST_OUTPUT: u64 = 16;
/// The longest that a user's identifier may be.
const LONGEST_USER: usize = 64;

/// What is sent to the provider.
///
/// # Errors
/// When the request cannot be said here without changing its answer.
pub(crate) fn write(
    request: &chat::Request,
    target: &Target<'_>,
    _thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let chat::Request {
        model: _,
        instructions,
        turns,
        tools: offered,
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
        // It always is told.
        stream_usage: _,
        user,
        metadata,
        tier,
        // What is the same in the beginning is kept without being marked.
        cache: _,
        cache_key,
        store,
        web_search,
        // For the answer to a caller, not for a provider.
        echo: _,
    } = request;
    if answers.is_some_and(|it| it > 1) {
        return Err(Refused::new("n", "has to be 1: the provider gives one answer a request"));
    }
    let (instructions, input) = items::write(instructions, turns, offered, notes)?;
    let says =
        |it: &chat::Part| matches!(&it.content, chat::Content::Text(it) if !it.text.is_empty());
    let last = turns.last().filter(|it| it.role == chat::Role::Assistant);
    if last.is_some_and(|it| it.parts.iter().any(says)) {
        // It is a turn of its own, not the beginning of the answer.
        notes.add("messages", How::Changed);
    }
    let (temperature, top_p) = sample(sampling, effort(reasoning.as_ref()), target, notes);
    let (reasoning, wants_state) = think(reasoning.as_ref(), target, notes);
    let mut include = Vec::new();
    if wants_state {
        include.push("reasoning.encrypted_content");
    }
    if logprobs.is_some() {
        include.push("message.output_text.logprobs");
    }
    let body = wire::Request {
        model: target.model,
        instructions,
        input,
        tools: tools::write(offered, web_search.as_ref(), notes),
        tool_choice: tool_choice.as_ref().and_then(|it| tools::choice(it, offered)),
        parallel_tool_calls: parallel(*parallel_calls, offered, target.quirks, notes),
        max_output_tokens: bound(*max_output, target, notes)?,
        temperature,
        top_p,
        top_logprobs: logprobs.filter(|it| *it > 0),
        reasoning,
        text: text(format.as_ref(), verbosity.as_deref(), target.quirks, notes),
        include,
        // Whose request was translated does not know of what is kept.
        store: *store == Some(true),
        stream: *stream,
        metadata: (!metadata.is_empty()).then_some(wire::Pairs(metadata)),
        safety_identifier: identifier(user.as_deref(), notes),
        prompt_cache_key: cache_key.as_deref(),
        service_tier: tier.as_ref().and_then(|it| urgency(it, notes)),
    };
    // Structs of texts and of JSON cannot fail to be written.
    Ok(serde_json::to_vec(&body).unwrap_or_default())
}

fn sample(
    sampling: &Sampling,
    effort: Option<Effort>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> (Option<f64>, Option<f64>) {
    let Sampling {
        temperature,
        top_p,
        top_k,
        frequency_penalty,
        presence_penalty,
        seed,
        stop,
        logit_bias,
    } = sampling;
    notes.dropped_if("top_k", top_k);
    notes.dropped_if("frequency_penalty", frequency_penalty);
    notes.dropped_if("presence_penalty", presence_penalty);
    notes.dropped_if("seed", seed);
    notes.dropped_if("stop", &stop.first());
    notes.dropped_if("logit_bias", logit_bias);
    let effort = effort.filter(|_| !target.quirks.has(Quirk::NoEffort));
    if thinks(target.model, effort) || target.quirks.has(Quirk::NoSampling) {
        // 1 is what it does anyway.
        notes.dropped_if("temperature", &temperature.filter(|it| *it != 1.0));
        notes.dropped_if("top_p", &top_p.filter(|it| *it != 1.0));
        return (None, None);
    }
    let clamped = temperature.map(|it| it.clamp(0.0, 2.0));
    if clamped != *temperature {
        notes.add("temperature", How::Clamped);
    }
    (clamped, *top_p)
}

/// How much to think, in the provider's words.
fn effort(reasoning: Option<&Reasoning>) -> Option<Effort> {
    let reasoning = reasoning?;
    reasoning.effort.or(match reasoning.budget {
        Some(Budget::Tokens(0)) => Some(Effort::None),
        Some(Budget::Tokens(tokens)) => Some(Effort::of_budget(tokens)),
        Some(Budget::Auto) | None => None,
    })
}

/// How much to think, and whether the state of thoughts is wanted. Models that do not think
/// refuse to be asked for it: so only who said anything about thoughts gets it.
fn think(
    reasoning: Option<&Reasoning>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> (Option<wire::Reasoning>, bool) {
    let Some(Reasoning { effort: said, budget, show, wants_opaque }) = reasoning else {
        return (None, false);
    };
    let effort = effort(reasoning);
    if let (None, Some(Budget::Tokens(1..))) = (said, budget) {
        notes.add("thinking.budget_tokens", How::Changed);
    }
    if target.quirks.has(Quirk::NoEffort) {
        notes.dropped_if("reasoning_effort", &effort);
        return (None, *wants_opaque);
    }
    let effort = effort.and_then(|it| openai_thinkers::nearest(target.model, it, notes));
    if openai_thinkers::is_plain(target.model) {
        return (None, false);
    }
    let summary = match show {
        Some(Show::Summary) if effort != Some(Effort::None) => Some("auto"),
        Some(Show::Summary | Show::Nothing) | None => None,
    };
    let written = wire::Reasoning { effort: effort.map(Effort::as_str), summary };
    let says_any = written.effort.is_some() || written.summary.is_some();
    let wants_state = *wants_opaque || effort != Some(Effort::None);
    (says_any.then_some(written), wants_state)
}

fn parallel(
    flag: Option<bool>,
    offered: &[chat::Tool],
    quirks: Quirks,
    notes: &mut Notes,
) -> Option<bool> {
    let flag = flag.filter(|_| !offered.is_empty());
    if quirks.has(Quirk::NoParallelFlag) {
        notes.dropped_if("parallel_tool_calls", &flag);
        return None;
    }
    flag
}

fn bound(
    wanted: Option<u64>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Option<u64>, Refused> {
    if wanted == Some(0) {
        let reason = "is 0, which only warms a cache: the provider asked here has no such thing";
        return Err(Refused::new("max_tokens", reason));
    }
    let most = target.max_output.unwrap_or(u64::MAX).max(LEAST_OUTPUT);
    let bounded = wanted.map(|it| it.clamp(LEAST_OUTPUT, most));
    if bounded != wanted {
        notes.add("max_tokens", How::Clamped);
    }
    Ok(bounded.or(target.output_cap.map(|it| it.max(LEAST_OUTPUT))))
}

fn text<'a>(
    format: Option<&'a Format>,
    verbosity: Option<&'a str>,
    quirks: Quirks,
    notes: &mut Notes,
) -> Option<wire::TextConfig<'a>> {
    let format = format.map(|it| match it {
        Format::Json => wire::TextFormat::JsonObject,
        Format::Schema { .. } if quirks.has(Quirk::NoJsonSchema) => {
            notes.add("response_format", How::Changed);
            wire::TextFormat::JsonObject
        }
        Format::Schema { name, description, schema, strict } => wire::TextFormat::JsonSchema {
            name: name.as_deref().unwrap_or("response"),
            description: description.as_deref(),
            schema,
            // Where forms have no name they are kept to the letter; here only those can be
            // that say all.
            strict: strict.unwrap_or_else(|| name.is_none() && is_strict(&schema.to_value())),
        },
    });
    let says_any = format.is_some() || verbosity.is_some();
    says_any.then_some(wire::TextConfig { format, verbosity })
}

fn identifier<'a>(user: Option<&'a str>, notes: &mut Notes) -> Option<&'a str> {
    let short = user.filter(|it| it.len() <= LONGEST_USER);
    if short != user {
        notes.dropped("user");
    }
    short
}

fn urgency<'a>(tier: &'a Tier, notes: &mut Notes) -> Option<&'a str> {
    match tier {
        Tier::Auto => Some("auto"),
        Tier::Standard => Some("default"),
        Tier::Flex => Some("flex"),
        Tier::Priority => Some("priority"),
        Tier::Other(word) if matches!(word.as_str(), "scale" | "fast" | "ultrafast") => Some(word),
        Tier::Other(_) => {
            notes.dropped("service_tier");
            None
        }
    }
}
