//! How likely tokens were, in Google's form and in OpenAI's, which is the common one.

use crate::{
    gemini::wire::{self, Logprob, TopCandidates, object::Object},
    json::{Json, elements},
};
use serde::Serialize;
use serde_json::value::RawValue;

/// Google's `logprobsResult` as OpenAI's `logprobs.content`.
pub(in crate::gemini) fn read(raw: &RawValue) -> Option<Json> {
    let mut result = Object::of(raw, "").ok()?;
    let mut others = result.list("topCandidates").into_iter();
    let tokens = result.list("chosenCandidates").into_iter().map(|raw| {
        let (token, logprob) = candidate(raw)?;
        let others = others.next().and_then(|it| Object::of(it, "").ok());
        let others = others.map(|mut it| it.list("candidates")).unwrap_or_default();
        let top = others.into_iter().filter_map(candidate).map(|(token, logprob)| Other {
            token,
            logprob,
            bytes: None,
        });
        Some(Token { token, logprob, bytes: None, top_logprobs: top.collect() })
    });
    let tokens: Vec<_> = tokens.collect::<Option<_>>()?;
    Json::parse(&serde_json::to_string(&tokens).ok()?)
}

fn candidate(raw: &RawValue) -> Option<(String, f64)> {
    let mut candidate = Object::of(raw, "").ok()?;
    let logprob = candidate.number("logProbability").ok()??;
    Some((candidate.text("token").ok().flatten().unwrap_or_default(), logprob))
}

/// OpenAI's `logprobs.content` as Google's `logprobsResult`.
pub(in crate::gemini) fn write(content: &Json) -> Option<wire::Logprobs> {
    let raw: &RawValue = serde_json::from_str(content.as_str()).ok()?;
    let mut result = wire::Logprobs::default();
    for raw in elements(raw)? {
        let mut token = Object::of(raw, "").ok()?;
        let top = token.list("top_logprobs").into_iter().filter_map(one).collect();
        result.chosen_candidates.push(one(raw)?);
        result.top_candidates.push(TopCandidates { candidates: top });
    }
    (!result.chosen_candidates.is_empty()).then_some(result)
}

fn one(raw: &RawValue) -> Option<Logprob> {
    let mut token = Object::of(raw, "").ok()?;
    let log_probability = token.number("logprob").ok()??;
    Some(Logprob { token: token.text("token").ok()??, log_probability })
}

/// OpenAI's form. Google tells no bytes.
#[derive(Debug, Serialize)]
struct Token {
    token: String,
    logprob: f64,
    bytes: Option<Vec<u8>>,
    top_logprobs: Vec<Other>,
}

#[derive(Debug, Serialize)]
struct Other {
    token: String,
    logprob: f64,
    bytes: Option<Vec<u8>>,
}
