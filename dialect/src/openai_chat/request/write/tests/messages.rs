//! Messages as providers get them.

use super::*;

fn call(id: &str, name: &str, input: &str) -> Part {
    let input = CallInput::Json(raw(input));
    let (id, name) = (id.to_owned(), name.to_owned());
    Part::new(Content::Call(Call { id, name, namespace: None, input, opaque: None }))
}

fn result(call: &str, parts: Vec<Part>, failed: bool) -> Part {
    let call = call.to_owned();
    Part::new(Content::Result(CallResult { call, name: None, parts, failed, custom: false }))
}

fn image() -> Part {
    let source = Source::Base64 { mime: "image/png".to_owned(), data: "AAAA".to_owned() };
    Part::new(Content::Image(Image { source, detail: None }))
}

fn document(source: Source, title: Option<&str>) -> Part {
    let title = title.map(str::to_owned);
    Part::new(Content::Document(Document { source, title, context: None, citations: false }))
}

fn thought(text: &str, origin: Option<Dialect>) -> Part {
    let opaque = origin.map(|origin| Opaque { origin, data: "s".to_owned() });
    Part::new(Content::Thinking(Thinking { text: text.to_owned(), opaque, redacted: false }))
}

#[test]
fn instructions_are_one_message_of_the_role_that_is_known() {
    let request = Request {
        instructions: vec![Part::text("a"), marked("b", Some("5m"))],
        turns: vec![user(vec![Part::text("Hi")]), turn(Role::System, vec![Part::text("c")])],
        ..Request::default()
    };
    let expected = |role: &str, content: Value| {
        json!({"messages": [{"role": role, "content": content},
            {"role": "user", "content": "Hi"}, {"role": role, "content": "c"}]})
    };
    check(&request, &[], &expected("system", json!("a\n\nb")), "");
    check(&request, &OPENAI, &expected("developer", json!("a\n\nb")), "");
    let blocks = json!([{"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]);
    check(&request, &[Quirk::CacheControl], &expected("system", blocks), "");
}

/// Bug 35 of the list: the line changes with each request, and spoils others' caches.
#[test]
fn the_billing_line_of_claude_code_goes_to_nobody_else() {
    let line = "x-anthropic-billing-header: cc_version=2.1; cch=1f;";
    let request = Request {
        instructions: vec![Part::text(line), Part::text("a")],
        turns: vec![user(vec![Part::text("Hi")])],
        ..Request::default()
    };
    let expected = json!({"messages": [{"role": "system", "content": "a"},
        {"role": "user", "content": "Hi"}]});
    check(&request, &[], &expected, "");
}

#[test]
fn texts_are_one_string_and_anything_else_makes_parts() {
    let texts = || vec![Part::text("a"), Part::text("b")];
    check_messages(vec![user(texts())], &[], &json!([{"role": "user", "content": "a\n\nb"}]), "");
    let mut mixed = texts();
    mixed.push(image());
    let expected = json!([{"role": "user", "content": [{"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]);
    check_messages(vec![user(mixed.clone())], &[], &expected, "");
    let request = Request { turns: vec![user(mixed)], ..Request::default() };
    let refused = written(&request, &target(&[Quirk::PlainText])).unwrap_err();
    assert_eq!(refused.field, "messages.content");
    check_messages(vec![user(vec![])], &[], &json!([{"role": "user", "content": ""}]), "");
}

#[test]
fn pictures_sound_and_files_are_written() {
    let url = |url: &str| Source::Url { url: url.to_owned(), mime: None };
    let base64 = |mime: &str| Source::Base64 { mime: mime.to_owned(), data: "aGk=".to_owned() };
    let detail = Some(chat::Detail::High);
    let audio =
        |mime: &str| Part::new(Content::Audio { mime: mime.to_owned(), data: "aGk=".to_owned() });
    let seen = Part::new(Content::Image(Image { source: url("https://x.example/a"), detail }));
    for (part, expected) in [
        (
            seen,
            json!({"type": "image_url", "image_url": {"url": "https://x.example/a", "detail": "high"}}),
        ),
        (
            audio("audio/x-wav"),
            json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}),
        ),
        (
            audio("audio/mpeg"),
            json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}}),
        ),
        (
            document(base64("application/pdf"), None),
            json!({"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="}}),
        ),
        (
            document(base64("application/pdf"), Some("a.pdf")),
            json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}),
        ),
    ] {
        check_messages(
            vec![user(vec![part])],
            &[],
            &json!([{"role": "user", "content": [expected]}]),
            "",
        );
    }
    // Bug 17 of the list: a text is not dropped, but said.
    for source in [base64("text/plain"), Source::Text("hi".to_owned())] {
        let parts = vec![document(source, Some("Notes"))];
        let expected = json!([{"role": "user", "content": "Notes\n\nhi"}]);
        check_messages(vec![user(parts)], &[], &expected, "messages.content.document;changed");
    }
    for part in [
        audio("audio/flac"),
        document(url("https://x.example/a.pdf"), None),
        Part::new(Content::Image(Image { source: url("gs://bucket/a"), detail: None })),
    ] {
        let request = Request { turns: vec![user(vec![part])], ..Request::default() };
        assert!(
            written(&request, &target(&[])).unwrap_err().field.starts_with("messages.content.")
        );
    }
}

#[test]
fn calls_and_results_are_messages_of_their_own() {
    let turns = vec![
        user(vec![Part::text("Hi")]),
        turn(Role::Assistant, vec![call("c1", "f", r#"{"b":1.0, "a":2}"#), call("c2", "f", "{}")]),
        user(vec![
            result("c1", vec![Part::text("r1"), Part::text("r2")], false),
            result("c2", vec![], false),
            Part::text("Go on."),
        ]),
    ];
    let function = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let expected = json!([{"role": "user", "content": "Hi"},
        {"role": "assistant", "content": null,
            "tool_calls": [function("c1", r#"{"b":1.0, "a":2}"#), function("c2", "{}")]},
        {"role": "tool", "tool_call_id": "c1", "content": "r1\nr2"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "user", "content": "Go on."}]);
    check_messages(turns, &[], &expected, "");
}

/// Bug 16 of the list: pictures in results were dropped, or parted results from each other.
#[test]
fn pictures_in_results_follow_all_results_in_the_users_message() {
    let turns = vec![
        user(vec![result("c1", vec![Part::text("r"), image()], false)]),
        user(vec![result("c2", vec![image()], false)]),
        user(vec![Part::text("Go on.")]),
    ];
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let expected = json!([
        {"role": "tool", "tool_call_id": "c1", "content": "r\n[image attached below]"},
        {"role": "tool", "tool_call_id": "c2", "content": "[image attached below]"},
        {"role": "user", "content": [text("[attached to the result of call c1]"), picture,
            text("[attached to the result of call c2]"), picture, text("Go on.")]}]);
    check_messages(turns.clone(), &[], &expected, "messages.tool_result;moved");
    let last = written(&Request { turns: turns[..1].to_vec(), ..Request::default() }, &target(&[]));
    assert_eq!(last.unwrap().0["messages"][1]["role"], "user");
}

#[test]
fn that_a_call_failed_is_said_in_words_once() {
    for (text, expected) in
        [("boom", "Error: boom"), ("Error: boom", "Error: boom"), ("ERROR 5", "ERROR 5")]
    {
        let turns = vec![user(vec![result("c", vec![Part::text(text)], true)])];
        let expected = json!([{"role": "tool", "tool_call_id": "c", "content": expected}]);
        check_messages(turns, &[], &expected, "is_error;changed");
    }
    let turns = vec![user(vec![result("c", vec![], true)])];
    let expected = json!([{"role": "tool", "tool_call_id": "c", "content": "Error"}]);
    check_messages(turns, &[], &expected, "is_error;changed");
}

/// Bug 25 of the list: marks of the cache were lost, or sent to who refuses them.
#[test]
fn marks_keep_texts_apart_only_where_they_are_understood() {
    let mut last = result("c", vec![Part::text("r")], false);
    last.cache = Some(CacheMark::default());
    let turns = vec![user(vec![marked("a", None), Part::text("b")]), user(vec![last])];
    let plain = json!([{"role": "user", "content": "a\n\nb"},
        {"role": "tool", "tool_call_id": "c", "content": "r"}]);
    check_messages(turns.clone(), &[], &plain, "");
    let mark = json!({"type": "ephemeral"});
    let expected = json!([{"role": "user", "content": [
            {"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}]},
        {"role": "tool", "tool_call_id": "c", "content": [
            {"type": "text", "text": "r", "cache_control": mark}]}]);
    check_messages(turns, &[Quirk::CacheControl], &expected, "");
}

/// Bug 10 and bug 12 of the list: foreign thoughts were sent; texts of thoughts were not where
/// DeepSeek demands them, and were where it refuses them.
#[test]
fn thoughts_go_only_to_whom_they_are_from_or_who_wants_their_texts() {
    let said = |thought| {
        vec![
            turn(Role::Assistant, vec![thought, call("c", "f", "{}")]),
            user(vec![result("c", vec![], false)]),
        ]
    };
    let message = |quirks: &[Quirk], thought| {
        let request = Request { turns: said(thought), ..Request::default() };
        let (mut body, notes) = written(&request, &target(quirks)).unwrap();
        (body["messages"][0].take(), notes)
    };
    for origin in [None, Some(Dialect::Anthropic), Some(Dialect::Gemini)] {
        let (message, notes) = message(&[], thought("Hm.", origin));
        assert!(message.get("reasoning_content").is_none());
        assert!(message.get("reasoning_details").is_none());
        assert_eq!(notes, "thinking;dropped");
    }
    let (own, notes) = message(&[], thought("Hm.", Some(Dialect::OpenAi)));
    let expected = json!([{"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0}]);
    assert_eq!((&own["reasoning_details"], notes.as_str()), (&expected, ""));
    let wanted = [Quirk::ReasoningContent];
    let (text, notes) = message(&wanted, thought("Hm.", Some(Dialect::Anthropic)));
    assert_eq!((&text["reasoning_content"], notes.as_str()), (&json!("Hm."), ""));
    // In a turn without calls it is not wanted.
    let turns = vec![
        turn(Role::Assistant, vec![thought("Hm.", None), Part::text("Yes.")]),
        user(vec![Part::text("Go on.")]),
    ];
    let expected = json!([{"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Go on."}]);
    check_messages(turns, &wanted, &expected, "");
}

/// Bug 13 of the list: the signature of a call did not come back.
#[test]
fn a_calls_signature_goes_back_to_geminis_compatible_path() {
    let signed = |origin| {
        let mut part = call("c", "f", "{}");
        if let Content::Call(call) = &mut part.content {
            call.opaque = Some(Opaque { origin, data: "s".to_owned() });
        }
        let turns = vec![turn(Role::Assistant, vec![part]), user(vec![result("c", vec![], false)])];
        let (mut body, notes) =
            written(&Request { turns, ..Request::default() }, &target(&[])).unwrap();
        (body["messages"][0]["tool_calls"][0]["extra_content"].take(), notes)
    };
    let own = json!({"google": {"thought_signature": "s"}});
    assert_eq!(signed(Dialect::OpenAi), (own, String::new()));
    assert_eq!(signed(Dialect::Gemini), (Value::Null, "thinking;dropped".to_owned()));
}

#[test]
fn a_turn_of_the_model_that_says_nothing_is_left_out() {
    let turns = vec![
        turn(Role::Assistant, vec![thought("Hm.", None)]),
        turn(Role::Assistant, vec![]),
        user(vec![Part::text("Hi")]),
    ];
    check_messages(turns, &[], &json!([{"role": "user", "content": "Hi"}]), "thinking;dropped");
}

#[test]
fn refusals_are_a_field_at_openai_and_words_elsewhere() {
    let turns = || {
        let refusal = Part::new(Content::Refusal("No.".to_owned()));
        vec![turn(Role::Assistant, vec![refusal]), user(vec![Part::text("Why?")])]
    };
    let user = json!({"role": "user", "content": "Why?"});
    let field = json!({"role": "assistant", "content": null, "refusal": "No."});
    check_messages(turns(), &OPENAI, &json!([field, user]), "");
    check_messages(turns(), &[], &json!([{"role": "assistant", "content": "No."}, user]), "");
}

#[test]
fn what_the_model_has_drawn_is_shown_by_the_user() {
    let turns = vec![
        turn(Role::Assistant, vec![Part::text("See:"), image()]),
        user(vec![Part::text("Nice.")]),
    ];
    let expected = json!([{"role": "assistant", "content": "See:"}, {"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "Nice."}]}]);
    check_messages(turns, &[], &expected, "messages.content;moved");
}

#[test]
fn the_begun_answer_and_free_text_of_a_custom_tool_are_written() {
    let turns = vec![turn(Role::Assistant, vec![Part::text("{")])];
    let expected = json!([{"role": "assistant", "content": "{"}]);
    check_messages(turns, &[], &expected, "messages;changed");
    let mut part = call("c", "g", "{}");
    if let Content::Call(call) = &mut part.content {
        call.input = CallInput::Text("x".to_owned());
    }
    let custom = ToolKind::Custom { format: None };
    let request = Request {
        tools: vec![Tool { kind: custom, ..tool("g", None, None) }],
        turns: vec![turn(Role::Assistant, vec![part]), user(vec![result("c", vec![], false)])],
        ..Request::default()
    };
    let (body, _) = written(&request, &target(&OPENAI)).unwrap();
    let expected = json!({"id": "c", "type": "custom", "custom": {"name": "g", "input": "x"}});
    assert_eq!(body["messages"][0]["tool_calls"][0], expected);
}
