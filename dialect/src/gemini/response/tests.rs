//! What a whole answer means, and how it is written.

use super::*;
use crate::{
    chat::{
        Answer, Call, CallInput, Choice, Citation, Content, Opaque, Part, Stop, Text, Thinking,
    },
    json::Json,
    translate::Thread,
};
use domain::{catalog::Dialect, tokens::Tokens};
use serde_json::{Value, json};

fn only(body: &Value) -> Choice {
    let mut answer = read(body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.choices.len(), 1);
    answer.choices.remove(0)
}

fn candidate(parts: &Value, rest: &Value) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}});
    for (name, value) in rest.as_object().unwrap() {
        candidate[name] = value.clone();
    }
    json!({"candidates": [candidate]})
}

fn gemini(data: &str) -> Option<Opaque> {
    Some(Opaque { origin: Dialect::Gemini, data: data.to_owned() })
}

fn thinking(text: &str, opaque: Option<Opaque>) -> Part {
    Part::new(Content::Thinking(Thinking { text: text.into(), opaque, redacted: false }))
}

fn call(id: &str, input: &str, opaque: Option<Opaque>) -> Part {
    let input = CallInput::Json(Json::parse(input).unwrap());
    Part::new(Content::Call(Call {
        id: id.into(),
        name: "f".into(),
        namespace: None,
        input,
        opaque,
    }))
}

#[test]
fn an_answer_is_read_whole() {
    let body = br#"{"candidates":[{"content":{"parts":[{"text":"plan","thought":true},{"text":"Hi"},{"text":" you"}],"role":"model"},
        "finishReason":"STOP","index":0,"avgLogprobs":-0.1}],
        "usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"toolUsePromptTokenCount":3,"candidatesTokenCount":5,
        "thoughtsTokenCount":7,"totalTokenCount":25,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]},
        "modelVersion":"gemini-2.5-flash","responseId":"abc"}"#;
    let answer = read(body).unwrap();
    assert_eq!((answer.id.as_str(), answer.model.as_str()), ("abc", "gemini-2.5-flash"));
    let tokens = Tokens { input: 13, cached_input: 4, cache_write: 0, output: 12, reasoning: 7 };
    assert_eq!(answer.usage, Some(tokens));
    assert_eq!(answer.choices[0].parts, [thinking("plan", None), Part::text("Hi you")]);
    assert_eq!(answer.choices[0].stop, Stop::End);
}

#[test]
fn usage_is_counted_once() {
    let of = |usage: Value| {
        let mut body = candidate(&json!([]), &json!({}));
        body["usageMetadata"] = usage;
        read(body.to_string().as_bytes()).unwrap().usage
    };
    let tokens = |input, cached_input, output, reasoning| {
        Some(Tokens { input, cached_input, cache_write: 0, output, reasoning })
    };
    assert_eq!(of(json!({})), None);
    assert_eq!(of(json!({"promptTokenCount": 5, "totalTokenCount": 5})), tokens(5, 0, 0, 0));
    assert_eq!(of(json!({"promptTokenCount": 5, "totalTokenCount": 9})), tokens(5, 0, 4, 0));
    assert_eq!(
        of(json!({"promptTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 8})),
        tokens(5, 0, 3, 3)
    );
    assert_eq!(
        of(json!({"promptTokenCount": 5, "cachedContentTokenCount": 9, "candidatesTokenCount": 1})),
        tokens(5, 5, 1, 0)
    );
    assert_eq!(of(json!({"promptTokenCount": "many"})), None);
}

#[test]
fn calls_are_read_with_their_signatures_and_decide_why_it_ended() {
    let parts = json!([
        {"text": "t", "thought": true},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "GG=="},
        {"functionCall": {"id": "2", "name": "f"}},
    ]);
    let choice = only(&candidate(&parts, &json!({"finishReason": "STOP"})));
    assert_eq!(
        choice.parts,
        [thinking("t", None), call("", r#"{"a":1}"#, gemini("GG==")), call("2", "{}", None)]
    );
    assert_eq!(choice.stop, Stop::Calls);
    let choice = only(&candidate(&parts, &json!({"finishReason": "MAX_TOKENS"})));
    assert_eq!(choice.stop, Stop::Length);
}

#[test]
fn a_signature_on_words_stands_behind_them() {
    let parts = json!([{"text": "Hi", "thoughtSignature": "AA"}]);
    let choice = only(&candidate(&parts, &json!({})));
    assert_eq!(choice.parts, [Part::text("Hi"), thinking("", gemini("AA"))]);
    let parts = json!([{"text": "Hi"}, {"text": "", "thoughtSignature": "AA"}]);
    assert_eq!(only(&candidate(&parts, &json!({}))).parts, choice.parts);
}

#[test]
fn every_finish_reason_has_a_meaning() {
    for (reason, stop) in [
        ("STOP", Stop::End),
        ("FINISH_REASON_UNSPECIFIED", Stop::End),
        ("MAX_TOKENS", Stop::Length),
        ("SAFETY", Stop::Refused),
        ("RECITATION", Stop::Refused),
        ("BLOCKLIST", Stop::Refused),
        ("PROHIBITED_CONTENT", Stop::Refused),
        ("SPII", Stop::Refused),
        ("IMAGE_SAFETY", Stop::Refused),
        ("MODEL_ARMOR", Stop::Refused),
        ("MALFORMED_FUNCTION_CALL", Stop::Failed("MALFORMED_FUNCTION_CALL".into())),
        ("OTHER", Stop::Failed("OTHER".into())),
        ("NEWER", Stop::Failed("NEWER".into())),
    ] {
        let body = candidate(&json!([]), &json!({"finishReason": reason}));
        assert_eq!(only(&body).stop, stop, "{reason}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let feedback = json!({"blockReason": "SAFETY", "blockReasonMessage": "no"});
    let choice = only(&json!({"promptFeedback": feedback, "usageMetadata": {}}));
    assert_eq!(choice.stop, Stop::Refused);
    assert_eq!(choice.parts, [Part::new(Content::Refusal("no".into()))]);
    let choice = only(&json!({"promptFeedback": {"blockReason": "OTHER"}}));
    assert_eq!((choice.parts.len(), choice.stop), (0, Stop::Refused));
}

#[test]
fn sources_stand_at_the_words_that_are_from_there() {
    let grounding = json!({
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 7, "text": "höh"}, "groundingChunkIndices": [0, 1, 9]},
            {"segment": {"startIndex": 4, "endIndex": 6}, "groundingChunkIndices": [1]},
            {"segment": {"partIndex": 1, "endIndex": 3, "text": "End"}, "groundingChunkIndices": [0]},
        ],
        "webSearchQueries": ["q"],
    });
    let parts = json!([{"text": "Ah höh!"}, {"text": "End"}]);
    let choice = only(&candidate(&parts, &json!({"groundingMetadata": grounding})));
    let citations = |it: &Part| {
        let Content::Text(text) = &it.content else { panic!() };
        text.citations.clone()
    };
    let cite = |url: &str, title: Option<&str>, quote: Option<&str>, range| Citation {
        url: url.to_owned(),
        title: title.map(str::to_owned),
        quote: quote.map(str::to_owned),
        range,
    };
    assert_eq!(
        citations(&choice.parts[0]),
        [
            cite("https://a", Some("A"), Some("höh"), Some((3, 6))),
            cite("https://b", None, Some("höh"), Some((3, 6))),
            // In the middle of a character there is no place.
            cite("https://b", None, None, Some((4, 5))),
        ]
    );
    assert_eq!(
        citations(&choice.parts[1]),
        [cite("https://a", Some("A"), Some("End"), Some((0, 3)))]
    );
    let metadata = json!({"citations": [{"startIndex": 0, "endIndex": 2, "uri": "https://c"}, {"license": "x"}]});
    let choice = only(&candidate(&json!([{"text": "Ah"}]), &json!({"citationMetadata": metadata})));
    assert_eq!(citations(&choice.parts[0]), [cite("https://c", None, None, Some((0, 2)))]);
}

#[test]
fn logprobs_go_both_ways() {
    let result = json!({
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.5}, {"token": "Yo", "logProbability": -1.5}]}],
        "chosenCandidates": [{"token": "Hi", "tokenId": 7, "logProbability": -0.5}],
    });
    let choice = only(&candidate(&json!([{"text": "Hi"}]), &json!({"logprobsResult": result})));
    let content = choice.logprobs.unwrap();
    assert_eq!(
        content.to_value(),
        json!([{"token": "Hi", "logprob": -0.5, "bytes": null, "top_logprobs": [
            {"token": "Hi", "logprob": -0.5, "bytes": null}, {"token": "Yo", "logprob": -1.5, "bytes": null}]}])
    );
    let written = serde_json::to_value(logprobs::write(&content).unwrap()).unwrap();
    assert_eq!(written["chosenCandidates"], json!([{"token": "Hi", "logProbability": -0.5}]));
    assert_eq!(written["topCandidates"], result["topCandidates"]);
    assert!(logprobs::write(&Json::parse("[]").unwrap()).is_none());
    assert!(logprobs::write(&Json::parse("{}").unwrap()).is_none());
}

#[test]
fn what_is_no_answer_is_unreadable() {
    for body in ["", "{", "[]", "{}", r#"{"candidates":[]}"#, r#"{"candidates":[1]}"#] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
    assert!(read(b"\xff").is_err());
    // Wrong types of what is told besides lose only that.
    let odd = json!({"candidates": [{"content": {"parts": [1, {"text": 2}, {"text": "Hi"}]}, "finishReason": 1,
        "groundingMetadata": 1, "citationMetadata": {"citations": [1]}, "logprobsResult": 1}],
        "usageMetadata": 1, "responseId": 1});
    let choice = only(&odd);
    assert_eq!((choice.parts, choice.stop), (vec![Part::text("Hi")], Stop::End));
}

fn thread() -> Thread {
    Thread { request: "req_1".into(), thoughts: true, ..Thread::default() }
}

fn answer(parts: Vec<Part>, stop: Stop) -> Answer {
    let choices = vec![Choice { parts, stop, logprobs: None }];
    Answer { id: "msg_9".into(), model: "claude".into(), choices, ..Answer::default() }
}

fn written(answer: &Answer, thread: &Thread) -> Value {
    serde_json::from_slice(&write(answer, thread)).unwrap()
}

#[test]
fn an_answer_is_written_to_the_byte() {
    let tokens = Tokens { input: 10, cached_input: 4, cache_write: 1, output: 12, reasoning: 7 };
    let answer = Answer { usage: Some(tokens), ..answer(vec![Part::text("Hi")], Stop::End) };
    assert_eq!(
        String::from_utf8(write(&answer, &thread())).unwrap(),
        r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22},"modelVersion":"claude","responseId":"9"}"#
    );
}

#[test]
fn every_stop_has_a_word() {
    for (stop, reason, message) in [
        (Stop::End, "STOP", None),
        (Stop::Sequence(Some("x".into())), "STOP", None),
        (Stop::Calls, "STOP", None),
        (Stop::Paused, "STOP", None),
        (Stop::Length, "MAX_TOKENS", None),
        (Stop::Refused, "SAFETY", None),
        (Stop::Failed("MALFORMED_FUNCTION_CALL".into()), "MALFORMED_FUNCTION_CALL", None),
        (Stop::Failed("server_error".into()), "OTHER", Some("server_error")),
    ] {
        let candidate = written(&answer(Vec::new(), stop), &thread())["candidates"][0].clone();
        assert_eq!(candidate["finishReason"], reason);
        assert_eq!(candidate.get("finishMessage").and_then(Value::as_str), message);
        assert_eq!(candidate["content"], json!({"role": "model"}));
    }
}

#[test]
fn the_state_of_a_thought_stands_on_the_part_behind_it() {
    let claude = || Some(Opaque { origin: Dialect::Anthropic, data: "S".into() });
    // `slc1.anthropic.S`
    let sealed = "c2xjMS5hbnRocm9waWMuUw==";
    let function = json!({"id": "1", "name": "f", "args": {}});
    let thought = json!({"text": "t", "thought": true});
    for (parts, shown, hidden) in [
        (
            vec![thinking("t", claude()), call("1", "{}", None)],
            json!([thought, {"functionCall": function, "thoughtSignature": sealed}]),
            json!([{"functionCall": function, "thoughtSignature": sealed}]),
        ),
        (
            vec![thinking("t", claude()), Part::text("x"), call("1", "{}", None)],
            json!([thought, {"text": "x", "thoughtSignature": sealed}, {"functionCall": function}]),
            json!([{"text": "x", "thoughtSignature": sealed}, {"functionCall": function}]),
        ),
        (
            vec![thinking("t", claude())],
            json!([thought, {"text": "", "thoughtSignature": sealed}]),
            json!([{"text": "", "thoughtSignature": sealed}]),
        ),
        (
            vec![thinking("", gemini("A")), call("1", "{}", gemini("B"))],
            json!([{"text": "", "thoughtSignature": "A"}, {"functionCall": function, "thoughtSignature": "B"}]),
            json!([{"text": "", "thoughtSignature": "A"}, {"functionCall": function, "thoughtSignature": "B"}]),
        ),
    ] {
        let answer = answer(parts, Stop::End);
        let of = |thread| written(&answer, &thread)["candidates"][0]["content"]["parts"].clone();
        assert_eq!(of(thread()), shown);
        assert_eq!(of(Thread { thoughts: false, ..thread() }), hidden);
    }
}

#[test]
fn a_thought_comes_back_as_it_was_through_a_caller() {
    let claude = |data: &str| Some(Opaque { origin: Dialect::Anthropic, data: data.into() });
    let redacted = Part::new(Content::Thinking(Thinking {
        opaque: claude("R"),
        redacted: true,
        ..Thinking::default()
    }));
    let said =
        vec![thinking("t", claude("S")), redacted, Part::text("x"), call("1", r#"{"k": 1}"#, None)];
    let mut turn =
        written(&answer(said.clone(), Stop::Calls), &thread())["candidates"][0]["content"].clone();
    turn["role"] = json!("model");
    let body = json!({"contents": [turn]}).to_string();
    let request =
        crate::gemini::request::read(body.as_bytes(), &mut crate::translate::Notes::default());
    assert_eq!(request.unwrap().turns[0].parts, said);
}

#[test]
fn sources_are_told_in_bytes() {
    let cite = |url: &str, range| Citation { url: url.into(), title: None, quote: None, range };
    let citations = vec![
        cite("https://a", Some((3, 6))),
        cite("https://a", None),
        cite("https://b", Some((0, 99))),
    ];
    let text = Part::new(Content::Text(Text { text: "Ah höh".into(), citations }));
    let value = written(&answer(vec![Part::text("x"), text], Stop::End), &thread());
    assert_eq!(
        value["candidates"][0]["groundingMetadata"],
        json!({
            "groundingChunks": [{"web": {"uri": "https://a"}}, {"web": {"uri": "https://b"}}],
            "groundingSupports": [{"segment": {"partIndex": 1, "startIndex": 3, "endIndex": 7, "text": "höh"},
                "groundingChunkIndices": [0]}],
        })
    );
}

#[test]
fn calls_that_are_no_json_are_objects_still() {
    let input = CallInput::Text("{oops".into());
    let call = Call { id: "1".into(), name: "f".into(), namespace: None, input, opaque: None };
    let parts = vec![
        Part::text(""),
        Part::new(Content::Refusal("no".into())),
        Part::new(Content::Call(call)),
    ];
    let value = written(&answer(parts, Stop::Calls), &thread());
    assert_eq!(
        value["candidates"][0]["content"]["parts"],
        json!([{"text": "no"}, {"functionCall": {"id": "1", "name": "f", "args": {"_raw": "{oops"}}}])
    );
    assert_eq!(written(&Answer::default(), &thread()), json!({"responseId": "req_1"}));
}
