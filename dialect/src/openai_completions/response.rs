//! Whole answers to legacy completions.

use super::wire::{Choice, Completion, stop};
use crate::{
    chat::{self, Content, Part},
    error,
    openai_chat::wire::answer::Usage,
    translate::{Thread, answer_id},
};

/// Writes a whole answer: of what was said only the words.
pub(crate) fn write(answer: &chat::Answer, thread: &Thread) -> Vec<u8> {
    let chat::Answer { id, model, created, choices, usage, tier: _ } = answer;
    let texts: Vec<_> = choices.iter().map(|it| words(&it.parts)).collect();
    let choices: Vec<_> = (0u32..)
        .zip(choices.iter().zip(&texts))
        .map(|(index, (choice, text))| Choice::new(index, text, Some(stop(&choice.stop))))
        .collect();
    let completion = Completion {
        id: &answer_id("cmpl-", id, thread),
        object: "text_completion",
        created: created.unwrap_or(thread.received_at),
        model: if model.is_empty() { &thread.alias } else { model },
        choices: &choices,
        usage: usage.map(|it| Some(Usage::of(it))),
    };
    error::json(&completion).into()
}

fn words(parts: &[Part]) -> String {
    let mut words = String::new();
    for part in parts {
        match &part.content {
            Content::Text(it) => words.push_str(&it.text),
            Content::Refusal(it) => words.push_str(it),
            Content::Image(_)
            | Content::Audio { .. }
            | Content::Document(_)
            | Content::Thinking(_)
            | Content::Call(_)
            | Content::Result(_) => {}
        }
    }
    words
}

#[cfg(test)]
mod tests;
