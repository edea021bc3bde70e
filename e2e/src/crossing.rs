//! A stack with providers that speak one dialect each, all of them the strict demo provider:
//! whoever speaks another has to be translated.

use crate::{speak::Speech, stack::Stack};
use anyhow::Result;
use proto::admin::v1::{self, auth_style::Style};
use serde_json::json;

/// Models by how the demo provider behaves to them. Google's names are such that the state
/// of a call has to come back.
pub const MODELS: [(&str, &str); 13] = [
    ("gemini-3-plain", "strict"),
    ("gemini-3-cached", "strict,cached=2"),
    ("gemini-3-parallel", "strict,tool_calls=2"),
    ("gemini-3-thinks", "strict,reasoning=7,thoughts"),
    ("gemini-3-400", "status=400"),
    ("gemini-3-401", "status=401"),
    ("gemini-3-404", "status=404"),
    ("gemini-3-429", "status=429,retry_after=7"),
    ("gemini-3-503", "status=503"),
    ("gemini-3-early", "strict,tokens=20,error_after=0"),
    ("gemini-3-late", "strict,tokens=20,error_after=9"),
    ("gemini-3-reset", "strict,tokens=20,reset_after=9"),
    ("gemini-3-ends", "strict,tokens=20,close_after=9"),
];

/// Starts it. Reached by `only-{dialect}/{model}`; accounts are called `at-{dialect}`.
///
/// # Errors
/// When something does not start, or is not taken.
pub async fn start() -> Result<Stack> {
    let stack = Stack::builder().start().await?;
    for speech in Speech::ALL {
        stack.admin().add_provider(provider(speech)).await?;
        stack.admin().add_account(account(speech, stack.witness().url())).await?;
    }
    for (model, behave) in MODELS {
        stack.witness().behave(json!({ "model": model }), behave, None).await?;
    }
    stack.settled().await?;
    Ok(stack)
}

/// The name of the provider that speaks only this.
pub fn provider_name(speech: Speech) -> String {
    format!("only-{}", speech.name())
}

/// The name of its account.
pub fn account_name(speech: Speech) -> String {
    format!("at-{}", speech.name())
}

/// A model by its name, at the provider that speaks only this.
pub fn model_at(speech: Speech, model: &str) -> String {
    format!("{}/gemini-3-{model}", provider_name(speech))
}

fn provider(speech: Speech) -> v1::Provider {
    let style = match speech {
        Speech::OpenAi | Speech::Responses => Style::Bearer(v1::auth_style::Bearer {}),
        Speech::Anthropic => Style::Header("x-api-key".to_owned()),
        Speech::Gemini => Style::Header("x-goog-api-key".to_owned()),
    };
    let endpoint = v1::Endpoint {
        dialect: dialect(speech).into(),
        auth: Some(v1::AuthStyle { style: Some(style) }),
        ..v1::Endpoint::default()
    };
    let name = provider_name(speech);
    v1::Provider { title: name.clone(), name, endpoints: vec![endpoint], ..v1::Provider::default() }
}

fn account(speech: Speech, demo: &str) -> v1::Account {
    let version = if speech == Speech::Gemini { "v1beta" } else { "v1" };
    let url = format!("{demo}/{version}");
    v1::Account {
        name: account_name(speech),
        provider: provider_name(speech),
        credential: format!("credential-of-{}", speech.name()),
        base_urls: vec![v1::BaseUrl { dialect: dialect(speech).into(), url }],
        ..v1::Account::default()
    }
}

const fn dialect(speech: Speech) -> v1::Dialect {
    match speech {
        Speech::OpenAi => v1::Dialect::Openai,
        Speech::Responses => v1::Dialect::OpenaiResponses,
        Speech::Anthropic => v1::Dialect::Anthropic,
        Speech::Gemini => v1::Dialect::Gemini,
    }
}
