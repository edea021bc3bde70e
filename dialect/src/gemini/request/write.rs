//! A request for a provider.

mod config;
mod contents;
mod media;
mod thinking;
mod tools;

use crate::{
    chat::{Part, Request, Tier},
    error::json,
    gemini::wire::{self, Content},
    translate::{How, Notes, Refused, Target, Thread},
};
pub(in crate::gemini) use contents::args;
pub(super) use media::is_youtube;
pub(crate) use media::reads;
use serde::Serialize;

/// The first words of a text with which Claude Code tells Anthropic whom to bill. It is
/// another one in every request, so that nobody's cache would ever be hit.
const BILLING: &str = "x-anthropic-billing-header:";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<tools::Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<tools::Config<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    #[serde(skip_serializing_if = "config::Generation::is_empty")]
    generation_config: config::Generation<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

/// Writes a `generateContent` body.
///
/// # Errors
/// When Gemini cannot say it.
pub(crate) fn write(
    request: &Request,
    target: &Target<'_>,
    _thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let Request {
        // The path tells these two.
        model: _,
        stream: _,
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
        // Usage is always told.
        stream_usage: _,
        user,
        metadata,
        tier,
        // What the prompts have in common is found without being told.
        cache: _,
        cache_key: _,
        store,
        web_search,
        echo: _,
    } = request;
    let bounds = config::Bounds { max_output: *max_output, answers: *answers, logprobs: *logprobs };
    let mut generation = config::write(sampling, &bounds, target, notes)?;
    generation.format(format.as_ref(), notes);
    let thinking = reasoning.as_ref();
    generation.thinking_config =
        thinking.and_then(|it| thinking::write(it, target, generation.max_output_tokens, notes));
    let mut contents = contents::write(turns, target, notes)?;
    let mut system = Content { parts: texts(instructions), role: "" };
    if contents.is_empty() {
        contents.push(alone(&mut system, notes)?);
    }
    if *parallel_calls == Some(false) {
        notes.dropped("parallel_tool_calls");
    }
    notes.dropped_if("verbosity", verbosity);
    notes.dropped_if("user", user);
    if !metadata.is_empty() {
        notes.dropped("metadata");
    }
    if *store == Some(true) {
        notes.dropped("store");
    }
    let body = Body {
        contents,
        tool_config: tools::config(tools, tool_choice.as_ref(), notes),
        tools: tools::write(tools, web_search.as_ref(), notes),
        system_instruction: Some(system).filter(|it| !it.parts.is_empty()),
        generation_config: generation,
        service_tier: tier.as_ref().and_then(|it| service_tier(it, notes)),
    };
    Ok(json(&body).into())
}

fn texts(instructions: &[Part]) -> Vec<wire::Part<'_>> {
    let texts = instructions.iter().filter_map(Part::as_text);
    let texts = texts.filter(|it| !it.is_empty() && !it.starts_with(BILLING));
    texts.map(wire::Part::text).collect()
}

/// A conversation that is nothing but instructions: Gemini wants something to answer.
fn alone<'a>(system: &mut Content<'a>, notes: &mut Notes) -> Result<Content<'a>, Refused> {
    if system.parts.is_empty() {
        return Err(Refused::new("messages", "say nothing"));
    }
    notes.add("messages", How::Moved);
    Ok(Content { parts: std::mem::take(&mut system.parts), role: "user" })
}

fn service_tier(tier: &Tier, notes: &mut Notes) -> Option<&'static str> {
    match tier {
        Tier::Auto => None,
        Tier::Standard => Some("standard"),
        Tier::Flex => Some("flex"),
        Tier::Priority => Some("priority"),
        Tier::Other(_) => {
            notes.dropped("service_tier");
            None
        }
    }
}

/// Of `gemini-3-pro-preview` and of `publishers/google/models/gemini-3-pro-preview` 3;
/// `None`: nobody knows. What is called the latest, such as `gemini-flash-latest`, has been
/// none before the third for long.
fn generation_of(model: &str) -> Option<u32> {
    let name = model.rsplit('/').next()?.strip_prefix("gemini-")?;
    if name.ends_with("-latest") && !name.starts_with(|it: char| it.is_ascii_digit()) {
        return Some(LEVELS_SINCE);
    }
    let end = name.find(|it: char| !it.is_ascii_digit()).unwrap_or(name.len());
    name.get(..end)?.parse().ok()
}

/// The first generation that thinks in levels and wants its signatures back.
const LEVELS_SINCE: u32 = 3;

#[cfg(test)]
mod tests;
