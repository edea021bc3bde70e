//! What a provider is told.

use super::*;
use crate::{
    chat::{
        Budget, CacheMark, Call, CallInput, CallResult, Citation, Content as Said, Detail,
        Document, Effort, Format, Image, Opaque, Reasoning, Role, Show, Source, Text, Thinking,
        Tool, ToolChoice, ToolKind, Turn,
    },
    json::Json,
};
use domain::catalog::{Dialect, Quirk, Quirks};
use serde_json::{Value, json};

fn target(model: &str) -> Target<'_> {
    Target {
        dialect: Dialect::Gemini,
        model,
        quirks: Quirks::NONE,
        output_cap_field: "maxOutputTokens",
        max_output: None,
        output_cap: None,
    }
}

fn text_of(request: &Request, target: &Target<'_>) -> Result<(String, String), Refused> {
    let mut notes = Notes::default();
    let body = write(request, target, &mut Thread::default(), &mut notes)?;
    Ok((String::from_utf8(body).unwrap(), notes.to_string()))
}

#[track_caller]
fn written(request: &Request, model: &str) -> (Value, String) {
    let (text, notes) = text_of(request, &target(model)).unwrap();
    (serde_json::from_str(&text).unwrap(), notes)
}

#[track_caller]
fn refused(request: &Request) -> String {
    text_of(request, &target("gemini-2.5-flash")).unwrap_err().field
}

fn turn(role: Role, parts: Vec<Said>) -> Turn {
    Turn { role, name: None, parts: parts.into_iter().map(Part::new).collect() }
}

fn text(text: &str) -> Said {
    Said::Text(Text { text: text.to_owned(), citations: Vec::new() })
}

fn of(turns: Vec<Turn>) -> Request {
    Request { turns, ..Request::default() }
}

fn asking() -> Request {
    of(vec![turn(Role::User, vec![text("hi")])])
}

fn call(id: &str, name: &str, input: &str) -> Said {
    let input = CallInput::Json(Json::parse(input).unwrap());
    Said::Call(Call { id: id.into(), name: name.into(), namespace: None, input, opaque: None })
}

fn result(id: &str, parts: Vec<Said>, failed: bool) -> Said {
    let parts = parts.into_iter().map(Part::new).collect();
    Said::Result(CallResult { call: id.into(), name: None, parts, failed, custom: false })
}

fn image() -> Said {
    let source = Source::Base64 { mime: "image/png".into(), data: "AAAA".into() };
    Said::Image(Image { source, detail: None })
}

fn state(origin: Dialect) -> Option<Opaque> {
    Some(Opaque { origin, data: "GG==".into() })
}

fn thinking(words: &str, opaque: Option<Opaque>) -> Said {
    Said::Thinking(Thinking { text: words.into(), opaque, redacted: false })
}

#[test]
fn a_question_is_written_to_the_byte() {
    let (body, notes) = text_of(&asking(), &target("gemini-2.5-flash")).unwrap();
    assert_eq!(body, r#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}"#);
    assert_eq!(notes, "");
}

/// Bug 35 of the list: the line changes with each request, and spoils others' caches.
#[test]
fn instructions_keep_their_parts_but_not_the_billing() {
    let mut request = asking();
    for it in ["x-anthropic-billing-header: cc_version=1; cch=2", "a", "", "b"] {
        let cache = Some(CacheMark::default());
        request.instructions.push(Part { cache, ..Part::text(it) });
    }
    let (body, notes) = written(&request, "gemini-2.5-flash");
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "a"}, {"text": "b"}]}));
    assert_eq!(notes, "");
}

#[test]
fn instructions_alone_are_what_is_answered() {
    let request = Request { instructions: vec![Part::text("a")], ..Request::default() };
    let (body, notes) = written(&request, "gemini-2.5-flash");
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}]}));
    assert_eq!(notes, "messages;moved");
    assert_eq!(refused(&Request::default()), "messages");
}

#[test]
fn turns_of_one_side_are_joined_and_instructions_stay_in_place() {
    let request = of(vec![
        turn(Role::User, vec![text("a")]),
        turn(Role::System, vec![text("s"), text("t")]),
        turn(Role::User, vec![text("")]),
        turn(Role::Assistant, vec![text("")]),
        turn(Role::User, vec![text("b")]),
    ]);
    let (body, notes) = written(&request, "gemini-2.5-flash");
    let parts = json!([{"text": "a"}, {"text": "<system>\ns\n\nt\n</system>"}, {"text": "b"}]);
    assert_eq!(body["contents"], json!([{"role": "user", "parts": parts}]));
    assert_eq!(notes, "messages.role;changed");
}

#[test]
fn pictures_by_address_are_refused_unless_google_has_them() {
    let by = |url: &str| {
        let source = Source::Url { url: url.into(), mime: None };
        of(vec![turn(Role::User, vec![Said::Image(Image { source, detail: Some(Detail::High) })])])
    };
    for url in ["https://x.test/a.png", "http://youtu.be/x", "https://youtu.be.evil/x", "data:x"] {
        assert_eq!(refused(&by(url)), "image_url", "{url}");
    }
    for url in [
        "gs://bucket/a.png",
        "https://generativelanguage.googleapis.com/v1beta/files/x",
        "https://www.youtube.com/watch?v=x",
    ] {
        let (body, notes) = written(&by(url), "gemini-2.5-flash");
        assert_eq!(body["contents"][0]["parts"][0], json!({"fileData": {"fileUri": url}}));
        assert_eq!(notes, "image_url.detail;dropped");
    }
}

/// Bug 16 of the list: pictures went under a wrong type.
#[test]
fn the_type_of_a_picture_is_what_its_bytes_say() {
    for (data, told, mime) in [
        ("iVBORw0KGgoAAAANSUhEUg==", "image/jpeg", "image/png"),
        ("/9j/4AAQ", "image/png", "image/jpeg"),
        ("R0lGODlhAQ==", "image/png", "image/gif"),
        ("UklGRjAAAABXRUJQ", "image/png", "image/webp"),
        ("UklGRjAAAABXQVZF", "audio/wav", "audio/wav"),
        ("AAAA", "image/heic", "image/heic"),
    ] {
        let source = Source::Base64 { mime: told.into(), data: data.into() };
        let image = Said::Image(Image { source, detail: None });
        let (body, notes) = written(&of(vec![turn(Role::User, vec![image])]), "gemini-2.5-flash");
        let expected = json!({"inlineData": {"mimeType": mime, "data": data}});
        assert_eq!(body["contents"][0]["parts"][0], expected);
        assert_eq!(notes.is_empty(), told == mime);
    }
}

/// Bug 17 of the list: documents were dropped.
#[test]
fn documents_are_never_lost_in_silence() {
    let of = |source, title: Option<&str>| {
        let title = title.map(str::to_owned);
        let context = Some("ctx".to_owned());
        let document = Document { source, title, context, citations: true };
        of(vec![turn(Role::User, vec![Said::Document(document)])])
    };
    let pdf = || Source::Base64 { mime: "application/pdf".into(), data: "JVBERi0=".into() };
    let (body, notes) = written(&of(pdf(), Some("a.pdf")), "gemini-2.5-flash");
    let inline = json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}});
    assert_eq!(body["contents"][0]["parts"], json!([{"text": "ctx"}, inline]));
    assert_eq!(
        notes,
        "document.citations;dropped, document.context;changed, file.filename;dropped"
    );
    let (body, _) = written(&of(Source::Text("words".into()), Some("T")), "gemini-2.5-flash");
    assert_eq!(body["contents"][0]["parts"][1], json!({"text": "T\n\nwords"}));
    let url = Source::Url { url: "https://x.test/a.pdf".into(), mime: None };
    assert_eq!(refused(&of(url, None)), "file_url");
}

/// Bug 19 of the list: results had no names, or stood in several turns: fewer than the calls,
/// Gemini said.
#[test]
fn results_have_names_and_stand_together_in_the_order_of_their_calls() {
    let request = of(vec![
        turn(Role::User, vec![text("q")]),
        turn(
            Role::Assistant,
            vec![text("ok"), call("1", "a", r#"{"x": 1.0}"#), call("2", "b", "{}")],
        ),
        turn(Role::User, vec![text("and"), result("2", vec![text("B")], false)]),
        turn(Role::User, vec![result("1", vec![text(r#"{"k": 1}"#)], false), text("more")]),
    ]);
    let (text, notes) = text_of(&request, &target("gemini-2.5-flash")).unwrap();
    assert!(text.contains(r#"{"functionCall":{"id":"1","name":"a","args":{"x": 1.0}}}"#), "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        body["contents"][2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"id": "1", "name": "a", "response": {"k": 1}}},
            {"functionResponse": {"id": "2", "name": "b", "response": {"output": "B"}}},
            {"text": "and"},
            {"text": "more"},
        ]})
    );
    assert_eq!((body["contents"].as_array().unwrap().len(), notes.as_str()), (3, ""));
    let orphan = of(vec![turn(Role::User, vec![result("9", Vec::new(), false)])]);
    assert_eq!(refused(&orphan), "tool_call_id");
}

#[test]
fn results_of_every_kind_become_objects() {
    for (texts, failed, expected) in [
        (vec!["x"], false, json!({"output": "x"})),
        (vec!["x", "y"], false, json!({"output": "x\ny"})),
        (vec![], false, json!({"output": ""})),
        (vec!["[1]"], false, json!({"output": "[1]"})),
        (vec![r#"{"a":1}"#], false, json!({"a": 1})),
        (vec![r#"{"a":1}"#], true, json!({"error": "{\"a\":1}"})),
        (vec!["bad"], true, json!({"error": "bad"})),
    ] {
        let texts = texts.into_iter().map(text).collect();
        let request = of(vec![
            turn(Role::Assistant, vec![call("1", "a", "{}")]),
            turn(Role::User, vec![result("1", texts, failed)]),
        ]);
        let (body, _) = written(&request, "gemini-2.5-flash");
        let response = &body["contents"][1]["parts"][0]["functionResponse"]["response"];
        assert_eq!(response, &expected);
    }
}

/// Bug 16 of the list: pictures in results were dropped.
#[test]
fn pictures_in_results_are_within_them_or_behind_them() {
    let request = of(vec![
        turn(Role::Assistant, vec![call("1", "a", "{}"), call("2", "b", "{}")]),
        turn(
            Role::User,
            vec![result("1", vec![image()], false), result("2", vec![text("B")], false)],
        ),
    ]);
    let blob = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let (body, _) = written(&request, "gemini-3-flash");
    let within = &body["contents"][1]["parts"][0]["functionResponse"];
    assert_eq!(
        (&within["parts"], &within["response"]),
        (&json!([blob]), &json!({"output": "[attached]"}))
    );
    let (body, notes) = written(&request, "gemini-2.5-flash");
    let parts = body["contents"][1]["parts"].as_array().unwrap();
    assert_eq!(parts[0]["functionResponse"]["response"], json!({"output": "[attached below]"}));
    assert_eq!((&parts[1]["functionResponse"]["name"], &parts[2]), (&json!("b"), &blob));
    assert_eq!(notes, "tool_result.content;moved");
}

/// Bug 6 of the list: no arguments were sent as a text or as `null`.
#[test]
fn arguments_are_always_an_object() {
    for (input, args, note) in [
        (CallInput::Text(String::new()), json!({}), ""),
        (CallInput::Text("null".into()), json!({}), ""),
        (CallInput::Text(r#" {"a":1} "#.into()), json!({"a": 1}), ""),
        (
            CallInput::Text(r#"{"a":"#.into()),
            json!({"_raw": "{\"a\":"}),
            "tool_calls.arguments;changed",
        ),
        (
            CallInput::Json(Json::parse("[1]").unwrap()),
            json!({"_raw": "[1]"}),
            "tool_calls.arguments;changed",
        ),
    ] {
        let call = Call { id: "1".into(), name: "a".into(), namespace: None, input, opaque: None };
        let request = of(vec![
            turn(Role::Assistant, vec![Said::Call(call)]),
            turn(Role::User, vec![result("1", Vec::new(), false)]),
        ]);
        let (body, notes) = written(&request, "gemini-2.5-flash");
        assert_eq!(body["contents"][0]["parts"][0]["functionCall"]["args"], args);
        assert_eq!(notes, note);
    }
}

/// Bug 13 of the list: signatures did not come back, or not to the part they were at.
#[test]
fn own_signatures_go_back_to_the_right_part() {
    let gemini = || state(Dialect::Gemini);
    let Said::Call(bare) = call("1", "a", "{}") else { panic!() };
    let signed = Said::Call(Call { opaque: gemini(), ..bare });
    let function = json!({"id": "1", "name": "a", "args": {}});
    let at_call = json!({"functionCall": function, "thoughtSignature": "GG=="});
    let replaced =
        json!({"functionCall": function, "thoughtSignature": "skip_thought_signature_validator"});
    let thought = json!({"text": "t", "thought": true, "thoughtSignature": "GG=="});
    let empty = json!({"text": "", "thoughtSignature": "GG=="});
    for (parts, expected, note) in [
        (vec![thinking("t", None), signed.clone()], vec![at_call.clone()], ""),
        (vec![thinking("t", gemini()), call("1", "a", "{}")], vec![at_call.clone()], ""),
        (vec![thinking("t", gemini()), signed], vec![thought.clone(), at_call], ""),
        (
            vec![text("x"), thinking("", gemini())],
            vec![json!({"text": "x"}), empty],
            "messages;changed",
        ),
        (
            vec![thinking("t", gemini()), text("x")],
            vec![thought, json!({"text": "x"})],
            "messages;changed",
        ),
        (
            vec![thinking("t", state(Dialect::Anthropic)), call("1", "a", "{}")],
            vec![replaced.clone()],
            "thinking;dropped, thinking;changed",
        ),
        (vec![call("1", "a", "{}")], vec![replaced], "thinking;changed"),
        (
            vec![thinking("t", None), text("x")],
            vec![json!({"text": "x"})],
            "thinking;dropped, messages;changed",
        ),
    ] {
        let is_calling = parts.iter().any(|it| matches!(it, Said::Call(_)));
        let mut turns = vec![turn(Role::Assistant, parts)];
        if is_calling {
            turns.push(turn(Role::User, vec![result("1", Vec::new(), false)]));
        }
        let (body, notes) = written(&of(turns), "models/gemini-3.1-pro-preview");
        assert_eq!(body["contents"][0]["parts"], Value::from(expected));
        assert_eq!(notes, note);
    }
}

#[test]
fn a_lost_signature_is_replaced_at_the_first_call_of_each_turn_and_only_where_wanted() {
    let calls =
        || turn(Role::Assistant, vec![text("x"), call("1", "a", "{}"), call("2", "a", "{}")]);
    let results = || turn(Role::User, vec![result("1", vec![], false), result("2", vec![], false)]);
    let request = of(vec![calls(), results(), calls(), results()]);
    let count = |model| {
        let (text, notes) = text_of(&request, &target(model)).unwrap();
        (text.matches("skip_thought_signature_validator").count(), notes)
    };
    let latest = "gemini-flash-latest";
    for model in ["gemini-3-pro-preview", "publishers/google/models/gemini-4-flash", latest] {
        assert_eq!(count(model), (2, "thinking;changed".to_owned()), "{model}");
    }
    for model in ["gemini-2.5-pro", "gemma-3-27b", "gemini-exp", ""] {
        assert_eq!(count(model), (0, String::new()), "{model}");
    }
}

fn tool(name: &str, schema: Option<&str>) -> Tool {
    let schema = schema.map(|it| Json::parse(it).unwrap());
    let kind = ToolKind::Function { schema, strict: Some(false) };
    Tool { name: name.into(), namespace: None, description: Some("d".into()), kind, cache: None }
}

/// Bug 18 of the list: `$ref`, `const` and the like were told where Gemini refuses them.
#[test]
fn schemas_are_told_as_they_are() {
    let schema = r##"{"$defs":{"x":{"const":1.0}},"anyOf":[{"$ref":"#/$defs/x"}],"type":["object"],"additionalProperties":false}"##;
    let request = Request { tools: vec![tool("a", Some(schema)), tool("b", None)], ..asking() };
    let (text, notes) = text_of(&request, &target("gemini-2.5-flash")).unwrap();
    let declared = format!(
        r#""tools":[{{"functionDeclarations":[{{"name":"a","description":"d","parametersJsonSchema":{schema}}},{{"name":"b","description":"d"}}]}}]"#
    );
    assert!(text.contains(&declared), "{text}");
    assert_eq!(notes, "");
}

/// Bug 15 of the list: the choice was lost.
#[test]
fn every_choice_is_told() {
    let names = || vec!["a".to_owned(), "b".to_owned()];
    for (choice, expected, note) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"}), ""),
        (ToolChoice::None, json!({"mode": "NONE"}), ""),
        (ToolChoice::Required, json!({"mode": "ANY"}), ""),
        (
            ToolChoice::One { name: "a".into() },
            json!({"mode": "ANY", "allowedFunctionNames": ["a"]}),
            "",
        ),
        (
            ToolChoice::Allowed { required: true, names: names() },
            json!({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}),
            "",
        ),
        (
            ToolChoice::Allowed { required: false, names: names() },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]}),
            "tool_choice;changed",
        ),
    ] {
        let mut request = Request { tool_choice: Some(choice), ..asking() };
        assert_eq!(written(&request, "gemini-2.5-flash").0.get("toolConfig"), None);
        request.tools = vec![tool("a", None)];
        let (body, notes) = written(&request, "gemini-2.5-flash");
        // Tools stay, whatever is chosen: the history may have called them.
        assert_eq!(body["tools"][0]["functionDeclarations"][0]["name"], "a");
        assert_eq!(body["toolConfig"]["functionCallingConfig"], expected);
        assert_eq!(notes, note);
    }
}

#[test]
fn googles_search_never_stands_beside_functions() {
    let options = Json::parse("{}").unwrap();
    let mut request = Request { web_search: Some(options), ..asking() };
    let (body, notes) = written(&request, "gemini-2.5-flash");
    assert_eq!((&body["tools"], notes.as_str()), (&json!([{"googleSearch": {}}]), ""));
    request.tools = vec![tool("a", None)];
    let (body, notes) = written(&request, "gemini-2.5-flash");
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(notes, "web_search;dropped");
}

#[test]
fn sampling_bounds_and_format_are_told() {
    let mut request = asking();
    request.sampling = crate::chat::Sampling {
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(40),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(-0.5),
        seed: Some(7),
        stop: vec!["END".into(), String::new()],
        logit_bias: Some(Json::empty_object()),
    };
    request.answers = Some(2);
    request.max_output = Some(100);
    request.logprobs = Some(3);
    let schema = Json::parse(r#"{"type": "object"}"#).unwrap();
    let name = Some("n".to_owned());
    request.format = Some(Format::Schema { name, description: None, schema, strict: Some(false) });
    let (text, notes) = text_of(&request, &target("gemini-2.5-flash")).unwrap();
    let config = r#""generationConfig":{"stopSequences":["END"],"responseMimeType":"application/json","responseJsonSchema":{"type": "object"},"candidateCount":2,"maxOutputTokens":100,"temperature":1.5,"topP":0.9,"topK":40,"seed":7,"presencePenalty":-0.5,"frequencyPenalty":0.5,"responseLogprobs":true,"logprobs":3}}"#;
    assert!(text.ends_with(config), "{text}");
    let expected =
        "logit_bias;dropped, logprobs;changed, stop;dropped, response_format.strict;dropped";
    assert_eq!(notes, expected);
    request.format = Some(Format::Json);
    let quirks = Quirks::NONE.with(Quirk::NoSampling);
    let target = Target { quirks, max_output: Some(64), ..target("gemini-2.5-flash") };
    let (text, notes) = text_of(&request, &target).unwrap();
    assert!(!text.contains("temperature") && !text.contains("topK") && !text.contains("Schema"));
    assert!(text.contains(r#""maxOutputTokens":64"#) && notes.contains("max_tokens;clamped"));
}

#[test]
fn what_gemini_cannot_bound_is_refused() {
    let mut request = asking();
    request.sampling.stop = vec!["a".to_owned(); 6];
    assert_eq!(refused(&request), "stop");
    assert_eq!(refused(&Request { max_output: Some(0), ..asking() }), "max_tokens");
    let target = Target { output_cap: Some(9), ..target("gemini-2.5-flash") };
    let (text, notes) = text_of(&asking(), &target).unwrap();
    assert!(text.ends_with(r#""generationConfig":{"maxOutputTokens":9}}"#) && notes.is_empty());
}

#[test]
fn effort_is_told_in_the_words_of_the_models_generation() {
    let reasoning = |effort, budget| Some(Reasoning { effort, budget, ..Reasoning::default() });
    let of = |model: &str, effort, budget| {
        let request = Request { reasoning: reasoning(effort, budget), ..asking() };
        let (body, notes) = written(&request, model);
        (body["generationConfig"]["thinkingConfig"].clone(), notes)
    };
    let level = |it: &str| json!({"thinkingLevel": it});
    for (model, effort, told, note) in [
        ("gemini-3-flash", Effort::None, level("MINIMAL"), "reasoning_effort;clamped"),
        ("gemini-3-flash", Effort::Minimal, level("MINIMAL"), ""),
        ("gemini-3.1-pro", Effort::Minimal, level("LOW"), "reasoning_effort;clamped"),
        ("gemini-3-flash", Effort::Low, level("LOW"), ""),
        ("gemini-3-flash", Effort::Medium, level("MEDIUM"), ""),
        ("gemini-3-pro-preview", Effort::Medium, level("HIGH"), "reasoning_effort;clamped"),
        ("gemini-3-flash", Effort::High, level("HIGH"), ""),
        ("gemini-4-flash", Effort::XHigh, level("XHIGH"), ""),
        ("gemini-4-flash", Effort::Max, level("XHIGH"), "reasoning_effort;clamped"),
        ("gemini-2.5-flash", Effort::None, json!({"thinkingBudget": 0}), ""),
        (
            "gemini-2.5-pro",
            Effort::None,
            json!({"thinkingBudget": 128}),
            "thinking.budget_tokens;clamped",
        ),
        (
            "gemini-2.5-flash",
            Effort::High,
            json!({"thinkingBudget": 4096}),
            "reasoning_effort;changed",
        ),
        ("gemini-2.0-flash", Effort::High, Value::Null, "reasoning_effort;dropped"),
    ] {
        assert_eq!(of(model, Some(effort), None), (told, note.to_owned()), "{model} {effort:?}");
    }
    let tokens = |it| Some(Budget::Tokens(it));
    let (told, note) = of("gemini-3-flash", None, tokens(2_000));
    assert_eq!((told, note.as_str()), (level("MEDIUM"), "thinking.budget_tokens;changed"));
    assert_eq!(of("gemini-3-flash", None, Some(Budget::Auto)).0, Value::Null);
    assert_eq!(of("gemini-2.5-pro", None, Some(Budget::Auto)).0, json!({"thinkingBudget": -1}));
    let (told, note) = of("gemini-2.5-pro", Some(Effort::Medium), Some(Budget::Auto));
    assert_eq!((told, &*note), (json!({"thinkingBudget": 2048}), "reasoning_effort;changed"));
    let (told, note) = of("gemini-2.5-flash", None, tokens(99_999));
    assert_eq!(
        (told, note.as_str()),
        (json!({"thinkingBudget": 24576}), "thinking.budget_tokens;clamped")
    );
    let mut request = Request { reasoning: reasoning(None, tokens(2_000)), ..asking() };
    request.max_output = Some(1_000);
    let (body, _) = written(&request, "gemini-2.5-flash");
    assert_eq!(body["generationConfig"]["thinkingConfig"], json!({"thinkingBudget": 500}));
    let show = Some(Show::Summary);
    request.reasoning = Some(Reasoning { show, ..Reasoning::default() });
    let (body, _) = written(&request, "gemini-3-flash");
    assert_eq!(body["generationConfig"]["thinkingConfig"], json!({"includeThoughts": true}));
}

#[test]
fn what_gemini_has_no_place_for_is_noted() {
    let mut request = asking();
    request.turns[0].name = Some("ann".into());
    let citation = Citation { url: "u".into(), title: None, quote: None, range: None };
    let cited = Said::Text(Text { text: "x".into(), citations: vec![citation] });
    request.turns.push(turn(Role::Assistant, vec![cited, Said::Refusal("no".into())]));
    request.parallel_calls = Some(false);
    request.verbosity = Some("low".into());
    request.user = Some("u".into());
    request.metadata = vec![("a".into(), "b".into())];
    request.tier = Some(Tier::Other("scale".into()));
    request.store = Some(true);
    // These have no effect on the answer.
    request.cache = Some(CacheMark::default());
    request.cache_key = Some("k".into());
    request.stream_usage = true;
    let (body, notes) = written(&request, "gemini-2.5-flash");
    assert_eq!(
        notes,
        "name;dropped, citations;dropped, refusal;changed, messages;changed, \
         parallel_tool_calls;dropped, verbosity;dropped, user;dropped, metadata;dropped, \
         store;dropped, service_tier;dropped"
    );
    assert_eq!(body.as_object().unwrap().len(), 1);
    request.tier = Some(Tier::Flex);
    assert_eq!(written(&request, "gemini-2.5-flash").0["serviceTier"], "flex");
}
