//! The models that a caller may use, in the form of each dialect's `/v1/models`.

use crate::error::json;
use bytes::Bytes;
use domain::{catalog::Dialect, snapshot::Listed};
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
}

impl<'a> OpenAiModel<'a> {
    fn of(model: &'a Listed) -> Self {
        Self { id: &model.name, object: "model", created: 0, owned_by: &model.owner }
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
    supported_generation_methods: [&'static str; 3],
}

impl<'a> GeminiModel<'a> {
    fn of(model: &'a Listed) -> Self {
        Self {
            name: format!("models/{}", model.name),
            display_name: &model.name,
            supported_generation_methods: ["generateContent", "countTokens", "embedContent"],
        }
    }
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
}

impl<'a> AnthropicModel<'a> {
    fn of(model: &'a Listed) -> Self {
        Self {
            kind: "model",
            id: &model.name,
            display_name: &model.name,
            created_at: "1970-01-01T00:00:00Z",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn listed(name: &str) -> Listed {
        Listed { name: name.to_owned(), owner: "acme".to_owned() }
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
    fn no_models_make_an_empty_list() {
        assert_eq!(parsed(&list(Dialect::OpenAi, &[])), json!({"object": "list", "data": []}));
        assert_eq!(
            parsed(&list(Dialect::Anthropic, &[])),
            json!({"data": [], "has_more": false, "first_id": null, "last_id": null})
        );
    }
}
