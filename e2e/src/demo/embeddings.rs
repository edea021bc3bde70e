//! OpenAI's embeddings: the same vector for the same text. Pure.

use super::{Answer, Ask, Piece, openai, tokens};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

/// The vector of a text, of length one.
pub fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    // FNV-1a to start, xorshift to go on: no more is needed to tell texts apart.
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let raw: Vec<f32> = (0..dimensions).map(|_| next()).collect();
    let length = raw.iter().map(|it| it * it).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|it| it / length).collect()
}

/// Answers `POST /v1/embeddings`.
pub fn embed(ask: &Ask<'_>) -> Answer {
    let Some(model) = ask.body["model"].as_str().filter(|it| !it.is_empty()) else {
        return openai::error(400, "you must provide a model parameter", None, None);
    };
    let Some(inputs) = inputs(&ask.body["input"]) else {
        let missing = ask.body["input"].is_null();
        let message =
            if missing { "Missing required parameter: 'input'." } else { "'$.input' is invalid." };
        return openai::error(400, message, Some("input"), None);
    };
    let most = if model.contains("large") { 3072 } else { 1536 };
    let dimensions = match ask.body["dimensions"].as_u64().map(usize::try_from) {
        None => most,
        Some(Ok(it)) if (1..=most).contains(&it) => it,
        Some(_) => {
            let message = format!("Invalid value for 'dimensions' = must be between 1 and {most}.");
            return openai::error(400, &message, Some("dimensions"), None);
        }
    };
    let as_base64 = match ask.body["encoding_format"].as_str() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let message = "Invalid value for 'encoding_format': expected 'float' or 'base64'.";
            return openai::error(400, message, Some("encoding_format"), None);
        }
    };
    let vectors = inputs.iter().enumerate().map(|(index, (text, _))| {
        let vector = vector(text, dimensions);
        let embedding = if as_base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let vectors: Vec<Value> = vectors.collect();
    let used: u64 = inputs.iter().map(|(_, tokens)| tokens).sum();
    let mut body = json!({"object": "list", "data": vectors, "model": model});
    if !ask.behave.no_usage {
        body["usage"] = json!({"prompt_tokens": used, "total_tokens": used});
    }
    let pieces = vec![Piece { bytes: Bytes::from(body.to_string()), output_tokens: 0 }];
    Answer { pieces, input_tokens: used, ..Answer::default() }
}

/// Every input as a text and its tokens: a text, texts, tokens, or lists of tokens.
fn inputs(input: &Value) -> Option<Vec<(String, u64)>> {
    let one = |it: &Value| {
        if let Some(text) = it.as_str().filter(|it| !it.is_empty()) {
            return Some((text.to_owned(), tokens::count(text)));
        }
        let ids = it.as_array().filter(|ids| !ids.is_empty() && ids.iter().all(Value::is_u64))?;
        Some((it.to_string(), ids.len() as u64))
    };
    match input.as_array() {
        Some(items) if items.iter().any(|it| !it.is_number()) => items.iter().map(one).collect(),
        Some(_) | None => one(input).map(|it| vec![it]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::behave::Behave;

    fn ask(body: &Value) -> (u16, Value) {
        let answer = embed(&Ask { body, behave: &Behave::default(), now: 1 });
        (answer.status, serde_json::from_slice(&answer.pieces[0].bytes).unwrap())
    }

    #[test]
    fn base64_and_numbers_are_the_same_vector() {
        let mut body = json!({"model": "text-embedding-3-small", "input": ["one", "two words"], "dimensions": 8});
        let (_, floats) = ask(&body);
        body["encoding_format"] = json!("base64");
        let (_, packed) = ask(&body);
        for index in [0, 1] {
            let bytes =
                STANDARD.decode(packed["data"][index]["embedding"].as_str().unwrap()).unwrap();
            let unpacked: Vec<f32> = bytes
                .chunks_exact(4)
                .map(|it| f32::from_le_bytes(it.try_into().unwrap()))
                .collect();
            let numbers: Vec<f32> =
                serde_json::from_value(floats["data"][index]["embedding"].clone()).unwrap();
            assert_eq!(unpacked, numbers);
        }
        assert_eq!(floats["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
        assert_eq!(vector("one", 8), vector("one", 8));
        assert_ne!(vector("one", 8), vector("two", 8));
    }

    #[test]
    fn tokens_are_taken_and_nonsense_is_refused() {
        assert_eq!(ask(&json!({"model": "m", "input": [1, 2, 3]})).1["usage"]["prompt_tokens"], 3);
        let (_, body) = ask(&json!({"model": "m", "input": [[1, 2], [3]]}));
        assert_eq!(body["data"].as_array().map(Vec::len), Some(2));
        for input in [json!(null), json!(""), json!([]), json!([""]), json!(7), json!({"a": 1})] {
            assert_eq!(ask(&json!({"model": "m", "input": input})).0, 400, "{input}");
        }
    }
}
