//! A Google caller and an OpenAI provider.

use super::vector;
use crate::{
    error::json,
    gemini::wire::object::Object,
    json::Json,
    translate::{Notes, Refused, Unreadable},
};
use serde::Serialize;
use serde_json::value::RawValue;

/// In which form the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `embedContent`: one vector.
    One,
    /// `batchEmbedContents`: so many.
    Batch(usize),
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    input: Vec<String>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
}

/// Writes the OpenAI `/v1/embeddings` body for a Google one: of `batchEmbedContents` if it
/// has `requests`, else of `embedContent`. `model` is the provider's.
///
/// # Errors
/// When it is no proper request, or holds more than texts.
pub(crate) fn to_openai(
    body: &[u8],
    model: &str,
    notes: &mut Notes,
) -> Result<(Vec<u8>, Wanted), Refused> {
    let body = std::str::from_utf8(body).map_err(|_| Refused::new("body", "is no UTF-8"))?;
    let mut fields = Object::parse(body, "")?;
    let is_batch = fields.has("requests");
    let (asked, wanted) = if is_batch {
        let requests = fields.list("requests");
        fields.take("model");
        fields.drop_rest(notes);
        let asked = requests.iter().map(|it| one(Object::of(it, "requests")?, notes));
        let asked = asked.collect::<Result<Vec<_>, _>>()?;
        let wanted = Wanted::Batch(asked.len());
        (asked, wanted)
    } else {
        (vec![one(fields, notes)?], Wanted::One)
    };
    let Some(dimensions) = asked.first().map(|it| it.dimensions) else {
        return Err(Refused::new("requests", "is empty"));
    };
    if asked.iter().any(|it| it.dimensions != dimensions) {
        let reason = "is not the same in all requests, which other providers cannot answer at once";
        return Err(Refused::new("requests.outputDimensionality", reason));
    }
    let input = asked.into_iter().map(|it| it.text).collect();
    let body = Body { model, input, encoding_format: "float", dimensions };
    Ok((json(&body).into(), wanted))
}

struct One {
    text: String,
    dimensions: Option<u64>,
}

fn one(mut fields: Object<'_>, notes: &mut Notes) -> Result<One, Refused> {
    fields.take("model");
    let content = fields.object("content", "content")?;
    let Some(mut content) = content else {
        return Err(Refused::new(fields.name("content"), "is missing"));
    };
    let mut text = String::new();
    for raw in content.list("parts") {
        let mut part = Object::of(raw, "content.parts")?;
        let Some(words) = part.text("text")? else {
            let reason = "may hold texts only: other providers embed nothing else";
            return Err(Refused::new("content.parts", reason));
        };
        part.drop_rest(notes);
        text.push_str(&words);
    }
    if text.is_empty() {
        return Err(Refused::new("content.parts", "say nothing"));
    }
    // How Vertex spells it.
    let config = fields.object("embedContentConfig", "embedContentConfig")?;
    let mut dimensions = fields.count("outputDimensionality")?;
    if let Some(mut config) = config {
        dimensions = dimensions.or(config.count("outputDimensionality")?);
        config.drop_rest(notes);
    }
    // `taskType` and `title` among them.
    fields.drop_rest(notes);
    Ok(One { text, dimensions })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Embedding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    embeddings: Vec<Embedding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Usage>,
}

#[derive(Debug, Serialize)]
struct Embedding {
    values: Json,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: u64,
    total_token_count: u64,
}

/// Writes Google's answer for OpenAI's. Gives the tokens that it tells, too.
///
/// # Errors
/// When it is no such answer, or does not have a vector for each text.
pub(crate) fn answer_from_openai(
    body: &[u8],
    wanted: Wanted,
) -> Result<(Vec<u8>, Option<u64>), Unreadable> {
    let unreadable = |what: &str| Unreadable(what.to_owned());
    let body = std::str::from_utf8(body).map_err(|_| unreadable("it is no UTF-8"))?;
    let mut told = Object::parse(body, "").map_err(|_| unreadable("it is no JSON object"))?;
    let vectors = told.list("data").into_iter().enumerate().map(numbered);
    let mut vectors = vectors.collect::<Result<Vec<_>, _>>()?;
    // They need not come in the order of the texts.
    vectors.sort_by_key(|(index, _)| *index);
    let mut embeddings: Vec<_> =
        vectors.into_iter().map(|(_, values)| Embedding { values }).collect();
    let count = match wanted {
        Wanted::One => 1,
        Wanted::Batch(count) => count,
    };
    if embeddings.len() != count {
        return Err(unreadable("it does not have an embedding for each text"));
    }
    let usage = told.object("usage", "").ok().flatten();
    let tokens = usage.and_then(|mut it| it.count("prompt_tokens").ok().flatten());
    let usage_metadata = tokens.map(|it| Usage { prompt_token_count: it, total_token_count: it });
    let embedding = if wanted == Wanted::One { embeddings.pop() } else { None };
    Ok((json(&Answer { embedding, embeddings, usage_metadata }).into(), tokens))
}

fn numbered((place, raw): (usize, &RawValue)) -> Result<(u64, Json), Unreadable> {
    let mut item = Object::of(raw, "").map_err(|_| vector::unreadable())?;
    let index = item.count("index").ok().flatten().unwrap_or(place as u64);
    let vector = item.take("embedding").ok_or_else(vector::unreadable)?;
    Ok((index, vector::numbers(vector)?))
}
