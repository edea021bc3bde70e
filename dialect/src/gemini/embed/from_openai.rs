//! An OpenAI caller and a Google provider.

use super::vector::{self, Vector};
use crate::{
    error::json,
    gemini::{
        full_name,
        wire::{Content, Part, object::Object},
    },
    json::{Fields, Json, elements, text},
    translate::{Notes, Refused, Unreadable},
};
use domain::tokens::estimate_from_text;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the answer's writer has to know of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether vectors are wanted in base64.
    pub(crate) base64: bool,
    /// How many vectors there have to be.
    pub(crate) count: usize,
    /// About how many tokens the texts are: some of Google's answers tell none.
    pub(crate) estimate: u64,
}

#[derive(Debug, Serialize)]
struct Batch<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

/// Writes the `batchEmbedContents` body for an OpenAI `/v1/embeddings` body. `model` is the
/// provider's.
///
/// # Errors
/// When it is no proper request, or holds tokens in place of texts.
pub(crate) fn from_openai(
    body: &[u8],
    model: &str,
    notes: &mut Notes,
) -> Result<(Vec<u8>, Asked), Refused> {
    let body = std::str::from_utf8(body).map_err(|_| Refused::new("body", "is no UTF-8"))?;
    let mut fields = Fields::parse(body).map_err(|_| Refused::new("body", "is no JSON object"))?;
    // The path tells it upstream.
    fields.take("model");
    let input = fields.take("input").ok_or_else(|| Refused::new("input", "is missing"))?;
    let texts = texts(input)?;
    let dimensions = fields.take_as::<u64>("dimensions")?;
    let encoding = fields.take("encoding_format").and_then(text);
    let base64 = match encoding.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let reason = "is neither `float` nor `base64`";
            return Err(Refused::new("encoding_format", reason));
        }
    };
    for (name, _) in fields.rest() {
        notes.dropped(name.into_owned());
    }
    let estimate = texts.iter().map(|it| estimate_from_text(it)).sum();
    let asked = Asked { base64, count: texts.len(), estimate };
    let model = full_name(model);
    let requests = texts.into_iter().map(|text| Request {
        model: &model,
        content: Content { parts: vec![Part::text(text)], role: "" },
        output_dimensionality: dimensions,
    });
    Ok((json(&Batch { requests: requests.collect() }).into(), asked))
}

/// The texts of `input`: one, or several.
fn texts(input: &RawValue) -> Result<Vec<Cow<'_, str>>, Refused> {
    if let Some(one) = text(input) {
        if one.is_empty() {
            return Err(Refused::new("input", "is empty"));
        }
        return Ok(vec![one]);
    }
    let Some(all) = elements(input).filter(|it| !it.is_empty()) else {
        return Err(Refused::new("input", "is neither a text nor a list of texts"));
    };
    let texts: Option<Vec<_>> = all.into_iter().map(text).collect();
    let reason = "holds tokens, which mean something else to every model: send texts";
    texts.ok_or_else(|| Refused::new("input", reason))
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Writes OpenAI's answer for Google's to `embedContent` or `batchEmbedContents`; `model`
/// is what the caller is told. Gives the tokens that it tells, too.
///
/// # Errors
/// When it is no such answer, or does not have a vector for each text.
pub(crate) fn answer_to_openai(
    body: &[u8],
    asked: Asked,
    model: &str,
) -> Result<(Vec<u8>, u64), Unreadable> {
    let unreadable = |what: &str| Unreadable(what.to_owned());
    let body = std::str::from_utf8(body).map_err(|_| unreadable("it is no UTF-8"))?;
    let mut told = Object::parse(body, "").map_err(|_| unreadable("it is no JSON object"))?;
    let mut embeddings = told.list("embeddings");
    embeddings.extend(told.take("embedding"));
    if embeddings.len() != asked.count {
        return Err(unreadable("it does not have an embedding for each text"));
    }
    let mut data = Vec::with_capacity(embeddings.len());
    for (index, raw) in embeddings.into_iter().enumerate() {
        let mut embedding = Object::of(raw, "").map_err(|_| vector::unreadable())?;
        let values = embedding.take("values").ok_or_else(vector::unreadable)?;
        let embedding = if asked.base64 {
            Vector::Bytes(vector::encode(values)?)
        } else {
            Vector::Numbers(Json::from(values))
        };
        data.push(Embedding { object: "embedding", index, embedding });
    }
    let usage = told.object("usageMetadata", "").ok().flatten();
    let tokens = usage.and_then(|mut it| it.count("promptTokenCount").ok().flatten());
    let tokens = tokens.unwrap_or(asked.estimate);
    let usage = Usage { prompt_tokens: tokens, total_tokens: tokens };
    Ok((json(&Answer { object: "list", data, model, usage }).into(), tokens))
}
