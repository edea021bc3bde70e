//! How much to think, and how many tokens there are for it.

use super::super::{
    family::{Family, Ways},
    wire::{Effort as EffortField, Thinking},
};
use crate::{
    chat::{Budget, Effort, Reasoning, Request, Show},
    translate::{How, Notes, Refused, Target},
};

/// The least budget that Anthropic's models take.
const LEAST: u64 = 1_024;

/// What is written of it.
pub(super) struct Thoughts {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<EffortField>,
    pub(super) reasoning_effort: Option<&'static str>,
    pub(super) max_tokens: Option<u64>,
}

impl Thoughts {
    /// Whether the model is going to think.
    pub(super) const fn are_on(&self) -> bool {
        matches!(self.thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive))
    }
}

/// What keeps a model from thinking.
#[derive(Clone, Copy)]
pub(super) struct Circumstances {
    /// It has to call a tool.
    pub(super) forced: bool,
    /// It is in the middle of calling tools, and what it thought before is lost.
    pub(super) lost: bool,
}

/// What a caller wants.
#[derive(Clone, Copy)]
enum Wanted {
    /// What the model does by itself.
    Unsaid,
    Off,
    Budget(u64),
    Adaptive(Option<Effort>),
}

/// Decides on thoughts and on the maximum of tokens, which have to fit each other.
pub(super) fn decide(
    request: &Request,
    target: &Target<'_>,
    circumstances: Circumstances,
    notes: &mut Notes,
) -> Result<Thoughts, Refused> {
    if request.max_output == Some(0) {
        return Err(Refused::new("max_tokens", "has to be at least 1"));
    }
    let family = Family::of(target.model);
    let ways = family.ways(target);
    let mut wanted = wanted(request.reasoning.as_ref(), ways, notes);
    let is_gpt = match family {
        Family::Gpt => true,
        Family::Claude(..) | Family::Nova | Family::Other => false,
    };
    let Circumstances { forced, lost } = circumstances;
    let impossible = match wanted {
        Wanted::Unsaid | Wanted::Off => false,
        Wanted::Budget(_) => forced || lost,
        Wanted::Adaptive(_) => forced,
    };
    if impossible && !is_gpt {
        notes.dropped("thinking");
        wanted = Wanted::Off;
    }
    let said = target.output_of(request.max_output, notes);
    let mut thoughts = Thoughts {
        thinking: None,
        effort: None,
        reasoning_effort: None,
        // Without a word Bedrock gives as much as the model can.
        max_tokens: said,
    };
    match wanted {
        Wanted::Unsaid => {}
        Wanted::Off if is_gpt => {
            notes.add("reasoning_effort", How::Clamped);
            thoughts.reasoning_effort = Some("low");
        }
        Wanted::Off if ways == Ways::None => {}
        Wanted::Off => thoughts.thinking = Some(Thinking::Disabled),
        Wanted::Adaptive(effort) if is_gpt => {
            thoughts.reasoning_effort = effort.map(|it| word_of_gpt(it, notes));
        }
        Wanted::Adaptive(effort) => {
            thoughts.thinking = Some(Thinking::Adaptive);
            thoughts.effort = effort.map(|it| EffortField { effort: word(it, ways, notes) });
        }
        Wanted::Budget(tokens) => {
            let room = tokens.max(LEAST).saturating_add(Target::DEFAULT_OUTPUT);
            let max_tokens = said.or(target.max_output).unwrap_or(room);
            thoughts.max_tokens = Some(max_tokens);
            thoughts.thinking = Some(fitting(tokens, max_tokens, notes));
        }
    }
    Ok(thoughts)
}

fn wanted(reasoning: Option<&Reasoning>, ways: Ways, notes: &mut Notes) -> Wanted {
    // Bedrock always gives the state of thoughts.
    let Some(Reasoning { effort, budget, show, wants_opaque: _ }) = reasoning else {
        return Wanted::Unsaid;
    };
    match (*budget, *effort, ways) {
        (Some(Budget::Tokens(0)), _, _) | (_, Some(Effort::None), _) => Wanted::Off,
        (None, None, Ways::None) => Wanted::Unsaid,
        (Some(_), _, Ways::None) => {
            notes.dropped("thinking");
            Wanted::Unsaid
        }
        (None, Some(_), Ways::None) => {
            notes.dropped("reasoning_effort");
            Wanted::Unsaid
        }
        (Some(Budget::Tokens(tokens)), _, Ways::Budgets | Ways::Both) => Wanted::Budget(tokens),
        (Some(Budget::Tokens(tokens)), effort, Ways::Words) => {
            notes.add("thinking.budget_tokens", How::Changed);
            Wanted::Adaptive(Some(effort.unwrap_or(Effort::of_budget(tokens))))
        }
        (Some(Budget::Auto), effort, Ways::Both | Ways::Words) => Wanted::Adaptive(effort),
        (Some(Budget::Auto), effort, Ways::Budgets) => {
            notes.add("thinking.budget_tokens", How::Changed);
            Wanted::Budget(effort.unwrap_or(Effort::Medium).budget())
        }
        (None, Some(effort), Ways::Both | Ways::Words) => Wanted::Adaptive(Some(effort)),
        (None, Some(effort), Ways::Budgets) => Wanted::Budget(effort.budget()),
        (None, None, Ways::Budgets | Ways::Both | Ways::Words) => match (show, ways) {
            // Who wants to read thoughts wants some.
            (Some(Show::Summary), Ways::Both | Ways::Words) => Wanted::Adaptive(None),
            (Some(Show::Summary), Ways::Budgets) => Wanted::Budget(Effort::Medium.budget()),
            (Some(Show::Summary), Ways::None) | (Some(Show::Nothing) | None, _) => Wanted::Unsaid,
        },
    }
}

fn word(effort: Effort, ways: Ways, notes: &mut Notes) -> &'static str {
    let nearest = match effort {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::XHigh if ways == Ways::Both => Effort::High,
        Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => effort,
    };
    told(effort, nearest, notes)
}

fn word_of_gpt(effort: Effort, notes: &mut Notes) -> &'static str {
    let nearest = match effort {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::Medium => Effort::Medium,
        Effort::High | Effort::XHigh | Effort::Max => Effort::High,
    };
    told(effort, nearest, notes)
}

fn told(effort: Effort, nearest: Effort, notes: &mut Notes) -> &'static str {
    if nearest != effort {
        notes.add("reasoning_effort", How::Clamped);
    }
    nearest.as_str()
}

/// A budget that leaves something of the maximum for the answer; none if that is too small.
fn fitting(tokens: u64, max_tokens: u64, notes: &mut Notes) -> Thinking {
    if max_tokens <= LEAST {
        notes.dropped("thinking");
        return Thinking::Disabled;
    }
    let room = (max_tokens / 5).saturating_mul(4).max(LEAST);
    let budget = if tokens < max_tokens { tokens.max(LEAST) } else { room };
    if budget != tokens {
        notes.add("thinking.budget_tokens", How::Clamped);
    }
    Thinking::Enabled { budget_tokens: budget }
}
