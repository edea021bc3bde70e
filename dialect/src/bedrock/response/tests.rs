//! Whole answers, good and bad.

use super::*;
use crate::chat::Stop;
use domain::tokens::Tokens;

fn answer(content: &str, reason: &str) -> Result<Answer, Unreadable> {
    let body = format!(
        r#"{{"metrics":{{"latencyMs":5}},"output":{{"message":{{"content":{content},"role":"assistant"}}}},
            "stopReason":"{reason}","serviceTier":{{"type":"flex"}},
            "usage":{{"inputTokens":10,"outputTokens":7,"totalTokens":17,"cacheReadInputTokens":3,"cacheWriteInputTokens":2}}}}"#
    );
    read(body.as_bytes())
}

#[test]
fn every_block_is_read() {
    let content = r#"[
        {"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},
        {"reasoningContent":{"redactedContent":"aGlk"}},
        {"text":"Hello"},
        {"citationsContent":{"content":[{"text":"a"},{"text":"b"}],"citations":[
            {"title":"T","location":{"web":{"url":"https://a.example"}},"sourceContent":[{"text":"q"}]},
            {"location":{"documentChar":{"documentIndex":0}}}]}},
        {"toolUse":{"toolUseId":"t1","name":"get","input":{"b":1.0,"a":2}}},
        {"toolUse":{"toolUseId":"t2","name":"none"}},
        {"video":{}}]"#;
    let answer = answer(content, "tool_use").unwrap();
    let choice = &answer.choices[0];
    let opaque = |data: &str| Some(Opaque { origin: Dialect::Bedrock, data: data.to_owned() });
    let thinking = |text: &str, data, redacted| {
        Part::new(Content::Thinking(Thinking {
            text: text.to_owned(),
            opaque: opaque(data),
            redacted,
        }))
    };
    assert_eq!(
        choice.parts[..3],
        [thinking("hm", "c2ln", false), thinking("", "aGlk", true), Part::text("Hello")]
    );
    let Content::Text(cited) = &choice.parts[3].content else { panic!() };
    assert_eq!((cited.text.as_str(), cited.citations.len()), ("ab", 1));
    assert_eq!(cited.citations[0].quote.as_deref(), Some("q"));
    let Content::Call(call) = &choice.parts[4].content else { panic!() };
    let CallInput::Json(input) = &call.input else { panic!() };
    assert_eq!((call.id.as_str(), input.as_str()), ("t1", r#"{"b":1.0,"a":2}"#));
    let Content::Call(call) = &choice.parts[5].content else { panic!() };
    assert_eq!(call.input, CallInput::Json(Json::empty_object()));
    assert_eq!((choice.parts.len(), &choice.stop), (6, &Stop::Calls));
    let tokens = Tokens { input: 15, cached_input: 3, cache_write: 2, output: 7, reasoning: 0 };
    assert_eq!((answer.usage, answer.tier.as_deref()), (Some(tokens), Some("flex")));
}

#[test]
fn each_reason_to_stop_is_understood() {
    for (reason, stop) in [
        ("end_turn", Stop::End),
        ("tool_use", Stop::Calls),
        ("max_tokens", Stop::Length),
        ("model_context_window_exceeded", Stop::Length),
        ("stop_sequence", Stop::Sequence(None)),
        ("guardrail_intervened", Stop::Refused),
        ("content_filtered", Stop::Refused),
        ("malformed_tool_use", Stop::Failed("malformed_tool_use".to_owned())),
        ("new_one", Stop::Failed("new_one".to_owned())),
    ] {
        assert_eq!(answer("[]", reason).unwrap().choices[0].stop, stop, "{reason}");
    }
    let body = r#"{"output":{"message":{"content":[]}},"stopReason":"stop_sequence",
        "additionalModelResponseFields":{"stop_sequence":"END"}}"#;
    let stop = Stop::Sequence(Some("END".to_owned()));
    assert_eq!(read(body.as_bytes()).unwrap().choices[0].stop, stop);
}

#[test]
fn what_is_no_answer_is_unreadable() {
    let deep = format!(r#"{{"output":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        "[]",
        "{}",
        "null",
        r#"{"output":1}"#,
        r#"{"output":{}}"#,
        r#"{"output":{"message":{"content":{}}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[1]}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[{"toolUse":1}]}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[{"toolUse":{}}]}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[]}}}"#,
        r#"{"output":{"message":{"content":[]}},"stopReason":1}"#,
        r#"{"output":{"message":{"content":[{"text":"#,
        &deep,
    ] {
        assert!(read(body.as_bytes()).is_err(), "{}", &body[..body.len().min(80)]);
    }
    assert!(read(b"\xff").is_err());
}
