//! Writes an answer for a caller.

use crate::{
    chat::{self, Call, CallInput, Content},
    error,
    openai_chat::{
        asked::Asked,
        thoughts,
        wire::{
            Function, ToolCall,
            answer::{Annotation, Choice, Completion, Logprobs, Message, Usage, finish_reason},
            input,
        },
    },
    translate::{Thread, answer_id},
};

/// Writes a whole answer.
pub(crate) fn write(answer: &chat::Answer, thread: &Thread) -> Vec<u8> {
    let chat::Answer { id, model, created, choices, usage, tier } = answer;
    let asked = Asked::of(thread);
    let choices = (0u32..).zip(choices).map(|(index, it)| choice(index, it, &asked));
    let completion = Completion {
        id: answer_id("chatcmpl-", id, thread),
        object: "chat.completion",
        created: created.unwrap_or(thread.received_at),
        model: if model.is_empty() { &thread.alias } else { model },
        choices: choices.collect(),
        usage: usage.map(Usage::of),
        service_tier: tier.as_deref().and_then(known_tier),
    };
    error::json(&completion).into()
}

/// The tier that served an answer, in words that strict clients know; others are left out.
pub(in crate::openai_chat) fn known_tier(tier: &str) -> Option<&'static str> {
    const KNOWN: [&str; 5] = ["auto", "default", "flex", "scale", "priority"];
    if tier.eq_ignore_ascii_case("standard") {
        return Some("default");
    }
    KNOWN.into_iter().find(|it| tier.eq_ignore_ascii_case(it))
}

fn choice<'a>(index: u32, choice: &'a chat::Choice, asked: &Asked) -> Choice<'a> {
    let chat::Choice { parts, stop, logprobs } = choice;
    let mut message = Message { role: "assistant", ..Message::default() };
    let mut said = 0u64;
    for part in parts {
        match &part.content {
            Content::Text(it) => {
                let end = said.saturating_add(it.text.chars().count() as u64);
                message.content.get_or_insert_default().push_str(&it.text);
                let sources = it.citations.iter().map(|it| Annotation::of(it, (said, end)));
                message.annotations.extend(sources);
                said = end;
            }
            Content::Refusal(text) => message.refusal.get_or_insert_default().push_str(text),
            Content::Thinking(it) => {
                if !it.text.is_empty() {
                    message.reasoning_content.get_or_insert_default().push_str(&it.text);
                }
                let number = u32::try_from(message.reasoning_details.len()).unwrap_or(u32::MAX);
                message.reasoning_details.extend(thoughts::detail(it, number));
            }
            Content::Call(it) if asked.functions => {
                // There is room for one.
                let call = Function { name: Some(&it.name), arguments: input(it) };
                message.function_call.get_or_insert(call);
            }
            Content::Call(it) => {
                message.tool_calls.push(ToolCall::whole(it, is_custom(it, asked)));
            }
            // Messages of the model have no room for them.
            Content::Image(_) | Content::Audio { .. } | Content::Document(_) => {}
            Content::Result(_) => {}
        }
    }
    let says_more = message.refusal.is_some()
        || message.function_call.is_some()
        || !message.tool_calls.is_empty();
    if !says_more {
        message.content.get_or_insert_default();
    }
    let calls = if asked.functions { "function_call" } else { "tool_calls" };
    let (finish_reason, native_finish_reason) = finish_reason(stop, calls);
    let logprobs = logprobs.as_ref().map(Logprobs::of);
    Choice { index, message, logprobs, finish_reason, native_finish_reason }
}

/// Whether a call's input is free text because the caller's tool takes it; else it is what
/// a model meant for JSON.
fn is_custom(call: &Call, asked: &Asked) -> bool {
    matches!(call.input, CallInput::Text(_)) && asked.custom.contains(&call.name)
}

#[cfg(test)]
mod tests;
