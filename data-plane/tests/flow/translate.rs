//! How much a route lets be adapted: a caller of OpenAI's dialect, a provider of another.

use crate::{
    crossings::{MESSAGE_EVENTS, speaking},
    stage::{ANSWER, Plan, Stage, body, header},
    upstream::{Step, chunk, stream_head},
};
use domain::catalog::{AuthStyle, BaseUrl, Dialect, Endpoint, Quirks, Translation};
use reqwest::Response;
use serde_json::json;

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"big","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":3}}"#;

/// Both accounts speak only Anthropic's dialect, behind a route of this kind.
async fn plan(translation: Translation) -> Plan {
    let mut plan = Plan::new().await;
    let dialect = Dialect::Anthropic;
    let (auth, quirks) = (AuthStyle::Bearer, Quirks::NONE);
    plan.providers[0].endpoints =
        vec![Endpoint { dialect, base_url: None, auth, output_cap_field: None, quirks }];
    for account in &mut plan.accounts {
        let url = account.base_urls[0].url.clone();
        account.base_urls = vec![BaseUrl { dialect, url }];
    }
    plan.routes[0].translation = translation;
    plan
}

/// Asks `model` for what Anthropic's dialect has no words for.
async fn ask(stage: &Stage, model: &str) -> Response {
    let asked = json!({
        "model": model, "frequency_penalty": 0.5, "seed": 7, "logit_bias": {"50256": -100},
        "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}],
    });
    stage.post("/v1/chat/completions", asked.to_string()).send().await.unwrap()
}

#[tokio::test]
async fn a_lenient_route_says_what_comes_nearest_and_names_what_it_left_out() {
    let stage = plan(Translation::Lenient).await.start().await;
    stage.main.then_json(200, MESSAGE);
    let response = ask(&stage, "fast").await;
    assert_eq!(response.status(), 200);
    let adapted = header(&response, "x-sluice-adapted").unwrap();
    for field in ["frequency_penalty;dropped", "seed;dropped", "logit_bias;dropped"] {
        assert!(adapted.contains(field), "{field}: {adapted}");
    }
    assert_eq!(body(response).await["choices"][0]["message"]["content"], "hi");
}

#[tokio::test]
async fn a_strict_route_refuses_it_and_names_the_fields_and_asks_nobody() {
    let stage = plan(Translation::Strict).await.start().await;
    let response = ask(&stage, "fast").await;
    assert_eq!(response.status(), 400);
    let answer = body(response).await;
    let error = &answer["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["param"], "frequency_penalty");
    let message = error["message"].as_str().unwrap();
    for word in ["`fast`", "frequency_penalty", "seed", "logit_bias"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(stage.main.got().is_empty() && stage.spare.got().is_empty());
    assert_eq!(stage.usage.pending(), 0);
}

#[tokio::test]
async fn a_strict_route_takes_what_can_be_said_to_the_letter() {
    let stage = plan(Translation::Strict).await.start().await;
    stage.main.then_json(200, MESSAGE);
    let asked = json!({
        "model": "fast", "max_tokens": 50, "temperature": 0.5, "stop": ["END"],
        "messages": [{"role": "user", "content": "hello"}],
    });
    let response = stage.post("/v1/chat/completions", asked.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-sluice-adapted"), None);
}

#[tokio::test]
async fn a_strict_route_goes_on_to_a_target_that_can_hear_it() {
    let mut plan = plan(Translation::Strict).await;
    let mut other = plan.providers[0].clone();
    other.name = "other".parse().unwrap();
    other.endpoints[0].dialect = Dialect::OpenAi;
    plan.providers.push(other);
    plan.accounts[1].provider = "other".parse().unwrap();
    plan.accounts[1].base_urls[0].dialect = Dialect::OpenAi;
    let stage = plan.start().await;
    stage.spare.then_json(200, ANSWER);
    let response = ask(&stage, "fast").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("1"));
    assert!(stage.main.got().is_empty());
}

#[tokio::test]
async fn a_name_without_a_route_is_lenient() {
    let stage = plan(Translation::Strict).await.start().await;
    // Either of the two accounts may be asked.
    stage.main.then_json(200, MESSAGE);
    stage.spare.then_json(200, MESSAGE);
    let response = ask(&stage, "claude-sonnet").await;
    assert_eq!(response.status(), 200);
    assert!(header(&response, "x-sluice-adapted").is_some());
}

/// A provider of Responses that says 200 and, in its body, that the model failed.
#[tokio::test]
async fn a_whole_answer_that_says_it_failed_is_a_failed_attempt() {
    let stage = speaking(Dialect::OpenAiResponses).await;
    let failed = json!({
        "id": "resp_1", "object": "response", "status": "failed", "output": [],
        "error": {"code": "server_error", "message": "The model failed."},
    });
    let good = json!({
        "id": "resp_2", "object": "response", "status": "completed",
        "output": [{"type": "message", "id": "m", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}]}],
    });
    stage.main.then_json(200, &failed.to_string());
    stage.spare.then_json(200, &good.to_string());
    let response = stage.chat().await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-sluice-attempts").as_deref(), Some("2"));
    assert_eq!(body(response).await["choices"][0]["message"]["content"], "hi");
    for upstream in [&stage.main, &stage.spare] {
        upstream.then_json(200, &failed.to_string());
    }
    let response = stage.chat().await;
    assert_eq!(response.status(), 502);
    assert_eq!(body(response).await["error"]["message"], "The model failed.");
}

/// Some providers answer with a stream though none was asked for. One that breaks off must not
/// end as an empty answer.
#[tokio::test]
async fn a_stream_that_nobody_asked_for_breaks_the_whole_answer_when_it_breaks_off() {
    for end in [Step::Close, Step::Reset, Step::Send(b"0\r\n\r\n".to_vec())] {
        let stage = speaking(Dialect::Anthropic).await;
        let mut steps = vec![Step::Send(stream_head())];
        steps.extend(MESSAGE_EVENTS[..3].iter().map(|it| Step::Send(chunk(it))));
        steps.push(end);
        stage.main.then(steps);
        let response = stage.chat().await;
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.is_err());
    }
    let stage = speaking(Dialect::Anthropic).await;
    stage.main.then_events(&MESSAGE_EVENTS);
    assert_eq!(body(stage.chat().await).await["choices"][0]["message"]["content"], "hi");
}
