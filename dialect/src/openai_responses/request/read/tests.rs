use super::*;
use crate::{
    chat::{
        CacheMark, Call, CallInput, CallResult, Content, Detail, Effort, Format, Image, Opaque,
        Reasoning, Role, Show, Source, Thinking, Tier, ToolChoice, ToolKind,
    },
    json::Json,
};
use domain::catalog::Dialect;
use serde_json::json;

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!(
            "../../../../tests/golden/openai_responses/request/",
            $name,
            ".json"
        ))
    };
}

#[track_caller]
fn ok(body: &[u8]) -> (chat::Request, String) {
    let mut notes = Notes::default();
    let request = read(body, &mut notes).unwrap();
    (request, notes.to_string())
}

/// A request of these fields; gives what was noted too.
#[track_caller]
fn with(fields: &serde_json::Value) -> (chat::Request, String) {
    let mut body = json!({"model": "m", "input": "hi"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ok(body.to_string().as_bytes())
}

#[track_caller]
fn refused(fields: &serde_json::Value, field: &str) {
    let mut body = json!({"model": "m", "input": "hi"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let error = read(body.to_string().as_bytes(), &mut Notes::default()).unwrap_err();
    assert_eq!(error.field, field, "{error}");
}

fn texts(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|it| it.as_text().unwrap_or("?")).collect()
}

fn roles(request: &chat::Request) -> Vec<Role> {
    request.turns.iter().map(|it| it.role).collect()
}

#[test]
fn a_text_is_the_users_turn() {
    let (request, notes) = ok(golden!("plain_text"));
    assert_eq!((request.model.as_str(), notes.as_str()), ("gpt-5", ""));
    assert_eq!(roles(&request), [Role::User]);
    assert_eq!(texts(&request.turns[0].parts), ["Say hello."]);
    assert!(!request.stream && request.reasoning.is_none() && request.store.is_none());
}

#[test]
fn instructions_come_before_messages_of_the_system_that_lead() {
    let (request, notes) = ok(golden!("system"));
    assert_eq!(
        texts(&request.instructions),
        ["Answer in one word.", "Be kind.", "Speak English.", "Never shout."]
    );
    assert_eq!((roles(&request), notes.as_str()), (vec![Role::User], ""));
}

#[test]
fn bug_31_what_the_system_says_in_the_middle_stays_there() {
    let (request, notes) = ok(golden!("multi_turn"));
    let expected = [Role::User, Role::Assistant, Role::User, Role::System, Role::User];
    assert_eq!((roles(&request).as_slice(), notes.as_str()), (expected.as_slice(), ""));
    assert!(request.instructions.is_empty());
}

#[test]
fn pictures_come_along_and_bug_16_are_called_what_they_are() {
    let (request, notes) = ok(golden!("images"));
    assert_eq!(notes, "");
    let [_, inside, outside] = request.turns[0].parts.as_slice() else { panic!() };
    let Content::Image(Image { source: Source::Base64 { mime, data }, detail }) = &inside.content
    else {
        panic!()
    };
    assert_eq!((mime.as_str(), *detail), ("image/png", Some(Detail::Low)));
    assert!(data.starts_with("iVBOR"));
    let url = "https://example.com/cat.jpg".to_owned();
    let source = Source::Url { url, mime: None };
    assert_eq!(outside.content, Content::Image(Image { source, detail: Some(Detail::Auto) }));

    for (said, seen) in [
        ("data:image/png;base64,/9j/4AAQ", "image/jpeg"),
        ("data:image/jpeg;base64,R0lGODlh", "image/gif"),
        ("data:;base64,UklGRiIAAABXRUJQVlA4", "image/webp"),
        ("data:Image/SVG+xml;charset=utf-8;base64,PHN2Zz4=", "image/svg+xml"),
    ] {
        let content = json!([{"type": "input_image", "image_url": said}]);
        let (request, _) = with(&json!({"input": [{"role": "user", "content": content}]}));
        let Content::Image(Image { source: Source::Base64 { mime, .. }, .. }) =
            &request.turns[0].parts[0].content
        else {
            panic!("{said}")
        };
        assert_eq!(mime, seen);
    }
}

#[test]
fn base64_of_any_alphabet_is_brought_to_the_standard_one() {
    let of = |data: &str| {
        let content = json!([{"type": "input_file", "file_data": data, "filename": "a.pdf"}]);
        let (request, _) = with(&json!({"input": [{"role": "user", "content": content}]}));
        let Content::Document(it) = request.turns[0].parts[0].content.clone() else { panic!() };
        it.source
    };
    let pdf = |data: &str| Source::Base64 { mime: "application/pdf".into(), data: data.into() };
    assert_eq!(of("a-_b"), pdf("a+/b"));
    assert_eq!(of("YWJjZA"), pdf("YWJjZA=="));
    assert_eq!(of("YWJj\r\nZA=="), pdf("YWJjZA=="));
    assert_eq!(of("data:application/pdf;base64,YWJj"), pdf("YWJj"));
}

#[test]
fn bug_17_documents_come_along() {
    let (request, notes) = ok(golden!("documents"));
    let source = |part: &Part| {
        let Content::Document(it) = &part.content else { return (None, "text".to_owned()) };
        let place = match &it.source {
            Source::Base64 { mime, .. } => mime.clone(),
            Source::Url { url, .. } => url.clone(),
            Source::Text(_) => panic!(),
        };
        (it.title.clone(), place)
    };
    let sources: Vec<_> = request.turns[0].parts.iter().map(source).collect();
    assert_eq!(notes, "");
    assert_eq!(
        sources,
        [
            (Some("report.pdf".to_owned()), "application/pdf".to_owned()),
            (None, "https://example.com/terms.pdf".to_owned()),
            (None, "text".to_owned())
        ]
    );
}

#[test]
fn parallel_calls_are_one_turn_and_their_results_another() {
    let (request, notes) = ok(golden!("tools_parallel"));
    assert_eq!(
        (roles(&request), notes.as_str()),
        (vec![Role::User, Role::Assistant, Role::User], "")
    );
    let input = CallInput::Json(Json::of(&json!({"city": "Rome", "unit": "c"})));
    let call = Call {
        id: "call_rome".into(),
        name: "get_weather".into(),
        namespace: None,
        input,
        opaque: None,
    };
    assert_eq!(request.turns[1].parts[1], Part::new(Content::Call(call)));
    let result = CallResult {
        call: "call_oslo".into(),
        name: None,
        parts: vec![Part::text("-3 degrees, snow")],
        failed: false,
        custom: false,
    };
    assert_eq!(request.turns[2].parts[0], Part::new(Content::Result(result)));
    assert_eq!((request.turns[2].parts.len(), request.parallel_calls), (2, Some(true)));
    let strict = request.tools.iter().map(|it| match &it.kind {
        ToolKind::Function { strict, .. } => *strict,
        ToolKind::Custom { .. } => panic!(),
    });
    assert_eq!(strict.collect::<Vec<_>>(), [Some(true), Some(false)]);
}

#[test]
fn calls_that_were_made_one_after_the_other_stay_so() {
    let call =
        |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
    let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "x"});
    let (request, _) = with(&json!({"input": [call("a"), output("a"), call("b"), output("b")]}));
    assert_eq!(roles(&request), [Role::Assistant, Role::User, Role::Assistant, Role::User]);
}

#[test]
fn bug_6_arguments_that_are_none_are_an_empty_object_and_others_are_kept() {
    for (written, expected) in [
        (json!(""), CallInput::Json(Json::empty_object())),
        (json!("null"), CallInput::Json(Json::empty_object())),
        (json!(null), CallInput::Json(Json::empty_object())),
        (json!({"a": 1}), CallInput::Json(Json::of(&json!({"a": 1})))),
        (json!("{\"a\":"), CallInput::Text("{\"a\":".into())),
        (json!("[1]"), CallInput::Text("[1]".into())),
        (json!("{}{}"), CallInput::Text("{}{}".into())),
    ] {
        let item =
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": written});
        let (request, _) = with(&json!({"input": [item]}));
        let Content::Call(call) = &request.turns[0].parts[0].content else { panic!() };
        assert_eq!(call.input, expected, "{written}");
    }
    // Spelling and order of what is JSON stay.
    let item = json!({"type": "function_call", "call_id": "c", "name": "f",
        "arguments": "{\"b\": 1.0, \"a\":2}"});
    let (request, _) = with(&json!({"input": [item]}));
    let Content::Call(call) = &request.turns[0].parts[0].content else { panic!() };
    let CallInput::Json(json) = &call.input else { panic!() };
    assert_eq!(json.as_str(), "{\"b\": 1.0, \"a\":2}");
}

#[test]
fn bug_16_pictures_in_results_come_along() {
    let (request, _) = ok(golden!("tool_result_image"));
    let Content::Result(result) = &request.turns[2].parts[0].content else { panic!() };
    assert_eq!(result.parts[0].as_text(), Some("Here it is."));
    assert!(matches!(result.parts[1].content, Content::Image(_)));
}

#[test]
fn bug_15_every_choice_of_tools_is_kept() {
    let one = |name: &str| ToolChoice::One { name: name.into() };
    let allowed = ToolChoice::Allowed { required: true, names: vec!["get_weather".into()] };
    for (body, expected) in [
        (golden!("tool_choice_auto").as_slice(), ToolChoice::Auto),
        (golden!("tool_choice_none"), ToolChoice::None),
        (golden!("tool_choice_required"), ToolChoice::Required),
        (golden!("tool_choice_function"), one("get_weather")),
        (golden!("tool_choice_allowed"), allowed),
        (golden!("tool_choice_custom"), one("apply_patch")),
    ] {
        let (request, notes) = ok(body);
        assert_eq!(request.tool_choice, Some(expected));
        assert_eq!((request.parallel_calls, notes.as_str()), (Some(false), ""));
    }
    for kind in ["file_search", "mcp", "code_interpreter", "web_search_preview"] {
        refused(&json!({"tool_choice": {"type": kind}}), "tool_choice.type");
    }
    refused(&json!({"tool_choice": "always"}), "tool_choice");
    refused(&json!({"tool_choice": {"type": "function"}}), "tool_choice.name");
    let hosted = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]});
    refused(&json!({"tool_choice": hosted}), "tool_choice.tools");
}

#[test]
fn bug_30_custom_tools_and_their_calls_are_free_text() {
    let (request, _) = ok(golden!("custom_tool"));
    assert!(matches!(&request.tools[0].kind, ToolKind::Custom { format: Some(_) }));
    let Content::Call(call) = &request.turns[1].parts[0].content else { panic!() };
    assert!(matches!(&call.input, CallInput::Text(it) if it.starts_with("*** Begin")));
    let Content::Result(result) = &request.turns[2].parts[0].content else { panic!() };
    assert!(result.custom);
}

#[test]
fn bug_30_namespaces_and_tools_among_the_items_are_found() {
    let (request, notes) = ok(golden!("namespace"));
    assert_eq!(request.tools[0].namespace.as_deref(), Some("mcp__tracker"));
    let Content::Call(call) = &request.turns[1].parts[0].content else { panic!() };
    assert_eq!(call.namespace.as_deref(), Some("mcp__tracker"));
    assert_eq!(notes, "tools.namespace.description;dropped");

    let (request, notes) = ok(golden!("additional_tools"));
    let names: Vec<_> =
        request.tools.iter().map(|it| (it.namespace.as_deref(), it.name.as_str())).collect();
    assert_eq!(names, [(Some("shell"), "exec"), (None, "plan")]);
    assert_eq!(request.tools[0].kind, ToolKind::Custom { format: None });
    assert_eq!((request.turns.len(), notes.as_str()), (1, ""));
}

#[test]
fn a_tool_that_is_named_again_is_replaced() {
    let tool =
        |description: &str| json!({"type": "function", "name": "f", "description": description});
    let items = json!([{"type": "additional_tools", "tools": [tool("new")]},
        {"role": "user", "content": "x"}]);
    let (request, _) = with(&json!({"tools": [tool("old")], "input": items}));
    assert_eq!(request.tools.len(), 1);
    assert_eq!(request.tools[0].description.as_deref(), Some("new"));
}

#[test]
fn strictness_that_is_unsaid_is_said_where_the_schema_allows_it() {
    let strict = |schema: serde_json::Value| {
        let (request, _) = with(&json!({"tools": [
            {"type": "function", "name": "f", "parameters": schema}]}));
        let ToolKind::Function { strict, .. } = request.tools[0].kind else { panic!() };
        strict
    };
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}},
        "required": ["a"], "additionalProperties": false});
    assert_eq!(strict(closed.clone()), Some(true));
    assert_eq!(strict(json!({"type": "object", "properties": {}})), None);
    let mut open = closed.clone();
    open["required"] = json!([]);
    assert_eq!(strict(open), None);
    let mut nested = closed.clone();
    nested["properties"]["a"] = json!({"type": "array", "items": {"type": "object"}});
    assert_eq!(strict(nested), None);
    let mut choice = closed;
    choice["properties"]["a"] = json!({"oneOf": [{"type": "string"}]});
    assert_eq!(strict(choice), None);
    // Nobody can look into what is nested deeper than it is read.
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let body = format!(
        r#"{{"model":"m","input":"x","tools":[{{"type":"function","name":"f","parameters":{{"x":{deep}}}}}]}}"#
    );
    let ToolKind::Function { strict, .. } = ok(body.as_bytes()).0.tools[0].kind else { panic!() };
    assert_eq!(strict, None);
}

#[test]
fn what_is_always_listed_is_let_go_and_what_would_be_missed_is_refused() {
    let (request, notes) = ok(golden!("web_search"));
    assert_eq!((request.tools.len(), notes.as_str()), (0, ""));
    let options = json!({"search_context_size": "low",
        "user_location": {"type": "approximate", "country": "NO"}});
    assert_eq!(request.web_search, Some(Json::of(&options)));
    for kind in ["web_search_preview", "web_search_preview_2025_03_11", "web_search_2025_08_26"] {
        assert!(with(&json!({"tools": [{"type": kind}]})).0.web_search.is_some(), "{kind}");
    }
    for kind in [
        "file_search",
        "mcp",
        "code_interpreter",
        "image_generation",
        "computer_use_preview",
        "local_shell",
        "shell",
        "apply_patch",
        "unheard_of",
        "",
    ] {
        refused(&json!({"tools": [{"type": kind}]}), "tools.type");
    }
    refused(
        &json!({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}]}),
        "tools.type",
    );
    refused(&json!({"tools": [{"type": "function"}]}), "tools.name");
    refused(
        &json!({"tools": [{"type": "function", "name": "f", "parameters": []}]}),
        "tools.parameters",
    );
}

#[test]
fn bug_10_thoughts_keep_their_state_over_two_rounds() {
    let (request, notes) = ok(golden!("reasoning"));
    let thought = |text: &str, data: &str| {
        let opaque = Some(Opaque { origin: Dialect::OpenAiResponses, data: data.into() });
        let thinking = Thinking { text: text.into(), opaque, redacted: false };
        Part::new(Content::Thinking(thinking))
    };
    assert_eq!(notes, "");
    let first = thought("The weather has to be asked for.", "gAAAAABoZm9vYmFy");
    assert_eq!(request.turns[1].parts[0], first);
    assert_eq!(request.turns[3].parts[0], thought("", "gAAAAABoYmF6cXV4"));
    let reasoning = Reasoning {
        effort: Some(Effort::High),
        budget: None,
        show: Some(Show::Summary),
        wants_opaque: true,
    };
    assert_eq!(request.reasoning, Some(reasoning));
    assert_eq!(request.store, Some(false));
}

#[test]
fn bug_13_states_of_other_providers_come_back_to_what_they_belong_to() {
    let (request, notes) = ok(golden!("reasoning_foreign"));
    let opaque = |origin, data: &str| Some(Opaque { origin, data: data.into() });
    assert_eq!((request.turns[1].parts.len(), notes.as_str()), (3, ""));
    let Content::Thinking(thinking) = &request.turns[1].parts[0].content else { panic!() };
    assert_eq!(thinking.opaque, opaque(Dialect::Anthropic, "ErUBCkYIBhgCIkA="));
    assert_eq!((thinking.text.as_str(), thinking.redacted), ("Ask for the weather.", false));
    let Content::Thinking(thinking) = &request.turns[1].parts[1].content else { panic!() };
    assert_eq!(thinking.opaque, opaque(Dialect::Anthropic, "EmwKAhgBEgy3va3="));
    assert!(thinking.redacted);
    let Content::Call(call) = &request.turns[1].parts[2].content else { panic!() };
    assert_eq!(call.opaque, opaque(Dialect::Gemini, "CiQB0e2Kb3dZ"));
}

#[test]
fn thoughts_without_anything_in_them_are_left_out() {
    let items = json!([{"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "summary": null, "content": [{"type": "reasoning_text", "text": "x"}]}]);
    let (request, _) = with(&json!({"input": items}));
    assert_eq!(request.turns[0].parts.len(), 1);
}

#[test]
fn the_form_of_the_answer_is_kept() {
    let (request, notes) = ok(golden!("structured_output"));
    let Some(Format::Schema { name, description, schema, strict }) = &request.format else {
        panic!()
    };
    assert_eq!((name.as_deref(), description.as_deref()), (Some("city"), Some("A city.")));
    assert!(schema.is_object() && *strict == Some(true));
    assert_eq!((request.verbosity.as_deref(), notes.as_str()), (Some("low"), ""));
    assert_eq!(ok(golden!("json_object")).0.format, Some(Format::Json));
    assert_eq!(with(&json!({"text": {"format": {"type": "text"}}})).0.format, None);
    refused(&json!({"text": {"format": {"type": "grammar"}}}), "text.format.type");
    refused(
        &json!({"text": {"format": {"type": "json_schema", "name": "x"}}}),
        "text.format.schema",
    );
}

#[test]
fn scalars_are_read_and_what_means_nothing_elsewhere_is_let_go() {
    let (request, notes) = ok(golden!("sampling"));
    assert_eq!(notes, "");
    assert_eq!(request.sampling.temperature, Some(0.7));
    assert_eq!((request.sampling.top_p, request.max_output), (Some(0.9), Some(256)));
    assert_eq!((request.logprobs, request.store), (Some(3), Some(true)));
    assert_eq!(request.metadata, [("team".into(), "search".into()), ("run".into(), "7".into())]);
    assert_eq!(request.user.as_deref(), Some("user-1"));
    assert_eq!(request.cache_key.as_deref(), Some("k1"));
    assert_eq!((request.tier, request.stream), (Some(Tier::Flex), true));

    for (fields, expected) in [
        (json!({"truncation": "auto"}), "truncation;dropped"),
        (json!({"max_tool_calls": 3}), "max_tool_calls;dropped"),
        (json!({"context_management": [{"type": "compaction"}]}), "context_management;dropped"),
        (json!({"user": "a", "safety_identifier": "b"}), "user;dropped"),
        (json!({"include": ["web_search_call.action.sources"]}), "include;dropped"),
        (json!({"reasoning": {"effort": "utmost"}}), "reasoning.effort;dropped"),
        (json!({"reasoning": {"mode": "x"}}), "reasoning.mode;dropped"),
        (json!({"unheard_of": 1}), "unheard_of;dropped"),
        (
            json!({"background": false, "store": null, "tools": null, "client_metadata": {"a": "b"}}),
            "",
        ),
        (json!({"stream_options": {"include_obfuscation": true}, "user": "a"}), ""),
    ] {
        assert_eq!(with(&fields).1, expected, "{fields}");
    }
    assert_eq!(with(&json!({"service_tier": "scale"})).0.tier, Some(Tier::Other("scale".into())));
    assert_eq!(with(&json!({"top_logprobs": 0})).0.logprobs, None);
}

#[test]
fn what_only_openai_keeps_is_refused() {
    for name in ["previous_response_id", "conversation", "prompt"] {
        refused(&json!({name: "x"}), name);
    }
    refused(&json!({"background": true}), "background");
    refused(&json!({"input": [{"type": "item_reference", "id": "x"}]}), "input.item_reference");
    refused(&json!({"input": [{"id": "x"}]}), "input.item_reference");
    refused(
        &json!({"input": [{"type": "compaction", "encrypted_content": "x"}]}),
        "input.compaction",
    );
    let part = |part: serde_json::Value| json!({"input": [{"role": "user", "content": [part]}]});
    refused(&part(json!({"type": "input_image", "file_id": "f"})), "input.content.file_id");
    refused(&part(json!({"type": "input_file", "file_id": "f"})), "input.content.file_id");
    refused(&part(json!({"type": "input_video"})), "input.content.type");
    refused(
        &part(json!({"type": "input_image", "image_url": "data:image/png,x"})),
        "input.content.image_url",
    );
}

#[test]
fn items_of_openais_own_tools_are_let_go_and_those_of_clients_become_ordinary_calls() {
    let (request, notes) = with(&json!({"input": [
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "ghost_snapshot"},
        {"type": "tool_search_call", "call_id": null, "arguments": {}},
        {"type": "local_shell_call", "call_id": "c1", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "call_id": "c1", "output": "{\"out\":1}"},
        {"type": "tool_search_call", "call_id": "c2", "execution": "client", "arguments": {"q": "x"}},
        {"type": "tool_search_output", "call_id": "c2", "execution": "client", "tools": [
            {"type": "function", "name": "found", "defer_loading": true}]},
    ]}));
    assert_eq!(roles(&request), [Role::Assistant, Role::User, Role::Assistant, Role::User]);
    let Content::Call(call) = &request.turns[0].parts[0].content else { panic!() };
    assert_eq!(call.name, "local_shell");
    assert_eq!(call.input, CallInput::Json(Json::of(&json!({"command": ["ls"]}))));
    let Content::Result(result) = &request.turns[3].parts[0].content else { panic!() };
    assert_eq!(texts(&result.parts), ["Loaded tools: found"]);
    assert_eq!(request.tools[0].name, "found");
    for note in [
        "input.web_search_call;dropped",
        "input.local_shell_call;changed",
        "input.tool_search_call;dropped",
        "tools.defer_loading;dropped",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
}

#[test]
fn bug_25_marks_of_the_cache_stay_where_they_are() {
    let (request, notes) = ok(golden!("cache_marks"));
    assert_eq!(request.instructions[0].cache, Some(CacheMark::default()));
    assert_eq!(request.turns[0].parts[0].cache, Some(CacheMark::default()));
    assert_eq!(request.turns[0].parts[1].cache, None);
    assert_eq!(notes, "prompt_cache_options;dropped");
}

#[test]
fn what_codex_sends_is_read_whole() {
    let (request, notes) = ok(golden!("codex"));
    assert_eq!(request.instructions.len(), 2);
    let expected = [Role::User, Role::User, Role::Assistant, Role::User];
    assert_eq!(roles(&request), expected);
    assert_eq!(request.turns[2].parts.len(), 4);
    assert_eq!(request.tools.len(), 3);
    assert!(request.web_search.is_some() && request.stream);
    assert_eq!(
        notes,
        "tools.namespace.description;dropped, tools.tool_search;dropped, input.phase;dropped"
    );
    let echoed: Vec<_> = request.echo.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["instructions", "tools", "reasoning", "text", "store", "prompt_cache_key"] {
        assert!(echoed.contains(&name), "{name}");
    }
}

#[test]
fn citations_of_answers_come_along() {
    let content = json!([{"type": "output_text", "text": "x", "annotations": [
        {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 1},
        {"type": "file_citation", "file_id": "f"}]}]);
    let (request, notes) = with(&json!({"input": [{"role": "assistant", "content": content}]}));
    let Content::Text(text) = &request.turns[0].parts[0].content else { panic!() };
    assert_eq!((text.citations.len(), text.citations[0].range), (1, Some((0, 1))));
    assert_eq!(notes, "input.content.annotations;dropped");
}

#[test]
fn nonsense_is_refused_with_the_field_and_without_its_values() {
    for (body, field) in [
        ("", "body"),
        ("[]", "body"),
        (r#"{"model":"m","input":"x""#, "body"),
        (r#"{"input":"x"}"#, "model"),
        (r#"{"model":7,"input":"x"}"#, "model"),
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":7}"#, "input"),
        (r#"{"model":"m","input":["secret"]}"#, "input"),
        (r#"{"model":"m","input":[{"type":7}]}"#, "input.type"),
        (r#"{"model":"m","input":[{"role":"secret","content":"x"}]}"#, "input.role"),
        (r#"{"model":"m","input":[{"role":"user","content":7}]}"#, "input.content"),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"secret"}]}]}"#,
            "input.content.type",
        ),
        (r#"{"model":"m","input":[{"type":"function_call","name":"f"}]}"#, "input.call_id"),
        (
            r#"{"model":"m","input":[{"type":"function_call_output","output":"x"}]}"#,
            "input.call_id",
        ),
        (r#"{"model":"m","input":"x","temperature":"secret"}"#, "temperature"),
        (r#"{"model":"m","input":"x","tools":{}}"#, "tools"),
        (r#"{"model":"m","input":"x","metadata":{"secret":1}}"#, "metadata"),
        (r#"{"model":"m","input":"x","include":[1]}"#, "include"),
        (r#"{"model":"m","input":"x","reasoning":7}"#, "reasoning"),
        (r#"{"model":"m","input":"x","max_output_tokens":-1}"#, "max_output_tokens"),
    ] {
        let error = read(body.as_bytes(), &mut Notes::default()).unwrap_err();
        assert_eq!(error.field, field, "{body}");
    }
    assert!(read(b"\xff{}", &mut Notes::default()).is_err());
    let deep = format!(r#"{{"model":"m","input":{}"#, "[".repeat(100_000));
    assert!(read(deep.as_bytes(), &mut Notes::default()).is_err());
}
