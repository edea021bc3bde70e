//! How much a caller wants the model to think, in OpenAI's words and in those of others.

use super::{leave, object};
use crate::{
    chat::{Budget, Effort, Reasoning, Show},
    json::{self, Fields},
    translate::{Notes, Refused},
};

/// Takes what is said of thoughts; `None`: nothing.
pub(super) fn read(
    fields: &mut Fields<'_>,
    notes: &mut Notes,
) -> Result<Option<Reasoning>, Refused> {
    let mut reasoning = Reasoning::default();
    if let Some(raw) = fields.take("reasoning_effort") {
        reasoning.effort = effort(json::text(raw).as_deref(), "reasoning_effort")?;
    }
    if let Some(raw) = fields.take("reasoning") {
        openrouter(object(raw, "reasoning")?, &mut reasoning, notes)?;
    }
    if let Some(raw) = fields.take("thinking") {
        anthropic(object(raw, "thinking")?, &mut reasoning, notes)?;
    }
    if let Some(wanted) = fields.take_as("include_reasoning")? {
        reasoning.show = Some(shown(wanted));
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn effort(word: Option<&str>, field: &str) -> Result<Option<Effort>, Refused> {
    // Some servers call so what is not said.
    if word.is_some_and(|it| it.eq_ignore_ascii_case("default")) {
        return Ok(None);
    }
    let effort = word.and_then(Effort::parse);
    let reason = "must be `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`";
    effort.map(Some).ok_or_else(|| Refused::new(field, reason))
}

const fn shown(wanted: bool) -> Show {
    if wanted { Show::Summary } else { Show::Nothing }
}

/// OpenRouter's object.
fn openrouter(
    mut fields: Fields<'_>,
    reasoning: &mut Reasoning,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if let Some(raw) = fields.take("effort") {
        reasoning.effort = effort(json::text(raw).as_deref(), "reasoning.effort")?;
    }
    if let Some(tokens) = fields.take_as("max_tokens")? {
        reasoning.budget = Some(Budget::Tokens(tokens));
    }
    match fields.take_as("enabled")? {
        Some(false) => reasoning.effort = Some(Effort::None),
        Some(true) if reasoning.effort.is_none() && reasoning.budget.is_none() => {
            reasoning.budget = Some(Budget::Auto);
        }
        Some(true) | None => {}
    }
    if let Some(hidden) = fields.take_as::<bool>("exclude")? {
        reasoning.show = Some(shown(!hidden));
    }
    leave(fields, "reasoning", notes);
    Ok(())
}

/// Anthropic's object, which several compatible servers and clients have taken over.
fn anthropic(
    mut fields: Fields<'_>,
    reasoning: &mut Reasoning,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let kind: String = fields.take_as("type")?.unwrap_or_default();
    let budget: Option<u64> = fields.take_as("budget_tokens")?;
    reasoning.budget = Some(match kind.as_str() {
        "disabled" => Budget::Tokens(0),
        "enabled" | "adaptive" | "auto" => budget.map_or(Budget::Auto, Budget::Tokens),
        _ => return Err(Refused::new("thinking.type", "must be `enabled` or `disabled`")),
    });
    leave(fields, "thinking", notes);
    Ok(())
}
