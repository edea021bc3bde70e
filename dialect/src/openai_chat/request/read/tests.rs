use super::*;
use crate::chat::{
    Budget, CacheMark, Call, CallInput, CallResult, Citation, Content, Detail, Document, Effort,
    Format, Image, Opaque, Part, Reasoning, Role, Show, Source, Text, Thinking, Tool, ToolChoice,
    ToolKind, Turn,
};
use domain::catalog::Dialect;

/// A request of one message and these fields, and what was noted.
fn with(fields: &str) -> Result<(chat::Request, String), Refused> {
    let comma = if fields.is_empty() { "" } else { "," };
    of(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Hi"}}]{comma}{fields}}}"#))
}

fn of(body: &str) -> Result<(chat::Request, String), Refused> {
    let mut notes = Notes::default();
    read(body.as_bytes(), &mut notes).map(|request| (request, notes.to_string()))
}

/// The turns of these messages, with nothing to note.
#[track_caller]
fn turns(messages: &str) -> Vec<Turn> {
    let (request, notes) = of(&format!(r#"{{"messages":[{messages}]}}"#)).unwrap();
    assert_eq!(notes, "");
    request.turns
}

/// The parts of one message of the user.
#[track_caller]
fn parts(content: &str) -> Vec<Part> {
    turns(&format!(r#"{{"role":"user","content":{content}}}"#)).remove(0).parts
}

#[track_caller]
fn refused(fields: &str, field: &str) {
    assert_eq!(with(fields).unwrap_err().field, field, "{fields}");
}

#[track_caller]
fn refused_part(part: &str, field: &str) {
    let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
    assert_eq!(of(&body).unwrap_err().field, field, "{part}");
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

#[test]
fn scalars_are_read() {
    let (request, notes) = with(
        r#""temperature":0.5,"top_p":1,"top_k":40,"frequency_penalty":-1,"presence_penalty":2,
        "seed":-7,"stop":["a","b"],"logit_bias":{"1":-100},"n":2,"logprobs":true,"top_logprobs":3,
        "verbosity":"low","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},
        "user":"u","metadata":{"a":"b","c":1},"service_tier":"flex","prompt_cache_key":"k","store":false,
        "parallel_tool_calls":false,"modalities":["text"],"x":null"#,
    )
    .unwrap();
    assert_eq!(notes, "");
    let sampling = Sampling {
        temperature: Some(0.5),
        top_p: Some(1.0),
        top_k: Some(40),
        frequency_penalty: Some(-1.0),
        presence_penalty: Some(2.0),
        seed: Some(-7),
        stop: vec!["a".to_owned(), "b".to_owned()],
        logit_bias: Some(json(r#"{"1":-100}"#)),
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = chat::Request {
        model: "m".to_owned(),
        turns: vec![turn(Role::User, vec![Part::text("Hi")])],
        sampling,
        answers: Some(2),
        logprobs: Some(3),
        verbosity: Some("low".to_owned()),
        stream: true,
        stream_usage: true,
        user: Some("u".to_owned()),
        metadata: vec![pair("a", "b"), pair("c", "1")],
        tier: Some(Tier::Flex),
        cache_key: Some("k".to_owned()),
        store: Some(false),
        parallel_calls: Some(false),
        ..chat::Request::default()
    };
    assert_eq!(request, expected);
}

#[test]
fn what_is_unknown_is_noted_and_never_refused() {
    let (_, notes) = with(
        r#""safety_identifier":"s","user":"u","prediction":{},"audio":{},"moderation":{},
        "stream_options":{"x":1}"#,
    )
    .unwrap();
    let expected = "stream_options.x;dropped, user;dropped, audio;dropped, prediction;dropped, \
                    moderation;dropped";
    assert_eq!(notes, expected);
    let message =
        r#"{"messages":[{"role":"user","x":1,"content":[{"type":"text","text":"a","y":1}]}]}"#;
    assert_eq!(of(message).unwrap().1, "messages.content.y;dropped, messages.x;dropped");
}

#[test]
fn the_new_name_of_the_bound_counts_for_more() {
    for (fields, expected) in [
        (r#""max_tokens":5"#, Some(5)),
        (r#""max_completion_tokens":6"#, Some(6)),
        (r#""max_tokens":50,"max_completion_tokens":6"#, Some(6)),
        (r#""max_tokens":5,"max_completion_tokens":null"#, Some(5)),
        (r#""max_tokens":-1"#, None),
        (r#""max_tokens":0"#, Some(0)),
    ] {
        assert_eq!(with(fields).unwrap().0.max_output, expected, "{fields}");
    }
    refused(r#""max_tokens":"5""#, "max_tokens");
}

#[test]
fn logprobs_stops_and_tiers_are_read_in_each_form() {
    for (fields, expected) in [
        (r#""logprobs":true"#, Some(0)),
        (r#""logprobs":false,"top_logprobs":0"#, None),
        ("", None),
    ] {
        assert_eq!(with(fields).unwrap().0.logprobs, expected, "{fields}");
    }
    refused(r#""top_logprobs":2"#, "top_logprobs");
    assert_eq!(with(r#""stop":"x""#).unwrap().0.sampling.stop, ["x"]);
    refused(r#""stop":[1]"#, "stop");
    for (word, tier) in [
        ("auto", Tier::Auto),
        ("default", Tier::Standard),
        ("priority", Tier::Priority),
        ("scale", Tier::Other("scale".to_owned())),
    ] {
        let (request, _) = with(&format!(r#""service_tier":"{word}""#)).unwrap();
        assert_eq!(request.tier, Some(tier));
    }
}

#[test]
fn thoughts_are_asked_for_in_several_languages() {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |budget| Reasoning { budget: Some(budget), ..Reasoning::default() };
    let show = |show| Reasoning { show: Some(show), ..Reasoning::default() };
    for (fields, expected) in [
        (r#""reasoning_effort":"xhigh""#, Some(effort(Effort::XHigh))),
        (r#""reasoning_effort":"none""#, Some(effort(Effort::None))),
        (r#""reasoning_effort":"default""#, None),
        (r#""reasoning":{"effort":"low"}"#, Some(effort(Effort::Low))),
        (r#""reasoning":{"max_tokens":99}"#, Some(budget(Budget::Tokens(99)))),
        (r#""reasoning":{"enabled":true}"#, Some(budget(Budget::Auto))),
        (r#""reasoning":{"enabled":false}"#, Some(effort(Effort::None))),
        (r#""reasoning":{"exclude":true}"#, Some(show(Show::Nothing))),
        (r#""include_reasoning":true"#, Some(show(Show::Summary))),
        (r#""thinking":{"type":"disabled"}"#, Some(budget(Budget::Tokens(0)))),
        (r#""thinking":{"type":"enabled"}"#, Some(budget(Budget::Auto))),
        (
            r#""thinking":{"type":"enabled","budget_tokens":2048}"#,
            Some(budget(Budget::Tokens(2_048))),
        ),
    ] {
        assert_eq!(with(fields).unwrap().0.reasoning, expected, "{fields}");
    }
    refused(r#""reasoning_effort":"much""#, "reasoning_effort");
    refused(r#""reasoning_effort":5"#, "reasoning_effort");
    refused(r#""thinking":{"type":"x"}"#, "thinking.type");
}

#[test]
fn forms_of_answers_are_read() {
    for (fields, expected) in
        [(r#"{"type":"text"}"#, None), (r#"{"type":"json_object"}"#, Some(Format::Json))]
    {
        let fields = format!(r#""response_format":{fields}"#);
        assert_eq!(with(&fields).unwrap().0.format, expected);
    }
    let inner = r#""name":"n","description":"d","strict":true,"schema":{"b":1.0, "a" :2}"#;
    for format in [
        format!(r#"{{"type":"json_schema","json_schema":{{{inner}}}}}"#),
        format!(r#"{{"type":"json_schema",{inner}}}"#),
    ] {
        let (request, notes) = with(&format!(r#""response_format":{format}"#)).unwrap();
        let Some(Format::Schema { name, description, schema, strict }) = request.format else {
            panic!("{format}")
        };
        assert_eq!((name.as_deref(), description.as_deref()), (Some("n"), Some("d")));
        assert_eq!((schema.as_str(), strict), (r#"{"b":1.0, "a" :2}"#, Some(true)));
        assert_eq!(notes, "");
    }
    refused(r#""response_format":{"type":"grammar"}"#, "response_format.type");
    let missing = r#""response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#;
    refused(missing, "response_format.json_schema.schema");
}

#[test]
fn other_answers_than_text_are_refused() {
    refused(r#""modalities":["text","audio"]"#, "modalities");
    refused(r#""modalities":["image"]"#, "modalities");
}

fn function(name: &str, schema: Option<&str>) -> Tool {
    Tool {
        name: name.to_owned(),
        namespace: None,
        description: Some("d".to_owned()),
        kind: ToolKind::Function { schema: schema.map(json), strict: None },
        cache: None,
    }
}

#[test]
fn tools_are_read_in_the_form_of_chat_of_responses_and_of_anthropic() {
    for tool in [
        r#"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}"#,
        r#"{"type":"function","name":"f","description":"d","parameters":{"type":"object"}}"#,
        r#"{"name":"f","description":"d","input_schema":{"type":"object"}}"#,
        r#"{"type":"custom","name":"f","description":"d","input_schema":{"type":"object"}}"#,
    ] {
        let (request, notes) = with(&format!(r#""tools":[{tool}]"#)).unwrap();
        assert_eq!(request.tools, [function("f", Some(r#"{"type":"object"}"#))], "{tool}");
        assert_eq!(notes, "");
        assert_eq!(request.echo, []);
    }
}

#[test]
fn tools_of_free_text_are_read_with_their_grammar_made_flat() {
    let flat = r#"{"type":"grammar","syntax":"lark","definition":"start: \"a\""}"#;
    for tool in [
        r#"{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: \"a\""}}}}"#.to_owned(),
        format!(r#"{{"type":"custom","name":"g","format":{flat}}}"#),
    ] {
        let (request, _) = with(&format!(r#""tools":[{tool}]"#)).unwrap();
        let kind = ToolKind::Custom { format: Some(json(flat)) };
        assert_eq!(request.tools.first().map(|it| &it.kind), Some(&kind));
        assert_eq!(request.echo, [("tools.custom".to_owned(), json(r#"["g"]"#))]);
    }
    let text = r#""tools":[{"type":"custom","custom":{"name":"g","format":{"type":"text"}}}]"#;
    let kind = with(text).unwrap().0.tools.remove(0).kind;
    assert_eq!(kind, ToolKind::Custom { format: None });
}

#[test]
fn marks_of_tools_are_read_and_what_is_anthropics_own_is_noted() {
    let (request, notes) = with(
        r#""tools":[{"name":"f","description":"d","input_schema":{},"defer_loading":true,
        "cache_control":{"type":"ephemeral","ttl":"1h"}},
        {"type":"function","cache_control":{"type":"ephemeral"},"function":{"name":"g"}}]"#,
    )
    .unwrap();
    let marks: Vec<_> = request.tools.into_iter().map(|it| it.cache).collect();
    assert_eq!(marks, [Some(CacheMark { ttl: Some("1h".to_owned()) }), Some(CacheMark::default())]);
    assert_eq!(notes, "tools.defer_loading;dropped");
}

#[test]
fn the_functions_of_old_are_tools_of_which_one_is_called_at_a_time() {
    let (request, notes) = with(
        r#""functions":[{"name":"f","description":"d","parameters":{}}],"function_call":{"name":"f"}"#,
    )
    .unwrap();
    assert_eq!(request.tools, [function("f", Some("{}"))]);
    assert_eq!(request.tool_choice, Some(ToolChoice::One { name: "f".to_owned() }));
    assert_eq!(request.parallel_calls, Some(false));
    assert_eq!(notes, "");
    assert!(request.echo.iter().any(|(name, _)| name == "functions"));
}

#[test]
fn tools_of_providers_are_refused_but_for_searching_the_web() {
    refused(r#""tools":[{"type":"code_interpreter"}]"#, "tools.type");
    refused(r#""tools":[{"type":"mcp","name":"x"}]"#, "tools.type");
    refused(r#""tools":[{"type":"function","function":{}}]"#, "tools.function.name");
    refused(r#""tools":{}"#, "tools");
    refused(r#""tools":[1]"#, "tools");
    for fields in [r#""tools":[{"type":"web_search"}]"#, r#""web_search_options":{}"#] {
        assert!(with(fields).unwrap().0.web_search.is_some(), "{fields}");
    }
}

/// Bug 15 of the list: the choice and the parallel flag were lost.
#[test]
fn every_choice_of_tools_is_read() {
    let one = || ToolChoice::One { name: "f".to_owned() };
    let allowed =
        |required| ToolChoice::Allowed { required, names: vec!["f".to_owned(), "g".to_owned()] };
    for (choice, expected) in [
        (r#""auto""#, ToolChoice::Auto),
        (r#""none""#, ToolChoice::None),
        (r#""required""#, ToolChoice::Required),
        (r#""any""#, ToolChoice::Required),
        (r#"{"type":"auto"}"#, ToolChoice::Auto),
        (r#"{"type":"any"}"#, ToolChoice::Required),
        (r#"{"type":"none"}"#, ToolChoice::None),
        (r#"{"type":"tool","name":"f"}"#, one()),
        (r#"{"type":"function","function":{"name":"f"}}"#, one()),
        (r#"{"type":"function","name":"f"}"#, one()),
        (r#"{"type":"custom","custom":{"name":"f"}}"#, one()),
        (
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
                {"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]}}"#,
            allowed(true),
        ),
        (
            r#"{"type":"allowed_tools","mode":"auto","tools":[
                {"type":"function","name":"f"},{"type":"function","name":"g"}]}"#,
            allowed(false),
        ),
    ] {
        let (request, notes) = with(&format!(r#""tool_choice":{choice}"#)).unwrap();
        assert_eq!(request.tool_choice, Some(expected), "{choice}");
        assert_eq!(notes, "");
    }
    let single = r#""tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#;
    assert_eq!(with(single).unwrap().0.parallel_calls, Some(false));
    for choice in [
        r#""x""#,
        "{}",
        "1",
        r#"{"type":"mcp"}"#,
        r#"{"type":"function","function":{}}"#,
        r#"{"type":"allowed_tools","tools":[]}"#,
        r#"{"type":"allowed_tools","mode":"x","tools":[{"name":"f"}]}"#,
    ] {
        refused(&format!(r#""tool_choice":{choice}"#), "tool_choice");
    }
}

#[test]
fn wrong_messages_are_refused_with_their_field() {
    for (messages, field) in [
        ("", "messages"),
        ("1", "messages"),
        (r#"{"role":"x","content":""}"#, "messages.role"),
        (r#"{"content":""}"#, "messages.role"),
        (r#"{"role":"user","content":1}"#, "messages.content"),
        (r#"{"role":"user","content":[1]}"#, "messages.content"),
        (r#"{"role":"user","content":[{"type":"text"}]}"#, "messages.content.text"),
        (
            r#"{"role":"system","content":[{"type":"image_url","image_url":"https://x"}]}"#,
            "messages.content",
        ),
        (r#"{"role":"assistant","audio":{"id":"a"}}"#, "messages.audio"),
        (r#"{"role":"assistant","tool_calls":{}}"#, "messages.tool_calls"),
        (r#"{"role":"assistant","tool_calls":[{"id":"c"}]}"#, "messages.tool_calls.function.name"),
        (r#"{"role":"assistant","function_call":{}}"#, "messages.function_call.function.name"),
    ] {
        let refused = of(&format!(r#"{{"messages":[{messages}]}}"#)).unwrap_err();
        assert_eq!(refused.field, field, "{messages}");
    }
    assert_eq!(of("{}").unwrap_err().field, "messages");
    for body in ["", "[]", "{", "null", "\"x\"", "{\"messages\":[}"] {
        assert_eq!(of(body).unwrap_err().field, "body", "{body}");
    }
    assert_eq!(read(b"\xff", &mut Notes::default()).unwrap_err().field, "body");
}

#[test]
fn refusals_never_quote_what_the_caller_wrote() {
    for fields in [
        r#""temperature":"sEcReT""#,
        r#""stop":{"sEcReT":1}"#,
        r#""reasoning_effort":"sEcReT""#,
        r#""tool_choice":"sEcReT""#,
        r#""tools":[{"type":"sEcReT"}]"#,
        r#""response_format":{"type":"sEcReT"}"#,
        r#""metadata":"sEcReT""#,
    ] {
        let refused = with(fields).unwrap_err().to_string();
        assert!(!refused.contains("sEcReT"), "{refused}");
    }
}

#[test]
fn depth_and_number_do_no_harm() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(with(&format!(r#""metadata":{deep}"#)).is_err());
    assert!(with(&format!(r#""x":{deep}"#)).is_ok());
    let tool = r#"{"type":"function","function":{"name":"f","parameters":"#;
    assert!(with(&format!(r#""tools":[{tool}{deep}}}}}]"#)).is_ok());
    let many = r#"{"role":"tool","tool_call_id":"c","content":"r"},"#.repeat(20_000);
    let found = of(&format!(r#"{{"messages":[{}]}}"#, many.trim_end_matches(','))).unwrap().0;
    assert_eq!(found.turns[0].parts.len(), 20_000);
}

mod messages;
