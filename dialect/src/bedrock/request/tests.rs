//! Each row of the tables that concerns Bedrock, by what is written of it.

use super::*;
use crate::{
    chat::{
        Budget, CacheMark, Call, CallInput, CallResult, Content, Detail, Document, Effort, Image,
        Opaque, Part, Reasoning, Request, Role, Sampling, Source, Thinking, Tool, ToolChoice,
        ToolKind, Turn,
    },
    json::Json,
};
use domain::catalog::{Dialect, Quirk, Quirks};
use serde_json::{Value, json};

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS: &str = "anthropic.claude-opus-4-7";
const NOVA: &str = "amazon.nova-pro-v1:0";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";
const GPT: &str = "openai.gpt-oss-120b-1:0";
const HAIKU: &str = "anthropic.claude-3-haiku-20240307-v1:0";

const fn target(model: &str) -> Target<'_> {
    Target {
        dialect: Dialect::Bedrock,
        model,
        quirks: Quirks::NONE,
        output_cap_field: "max_tokens",
        max_output: None,
        output_cap: None,
    }
}

fn written(request: &Request, model: &str) -> Result<(Value, String), Refused> {
    let mut notes = Notes::default();
    let bytes = write(request, &target(model), &mut Thread::default(), &mut notes)?;
    Ok((serde_json::from_slice(&bytes).unwrap(), notes.to_string()))
}

/// What is written besides the messages.
#[track_caller]
fn check(request: &Request, model: &str, expected: Value, notes: &str) {
    let (mut body, said) = written(request, model).unwrap();
    body.as_object_mut().unwrap().remove("messages");
    assert_eq!((body, said.as_str()), (expected, notes));
}

/// The messages that are written.
#[track_caller]
fn check_messages(turns: Vec<Turn>, model: &str, expected: Value, notes: &str) {
    let request = Request { turns, ..Request::default() };
    let (body, said) = written(&request, model).unwrap();
    assert_eq!((body["messages"].clone(), said.as_str()), (expected, notes));
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn user(text: &str) -> Turn {
    turn(Role::User, vec![Part::text(text)])
}

fn ask() -> Request {
    Request { turns: vec![user("hi")], ..Request::default() }
}

fn call(id: &str, input: &str) -> Part {
    let input = Json::parse(input).map_or(CallInput::Text(input.to_owned()), CallInput::Json);
    let (id, name) = (id.to_owned(), "get".to_owned());
    Part::new(Content::Call(Call { id, name, namespace: None, input, opaque: None }))
}

fn result(id: &str, parts: Vec<Part>, failed: bool) -> Part {
    let (call, name, custom) = (id.to_owned(), None, false);
    Part::new(Content::Result(CallResult { call, name, parts, failed, custom }))
}

fn marked(part: Part, ttl: Option<&str>) -> Part {
    Part { cache: Some(CacheMark { ttl: ttl.map(str::to_owned) }), ..part }
}

fn tool(name: &str) -> Tool {
    let schema = Json::parse(r#"{"type":"object","properties":{"q":{"type":"string"}}}"#);
    Tool {
        name: name.to_owned(),
        namespace: None,
        description: Some("Looks.".to_owned()),
        kind: ToolKind::Function { schema, strict: None },
        cache: None,
    }
}

fn thought(origin: Dialect, redacted: bool) -> Part {
    let opaque = Some(Opaque { origin, data: "c2ln".to_owned() });
    let text = if redacted { String::new() } else { "hm".to_owned() };
    Part::new(Content::Thinking(Thinking { text, opaque, redacted }))
}

fn thinking(effort: Option<Effort>, budget: Option<Budget>) -> Request {
    let reasoning = Reasoning { effort, budget, ..Reasoning::default() };
    Request { reasoning: Some(reasoning), ..ask() }
}

fn base64(mime: &str, data: &str) -> Source {
    Source::Base64 { mime: mime.to_owned(), data: data.to_owned() }
}

/// Bug 34 of the list: keys in another order each time kept prompts from being cached.
#[test]
fn bytes_are_in_the_order_of_the_reference() {
    let request = Request {
        instructions: vec![Part::text("be brief")],
        max_output: Some(10),
        tools: vec![tool("get")],
        tool_choice: Some(ToolChoice::Auto),
        sampling: Sampling { temperature: Some(0.5), top_k: Some(3), ..Sampling::default() },
        ..ask()
    };
    let bytes =
        write(&request, &target(SONNET), &mut Thread::default(), &mut Notes::default()).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        concat!(
            r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"be brief"}],"#,
            r#""inferenceConfig":{"maxTokens":10,"temperature":0.5},"toolConfig":{"tools":[{"toolSpec":"#,
            r#"{"name":"get","description":"Looks.","inputSchema":{"json":{"type":"object","#,
            r#""properties":{"q":{"type":"string"}}}}}}],"toolChoice":{"auto":{}}},"#,
            r#""additionalModelRequestFields":{"top_k":3}}"#
        )
    );
}

#[test]
fn turns_alternate_and_begin_with_the_users() {
    check_messages(
        vec![user("a"), user("b"), turn(Role::Assistant, vec![Part::text("c "), Part::text(" ")])],
        SONNET,
        json!([{"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
            {"role": "assistant", "content": [{"text": "c"}]}]),
        "",
    );
    check_messages(
        vec![
            turn(Role::Assistant, vec![Part::text("c")]),
            turn(Role::System, vec![Part::text("s")]),
        ],
        SONNET,
        json!([{"role": "user", "content": [{"text": "."}]},
            {"role": "assistant", "content": [{"text": "c"}]},
            {"role": "user", "content": [{"text": "<system>\ns\n</system>"}]}]),
        "messages.role;changed, messages;emulated",
    );
}

/// Bug 19 of the list: results of one turn stood in several.
#[test]
fn results_come_first_and_all_of_them_in_one_turn() {
    check_messages(
        vec![
            user("a"),
            turn(Role::Assistant, vec![call("c1", r#"{"z":1.0,"a":2}"#), call("c2", "")]),
            turn(Role::User, vec![Part::text("so"), result("c1", vec![Part::text("1")], false)]),
            turn(Role::User, vec![result("c2", vec![], true)]),
        ],
        SONNET,
        json!([{"role": "user", "content": [{"text": "a"}]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "c1", "name": "get", "input": {"z": 1.0, "a": 2}}},
                {"toolUse": {"toolUseId": "c2", "name": "get", "input": {}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"text": "1"}]}},
                {"toolResult": {"toolUseId": "c2", "content": [{"json": {}}], "status": "error"}},
                {"text": "so"}]}]),
        "tools;emulated",
    );
}

#[test]
fn failed_calls_are_told_in_words_where_nothing_else_is_known() {
    let turns = vec![
        user("a"),
        turn(Role::Assistant, vec![call("c1", "not json")]),
        turn(Role::User, vec![result("c1", vec![Part::text("no")], true)]),
    ];
    check_messages(
        turns,
        LLAMA,
        json!([{"role": "user", "content": [{"text": "a"}]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "c1", "name": "get", "input": {"_raw": "not json"}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "c1",
                "content": [{"text": "Error:"}, {"text": "no"}]}}]}]),
        "messages.tool_calls.arguments;changed, messages.is_error;changed, tools;emulated",
    );
}

#[test]
fn calls_without_tools_bring_the_called_ones_along() {
    let turns = vec![
        user("a"),
        turn(Role::Assistant, vec![call("c1", "{}")]),
        turn(Role::User, vec![result("c1", vec![Part::text("1")], false)]),
    ];
    let (body, _) = written(&Request { turns, ..Request::default() }, SONNET).unwrap();
    assert_eq!(
        body["toolConfig"],
        json!({"tools": [{"toolSpec": {"name": "get",
            "inputSchema": {"json": {"type": "object", "properties": {}}}}}]})
    );
}

#[test]
fn pictures_and_documents_go_along_in_base64() {
    let image = |source| Part::new(Content::Image(Image { source, detail: None }));
    let document = |source, title: &str| {
        let title = Some(title.to_owned());
        Part::new(Content::Document(Document { source, title, context: None, citations: true }))
    };
    check_messages(
        vec![turn(
            Role::User,
            vec![
                // It says one thing and is another.
                image(base64("image/png", "/9j/4AAQ")),
                image(Source::Url { url: "s3://b/k.webp".to_owned(), mime: None }),
                document(base64("application/pdf", "JVBERi0="), "a/b  c_d.pdf"),
                document(Source::Text("x".to_owned()), "a/b  c_d.pdf"),
                document(base64("text/csv", "YQ=="), ""),
            ],
        )],
        SONNET,
        json!([{"role": "user", "content": [
            {"image": {"format": "jpeg", "source": {"bytes": "/9j/4AAQ"}}},
            {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://b/k.webp"}}}},
            {"document": {"format": "pdf", "name": "a-b c-d-pdf", "source": {"bytes": "JVBERi0="},
                "citations": {"enabled": true}}},
            {"document": {"format": "txt", "name": "a-b c-d-pdf-2", "source": {"bytes": "eA=="},
                "citations": {"enabled": true}}},
            {"document": {"format": "csv", "name": "document", "source": {"bytes": "YQ=="},
                "citations": {"enabled": true}}},
            {"text": "."}]}]),
        "messages.content;emulated",
    );
    let audio = Content::Audio { mime: "audio/wav".to_owned(), data: "AA==".to_owned() };
    check_messages(
        vec![turn(Role::User, vec![Part::new(audio)])],
        NOVA,
        json!([{"role": "user", "content": [
            {"audio": {"format": "wav", "source": {"bytes": "AA=="}}}]}]),
        "",
    );
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    let image = |source| Content::Image(Image { source, detail: Some(Detail::Auto) });
    let url = |url: &str| Source::Url { url: url.to_owned(), mime: None };
    let document = |source| {
        Content::Document(Document { source, title: None, context: None, citations: false })
    };
    for (content, field) in [
        (image(url("https://a.example/x.png")), "messages.content.image_url"),
        (image(base64("image/bmp", "Qk0=")), "messages.content.image_url"),
        (document(url("https://a.example/x.pdf")), "messages.content.file"),
        (document(base64("application/zip", "UEs=")), "messages.content.file"),
        (
            Content::Audio { mime: "audio/midi".to_owned(), data: String::new() },
            "messages.content.input_audio",
        ),
    ] {
        let turns = vec![turn(Role::User, vec![Part::new(content)])];
        let refused = written(&Request { turns, ..Request::default() }, SONNET).unwrap_err();
        assert_eq!(refused.field, field);
        assert!(!refused.reason.contains("a.example"));
    }
    for (request, field) in [
        (Request { answers: Some(2), ..ask() }, "n"),
        (Request { logprobs: Some(0), ..ask() }, "logprobs"),
        (Request { max_output: Some(0), ..ask() }, "max_tokens"),
    ] {
        assert_eq!(written(&request, SONNET).unwrap_err().field, field);
    }
}

#[test]
fn each_tool_choice_has_its_word_or_is_noted() {
    let with = |choice| Request { tools: vec![tool("a"), tool("b")], tool_choice: choice, ..ask() };
    let names = |allowed: &[&str]| allowed.iter().map(|it| (*it).to_owned()).collect();
    for (choice, written_as, tools, notes) in [
        (None, Value::Null, 2, ""),
        (Some(ToolChoice::Auto), json!({"auto": {}}), 2, ""),
        (Some(ToolChoice::Required), json!({"any": {}}), 2, ""),
        (Some(ToolChoice::One { name: "b".to_owned() }), json!({"tool": {"name": "b"}}), 2, ""),
        (
            Some(ToolChoice::Allowed { required: true, names: names(&["b"]) }),
            json!({"any": {}}),
            1,
            "tool_choice;changed",
        ),
        (
            Some(ToolChoice::Allowed { required: false, names: names(&["a"]) }),
            json!({"auto": {}}),
            1,
            "tool_choice;changed",
        ),
    ] {
        let (body, said) = written(&with(choice), SONNET).unwrap();
        assert_eq!(body["toolConfig"]["toolChoice"], written_as);
        assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), tools);
        assert_eq!(said, notes);
    }
    let none = Some(ToolChoice::Allowed { required: true, names: names(&["z"]) });
    assert_eq!(written(&with(none), SONNET).unwrap_err().field, "tool_choice");
    // Nothing is called where there is nothing to call.
    check(&with(Some(ToolChoice::None)), SONNET, json!({}), "tool_choice;emulated");
    let mut late = with(Some(ToolChoice::None));
    late.turns.extend([
        turn(Role::Assistant, vec![call("c", "{}")]),
        turn(Role::User, vec![result("c", vec![Part::text("1")], false)]),
    ]);
    let (body, said) = written(&late, SONNET).unwrap();
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(said, "tool_choice;dropped");
    let off = Request { parallel_calls: Some(false), ..with(None) };
    assert_eq!(written(&off, SONNET).unwrap().1, "parallel_tool_calls;dropped");
}

#[test]
fn schemas_are_of_objects_and_strict_where_that_is_known() {
    let with = |schema: Option<&str>| {
        let schema = schema.map(|it| Json::parse(it).unwrap());
        let kind = ToolKind::Function { schema, strict: Some(true) };
        Request { tools: vec![Tool { kind, description: None, ..tool("a") }], ..ask() }
    };
    for (schema, model, expected, notes) in [
        (None, SONNET, json!({"type": "object", "properties": {}}), ""),
        (
            Some(r#"{"a":1}"#),
            HAIKU,
            json!({"type": "object", "a": 1}),
            "tools.function.strict;dropped",
        ),
        (
            Some(r#"{"type":["object","null"]}"#),
            NOVA,
            json!({"type": "object"}),
            "tools.function.strict;dropped",
        ),
    ] {
        let (body, said) = written(&with(schema), model).unwrap();
        let spec = &body["toolConfig"]["tools"][0]["toolSpec"];
        assert_eq!((&spec["inputSchema"]["json"], said.as_str()), (&expected, notes));
        assert_eq!(spec.get("strict"), notes.is_empty().then_some(&json!(true)));
    }
    let refused = written(&with(Some(r#"{"type":"string"}"#)), SONNET).unwrap_err();
    assert_eq!(refused.field, "tools.function.parameters");
}

#[test]
fn thoughts_go_back_to_whose_they_are() {
    let turns = |it| vec![user("a"), turn(Role::Assistant, vec![Part::text("x"), it])];
    let own = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}});
    let hidden = json!({"reasoningContent": {"redactedContent": "c2ln"}});
    for (part, model, expected) in [
        (thought(Dialect::Bedrock, false), SONNET, Some(&own)),
        (thought(Dialect::Bedrock, true), SONNET, Some(&hidden)),
        // A signature of Anthropic's holds wherever its models are.
        (thought(Dialect::Anthropic, false), SONNET, Some(&own)),
        (thought(Dialect::Anthropic, true), SONNET, None),
        (thought(Dialect::Anthropic, false), NOVA, None),
        (thought(Dialect::Gemini, false), SONNET, None),
    ] {
        let request = Request { turns: turns(part), ..Request::default() };
        let (body, said) = written(&request, model).unwrap();
        let content = body["messages"][1]["content"].as_array().unwrap();
        // Thoughts come first.
        assert_eq!(content.first().filter(|_| content.len() == 2), expected);
        assert_eq!(said, if expected.is_some() { "" } else { "thinking;dropped" });
    }
}

#[test]
fn how_much_to_think_is_said_as_each_family_knows_it() {
    let budget = |tokens| thinking(None, Some(Budget::Tokens(tokens)));
    let effort = |effort| thinking(Some(effort), None);
    let enabled = |tokens: u64, most: u64| {
        json!({"inferenceConfig": {"maxTokens": most}, "additionalModelRequestFields":
            {"thinking": {"type": "enabled", "budget_tokens": tokens}}})
    };
    let additional = |it: Value| json!({ "additionalModelRequestFields": it });
    check(&budget(2_000), SONNET, enabled(2_000, 6_096), "");
    check(&effort(Effort::Low), SONNET, enabled(1_024, 5_120), "");
    check(
        &Request { max_output: Some(2_000), ..budget(8_000) },
        SONNET,
        enabled(1_600, 2_000),
        "thinking.budget_tokens;clamped",
    );
    let off = additional(json!({"thinking": {"type": "disabled"}}));
    check(&effort(Effort::None), SONNET, off.clone(), "");
    check(
        &Request { max_output: Some(100), ..budget(50) },
        SONNET,
        json!({"inferenceConfig": {"maxTokens": 100},
            "additionalModelRequestFields": {"thinking": {"type": "disabled"}}}),
        "thinking;dropped",
    );
    let adaptive = |effort: &str| {
        additional(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}))
    };
    check(&effort(Effort::Minimal), OPUS, adaptive("low"), "reasoning_effort;clamped");
    check(&budget(5_000), OPUS, adaptive("high"), "thinking.budget_tokens;changed");
    check(
        &effort(Effort::Max),
        GPT,
        additional(json!({"reasoning_effort": "high"})),
        "reasoning_effort;clamped",
    );
    check(&effort(Effort::High), HAIKU, json!({}), "reasoning_effort;dropped");
    check(&budget(5_000), LLAMA, json!({}), "thinking;dropped");
    check(&effort(Effort::None), LLAMA, json!({}), "");
}

/// Bug 14 of the list: thoughts beside a forced choice of a tool, which Claude refuses.
#[test]
fn a_forced_choice_or_lost_thoughts_keep_a_model_from_thinking() {
    let forced = Request {
        tools: vec![tool("a")],
        tool_choice: Some(ToolChoice::Required),
        ..thinking(Some(Effort::High), None)
    };
    let mut lost = Request { tools: vec![tool("a")], ..thinking(Some(Effort::High), None) };
    lost.turns.extend([
        turn(Role::Assistant, vec![call("c", "{}")]),
        turn(Role::User, vec![result("c", vec![Part::text("1")], false)]),
    ]);
    for request in [forced, lost] {
        let (body, said) = written(&request, SONNET).unwrap();
        let thinking = &body["additionalModelRequestFields"]["thinking"];
        assert_eq!((thinking, said.as_str()), (&json!({"type": "disabled"}), "thinking;dropped"));
    }
}

#[test]
fn sampling_keeps_to_the_bounds_of_the_family() {
    let with = |temperature, top_p, top_k| Request {
        sampling: Sampling { temperature, top_p, top_k, ..Sampling::default() },
        ..ask()
    };
    let config = |it: Value| json!({ "inferenceConfig": it });
    check(
        &with(Some(1.5), None, None),
        LLAMA,
        config(json!({"temperature": 1.0})),
        "temperature;clamped",
    );
    check(
        &with(Some(0.5), Some(0.9), None),
        SONNET,
        config(json!({"temperature": 0.5})),
        "top_p;dropped",
    );
    check(
        &with(Some(0.5), Some(0.9), Some(5)),
        NOVA,
        json!({"inferenceConfig": {"temperature": 0.5, "topP": 0.9},
            "additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}}),
        "",
    );
    check(&with(None, None, Some(5)), LLAMA, json!({}), "top_k;dropped");
    check(
        &with(Some(0.5), Some(0.9), Some(5)),
        OPUS,
        json!({}),
        "temperature;dropped, top_p;dropped, top_k;dropped",
    );
    let thinks = Request {
        sampling: Sampling { temperature: Some(0.5), top_k: Some(1), ..Sampling::default() },
        ..thinking(None, Some(Budget::Tokens(2_000)))
    };
    assert_eq!(written(&thinks, SONNET).unwrap().1, "temperature;dropped, top_k;dropped");
}

#[test]
fn other_settings_go_where_they_have_a_place() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let request = Request {
        sampling: Sampling {
            stop: vec!["END".to_owned(), " ".to_owned()],
            seed: Some(1),
            frequency_penalty: Some(0.0),
            presence_penalty: Some(1.0),
            ..Sampling::default()
        },
        metadata: vec![pair("team", "a b"), pair("bad", "ä")],
        tier: Some(Tier::Flex),
        user: Some("u".to_owned()),
        verbosity: Some("low".to_owned()),
        store: Some(true),
        web_search: Some(Json::empty_object()),
        cache_key: Some("k".to_owned()),
        ..ask()
    };
    check(
        &request,
        SONNET,
        json!({"inferenceConfig": {"stopSequences": ["END"]},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "requestMetadata": {"team": "a b"}, "serviceTier": {"type": "flex"}}),
        "verbosity;dropped, store;dropped, user;dropped, web_search;dropped, \
         presence_penalty;dropped, seed;dropped, stop;dropped, metadata;dropped",
    );
}

#[test]
fn a_schema_for_the_answer_is_said_or_stood_for() {
    let schema = Json::parse(r#"{"type":"object"}"#).unwrap();
    let format =
        Format::Schema { name: Some("f".to_owned()), description: None, schema, strict: None };
    let request = Request { format: Some(format), ..ask() };
    check(
        &request,
        SONNET,
        json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure":
            {"jsonSchema": {"schema": "{\"type\":\"object\"}", "name": "f"}}}}}),
        "",
    );
    let mut thread = Thread::default();
    let mut notes = Notes::default();
    let bytes = write(&request, &target(NOVA), &mut thread, &mut notes).unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": "f"}}));
    assert_eq!(thread.emulated_format.as_deref(), Some("f"));
    let beside = Request { tools: vec![tool("a")], ..request.clone() };
    assert_eq!(written(&beside, NOVA).unwrap_err().field, "response_format");
    let quirky = Target { quirks: Quirks::NONE.with(Quirk::NoJsonSchema), ..target(SONNET) };
    write(&request, &quirky, &mut thread, &mut notes).unwrap();
    assert_eq!(notes.to_string(), "response_format;emulated");
    let any = Request { format: Some(Format::Json), ..ask() };
    check(&any, SONNET, json!({"system": [{"text": ONLY_JSON}]}), "response_format;emulated");
}

#[test]
fn marks_of_the_cache_stand_behind_what_they_mark() {
    let request = Request {
        instructions: vec![marked(Part::text("s"), Some("1h"))],
        tools: vec![Tool { cache: Some(CacheMark::default()), ..tool("a") }],
        turns: vec![turn(
            Role::User,
            vec![Part::text("a"), marked(Part::text("  "), None), Part::text("b")],
        )],
        cache: Some(CacheMark { ttl: Some("24h".to_owned()) }),
        ..Request::default()
    };
    let point = json!({"cachePoint": {"type": "default"}});
    let (body, said) = written(&request, SONNET).unwrap();
    assert_eq!(body["system"][1], json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    assert_eq!(body["toolConfig"]["tools"][1], point);
    let content = json!([{"text": "a"}, point, {"text": "b"}, point]);
    assert_eq!(body["messages"][0]["content"], content);
    assert_eq!(said, "cache_control.ttl;changed");
    // Who knows none is not told of them.
    let (body, said) = written(&request, LLAMA).unwrap();
    assert!(!body.to_string().contains("cachePoint"));
    assert_eq!(said, "cache_control;dropped");
}

#[test]
fn only_the_last_four_marks_are_kept() {
    let parts = |count| vec![marked(Part::text("x"), None); count];
    let request = Request {
        instructions: parts(2),
        tools: vec![Tool { cache: Some(CacheMark::default()), ..tool("a") }],
        turns: vec![turn(Role::User, parts(3))],
        ..Request::default()
    };
    let (body, said) = written(&request, SONNET).unwrap();
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["system"].as_array().unwrap().len(), 3);
    assert_eq!(body["system"][1], json!({"text": "x"}));
    assert_eq!(body["messages"][0]["content"].as_array().unwrap().len(), 6);
    assert_eq!(said, "cache_control;dropped");
}

#[test]
fn names_of_many_documents_are_found_quickly() {
    let source = Source::Text("x".to_owned());
    let document = Document { source, title: None, context: None, citations: false };
    let parts = vec![Part::new(Content::Document(document)); 5_000];
    let request = Request { turns: vec![turn(Role::User, parts)], ..Request::default() };
    let (body, _) = written(&request, SONNET).unwrap();
    let content = body["messages"][0]["content"].as_array().unwrap();
    let names: std::collections::BTreeSet<_> =
        content.iter().filter_map(|it| it["document"]["name"].as_str()).collect();
    assert_eq!(names.len(), 5_000);
}
