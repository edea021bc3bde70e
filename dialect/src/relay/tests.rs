use super::*;

const OPENAI: &str = r#"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hello there"},"finish_reason":null}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}

data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":1}}}

data: [DONE]

"#;

const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":5,"cache_read_input_tokens":20,"cache_creation_input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":12}}

event: message_stop
data: {"type":"message_stop"}

"#;

fn stream(dialect: Dialect, hide: bool) -> Relay {
    Relay::new(dialect, Operation::Chat, true, hide)
}

fn body(dialect: Dialect, operation: Operation, text: &str) -> Seen {
    let mut relay = Relay::new(dialect, operation, false, false);
    assert_eq!(relay.push(text.to_owned().into()), text);
    assert!(relay.finish().is_empty());
    relay.seen()
}

/// What is forwarded of a stream that ends in order, and what was seen of it.
fn relayed(mut relay: Relay, stream: &str) -> (String, Seen) {
    let mut out = relay.push(stream.to_owned().into()).to_vec();
    out.extend_from_slice(&relay.finish());
    (String::from_utf8(out).unwrap(), relay.seen())
}

#[test]
fn an_openai_stream_is_understood() {
    let (out, seen) = relayed(stream(Dialect::OpenAi, false), OPENAI);
    assert_eq!(out, OPENAI);
    let tokens = Tokens { input: 9, cached_input: 4, cache_write: 0, output: 3, reasoning: 1 };
    assert_eq!(seen.tokens, Some(tokens));
    assert!(seen.finished && seen.first_content && !seen.errored && !seen.overflowed);
    assert_eq!(seen.output_estimate, 3);
}

#[test]
fn an_anthropic_stream_is_understood() {
    let (out, seen) = relayed(stream(Dialect::Anthropic, false), ANTHROPIC);
    assert_eq!(out, ANTHROPIC);
    let tokens = Tokens { input: 28, cached_input: 20, cache_write: 3, output: 12, reasoning: 0 };
    assert_eq!(seen.tokens, Some(tokens));
    assert!(seen.finished && seen.first_content && !seen.errored);
}

#[test]
fn later_counts_replace_earlier_ones_but_zeros_do_not() {
    let told = |start: &str, delta: &str| {
        let events = format!(
            "data: {{\"type\":\"message_start\",\"message\":{{\"usage\":{start}}}}}\n\n\
             data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{delta}}}\n\n"
        );
        let tokens = relayed(stream(Dialect::Anthropic, false), &events).1.tokens.unwrap();
        [tokens.input, tokens.cached_input, tokens.output]
    };
    let start = r#"{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}"#;
    assert_eq!(told(start, r#"{"output_tokens":9}"#), [7, 2, 9]);
    let zeros = r#"{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9}"#;
    assert_eq!(told(start, zeros), [7, 2, 9]);
    let full = r#"{"input_tokens":6,"cache_read_input_tokens":3,"output_tokens":9}"#;
    assert_eq!(told(r#"{"input_tokens":0,"output_tokens":0}"#, full), [9, 3, 9]);
    assert_eq!(told(start, full), [9, 3, 9]);
}

#[test]
fn a_piece_is_forwarded_uncopied() {
    for dialect in Dialect::ALL {
        let mut relay = stream(dialect, false);
        let piece = Bytes::from_static(b"data: {\"choi");
        assert_eq!(relay.push(piece.clone()).as_ptr(), piece.as_ptr());
    }
    let mut relay = stream(Dialect::OpenAi, true);
    let piece = Bytes::from_static(b"data: {\"choices\":[{}]}\n\ndata: ");
    let out = relay.push(piece.clone());
    assert_eq!((out.as_ptr(), out.len()), (piece.as_ptr(), piece.len() - 6));
}

#[test]
fn the_usage_chunk_is_taken_out_whole_and_nothing_else() {
    for ends in ["\n", "\r\n", "\r"] {
        let whole = OPENAI.replace('\n', ends);
        let chunk = whole.split_inclusive(&ends.repeat(2)).find(|it| it.contains(":9,")).unwrap();
        let (out, seen) = relayed(stream(Dialect::OpenAi, true), &whole);
        assert_eq!(out, whole.replace(chunk, ""));
        assert_eq!(seen, relayed(stream(Dialect::OpenAi, false), &whole).1);
    }
}

/// Bug 39 of the list: Azure's first chunk has no choices, and is not that of the usage.
#[test]
fn usage_beside_choices_and_empty_choices_without_usage_stay() {
    for event in [
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[]}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"usage\":{}}\n\n",
        ": {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n",
        "\n\n\n",
    ] {
        assert_eq!(relayed(stream(Dialect::OpenAi, true), event).0, event);
    }
}

#[test]
fn the_last_of_several_counts_holds_once_the_end_is_known() {
    let chunk = |tokens: u32, reason: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}},\"finish_reason\":{reason}}}],\
             \"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":{tokens}}}}}\n\n"
        )
    };
    let cut = format!("{}{}", chunk(1, "null"), chunk(2, "null"));
    let (_, seen) = relayed(stream(Dialect::OpenAi, false), &cut);
    assert_eq!((seen.tokens, seen.partial.unwrap().output, seen.finished), (None, 2, false));
    let (_, seen) = relayed(stream(Dialect::OpenAi, false), &(cut + &chunk(3, "\"stop\"")));
    assert_eq!((seen.tokens.unwrap().output, seen.finished), (3, true));
}

#[test]
fn a_stream_that_breaks_off_is_not_finished_and_its_count_is_partial() {
    let end = ANTHROPIC.find("event: message_delta").unwrap();
    let (_, seen) = relayed(stream(Dialect::Anthropic, false), &ANTHROPIC[..end]);
    assert_eq!((seen.finished, seen.tokens), (false, None));
    assert_eq!(seen.tokens_or_estimate(99).0.input, 28);
    assert_eq!(seen.tokens_or_estimate(99).0.output, 3);
    let end = OPENAI.find(r#"data: {"id":"c","choices":[{"index":0,"delta":{},"#).unwrap();
    let (_, seen) = relayed(stream(Dialect::OpenAi, false), &OPENAI[..end]);
    assert_eq!((seen.finished, seen.tokens, seen.partial), (false, None, None));
}

#[test]
fn an_end_after_a_reason_to_stop_is_an_end_but_only_at_the_end() {
    let text = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let mut relay = stream(Dialect::OpenAi, false);
    relay.push(text.into());
    assert!(!relay.seen().finished);
    relay.finish();
    assert!(relay.seen().finished);
}

#[test]
fn a_missing_last_line_end_hides_neither_the_end_nor_the_usage() {
    for hide in [false, true] {
        let (out, seen) = relayed(stream(Dialect::OpenAi, hide), OPENAI.trim_end());
        assert!(seen.finished && out.ends_with("data: [DONE]"), "{out}");
    }
    let usage = OPENAI.find("data: {\"id\":\"c\",\"choices\":[],").unwrap();
    let text = OPENAI[..OPENAI.find("data: [DONE]").unwrap()].trim_end();
    let (out, seen) = relayed(stream(Dialect::OpenAi, true), text);
    assert_eq!(out, &text[..usage]);
    assert!(seen.tokens.is_some());
}

#[test]
fn errors_in_a_stream_of_good_status_are_noticed() {
    for (dialect, event) in [
        (
            Dialect::Anthropic,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
        ),
        (Dialect::Anthropic, "data: {\"type\":\"error\"}\n\n"),
        (Dialect::OpenAi, "data: {\"error\":{\"message\":\"x\"}}\n\n"),
        (Dialect::OpenAi, "event: error\ndata: oh no\n\n"),
    ] {
        let (out, seen) = relayed(stream(dialect, false), event);
        assert!(seen.errored && !seen.finished && out == event, "{event}");
    }
}

#[test]
fn bodies_are_understood() {
    let chat = r#"{"id":"c","choices":[{"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
    let seen = body(Dialect::OpenAi, Operation::Chat, chat);
    assert_eq!(seen.tokens, Some(Tokens { input: 9, output: 3, ..Tokens::default() }));
    assert!(seen.finished && seen.first_content);
    assert_eq!(seen.output_estimate, 3);

    let messages = r#"{"type":"message","content":[{"type":"thinking","thinking":"abcd","signature":"x"},{"type":"text","text":"efgh"}],
        "stop_reason":"end_turn","usage":{"input_tokens":5,"cache_read_input_tokens":20,"output_tokens":12,
        "output_tokens_details":{"thinking_tokens":7}}}"#;
    let seen = body(Dialect::Anthropic, Operation::Chat, messages);
    let tokens = Tokens { input: 25, cached_input: 20, cache_write: 0, output: 12, reasoning: 7 };
    assert_eq!((seen.tokens, seen.output_estimate), (Some(tokens), 2));

    let vectors = format!(
        r#"{{"object":"list","data":[{{"embedding":[{}1]}}],"usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#,
        "0.123456,".repeat(100_000)
    );
    let seen = body(Dialect::OpenAi, Operation::Embeddings, &vectors);
    assert_eq!(seen.tokens, Some(Tokens { input: 8, ..Tokens::default() }));
    assert_eq!(seen.output_estimate, 0);
}

#[test]
fn a_stream_is_guessed_at_by_its_words_and_never_below_its_text() {
    let guess = |deltas: &[&str]| {
        let events = deltas.iter().map(|it| {
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{it}\"}}}}]}}\n\n")
        });
        relayed(stream(Dialect::OpenAi, false), &events.collect::<String>()).1.output_estimate
    };
    // Token by token: each is one.
    assert_eq!(guess(&["Hello", ",", " extraordinary", " world", "!\\n\\n"]), 5);
    // Several at a time: by length, rounded up once.
    assert_eq!(guess(&["Hello there, ", "good old world"]), 7);
    assert_eq!(guess(&["a b", "donaudampfschifffahrt"]), 6);
    assert_eq!(guess(&["", ""]), 0);
    let call = r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"look","arguments":"{}"}}]}}]}"#;
    assert_eq!(relayed(stream(Dialect::OpenAi, false), call).1.output_estimate, 2);
    assert_eq!(guess(&["你", "好吗"]), 3);
}

#[test]
fn counting_tokens_uses_none() {
    let seen = body(Dialect::Anthropic, Operation::CountTokens, r#"{"input_tokens":2095}"#);
    assert_eq!(seen.tokens, Some(Tokens::default()));
    assert!(seen.finished);
}

#[test]
fn a_body_that_breaks_off_is_not_finished_and_not_free() {
    let seen =
        body(Dialect::OpenAi, Operation::Chat, r#"{"choices":[{"message":{"content":"Hello th"#);
    assert_eq!((seen.finished, seen.tokens, seen.output_estimate), (false, None, 2));
    let seen = body(Dialect::OpenAi, Operation::Chat, "<html>");
    assert_eq!((seen.finished, seen.tokens), (false, None));
}

#[test]
fn an_event_of_ours_gets_a_line_of_its_own() {
    let mut relay = stream(Dialect::OpenAi, false);
    assert_eq!(relay.gap(), b"");
    relay.push("data: {\"a".into());
    assert_eq!(relay.gap(), b"\n\n");
    relay.push("\":1}\r\n\r".into());
    assert_eq!(relay.gap(), b"");
    relay.push("\n".into());
    assert_eq!(relay.gap(), b"");
    let mut relay = stream(Dialect::OpenAi, true);
    relay.push("data: {\"a".into());
    assert_eq!(relay.gap(), b"");
}

#[test]
fn a_long_event_is_let_go_and_then_given_up() {
    let mut relay = stream(Dialect::OpenAi, true);
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    assert!(relay.push("data: ".into()).is_empty());
    let mut out = 0;
    let mut given_up = None;
    for sent in 1..=300usize {
        out += relay.push(piece.clone()).len();
        if sent * piece.len() > MAX_HELD {
            assert_eq!(out, 6 + sent * piece.len());
        } else if sent < 15 {
            assert_eq!(out, 0);
        }
        if relay.seen().overflowed && given_up.is_none() {
            given_up = Some(sent);
        }
    }
    assert_eq!(given_up, Some(256));
    assert_eq!(relay.gap(), b"\n\n");
    // The next event is looked at again.
    assert_eq!(relay.push("\n\n".into()), "\n\n");
    assert!(
        relay.push("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n".into()).is_empty()
    );
}

#[test]
fn a_million_empty_data_lines_keep_nothing() {
    let mut relay = stream(Dialect::OpenAi, false);
    let lines = Bytes::from("data:\n".repeat(10_000));
    for _ in 0..100 {
        relay.push(lines.clone());
    }
    assert!(!relay.seen().overflowed);
    relay.push(format!("\n{OPENAI}").into());
    assert!(relay.seen().finished && relay.seen().tokens.is_some());
}

const RESPONSES: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"r","output":[],"usage":null}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":1,"delta":"Hello there"}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":2,"text":"Hello there"}

event: response.completed
data: {"type":"response.completed","sequence_number":3,"response":{"id":"r","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hello there"}]}],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":12}}}

"#;

const GEMINI: &str = r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1},"modelVersion":"g","responseId":"x"}

data: {"candidates":[{"content":{"role":"model","parts":[{"text":" there"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":2,"thoughtsTokenCount":1,"totalTokenCount":12},"modelVersion":"g","responseId":"x"}

"#;

const HELLO: Tokens = Tokens { input: 9, cached_input: 4, cache_write: 0, output: 3, reasoning: 1 };

#[test]
fn a_stream_of_responses_is_understood() {
    let (out, seen) = relayed(stream(Dialect::OpenAiResponses, false), RESPONSES);
    assert_eq!(out, RESPONSES);
    assert_eq!(seen.tokens, Some(HELLO));
    assert!(seen.finished && seen.first_content && !seen.errored);
    let mut relay = stream(Dialect::OpenAiResponses, false);
    let _ = relay.push(RESPONSES.into());
    assert_eq!(relay.answer_id(), Some("r"));
    // The text is counted once, whatever repeats it.
    assert_eq!(seen.output_estimate, 3);
}

#[test]
fn a_stream_of_responses_without_its_end_is_not_finished_and_a_failed_one_is_an_error() {
    let (torn, _) = RESPONSES.split_once("event: response.completed").unwrap();
    let (_, seen) = relayed(stream(Dialect::OpenAiResponses, false), torn);
    assert!(!seen.finished && seen.tokens.is_none());
    let failed =
        "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"x\"}}}\n\n";
    assert!(relayed(stream(Dialect::OpenAiResponses, false), failed).1.errored);
}

#[test]
fn a_gemini_stream_is_whole_at_its_end_if_a_reason_was_given() {
    let mut relay = stream(Dialect::Gemini, false);
    assert_eq!(relay.push(GEMINI.into()), GEMINI);
    assert!(!relay.seen().finished && relay.seen().tokens == Some(HELLO));
    let _ = relay.finish();
    assert!(relay.seen().finished && relay.seen().first_content);
    let (torn, _) = GEMINI
        .split_once(
            "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\" there",
        )
        .unwrap();
    let (_, seen) = relayed(stream(Dialect::Gemini, false), torn);
    assert!(!seen.finished && seen.tokens.is_none() && seen.partial.is_some());
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":9}}\n\n";
    assert!(relayed(stream(Dialect::Gemini, false), blocked).1.finished);
    let error = "data: {\"error\":{\"code\":503,\"message\":\"x\",\"status\":\"UNAVAILABLE\"}}\n\n";
    assert!(relayed(stream(Dialect::Gemini, false), error).1.errored);
}

#[test]
fn whole_bodies_of_every_dialect_are_understood() {
    let responses = r#"{"id":"r","object":"response","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hello there"}]}],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1}}}"#;
    let gemini = r#"{"candidates":[{"content":{"parts":[{"text":"Hello there"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":2,"thoughtsTokenCount":1}}"#;
    let bedrock = r#"{"output":{"message":{"content":[{"text":"Hello there"}]}},"stopReason":"end_turn","usage":{"inputTokens":5,"cacheReadInputTokens":4,"outputTokens":3}}"#;
    for (dialect, text, reasoning) in [
        (Dialect::OpenAiResponses, responses, 1),
        (Dialect::Gemini, gemini, 1),
        (Dialect::Bedrock, bedrock, 0),
    ] {
        let seen = body(dialect, Operation::Chat, text);
        assert_eq!(seen.tokens, Some(Tokens { reasoning, ..HELLO }), "{dialect}");
        assert_eq!(seen.output_estimate, 3, "{dialect}");
    }
    let counted = body(Dialect::Gemini, Operation::CountTokens, r#"{"totalTokens":31}"#);
    assert_eq!(counted.tokens, Some(Tokens::default()));
}
