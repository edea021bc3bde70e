//! The models that a caller may use, in the form of each dialect's `/v1/models`, with what
//! is known of them. What is not known is left out.

use crate::error::json;
use bytes::Bytes;
use domain::{
    catalog::{Dialect, Operation},
    snapshot::Listed,
};
use serde::Serialize;

/// The answer to `GET /v1/models`: all of `models`, in the order given, on one page.
pub fn list(dialect: Dialect, models: &[Listed]) -> Bytes {
    match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock => {
            json(&OpenAiList { object: "list", data: models.iter().map(OpenAiModel::of).collect() })
        }
        Dialect::Gemini => {
            json(&GeminiList { models: models.iter().map(GeminiModel::of).collect() })
        }
        Dialect::Anthropic => json(&AnthropicList {
            data: models.iter().map(AnthropicModel::of).collect(),
            has_more: false,
            first_id: models.first().map(|it| it.name.as_str()),
            last_id: models.last().map(|it| it.name.as_str()),
        }),
    }
}

/// The answer to `GET /v1/models/{id}`.
pub fn one(dialect: Dialect, model: &Listed) -> Bytes {
    match dialect {
        Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Bedrock => {
            json(&OpenAiModel::of(model))
        }
        Dialect::Gemini => json(&GeminiModel::of(model)),
        Dialect::Anthropic => json(&AnthropicModel::of(model)),
    }
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds since the Unix epoch. SDKs insist on a number, and we know none.
    created: u64,
    owned_by: &'a str,
    // OpenAI says none of these; other gateways do, and clients read them there.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<&'static str>,
}

impl<'a> OpenAiModel<'a> {
    fn of(model: &'a Listed) -> Self {
        Self {
            id: &model.name,
            object: "model",
            created: 0,
            owned_by: &model.owner,
            context_length: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            capabilities: model.operations.iter().map(|it| it.as_str()).collect(),
        }
    }
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    /// Google's models live under `models/`.
    name: String,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: Vec<&'static str>,
}

impl<'a> GeminiModel<'a> {
    fn of(model: &'a Listed) -> Self {
        Self {
            name: format!("models/{}", model.name),
            display_name: &model.name,
            input_token_limit: model.context_tokens,
            output_token_limit: model.max_output_tokens,
            supported_generation_methods: methods(&model.operations),
        }
    }
}

/// What can be called on a model. Clients leave out models that lack the method they want,
/// so one of which nothing is known has them all.
fn methods(operations: &[Operation]) -> Vec<&'static str> {
    let known: &[Operation] = if operations.is_empty() { &Operation::ALL } else { operations };
    let method = |it: &Operation| match it {
        Operation::Chat => Some("generateContent"),
        Operation::CountTokens => Some("countTokens"),
        Operation::Embeddings => Some("embedContent"),
        Operation::Completions => None,
    };
    known.iter().filter_map(method).collect()
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    /// Anthropic writes the epoch where a release date is not known, and so do we.
    created_at: &'static str,
    /// What is listed can be asked.
    lifecycle: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
}

impl<'a> AnthropicModel<'a> {
    fn of(model: &'a Listed) -> Self {
        Self {
            kind: "model",
            id: &model.name,
            display_name: &model.name,
            created_at: "1970-01-01T00:00:00Z",
            lifecycle: "active",
            max_input_tokens: model.context_tokens,
            max_tokens: model.max_output_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn listed(name: &str) -> Listed {
        Listed {
            name: name.to_owned(),
            owner: "acme".to_owned(),
            operations: Vec::new(),
            context_tokens: None,
            max_output_tokens: None,
        }
    }

    fn known(name: &str) -> Listed {
        Listed {
            operations: vec![Operation::Chat, Operation::Embeddings],
            context_tokens: Some(128_000),
            max_output_tokens: Some(4_096),
            ..listed(name)
        }
    }

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn openai_lists_objects_of_type_model() {
        let models = [listed("a/b:1"), listed("c")];
        let value = parsed(&list(Dialect::OpenAi, &models));
        assert_eq!(value["object"], "list");
        assert_eq!(
            value["data"][0],
            json!({"id": "a/b:1", "object": "model", "created": 0, "owned_by": "acme"})
        );
        assert_eq!(parsed(&one(Dialect::OpenAi, &models[1])), value["data"][1]);
    }

    #[test]
    fn anthropic_says_where_its_page_begins_and_ends() {
        let models = [listed("a"), listed("b")];
        let value = parsed(&list(Dialect::Anthropic, &models));
        assert_eq!((&value["first_id"], &value["last_id"]), (&json!("a"), &json!("b")));
        assert_eq!(value["has_more"], json!(false));
        assert_eq!(value["data"][0]["type"], "model");
        assert_eq!(parsed(&one(Dialect::Anthropic, &models[1])), value["data"][1]);
    }

    #[test]
    fn what_is_known_of_a_model_stands_where_each_dialect_looks_for_it() {
        let model = known("m");
        let openai = json!({"id": "m", "object": "model", "created": 0, "owned_by": "acme",
            "context_length": 128_000, "max_output_tokens": 4_096,
            "capabilities": ["chat", "embeddings"]});
        assert_eq!(parsed(&one(Dialect::OpenAi, &model)), openai);
        let anthropic = json!({"type": "model", "id": "m", "display_name": "m",
            "created_at": "1970-01-01T00:00:00Z", "lifecycle": "active",
            "max_input_tokens": 128_000, "max_tokens": 4_096});
        assert_eq!(parsed(&one(Dialect::Anthropic, &model)), anthropic);
        let gemini = json!({"name": "models/m", "displayName": "m", "inputTokenLimit": 128_000,
            "outputTokenLimit": 4_096,
            "supportedGenerationMethods": ["generateContent", "embedContent"]});
        assert_eq!(parsed(&one(Dialect::Gemini, &model)), gemini);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let model = listed("m");
        let anthropic = parsed(&one(Dialect::Anthropic, &model));
        assert_eq!((anthropic.get("max_tokens"), anthropic.get("max_input_tokens")), (None, None));
        let gemini = json!({"name": "models/m", "displayName": "m",
            "supportedGenerationMethods": ["generateContent", "embedContent", "countTokens"]});
        assert_eq!(parsed(&one(Dialect::Gemini, &model)), gemini);
        assert_eq!(parsed(&list(Dialect::Gemini, &[model])), json!({"models": [gemini]}));
    }

    #[test]
    fn no_models_make_an_empty_list() {
        assert_eq!(parsed(&list(Dialect::OpenAi, &[])), json!({"object": "list", "data": []}));
        assert_eq!(
            parsed(&list(Dialect::Anthropic, &[])),
            json!({"data": [], "has_more": false, "first_id": null, "last_id": null})
        );
    }
}
