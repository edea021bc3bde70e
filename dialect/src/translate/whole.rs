//! A whole answer as steps, and steps as a whole answer.

use super::{MAX_HELD, Unreadable};
use crate::{
    chat::{Answer, Block, Call, CallInput, Choice, Content, Delta, Part, Start, Step, Stop},
    json::Json,
};
use std::collections::BTreeMap;

/// Tells a whole answer as a stream is told.
pub(super) fn replay(answer: Answer, out: &mut Vec<Step>) {
    let Answer { id, model, created, choices, usage, tier } = answer;
    out.push(Step::Start(Start { id, model, created, usage }));
    for (choice, Choice { parts, stop, mut logprobs }) in (0..).zip(choices) {
        let (mut index, mut calls) = (0, 0);
        for part in parts {
            let Some((block, deltas)) = taken_apart(&part, calls, &mut logprobs) else { continue };
            calls = calls.saturating_add(u32::from(matches!(block, Block::Call { .. })));
            out.push(Step::Open { choice, index, block });
            out.extend(deltas.into_iter().map(|delta| Step::Delta { choice, index, delta }));
            out.push(Step::Close { choice, index, whole: part });
            index = index.saturating_add(1);
        }
        out.push(Step::Stop { choice, stop });
    }
    out.push(Step::End { usage, tier });
}

/// What opens a part and what fills it; nothing for what streams cannot tell, and for what
/// says nothing. The first text has the probabilities of all.
fn taken_apart(
    part: &Part,
    number: u32,
    logprobs: &mut Option<Json>,
) -> Option<(Block, Vec<Delta>)> {
    Some(match &part.content {
        Content::Text(it) if it.text.is_empty() && it.citations.is_empty() => return None,
        Content::Text(it) => {
            let text = Delta::Text { text: it.text.clone(), logprobs: logprobs.take() };
            let citations = it.citations.iter().cloned().map(Delta::Cite);
            (Block::Text, [text].into_iter().chain(citations).collect())
        }
        Content::Refusal(text) if text.is_empty() => return None,
        Content::Refusal(text) => (Block::Refusal, vec![Delta::Refusal(text.clone())]),
        Content::Thinking(it) => match &it.opaque {
            Some(opaque) if it.redacted => (Block::Redacted(opaque.clone()), Vec::new()),
            None if it.text.is_empty() => return None,
            opaque => {
                let text = (!it.text.is_empty()).then(|| Delta::Thinking(it.text.clone()));
                let state = opaque.clone().map(Delta::State);
                (Block::Thinking, text.into_iter().chain(state).collect())
            }
        },
        Content::Call(Call { id, name, namespace, input, opaque }) => {
            let (custom, text) = match input {
                CallInput::Json(json) => (false, json.as_str()),
                CallInput::Text(text) => (true, text.as_str()),
            };
            let block = Block::Call {
                number,
                id: id.clone(),
                name: name.clone(),
                namespace: namespace.clone(),
                custom,
                opaque: opaque.clone(),
            };
            (block, vec![Delta::Input(text.to_owned())])
        }
        Content::Image(_) | Content::Audio { .. } | Content::Document(_) | Content::Result(_) => {
            return None;
        }
    })
}

/// An answer that is put together from its steps.
#[derive(Debug, Default)]
pub(super) struct Collector {
    answer: Answer,
    choices: BTreeMap<u32, Collected>,
    held: usize,
}

#[derive(Debug, Default)]
struct Collected {
    parts: Vec<Part>,
    stop: Option<Stop>,
    /// The inside of an array of tokens.
    logprobs: String,
}

impl Collector {
    /// Takes one more step; at the last one, gives the answer. `Ping` and `Failed` say
    /// nothing of it.
    ///
    /// # Errors
    /// When it becomes larger than what is held.
    pub(super) fn push(&mut self, step: Step) -> Result<Option<Answer>, Unreadable> {
        match step {
            Step::Start(Start { id, model, created, usage }) => {
                self.answer = Answer { id, model, created, usage, ..Answer::default() };
            }
            Step::Delta { choice, delta: Delta::Text { logprobs: Some(logprobs), .. }, .. } => {
                let text = logprobs.as_str().trim();
                let inside = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
                self.hold(text.len())?;
                let all = &mut self.choices.entry(choice).or_default().logprobs;
                if let Some(inside) = inside.map(str::trim).filter(|it| !it.is_empty()) {
                    if !all.is_empty() {
                        all.push(',');
                    }
                    all.push_str(inside);
                }
            }
            Step::Close { choice, whole, .. } => {
                self.hold(weight(&whole))?;
                self.choices.entry(choice).or_default().parts.push(whole);
            }
            Step::Stop { choice, stop } => {
                self.choices.entry(choice).or_default().stop = Some(stop);
            }
            Step::End { usage, tier } => {
                let mut answer = std::mem::take(&mut self.answer);
                answer.usage = usage.or(answer.usage);
                answer.tier = tier;
                let choices = std::mem::take(&mut self.choices);
                answer.choices = choices.into_values().map(Collected::into_choice).collect();
                return Ok(Some(answer));
            }
            Step::Open { .. } | Step::Delta { .. } | Step::Ping | Step::Failed(_) => {}
        }
        Ok(None)
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Unreadable> {
        self.held = self.held.saturating_add(bytes);
        if self.held > MAX_HELD {
            return Err(Unreadable("it is larger than is held for one answer".to_owned()));
        }
        Ok(())
    }
}

impl Collected {
    fn into_choice(self) -> Choice {
        let logprobs = (!self.logprobs.is_empty()).then(|| format!("[{}]", self.logprobs));
        Choice {
            parts: self.parts,
            stop: self.stop.unwrap_or(Stop::End),
            logprobs: logprobs.as_deref().and_then(Json::parse),
        }
    }
}

/// About how many bytes a part of an answer takes.
fn weight(part: &Part) -> usize {
    const EACH: usize = 256;
    let bytes = match &part.content {
        Content::Text(it) => it.text.len().saturating_add(it.citations.len().saturating_mul(EACH)),
        Content::Refusal(text) => text.len(),
        Content::Thinking(it) => {
            it.text.len().saturating_add(it.opaque.as_ref().map_or(0, |it| it.data.len()))
        }
        Content::Call(call) => match &call.input {
            CallInput::Json(json) => json.as_str().len(),
            CallInput::Text(text) => text.len(),
        },
        Content::Audio { data, .. } => data.len(),
        Content::Image(_) | Content::Document(_) | Content::Result(_) => 0,
    };
    bytes.saturating_add(EACH)
}
