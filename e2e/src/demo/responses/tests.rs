//! Facts about the demo provider's responses.

use super::*;
use crate::demo::behave::Behave;

fn ask(body: &Value, behave: &Behave) -> Answer {
    create(&Ask { body, behave, now: 1 })
}

fn events(answer: &Answer) -> Vec<Value> {
    let texts = answer.pieces.iter().map(|it| String::from_utf8(it.bytes.to_vec()).unwrap());
    let events = texts.enumerate().map(|(at, it)| {
        let (name, data) = it.trim_end().split_once("\ndata: ").unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name.strip_prefix("event: "), event["type"].as_str());
        assert_eq!(event["sequence_number"], at);
        event
    });
    events.collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> =
        events.iter().filter_map(|it| it["type"].as_str()?.strip_prefix("response.")).collect();
    kinds.dedup();
    kinds
}

#[test]
fn a_stream_says_what_the_whole_answer_says_in_the_public_sequence() {
    let mut body = json!({"model": "m", "input": "hi you", "include": ["reasoning.encrypted_content"],
                          "reasoning": {"effort": "low", "summary": "auto"}});
    let behave = Behave { reasoning: 5, cached: 1, ..Behave::default() };
    let whole: Value = serde_json::from_slice(&ask(&body, &behave).pieces[0].bytes).unwrap();
    assert_eq!(whole["output"][0]["encrypted_content"], strict::responses::STATE);
    body["stream"] = json!(true);
    let answer = ask(&body, &behave);
    let events = events(&answer);
    assert_eq!(
        kinds(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["usage"], whole["usage"]);
    let deltas = events.iter().filter(|it| it["type"] == "response.output_text.delta");
    let said: String = deltas.filter_map(|it| it["delta"].as_str()).collect();
    assert_eq!(whole["output"][1]["content"][0]["text"], json!(said));
    assert_eq!(json!(answer.pieces.last().unwrap().output_tokens), last["usage"]["output_tokens"]);
}

#[test]
fn tools_are_called_with_arguments_in_pieces_and_their_results_are_said() {
    let tool = |name: &str| {
        json!({"type": "function", "name": name, "strict": false,
               "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}})
    };
    let body = json!({"model": "m", "stream": true, "input": "weather?",
                      "tools": [tool("one"), tool("two")]});
    let behave = Behave { tool_calls: Some(2), ..Behave::default() };
    let answer = ask(&body, &behave);
    let events = events(&answer);
    for (at, name) in [(0, "one"), (1, "two")] {
        let done = events
            .iter()
            .find(|it| it["type"] == "response.output_item.done" && it["output_index"] == at);
        assert_eq!(done.unwrap()["item"]["name"], name);
        let deltas = events.iter().filter(|it| {
            it["type"] == "response.function_call_arguments.delta" && it["output_index"] == at
        });
        let arguments: String = deltas.filter_map(|it| it["delta"].as_str()).collect();
        assert_eq!(arguments, r#"{"city":"Paris"}"#);
    }
    let last = &events.last().unwrap()["response"]["usage"]["output_tokens"];
    assert_eq!(&json!(answer.pieces.last().unwrap().output_tokens), last);

    let call = json!({"type": "function_call", "call_id": "a", "name": "one", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "a", "output": "mild"});
    let body =
        json!({"model": "m", "input": [{"role": "user", "content": "weather?"}, call, output]});
    let whole = ask(&body, &Behave::default());
    assert!(String::from_utf8_lossy(&whole.pieces[0].bytes).contains("The tool says: mild"));
}

#[test]
fn what_is_cut_off_is_incomplete() {
    let body = json!({"model": "m", "input": "hi", "max_output_tokens": 16});
    let behave = Behave { tokens: Some(20), ..Behave::default() };
    let whole: Value = serde_json::from_slice(&ask(&body, &behave).pieces[0].bytes).unwrap();
    assert_eq!(whole["status"], "incomplete");
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
}
