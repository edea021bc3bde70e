use super::*;
use crate::chat::{
    Budget, CallInput, Document, Effort, Format, Image, Opaque, Reasoning, Show, Source, Text,
    Thinking, Tier, Tool, ToolChoice, ToolKind,
};
use domain::catalog::Dialect;
use serde_json::{Value, json};

/// A request with these fields besides the required ones, and what was noted.
fn read_with(more: Value) -> Result<(Request, String), Refused> {
    let mut body = json!({"model": "m", "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}]});
    let Value::Object(more) = more else { panic!("no object") };
    body.as_object_mut().unwrap().extend(more);
    let mut notes = Notes::default();
    let request = read(body.to_string().as_bytes(), &mut notes)?;
    Ok((request, notes.to_string()))
}

/// The parts of one message of the user with these blocks, and what was noted.
fn parts(blocks: &Value) -> Result<(Vec<Part>, String), Refused> {
    let (request, notes) = read_with(json!({"messages": [{"role": "user", "content": blocks}]}))?;
    Ok((request.turns.into_iter().next().unwrap().parts, notes))
}

fn one(block: &Value) -> (Content, String) {
    let (parts, notes) = parts(&json!([block])).unwrap();
    assert_eq!(parts.len(), 1);
    (parts.into_iter().next().unwrap().content, notes)
}

fn text(text: &str) -> Content {
    Content::Text(Text { text: text.to_owned(), citations: Vec::new() })
}

fn base64(mime: &str) -> Source {
    Source::Base64 { mime: mime.to_owned(), data: "AA==".to_owned() }
}

#[test]
fn a_plain_request_is_read() {
    let (request, notes) = read_with(json!({"system": "Be kind.", "stream": true,
        "temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop_sequences": ["END"],
        "metadata": {"user_id": "u"}, "service_tier": "standard_only",
        "cache_control": {"type": "ephemeral"}}))
    .unwrap();
    let expected = Request {
        model: "m".to_owned(),
        instructions: vec![Part::text("Be kind.")],
        turns: vec![Turn { role: Role::User, name: None, parts: vec![Part::text("Hi")] }],
        sampling: crate::chat::Sampling {
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(4),
            stop: vec!["END".to_owned()],
            ..crate::chat::Sampling::default()
        },
        max_output: Some(9),
        stream: true,
        user: Some("u".to_owned()),
        tier: Some(Tier::Standard),
        cache: Some(CacheMark::default()),
        ..Request::default()
    };
    assert_eq!((request, notes.as_str()), (expected, ""));
}

/// Bug 35 of the list: the line changes with each request, and spoils others' caches.
#[test]
fn claude_codes_billing_header_is_stripped_in_silence() {
    let header = "x-anthropic-billing-header: cc_version=2.1.329; cch=abc;";
    let (request, notes) = read_with(json!({"system": [
        {"type": "text", "text": header},
        {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "Do."}]}))
    .unwrap();
    let marked =
        Part { cache: Some(CacheMark { ttl: Some("1h".to_owned()) }), ..Part::text("You are.") };
    assert_eq!(request.instructions, [marked, Part::text("Do.")]);
    assert_eq!(notes, "");
    let (request, _) = read_with(json!({"system": format!("{header}\n\nYou are.")})).unwrap();
    assert_eq!(request.instructions, [Part::text("You are.")]);
    let (request, _) = read_with(json!({"system": header})).unwrap();
    assert!(request.instructions.is_empty());
}

/// Bug 31 of the list: instructions in the middle were moved to the top, or refused.
#[test]
fn instructions_in_the_middle_stay_there() {
    let (request, notes) = read_with(json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": [{"type": "text", "text": "Now this."}]},
        {"role": "assistant", "content": "Yes"}]}))
    .unwrap();
    let roles: Vec<_> = request.turns.iter().map(|it| it.role).collect();
    assert_eq!(roles, [Role::User, Role::System, Role::Assistant]);
    assert_eq!(notes, "");
}

#[test]
fn each_block_of_a_user_is_a_part() {
    let image = |source| Content::Image(Image { source, detail: None });
    let document = |source, title: Option<&str>| {
        let title = title.map(str::to_owned);
        Content::Document(Document { source, title, context: None, citations: false })
    };
    let pdf = "application/pdf";
    for (block, expected) in [
        (json!({"type": "text", "text": ""}), text("")),
        (
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}),
            image(base64("image/png")),
        ),
        (
            json!({"type": "image", "source": {"type": "url", "url": "https://a.test/b"}}),
            image(Source::Url { url: "https://a.test/b".to_owned(), mime: None }),
        ),
        (
            json!({"type": "document", "title": "T", "citations": {"enabled": false},
                "source": {"type": "base64", "media_type": pdf, "data": "AA=="}}),
            document(base64(pdf), Some("T")),
        ),
        (
            json!({"type": "document", "source": {"type": "url", "url": "https://a.test/b"}}),
            document(Source::Url { url: "https://a.test/b".to_owned(), mime: None }, None),
        ),
        (
            json!({"type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
            document(Source::Text("x".to_owned()), None),
        ),
    ] {
        let (content, notes) = one(&block);
        assert_eq!((content, notes.as_str()), (expected, ""));
    }
}

/// Bug 17 of the list: documents were dropped in silence.
#[test]
fn documents_made_of_blocks_and_results_of_searches_are_told_as_text() {
    let (found, notes) = parts(&json!([{"type": "document", "context": "c",
        "citations": {"enabled": true}, "cache_control": {"type": "ephemeral"},
        "source": {"type": "content", "content": [
            {"type": "text", "text": "a"}, {"type": "text", "text": "b"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]}}]))
    .unwrap();
    let document = Document {
        source: Source::Text("a\n\nb".to_owned()),
        title: None,
        context: Some("c".to_owned()),
        citations: true,
    };
    let image = Image { source: base64("image/png"), detail: None };
    let cache = Some(CacheMark::default());
    assert_eq!(
        found,
        [Part::new(Content::Document(document)), Part { content: Content::Image(image), cache }]
    );
    assert_eq!(notes, "messages.content.source.content;changed");
    let (content, notes) = one(&json!({"type": "search_result", "source": "https://a.test",
        "title": "A", "content": [{"type": "text", "text": "x"}], "citations": {"enabled": true}}));
    assert_eq!(content, text("Search result: A\nSource: https://a.test\n\nx"));
    assert_eq!(notes, "messages.content.search_result;changed");
}

#[test]
fn thoughts_are_kept_even_if_they_may_not_be_read() {
    let thought = |text: &str, opaque: Option<(Dialect, &str)>, redacted| {
        let opaque = opaque.map(|(origin, data)| Opaque { origin, data: data.to_owned() });
        Content::Thinking(Thinking { text: text.to_owned(), opaque, redacted })
    };
    let own = |data| Some((Dialect::Anthropic, data));
    for (block, expected) in [
        (
            json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            thought("hm", own("s"), false),
        ),
        (
            json!({"type": "thinking", "thinking": "", "signature": "s"}),
            thought("", own("s"), false),
        ),
        (
            json!({"type": "thinking", "thinking": "hm", "signature": ""}),
            thought("hm", None, false),
        ),
        (
            json!({"type": "thinking", "thinking": "", "signature": "slc1.gemini.x"}),
            thought("", Some((Dialect::Gemini, "x")), false),
        ),
        (json!({"type": "redacted_thinking", "data": "d"}), thought("", own("d"), true)),
        (
            json!({"type": "redacted_thinking", "data": "slc1.openai_responses.d"}),
            thought("", Some((Dialect::OpenAiResponses, "d")), true),
        ),
    ] {
        assert_eq!(one(&block), (expected, String::new()));
    }
}

#[test]
fn calls_and_their_results_are_read() {
    let raw = r#"{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[
        {"type":"tool_use","id":"t1","name":"f","input":{ "b":1.0, "a":[] },"caller":{"type":"direct"}},
        {"type":"tool_use","id":"t2","name":"g"}]},
        {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"t1","content":"ok","cache_control":{"type":"ephemeral"}},
        {"type":"tool_result","tool_use_id":"t2","is_error":true,"content":[
            {"type":"text","text":"no"},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
            {"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]},
        {"type":"tool_result","tool_use_id":"t3"}]}]}"#;
    let mut notes = Notes::default();
    let request = read(raw.as_bytes(), &mut notes).unwrap();
    assert!(notes.is_empty(), "{notes}");
    let Content::Call(call) = &request.turns[0].parts[0].content else { panic!() };
    let CallInput::Json(input) = &call.input else { panic!() };
    // Byte for byte, as caches want it.
    assert_eq!((call.id.as_str(), input.as_str()), ("t1", r#"{ "b":1.0, "a":[] }"#));
    let results: Vec<_> = request.turns[1]
        .parts
        .iter()
        .map(|it| {
            let Content::Result(result) = &it.content else { panic!("no result") };
            (result.call.as_str(), result.parts.len(), result.failed, it.cache.is_some())
        })
        .collect();
    assert_eq!(results, [("t1", 1, false, true), ("t2", 3, true, false), ("t3", 0, false, false)]);
}

/// Bug 20 of the list: references and deferred tools were dropped, so that the model could call
/// none of them.
#[test]
fn references_to_tools_name_what_is_loaded_and_deferred_tools_are_sent() {
    let (content, notes) = one(&json!({"type": "tool_result", "tool_use_id": "t", "content": [
        {"type": "tool_reference", "tool_name": "Read"},
        {"type": "tool_reference", "tool_name": "Write"},
        {"type": "text", "text": "done"}]}));
    let Content::Result(result) = content else { panic!() };
    assert_eq!(result.parts, [Part::text("Loaded tools: Read, Write"), Part::text("done")]);
    assert_eq!(notes, "messages.content.content.tool_reference;changed");
    let (request, notes) = read_with(json!({"tools": [
        {"name": "DeferredToolPlaceholder", "description": "d", "defer_loading": true,
         "input_schema": {"type": "object"}, "eager_input_streaming": true,
         "allowed_callers": ["direct"]},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}]}))
    .unwrap();
    assert_eq!(request.tools.len(), 1);
    assert_eq!(notes, "tools.defer_loading;changed, tools.tool_search_tool;dropped");
}

#[test]
fn what_anthropic_ran_is_told_as_text_or_dropped() {
    for (block, expected) in [
        (
            json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [
                {"type": "web_search_result", "url": "https://a.test", "title": "A",
                 "encrypted_content": "e"}]}),
            Some("Web search results:\n- A <https://a.test>"),
        ),
        (
            json!({"type": "web_search_tool_result", "tool_use_id": "s",
                "content": {"type": "web_search_tool_result_error", "error_code": "x"}}),
            Some("The web search failed."),
        ),
        (
            json!({"type": "web_fetch_tool_result", "tool_use_id": "s",
                "content": {"type": "web_fetch_result", "url": "https://a.test", "content":
                    {"type": "document", "source": {"type": "text", "data": "page"}}}}),
            Some("Fetched <https://a.test>:\n\npage"),
        ),
        (
            json!({"type": "bash_code_execution_tool_result", "tool_use_id": "s",
                "content": {"stdout": "1\n", "stderr": "", "return_code": 0}}),
            Some("Code ran, and wrote:\n1\n"),
        ),
        (
            json!({"type": "tool_search_tool_result", "tool_use_id": "s", "content":
                {"tool_references": [{"type": "tool_reference", "tool_name": "f"}]}}),
            Some("Loaded tools: f"),
        ),
        (
            json!({"type": "mcp_tool_result", "tool_use_id": "s", "content": [
            {"type": "text", "text": "x"}]}),
            Some("x"),
        ),
        (json!({"type": "compaction", "content": "so far"}), Some("so far")),
        (json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}), None),
        (json!({"type": "brand_new", "content": 7}), None),
    ] {
        let (found, notes) = parts(&json!([block])).unwrap();
        let texts: Vec<_> = found.iter().filter_map(Part::as_text).collect();
        assert_eq!(texts, expected.into_iter().collect::<Vec<_>>(), "{block}");
        assert!(
            notes.ends_with(if expected.is_some() { ";changed" } else { ";dropped" }),
            "{notes}"
        );
    }
}

#[test]
fn tools_of_each_family_are_read_searched_or_refused() {
    let (request, notes) = read_with(json!({"tools": [
        {"type": "custom", "name": "f", "description": "d", "strict": true,
         "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "bash_20250124", "name": "bash", "input_schema": {"type": "object"}},
        {"name": "g", "input_schema": {"type": "object"}, "input_examples": [{}]},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        "tool_choice": {"type": "tool", "name": "web_search"}}))
    .unwrap();
    let schema = Json::parse(r#"{"type":"object"}"#);
    let first = Tool {
        name: "f".to_owned(),
        namespace: None,
        description: Some("d".to_owned()),
        kind: ToolKind::Function { schema, strict: Some(true) },
        cache: Some(CacheMark::default()),
    };
    assert_eq!(request.tools[0], first);
    let names: Vec<_> = request.tools.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["f", "bash", "g"]);
    assert!(request.web_search.unwrap().as_str().contains("\"max_uses\":8"));
    assert_eq!(request.tool_choice, None);
    assert_eq!(notes, "tools.input_examples;dropped, tool_choice;changed");
    for (kind, named) in [
        ("bash_20250124", "tool bash"),
        ("text_editor_20250728", "tool text_editor"),
        ("memory_20250818", "tool memory"),
        ("computer_20250124", "tool computer"),
        ("web_fetch_20250910", "tool web_fetch"),
        ("code_execution_20250825", "tool code_execution"),
        ("mcp_toolset", "tool mcp_toolset"),
        ("secret_word", "is not known"),
    ] {
        let refused = read_with(json!({"tools": [{"type": kind, "name": "x"}]})).unwrap_err();
        assert_eq!(refused.field, "tools.type");
        assert!(refused.reason.contains(named) && !refused.reason.contains("secret"), "{refused}");
    }
}

/// Bug 15 of the list: the choice and the parallel flag were lost.
#[test]
fn every_choice_of_a_tool_is_read() {
    let named = || ToolChoice::One { name: "f".to_owned() };
    for (choice, expected, parallel) in [
        (json!({"type": "auto"}), ToolChoice::Auto, None),
        (json!({"type": "any"}), ToolChoice::Required, None),
        (json!({"type": "none"}), ToolChoice::None, None),
        (json!({"type": "tool", "name": "f"}), named(), None),
        (json!({"type": "auto", "disable_parallel_tool_use": true}), ToolChoice::Auto, Some(false)),
        (json!({"type": "any", "disable_parallel_tool_use": false}), ToolChoice::Required, None),
    ] {
        let (request, notes) = read_with(json!({"tool_choice": choice})).unwrap();
        assert_eq!((request.tool_choice, request.parallel_calls), (Some(expected), parallel));
        assert_eq!(notes, "");
    }
    for choice in [json!({"type": "tool"}), json!({"type": "x"}), json!({}), json!("auto")] {
        assert!(read_with(json!({"tool_choice": choice})).is_err(), "{choice}");
    }
}

#[test]
fn every_way_to_think_is_read() {
    let of =
        |effort, budget, show, wants_opaque| Some(Reasoning { effort, budget, show, wants_opaque });
    let tokens = |it| Some(Budget::Tokens(it));
    let auto = Some(Budget::Auto);
    for (fields, expected, noted) in [
        (json!({}), None, ""),
        (json!({"thinking": {"type": "disabled"}}), of(None, tokens(0), None, false), ""),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
            of(None, tokens(2000), Some(Show::Summary), true),
            "",
        ),
        (
            json!({"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "high"}}),
            of(Some(Effort::High), auto, Some(Show::Nothing), true),
            "",
        ),
        (
            json!({"thinking": {"type": "adaptive", "display": "summarized"}}),
            of(None, auto, Some(Show::Summary), true),
            "",
        ),
        (
            json!({"thinking": {"type": "between_tools", "display": "updates"}}),
            of(None, auto, Some(Show::Summary), true),
            "thinking.type;changed, thinking.display;changed",
        ),
        (json!({"output_config": {"effort": "low"}}), of(Some(Effort::Low), None, None, true), ""),
        (
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}),
            of(None, tokens(0), None, false),
            "output_config.effort;dropped",
        ),
        (json!({"output_config": {"effort": "new"}}), None, "output_config.effort;dropped"),
    ] {
        let (request, notes) = read_with(fields).unwrap();
        assert_eq!((request.reasoning, notes.as_str()), (expected, noted));
    }
    assert!(read_with(json!({"thinking": {"type": "enabled"}})).is_err());
}

#[test]
fn forms_of_answers_are_read_where_they_stand_and_stood() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    for fields in [json!({"output_config": {"format": format}}), json!({"output_format": format})] {
        let (request, notes) = read_with(fields).unwrap();
        let schema = Json::parse(r#"{"type":"object"}"#).unwrap();
        let expected = Format::Schema { name: None, description: None, schema, strict: Some(true) };
        assert_eq!((request.format, notes.as_str()), (Some(expected), ""));
    }
}

#[test]
fn what_has_no_place_elsewhere_is_noted_or_refused_and_never_overlooked() {
    for (fields, noted) in [
        (json!({"context_management": {"edits": []}}), "context_management;dropped"),
        (json!({"metadata": {"user_id": "u", "x": 1}}), "metadata.x;dropped"),
        (json!({"speed": "fast"}), "speed;dropped"),
        (json!({"speed": "standard", "betas": ["x"], "mcp_servers": []}), ""),
        (json!({"brand_new": {}, "nothing": null}), "brand_new;dropped"),
        (json!({"output_config": {"task_budget": 1}}), "output_config.task_budget;dropped"),
    ] {
        assert_eq!(read_with(fields).unwrap().1, noted);
    }
    for (fields, field) in [
        (json!({"container": "c"}), "container"),
        (json!({"inference_geo": "eu"}), "inference_geo"),
        (json!({"mcp_servers": [{"type": "url"}]}), "mcp_servers"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"max_tokens": "9"}), "max_tokens"),
        (json!({"model": null}), "model"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": [7]}), "messages"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages.role"),
        (json!({"messages": [{"role": "user"}]}), "messages.content"),
        (json!({"messages": [{"role": "user", "content": [{}]}]}), "messages.content.type"),
        (json!({"system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}), "system"),
    ] {
        assert_eq!(read_with(fields).unwrap_err().field, field);
    }
    for block in [
        json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        json!({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        json!({"type": "container_upload", "file_id": "f"}),
        json!({"type": "image"}),
        json!({"type": "image", "source": "x"}),
        json!({"type": "tool_use", "name": "f"}),
        json!({"type": "tool_result"}),
        json!({"type": "text", "text": 7}),
        json!(7),
    ] {
        assert!(parts(&json!([block])).is_err(), "{block}");
    }
}

/// Bug 33 of the list: a count was refused, since it has no maximum.
#[test]
fn a_count_needs_no_maximum() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    let request = read_count(body, &mut Notes::default()).unwrap();
    assert_eq!((request.max_output, request.turns.len()), (None, 1));
    assert!(read(body, &mut Notes::default()).is_err());
}

#[test]
fn hostile_bodies_are_refused_without_their_words() {
    let deep = "[".repeat(300_000);
    let results = r#"{"type":"tool_result","tool_use_id":"t","content":["#;
    let nested = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{}{}]}}]}}"#,
        results.repeat(10_000),
        "]}".repeat(10_000)
    );
    for body in ["", "{", "null", "[]", "\"secret\"", "{}{}", deep.as_str()] {
        let refused = read(body.as_bytes(), &mut Notes::default()).unwrap_err();
        assert!(!refused.to_string().contains("secret"));
    }
    assert!(read(&[0xc3, 0x28], &mut Notes::default()).is_err());
    // A result within a result is nothing that is known, so this ends at once.
    let mut notes = Notes::default();
    read(nested.as_bytes(), &mut notes).unwrap();
    assert_eq!(notes.to_string(), "messages.content.content.tool_result;dropped");
}
