//! OpenAI's and Anthropic's own SDKs, for Python and for Node, through a real stack.
#![expect(clippy::unwrap_used, reason = "tests")]

use anyhow::Result;
use e2e::{
    demo::{MODELS, embeddings},
    sdk::{self, node, python},
    stack::Stack,
};
use proto::admin::v1::VirtualKey;
use serde_json::{Value, json};
use std::process::Command;

const SAID: &str = "of the demo provider. You said: hello from the SDK";

/// What a script saw through a stack of its own.
async fn facts(command: Result<Command>) -> Result<(Stack, Value)> {
    let mut command = command?;
    let stack = Stack::builder().start().await?;
    let disabled = VirtualKey { name: "off".into(), disabled: true, ..VirtualKey::default() };
    let disabled = stack.admin().make_key(disabled).await?.secret;
    stack.settled().await?;
    for (model, behave) in [
        ("demo-429", "status=429"),
        ("demo-500", "status=500"),
        ("demo-breaks", "tokens=40,reset_after=9"),
    ] {
        stack.witness().behave(json!({"model": model}), behave, None).await?;
    }
    command.env("DISABLED_KEY", disabled);
    let facts = sdk::facts(&stack, command).await?;
    Ok((stack, facts))
}

fn check_errors(facts: &Value) {
    for (name, class, status) in [
        ("wrong_key", "AuthenticationError", 401),
        ("disabled_key", "PermissionDeniedError", 403),
        ("unknown_model", "NotFoundError", 404),
        ("bad_request", "BadRequestError", 400),
        ("rate_limit", "RateLimitError", 429),
        ("internal", "InternalServerError", 500),
    ] {
        let error = &facts["errors"][name];
        assert_eq!(
            (&error["class"], &error["status"]),
            (&json!(class), &json!(status)),
            "{name}: {error}"
        );
        let id = error["request_id"].as_str().unwrap_or_default();
        assert!(id.starts_with("req_"), "{name}: {error}");
    }
    assert_ne!(facts["broken_stream"], "none", "a broken stream is an exception");
}

fn check_tools(facts: &Value, finish: &str) {
    for name in ["tools", "tools_streamed"] {
        let seen = &facts[name];
        assert_eq!(seen["finish_reason"], finish, "{name}");
        assert_eq!(
            (&seen["name"], &seen["arguments"]),
            (&json!("get_weather"), &json!({"city": "Paris"})),
            "{name}"
        );
        assert_eq!(seen["answer"], "The tool says: sunny, 21 degrees", "{name}");
    }
}

fn check_models(facts: &Value, model: &str) {
    let names = facts["models"].as_array().cloned().unwrap_or_default();
    assert!(MODELS.iter().all(|it| names.contains(&json!(it))), "{names:?}");
    assert_eq!(facts["model"], model);
}

async fn check_openai(command: Result<Command>) {
    let (stack, facts) = facts(command).await.unwrap();
    let text = json!(format!("This is gpt-4o-mini {SAID}"));
    let chat = &facts["chat"];
    assert_eq!((&chat["text"], &chat["finish_reason"]), (&text, &json!("stop")));
    assert_eq!(chat["model"], "gpt-4o-mini");
    assert_eq!(chat["sdk_request_id"], chat["request_id"]);
    let stream = &facts["stream"];
    assert_eq!((&stream["text"], &stream["usages"]), (&text, &json!([])), "{stream}");
    assert_eq!(stream["finish_reasons"], json!(["stop"]));
    let stream = &facts["stream_with_usage"];
    assert_eq!((&stream["text"], &stream["usages"][0]), (&text, &chat["usage"]), "{stream}");
    check_tools(&facts, "tool_calls");
    let vectors = &facts["embeddings"];
    assert_eq!((&vectors["lengths"], &vectors["tokens"]), (&json!([1536, 1536]), &json!(2)));
    let plain: Vec<f32> = serde_json::from_value(vectors["plain"].clone()).unwrap();
    assert_eq!(plain, embeddings::vector("one", 16));
    check_models(&facts, "gpt-4o-mini");
    check_errors(&facts);
    assert_eq!(facts["errors"]["unknown_model"]["code"], "model_not_found");
    let record = stack.admin().usage_of(chat["request_id"].as_str().unwrap()).await.unwrap();
    let tokens = record.tokens.unwrap();
    assert_eq!(chat["usage"], json!([tokens.input, tokens.output]));
    assert_eq!(stack.errors(), Vec::<String>::new());
}

async fn check_anthropic(command: Result<Command>) {
    let (stack, facts) = facts(command).await.unwrap();
    let text = json!(format!("This is claude-haiku-4-5 {SAID}"));
    let (message, stream) = (&facts["message"], &facts["stream"]);
    assert_eq!((&message["text"], &message["stop_reason"]), (&text, &json!("end_turn")));
    assert_eq!((&stream["text"], &stream["stop_reason"]), (&text, &json!("end_turn")));
    assert_eq!(stream["usage"], message["usage"]);
    check_tools(&facts, "tool_use");
    assert_eq!(facts["count_tokens"], message["usage"][0]);
    check_models(&facts, "claude-haiku-4-5");
    check_errors(&facts);
    let record = stack.admin().usage_of(message["request_id"].as_str().unwrap()).await.unwrap();
    let tokens = record.tokens.unwrap();
    assert_eq!(message["usage"], json!([tokens.input, tokens.output]));
    assert_eq!(stack.errors(), Vec::<String>::new());
}

#[tokio::test]
async fn openai_for_python_is_served() {
    check_openai(python("openai_sdk.py")).await;
}

#[tokio::test]
async fn openai_for_node_is_served() {
    check_openai(node("openai_sdk.mjs")).await;
}

#[tokio::test]
async fn anthropic_for_python_is_served() {
    check_anthropic(python("anthropic_sdk.py")).await;
}

#[tokio::test]
async fn anthropic_for_node_is_served() {
    check_anthropic(node("anthropic_sdk.mjs")).await;
}
