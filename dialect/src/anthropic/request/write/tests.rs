use super::*;
use crate::chat::{
    CacheMark, Call, CallInput, CallResult, Content, Detail, Document, Image, Opaque, Part,
    Request, Role, Source, Thinking, Tool, ToolChoice, ToolKind, Turn,
};
use domain::catalog::{Dialect, Quirks};
use serde_json::{Value, json};

pub(super) const OLD: &str = "claude-sonnet-4-5";

pub(super) fn target(model: &str) -> Target<'_> {
    Target {
        dialect: Dialect::Anthropic,
        model,
        quirks: Quirks::NONE,
        output_cap_field: "max_tokens",
        max_output: None,
        output_cap: None,
    }
}

/// What is written for this target, and what was noted.
pub(super) fn told_to(target: &Target<'_>, request: &Request) -> Result<(Value, String), Refused> {
    let mut notes = Notes::default();
    let body = write(request, target, &mut Thread::default(), &mut notes)?;
    Ok((serde_json::from_slice(&body).unwrap(), notes.to_string()))
}

pub(super) fn told(request: &Request) -> (Value, String) {
    told_to(&target(OLD), request).unwrap()
}

pub(super) fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

/// A request with a maximum and these turns.
pub(super) fn request(turns: Vec<Turn>) -> Request {
    Request { turns, max_output: Some(9_000), ..Request::default() }
}

pub(super) fn hi() -> Request {
    request(vec![turn(Role::User, vec![Part::text("Hi")])])
}

pub(super) fn call(id: &str, input: &str) -> Part {
    Part::new(Content::Call(Call {
        id: id.to_owned(),
        name: "f".to_owned(),
        namespace: None,
        input: Json::parse(input)
            .map_or_else(|| CallInput::Text(input.to_owned()), CallInput::Json),
        opaque: None,
    }))
}

pub(super) fn result(id: &str, parts: Vec<Part>, failed: bool) -> Part {
    let call = id.to_owned();
    Part::new(Content::Result(CallResult { call, name: None, parts, failed, custom: false }))
}

fn thought(text: &str, origin: Dialect, redacted: bool) -> Part {
    let opaque = Some(Opaque { origin, data: "sig".to_owned() });
    Part::new(Content::Thinking(Thinking { text: text.to_owned(), opaque, redacted }))
}

fn base64(mime: &str, data: &str) -> Source {
    Source::Base64 { mime: mime.to_owned(), data: data.to_owned() }
}

fn image(source: Source) -> Part {
    Part::new(Content::Image(Image { source, detail: None }))
}

fn document(source: Source) -> Part {
    let (title, context) = (Some("T".to_owned()), None);
    Part::new(Content::Document(Document { source, title, context, citations: false }))
}

fn marked(part: Part, ttl: Option<&str>) -> Part {
    Part { cache: Some(CacheMark { ttl: ttl.map(str::to_owned) }), ..part }
}

pub(super) fn tool(name: &str, schema: Option<&str>) -> Tool {
    let schema = schema.map(|it| Json::parse(it).unwrap());
    Tool {
        name: name.to_owned(),
        namespace: None,
        description: None,
        kind: ToolKind::Function { schema, strict: None },
        cache: None,
    }
}

#[test]
fn a_request_is_written_to_the_byte() {
    let request = Request {
        instructions: vec![marked(Part::text("Be kind."), Some("1h")), Part::text("")],
        tools: vec![tool("f", Some(r#"{ "type":"object", "b":1.0 }"#))],
        stream: true,
        user: Some("u".to_owned()),
        tier: Some(Tier::Standard),
        cache: Some(CacheMark::default()),
        ..hi()
    };
    let body = write(&request, &target(OLD), &mut Thread::default(), &mut Notes::default());
    let expected = concat!(
        r#"{"model":"claude-sonnet-4-5","max_tokens":9000,"system":[{"type":"text","#,
        r#""text":"Be kind.","cache_control":{"type":"ephemeral","ttl":"1h"}}],"#,
        r#""messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"#,
        r#""tools":[{"name":"f","input_schema":{ "type":"object", "b":1.0 }}],"stream":true,"#,
        r#""metadata":{"user_id":"u"},"service_tier":"standard_only","#,
        r#""cache_control":{"type":"ephemeral"}}"#
    );
    assert_eq!(String::from_utf8(body.unwrap()).unwrap(), expected);
}

#[test]
fn there_always_is_a_maximum() {
    for (said, cap, model, expected, noted) in [
        (Some(7), Some(5), None, 7, ""),
        (Some(7), Some(5), Some(6), 6, "max_tokens;clamped"),
        (None, Some(5), Some(6), 5, ""),
        (None, None, Some(6), 6, ""),
        (None, None, None, 4_096, "max_tokens;defaulted"),
    ] {
        let request = Request { max_output: said, ..hi() };
        let target = Target { output_cap: cap, max_output: model, ..target(OLD) };
        let (body, notes) = told_to(&target, &request).unwrap();
        assert_eq!((&body["max_tokens"], notes.as_str()), (&json!(expected), noted));
    }
    assert!(told_to(&target(OLD), &Request { max_output: Some(0), ..hi() }).is_err());
}

#[test]
fn results_come_first_and_all_together() {
    let (body, notes) = told(&request(vec![
        turn(Role::User, vec![Part::text("Go")]),
        turn(Role::Assistant, vec![Part::text("I call."), call("a", "{}")]),
        turn(Role::Assistant, vec![thought("hm", Dialect::Anthropic, false), call("b", "{}")]),
        turn(Role::User, vec![result("a", vec![Part::text("1")], false)]),
        turn(Role::User, vec![Part::text("Look:")]),
        turn(Role::User, vec![result("b", Vec::new(), true)]),
    ]));
    let use_of = |id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Go"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "text", "text": "I call."}, use_of("a"), use_of("b")]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a",
                 "content": [{"type": "text", "text": "1"}]},
                {"type": "tool_result", "tool_use_id": "b", "is_error": true},
                {"type": "text", "text": "Look:"}]}])
    );
    assert_eq!(notes, "");
}

/// Bug 23 of the list: empty texts were sent on, which Anthropic refuses.
#[test]
fn empty_texts_are_left_out_and_their_mark_is_not() {
    let (body, _) = told(&request(vec![
        turn(Role::Assistant, vec![Part::text("Hello")]),
        turn(Role::User, vec![Part::text("Hi"), marked(Part::text(" \n"), None)]),
        turn(Role::Assistant, vec![Part::text("")]),
        turn(Role::User, vec![Part::text("there")]),
        turn(Role::Assistant, vec![Part::text("So: \n")]),
    ]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "."}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "user", "content": [
                {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "there"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "So:"}]}])
    );
    let (body, notes) = told(&request(Vec::new()));
    assert_eq!(body["messages"][0]["content"][0]["text"], ".");
    assert_eq!(notes, "messages;emulated");
}

/// Bug 31 of the list: instructions in the middle were moved to the top, or refused.
#[test]
fn instructions_in_the_middle_stay_in_place() {
    let (body, notes) = told(&request(vec![
        turn(Role::User, vec![Part::text("Hi")]),
        turn(Role::System, vec![marked(Part::text("Now this."), None)]),
    ]));
    let expected = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"},
        {"type": "text", "text": "<system>\nNow this.\n</system>",
         "cache_control": {"type": "ephemeral"}}]}]);
    assert_eq!((&body["messages"], notes.as_str()), (&expected, "messages.role;changed"));
}

/// Bug 16 and bug 17 of the list: pictures went under a wrong type, files were dropped.
#[test]
fn pictures_and_files_are_what_they_are() {
    let url = |url: &str, mime: Option<&str>| Source::Url {
        url: url.to_owned(),
        mime: mime.map(str::to_owned),
    };
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="});
    let jpeg = json!({"type": "base64", "media_type": "image/jpeg", "data": "/9j/4A=="});
    let at = json!({"type": "url", "url": "https://a.test/b"});
    let plain = json!({"type": "text", "media_type": "text/plain", "data": "Hello"});
    for (part, kind, source) in [
        (image(base64("image/png", "/9j/4A==")), "image", &jpeg),
        (image(url("https://a.test/b", None)), "image", &at),
        (document(base64("application/octet-stream", "JVBERi0=")), "document", &pdf),
        (document(base64("text/plain", "SGVsbG8=")), "document", &plain),
        (document(Source::Text("Hello".to_owned())), "document", &plain),
        (document(base64("image/png", "/9j/4A==")), "image", &jpeg),
        (document(url("https://a.test/b", None)), "document", &at),
        (document(url("https://a.test/b", Some("image/png"))), "image", &at),
    ] {
        let (body, notes) = told(&request(vec![turn(Role::User, vec![part])]));
        let block = &body["messages"][0]["content"][0];
        assert_eq!((&block["type"], &block["source"]), (&json!(kind), source));
        assert_eq!(block.get("title").is_some(), kind == "document");
        assert_eq!(notes, "");
    }
    let sound = Content::Audio { mime: "audio/wav".to_owned(), data: String::new() };
    for part in [
        image(base64("image/bmp", "Qk0=")),
        image(url("gs://a/b", None)),
        document(base64("application/zip", "UEs=")),
        document(url("file:///etc/passwd", None)),
        Part::new(sound),
    ] {
        assert!(told_to(&target(OLD), &request(vec![turn(Role::User, vec![part])])).is_err());
    }
    let detail = Some(Detail::High);
    let part = Content::Image(Image { source: url("https://a.test", None), detail });
    let (_, notes) = told(&request(vec![turn(Role::User, vec![Part::new(part)])]));
    assert_eq!(notes, "messages.content.image_url.detail;dropped");
}

#[test]
fn files_of_the_model_move_to_the_users_next_turn() {
    let file = || document(Source::Text("x".to_owned()));
    let (body, notes) = told(&request(vec![
        turn(Role::User, vec![Part::text("Hi")]),
        turn(Role::Assistant, vec![file(), call("a", "{}")]),
        turn(Role::User, vec![result("a", Vec::new(), false)]),
        turn(Role::Assistant, vec![Part::text("So"), file()]),
    ]));
    let kinds: Vec<Vec<_>> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            message["content"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect()
        })
        .collect();
    let expected =
        json!([["text"], ["tool_use"], ["tool_result", "document"], ["text"], ["document"]]);
    assert_eq!(json!(kinds), expected);
    assert_eq!(notes, "messages.content;moved");
}

#[test]
fn results_hold_pictures_and_files_and_errors_only_texts() {
    let picture = || image(base64("image/png", "iVBORw0KGgo="));
    let (body, notes) = told(&request(vec![
        turn(Role::Assistant, vec![call("a", "{}"), call("b", "{}")]),
        turn(
            Role::User,
            vec![
                result("a", vec![Part::text("see"), marked(picture(), None)], false),
                result("b", vec![picture()], true),
            ],
        ),
    ]));
    let results = &body["messages"][2]["content"];
    assert_eq!(results[0]["content"][1]["type"], "image");
    assert_eq!(results[0]["content"][1]["cache_control"]["type"], "ephemeral");
    assert_eq!(results[1]["content"][0]["text"], "Error:");
    assert!(results[1].get("is_error").is_none());
    assert_eq!(notes, "messages.is_error;changed, messages;emulated");
}

/// Bug 6 of the list: inputs of tools without arguments were a text or `null`.
#[test]
fn inputs_of_calls_are_objects() {
    for (input, expected, noted) in [
        (r#"{"b":1.0,"a":2}"#, json!({"b": 1.0, "a": 2}), false),
        ("", json!({}), false),
        ("{\"a\":", json!({"_raw": "{\"a\":"}), true),
        ("[1]", json!({"_raw": "[1]"}), true),
        ("null", json!({"_raw": "null"}), true),
    ] {
        let turns = vec![
            turn(Role::User, vec![Part::text("Go")]),
            turn(Role::Assistant, vec![call("a", input)]),
        ];
        let (body, notes) = told(&request(turns));
        assert_eq!(body["messages"][1]["content"][0]["input"], expected);
        assert_eq!(notes == "messages.tool_calls.arguments;changed", noted, "{notes}");
    }
}

/// Bug 10 of the list: foreign signatures were sent, and the second turn was refused.
#[test]
fn only_anthropics_own_thoughts_come_back_to_it() {
    let (body, notes) = told(&request(vec![
        turn(Role::User, vec![Part::text("Hi")]),
        turn(
            Role::Assistant,
            vec![
                thought("", Dialect::Anthropic, false),
                thought("", Dialect::Anthropic, true),
                thought("hm", Dialect::Gemini, false),
                Part::new(Content::Thinking(Thinking {
                    text: "hm".to_owned(),
                    ..Thinking::default()
                })),
                Part::new(Content::Refusal("No.".to_owned())),
            ],
        ),
        turn(Role::User, vec![Part::text("Why?")]),
    ]));
    let expected = json!([{"type": "thinking", "thinking": "", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sig"}, {"type": "text", "text": "No."}]);
    assert_eq!(body["messages"][1]["content"], expected);
    assert_eq!(notes, "thinking;dropped, messages.refusal;changed");
}

/// Bug 15 of the list: the choice and the parallel flag were lost.
#[test]
fn every_choice_of_a_tool_is_written() {
    let one = || ToolChoice::One { name: "f".to_owned() };
    for (choice, parallel, expected) in [
        (None, None, Value::Null),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (Some(ToolChoice::Required), Some(true), json!({"type": "any"})),
        (Some(one()), None, json!({"type": "tool", "name": "f"})),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (
            Some(one()),
            Some(false),
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
    ] {
        let tools = vec![tool("f", None), tool("g", None)];
        let request = Request { tools, tool_choice: choice, parallel_calls: parallel, ..hi() };
        let (body, notes) = told(&request);
        assert_eq!((&body["tool_choice"], notes.as_str()), (&expected, ""));
        assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    }
    let allowed = |name: &str| Request {
        tools: vec![tool("f", None), tool("g", None)],
        tool_choice: Some(ToolChoice::Allowed { required: true, names: vec![name.to_owned()] }),
        ..hi()
    };
    let (body, notes) = told(&allowed("g"));
    assert_eq!(
        (&body["tools"][0]["name"], body["tools"].as_array().unwrap().len()),
        (&json!("g"), 1)
    );
    assert_eq!(
        (&body["tool_choice"]["type"], notes.as_str()),
        (&json!("any"), "tool_choice;changed")
    );
    assert!(told_to(&target(OLD), &allowed("x")).is_err());
    let without =
        Request { tool_choice: Some(ToolChoice::Required), parallel_calls: Some(false), ..hi() };
    let (body, notes) = told(&without);
    assert_eq!((body.get("tool_choice"), notes.as_str()), (None, "tool_choice;dropped"));
}

#[test]
fn schemas_of_tools_say_that_they_are_of_objects() {
    for (schema, expected) in [
        (None, Some(r#"{"properties":{},"type":"object"}"#)),
        (Some("{}"), Some(r#"{"type":"object"}"#)),
        (Some(r#"{"type":"object", "x":1e2}"#), Some(r#"{"type":"object", "x":1e2}"#)),
        (Some(r#"{"$ref":"a", "type":null}"#), Some(r#"{"type":"object","$ref":"a"}"#)),
        (Some(r#"{"type":["object","null"]}"#), Some(r#"{"type":"object"}"#)),
        (Some(r#"{"type":"string"}"#), None),
        (Some("[]"), None),
    ] {
        let request = Request { tools: vec![tool("f", schema)], ..hi() };
        let mut notes = Notes::default();
        let body = write(&request, &target(OLD), &mut Thread::default(), &mut notes);
        match expected {
            Some(expected) => {
                let body = String::from_utf8(body.unwrap()).unwrap();
                assert!(body.contains(&format!(r#""input_schema":{expected}}}"#)), "{body}");
            }
            None => assert_eq!(body.unwrap_err().field, "tools.function.parameters"),
        }
    }
}

#[test]
fn the_web_is_searched_with_what_both_sides_know() {
    for options in [
        r#"{"type":"web_search","filters":{"allowed_domains":["a.test"]},"user_location":{"type":"approximate","city":"B"}}"#,
        r#"{"allowed_domains":["a.test"],"blocked_domains":["b.test"],"user_location":{"type":"approximate","approximate":{"city":"B"}}}"#,
    ] {
        let (body, notes) = told(&Request { web_search: Json::parse(options), ..hi() });
        let expected = json!([{"type": "web_search_20250305", "name": "web_search",
            "allowed_domains": ["a.test"], "user_location": {"type": "approximate", "city": "B"}}]);
        assert_eq!((&body["tools"], notes.as_str()), (&expected, "web_search;changed"));
    }
}

/// Bug 42 of the list: the tool that stands for a form was shown to the caller.
#[test]
fn forms_of_answers_are_asked_for_in_the_best_way_there_is() {
    let schema = || Format::Schema {
        name: Some("n".to_owned()),
        description: None,
        schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
        strict: Some(false),
    };
    let (body, notes) = told(&Request { format: Some(schema()), ..hi() });
    let expected = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
    assert_eq!(
        (&body["output_config"], notes.as_str()),
        (&expected, "response_format.strict;changed")
    );
    let (body, notes) = told(&Request { format: Some(Format::Json), ..hi() });
    assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON object"));
    assert_eq!(notes, "response_format;emulated");

    let target = Target { quirks: Quirks::NONE.with(Quirk::NoJsonSchema), ..target(OLD) };
    let request = Request { format: Some(schema()), ..hi() };
    let (mut thread, mut notes) = (Thread::default(), Notes::default());
    let body = write(&request, &target, &mut thread, &mut notes).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["tool_choice"]["name"], "n");
    assert_eq!(thread.emulated_format.as_deref(), Some("n"));
    assert!(told_to(&target, &Request { tools: vec![tool("f", None)], ..request }).is_err());
}

/// Bug 25 of the list: marks of the cache were lost, or put elsewhere.
#[test]
fn four_marks_are_kept_and_they_are_the_last() {
    let mut first = tool("f", None);
    first.cache = Some(CacheMark::default());
    let inside = marked(Part::text("in"), Some("24h"));
    let request = Request {
        instructions: vec![marked(Part::text("one"), None), marked(Part::text("two"), None)],
        tools: vec![first],
        cache: Some(CacheMark::default()),
        ..request(vec![turn(
            Role::User,
            vec![result("a", vec![inside], false), marked(Part::text("Hi"), Some("5m"))],
        )])
    };
    let (body, notes) = told(&request);
    assert!(body["tools"][0].get("cache_control").is_none());
    assert!(body["system"][0].get("cache_control").is_none());
    assert!(body["system"][1].get("cache_control").is_some());
    let content = &body["messages"][0]["content"];
    assert_eq!(content[0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!(content[1]["cache_control"], json!({"type": "ephemeral", "ttl": "5m"}));
    assert!(body.get("cache_control").is_some());
    assert_eq!(notes, "cache_control.ttl;changed, cache_control;dropped");
}

#[test]
fn what_anthropic_cannot_do_is_noted_or_refused() {
    let named = Turn { name: Some("Ann".to_owned()), ..turn(Role::User, vec![Part::text("Hi")]) };
    for (request, noted) in [
        (Request { verbosity: Some("low".to_owned()), ..hi() }, "verbosity;dropped"),
        (Request { store: Some(true), ..hi() }, "store;dropped"),
        (Request { store: Some(false), cache_key: Some("k".to_owned()), ..hi() }, ""),
        (Request { metadata: vec![("a".to_owned(), "b".to_owned())], ..hi() }, "metadata;dropped"),
        (Request { tier: Some(Tier::Flex), ..hi() }, "service_tier;dropped"),
        (Request { answers: Some(1), ..hi() }, ""),
        (self::request(vec![named]), "messages.name;dropped"),
    ] {
        assert_eq!(told(&request).1, noted);
    }
    for (request, field) in [
        (Request { answers: Some(2), ..hi() }, "n"),
        (Request { logprobs: Some(0), ..hi() }, "logprobs"),
    ] {
        assert_eq!(told_to(&target(OLD), &request).unwrap_err().field, field);
    }
}

/// Bug 33 of the list: a count was asked for as if it were an answer, and refused.
#[test]
fn a_count_tells_nothing_of_the_answer() {
    let request = Request { stream: true, user: Some("u".to_owned()), ..hi() };
    let body = write_count(&request, &target(OLD), &mut Thread::default(), &mut Notes::default());
    let expected = concat!(
        r#"{"model":"claude-sonnet-4-5","messages":[{"role":"user","#,
        r#""content":[{"type":"text","text":"Hi"}]}]}"#
    );
    assert_eq!(String::from_utf8(body.unwrap()).unwrap(), expected);
}
