//! Writes a request for a provider, and says what it had to say otherwise.

mod blocks;
mod caching;
mod sampling;
mod thinking;
mod tools;
mod turns;

use crate::{
    anthropic::wire::{
        self, Block, Body, CacheControl, Message, Metadata, OutputConfig, OutputFormat,
    },
    chat::{self, Format, Tier},
    json::Json,
    translate::{How, Notes, Refused, Target, Thread},
};
use domain::catalog::Quirk;
use thinking::Circumstances;

/// Writes a request for a provider.
pub(crate) fn write(
    request: &chat::Request,
    target: &Target<'_>,
    thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    bytes(&body(request, target, thread, notes)?)
}

/// Writes a request for a provider that only has its tokens counted: what the model would
/// read, and nothing about its answer.
pub(crate) fn write_count(
    request: &chat::Request,
    target: &Target<'_>,
    thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let whole = body(request, target, thread, notes)?;
    bytes(&Body {
        max_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop_sequences: Vec::new(),
        stream: false,
        metadata: None,
        service_tier: None,
        ..whole
    })
}

fn bytes(body: &Body<'_>) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(body).map_err(|_| Refused::new("body", "cannot be written"))
}

fn body<'a>(
    request: &'a chat::Request,
    target: &Target<'a>,
    thread: &mut Thread,
    notes: &mut Notes,
) -> Result<Body<'a>, Refused> {
    // The model is the target's; a stream's usage always is told; what an answer repeats
    // of the request is its writer's.
    let chat::Request {
        model: _,
        instructions,
        turns,
        tools: _,
        tool_choice: _,
        parallel_calls: _,
        sampling,
        max_output: _,
        answers,
        logprobs,
        reasoning: _,
        format,
        verbosity,
        stream,
        stream_usage: _,
        user,
        metadata,
        tier,
        cache,
        cache_key: _,
        store,
        web_search: _,
        echo: _,
    } = request;
    only_words(*answers, *logprobs)?;
    notes.dropped_if("verbosity", verbosity);
    notes.dropped_if("store", &store.filter(|it| *it));
    if !metadata.is_empty() {
        notes.dropped("metadata");
    }
    let (tools, tool_choice) = tools::write(request, target, notes)?;
    let mut said = Said {
        system: turns::instructions(instructions, notes)?,
        messages: turns::messages(turns, notes)?,
        tools,
        tool_choice,
        form: None,
    };
    if let Some(format) = format {
        said.shape(format, target, thread, notes)?;
    }
    let thoughts = thinking::decide(request, target, said.circumstances(), notes)?;
    let sampling = sampling::write(sampling, target, thoughts.are_on(), notes);
    let mut cache_control = cache.as_ref().map(CacheControl::new);
    caching::keep_last(&mut said, &mut cache_control, notes);
    let Said { system, messages, tools, tool_choice, form } = said;
    let effort = thoughts.effort;
    Ok(Body {
        model: target.model,
        max_tokens: Some(thoughts.max_tokens),
        system,
        messages,
        tools,
        tool_choice,
        thinking: thoughts.thinking,
        output_config: (effort.is_some() || form.is_some())
            .then_some(OutputConfig { effort, format: form }),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: sampling.stop,
        stream: *stream,
        metadata: user.as_deref().map(|user_id| Metadata { user_id }),
        service_tier: tier.as_ref().and_then(|it| service_tier(it, notes)),
        cache_control,
    })
}

/// What the model is going to read, and what it may do.
struct Said<'a> {
    system: Vec<Block<'a>>,
    messages: Vec<Message<'a>>,
    tools: Vec<wire::Tool<'a>>,
    tool_choice: Option<wire::ToolChoice<'a>>,
    form: Option<OutputFormat<'a>>,
}

impl<'a> Said<'a> {
    /// Says what form the answer shall have, in the best way that the model knows.
    fn shape(
        &mut self,
        format: &'a Format,
        target: &Target<'_>,
        thread: &mut Thread,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        match format {
            Format::Json => {
                notes.add("response_format", How::Emulated);
                self.system.push(Block::text(ONLY_JSON));
            }
            // It always is kept to the letter, and needs no name.
            Format::Schema { schema, strict, name: _, description: _ }
                if !target.quirks.has(Quirk::NoJsonSchema) =>
            {
                if *strict == Some(false) {
                    notes.add("response_format.strict", How::Changed);
                }
                self.form = Some(OutputFormat { kind: "json_schema", schema });
            }
            Format::Schema { name, description, schema, strict: _ } => {
                notes.add("response_format", How::Emulated);
                let name = name.as_deref().unwrap_or(FORM);
                self.emulate(name, description.as_deref(), schema)?;
                thread.emulated_format = Some(name.to_owned());
            }
        }
        Ok(())
    }

    /// A tool that has to be called stands for the form of the answer. It would be one
    /// among others if there were any.
    fn emulate(
        &mut self,
        name: &'a str,
        description: Option<&'a str>,
        schema: &'a Json,
    ) -> Result<(), Refused> {
        if !self.tools.is_empty() {
            let reason = "this model knows no JSON schema for answers beside tools";
            return Err(Refused::new("response_format", reason));
        }
        self.tools.push(wire::Tool::Function {
            name,
            description,
            input_schema: tools::object_schema(schema, "response_format.json_schema.schema")?,
            strict: false,
            cache_control: None,
        });
        self.tool_choice = Some(wire::ToolChoice {
            kind: "tool",
            name: Some(name),
            disable_parallel_tool_use: true,
        });
        Ok(())
    }

    fn circumstances(&self) -> Circumstances {
        let choice = self.tool_choice.as_ref();
        Circumstances {
            forced: choice.is_some_and(|it| ["any", "tool"].contains(&it.kind)),
            lost: turns::lacks_thoughts(&self.messages),
        }
    }
}

/// Anthropic gives one answer, and tells of its tokens nothing but how many they were.
fn only_words(answers: Option<u32>, logprobs: Option<u32>) -> Result<(), Refused> {
    if answers.is_some_and(|it| it > 1) {
        return Err(Refused::new("n", "this provider gives one answer only"));
    }
    if logprobs.is_some() {
        return Err(Refused::new("logprobs", "this provider tells no probabilities"));
    }
    Ok(())
}

/// What stands for "some JSON object", which only words can ask for.
const ONLY_JSON: &str = "Answer with one JSON object and with nothing else: no words before or \
                         after it and no code fence around it.";

/// The tool that stands for a form of the answer, if the caller gave the form no name.
const FORM: &str = "response";

fn service_tier(tier: &Tier, notes: &mut Notes) -> Option<&'static str> {
    match tier {
        Tier::Auto => Some("auto"),
        Tier::Standard => Some("standard_only"),
        Tier::Flex | Tier::Priority | Tier::Other(_) => {
            notes.dropped("service_tier");
            None
        }
    }
}

#[cfg(test)]
mod tests;
