use super::{
    super::tests::{OLD, call, hi, request, result, target, told, told_to, tool, turn},
    *,
};
use crate::{
    chat::{Part, Role, Sampling, ToolChoice},
    json::Json,
};
use domain::catalog::Quirks;
use serde_json::{Value, json};

const BOTH: &str = "claude-opus-4-6";
const NEW: &str = "claude-opus-4-8";

#[test]
fn versions_are_found_in_the_names_of_every_seller() {
    for (model, expected) in [
        ("claude-opus-4-6", Some((4, 6))),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some((4, 5))),
        ("claude-3-7-sonnet-20250219", Some((3, 7))),
        ("claude-sonnet-4-20250514", Some((4, 0))),
        ("anthropic/Claude-Opus-4.8", Some((4, 8))),
        ("claude-haiku-4-5@20251001", Some((4, 5))),
        ("claude-sonnet-5", Some((5, 0))),
        ("claude-latest", None),
        ("glm-4-7", None),
        ("", None),
    ] {
        assert_eq!(version(model), expected, "{model}");
    }
}

fn reasoning(effort: Option<Effort>, budget: Option<Budget>) -> Option<Reasoning> {
    Some(Reasoning { effort, budget, ..Reasoning::default() })
}

#[test]
fn each_model_is_told_how_much_to_think_in_its_own_way() {
    let tokens = |it| Some(Budget::Tokens(it));
    let enabled = |it: u64| json!({"type": "enabled", "budget_tokens": it});
    let off = json!({"type": "disabled"});
    let adaptive = json!({"type": "adaptive"});
    let none = Value::Null;
    let high = Some(Effort::High);
    for (model, wanted, thinking, effort, noted) in [
        (OLD, None, none.clone(), none.clone(), ""),
        (OLD, reasoning(high, None), enabled(4_096), none.clone(), ""),
        (OLD, reasoning(Some(Effort::Minimal), None), enabled(1_024), none.clone(), ""),
        (OLD, reasoning(Some(Effort::None), None), off.clone(), none.clone(), ""),
        (OLD, reasoning(high, tokens(0)), off.clone(), none.clone(), ""),
        (
            OLD,
            reasoning(None, tokens(500)),
            enabled(1_024),
            none.clone(),
            "thinking.budget_tokens;clamped",
        ),
        (
            OLD,
            reasoning(None, tokens(9_000)),
            enabled(7_200),
            none.clone(),
            "thinking.budget_tokens;clamped",
        ),
        (
            OLD,
            reasoning(None, Some(Budget::Auto)),
            enabled(2_048),
            none.clone(),
            "thinking.budget_tokens;changed",
        ),
        (OLD, reasoning(None, None), none.clone(), none.clone(), ""),
        (BOTH, reasoning(None, tokens(2_000)), enabled(2_000), none.clone(), ""),
        (
            BOTH,
            reasoning(Some(Effort::XHigh), None),
            adaptive.clone(),
            json!("high"),
            "reasoning_effort;clamped",
        ),
        (NEW, reasoning(Some(Effort::XHigh), None), adaptive.clone(), json!("xhigh"), ""),
        (
            NEW,
            reasoning(Some(Effort::Minimal), None),
            adaptive.clone(),
            json!("low"),
            "reasoning_effort;clamped",
        ),
        (NEW, reasoning(None, Some(Budget::Auto)), adaptive.clone(), none.clone(), ""),
        (
            NEW,
            reasoning(None, tokens(4_000)),
            adaptive.clone(),
            json!("high"),
            "thinking.budget_tokens;changed",
        ),
        (NEW, reasoning(Some(Effort::None), None), off.clone(), none.clone(), ""),
        ("glm-5", reasoning(high, None), enabled(4_096), none.clone(), ""),
    ] {
        let request = Request { reasoning: wanted.clone(), ..hi() };
        let (body, notes) = told_to(&target(model), &request).unwrap();
        let got = (&body["thinking"], &body["output_config"]["effort"], notes.as_str());
        assert_eq!(got, (&thinking, &effort, noted), "{model} {wanted:?}");
    }
    let quirks = Quirks::NONE.with(Quirk::NoEffort);
    let request = Request { reasoning: reasoning(high, None), ..hi() };
    let (body, _) = told_to(&Target { quirks, ..target(NEW) }, &request).unwrap();
    assert_eq!(body["thinking"], enabled(4_096));
}

#[test]
fn thoughts_and_their_maximum_fit_each_other() {
    let of = |max_output, target: &Target<'_>| {
        let reasoning = reasoning(Some(Effort::Max), None);
        told_to(target, &Request { max_output, reasoning, ..hi() }).unwrap()
    };
    let budget =
        |body: &Value| (body["max_tokens"].as_u64(), body["thinking"]["budget_tokens"].as_u64());
    let (body, _) = of(None, &target(OLD));
    assert_eq!(budget(&body), (Some(20_480), Some(16_384)));
    let (body, _) = of(None, &Target { output_cap: Some(2_000), ..target(OLD) });
    assert_eq!(budget(&body), (Some(2_000), Some(1_600)));
    let (body, _) = of(Some(1_025), &target(OLD));
    assert_eq!(budget(&body), (Some(1_025), Some(1_024)));
    let (body, notes) = of(Some(1_024), &target(OLD));
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!(notes, "thinking;dropped");
}

#[test]
fn what_of_thoughts_may_be_read_is_told_to_those_who_ask() {
    for (show, display) in [(Show::Nothing, "omitted"), (Show::Summary, "summarized")] {
        let reasoning =
            Some(Reasoning { show: Some(show), effort: Some(Effort::Low), ..Reasoning::default() });
        let (body, _) = told_to(&target(NEW), &Request { reasoning, ..hi() }).unwrap();
        assert_eq!(body["thinking"]["display"], display);
    }
}

/// Bug 14 of the list: thoughts beside a forced choice of a tool, which Anthropic refuses. The same
/// holds for calls whose thoughts are lost.
#[test]
fn who_has_to_call_or_lost_its_thoughts_does_not_think() {
    let thinks = || reasoning(None, Some(Budget::Tokens(2_000)));
    let forced = Request {
        tools: vec![tool("f", None)],
        tool_choice: Some(ToolChoice::Required),
        reasoning: thinks(),
        ..hi()
    };
    let lost = Request {
        reasoning: thinks(),
        ..request(vec![
            turn(Role::User, vec![Part::text("Go")]),
            turn(Role::Assistant, vec![call("a", "{}")]),
            turn(Role::User, vec![result("a", Vec::new(), false)]),
        ])
    };
    for request in [forced, lost] {
        let (body, notes) = told(&request);
        assert_eq!(body["thinking"], json!({"type": "disabled"}));
        assert_eq!(notes, "thinking;dropped");
    }
}

#[test]
fn words_are_chosen_within_anthropics_bounds() {
    let all = Sampling {
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(5),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(0.0),
        seed: Some(1),
        stop: vec!["END".to_owned(), " ".to_owned()],
        logit_bias: Some(Json::empty_object()),
    };
    let request = Request { sampling: all, ..hi() };
    let (body, notes) = told(&request);
    assert_eq!((&body["temperature"], &body["top_k"]), (&json!(1.0), &json!(5)));
    assert_eq!((body.get("top_p"), &body["stop_sequences"]), (None, &json!(["END"])));
    assert_eq!(
        notes,
        "frequency_penalty;dropped, seed;dropped, logit_bias;dropped, stop;dropped, \
         top_p;dropped, temperature;clamped"
    );
    let quirks = Quirks::NONE.with(Quirk::NoSampling);
    for target in [target(NEW), Target { quirks, ..target(OLD) }] {
        let (body, notes) = told_to(&target, &request).unwrap();
        for field in ["temperature", "top_p", "top_k"] {
            assert!(body.get(field).is_none() && notes.contains(&format!("{field};dropped")));
        }
    }
    let (body, notes) = told(&Request { reasoning: reasoning(Some(Effort::Low), None), ..request });
    assert!(body.get("temperature").is_some() && body.get("top_k").is_none(), "{notes}");
}
