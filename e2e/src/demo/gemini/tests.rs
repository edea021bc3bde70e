//! Facts about Google's dialect of the demo provider.

use super::*;
use crate::demo::behave::Behave;

fn ask(body: &Value, verb: &str, array: bool, behave: &Behave) -> Answer {
    let called = Called { model: "gemini-x", verb, array };
    answer(&Ask { body, behave, now: 1 }, called)
}

fn text(answer: &Answer) -> String {
    answer.pieces.iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect()
}

fn chunks(answer: &Answer) -> Vec<Value> {
    let text = text(answer);
    let lines = text.lines().filter_map(|it| it.strip_prefix("data: "));
    lines.map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn said(chunks: &[Value]) -> String {
    let parts = chunks.iter().flat_map(|it| {
        it["candidates"][0]["content"]["parts"].as_array().cloned().unwrap_or_default()
    });
    parts
        .filter(|it| it["thought"] != true)
        .filter_map(|it| it["text"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_stream_says_what_the_whole_answer_says_as_events_and_as_an_array() {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi you"}]}],
                      "generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    let behave = Behave { cached: 2, reasoning: 4, ..Behave::default() };
    let whole: Value =
        serde_json::from_str(&text(&ask(&body, "generateContent", false, &behave))).unwrap();
    let streamed = ask(&body, "streamGenerateContent", false, &behave);
    let chunks = chunks(&streamed);
    assert_eq!(said(&chunks), said(std::slice::from_ref(&whole)));
    let last = chunks.last().unwrap();
    assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    let usage = &last["usageMetadata"];
    let output = usage["candidatesTokenCount"].as_u64().unwrap() + 4;
    assert_eq!(streamed.pieces.last().unwrap().output_tokens, output);
    assert_eq!(chunks[0]["candidates"][0]["content"]["parts"][0]["thought"], true);
    let array: Vec<Value> =
        serde_json::from_str(&text(&ask(&body, "streamGenerateContent", true, &behave))).unwrap();
    assert_eq!((array.len(), said(&array)), (chunks.len(), said(&chunks)));
}

#[test]
fn calls_come_together_and_the_first_carries_the_state() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": "weather?"}]}],
        "tools": [{"functionDeclarations": [
            {"name": "one", "parametersJsonSchema": schema}, {"name": "two", "parameters": schema}]}],
    });
    let behave = Behave { tool_calls: Some(2), ..Behave::default() };
    let chunks = chunks(&ask(&body, "streamGenerateContent", false, &behave));
    let parts = &chunks[0]["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["functionCall"], json!({"name": "one", "args": {"city": "Paris"}}));
    assert_eq!(parts[1]["functionCall"]["name"], "two");
    assert_eq!(parts[0]["thoughtSignature"], strict::gemini::SIGNATURE);
    assert!(parts[1]["thoughtSignature"].is_null());
}

#[test]
fn errors_are_googles() {
    let answer = error_for(429, Some("7"));
    let body: Value = serde_json::from_str(&text(&answer)).unwrap();
    assert_eq!((answer.status, &body["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
    assert_eq!(body["error"]["details"][0]["retryDelay"], "7s");
    assert_eq!(invalid_key().status, 400);
    assert_eq!(ask(&json!({}), "sing", false, &Behave::default()).status, 404);
}

#[test]
fn texts_become_vectors_and_contents_are_counted() {
    let content = json!({"parts": [{"text": "one two"}]});
    let body = json!({"requests": [{"model": "models/gemini-x", "content": content, "outputDimensionality": 4}]});
    let answer = ask(&body, "batchEmbedContents", false, &Behave::default());
    let found: Value = serde_json::from_str(&text(&answer)).unwrap();
    assert_eq!(found["embeddings"][0]["values"].as_array().unwrap().len(), 4);
    assert_eq!(answer.input_tokens, 2);
    let one = ask(&body["requests"][0], "embedContent", false, &Behave::default());
    let one: Value = serde_json::from_str(&text(&one)).unwrap();
    assert_eq!(one["embedding"], found["embeddings"][0]);
    assert_eq!(ask(&body, "embedContent", false, &Behave::default()).status, 400);
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "one two"}]}]});
    let count = ask(&body, "countTokens", false, &Behave::default());
    let count: Value = serde_json::from_str(&text(&count)).unwrap();
    let behave = Behave::default();
    assert_eq!(count["totalTokens"], ask(&body, "generateContent", false, &behave).input_tokens);
}
