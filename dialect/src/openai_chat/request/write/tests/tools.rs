//! Tools as providers get them.

use super::*;

fn custom(name: &str, format: Option<&str>) -> Tool {
    Tool { kind: ToolKind::Custom { format: format.map(raw) }, ..tool(name, None, None) }
}

#[test]
fn functions_are_written_with_a_schema_even_if_they_have_none() {
    for (schema, strict, expected) in [
        (None, None, json!({"parameters": {"type": "object", "properties": {}}})),
        (
            None,
            Some(true),
            json!({"strict": true, "parameters":
                {"type": "object", "properties": {}, "additionalProperties": false}}),
        ),
        (Some(r#"{"x":1}"#), Some(false), json!({"parameters": {"x": 1}})),
        (Some(r#"{"x":1}"#), Some(true), json!({"strict": true, "parameters": {"x": 1}})),
    ] {
        let mut function = expected;
        function["name"] = "f".into();
        function["description"] = "d".into();
        let request = Request { tools: vec![tool("f", schema, strict)], ..Request::default() };
        check(&request, &[], &json!({"tools": [{"type": "function", "function": function}]}), "");
    }
}

#[test]
fn tools_of_free_text_go_only_where_they_are_known() {
    let flat = r#"{"type":"grammar","syntax":"lark","definition":"x"}"#;
    let nested = r#"{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}"#;
    for format in [flat, nested] {
        let request = Request { tools: vec![custom("g", Some(format))], ..Request::default() };
        let expected = json!({"tools": [{"type": "custom", "custom": {"name": "g",
            "description": "d", "format": serde_json::from_str::<Value>(nested).unwrap()}}]});
        check(&request, &OPENAI, &expected, "");
        assert_eq!(written(&request, &target(&[])).unwrap_err().field, "tools");
    }
}

/// Bug 15 of the list: the choice and the parallel flag were lost.
#[test]
fn every_choice_is_written() {
    let names = || vec!["f".to_owned(), "g".to_owned()];
    for (choice, expected) in [
        (ToolChoice::Auto, json!("auto")),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (
            ToolChoice::One { name: "f".to_owned() },
            json!({"type": "function", "function": {"name": "f"}}),
        ),
        (
            ToolChoice::One { name: "g".to_owned() },
            json!({"type": "custom", "custom": {"name": "g"}}),
        ),
        (
            ToolChoice::Allowed { required: true, names: names() },
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                {"type": "function", "function": {"name": "f"}},
                {"type": "custom", "custom": {"name": "g"}}]}}),
        ),
    ] {
        let tools = vec![tool("f", None, None), custom("g", None)];
        let tool_choice = Some(choice);
        let request = Request { tools, tool_choice, ..Request::default() };
        let (body, notes) = written(&request, &target(&OPENAI)).unwrap();
        assert_eq!((&body["tool_choice"], notes.as_str()), (&expected, ""));
        assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn where_a_choice_of_some_is_not_known_only_they_are_sent() {
    for (required, word) in [(true, "required"), (false, "auto")] {
        let names = vec!["g".to_owned()];
        let tools = vec![tool("f", None, None), tool("g", None, None)];
        let tool_choice = Some(ToolChoice::Allowed { required, names });
        let request = Request { tools, tool_choice, ..Request::default() };
        let (body, notes) = written(&request, &target(&[])).unwrap();
        assert_eq!(body["tool_choice"], word);
        assert_eq!(body["tools"].as_array().unwrap().len(), 1);
        assert_eq!(body["tools"][0]["function"]["name"], "g");
        assert_eq!(notes, "tool_choice;emulated");
    }
}

#[test]
fn without_tools_there_is_no_word_about_them() {
    for (choice, noted) in [
        (ToolChoice::None, ""),
        (ToolChoice::Auto, ""),
        (ToolChoice::Required, "tool_choice;dropped"),
    ] {
        let request = Request { tool_choice: Some(choice), ..Request::default() };
        check(&request, &[], &json!({}), noted);
    }
}

/// Bug 25 of the list: marks of tools were lost, or sent to who refuses them.
#[test]
fn marks_of_tools_are_written_where_they_are_understood() {
    let mut marked = tool("f", Some("{}"), None);
    marked.cache = Some(CacheMark { ttl: Some("1h".to_owned()) });
    let request = Request {
        tools: vec![marked],
        cache: Some(CacheMark { ttl: Some("24h".to_owned()) }),
        ..Request::default()
    };
    let function = json!({"name": "f", "description": "d", "parameters": {}});
    let plain = json!({"tools": [{"type": "function", "function": function}]});
    check(&request, &[], &plain, "");
    let expected = json!({"cache_control": {"type": "ephemeral"}, "tools": [{"type": "function",
        "function": function, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]});
    check(&request, &[Quirk::CacheControl], &expected, "");
}
