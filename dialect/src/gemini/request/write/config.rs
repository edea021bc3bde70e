//! How the answer is made: `generationConfig`.

use super::thinking::Thinking;
use crate::{
    chat::{Format, Sampling},
    json::Json,
    translate::{How, Notes, Refused, Target},
};
use domain::catalog::Quirk;
use serde::Serialize;

/// Most texts upon which an answer may end.
const STOPS_MAX: usize = 5;

/// Most other tokens of which the probability is told.
const LOGPROBS_MAX: u32 = 20;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Generation<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_config: Option<Thinking>,
}

impl<'a> Generation<'a> {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            stop_sequences,
            response_mime_type,
            response_json_schema,
            candidate_count,
            max_output_tokens,
            temperature,
            top_p,
            top_k,
            seed,
            presence_penalty,
            frequency_penalty,
            response_logprobs,
            logprobs,
            thinking_config,
        } = self;
        let numbers = temperature.or(*top_p).or(*presence_penalty).or(*frequency_penalty);
        stop_sequences.is_empty()
            && response_mime_type.is_none()
            && response_json_schema.is_none()
            && candidate_count.or(*logprobs).is_none()
            && max_output_tokens.or(*top_k).is_none()
            && numbers.is_none()
            && seed.is_none()
            && response_logprobs.is_none()
            && thinking_config.is_none()
    }

    /// Says what form the answer shall have.
    pub(super) fn format(&mut self, format: Option<&'a Format>, notes: &mut Notes) {
        match format {
            None => {}
            Some(Format::Json) => self.response_mime_type = Some("application/json"),
            // Only OpenAI's form has a name, which says nothing.
            Some(Format::Schema { name: _, description, schema, strict }) => {
                self.response_mime_type = Some("application/json");
                self.response_json_schema = Some(schema);
                notes.dropped_if("response_format.description", description);
                if *strict == Some(false) {
                    notes.dropped("response_format.strict");
                }
            }
        }
    }
}

/// How much may be answered, and what is told of it.
pub(super) struct Bounds {
    pub(super) max_output: Option<u64>,
    pub(super) answers: Option<u32>,
    pub(super) logprobs: Option<u32>,
}

/// Says how words are chosen, and how many.
pub(super) fn write<'a>(
    sampling: &'a Sampling,
    bounds: &Bounds,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Generation<'a>, Refused> {
    let &Sampling {
        mut temperature,
        mut top_p,
        mut top_k,
        frequency_penalty,
        presence_penalty,
        seed,
        ref stop,
        ref logit_bias,
    } = sampling;
    if target.quirks.has(Quirk::NoSampling) {
        notes.dropped_if("temperature", &temperature.take());
        notes.dropped_if("top_p", &top_p.take());
        notes.dropped_if("top_k", &top_k.take());
    }
    notes.dropped_if("logit_bias", logit_bias);
    if bounds.logprobs.is_some() {
        // It is told without bytes, and only for the tokens that were chosen from.
        notes.add("logprobs", How::Changed);
    }
    let others = bounds.logprobs.filter(|it| *it != 0);
    if others.is_some_and(|it| LOGPROBS_MAX < it) {
        notes.add("top_logprobs", How::Clamped);
    }
    Ok(Generation {
        stop_sequences: stops(stop, notes)?,
        candidate_count: bounds.answers.filter(|it| *it != 1),
        max_output_tokens: max_output(bounds.max_output, target, notes)?,
        temperature,
        top_p,
        top_k,
        seed: seed.and_then(|it| within(it, notes)),
        presence_penalty,
        frequency_penalty,
        response_logprobs: bounds.logprobs.map(|_| true),
        logprobs: others.map(|it| it.min(LOGPROBS_MAX)),
        ..Generation::default()
    })
}

fn stops<'a>(stop: &'a [String], notes: &mut Notes) -> Result<Vec<&'a str>, Refused> {
    let stops: Vec<_> = stop.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    if stops.len() < stop.len() {
        notes.dropped("stop");
    }
    if STOPS_MAX < stops.len() {
        return Err(Refused::new("stop", "has more than 5 texts, which is all that Gemini takes"));
    }
    Ok(stops)
}

/// Google's seeds have 32 bits.
fn within(seed: i64, notes: &mut Notes) -> Option<i64> {
    if i32::try_from(seed).is_ok() {
        return Some(seed);
    }
    // The same seed becomes the same seed, and that is all it is for.
    notes.add("seed", How::Changed);
    Some(seed & i64::from(i32::MAX))
}

fn max_output(
    asked: Option<u64>,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Option<u64>, Refused> {
    if asked == Some(0) {
        return Err(Refused::new("max_tokens", "is 0, and Gemini always answers something"));
    }
    Ok(target.output_of(asked, notes))
}
