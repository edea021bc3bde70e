//! Embeddings, both ways.

use super::*;
use crate::translate::Notes;
use serde_json::{Value, json};

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn openais_request_becomes_a_batch() {
    let mut notes = Notes::default();
    let body = br#"{"model":"text-embedding-3","input":["a","b"],"dimensions":256,"encoding_format":"base64","user":"u"}"#;
    let (body, asked) = from_openai(body, "gemini-embedding-001", &mut notes).unwrap();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"outputDimensionality":256},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"outputDimensionality":256}]}"#
    );
    assert_eq!(asked, Asked { base64: true, count: 2, estimate: 2 });
    assert_eq!(notes.to_string(), "user;dropped");
    let (body, asked) = from_openai(br#"{"input":"hello"}"#, "models/x", &mut notes).unwrap();
    assert_eq!(parsed(&body)["requests"][0]["model"], "models/x");
    assert_eq!(asked, Asked { base64: false, count: 1, estimate: 2 });
}

#[test]
fn what_openai_says_and_google_cannot_is_refused() {
    for (body, field) in [
        ("", "body"),
        ("{}", "input"),
        (r#"{"input":""}"#, "input"),
        (r#"{"input":[]}"#, "input"),
        (r#"{"input":[1,2]}"#, "input"),
        (r#"{"input":[[1,2]]}"#, "input"),
        (r#"{"input":"a","encoding_format":"hex"}"#, "encoding_format"),
        (r#"{"input":"a","dimensions":-1}"#, "dimensions"),
    ] {
        let error = from_openai(body.as_bytes(), "m", &mut Notes::default()).unwrap_err();
        assert_eq!(error.field, field, "{body}");
    }
}

#[test]
fn googles_answer_becomes_openais_in_either_encoding() {
    let body = br#"{"embeddings":[{"values":[0.5,-1.0e0]},{"values":[1,2]}],"usageMetadata":{"promptTokenCount":5}}"#;
    let asked = Asked { base64: false, count: 2, estimate: 9 };
    let (out, tokens) = answer_to_openai(body, asked, "alias").unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.0e0]},{"object":"embedding","index":1,"embedding":[1,2]}],"model":"alias","usage":{"prompt_tokens":5,"total_tokens":5}}"#
    );
    assert_eq!(tokens, 5);
    let asked = Asked { base64: true, count: 1, estimate: 9 };
    let one = br#"{"embedding":{"values":[0.5,-1]}}"#;
    let (out, tokens) = answer_to_openai(one, asked, "m").unwrap();
    // 0.5 is 00 00 00 3f and −1 is 00 00 80 bf, the least byte first.
    assert_eq!(parsed(&out)["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(tokens, 9);
    for wrong in [
        "",
        "{}",
        r#"{"embeddings":[]}"#,
        r#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#,
        r#"{"embedding":{"values":["a"]}}"#,
        r#"{"embedding":{}}"#,
    ] {
        assert!(answer_to_openai(wrong.as_bytes(), asked, "m").is_err(), "{wrong}");
    }
}

#[test]
fn googles_requests_become_openais() {
    let mut notes = Notes::default();
    let one = br#"{"model":"models/x","content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","output_dimensionality":"64"}"#;
    let (body, wanted) = to_openai(one, "text-embedding-3", &mut notes).unwrap();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"model":"text-embedding-3","input":["ab"],"encoding_format":"float","dimensions":64}"#
    );
    assert_eq!((wanted, notes.to_string()), (Wanted::One, "taskType;dropped".to_owned()));
    let batch = br#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"title":"t"}]}"#;
    let (body, wanted) = to_openai(batch, "m", &mut notes).unwrap();
    assert_eq!(
        parsed(&body),
        json!({"model": "m", "input": ["a", "b"], "encoding_format": "float"})
    );
    assert_eq!(wanted, Wanted::Batch(2));
    assert!(notes.to_string().ends_with("requests.title;dropped"));
    for (body, field) in [
        ("", "body"),
        ("{}", "content"),
        (r#"{"requests":[]}"#, "requests"),
        (r#"{"requests":[{}]}"#, "requests.content"),
        (r#"{"content":{"parts":[{"inlineData":{}}]}}"#, "content.parts"),
        (r#"{"content":{"parts":[]}}"#, "content.parts"),
        (
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":1},{"content":{"parts":[{"text":"a"}]}}]}"#,
            "requests.outputDimensionality",
        ),
    ] {
        let error = to_openai(body.as_bytes(), "m", &mut Notes::default()).unwrap_err();
        assert_eq!(error.field, field, "{body}");
    }
}

#[test]
fn openais_answer_becomes_googles_in_the_order_of_the_texts() {
    let body = br#"{"object":"list","data":[{"index":1,"embedding":[2.0]},{"index":0,"embedding":"AAAAPw=="}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let (out, tokens) = answer_from_openai(body, Wanted::Batch(2)).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"embeddings":[{"values":[0.5]},{"values":[2.0]}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}"#
    );
    assert_eq!(tokens, Some(3));
    let one = br#"{"data":[{"embedding":[1]}]}"#;
    let (out, tokens) = answer_from_openai(one, Wanted::One).unwrap();
    assert_eq!((parsed(&out), tokens), (json!({"embedding": {"values": [1]}}), None));
    for wrong in [
        "",
        "{}",
        r#"{"data":[{"embedding":"A"}]}"#,
        r#"{"data":[{"embedding":"AAAA"}]}"#,
        r#"{"data":[{}]}"#,
    ] {
        assert!(answer_from_openai(wrong.as_bytes(), Wanted::One).is_err(), "{wrong}");
    }
}
