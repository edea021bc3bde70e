use super::*;
use crate::chat::{Part, Role, Tool, ToolKind, Turn};
use crate::translate::Original;
use domain::catalog::{Dialect, Quirk, Quirks};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn target(dialect: Dialect, quirks: &[Quirk]) -> Target<'static> {
    Target {
        dialect,
        model: "m",
        quirks: quirks.iter().copied().collect::<Quirks>(),
        output_cap_field: "max_tokens",
        max_output: None,
        output_cap: None,
    }
}

fn tool(name: &str, namespace: Option<&str>, kind: ToolKind) -> Tool {
    Tool {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        description: Some("d".to_owned()),
        kind,
        cache: None,
    }
}

fn function(name: &str) -> Tool {
    tool(name, None, ToolKind::Function { schema: None, strict: None })
}

fn spaced(name: &str, namespace: &str) -> Tool {
    tool(name, Some(namespace), ToolKind::Function { schema: None, strict: None })
}

fn custom(name: &str, format: Option<&str>) -> Tool {
    let format = format.map(|it| Json::parse(it).unwrap());
    tool(name, None, ToolKind::Custom { format })
}

fn call(id: &str, name: &str, namespace: Option<&str>, input: CallInput) -> Turn {
    let content = Content::Call(Call {
        id: id.to_owned(),
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        input,
        opaque: None,
    });
    Turn { role: Role::Assistant, name: None, parts: vec![Part::new(content)] }
}

fn result(call: &str, name: Option<&str>, custom: bool) -> Turn {
    let content = Content::Result(CallResult {
        call: call.to_owned(),
        name: name.map(str::to_owned),
        parts: vec![Part::text("r")],
        failed: false,
        custom,
    });
    Turn { role: Role::User, name: None, parts: vec![Part::new(content)] }
}

struct Fitted {
    request: Request,
    thread: Thread,
    notes: String,
    borrowed: bool,
}

fn fitted(request: &Request, target: &Target<'_>) -> Fitted {
    let (mut thread, mut notes) = (Thread::default(), Notes::default());
    let fitted = fit(request, target, &mut thread, &mut notes);
    let borrowed = matches!(fitted, Cow::Borrowed(_));
    Fitted { request: fitted.into_owned(), thread, notes: notes.to_string(), borrowed }
}

fn with_tools(tools: Vec<Tool>) -> Request {
    Request { tools, ..Request::default() }
}

/// What the tools of these names become.
fn names(target: &Target<'_>, tools: Vec<Tool>) -> Vec<String> {
    fitted(&with_tools(tools), target).request.tools.into_iter().map(|it| it.name).collect()
}

fn parts(request: &Request) -> Vec<&Content> {
    request.turns.iter().flat_map(|it| &it.parts).map(|it| &it.content).collect()
}

#[test]
fn what_fits_is_left_alone() {
    let request = Request {
        tools: vec![function("get_weather"), function("a-b")],
        turns: vec![
            call("call_1", "get_weather", None, CallInput::Json(Json::empty_object())),
            result("call_1", None, false),
        ],
        tool_choice: Some(ToolChoice::One { name: "a-b".to_owned() }),
        ..Request::default()
    };
    for dialect in Dialect::ALL {
        let fitted = fitted(&request, &target(dialect, &[]));
        assert!(fitted.borrowed && fitted.thread.names == crate::translate::Names::default());
        assert!(fitted.notes.is_empty() && fitted.request == request);
    }
}

/// Bug 21 of the list: names that are too long were sent as they are, or cut off.
#[test]
fn names_get_the_targets_form() {
    let long = format!("mcp__server__{}", "x".repeat(60));
    let tools = || ["a.b", &long, "2nd", "ä"].map(function).to_vec();
    for (dialect, kept) in [
        (Dialect::OpenAi, [false, false, true, false]),
        (Dialect::OpenAiResponses, [false, false, true, false]),
        (Dialect::Anthropic, [false, true, true, false]),
        (Dialect::Gemini, [true, false, false, false]),
        (Dialect::Bedrock, [false, false, true, false]),
    ] {
        let names = names(&target(dialect, &[]), tools());
        for ((name, tool), kept) in names.iter().zip(tools()).zip(kept) {
            assert_eq!(*name == tool.name, kept, "{dialect}: {name}");
            if !kept {
                assert!(name.len() <= 64 && name.is_ascii(), "{name}");
                assert!(!name.starts_with('2') && !name.contains('.'));
            }
        }
        if dialect == Dialect::OpenAi {
            assert!(names[0].starts_with("a_b_") && names[0].len() == 12, "{}", names[0]);
            assert_eq!(names[1].len(), 64);
            assert_eq!(&names[1][..55], &long[..55]);
        }
    }
}

/// Bug 21 of the list (litellm#17904, #20107, claude-code-router#1348): two long names that begin
/// alike.
#[test]
fn names_stay_different_and_the_same_from_request_to_request() {
    let long = "x".repeat(70);
    let tools = || vec![function(&format!("{long}a")), function(&format!("{long}b"))];
    let target = target(Dialect::OpenAi, &[]);
    let first = names(&target, tools());
    assert_ne!(first[0], first[1]);
    assert_eq!(first, names(&target, tools()));
    let reversed: Vec<_> = tools().into_iter().rev().collect();
    assert_eq!(names(&target, reversed), [first[1].clone(), first[0].clone()]);
}

/// Bug 30 of the list: tools in namespaces were dropped.
#[test]
fn namespaces_go_into_the_name() {
    let tools = || vec![spaced("exec", "shell"), function("exec")];
    let request = with_tools(tools());
    for dialect in Dialect::ALL {
        let fitted = fitted(&request, &target(dialect, &[]));
        let tool = &fitted.request.tools[0];
        assert_eq!((tool.name.as_str(), &tool.namespace), ("shell__exec", &None));
        assert_eq!(fitted.request.tools[1].name, "exec");
        let namespace = Some("shell".to_owned());
        let original = Original { name: "exec".to_owned(), namespace, wrapped: false };
        assert_eq!(fitted.thread.names.original("shell__exec"), Some(&original));
        assert!(fitted.notes.is_empty());
    }
}

#[test]
fn names_that_would_be_the_same_are_told_apart() {
    let tools = vec![spaced("c", "a__b"), spaced("b__c", "a"), function("a__b__c")];
    let fitted = fitted(&with_tools(tools.clone()), &target(Dialect::Anthropic, &[]));
    let all: BTreeSet<_> = fitted.request.tools.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(all.len(), 3);
    // Whose name needs no change has it.
    assert_eq!(fitted.request.tools[2].name, "a__b__c");
    for (old, new) in tools.iter().zip(&fitted.request.tools).take(2) {
        let original = fitted.thread.names.original(&new.name).unwrap();
        assert_eq!((&original.name, &original.namespace), (&old.name, &old.namespace));
    }
}

/// Bug 30 of the list (litellm#20905, CodexRosetta#11): tools that take free text.
#[test]
fn tools_that_take_texts_are_wrapped_where_there_are_only_functions() {
    let grammar = r#"{"type":"grammar","syntax":"lark","definition":"start: \"x\""}"#;
    let nested = r#"{"type":"grammar","grammar":{"syntax":"regex","definition":"x+"}}"#;
    let tools = vec![
        custom("patch", Some(grammar)),
        custom("say", Some(r#"{"type":"text"}"#)),
        custom("re", Some(nested)),
    ];
    let request = with_tools(tools);
    let whole = [(Dialect::OpenAiResponses, vec![]), (Dialect::OpenAi, vec![Quirk::CustomTools])];
    for (dialect, quirks) in whole {
        assert!(fitted(&request, &target(dialect, &quirks)).borrowed);
    }
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini, Dialect::Bedrock] {
        let fitted = fitted(&request, &target(dialect, &[]));
        let tools = &fitted.request.tools;
        let schema = json!({
            "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]
        });
        let kind = ToolKind::Function { schema: Some(Json::of(&schema)), strict: None };
        assert!(tools.iter().all(|it| it.kind == kind));
        let words: Vec<_> = tools.iter().map(|it| it.description.as_deref().unwrap()).collect();
        assert!(words[0].starts_with("d\n\n") && words[0].ends_with("(lark):\nstart: \"x\""));
        assert!(words[1].ends_with("`input`.") && words[2].ends_with("(regex):\nx+"));
        assert_eq!(fitted.notes, "tools.format;changed");
        assert!(fitted.thread.names.original("patch").unwrap().wrapped);
    }
}

#[test]
fn history_and_choice_follow_the_tools() {
    let text = || CallInput::Text("*** Begin".to_owned());
    let request = Request {
        tools: vec![spaced("exec", "shell"), custom("patch", None), function("a.b")],
        turns: vec![
            call("1", "exec", Some("shell"), CallInput::Json(Json::empty_object())),
            call("2", "patch", None, text()),
            call("3", "a.b", None, text()),
            // Not offered any more.
            call("4", "old", Some("shell"), text()),
            call("5", "c.d", None, text()),
            result("1", Some("exec"), false),
            result("2", None, true),
            result("3", Some("a.b"), false),
            result("4", None, true),
            result("9", Some("a.b"), false),
        ],
        tool_choice: Some(ToolChoice::One { name: "exec".to_owned() }),
        ..Request::default()
    };
    let fitted = fitted(&request, &target(Dialect::Anthropic, &[]));
    let upstream: Vec<_> = fitted.request.tools.iter().map(|it| it.name.clone()).collect();
    let parts = parts(&fitted.request);
    let called: Vec<_> = parts
        .iter()
        .filter_map(|it| if let Content::Call(it) = it { Some(it) } else { None })
        .collect();
    let names: Vec<_> = called.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names[..4], [&upstream[0], "patch", &upstream[2], "shell__old"]);
    assert!(called.iter().all(|it| it.namespace.is_none()));
    let wrapped = CallInput::Json(Json::of(&json!({"input": "*** Begin"})));
    assert_eq!((&called[1].input, &called[3].input), (&wrapped, &wrapped));
    // What a model meant for JSON is not wrapped.
    assert_eq!((&called[2].input, &called[4].input), (&text(), &text()));
    let results: Vec<_> = parts
        .iter()
        .filter_map(|it| if let Content::Result(it) = it { Some(it) } else { None })
        .map(|it| (it.name.as_deref(), it.custom))
        .collect();
    let renamed = Some(upstream[2].as_str());
    assert_eq!(
        results,
        [
            (Some("shell__exec"), false),
            (None, false),
            (renamed, false),
            (None, false),
            (renamed, false)
        ]
    );
    let one = ToolChoice::One { name: "shell__exec".to_owned() };
    assert_eq!(fitted.request.tool_choice, Some(one));
}

#[test]
fn a_choice_of_a_name_is_for_all_namespaces_that_have_it() {
    let choice = |choice| {
        let tools = vec![spaced("run", "a"), spaced("run", "b"), function("x.y")];
        let request = Request { tool_choice: Some(choice), ..with_tools(tools) };
        fitted(&request, &target(Dialect::Gemini, &[])).request.tool_choice.unwrap()
    };
    let names = vec!["a__run".to_owned(), "b__run".to_owned()];
    assert_eq!(
        choice(ToolChoice::One { name: "run".to_owned() }),
        ToolChoice::Allowed { required: true, names: names.clone() }
    );
    let flat = ToolChoice::One { name: "a__run".to_owned() };
    assert_eq!(choice(flat.clone()), flat);
    let both =
        ToolChoice::Allowed { required: false, names: vec!["x.y".to_owned(), "run".to_owned()] };
    let names = ["x.y".to_owned()].into_iter().chain(names).collect();
    assert_eq!(choice(both), ToolChoice::Allowed { required: false, names });
    assert_eq!(choice(ToolChoice::Required), ToolChoice::Required);
}

/// Bug 22 of the list (llm-rosetta#596, experiential#801): ids that the target does not take.
#[test]
fn ids_are_fitted_together_with_the_tools() {
    let request = Request {
        turns: vec![
            call("functions.x:0", "x", None, CallInput::Json(Json::empty_object())),
            result("functions.x:0", None, false),
        ],
        ..Request::default()
    };
    let fitted = fitted(&request, &target(Dialect::Anthropic, &[]));
    let [Content::Call(call), Content::Result(result)] = parts(&fitted.request)[..] else {
        panic!("{:?}", fitted.request)
    };
    assert_eq!(call.id, result.call);
    assert!(call.id.starts_with("functions_x_0_"));
}

#[test]
fn results_without_ids_keep_their_names_apart() {
    let input = || CallInput::Json(Json::empty_object());
    let request = Request {
        tools: vec![spaced("a", "n"), spaced("b", "n")],
        turns: vec![
            call("", "a", Some("n"), input()),
            call("", "b", Some("n"), input()),
            result("", Some("a"), false),
            result("", Some("b"), false),
        ],
        ..Request::default()
    };
    let fitted = fitted(&request, &target(Dialect::Anthropic, &[]));
    let parts = parts(&fitted.request);
    let [Content::Call(a), Content::Call(b), Content::Result(of_a), Content::Result(of_b)] =
        parts[..]
    else {
        panic!("{parts:?}")
    };
    assert_eq!((&a.id, &b.id), (&of_a.call, &of_b.call));
    assert_ne!(a.id, b.id);
    assert_eq!(of_b.name.as_deref(), Some("n__b"));
}

proptest! {
    #[test]
    fn any_tools_get_names_that_the_target_takes_and_that_lead_back(
        names in prop::collection::btree_set(("[a-c._: ä0-9-]{0,3}", prop::option::of("[a_]{1,2}")), 1..8),
    ) {
        let tools: Vec<_> = names.iter().map(|(name, namespace)| match namespace {
            Some(namespace) => spaced(name, namespace),
            None => function(name),
        }).collect();
        for dialect in Dialect::ALL {
            let fitted = fitted(&with_tools(tools.clone()), &target(dialect, &[]));
            let mut seen = BTreeSet::new();
            for (old, new) in tools.iter().zip(&fitted.request.tools) {
                let gemini = dialect == Dialect::Gemini;
                let fine = |it: char| it.is_ascii_alphanumeric() || "_-".contains(it) || (gemini && ".:".contains(it));
                prop_assert!(!new.name.is_empty() && new.name.chars().all(fine), "{}", new.name);
                prop_assert!(!gemini || !new.name.starts_with(|it: char| !it.is_ascii_alphabetic() && it != '_'));
                prop_assert!(seen.insert((new.name.clone(), new.namespace.clone())), "{}", new.name);
                match fitted.thread.names.original(&new.name) {
                    Some(it) => prop_assert_eq!((&it.name, &it.namespace), (&old.name, &old.namespace)),
                    None => prop_assert_eq!((&new.name, &new.namespace), (&old.name, &old.namespace)),
                }
            }
        }
    }
}
