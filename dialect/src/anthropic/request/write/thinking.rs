//! How much to think, and how many tokens there are for it.
//!
//! Older models take a budget, newer ones an effort, and some both. Which it is can only be
//! told from the model's name; one that is no name of Anthropic's gets a budget.

use crate::{
    anthropic::wire::Thinking,
    chat::{Budget, Effort, Reasoning, Request, Show},
    translate::{How, Notes, Refused, Target},
};
use domain::catalog::Quirk;

/// The least budget that Anthropic takes.
const LEAST: u64 = 1_024;

/// What is written of it.
pub(super) struct Thoughts {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
}

impl Thoughts {
    /// Whether the model is going to think.
    pub(super) const fn are_on(&self) -> bool {
        matches!(self.thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }))
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

/// How a model is told how much to think.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// In tokens.
    Budgets,
    /// In tokens or in words.
    Both,
    /// In words.
    Words,
}

fn ways(target: &Target<'_>) -> Ways {
    match version(target.model) {
        Some(_) | None if target.quirks.has(Quirk::NoEffort) => Ways::Budgets,
        Some(version) if version >= (4, 7) => Ways::Words,
        Some(version) if version >= (4, 6) => Ways::Both,
        Some(_) | None => Ways::Budgets,
    }
}

/// Whether the model takes `temperature` and the like.
pub(super) fn takes_sampling(target: &Target<'_>) -> bool {
    let newest = version(target.model).is_some_and(|it| it >= (4, 7));
    !newest && !target.quirks.has(Quirk::NoSampling)
}

/// The version in a name such as `claude-opus-4-6`, `us.anthropic.claude-sonnet-4-5-v1:0`
/// or `claude-3-7-sonnet-20250219`.
fn version(model: &str) -> Option<(u64, u64)> {
    let model = model.to_ascii_lowercase();
    let (_, rest) = model.split_once("claude")?;
    let mut words = rest.split(|it: char| !it.is_ascii_alphanumeric()).map(|word| {
        // Longer numbers are dates.
        (word.len() <= 2).then(|| word.parse().ok()).flatten()
    });
    let major = words.by_ref().find_map(|it| it)?;
    Some((major, words.next().flatten().unwrap_or(0)))
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
    let ways = ways(target);
    let mut wanted = wanted(request.reasoning.as_ref(), ways, notes);
    let Circumstances { forced, lost } = circumstances;
    let impossible = match wanted {
        Wanted::Unsaid | Wanted::Off => false,
        Wanted::Budget(_) => forced || lost,
        Wanted::Adaptive(_) => forced,
    };
    if impossible {
        notes.dropped("thinking");
        wanted = Wanted::Off;
    }
    let said = target.output_of(request.max_output, notes).or(target.max_output);
    if said.is_none() {
        notes.add("max_tokens", How::Defaulted);
    }
    let mut max_tokens = said.unwrap_or(Target::DEFAULT_OUTPUT);
    let (thinking, effort) = match wanted {
        Wanted::Unsaid => (None, None),
        Wanted::Off => (Some(Thinking::Disabled), None),
        Wanted::Adaptive(effort) => {
            let show = request.reasoning.as_ref().and_then(|it| it.show);
            let display = show.map(|it| match it {
                Show::Nothing => "omitted",
                Show::Summary => "summarized",
            });
            (Some(Thinking::Adaptive { display }), effort.map(|it| word(it, ways, notes)))
        }
        Wanted::Budget(tokens) => {
            if said.is_none() {
                max_tokens = tokens.max(LEAST).saturating_add(Target::DEFAULT_OUTPUT);
            }
            (Some(fitting(tokens, max_tokens, notes)), None)
        }
    };
    Ok(Thoughts { thinking, effort, max_tokens })
}

fn wanted(reasoning: Option<&Reasoning>, ways: Ways, notes: &mut Notes) -> Wanted {
    // Anthropic always gives the state of thoughts.
    let Some(Reasoning { effort, budget, show, wants_opaque: _ }) = reasoning else {
        return Wanted::Unsaid;
    };
    match (*budget, *effort, ways) {
        (Some(Budget::Tokens(0)), _, _) | (_, Some(Effort::None), _) => Wanted::Off,
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
        (None, None, _) => match (show, ways) {
            // Who wants to read thoughts wants some.
            (Some(Show::Summary), Ways::Both | Ways::Words) => Wanted::Adaptive(None),
            (Some(Show::Summary), Ways::Budgets) => Wanted::Budget(Effort::Medium.budget()),
            (Some(Show::Nothing) | None, _) => Wanted::Unsaid,
        },
    }
}

fn word(effort: Effort, ways: Ways, notes: &mut Notes) -> &'static str {
    let nearest = match effort {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::XHigh if ways == Ways::Both => Effort::High,
        Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => effort,
    };
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
    let room = (max_tokens / 5 * 4).max(LEAST);
    let budget = if tokens < max_tokens { tokens.max(LEAST) } else { room };
    if budget != tokens {
        notes.add("thinking.budget_tokens", How::Clamped);
    }
    Thinking::Enabled { budget_tokens: budget }
}

#[cfg(test)]
mod tests;
