//! Writes requests for Bedrock, and says what it had to say otherwise.

mod blocks;
mod settings;
mod thinking;
mod tools;
mod turns;

use super::{
    family::Family,
    wire::{Additional, Block, Body, OutputConfig, Structure, TextFormat, ToolConfig, Typed},
};
use crate::{
    chat::{self, Format, Tier},
    translate::{How, Notes, Refused, Target, Thread},
};
use std::{borrow::Cow, collections::BTreeMap};

/// What stands for "some JSON object", which only words can ask for.
const ONLY_JSON: &str = "Answer with one JSON object and with nothing else: no words before or \
                         after it and no code fence around it.";

/// What a form of the answer is called, if the caller gave it no name.
const FORM: &str = "response";

/// Writes a request for a provider.
pub(crate) fn write(
    request: &chat::Request,
    target: &Target<'_>,
    thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    // The path names the model and says whether to stream; a stream always tells its usage;
    // what an answer repeats of the request is its writer's.
    let chat::Request {
        model: _,
        instructions: _,
        turns: _,
        tools: _,
        tool_choice: _,
        parallel_calls,
        sampling: _,
        max_output: _,
        answers,
        logprobs,
        reasoning: _,
        format: _,
        verbosity,
        stream: _,
        stream_usage: _,
        user,
        metadata,
        tier,
        cache: _,
        cache_key: _,
        store,
        web_search,
        echo: _,
    } = request;
    if answers.is_some_and(|it| it > 1) {
        return Err(Refused::new("n", "this provider gives one answer only"));
    }
    if logprobs.is_some() {
        return Err(Refused::new("logprobs", "this provider tells no probabilities"));
    }
    notes.dropped_if("parallel_tool_calls", &parallel_calls.filter(|it| !*it));
    notes.dropped_if("verbosity", verbosity);
    notes.dropped_if("store", &store.filter(|it| *it));
    notes.dropped_if("user", user);
    notes.dropped_if("web_search", web_search);
    let mut body = conversation(request, target, thread, notes)?;
    body.request_metadata = request_metadata(metadata, notes);
    body.service_tier = tier.as_ref().and_then(|it| service_tier(it, notes));
    serde_json::to_vec(&body).map_err(|_| Refused::new("body", "cannot be written"))
}

/// All of it that has to fit together.
fn conversation<'a>(
    request: &'a chat::Request,
    target: &Target<'_>,
    thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Body<'a>, Refused> {
    let family = Family::of(target.model);
    let mut writing = blocks::Writing::new(family, notes);
    let mut system = turns::instructions(&request.instructions, &mut writing)?;
    let mut messages = turns::messages(&request.turns, &mut writing)?;
    let mut tool_config = tools::write(request, target, turns::has_calls(&messages), notes)?;
    let form = form(request, target, notes)?;
    match &form {
        Form::Free => {}
        Form::Words => system.push(turns::Piece::new(Block::Text(Cow::Borrowed(ONLY_JSON)))),
        Form::Schema(_) => {}
        Form::Tool(tool) => {
            let name = tool.name.unwrap_or(FORM);
            thread.emulated_format = Some(name.to_owned());
            tool_config = Some(tools::emulation(name, tool.description, tool.schema)?);
        }
    }
    let circumstances = thinking::Circumstances {
        forced: tool_config.as_ref().is_some_and(ToolConfig::forces),
        lost: turns::lacks_thoughts(&messages),
    };
    let thoughts = thinking::decide(request, target, circumstances, notes)?;
    let told = settings::sampling(&request.sampling, target, thoughts.are_on(), notes);
    turns::mark_end(&mut messages, request.cache.as_ref(), family, notes);
    turns::keep_last_marks(tool_config.as_mut(), &mut system, &mut messages, notes);
    let stops = !told.inference.stop_sequences.is_empty();
    let additional = Additional {
        thinking: thoughts.thinking,
        output_config: thoughts.effort,
        reasoning_effort: thoughts.reasoning_effort,
        ..told.additional
    };
    let mut inference_config = told.inference;
    inference_config.max_tokens = thoughts.max_tokens;
    Ok(Body {
        messages: turns::written(messages),
        system: turns::flat(system),
        inference_config,
        tool_config,
        additional_model_request_fields: additional,
        // Which text it was that ended the answer.
        additional_model_response_field_paths: match family {
            Family::Claude(..) if stops => vec!["/stop_sequence"],
            Family::Claude(..) | Family::Nova | Family::Gpt | Family::Other => Vec::new(),
        },
        output_config: form.output_config(),
        ..Body::default()
    })
}

/// How the form of the answer is asked for.
enum Form<'a> {
    Free,
    Words,
    Schema(Schema<'a>),
    /// A tool that has to be called stands for it.
    Tool(Schema<'a>),
}

struct Schema<'a> {
    name: Option<&'a str>,
    description: Option<&'a str>,
    schema: &'a crate::json::Json,
}

impl<'a> Form<'a> {
    fn output_config(self) -> Option<OutputConfig<'a>> {
        let Self::Schema(Schema { name, description, schema }) = self else { return None };
        let name = Some(name.unwrap_or(FORM));
        let structure = Structure::JsonSchema { schema: schema.as_str(), name, description };
        Some(OutputConfig { text_format: TextFormat { kind: "json_schema", structure } })
    }
}

fn form<'a>(
    request: &'a chat::Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Form<'a>, Refused> {
    let (name, description, schema, strict) = match &request.format {
        None => return Ok(Form::Free),
        Some(Format::Json) => {
            notes.add("response_format", How::Emulated);
            return Ok(Form::Words);
        }
        Some(Format::Schema { name, description, schema, strict }) => {
            (name.as_deref(), description.as_deref(), schema, strict)
        }
    };
    let schema = Schema { name, description, schema };
    if Family::of(target.model).knows_schemas(target) {
        if *strict == Some(false) {
            notes.add("response_format.strict", How::Changed);
        }
        return Ok(Form::Schema(schema));
    }
    // It would be one among others if there were any.
    if !request.tools.is_empty() {
        let reason = "this model knows no JSON schema for answers beside tools";
        return Err(Refused::new("response_format", reason));
    }
    notes.add("response_format", How::Emulated);
    Ok(Form::Tool(schema))
}

/// What callers note on requests is kept in Bedrock's own log. It takes only so much.
fn request_metadata<'a>(
    metadata: &'a [(String, String)],
    notes: &mut Notes,
) -> BTreeMap<&'a str, &'a str> {
    const MOST: usize = 16;
    let fits = |it: &str| {
        let plain = |it: u8| it.is_ascii_alphanumeric() || b" :_@$#=/+,-.".contains(&it);
        it.len() <= 256 && it.bytes().all(plain)
    };
    let taken = metadata
        .iter()
        .filter(|(name, value)| !name.is_empty() && fits(name) && fits(value))
        .take(MOST);
    let taken: BTreeMap<_, _> =
        taken.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if taken.len() < metadata.len() {
        notes.dropped("metadata");
    }
    taken
}

fn service_tier(tier: &Tier, notes: &mut Notes) -> Option<Typed> {
    match tier {
        // What it is without being said.
        Tier::Auto | Tier::Standard => None,
        Tier::Flex => Some(Typed { kind: "flex" }),
        Tier::Priority => Some(Typed { kind: "priority" }),
        Tier::Other(_) => {
            notes.dropped("service_tier");
            None
        }
    }
}

#[cfg(test)]
mod tests;
