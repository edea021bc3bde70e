use super::*;
use crate::{
    chat::{
        CacheMark, Call, CallInput, CallResult, Content, Document, Image, Opaque, Part, Role,
        Source, Thinking, Tool, ToolChoice, ToolKind, Turn,
    },
    json::Json,
};
use domain::catalog::Dialect;
use serde_json::{Value, json};

const fn target(quirks: Quirks) -> Target<'static> {
    Target {
        dialect: Dialect::OpenAiResponses,
        model: "up",
        quirks,
        output_cap_field: "max_output_tokens",
        max_output: Some(1_000),
        output_cap: None,
    }
}

#[track_caller]
fn with(request: &chat::Request, target: &Target<'_>) -> (Value, String) {
    let mut notes = Notes::default();
    let body = write(request, target, &mut Thread::default(), &mut notes).unwrap();
    (serde_json::from_slice(&body).unwrap(), notes.to_string())
}

#[track_caller]
fn written(request: &chat::Request) -> (Value, String) {
    with(request, &target(Quirks::NONE))
}

#[track_caller]
fn refused(request: &chat::Request) -> String {
    let mut notes = Notes::default();
    let target = target(Quirks::NONE);
    write(request, &target, &mut Thread::default(), &mut notes).unwrap_err().field
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn said(role: Role, content: Content) -> chat::Request {
    let turns = vec![turn(role, vec![Part::new(content)])];
    chat::Request { turns, ..chat::Request::default() }
}

#[track_caller]
fn check_input(turns: Vec<Turn>, expected: impl Into<Value>, noted: &str) {
    let expected = expected.into();
    let (body, notes) = written(&chat::Request { turns, ..chat::Request::default() });
    assert_eq!((&body["input"], notes.as_str()), (&expected, noted));
}

fn function(name: &str) -> Tool {
    let kind = ToolKind::Function { schema: None, strict: None };
    Tool { name: name.into(), namespace: None, description: None, kind, cache: None }
}

fn custom(name: &str) -> Tool {
    Tool { kind: ToolKind::Custom { format: None }, ..function(name) }
}

fn call(id: &str, name: &str, input: CallInput) -> Part {
    let (id, name) = (id.into(), name.into());
    Part::new(Content::Call(Call { id, name, namespace: None, input, opaque: None }))
}

fn result(id: &str, parts: Vec<Part>, failed: bool) -> Part {
    let (call, name, custom) = (id.into(), None, false);
    Part::new(Content::Result(CallResult { call, name, parts, failed, custom }))
}

fn image() -> Part {
    let source = Source::Base64 { mime: "image/png".into(), data: "AAAA".into() };
    Part::new(Content::Image(Image { source, detail: None }))
}

#[test]
fn the_least_request_says_no_more_than_it_has_to() {
    let turns = vec![turn(Role::User, vec![Part::text("hi")])];
    let (body, notes) = written(&chat::Request { turns, ..chat::Request::default() });
    let expected = json!({"model": "up", "store": false, "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]});
    assert_eq!((body, notes.as_str()), (expected, ""));
}

#[test]
fn one_plain_instruction_stands_apart_and_others_are_messages() {
    let of = |instructions: Vec<Part>| {
        let (body, _) = written(&chat::Request { instructions, ..chat::Request::default() });
        (body["instructions"].clone(), body["input"].clone())
    };
    let message = |text: &str| {
        json!({"type": "message", "role": "developer",
            "content": [{"type": "input_text", "text": text}]})
    };
    assert_eq!(of(vec![Part::text("a")]), (json!("a"), json!([])));
    assert_eq!(
        of(vec![Part::text("a"), Part::text(""), Part::text("b")]),
        (Value::Null, json!([message("a"), message("b")]))
    );
    let marked = Part { cache: Some(CacheMark::default()), ..Part::text("a") };
    assert_eq!(of(vec![marked]), (Value::Null, json!([message("a")])));
    // Bug 35.
    let billing = Part::text("x-anthropic-billing-header: cc_version=2.1.329; cch=00000;");
    assert_eq!(of(vec![billing, Part::text("a")]), (json!("a"), json!([])));
}

#[test]
fn bug_31_what_the_system_says_in_the_middle_stays_there() {
    check_input(
        vec![
            turn(Role::User, vec![Part::text("a")]),
            turn(Role::System, vec![Part::text("b")]),
            turn(Role::Assistant, vec![Part::text("c")]),
        ],
        json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
        ]),
        // The model is not going to go on from `c`.
        "messages;changed",
    );
}

#[test]
fn bug_23_empty_texts_are_left_out() {
    let empty = vec![turn(Role::User, vec![Part::text("")]), turn(Role::Assistant, vec![])];
    check_input(empty, json!([]), "");
}

#[test]
fn pictures_and_files_are_addresses_and_bug_17_none_is_lost() {
    let document = |source, title: Option<&str>| {
        let (title, context) = (title.map(str::to_owned), Some("about".to_owned()));
        Part::new(Content::Document(Document { source, title, context, citations: true }))
    };
    let pdf = Source::Base64 { mime: "application/pdf".into(), data: "JVBE".into() };
    let url = Source::Url { url: "https://a/b.pdf".into(), mime: None };
    let text = Source::Text("words".into());
    check_input(
        vec![turn(
            Role::User,
            vec![image(), document(pdf, None), document(url, None), document(text, Some("t"))],
        )],
        json!([{"type": "message", "role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "input_text", "text": "about"},
            {"type": "input_file", "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,JVBE"},
            {"type": "input_text", "text": "about"},
            {"type": "input_file", "file_url": "https://a/b.pdf"},
            {"type": "input_text", "text": "about"},
            {"type": "input_text", "text": "t\n\nwords"},
        ]}]),
        "citations;dropped, document.context;changed, document;changed",
    );
    let source = Source::Url { url: "gs://bucket/x".into(), mime: None };
    let picture = Content::Image(Image { source, detail: None });
    assert_eq!(refused(&said(Role::User, picture)), "image_url");
    let sound = Content::Audio { mime: "audio/wav".into(), data: "AAAA".into() };
    assert_eq!(refused(&said(Role::User, sound)), "input_audio");
}

#[test]
fn what_the_model_shows_is_shown_by_the_user() {
    check_input(
        vec![turn(Role::Assistant, vec![Part::text("see"), image(), Part::text("so")])],
        json!([
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "see"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
        ]),
        "messages.content;moved, messages;changed",
    );
}

#[test]
fn calls_and_results_are_items_and_bug_16_results_keep_their_pictures() {
    let arguments = CallInput::Json(Json::parse("{\"b\": 1.0, \"a\":2}").unwrap());
    check_input(
        vec![
            turn(
                Role::Assistant,
                vec![
                    Part::text("I ask."),
                    call("c1", "f", arguments),
                    call("c2", "f", CallInput::Text("{\"a\":".into())),
                ],
            ),
            turn(
                Role::User,
                vec![
                    result("c1", vec![Part::text("ok")], false),
                    result("c2", vec![image()], true),
                    result("c3", vec![Part::text("error: no")], true),
                    result("c4", vec![Part::text("no")], true),
                    result("c5", vec![], false),
                    result("c6", vec![Part::text("a"), Part::text("b")], false),
                    Part::text("Go on."),
                ],
            ),
        ],
        json!([
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I ask."}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"b\": 1.0, \"a\":2}"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{\"a\":"},
            {"type": "function_call_output", "call_id": "c1", "output": "ok"},
            {"type": "function_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "Error: the call failed."},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
            {"type": "function_call_output", "call_id": "c3", "output": "error: no"},
            {"type": "function_call_output", "call_id": "c4", "output": "Error: no"},
            {"type": "function_call_output", "call_id": "c5", "output": ""},
            {"type": "function_call_output", "call_id": "c6", "output": [
                {"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]},
        ]),
        "tool_result.is_error;changed",
    );
}

#[test]
fn bug_30_calls_of_custom_tools_and_their_results_are_of_one_kind() {
    let custom_result = |id: &str| {
        let (call, parts) = (id.to_owned(), vec![Part::text("ok")]);
        let result = CallResult { call, name: None, parts, failed: false, custom: true };
        Part::new(Content::Result(result))
    };
    let text = || CallInput::Text("*** Begin".into());
    let turns = vec![
        turn(
            Role::Assistant,
            vec![call("c1", "patch", text()), call("c2", "gone", text()), call("c3", "f", text())],
        ),
        turn(
            Role::User,
            vec![result("c1", vec![], false), custom_result("c2"), custom_result("c3")],
        ),
    ];
    let tools = vec![custom("patch"), function("f")];
    let (body, _) = written(&chat::Request { turns, tools, ..chat::Request::default() });
    let kinds: Vec<_> =
        body["input"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "custom_tool_call",
            "custom_tool_call",
            "function_call",
            "custom_tool_call_output",
            "custom_tool_call_output",
            "function_call_output"
        ]
    );
}

#[test]
fn bug_10_only_the_dialects_own_thoughts_are_sent() {
    let thought = |origin, text: &str| {
        let opaque = Some(Opaque { origin, data: "S".into() });
        let thinking = Thinking { text: text.into(), opaque, redacted: false };
        Part::new(Content::Thinking(thinking))
    };
    let none = Thinking { text: "x".into(), ..Thinking::default() };
    check_input(
        vec![turn(
            Role::Assistant,
            vec![
                thought(Dialect::OpenAiResponses, "why"),
                thought(Dialect::OpenAiResponses, ""),
                thought(Dialect::Anthropic, "why"),
                Part::new(Content::Thinking(none)),
            ],
        )],
        json!([
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}],
                "encrypted_content": "S"},
            {"type": "reasoning", "summary": [], "encrypted_content": "S"},
        ]),
        "thinking;dropped",
    );
}

#[test]
fn tools_say_how_strict_they_are_and_what_they_take() {
    let tools = vec![
        function("f"),
        Tool {
            kind: ToolKind::Function {
                schema: Json::parse("{\"type\": \"object\"}"),
                strict: Some(true),
            },
            description: Some("d".into()),
            ..function("g")
        },
        custom("c"),
    ];
    let (body, _) = written(&chat::Request { tools, ..chat::Request::default() });
    assert_eq!(
        body["tools"],
        json!([
            {"type": "function", "name": "f", "strict": false,
                "parameters": {"type": "object", "properties": {}}},
            {"type": "function", "name": "g", "description": "d", "strict": true,
                "parameters": {"type": "object"}},
            {"type": "custom", "name": "c"},
        ])
    );
}

#[test]
fn bug_15_every_choice_of_tools_is_said() {
    let of = |choice: ToolChoice| {
        let (tools, tool_choice) = (vec![function("f"), custom("c")], Some(choice));
        let request = chat::Request {
            tools,
            tool_choice,
            parallel_calls: Some(false),
            ..chat::Request::default()
        };
        let (body, notes) = written(&request);
        assert_eq!((&body["parallel_tool_calls"], notes.as_str()), (&json!(false), ""));
        body["tool_choice"].clone()
    };
    assert_eq!(of(ToolChoice::Auto), "auto");
    assert_eq!(of(ToolChoice::None), "none");
    assert_eq!(of(ToolChoice::Required), "required");
    let function_f = json!({"type": "function", "name": "f"});
    let custom_c = json!({"type": "custom", "name": "c"});
    assert_eq!(of(ToolChoice::One { name: "f".into() }), function_f);
    assert_eq!(of(ToolChoice::One { name: "c".into() }), custom_c);
    let names = vec!["f".to_owned(), "c".to_owned()];
    assert_eq!(
        of(ToolChoice::Allowed { required: false, names }),
        json!({"type": "allowed_tools", "mode": "auto", "tools": [function_f, custom_c]})
    );
    // Without tools there is nothing to choose from, and no flag to set.
    let request = chat::Request {
        tool_choice: Some(ToolChoice::None),
        parallel_calls: Some(false),
        ..chat::Request::default()
    };
    let (body, _) = written(&request);
    assert!(body["tool_choice"].is_null() && body["parallel_tool_calls"].is_null());
}

#[test]
fn the_search_in_the_web_is_said_in_this_dialect_whoever_asked_for_it() {
    let of = |options: &str| {
        let web_search = Json::parse(options);
        let (body, notes) = written(&chat::Request { web_search, ..chat::Request::default() });
        (body["tools"][0].clone(), notes)
    };
    let none = String::new();
    assert_eq!(of("{}"), (json!({"type": "web_search"}), none.clone()));
    assert_eq!(
        of(
            r#"{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Oslo"}}}"#
        ),
        (
            json!({"type": "web_search", "search_context_size": "low",
                "user_location": {"type": "approximate", "city": "Oslo"}}),
            none
        )
    );
    assert_eq!(
        of(
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":5,"allowed_domains":["a.b"]}"#
        ),
        (
            json!({"type": "web_search", "filters": {"allowed_domains": ["a.b"]}}),
            "web_search;changed".to_owned()
        )
    );
}

#[test]
fn thoughts_are_asked_for_in_words() {
    let of = |reasoning: Reasoning, quirks: Quirks| {
        let reasoning = Some(reasoning);
        let request = chat::Request { reasoning, ..chat::Request::default() };
        let (body, notes) = with(&request, &target(quirks));
        (body["reasoning"].clone(), !body["include"].is_null(), notes)
    };
    let default = Reasoning::default;
    let none = String::new();
    let high = Reasoning { effort: Some(Effort::High), show: Some(Show::Summary), ..default() };
    assert_eq!(
        of(high.clone(), Quirks::NONE),
        (json!({"effort": "high", "summary": "auto"}), true, none.clone())
    );
    let auto = Reasoning { budget: Some(Budget::Auto), ..default() };
    assert_eq!(of(auto, Quirks::NONE), (Value::Null, true, none.clone()));
    let tokens = Reasoning { budget: Some(Budget::Tokens(5_000)), ..default() };
    let noted = "thinking.budget_tokens;changed".to_owned();
    assert_eq!(of(tokens, Quirks::NONE), (json!({"effort": "high"}), true, noted));
    let off = Reasoning { effort: Some(Effort::None), show: Some(Show::Summary), ..default() };
    let in_tokens = Reasoning { budget: Some(Budget::Tokens(0)), ..default() };
    for off in [off, in_tokens] {
        assert_eq!(of(off, Quirks::NONE), (json!({"effort": "none"}), false, none.clone()));
    }
    // What cannot think refuses to be asked for anything of it.
    let reasoning = Some(high.clone());
    let request = chat::Request { reasoning, ..chat::Request::default() };
    let plain = Target { model: "gpt-4.1", ..target(Quirks::NONE) };
    let (body, notes) = with(&request, &plain);
    assert_eq!((&body["reasoning"], &body["include"]), (&Value::Null, &Value::Null));
    assert_eq!(notes, "reasoning_effort;dropped");
    let noted = "reasoning_effort;dropped".to_owned();
    assert_eq!(of(high, Quirks::NONE.with(Quirk::NoEffort)), (Value::Null, false, noted));
    assert!(written(&chat::Request::default()).0["include"].is_null());
}

#[test]
fn bug_38_sampling_that_cannot_be_said_is_noted() {
    let sampling = Sampling {
        temperature: Some(2.5),
        top_p: Some(0.5),
        top_k: Some(4),
        frequency_penalty: Some(0.1),
        presence_penalty: Some(0.1),
        seed: Some(1),
        stop: vec!["x".into()],
        logit_bias: Some(Json::empty_object()),
    };
    let request = chat::Request { sampling, ..chat::Request::default() };
    let (body, notes) = written(&request);
    assert_eq!((&body["temperature"], &body["top_p"]), (&json!(2.0), &json!(0.5)));
    assert_eq!(
        notes,
        "top_k;dropped, frequency_penalty;dropped, presence_penalty;dropped, seed;dropped, \
         stop;dropped, logit_bias;dropped, temperature;clamped"
    );
    let (body, notes) = with(&request, &target(Quirks::NONE.with(Quirk::NoSampling)));
    assert!(body["temperature"].is_null() && body["top_p"].is_null());
    assert!(notes.ends_with("temperature;dropped, top_p;dropped"));
}

#[test]
fn bug_38_a_model_that_thinks_is_not_told_how_to_choose_words() {
    let sampling = |it| Sampling { temperature: Some(it), top_p: Some(it), ..Sampling::default() };
    for (model, effort, kept) in [
        ("gpt-5", None, false),
        ("gpt-5.1", Some(Effort::Low), false),
        ("gpt-5.1", Some(Effort::None), true),
        ("gpt-4o", None, true),
    ] {
        let of = |it| {
            let reasoning = effort.map(|it| Reasoning { effort: Some(it), ..Reasoning::default() });
            let request =
                chat::Request { sampling: sampling(it), reasoning, ..chat::Request::default() };
            with(&request, &Target { model, ..target(Quirks::NONE) })
        };
        let (body, notes) = of(0.5);
        assert_eq!((!body["temperature"].is_null(), !body["top_p"].is_null()), (kept, kept));
        assert_eq!(notes, if kept { "" } else { "temperature;dropped, top_p;dropped" }, "{model}");
        // What changes nothing is nothing to tell.
        assert_eq!(of(1.0).1, "", "{model}");
    }
}

#[test]
fn the_maximum_of_output_is_within_what_is_taken() {
    let of = |max_output, output_cap| {
        let request = chat::Request { max_output, ..chat::Request::default() };
        let target = Target { output_cap, ..target(Quirks::NONE) };
        let (body, notes) = with(&request, &target);
        (body["max_output_tokens"].clone(), notes)
    };
    let none = String::new();
    assert_eq!(of(Some(100), Some(50)), (json!(100), none.clone()));
    assert_eq!(of(None, Some(50)), (json!(50), none.clone()));
    assert_eq!(of(None, None), (Value::Null, none));
    assert_eq!(of(Some(1), None), (json!(16), "max_tokens;clamped".to_owned()));
    assert_eq!(of(Some(9_999), None), (json!(1_000), "max_tokens;clamped".to_owned()));
    let warm = chat::Request { max_output: Some(0), ..chat::Request::default() };
    assert_eq!(refused(&warm), "max_tokens");
}

#[test]
fn the_form_of_the_answer_is_said() {
    let of = |name: Option<&str>, strict, schema: &str, quirks| {
        let format = Some(Format::Schema {
            name: name.map(str::to_owned),
            description: None,
            schema: Json::parse(schema).unwrap(),
            strict,
        });
        let verbosity = Some("low".to_owned());
        let request = chat::Request { format, verbosity, ..chat::Request::default() };
        let text = with(&request, &target(quirks)).0["text"].clone();
        assert_eq!(text["verbosity"], "low");
        text["format"].clone()
    };
    const CLOSED: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
    let said = of(Some("n"), None, CLOSED, Quirks::NONE);
    assert_eq!((&said["name"], &said["strict"]), (&json!("n"), &json!(false)));
    let said = of(None, None, CLOSED, Quirks::NONE);
    assert_eq!((&said["name"], &said["strict"]), (&json!("response"), &json!(true)));
    assert_eq!(of(None, None, "{\"type\":\"object\"}", Quirks::NONE)["strict"], json!(false));
    assert_eq!(of(None, Some(true), "{}", Quirks::NONE)["strict"], json!(true));
    let quirks = Quirks::NONE.with(Quirk::NoJsonSchema);
    assert_eq!(of(None, None, CLOSED, quirks), json!({"type": "json_object"}));
}

#[test]
fn what_else_is_asked_is_said_or_noted() {
    let request = chat::Request {
        stream: true,
        store: Some(true),
        logprobs: Some(2),
        user: Some("u".repeat(65)),
        metadata: vec![("b".into(), "1".into()), ("a".into(), "2".into())],
        tier: Some(Tier::Standard),
        cache_key: Some("k".into()),
        answers: Some(1),
        ..chat::Request::default()
    };
    let (body, notes) = written(&request);
    assert_eq!(
        body,
        json!({"model": "up", "input": [], "stream": true, "store": true, "top_logprobs": 2,
            "include": ["message.output_text.logprobs"], "metadata": {"b": "1", "a": "2"},
            "service_tier": "default", "prompt_cache_key": "k"})
    );
    assert_eq!(notes, "user;dropped");
    let odd = chat::Request { tier: Some(Tier::Other("batch".into())), ..Default::default() };
    assert_eq!(written(&odd).1, "service_tier;dropped");
    let two = chat::Request { answers: Some(2), ..Default::default() };
    assert_eq!(refused(&two), "n");
}

#[test]
fn what_was_read_is_written_with_the_same_meaning() {
    for body in [
        include_bytes!("../../../../tests/golden/openai_responses/request/codex.json").as_slice(),
        include_bytes!("../../../../tests/golden/openai_responses/request/reasoning.json"),
        include_bytes!("../../../../tests/golden/openai_responses/request/tools_parallel.json"),
        include_bytes!("../../../../tests/golden/openai_responses/request/tool_result_image.json"),
        include_bytes!("../../../../tests/golden/openai_responses/request/custom_tool.json"),
        include_bytes!("../../../../tests/golden/openai_responses/request/structured_output.json"),
    ] {
        let read = |body: &[u8]| {
            let mut notes = Notes::default();
            let mut request = crate::openai_responses::request::read(body, &mut notes).unwrap();
            (request.echo, request.model) = (Vec::new(), String::new());
            // What the writer always says.
            request.store = Some(false);
            // Namespaces are flattened before a request is written.
            for tool in &mut request.tools {
                tool.namespace = None;
            }
            request
        };
        let mut first = read(body);
        let target = target(Quirks::NONE);
        let again = write(&first, &target, &mut Thread::default(), &mut Notes::default()).unwrap();
        // Of the options of the search not all are known.
        let mut again = read(&again);
        (first.web_search, again.web_search) = (None, None);
        // Several instructions become messages that lead, and are read as instructions.
        assert_eq!(again, first);
    }
}
