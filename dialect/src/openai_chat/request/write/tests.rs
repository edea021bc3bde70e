use super::*;
use crate::{
    chat::{
        CacheMark, Call, CallInput, CallResult, Content, Document, Image, Opaque, Part, Request,
        Role, Source, Thinking, Tool, ToolChoice, ToolKind, Turn,
    },
    json::Json,
};
use domain::catalog::{Dialect, Quirks};
use serde_json::{Value, json};

const OPENAI: [Quirk; 2] = [Quirk::DeveloperRole, Quirk::CustomTools];

fn target(quirks: &[Quirk]) -> Target<'static> {
    Target {
        dialect: Dialect::OpenAi,
        model: "up",
        quirks: quirks.iter().copied().collect::<Quirks>(),
        output_cap_field: "max_tokens",
        max_output: None,
        output_cap: None,
    }
}

fn written(request: &Request, target: &Target<'_>) -> Result<(Value, String), Refused> {
    let mut notes = Notes::default();
    let body = write(request, target, &mut Thread::default(), &mut notes)?;
    Ok((serde_json::from_slice(&body).unwrap(), notes.to_string()))
}

#[track_caller]
fn check(request: &Request, quirks: &[Quirk], expected: &Value, noted: &str) {
    let (mut body, notes) = written(request, &target(quirks)).unwrap();
    let fields = body.as_object_mut().unwrap();
    assert_eq!(fields.remove("model").unwrap(), "up");
    if expected.get("messages").is_none() {
        fields.remove("messages");
    }
    assert_eq!(&body, expected);
    assert_eq!(notes, noted);
}

#[track_caller]
fn check_messages(turns: Vec<Turn>, quirks: &[Quirk], expected: &Value, noted: &str) {
    let request = Request { turns, ..Request::default() };
    check(&request, quirks, &json!({"messages": expected}), noted);
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn user(parts: Vec<Part>) -> Turn {
    turn(Role::User, parts)
}

fn marked(text: &str, ttl: Option<&str>) -> Part {
    Part { cache: Some(CacheMark { ttl: ttl.map(str::to_owned) }), ..Part::text(text) }
}

fn raw(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn tool(name: &str, schema: Option<&str>, strict: Option<bool>) -> Tool {
    Tool {
        name: name.to_owned(),
        namespace: None,
        description: Some("d".to_owned()),
        kind: ToolKind::Function { schema: schema.map(raw), strict },
        cache: None,
    }
}

/// Bug 34 of the list: keys in another order each time kept prompts from being cached.
#[test]
fn the_bytes_of_a_plain_request_are_always_the_same() {
    let request = Request {
        instructions: vec![Part::text("Be kind.")],
        turns: vec![user(vec![Part::text("Hi")])],
        tools: vec![tool("f", Some(r#"{"b":1.0, "a" :2}"#), None)],
        max_output: Some(9),
        stream: true,
        ..Request::default()
    };
    let mut notes = Notes::default();
    let body = write(&request, &target(&[]), &mut Thread::default(), &mut notes).unwrap();
    let expected = concat!(
        r#"{"model":"up","messages":[{"role":"system","content":"Be kind."},"#,
        r#"{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","#,
        r#""description":"d","parameters":{"b":1.0, "a" :2}}}],"max_tokens":9,"stream":true,"#,
        r#""stream_options":{"include_usage":true}}"#
    );
    assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    assert!(notes.is_empty());
}

#[test]
fn scalars_go_to_openai_itself_and_those_that_all_know_to_others() {
    let request = Request {
        sampling: chat::Sampling {
            temperature: Some(0.5),
            top_p: Some(0.25),
            top_k: Some(3),
            frequency_penalty: Some(1.0),
            presence_penalty: Some(-1.0),
            seed: Some(7),
            stop: vec!["x".to_owned()],
            logit_bias: Some(raw(r#"{"5":1}"#)),
        },
        answers: Some(2),
        logprobs: Some(4),
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        verbosity: Some("low".to_owned()),
        user: Some("u".to_owned()),
        metadata: vec![("k".to_owned(), "v".to_owned())],
        tier: Some(Tier::Standard),
        cache_key: Some("key".to_owned()),
        store: Some(true),
        web_search: Some(raw("{}")),
        ..Request::default()
    };
    let all = json!({"temperature": 0.5, "top_p": 0.25, "frequency_penalty": 1.0,
        "presence_penalty": -1.0, "seed": 7, "stop": ["x"], "logit_bias": {"5": 1}, "n": 2,
        "logprobs": true, "top_logprobs": 4, "reasoning_effort": "low"});
    let with = |more: Value| {
        let mut all = all.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let openai = with(json!({"verbosity": "low", "safety_identifier": "u", "metadata": {"k": "v"},
        "service_tier": "default", "prompt_cache_key": "key", "store": true}));
    check(&request, &OPENAI, &openai, "web_search;dropped, top_k;dropped");
    let noted =
        "web_search;dropped, verbosity;dropped, metadata;dropped, store;dropped, top_k;dropped";
    check(&request, &[], &with(json!({"user": "u"})), noted);
}

#[test]
fn what_changes_nothing_is_not_said() {
    let request = Request {
        answers: Some(1),
        logprobs: None,
        store: Some(false),
        tier: Some(Tier::Auto),
        cache_key: Some("k".to_owned()),
        cache: Some(CacheMark::default()),
        reasoning: Some(Reasoning { budget: Some(Budget::Auto), ..Reasoning::default() }),
        parallel_calls: Some(true),
        tool_choice: Some(ToolChoice::Auto),
        stream_usage: true,
        ..Request::default()
    };
    check(&request, &[], &json!({}), "");
}

/// Bug 38 of the list: the bound went under a name that the model refuses.
#[test]
fn the_bound_stands_under_the_endpoints_name_and_keeps_to_the_models_own() {
    for (asked, ours, most, expected, noted) in [
        (Some(9), None, None, json!({"max_completion_tokens": 9}), ""),
        (Some(9), Some(5), None, json!({"max_completion_tokens": 9}), ""),
        (None, Some(5), None, json!({"max_completion_tokens": 5}), ""),
        (Some(9), None, Some(4), json!({"max_completion_tokens": 4}), "max_tokens;clamped"),
        (None, Some(9), Some(4), json!({"max_completion_tokens": 4}), ""),
        (None, None, Some(4), json!({}), ""),
    ] {
        let request = Request { max_output: asked, ..Request::default() };
        let target = Target {
            output_cap_field: "max_completion_tokens",
            max_output: most,
            output_cap: ours,
            ..target(&[])
        };
        let (mut body, notes) = written(&request, &target).unwrap();
        body.as_object_mut().unwrap().retain(|key, _| key.starts_with("max"));
        assert_eq!((body, notes.as_str()), (expected, noted));
    }
    let request = Request { max_output: Some(0), ..Request::default() };
    assert_eq!(written(&request, &target(&[])).unwrap_err().field, "max_tokens");
}

/// Bug 38 of the list: what a server does not take was sent to it.
#[test]
fn quirks_keep_back_what_would_be_refused() {
    let mut request = Request {
        sampling: chat::Sampling {
            temperature: Some(0.5),
            top_p: Some(0.5),
            ..chat::Sampling::default()
        },
        reasoning: Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() }),
        tools: vec![tool("f", Some("{}"), None)],
        parallel_calls: Some(false),
        stream: true,
        ..Request::default()
    };
    let tools = json!([{"type": "function",
        "function": {"name": "f", "description": "d", "parameters": {}}}]);
    let all = [Quirk::NoSampling, Quirk::NoEffort, Quirk::NoParallelFlag, Quirk::NoStreamOptions];
    let noted = "reasoning_effort;dropped, parallel_tool_calls;dropped, temperature;dropped, \
                 top_p;dropped";
    check(&request, &all, &json!({"tools": tools, "stream": true}), noted);
    // Bug 15 of the list: the flag is not said without tools.
    request.tools.clear();
    request.reasoning = None;
    request.sampling = chat::Sampling::default();
    let expected = json!({"stream": true, "stream_options": {"include_usage": true}});
    check(&request, &[], &expected, "");
}

/// Bug 38 of the list: models that think refused the whole request for its temperature.
#[test]
fn a_model_that_thinks_is_not_told_how_to_choose_words() {
    let sampling = chat::Sampling {
        temperature: Some(0.5),
        top_p: Some(1.0),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(0.0),
        logit_bias: Some(Json::empty_object()),
        seed: Some(7),
        ..chat::Sampling::default()
    };
    for (model, effort, kept) in [
        ("o3-mini", None, false),
        ("gpt-5.2", Some(Effort::High), false),
        ("gpt-5.2", None, true),
        ("gpt-4o", None, true),
    ] {
        let reasoning = effort.map(|it| Reasoning { effort: Some(it), ..Reasoning::default() });
        let request = Request { sampling: sampling.clone(), reasoning, ..Request::default() };
        let (body, notes) = written(&request, &Target { model, ..target(&OPENAI) }).unwrap();
        for field in ["temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias"]
        {
            assert_eq!(body.get(field).is_some(), kept, "{model}: {field}");
        }
        assert_eq!(body["seed"], 7);
        let noted = "temperature;dropped, frequency_penalty;dropped, logit_bias;dropped";
        assert_eq!(notes, if kept { "" } else { noted }, "{model}");
    }
}

#[test]
fn budgets_become_efforts() {
    for (budget, expected, noted) in [
        (Budget::Tokens(0), Some("none"), ""),
        (Budget::Tokens(1), Some("low"), "thinking.budget_tokens;changed"),
        (Budget::Tokens(2_048), Some("medium"), "thinking.budget_tokens;changed"),
        (Budget::Tokens(99_999), Some("max"), "thinking.budget_tokens;changed"),
        (Budget::Auto, None, ""),
    ] {
        let reasoning = Some(Reasoning { budget: Some(budget), ..Reasoning::default() });
        let request = Request { reasoning, ..Request::default() };
        let expected = expected.map_or(json!({}), |it| json!({"reasoning_effort": it}));
        check(&request, &[], &expected, noted);
    }
}

#[test]
fn more_than_four_stops_are_refused() {
    let stop = vec![String::new(); 5];
    let sampling = chat::Sampling { stop, ..chat::Sampling::default() };
    let request = Request { sampling, ..Request::default() };
    assert_eq!(written(&request, &target(&[])).unwrap_err().field, "stop");
}

#[test]
fn tiers_and_users_that_are_not_known_there_are_dropped() {
    let tier = |tier| Request { tier: Some(tier), ..Request::default() };
    let other = |word: &str| tier(Tier::Other(word.to_owned()));
    check(&tier(Tier::Flex), &[], &json!({"service_tier": "flex"}), "");
    check(&tier(Tier::Priority), &[], &json!({"service_tier": "priority"}), "");
    check(&other("scale"), &OPENAI, &json!({"service_tier": "scale"}), "");
    check(&other("scale"), &[], &json!({}), "service_tier;dropped");
    check(&other("x"), &OPENAI, &json!({}), "service_tier;dropped");
    let long = Request { user: Some("ü".repeat(65)), ..Request::default() };
    check(&long, &[], &json!({}), "user;dropped");
}

#[test]
fn forms_are_written_or_spelled_out() {
    let schema = |name: Option<&str>, strict| {
        let name = name.map(str::to_owned);
        let schema = raw(r#"{"type":"object"}"#);
        let format = Some(chat::Format::Schema { name, description: None, schema, strict });
        Request { format, turns: vec![user(vec![Part::text("Hi")])], ..Request::default() }
    };
    let expected = |name: &str, strict: Option<bool>| {
        let mut inner = json!({"name": name, "schema": {"type": "object"}});
        if let Some(strict) = strict {
            inner["strict"] = strict.into();
        }
        json!({"messages": [{"role": "user", "content": "Hi"}],
            "response_format": {"type": "json_schema", "json_schema": inner}})
    };
    check(&schema(None, None), &[], &expected("response", Some(true)), "");
    check(&schema(Some("n"), None), &[], &expected("n", None), "");
    check(&schema(Some("n"), Some(false)), &[], &expected("n", Some(false)), "");
    let spelled =
        "Answer with nothing but JSON that keeps to this JSON schema:\n{\"type\":\"object\"}";
    let emulated = json!({"messages": [{"role": "system", "content": spelled},
        {"role": "user", "content": "Hi"}], "response_format": {"type": "json_object"}});
    check(&schema(None, None), &[Quirk::NoJsonSchema], &emulated, "response_format;emulated");
    let object = Request { format: Some(chat::Format::Json), ..Request::default() };
    check(&object, &[], &json!({"response_format": {"type": "json_object"}}), "");
}

mod messages;
mod tools;
