//! How much to think, in the words of each generation: tokens up to 2.5, levels since 3.

use super::{LEVELS_SINCE, generation_of};
use crate::{
    chat::{Budget, Effort, Reasoning, Show},
    translate::{How, Notes, Target},
};
use domain::catalog::Quirk;
use serde::Serialize;

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

/// Says how much to think; `None`: nothing is to be said.
pub(super) fn write(
    reasoning: &Reasoning,
    target: &Target<'_>,
    max_output: Option<u64>,
    notes: &mut Notes,
) -> Option<Thinking> {
    // The state is always given.
    let Reasoning { effort, budget, show, wants_opaque: _ } = reasoning;
    let generation = generation_of(target.model);
    let names = ["gemini-2.0", "gemma"];
    let is_plain =
        names.iter().any(|it| target.model.contains(it)) || generation.is_some_and(|it| it < 2);
    if is_plain || target.quirks.has(Quirk::NoEffort) {
        notes.dropped_if("reasoning_effort", effort);
        notes.dropped_if("thinking.budget_tokens", budget);
        return None;
    }
    let mut thinking = Thinking {
        include_thoughts: (*show == Some(Show::Summary)).then_some(true),
        ..Thinking::default()
    };
    if generation.is_some_and(|it| LEVELS_SINCE <= it) {
        thinking.thinking_level =
            effort.or_else(|| of(budget, notes)).map(|it| level(it, target.model, notes));
    } else if let Some(budget) = in_tokens(*budget, *effort, notes) {
        thinking.thinking_budget = Some(match budget {
            Budget::Auto => -1,
            Budget::Tokens(tokens) => {
                let tokens = within(tokens, target.model, max_output, notes);
                i64::try_from(tokens).unwrap_or(i64::MAX)
            }
        });
    }
    Some(thinking).filter(|it| *it != Thinking::default())
}

fn of(budget: &Option<Budget>, notes: &mut Notes) -> Option<Effort> {
    let Some(Budget::Tokens(tokens)) = budget else { return None };
    notes.add("thinking.budget_tokens", How::Changed);
    Some(Effort::of_budget(*tokens))
}

fn in_tokens(budget: Option<Budget>, effort: Option<Effort>, notes: &mut Notes) -> Option<Budget> {
    let effort = match (budget, effort) {
        (Some(Budget::Auto) | None, Some(effort)) => effort,
        (budget, _) => return budget,
    };
    if effort != Effort::None {
        notes.add("reasoning_effort", How::Changed);
    }
    Some(Budget::Tokens(effort.budget()))
}

fn level(effort: Effort, model: &str, notes: &mut Notes) -> &'static str {
    // The large models cannot think less than a little, and the first of them had nothing
    // between little and much.
    let is_large = model.contains("-pro");
    let is_first = is_large && model.contains("gemini-3-");
    let (level, is_exact) = match effort {
        Effort::None if is_large => ("LOW", false),
        Effort::None => ("MINIMAL", false),
        Effort::Minimal if is_large => ("LOW", false),
        Effort::Minimal => ("MINIMAL", true),
        Effort::Low => ("LOW", true),
        Effort::Medium if is_first => ("HIGH", false),
        Effort::Medium => ("MEDIUM", true),
        Effort::High => ("HIGH", true),
        Effort::XHigh => ("XHIGH", true),
        Effort::Max => ("XHIGH", false),
    };
    if !is_exact {
        notes.add("reasoning_effort", How::Clamped);
    }
    level
}

/// The budget within what the model takes, and less than the whole answer.
fn within(tokens: u64, model: &str, max_output: Option<u64>, notes: &mut Notes) -> u64 {
    // The large one cannot be kept from thinking, the small one only altogether.
    let (least, most) = if model.contains("2.5-pro") {
        (128, 32_768)
    } else if model.contains("2.5-flash-lite") {
        (if tokens == 0 { 0 } else { 512 }, 24_576)
    } else if model.contains("2.5-flash") {
        (0, 24_576)
    } else {
        (0, u64::MAX)
    };
    let within = tokens.clamp(least, most);
    let within = match max_output {
        Some(max) if max <= within => (max / 2).max(least),
        Some(_) | None => within,
    };
    if within != tokens {
        notes.add("thinking.budget_tokens", How::Clamped);
    }
    within
}
